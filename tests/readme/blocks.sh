# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# The code blocks of documents. Each has a line <!-- test: WHERE --> before it.

# blocks FILE WHERE: the lines of those that are tested there; WHERE "": of all others
blocks() {
	awk -v want="$2" '
		/^<!-- test: [a-z]+ -->$/ { where = $3; next }
		/^```/ { if (inside) where = ""; inside = !inside; next }
		inside && (where == want || (want == "" && where == "")) { print }' "$1"
}

# commands FILE WHERE: the same without comments and empty lines, each command on one line
commands() {
	blocks "$1" "$2" | sed -e ':a' -e '/\\$/{N;s/\\\n[ \t]*//;ba' -e '}' -e 's/  *#[^"]*$//' -e '/^$/d' -e '/^#/d'
}
