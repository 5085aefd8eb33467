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
