#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# probe.sh OUTPUT PROBES NEEDS -- COMPILER FLAGS...
# Writes a header that defines CCSHM_HAVE_<NAME> as 1 or 0 for each
# PROBES/<name>.c, by whether it compiles for this kernel. First checks the
# options of the kernel that the header NEEDS wants, before its #includes.
set -eu
out=$1 probes=$2 needs=$3
shift 4

# What the compiler said, and the header while it is written.
said=$out.log
trap 'rm -f "$said" "$out.tmp"' EXIT
trap 'exit 1' HUP INT TERM

fail()
{
	{
		echo "probe.sh: $1. The compiler is: $compiler. It said:"
		cat "$said"
	} >&2
	exit 1
}

compiles()
{
	LC_ALL=C "$@" -Werror -Wno-error=missing-prototypes -fsyntax-only \
		-x c - 2>"$said"
}

# Of all that the probes include, what this kernel has.
headers()
{
	echo '#include <linux/module.h>'
	sed -n 's/^#include <\(.*\)>.*/\1/p' "$probes"/*.c | while read -r header; do
		echo "#if __has_include(<$header>)"
		echo "#include <$header>"
		echo "#endif"
	done
}

# Each missing option in one sentence, and nothing else.
compiler=$1
if ! sed '/^#ifndef CCSHM_/,$d' "$needs" | compiles "$@"; then
	grep -q ': error: #error ' "$said" || fail "cannot compile the start of $needs"
	sed -n 's/^.*: error: #error "\(.*\)"$/probe.sh: \1/p' "$said" >&2
	exit 1
fi

# A compiler that compiles nothing would answer every question with no.
headers | compiles "$@" || fail "cannot compile this kernel's headers"

{
	echo '/* SPDX-License-Identifier: GPL-2.0-only */'
	echo '/* Made by probe.sh. */'
	for probe in "$probes"/*.c; do
		name=$(basename "$probe" .c | tr '[:lower:]-' '[:upper:]_')
		if compiles "$@" < "$probe"; then
			echo "#define CCSHM_HAVE_$name 1"
		# No is an error in a line of C; not, for example, that the
		# compiler was killed, or did not find its own parts.
		elif grep -Eq ':[0-9]+: (fatal )?error: ' "$said" &&
		     ! grep -q 'internal compiler error' "$said"; then
			echo "#define CCSHM_HAVE_$name 0"
		else
			fail "cannot tell whether $(basename "$probe") compiles"
		fi
	done
} > "$out.tmp"
mv "$out.tmp" "$out"
