# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Extract code blocks and indented commands of documents. Before each block is a line <!-- test: WHERE -->.

# blocks FILE WHERE: print the lines of the blocks that are tested in WHERE; WHERE "": of the
# other blocks
blocks() {
	awk -v want="$2" '
		/^<!-- test: [a-z]+ -->$/ { where = $3; next }
		/^```/ { if (inside) where = ""; inside = !inside; next }
		inside && (where == want || (want == "" && where == "")) { print }' "$1"
}

# commands FILE WHERE: as blocks, but without comments and empty lines, and each command on
# one line
commands() {
	blocks "$1" "$2" | sed -e ':a' -e '/\\$/{N;s/\\\n[ \t]*//;ba' -e '}' -e 's/  *#[^"]*$//' -e '/^$/d' -e '/^#/d'
}

# indented FILE [SECTION]: print the indented commands, of the section with this heading or of the whole file, each on
# one line
indented() {
	sed -e ':a' -e '/^    .*\\$/{N;s/\\\n *//;ba' -e '}' "$1" | awk -v section="${2-}" '
		BEGIN { other = section != "" }
		/^## / && section != "" { other = $0 != "## " section }
		!other && /^    [^ ]/ { print substr($0, 5) }'
}
