#!/bin/sh
# Property: what a file offers to others a program uses; nothing is there for tests alone.
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The linker leaves out what nothing refers to: what is in the objects, and in no program, is either
# unused, or used in its own file alone, where it should be static. Reads the programs of build/.
. tests/lib/tap.sh

# What tests need to see or to do by themselves, and why that is worth a name.
for_tests() {
	cat <<'TABLE'
config_default        a configuration without a file
handover_fini         the other end of a hand-over
ipc_n_rules           the table of messages is complete
job_cancel            the engine's promise: whatever ends a job, it is undone
job_push_undo         the same
landlock_rights       which level takes which rights away
landlock_rule_rights  the same
policy_limit_text     a limit in the words of the policy
rpc_encode            any value, without a packet around it
rpc_stream_hole       captured exchanges have holes, which are made again
vm_network_remove     a port that is free again
TABLE
}
programs() {
	sed -n 's/^\(PROGRAMS\|TOOLS\)[ \t]*:= *//p' Makefile | tr ' ' '\n' | sed 's|^|build/|'
}
symbols() {
	awk 'NF == 3 && $2 ~ /^[A-Za-z]$/ { print $3 }' | sort -u
}
# Functions and data that are not local to their file; of objects whose source is there.
offered() {
	find lib protocol policy confine serve broker worker view session ctl -name '*.c' |
		sed 's|\(.*\)c$|build/\1o|' | xargs nm --defined-only |
		awk 'NF == 3 && $2 ~ /^[TDBR]$/' | symbols
}
unused() {
	# shellcheck disable=SC2046 # a list of files
	nm --defined-only $(programs) | symbols >"$tmp/held"
	for_tests | awk '{ print $1 }' | sort >"$tmp/excused"
	offered | comm -23 - "$tmp/held" | comm -23 - "$tmp/excused"
}
excused_in_vain() {
	offered | comm -13 - "$tmp/excused"
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
check 'what no program holds is offered to nobody' unused
check 'what is excused is there' excused_in_vain
tap_end
