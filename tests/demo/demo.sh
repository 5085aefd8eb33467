#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The demo: the life of a shared buffer in a confidential guest. In the output, lines with "#" are
# comments and lines with "$" are typed commands. The TAP lines at the end are for the harness, whose
# --transcript omits them.
# vm-modules: ccshm
# vm-make: tests/demo
# vm-files: demo/edu demo/mapper
# vm-flavours: sev snp tdx cca
# vm-boot: alone
# vm-timeout: 60

PATH=/suites:$PATH
DEVICE=pci:0000:00:04.0

say() { printf '\n# %s\n' "$*"; }

die() {
	printf '\nnot ok 1 - demo\n1..1\n\ndemo: FAILED: %s\n' "$*"
	exit 1
}

# Print a command line as typed, run it, and stop if it fails.
run() {
	printf '$ %s\n' "$1"
	eval "$1" || die "\"$1\" failed with status $?"
}

# As run, but the command must fail.
run_fails() {
	printf '$ %s\n' "$1"
	if eval "$1"; then die "\"$1\" did not fail"; fi
}

# expect WHAT GOT WANT
expect() { [ "$2" = "$3" ] || die "$1: $2, expected $3"; }

wait_for() { # WHAT COMMAND...
	what=$1 n=0
	shift
	until "$@" >/dev/null 2>&1; do
		n=$((n + 1))
		[ $n -lt 500 ] || die "$what: not within 10 seconds"
		usleep 20000
	done
}

bus_mastering() { [ "$(edu bus-master)" = "$1" ]; }
shared_is() { [ "$(cvmctl get pages_shared)" = "$1" ]; }

before=$(cvmctl get pages_shared)
cvmctl reset

flavour=$(cvmctl present)
case $flavour in
sev) guest="An AMD SEV guest" call="KVM's hypercall" ;;
snp) guest="An AMD SEV-SNP guest" call="page state changes" ;;
tdx) guest="An Intel TDX guest" call="MapGPA" ;;
cca) guest="An Arm CCA Realm" call="RSI_IPA_STATE_SET" ;;
*) die "this is not a confidential guest" ;;
esac

say "$guest, Linux $(uname -r). Its memory is private: devices cannot access it."
run 'insmod /lib/ccshm/ccshm.ko'
run 'ccshmctl info'

say "Allocate a buffer of 4 MiB that is shared with the host."
run 'ccshmctl alloc 4M --name demo'
run 'ccshmctl show demo'
pages=$(($(cvmctl get pages_shared) - before))
echo "(the emulator counts $pages more shared pages of 4 KiB)"
[ $pages -ge 1024 ] || die "the buffer is not shared"

say "New memory is zero. Write to the buffer."
run 'ccshmctl read demo | tr -d "\000" | wc -c >new'
expect "bytes in a new buffer that are not zero" "$(cat new)" 0
{
	echo "Hello from the private side."
	head -c 4063 /dev/urandom
} >message
run 'ccshmctl write demo <message'

say "Attach a device: QEMU's edu, driven by a shell script through sysfs. The device copies"
echo '# 4092 bytes from the start of the buffer to its internal memory, and back to offset 1 MiB.'
cat >copy <<'END'
read -r address length offset <"$CCSHM_SEGMENTS_FILE"
echo "attachment $CCSHM_ATTACHMENT_ID: $length bytes at DMA address $address"
edu bus-master on &&
edu dma-out "$address" 4092 &&
edu dma-in $((address + 1024 * 1024)) 4092 &&
edu bus-master off &&
ccshmctl detach "$CCSHM_ATTACHMENT_ID"
END
run 'cat copy'
run "ccshmctl attach demo $DEVICE -- sh copy"
run 'ccshmctl read demo --offset 1M --length 4092 >came-back'
head -c 4092 message >sent
run 'cmp sent came-back && echo the device returned the data that it read'

say "Now use the buffer twice at the same time: by a program that maps a dma-buf of it..."
printf '$ %s\n' 'ccshmctl export demo -- mapper &'
ccshmctl export demo -- mapper >mapper.log 2>&1 &
mapper=$!
wait_for "the program's mapping" grep -q sees mapper.log
cat mapper.log

say "...and by a device whose driver ignores notifications."
cat >hold <<'END'
read -r address length offset <"$CCSHM_SEGMENTS_FILE"
echo "$address" >address
edu bus-master on
exec sleep 60
END
run 'cat hold'
printf '$ %s\n' "ccshmctl attach demo $DEVICE -- sh hold &"
ccshmctl attach demo $DEVICE -- sh hold &
holder=$!
wait_for "the attachment" test -s address
wait_for "bus mastering" bus_mastering on
run 'ccshmctl show demo'

say "The driver does not release the memory. Stop the device: revoke --force."
run_fails 'ccshmctl revoke demo --timeout 0.5'
run 'ccshmctl revoke demo --force'

say "The next access of the program raised SIGBUS:"
wait $mapper || die "the program that maps the buffer got no SIGBUS: $(cat mapper.log)"
run 'tail -n 1 mapper.log'

say "The device was stopped. A new DMA copies nothing: the data in edu's internal memory do not"
echo '# overwrite the new content of the buffer.'
run 'edu bus-master'
expect "bus mastering of a stopped device" "$(edu bus-master)" off
run 'echo "Written after the revoke." | ccshmctl write demo'
run "edu dma-in $(cat address) 4092"
run 'ccshmctl read demo --length 26'
expect "content of the buffer after that DMA" "$(ccshmctl read demo --length 25)" "Written after the revoke."
kill $holder 2>/dev/null
wait $holder 2>/dev/null

say "Done: free the buffer and unload the driver."
run 'ccshmctl free demo'
run_fails 'ccshmctl show demo'
run 'rmmod ccshm'

say "The counters of the emulator, which is the hypervisor of this guest. The emulator counts the calls"
echo "# that make pages shared (here: $call) or private, and accesses to the wrong view of a page."
wait_for "all pages being private again" shared_is "$before"
run 'cvmctl counters'
to_shared=$(cvmctl get pages_to_shared)
to_private=$(cvmctl get pages_to_private)
violations=$(cvmctl counters | awk '/^viol_/ { sum += $2 } END { print sum }')
expect "violations" $violations 0
expect "pages made private again" "$to_private" "$to_shared"
# Only the emulator of Realms detects writes of devices at wrong addresses.
[ "$flavour" != cca ] || expect "pages written by devices at wrong addresses" "$(cvmctl get stray_dma)" 0
[ "$to_shared" -ge 1024 ] || die "only $to_shared pages were converted"
echo "$to_shared pages were made shared, and all of them are private again; violations: 0"
printf 'ok 1 - demo\n1..1\n\ndemo: ok\n'
