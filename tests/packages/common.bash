# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Functions of the scripts in this directory: those of tests/harness/common.bash, and functions for
# roots (directories with the files of a distribution).
# shellcheck source=../harness/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/../harness/common.bash"

# in_root ROOT COMMAND...: run a command as an image builder does: as root, with the files of
# ROOT, a /proc and a /dev, without a network. Processes that the command leaves behind are
# killed.
in_root() {
	unshare --mount --pid --uts --ipc --net --fork --kill-child --mount-proc="$1/proc" \
		"$TOP/tests/packages/enter-root" "$@"
}

# in_root_as_user ROOT COMMAND...: run a command as a build machine does: as an ordinary user without a
# home directory
in_root_as_user() {
	in_root "$1" setpriv --reuid=1000 --regid=1000 --clear-groups env HOME=/nonexistent "${@:2}"
}

# apt_satisfies GROUP DEPENDENCY: let apt find packages of a release that satisfy a dependency, which may be that of a
# control file (alternatives, versions, virtual packages). Nothing is installed. Call apt_update first.
apt_satisfies() {
	apt-get -q -c "$CACHE/apt/$1/apt.conf" --simulate satisfy "$2"
}

# An installation that starts nothing must not call a command that matches this.
# shellcheck disable=SC2034 # for the scripts
STARTS='^(modprobe|insmod) |^systemctl.* (start|restart|try-restart|reload-or-restart|--now)( |$)'

# add_kernel ROOT SERIES: add the parts of a kernel of tests/harness that are needed to build
# modules
add_kernel() {
	local from release dir package
	"$TOP/tests/harness/fetch-kernel" "$2"
	from=$CACHE/kernels/$2/root
	release=$(<"$CACHE/kernels/$2/release")
	for dir in usr/src usr/lib; do
		for package in "$from/$dir"/linux-*; do
			[ ! -d "$package" ] || [ -e "$1/$dir/${package##*/}" ] || cp -a --reflink=auto "$package" "$1/$dir/"
		done
	done
	mkdir -p "$1/usr/lib/modules/$release"
	ln -s "/usr/src/linux-headers-$release" "$1/usr/lib/modules/$release/build"
	cp "$from/usr/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$1/usr/lib/modules/$release/"
	# dkms ignores kernels without modules.
	find "$from/usr/lib/modules/$release/kernel" -name '*.ko*' -exec cp {} "$1/usr/lib/modules/$release/" \; -quit
	in_root "$1" depmod "$release"
}

# own_mounts ARGUMENT...: run this script, with its arguments, in a mount namespace of its own: with the script, its
# mounts end.
own_mounts() {
	[ "${CCSHM_MOUNTS-}" = "$PROG" ] || CCSHM_MOUNTS=$PROG exec unshare --mount "$0" "$@"
}

# copy_root BASE DIR: make DIR a root with the files of BASE that can be changed: an overlay, or a copy where there are
# no overlays. Call own_mounts first.
copy_root() {
	mkdir -p "$2" "$2.upper" "$2.work"
	mount -t overlay overlay -o "lowerdir=$1,upperdir=$2.upper,workdir=$2.work" "$2" 2>/dev/null ||
		cp -a --reflink=auto "$1/." "$2/" || die "cannot copy the root (disk full?)"
}
# drop_roots DIR: remove the roots of copy_root in DIR, and DIR
drop_roots() {
	local mounts
	mounts=$(awk -v dir="$1/" 'index($5 "/", dir) == 1 { print $5 }' /proc/self/mountinfo)
	[ -z "$mounts" ] || tac <<<"$mounts" | xargs -d '\n' umount -l
	rm -rf "$1" "$1.upper" "$1.work"
}

# Within one run of "check", DKMS builds the same driver for the same kernel in several copies of one root. The first
# build fills the cache of compilations (see build-root), the others use it. check-dkms compiles without a cache.
# use_compilations ROOT SUITE: give a copy of the root of SUITE the cache, if there is one
use_compilations() {
	[ -d "${CCSHM_COMPILATIONS-/nonexistent}/$2" ] || return 0
	rm -rf "$1/var/cache/ccache"
	cp -a "$CCSHM_COMPILATIONS/$2" "$1/var/cache/ccache"
}
# keep_compilations ROOT SUITE: keep the cache of a copy, unless there is one already
keep_compilations() {
	local new
	[ -n "${CCSHM_COMPILATIONS-}" ] && [ ! -e "$CCSHM_COMPILATIONS/$2" ] || return 0
	mkdir -p "$CCSHM_COMPILATIONS"
	new=$(mktemp -d "$CCSHM_COMPILATIONS/new.XXXXXX")
	cp -a "$1/var/cache/ccache/." "$new/"
	mv -nT "$new" "$CCSHM_COMPILATIONS/$2"
	rm -rf "$new"
}

# timed: copy lines; after each that came 10 s or later after the one before, print how long it took
timed() { perl -pe 'BEGIN { $| = 1; $t = time } $d = time - $t; $t += $d; $_ .= "# took $d s\n" if $d >= 10'; }
