#!/bin/sh
# Property: no source file is longer than 800 lines, and what root runs is no more than SECURITY.md says.
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Reads the objects and programs of build/.
. tests/lib/tap.sh

longer_than_800() {
	sources | xargs wc -l | awk '$2 != "total" && $1 > 800 { print $2 ": " $1 " lines" }'
}
median() {
	sources | xargs wc -l | awk '$2 != "total" { print $1 }' | sort -n |
		awk '{ line[NR] = $1 } END { print line[int((NR + 1) / 2)] }'
}

# offered FILE...: the names that are not local to their file
offered() {
	nm --defined-only "$@" | awk 'NF == 3 && $2 ~ /^[TDBR]$/ { print $3 }' | sort -u
}
# The files of which root's two programs have something: the linker leaves the others out.
of_root() {
	offered build/qemud build/qemud-launch >"$tmp/held"
	for file in broker/*.c broker/launch/*.c policy/*.c protocol/ipc/*.c lib/*.c confine/*.c; do
		offered "build/${file%.c}.o" | comm -12 - "$tmp/held" | grep -q . && echo "$file"
	done
}
# Their lines, without comments, blank lines and headers.
for_root() {
	of_root | xargs cat | gcc -fpreprocessed -dD -E -P -x c - | grep -c .
}
more_than_said() {
	most=$(sed -n 's/.*fewer than \([0-9]*\),\([0-9]*\) lines of C.*/\1\2/p' SECURITY.md)
	[ "$(for_root)" -lt "${most:-0}" ] || echo "$(for_root) lines: SECURITY.md says ${most:-nothing}"
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
echo "# the median is $(median) lines in $(sources | wc -l) files"
echo "# root's programs are made of $(for_root) lines"
check 'no file is longer than 800 lines' longer_than_800
check 'root runs no more than SECURITY.md says' more_than_said
tap_end
