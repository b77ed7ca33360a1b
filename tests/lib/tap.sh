# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# tap.sh: numbered TAP lines for tests in shell. Sourced; the test's folder is the tree.

tap_n=0
tap_failed=0

# check PROPERTY COMMAND...: it holds when the command prints nothing and ends with 0.
check() {
	tap_name=$1
	shift
	tap_n=$((tap_n + 1))
	if tap_out=$("$@" 2>&1) && [ -z "$tap_out" ]; then
		echo "ok $tap_n - $tap_name"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_n - $tap_name"
		printf '%s\n' "$tap_out" | sed 's/^/# /'
	fi
}

# skip PROPERTY REASON
skip() {
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # SKIP $2"
}

# The plan, and the exit status.
tap_end() {
	echo "1..$tap_n"
	[ "$tap_failed" -eq 0 ]
	exit
}

# All sources in C that are ours: not what was generated.
sources() {
	find lib protocol policy confine serve broker ctl worker view session tests fuzz bench -name '*.[ch]' | sort
}
