#compdef ccshmctl
# SPDX-License-Identifier: GPL-2.0-only
# zsh completion of ccshmctl. `ccshmctl --complete` computes the candidates.

local -a said candidates space
local line value found=1

said=("${(@f)$(_call_program ccshmctl ${(q)words[1]} --complete ${(q)${(@Q)words[2,CURRENT-1]}} ${(q)${(Q)PREFIX}})}")
for line in $said; do
	value=${line%%$'\t'*}
	case $line in
	:command\ *)
		shift ${value#:command } words
		((CURRENT -= ${value#:command }))
		_normal
		return
		;;
	:files) _files && found=0 ;;
	:nospace) space=(-S '') ;;
	*$'\t'*) candidates+=("${value//:/\\:}:${line#*$'\t'}") ;;
	?*) candidates+=("${value//:/\\:}") ;;
	esac
done
((${#candidates})) && _describe -t values ccshmctl candidates $space && found=0
return found
