#!/bin/sh
# Property: each shell script is POSIX sh that shellcheck accepts.
# SPDX-License-Identifier: LGPL-2.1-or-later
. tests/lib/tap.sh

scripts() {
	grep -rlI --exclude-dir=build --exclude-dir=.git '^#!/bin/sh' .
	echo tests/lib/tap.sh
}
# SC2016: awk and sed have dollars of their own. SC2317: functions that are called by name look unreachable to it.
not_posix() {
	scripts | xargs shellcheck -s sh -x -f gcc -e SC2016,SC2317
}

if command -v shellcheck >/dev/null; then
	check 'shellcheck finds nothing' not_posix
else
	skip 'shellcheck finds nothing' 'shellcheck is not installed'
fi
tap_end
