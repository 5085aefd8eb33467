#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# exports.sh MODULE.SYMVERS
# Check that the kernel exports to modules the functions that ccshm cannot be built without. If not,
# print one sentence and exit with status 77, which DKMS takes as "not for this kernel". Accept a
# kernel without the file: modpost then reports missing symbols.
set -eu
[ -r "$1" ] || exit 0

for symbol in set_memory_decrypted set_memory_encrypted; do
	# Columns, separated by tabs: CRC, symbol, module, EXPORT_SYMBOL..., namespace.
	case $(awk -F '\t' -v s=$symbol '$2 == s { print "in:" $5; exit }' "$1") in
	in:) ;;
	'')
		echo "ccshm: this kernel does not export $symbol() to modules: the driver cannot be built for it" >&2
		exit 77
		;;
	*)
		echo "ccshm: this kernel exports $symbol() in a namespace, to its own modules only: the driver cannot be built for it" >&2
		exit 77
		;;
	esac
done
