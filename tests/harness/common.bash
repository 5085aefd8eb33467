# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Paths, messages, locks and package downloads for the scripts in this directory. Packages come
# through a private apt directory, independent of the packages of the host.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${CCSHM_BUILD:-$TOP/build}
# Several checkouts may share kernels, roots and package lists.
CACHE=${CCSHM_CACHE:-$BUILD}
PROG=$(basename "$0")

[ -e /proc/self/fd ] || { echo "there is no /proc here: mount -t proc proc /proc" >&2; exit 1; }

# Seconds that a guest may need after each suite: kill its processes (supervise), unload modules, settle (run-suite).
ENDING=60

say() { echo "$PROG: $*" >&2; }
die() { say "$@"; exit 1; }

# with_lock FILE COMMAND...: run a command under an exclusive lock; wait at most half an hour for
# the lock. A failure of the command ends the script. Never call this in a condition: bash would
# then ignore failures within the command.
with_lock() {
	local lock=$1 fd
	shift
	mkdir -p "$(dirname "$lock")" || die "cannot create $(dirname "$lock")"
	exec {fd}>"$lock" || die "cannot write $lock"
	flock -w 1800 "$fd" || die "another process has held $lock for half an hour"
	"$@"
	exec {fd}>&-
}

# need_space DIR MIB WHAT: end the script unless DIR has MIB MiB of free space for WHAT.
need_space() {
	local free
	free=$(($(df --output=avail -B 1M "$1" | tail -n 1)))
	[ "$free" -ge "$2" ] || die "$3 needs $2 MiB of free space in $1, there are $free MiB"
}

debian_keyring() {
	local k
	for k in /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-keyring.pgp; do
		[ ! -s "$k" ] || { echo "$k"; return; }
	done
	die "no Debian archive keyring: apt-get install debian-archive-keyring"
}

# quiet_make DIR TARGET...: make targets in DIR. Print warnings; print the whole output only after a
# failure. The caller holds $BUILD/programs.lock, because all processes share one output directory.
# For an arm64 guest, $GUEST, $cross and $arm64 are set.
quiet_make() {
	local log=$BUILD/logs/make-${1//\//-}.log
	[ -v cross ] || local cross=()
	mkdir -p "$BUILD/logs"
	if ! make -s -j2 -C "$TOP/$1" "O=${GUEST-$BUILD}" "${cross[@]}" "${@:2}" >"$log" 2>&1; then
		cat "$log" >&2
		die "make in $1 failed"
	fi
	grep -E 'warning:' "$log" >&2 || true
}

# late [SECONDS]: succeed if CCSHM_UNTIL, in seconds since 1970 as in "date +%s", comes within that time or has passed.
# No further tests are begun then, and those that would have run are reported as skipped. Without it, nothing is late.
LATE="the time of this run is over: make nightly runs this"
late() { [ -n "${CCSHM_UNTIL-}" ] && [ $(($(date +%s) + ${1-0})) -ge "$CCSHM_UNTIL" ]; }

# machines: print the number of machines to run concurrently: JOBS, or as many as processors and memory allow. With
# more, starting a process takes so much longer that the whole takes longer. Most machines have 1 to 2 GiB, and the
# emulator needs about 300 MiB more.
machines() {
	local by_memory number
	if [ -n "${JOBS-}" ]; then
		echo "$JOBS"
		return
	fi
	number=$(nproc)
	by_memory=$(awk '$1 == "MemAvailable:" { print int($2 / 1024 / (2048 + 300)) }' /proc/meminfo)
	[ "$by_memory" -ge "$number" ] || number=$by_memory
	[ "$number" -ge 1 ] || number=1
	echo "$number"
}

# Build the programs that run suites in the guest.
build_tools() {
	local out=${GUEST-$BUILD}/guest-tools t compiler=gcc
	[ -z "${arm64-}" ] || compiler=aarch64-linux-gnu-gcc
	mkdir -p "$out"
	for t in supervise as; do
		[ "$out/$t" -nt "$TOP/tests/harness/guest/$t.c" ] ||
			"$compiler" -O2 -Wall -Wextra -Werror -o "$out/$t" "$TOP/tests/harness/guest/$t.c" || die "cannot build $t"
	done
}

# Print the Debian mirror of the host, as apt reads its sources (both file formats, all options):
# "main URI", and "security URI" if there is one.
mirrors() {
	local codename
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
	apt-get --print-uris update 2>/dev/null |
		sed -nE "s|^'([a-z+]+:.*)/dists/([^/]+)/InRelease' .*|\1 \2|p" |
		awk -v c="$codename" '
			$2 == c || $2 == "stable" || $2 == "testing" || $2 == "sid" { if (!m++) print "main", $1 }
			$2 == c "-security" || $2 == "stable-security" { if (!s++) print "security", $1 }'
}

# arch_of NAME: print the architecture of a kernel or of a group of apt suites (apt_suites). A
# kernel is named by its series and its variant: 7.2, 7.2-generic, 7.2-arm64.
arch_of() {
	case $1 in
	*-arm64) echo arm64 ;;
	*) echo amd64 ;;
	esac
}
# guest_build KERNEL: print the directory for programs of the guest's architecture.
guest_build() {
	case $(arch_of "$1") in
	amd64) echo "$BUILD" ;;
	*) echo "$BUILD/$(arch_of "$1")" ;;
	esac
}

