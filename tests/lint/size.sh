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

# The files of which root's two programs have something, by the names that are not local to a file: the
# linker leaves the others out.
of_root() {
	find broker broker/launch policy protocol/ipc lib confine -maxdepth 1 -name '*.c' | sed 's|\(.*\)c$|build/\1o|' |
		xargs nm -A --defined-only build/qemud build/qemud-launch |
		awk '$2 ~ /^[TDBR]$/ {
			file = $1
			sub(/:[^:]*$/, "", file)
			if (file ~ /\.o$/)
				offers[file] = offers[file] " " $3
			else
				held[$3]
		}
		END {
			for (file in offers) {
				n = split(offers[file], name, " ")
				for (i = 1; i <= n && !(name[i] in held); i++)
					;
				if (i <= n)
					print substr(file, 7, length(file) - 7) "c"
			}
		}'
}
# Their lines, without comments, blank lines and headers.
for_root() {
	of_root | xargs cat | gcc -fpreprocessed -dD -E -P -x c - | grep -c .
}
more_than_said() {
	most=$(sed -n 's/.*fewer than \([0-9]*\),\([0-9]*\) lines of C.*/\1\2/p' SECURITY.md)
	[ "$(for_root)" -lt "${most:-0}" ] || echo "$(for_root) lines: SECURITY.md says ${most:-nothing}"
}

echo "# the median is $(median) lines in $(sources | wc -l) files"
echo "# root's programs are made of $(for_root) lines"
check 'no file is longer than 800 lines' longer_than_800
check 'root runs no more than SECURITY.md says' more_than_said
tap_end
