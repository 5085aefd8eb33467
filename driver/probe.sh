#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# probe.sh OUTPUT PROBES -- COMPILER FLAGS...
# Writes a header that defines CCSHM_HAVE_<NAME> as 1 or 0 for each
# PROBES/<name>.c, by whether it compiles for this kernel.
set -eu
out=$1 probes=$2
shift 3

# A compiler that compiles nothing would answer every question with no.
if ! echo '#include <linux/module.h>' | "$@" -fsyntax-only -x c - ; then
	echo "probe.sh: cannot compile against this kernel's headers" >&2
	exit 1
fi

{
	echo '/* SPDX-License-Identifier: GPL-2.0-only */'
	echo '/* Made by probe.sh. */'
	for probe in "$probes"/*.c; do
		name=$(basename "$probe" .c | tr '[:lower:]-' '[:upper:]_')
		if "$@" -Werror -Wno-error=missing-prototypes -fsyntax-only \
			"$probe" 2>/dev/null; then
			echo "#define CCSHM_HAVE_$name 1"
		else
			echo "#define CCSHM_HAVE_$name 0"
		fi
	done
} > "$out.tmp"
mv "$out.tmp" "$out"
