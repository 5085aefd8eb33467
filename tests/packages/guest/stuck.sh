#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Boot with a host that does not answer the program of one unit (see stuck-generator): the unit fails when its time is
# over, and the boot continues. This suite begins before the boot is complete.
. /suites/tap.sh

unit=ccshm-module.service
! cvmctl present >/dev/null 2>&1 || unit=ccshm-provision.service
stamp() { systemctl show --value -p "$1TimestampMonotonic" "$2"; }
is_active() { [ "$(systemctl is-active "$1")" = active ]; }

begin=$(cvmctl get pages_shared 2>/dev/null)
wait_until 60 sh -c "systemctl show -p SubState $unit | grep -qx SubState=start"
ok $? "the start of $unit hangs"
wait_until 240 is_active multi-user.target
ok $? "the boot reaches multi-user.target although $unit hangs"
is "$(systemctl show --value -p Result "$unit")" timeout "$unit: the result is a timeout"
is "$(systemctl list-units --failed --no-legend --plain | cut -d ' ' -f 1)" "$unit" "exactly $unit has failed"
[ "$(stamp ActiveEnter sysinit.target)" -ge "$(stamp InactiveEnter "$unit")" ]
ok $? "sysinit.target waits for $unit"
# The limits are 15 s for the start and 5 s for the end; without the latter, systemd would wait 90 s for the end.
delay=$((($(stamp InactiveEnter "$unit") - $(stamp InactiveExit "$unit")) / 1000000))
[ $delay -ge 14 ] && [ $delay -le 90 ]
ok $? "$unit delays the boot for its limits only"
diag "$unit delayed the boot by $delay s; multi-user.target after $(($(stamp ActiveEnter multi-user.target) / 1000000)) s"
if [ $unit = ccshm-provision.service ]; then
	is "$(ccshmctl info --json | tr -d ' \n' | grep -o '"bytes_shared":[0-9]*')" '"bytes_shared":0' \
		"ccshm has shared no memory"
	# Drivers that start during the boot share memory for their devices.
	diag "expect-leaked-pages: $(($(cvmctl get pages_shared) - begin))"
	runs "the other unit works: alloc" ccshmctl alloc 4M --name after
	runs "the other unit works: free" ccshmctl free root/after
else
	is "$(systemctl is-active ccshm-provision.service)" inactive "ccshm-provision.service, which needs the module: not started"
fi
done_testing