# guest_make_args KERNEL: print the make arguments that set the guest's compiler and archiver, each
# followed by a NUL.
guest_make_args() {
	[ "$(arch_of "$1")" = arm64 ] || return 0
	local root libs
	root=$("$TOP/tests/harness/cross-root")
	libs=$root/usr/lib/aarch64-linux-gnu
	printf '%s\0' "CC=aarch64-linux-gnu-gcc -isystem $root/usr/include -L$libs -Wl,-rpath-link=$libs" \
		AR=aarch64-linux-gnu-ar OBJCOPY=aarch64-linux-gnu-objcopy
}

# apt_suites GROUP: print the apt suites of a group. Each group has its own package lists, so that a
# search in one group does not find the newer kernel of another. GROUP-arm64 has the packages of
# arm64, and those of amd64 as PACKAGE:amd64.
apt_suites() {
	case ${1%-arm64} in
	bookworm) echo "main:bookworm security:bookworm-security" ;;
	trixie) echo "main:trixie security:trixie-security main:trixie-backports" ;;
	sid) echo "main:sid" ;;
	esac
}

apt_prepare() {
	local group=$1 dir=$CACHE/apt/$1 arch keyring main security entry uri
	arch=$(arch_of "$group")
	[ ! -s "$dir/sources.list" ] || [ ! -s "$dir/apt.conf" ] || return 0
	keyring=$(debian_keyring)
	main=$(mirrors | awk '$1 == "main" { print $2 }')
	security=$(mirrors | awk '$1 == "security" { print $2 }')
	[ -n "$main" ] || die "no Debian mirror in this machine's apt sources (/etc/apt/sources.list*)"
	mkdir -p "$dir/lists/partial" "$dir/archives/partial" || die "cannot create $dir"
	: >"$dir/status"
	for entry in $(apt_suites "$group"); do
		case ${entry%%:*} in
		main) uri=$main ;;
		security) uri=$security ;;
		esac
		[ -z "$uri" ] || echo "deb [arch=${arch/arm64/arm64,amd64} signed-by=$keyring] $uri ${entry#*:} main"
	done >"$dir/sources.tmp"
	# Keep the configuration of the host (proxies, for example), but override every option that
	# accepts unsigned data.
	cat >"$dir/apt.conf" <<-CONF
		Dir::State "$dir";
		Dir::State::lists "$dir/lists";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir";
		Dir::Cache::archives "$dir/archives";
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::Etc::preferences "-";
		Dir::Etc::preferencesparts "-";
		Dir::Etc::trusted "-";
		Dir::Etc::trustedparts "-";
		APT::Architecture "$arch";
		APT::Architectures { "${arch}"; "amd64"; };
		APT::Sandbox::User "root";
		APT::Get::AllowUnauthenticated "false";
		APT::Install-Recommends "false";
		APT::Update::Error-Mode "any";
		Acquire::AllowInsecureRepositories "false";
		Acquire::AllowWeakRepositories "false";
		Acquire::AllowDowngradeToInsecureRepositories "false";
		# A mirror that lags or a clock that is wrong is no reason to refuse a
		# kernel that only ever runs in a test machine; a bad signature is.
		Acquire::Check-Valid-Until "false";
		Acquire::Check-Date "false";
		Acquire::Languages "none";
		Acquire::Retries "3";
		Acquire::http::Timeout "60";
		Acquire::https::Timeout "60";
	CONF
	mv "$dir/sources.tmp" "$dir/sources.list"
}

