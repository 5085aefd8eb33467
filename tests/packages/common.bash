# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Shared by the scripts in this directory: what tests/vm/common.bash has, and roots.
# shellcheck source=../vm/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/../vm/common.bash"

# in_root ROOT COMMAND...: as an image builder runs it: root, the files of ROOT, a /proc and
# a /dev, no network. What it leaves running ends with it.
in_root() {
	unshare --mount --pid --uts --ipc --net --fork --kill-child --mount-proc="$1/proc" \
		"$TOP/tests/packages/enter-root" "$@"
}
