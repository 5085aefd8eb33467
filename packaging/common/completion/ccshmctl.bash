# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# bash completion of ccshmctl. `ccshmctl --complete` computes the candidates.

# Set $words to the words up to the cursor, and $starts to the index in COMP_WORDS at which each
# begins: bash splits words at ":" and "=". Set $piece to the last word in bash's view.
_ccshmctl_words() {
	local line=${COMP_LINE:0:COMP_POINT} i blanks
	words=() starts=()
	for ((i = 0; i <= COMP_CWORD; i++)); do
		blanks=${line%%[![:blank:]]*}
		line=${line#"$blanks"}
		piece=${COMP_WORDS[i]}
		# The last word can continue after the cursor.
		[ "$i" -lt "$COMP_CWORD" ] || piece=$line
		line=${line#"$piece"}
		if [ "$i" = 0 ] || [ -n "$blanks" ]; then
			words+=("$piece")
			starts+=("$i")
		else
			words[${#words[@]} - 1]+=$piece
		fi
	done
	[[ $piece != [:=] ]] || piece=
}

_ccshmctl() {
	local words starts piece said before
	COMPREPLY=()
	_ccshmctl_words
	# bash keeps the part of the last word that it split off.
	before=${words[${#words[@]} - 1]}
	before=${before%"$piece"}
	while IFS= read -r said; do
		said=${said%%$'\t'*}
		case $said in
		:command\ *)
			[ -z "$(type -t _command_offset)" ] || _command_offset "${starts[${said#:command }]}"
			return
			;;
		:files) compopt -o default 2>/dev/null ;;
		:nospace) compopt -o nospace 2>/dev/null ;;
		*) COMPREPLY+=("${said#"$before"}") ;;
		esac
	done < <("$1" --complete "${words[@]:1}" 2>/dev/null)
}

complete -F _ccshmctl ccshmctl
