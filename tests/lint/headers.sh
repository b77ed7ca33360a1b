#!/bin/sh
# Property: each file says its licence and what it is, and includes its own header first.
# SPDX-License-Identifier: LGPL-2.1-or-later
. tests/lib/tap.sh

without_licence() {
	for file in $(sources); do
		[ "$(head -n 1 "$file")" = '/* SPDX-License-Identifier: LGPL-2.1-or-later */' ] ||
			echo "$file: the first line is not the licence"
	done
	for file in Makefile test demo .ci/run $(find tests bench confine protocol -type f \
		\( -name '*.sh' -o -name '*.py' -o -name '*.awk' \)) tests/run bench/run; do
		[ -f "$file" ] || continue
		head -n 5 "$file" | grep -q 'SPDX-License-Identifier: LGPL-2.1-or-later' ||
			echo "$file: no licence in the first five lines"
	done
}
# The second line opens the comment; outside tests and fuzzers it begins with what it is about, and a colon.
without_comment() {
	for file in $(sources); do
		case $file in tests/* | fuzz/*) about='..*' ;; *) about='[^:]*: ..*' ;; esac
		sed -n 2,3p "$file" | tr '\n' ' ' | grep -q "^/\* *\** *$about" ||
			echo "$file: no header comment"
	done
}
own_header_later() {
	for file in $(sources | grep '\.c$'); do
		[ -f "${file%.c}.h" ] || continue
		first=$(grep -m 1 '^#include' "$file")
		[ "$first" = "#include \"${file%.c}.h\"" ] || echo "$file: first comes $first"
	done
}
# Guards are the path in capitals.
without_guard() {
	for file in $(sources | grep '\.h$'); do
		guard=$(echo "$file" | tr 'a-z/.-' 'A-Z___')
		grep -qx "#ifndef $guard" "$file" || echo "$file: the guard is not $guard"
	done
}

check 'each file names its licence' without_licence
check 'each source begins with what it is' without_comment
check 'each source includes its own header first' own_header_later
check 'each header has the guard of its path' without_guard
tap_end
