# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Find the suites and read the metadata in the comments at the top of their sources (see README.md).
# Source this after common.bash, then call read_suites once. Functions that are called for each suite set
# $REPLY and print nothing: a subshell for each suite would take seconds.

# VARIANT_OF[SUITE]: the suite whose program the variant SUITE runs. VARIANT_META[SUITE:KEY]: the
# value of that key for the variant.
declare -A VARIANT_OF=() VARIANT_META=()

# metadata FILE...: print lines "FILE<tab>KEY<tab>VALUE" for the lines "# vm-KEY: VALUE" among the
# first 60 of each file.
metadata() {
	awk 'FNR <= 60 && match($0, /^[#\/* \t]*vm-[a-z-]+:[ \t]*/) {
			value = substr($0, RSTART + RLENGTH)
			key = substr($0, RSTART, RLENGTH)
			sub(/^.*vm-/, "", key)
			sub(/:[ \t]*$/, "", key)
			sub(/[ \t\r]+$/, "", value)
			if (value != "") print FILENAME "\t" key "\t" value
		}' "$@"
}

# Print the source files of the suites in tests/guest.
suite_files() {
	local f
	for f in "$TOP"/tests/guest/*.sh "$TOP"/tests/guest/*.c; do
		[ ! -e "$f" ] || [ "${f##*/}" = tap.sh ] || echo "$f"
	done
}

# Read the variants: a line "vm-variant: NAME KEY=VALUE..." defines the suite SUITE-NAME, which runs
# the program of SUITE.
read_variants() {
	local file key value suite word words files
	mapfile -t files < <(suite_files)
	[ ${#files[@]} -gt 0 ] || return 0
	while IFS=$'\t' read -r file key value; do
		[ "$key" = variant ] || continue
		read -ra words <<<"$value"
		file=${file##*/}
		suite=${file%.*}-${words[0]}
		VARIANT_OF[$suite]=${file%.*}
		for word in "${words[@]:1}"; do
			[[ $word =~ ^([a-z-]+)=(.*)$ ]] || die "$file: vm-variant: $word is not KEY=VALUE"
			value=${BASH_REMATCH[2]//,/ }
			VARIANT_META[$suite:${BASH_REMATCH[1]}]=${value//;/,}
		done
	done < <(metadata "${files[@]}")
}
read_variants

# variants SUITE: print the suite and its variants.
variants() {
	local v
	echo "$1"
	for v in "${!VARIANT_OF[@]}"; do [ "${VARIANT_OF[$v]}" != "$1" ] || echo "$v"; done
}

all_suites() {
	local f
	while read -r f; do
		f=${f##*/}
		variants "${f%.*}"
	done < <(suite_files) | sort -u
}

# suite_source SUITE: set $REPLY to the file with the source of the suite.
suite_source() {
	set -- "${VARIANT_OF[$1]-$1}"
	case $1 in
	*/*) REPLY=$1 ;;
	cvm-selftest | cvm-selftest-*) REPLY=$TOP/tests/emulator/selftest/${1#cvm-}.sh ;;
	demo) REPLY=$TOP/tests/demo/demo.sh ;;
	*)
		REPLY=$TOP/tests/guest/$1.sh
		[ -e "$REPLY" ] || REPLY=$TOP/tests/guest/$1.c
		;;
	esac
	[ -n "$REPLY" ] && [ -e "$REPLY" ] || die "no suite $1 (tests/harness/run --list names them)"
}

# suite_name SUITE: set $REPLY to the name of the suite, which can be a path.
suite_name() { REPLY=${1##*/}; REPLY=${REPLY%.sh}; }

declare -A SUITE_META=()

# read_suites SUITE...: read the metadata of these suites for "meta". The values of a repeated key
# are joined by spaces. The values of a variant replace those of its suite.
read_suites() {
	local s file key value
	local -A names=()
	SUITE_META=()
	for s; do
		suite_source "$s"
		file=$REPLY
		[[ " ${names[$file]-}" = *" $s "* ]] || names[$file]+="$s "
	done
	[ ${#names[@]} -gt 0 ] || return 0
	while IFS=$'\t' read -r file key value; do
		for s in ${names[$file]}; do
			SUITE_META[$s:$key]+=${SUITE_META[$s:$key]:+ }$value
		done
	done < <(metadata "${!names[@]}")
	for key in "${!VARIANT_META[@]}"; do SUITE_META[$key]=${VARIANT_META[$key]}; done
}

# meta SUITE KEY: set $REPLY to the value of a key, or to nothing if the suite does not set the key.
meta() { REPLY=${SUITE_META[$1:$2]-}; }

# is_meta SUITE KEY VALUE: succeed if the key has this value.
is_meta() { [ "${SUITE_META[$1:$2]-}" = "$3" ]; }

# unsupported SUITE: set $REPLY to the reason why the suite does not run on $kernel ($series), $flavour,
# $pages, $generic and $debug, or to nothing if it runs.
unsupported() {
	local flavours kernels arch sizes
	meta "$1" flavours; flavours=$REPLY
	meta "$1" arch; arch=$REPLY
	meta "$1" kernels; kernels=$REPLY
	meta "$1" pages; sizes=$REPLY
	REPLY=
	if [ -n "$flavours" ] && [[ " $flavours " != *" $flavour "* ]]; then
		REPLY="is for the flavours $flavours"
	elif [ -n "$arch" ] && [ "$arch" != "$(arch_of "$series")" ]; then
		REPLY="is for the architecture $arch"
	elif [ -n "$kernels" ] && [[ " $kernels " != *" $kernel "* ]]; then
		REPLY="is for the kernels $kernels"
	elif [[ " ${sizes:-4k} " != *" ${pages:-4k} "* ]]; then
		REPLY="is for kernels with pages of ${sizes:-4k}"
	elif [ -z "$generic$debug" ] && is_meta "$1" generic yes; then
		REPLY="needs the generic flavour of the kernel (--generic), or a debug kernel (--debug)"
	elif [ -z "$debug" ] && is_meta "$1" debug yes; then
		REPLY="needs a debug kernel (--debug)"
	elif [ "$flavour" = tdx ] && [ "$kernel" = 6.1 ]; then
		REPLY="Debian's 6.1 is built without TDX guest support"
	elif [ "$flavour" = cca ] && [ "${kernel%%.*}" -lt 7 ]; then
		REPLY="Debian's $kernel cannot be a Realm: Linux can from 6.13 on"
	fi
}