# apt_update_locked GROUP [force]: fetch the package lists, unless they are less than 12 hours old.
apt_update_locked() {
	local group=$1 dir=$CACHE/apt/$1
	apt_prepare "$group"
	if [ "${2-}" != force ] && [ -n "$(find "$dir/updated" -mmin -720 2>/dev/null)" ]; then
		return 0
	fi
	need_space "$dir" 300 "fetching the package lists"
	say "fetching the package lists of $group"
	if ! timeout 900 apt-get -c "$dir/apt.conf" -qq update >"$dir/update.log" 2>&1; then
		cat "$dir/update.log" >&2
		die "apt could not fetch the package lists of $group from: $(awk '{ print $4 }' "$dir/sources.list" | sort -u | tr '\n' ' ')"
	fi
	touch "$dir/updated"
}
apt_update() { with_lock "$CACHE/apt/$1.lock" apt_update_locked "$@"; }

apt_names() { apt-cache -c "$CACHE/apt/$1/apt.conf" pkgnames "$2"; }
apt_show() { apt-cache -c "$CACHE/apt/$1/apt.conf" --no-all-versions show "$2" 2>/dev/null; }
apt_field() { apt_show "$1" "$2" | sed -n "s/^$3: //p" | head -n 1; }
apt_has() { [ -n "$(apt_field "$1" "$2" Filename)" ]; }

# apt_fetch GROUP DIR VERB PACKAGE...: fetch packages into DIR. VERB is "download" (these packages)
# or "install" (also their dependencies).
apt_fetch() {
	local group=$1 dir=$2 verb=$3 options=()
	shift 3
	mkdir -p "$dir/partial"
	[ "$verb" = download ] || options=(--download-only -y)
	(cd "$dir" && timeout 1800 apt-get -c "$CACHE/apt/$group/apt.conf" -o Dir::Cache::archives="$dir" \
		-qq "${options[@]}" "$verb" "$@") >"$dir/log" 2>&1
}

# apt_download GROUP DIR VERB PACKAGE...: fetch packages and verify their signatures; end the script
# on failure. The lists may be older than the mirror: renew them after the first failure.
apt_download() {
	local group=$1 dir=$2
	shift
	mkdir -p "$dir"
	need_space "$dir" 300 "downloading packages"
	apt_fetch "$group" "$@" && return
	rm -f "$dir"/*.deb
	apt_update "$group" force
	apt_fetch "$group" "$@" && return
	cat "$dir/log" >&2
	shift 2
	die "could not download from the Debian mirror: $* (free space in $CACHE: $(df -h --output=avail "$dir" | tail -n 1 | tr -d ' '))"
}

# unpack DIR ROOT: unpack all packages of DIR into ROOT.
unpack() {
	local deb size mib=0
	for deb in "$1"/*.deb; do
		size=$(dpkg-deb -f "$deb" Installed-Size)
		mib=$((mib + ${size:-0} / 1024 + 1))
	done
	mkdir -p "$2"
	need_space "$2" $((mib + 64)) "unpacking the downloaded packages"
	for deb in "$1"/*.deb; do
		dpkg-deb -x "$deb" "$2" ||
			die "could not unpack $(basename "$deb") (free space: $(df -h --output=avail "$2" | tail -n 1 | tr -d ' '))"
	done
}

# root_week SUITE: print the end of the name of a root. sid changes every day: its roots are made again each week.
root_week() {
	[ "$1" != sid ] || date +-%G-%V
}
# old_roots PREFIX: remove the roots of sid with this prefix that are older than 8 days
old_roots() {
	[[ $1 != sid-* ]] ||
		find "$CACHE/roots" -mindepth 1 -maxdepth 1 -name "$1-*" -mtime +8 -exec rm -rf {} +
}

# Create a scratch directory, $SCRATCH, in the file system of the cache, so that results can be
# moved into place atomically. The directory is removed when the script ends; directories that a
# SIGKILL left are removed after 12 hours.
scratch() {
	mkdir -p "$CACHE/tmp" || die "cannot create $CACHE/tmp (disk full?)"
	find "$CACHE/tmp" -mindepth 1 -maxdepth 1 -mmin +720 -exec rm -rf {} +
	SCRATCH=$(mktemp -d "$CACHE/tmp/$PROG.XXXXXX") || die "cannot create a directory in $CACHE/tmp (disk full?)"
	trap 'rm -rf "$SCRATCH"' EXIT
	trap 'exit 130' INT TERM HUP
}
