#!/bin/sh
# Property: clang-tidy and cppcheck find nothing in what programs are made of.
# SPDX-License-Identifier: LGPL-2.1-or-later
# test: slow timeout=900
#
# shellcheck disable=SC2086 # $ours is a list
#
# A file that was found clean is not read again until it, a header or the configuration changes.
. tests/lib/tap.sh

ours='lib protocol policy confine broker worker view session'
cache=build/tidy
jobs=${JOBS:-$(nproc)}

# What every file's result depends on.
common=$( (find . -name '*.h' -not -path './build/*' | sort | xargs cat
	cat build/gen/protocol/rpc/*.h .clang-tidy tests/lint/tidy.sh) | sha256sum | cut -c 1-64)

# The sources whose present contents have not yet been found clean.
to_read() {
	find $ours -name '*.c' | sort | while read -r file; do
		key=$( (echo "$common $file" && cat "$file") | sha256sum | cut -c 1-64)
		[ -e "$cache/$key" ] || echo "$file $cache/$key"
	done
}
found_by_tidy() {
	to_read | xargs -r -P "$jobs" -L 1 sh -c '
		out=$(clang-tidy --quiet "$0" -- -std=gnu17 -D_GNU_SOURCE -I. -Ibuild/gen \
			-isystem /usr/include/libxml2 -DQEMUD_LIBEXECDIR=\"/\" -DQEMUD_SYSCONFDIR=\"/\" \
			-DQEMUD_VERSION=\"0\" 2>/dev/null) && [ -z "$out" ] && touch "$1" && exit
		printf "%s\n" "$out"'
}
# What it gets wrong here: ctuuninitvar and uninitvar take a struct that a function or a list's walk
# fills for one that is read, memleak does not know the cleanup attribute,
# nullPointerRedundantCheck a list's end.
found_by_cppcheck() {
	cppcheck --quiet -j "$jobs" --cppcheck-build-dir=build/cppcheck --std=c11 \
		--enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingInclude --suppress=missingIncludeSystem --suppress=unmatchedSuppression \
		--suppress=ctuuninitvar --suppress=uninitvar --suppress=memleak \
		--suppress=nullPointerRedundantCheck \
		-D_GNU_SOURCE -D__GNUC__ -D__linux__ -I. -Ibuild/gen \
		$ours
}

mkdir -p "$cache" build/cppcheck
if command -v clang-tidy >/dev/null; then
	check 'clang-tidy finds nothing' found_by_tidy
else
	skip 'clang-tidy finds nothing' 'clang-tidy is not installed'
fi
if command -v cppcheck >/dev/null; then
	check 'cppcheck finds nothing' found_by_cppcheck
else
	skip 'cppcheck finds nothing' 'cppcheck is not installed'
fi
tap_end
