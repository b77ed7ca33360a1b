#!/bin/sh
# Property: cppcheck finds nothing in what programs are made of.
# SPDX-License-Identifier: LGPL-2.1-or-later
# test: slow timeout=900
. tests/lib/tap.sh

# What it gets wrong here: ctuuninitvar and uninitvar take a struct that a function or a list's walk
# fills for one that is read, memleak does not know the cleanup attribute,
# nullPointerRedundantCheck a list's end.
found_by_cppcheck() {
	nice cppcheck --quiet -j "$(nproc)" --cppcheck-build-dir=build/cppcheck --std=c11 \
		--enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingInclude --suppress=missingIncludeSystem --suppress=unmatchedSuppression \
		--suppress=ctuuninitvar --suppress=uninitvar --suppress=memleak \
		--suppress=nullPointerRedundantCheck \
		-D_GNU_SOURCE -D__GNUC__ -D__linux__ -I. -Ibuild/gen \
		--include=build/cppcheck/loops.h \
		lib protocol policy confine broker serve worker view session ctl
}

mkdir -p build/cppcheck
# It reads no system header, and takes the loops of <sys/queue.h> for something else.
cat >build/cppcheck/loops.h <<END
#define LIST_FOREACH(v, h, f) for (v = (h)->lh_first; v; v = v->f.le_next)
#define TAILQ_FOREACH(v, h, f) for (v = (h)->tqh_first; v; v = v->f.tqe_next)
END
if command -v cppcheck >/dev/null; then
	check 'cppcheck finds nothing' found_by_cppcheck
else
	skip 'cppcheck finds nothing' 'cppcheck is not installed'
fi
tap_end
