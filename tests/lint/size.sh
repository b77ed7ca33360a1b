#!/bin/sh
# Property: no source file is longer than 800 lines.
# SPDX-License-Identifier: LGPL-2.1-or-later
. tests/lib/tap.sh

longer_than_800() {
	sources | xargs wc -l | awk '$2 != "total" && $1 > 800 { print $2 ": " $1 " lines" }'
}
median() {
	sources | xargs wc -l | awk '$2 != "total" { print $1 }' | sort -n |
		awk '{ line[NR] = $1 } END { print line[int((NR + 1) / 2)] }'
}

echo "# the median is $(median) lines in $(sources | wc -l) files"
check 'no file is longer than 800 lines' longer_than_800
tap_end
