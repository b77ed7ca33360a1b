#!/bin/sh
# Property: each source has the one format of the tree.
# SPDX-License-Identifier: LGPL-2.1-or-later
. tests/lib/tap.sh

badly_formatted() {
	sources | xargs clang-format --dry-run -Werror 2>&1 | sed -n 's/^\([^ :]*\.[ch]\):[0-9]*:.* error: .*/\1/p' | uniq -c
}

if command -v clang-format >/dev/null; then
	check 'clang-format finds nothing to change (make format)' badly_formatted
else
	skip 'clang-format finds nothing to change (make format)' 'clang-format is not installed'
fi
tap_end
