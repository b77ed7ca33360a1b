#!/bin/sh
# Property: clang-tidy finds nothing in what programs are made of.
# SPDX-License-Identifier: LGPL-2.1-or-later
# test: slow timeout=900
#
# shellcheck disable=SC2086,SC2046 # $ours is a list, and so is what a file includes
#
# A file that was found clean is not read again until it, a header that it includes (the compiler has
# written down which) or the configuration changes.
# Nearly all of its time goes into the few functions that have more paths than its analyzer will ever
# walk; where it gives up is its own choice (225000) in the long set, and far before that otherwise.
. tests/lib/tap.sh

ours='lib protocol policy confine serve broker ctl worker view session'
cache=build/tidy
export steps=5000
[ -z "${TEST_LONG-}" ] || steps=225000

# What every file's result depends on.
common=$( (cat .clang-tidy tests/lint/tidy.sh
	clang-tidy --version
	echo "$steps") | sha256sum | cut -c 1-64)

# The file and the headers that it includes, by the first rule of what gcc wrote; without that, all.
read_by() {
	if [ -f "build/${1%.c}.d" ]; then
		sed '/[^\\]$/q' "build/${1%.c}.d" | sed 's/^[^:]*://; s/\\$//'
	else
		find . build/gen -name '*.h'
	fi
}
# The sources whose present contents have not yet been found clean.
to_read() {
	find $ours -name '*.c' | sort | while read -r file; do
		key=$( (echo "$common $file" && cat "$file" $(read_by "$file") 2>/dev/null) | sha256sum | cut -c 1-64)
		[ -e "$cache/$key" ] || echo "$file $cache/$key"
	done
}
found_by_tidy() {
	to_read | xargs -r -P "$(nproc)" -L 1 nice sh -c '
		out=$(clang-tidy --quiet "$0" -- -std=gnu17 -D_GNU_SOURCE -I. -Ibuild/gen \
			-isystem /usr/include/libxml2 -DQEMUD_LIBEXECDIR=\"/\" -DQEMUD_SYSCONFDIR=\"/\" \
			-DQEMUD_VERSION=\"0\" -Xclang -analyzer-config -Xclang max-nodes="$steps" \
			2>/dev/null) && [ -z "$out" ] && touch "$1" && exit
		printf "%s\n" "${out:-$0: clang-tidy has failed, and says nothing}"'
}

mkdir -p "$cache"
if command -v clang-tidy >/dev/null; then
	check 'clang-tidy finds nothing' found_by_tidy
else
	skip 'clang-tidy finds nothing' 'clang-tidy is not installed'
fi
tap_end
