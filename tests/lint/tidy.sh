#!/bin/sh
# Property: clang-tidy finds nothing in what programs are made of.
# SPDX-License-Identifier: LGPL-2.1-or-later
# test: slow timeout=900
#
# shellcheck disable=SC2086 # $ours is a list
#
# A file that was found clean is not read again until it, a header or the configuration changes.
# Nearly all of its time goes into the few functions that have more paths than its analyzer will ever
# walk; where it gives up is its own choice (225000) in the long set, a third of that otherwise.
. tests/lib/tap.sh

ours='lib protocol policy confine serve broker ctl worker view session'
cache=build/tidy
export steps=75000
[ -z "${TEST_LONG-}" ] || steps=225000

# What every file's result depends on.
common=$( (find . -name '*.h' -not -path './build/*' | sort | xargs cat
	cat build/gen/protocol/rpc/*.h .clang-tidy tests/lint/tidy.sh
	echo "$steps") | sha256sum | cut -c 1-64)

# The sources whose present contents have not yet been found clean.
to_read() {
	find $ours -name '*.c' | sort | while read -r file; do
		key=$( (echo "$common $file" && cat "$file") | sha256sum | cut -c 1-64)
		[ -e "$cache/$key" ] || echo "$file $cache/$key"
	done
}
found_by_tidy() {
	to_read | xargs -r -P "$(nproc)" -L 1 nice sh -c '
		out=$(clang-tidy --quiet "$0" -- -std=gnu17 -D_GNU_SOURCE -I. -Ibuild/gen \
			-isystem /usr/include/libxml2 -DQEMUD_LIBEXECDIR=\"/\" -DQEMUD_SYSCONFDIR=\"/\" \
			-DQEMUD_VERSION=\"0\" -Xclang -analyzer-config -Xclang max-nodes="$steps" \
			2>/dev/null) && [ -z "$out" ] && touch "$1" && exit
		printf "%s\n" "$out"'
}

mkdir -p "$cache"
if command -v clang-tidy >/dev/null; then
	check 'clang-tidy finds nothing' found_by_tidy
else
	skip 'clang-tidy finds nothing' 'clang-tidy is not installed'
fi
tap_end
