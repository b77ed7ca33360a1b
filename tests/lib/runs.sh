# SPDX-License-Identifier: LGPL-2.1-or-later
#
# shellcheck shell=sh
# runs.sh: what became of tests that are no part of `make check`, a line each in tests/RUNS.tsv.
#
# Sourced, in the tree's own folder. What such tests print has, around the TAP of each,
# "== NAME[ on KERNEL]" and "== NAME: status N, N s".

# What is run is what is written down: programs of the tree as it is, before anything else.
runs_begin() {
	make -s all >&2 || return
	runs_commit=$(git rev-parse --short=12 HEAD) || return
	# A plus sign when the tree differs from it.
	git diff --quiet HEAD -- . ':!tests/RUNS.tsv' && [ -z "$(git ls-files --others --exclude-standard)" ] ||
		runs_commit=$runs_commit+
	runs_date=$(date -u +%Y-%m-%dT%H:%MZ)
}

# runs_record OUTPUT: a file with what they have printed.
runs_record() {
	[ -s tests/RUNS.tsv ] ||
		printf 'date (UTC)\tcommit\twhat\tseconds (wall clock)\tresult\n' >tests/RUNS.tsv
	awk -v date="$runs_date" -v commit="$runs_commit" '
		function record(seconds, status) {
			result = passed " passed" (failed ? ", " failed " failed" : "") \
				(skipped ? ", " skipped " skipped" : "")
			if (status != 0 && !failed)
				result = result (status == "" ? ", did not end" : ", status " status)
			printf "%s\t%s\t%s\t%s\t%s\n", date, commit, what, seconds, result
			what = ""
		}
		{ sub(/\r$/, "") }
		/^== [^ ]+: status [0-9]+, [0-9]+ s$/ { record($5, $4 + 0); next }
		/^== / {
			what = $2 ($3 == "on" ? ", Linux " $4 : "")
			passed = failed = skipped = 0
		}
		/^ok .*# *[Ss][Kk][Ii][Pp]/ || /^1\.\.0 *# *[Ss][Kk][Ii][Pp]/ { skipped++; next }
		/^ok / { passed++ }
		/^not ok / { failed++ }
		END { if (what != "") record("-", "") }' "$1" >>tests/RUNS.tsv
}
