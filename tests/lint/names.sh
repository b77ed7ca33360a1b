#!/bin/sh
# Property: no name that a file offers is one of a library's, which would then call it as its own.
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A program's functions go before those of a shared library, in the library's own calls too. Reads the
# objects and programs of build/.
. tests/lib/tap.sh

programs() {
	sed -n 's/^\(PROGRAMS\|TOOLS\)[ \t]*:= *//p' Makefile | tr ' ' '\n' | sed 's|^|build/|'
}
libraries() {
	programs | xargs ldd | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u
}
taken() {
	libraries | xargs nm -D --defined-only | awk 'NF == 3 && $2 ~ /^[TDBRWVi]$/ { sub(/@.*/, "", $3); print $3 }' |
		sort -u >"$tmp/libraries"
	[ "$(wc -l <"$tmp/libraries")" -gt 5000 ] || echo 'the names of the libraries cannot be read'
	find lib protocol policy confine serve broker worker view session ctl -name '*.c' |
		sed 's|\(.*\)c$|build/\1o|' | xargs nm --defined-only |
		awk 'NF == 3 && $2 ~ /^[TDBR]$/ && $3 != "main" { print $3 }' | sort -u |
		comm -12 - "$tmp/libraries"
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
check 'no name is a library'\''s' taken
tap_end
