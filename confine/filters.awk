# SPDX-License-Identifier: LGPL-2.1-or-later
#
# filters.awk: makes the C tables of confine/filter.h from the lists policy/seccomp/*.list.
#
#   awk -f confine/filters.awk -v asan=0 policy/seccomp/asan.list policy/seccomp/worker.list ...
#
# One filter_NAME for each NAME.list. A list is for people to review; a line of it is
#
#   name [ERRNO | N&BITS | N=VALUE]  # function: why
#
# where name is a system call as libseccomp spells it, ERRNO (an upper-case E name) is what it
# answers with instead of being allowed, N&BITS allows it only when its argument number N (from 0)
# has all these bits, N=VALUE only when it is that number (both hexadecimal), function is what in
# this program needs it, and why says what for. Blank lines, and lines that begin with '#', are for the reader. What is not listed kills
# the process. asan.list is no program's: with asan=1 its lines are added to every list that does
# not have the same system call already.
#
# The first line that is not of this form, has no reason, or repeats a system call ends the build.

function fail(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text > "/dev/stderr"
	failed = 1
	exit 1
}

FNR == 1 {
	list = FILENAME
	sub(/.*\//, "", list)
	if (list !~ /^[a-z][a-z0-9_]*\.list$/)
		fail("the file name is not NAME.list")
	sub(/\.list$/, "", list)
	if (list != "asan")
		lists[++n_lists] = list
	n[list] += 0
}

/^[ \t]*$/ || /^#/ { next }

{
	hash = index($0, "#")
	reason = hash ? substr($0, hash + 1) : ""
	if (reason !~ /^ [A-Za-z_][A-Za-z0-9_(), ]*: [^ ]/)
		fail("no reason: write `# function: why` behind it")
	n_words = split(substr($0, 1, hash - 1), word, /[ \t]+/)
	if (n_words > 0 && word[n_words] == "")
		n_words--
	if (word[1] !~ /^[a-z_][a-z0-9_]*$/)
		fail("not the name of a system call")
	if (n_words == 1)
		action = "0, 0, 0, 0"
	else if (n_words == 2 && word[2] ~ /^E[A-Z0-9]+$/)
		action = word[2] ", 0, 0, 0"
	else if (n_words == 2 && word[2] ~ /^[0-5]&0x[0-9a-f]*[1-9a-f][0-9a-f]*$/)
		action = sprintf("0, %s, %s, %s", substr(word[2], 1, 1), substr(word[2], 3), \
			substr(word[2], 3))
	else if (n_words == 2 && word[2] ~ /^[0-5]=0x[0-9a-f]+$/)
		action = sprintf("0, %s, UINT64_MAX, %s", substr(word[2], 1, 1), substr(word[2], 3))
	else
		fail("not `name`, `name ERRNO`, `name N&BITS` or `name N=VALUE`")
	if ((list, word[1]) in seen)
		fail(word[1] " is in this list already")
	seen[list, word[1]] = 1
	rule[list, ++n[list]] = sprintf("{\"%s\", %s}", word[1], action)
	name[list, n[list]] = word[1]
}

END {
	if (failed)
		exit 1
	print "/* Made by confine/filters.awk from policy/seccomp; do not edit. */"
	print "#include \"confine/filter.h\"\n"
	print "#include <errno.h>"
	for (i = 1; i <= n_lists; i++) {
		list = lists[i]
		total = n[list]
		printf "\nstatic const struct filter_rule rules_%s[] = {\n", list
		for (k = 1; k <= n[list]; k++)
			printf "\t%s,\n", rule[list, k]
		for (k = 1; asan && k <= n["asan"]; k++) {
			if ((list, name["asan", k]) in seen)
				continue
			printf "\t%s,\n", rule["asan", k]
			total++
		}
		print "};"
		printf "const struct filter filter_%s = {\"%s\", %d, rules_%s};\n", \
			list, list, total, list
	}
}
