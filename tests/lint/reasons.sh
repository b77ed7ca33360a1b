#!/bin/sh
# Property: each line of a system call list says which function of ours needs it, and why.
# SPDX-License-Identifier: LGPL-2.1-or-later
. tests/lib/tap.sh

lists() {
	find policy/seccomp -name '*.list' | sort
}
# Lines that are neither blank, nor a comment, nor `name [ERRNO | N&BITS | N=VALUE]  # function: why`.
without_reason() {
	lists | xargs awk '
		/^[ \t]*(#|$)/ { next }
		!/^[a-z0-9_]+([ \t]+[^# \t]+)?[ \t]+# [A-Za-z_][A-Za-z0-9_, ]*: [^ ].*/ {
			print FILENAME ":" FNR ": " $0
		}'
}
# The functions that are named as reasons, and where they are: a definition has its name at the start
# of a line, a declaration stands in a header. libc stands for what it does by itself; the lists of
# programs that are not ours, and the sanitizers', name those programs' parts.
unknown_functions() {
	{
		find lib protocol policy confine serve broker worker view -name '*.c' -exec cat {} + |
			sed -n 's/^\([a-z_][A-Za-z0-9_]*\)(.*/\1/p'
		find lib protocol policy confine serve broker worker view -name '*.h' -exec cat {} + |
			grep -o '[a-z_][A-Za-z0-9_]*(' | tr -d '('
		echo libc
	} | sort -u >build/functions.$$
	lists | grep -vE '/(asan|passt|qemu[a-z_]*)\.list$' | while read -r list; do
		sed -n 's/^[a-z0-9_][^#]*# \([^:]*\): .*/\1/p' "$list" | tr ',' '\n' |
			sed 's/^ *//; s/()$//' | sort -u | while read -r name; do
			grep -qx "$name" build/functions.$$ || echo "$list: no function $name"
		done
	done
	rm -f build/functions.$$
}
repeated() {
	for list in $(lists); do
		awk '/^[a-z0-9_]/ { print $1, $2 ~ /^[0-5][&=]/ ? $2 : "" }' "$list" | sort | uniq -d |
			sed "s|^|$list: twice: |"
	done
}

mkdir -p build
check 'there are lists' [ -n "$(lists)" ]
check 'each line has a reason' without_reason
check 'each function that is named exists' unknown_functions
check 'no call is named twice, for the same arguments' repeated
tap_end
