# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# For build-deb, build-rpm and tests/packages/cross-deb, which define die().

# one_build DIRECTORY: let only one build at a time remove, write and read DIRECTORY, until this script and the
# programs that it starts have ended. Wait CCSHM_WAIT (1800) seconds at most for another build.
one_build() {
	local lock=$1.lock wait=${CCSHM_WAIT:-1800} fd
	mkdir -p "${lock%/*}"
	exec {fd}>"$lock" || die "cannot write $lock"
	flock -n "$fd" && return
	echo "another build uses $1: waiting until it has ended" >&2
	flock -w "$wait" "$fd" ||
		die "another build has used $1 for $wait s: retry when it has ended, or set CCSHM_BUILD to another directory"
}
