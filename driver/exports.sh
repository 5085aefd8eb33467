#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# exports.sh MODULE.SYMVERS
# Checks that a kernel exports to modules what ccshm cannot be built without. Prints one
# sentence and exits with 77, which DKMS knows as "not for this kernel", if it does not.
# A kernel without the file is taken as good: modpost reports what is missing then.
set -eu
[ -r "$1" ] || exit 0

for symbol in set_memory_decrypted set_memory_encrypted; do
	# CRC, symbol, where it is, EXPORT_SYMBOL..., namespace: separated by tabs.
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
