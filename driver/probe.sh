#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# probe.sh OUTPUT PROBES NEEDS -- COMPILER FLAGS...
# Write a header that defines CCSHM_HAVE_<NAME> for each PROBES/<name>.c: 1 if the probe compiles for
# this kernel, 0 if not. First check that the kernel has the options that the header NEEDS requires
# before its first #include.
set -eu
out=$1 probes=$2 needs=$3
shift 4

# The messages of the compiler. The header is written to $out.tmp.
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

# Print a program that includes the headers of all probes, as far as this kernel has them.
headers()
{
	echo '#include <linux/module.h>'
	sed -n 's/^#include <\(.*\)>.*/\1/p' "$probes"/*.c | while read -r header; do
		echo "#if __has_include(<$header>)"
		echo "#include <$header>"
		echo "#endif"
	done
}

# Print one sentence for each missing option, without the compiler's other messages.
compiler=$1
if ! sed '/^#ifndef CCSHM_/,$d' "$needs" | compiles "$@"; then
	grep -q ': error: #error ' "$said" || fail "cannot compile the start of $needs"
	sed -n 's/^.*: error: #error "\(.*\)"$/probe.sh: \1/p' "$said" >&2
	exit 1
fi

# Check that the compiler works; otherwise each probe would fail and count as 0.
headers | compiles "$@" || fail "cannot compile this kernel's headers"

{
	echo '/* SPDX-License-Identifier: GPL-2.0-only */'
	echo '/* Made by probe.sh. */'
	for probe in "$probes"/*.c; do
		name=$(basename "$probe" .c | tr '[:lower:]-' '[:upper:]_')
		if compiles "$@" < "$probe"; then
			echo "#define CCSHM_HAVE_$name 1"
		# The result is 0 only after an error in a line of C. Fail if the compiler was killed
		# or did not find its own parts, for example.
		elif grep -Eq ':[0-9]+: (fatal )?error: ' "$said" &&
		     ! grep -q 'internal compiler error' "$said"; then
			echo "#define CCSHM_HAVE_$name 0"
		else
			fail "cannot tell whether $(basename "$probe") compiles"
		fi
	done
} > "$out.tmp"
mv "$out.tmp" "$out"
