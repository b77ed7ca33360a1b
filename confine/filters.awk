# SPDX-License-Identifier: LGPL-2.1-or-later
#
# filters.awk: makes the C tables of confine/filter.h from the lists policy/seccomp/*.list.
#
#   awk -f confine/filters.awk -v asan=0 policy/seccomp/asan.list policy/seccomp/worker.list ...
#
# One filter_NAME for each NAME.list. A list is for people to review; a line of it is
#
#   name [ERRNO | N&BITS | N=VALUE | N&MASK=VALUE]  # function: why
#
# where name is a system call as libseccomp spells it, ERRNO (an upper-case E name) is what it
# answers with instead of being allowed, N&BITS allows it only when its argument number N (from 0)
# has all these bits, N=VALUE only when it is that number, N&MASK=VALUE only when it is that number in
# those bits (all hexadecimal), function is what in this program needs it, and why says what for.
# A call may have a line for each of several such conditions, and one with an ERRNO, which is then the
# answer where none of them holds (the same in all of a list). Blank lines, and lines that begin with '#', are for the reader. What is not listed kills
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
	else if (n_words == 2 && word[2] ~ /^[0-5]&0x[0-9a-f]*[1-9a-f][0-9a-f]*=0x[0-9a-f]+$/) {
		split(word[2], part, /[&=]/)
		action = sprintf("0, %s, %s, %s", part[1], part[2], part[3])
	} else
		fail("not `name`, `name ERRNO`, `name N&BITS`, `name N=VALUE` or `name N&MASK=VALUE`")
	kind = n_words == 1 ? "all" : word[2] ~ /^E/ ? "error" : "some"
	if ((list, word[1], "all") in seen || (list, word[1], word[2]) in seen ||
		((list, word[1], kind) in seen && kind != "some") ||
		(kind == "all" && (list, word[1]) in seen))
		fail(word[1] " is in this list already")
	seen[list, word[1]] = seen[list, word[1], word[2]] = seen[list, word[1], kind] = 1
	if (kind == "error")
		errno[list, word[1]] = word[2]
	rule[list, ++n[list]] = sprintf("{\"%s\", %s}", word[1], action)
	name[list, n[list]] = word[1]
	class[list, n[list]] = kind
}

END {
	if (failed)
		exit 1
	print "/* Made by confine/filters.awk from policy/seccomp; do not edit. */"
	print "#include \"confine/filter.h\"\n"
	print "#include <errno.h>\n#include <stddef.h>"
	for (i = 1; i <= n_lists; i++) {
		list = lists[i]
		answer = ""
		for (k = 1; k <= n[list]; k++)
			if (is_answered(list, name[list, k])) {
				if (answer && answer != errno[list, name[list, k]])
					fail("two answers where no condition holds: " answer " and " \
						errno[list, name[list, k]])
				answer = errno[list, name[list, k]]
			}
		if (answer)
			write_conditions(list, answer)
		write_list(list, answer)
	}
}

# Does some of its lines have a condition, and another one the answer where none holds?
function is_answered(list, call) {
	return ((list, call, "some") in seen) && ((list, call) in errno)
}

function start(list, suffix) {
	printf "\nstatic const struct filter_rule rules_%s%s[] = {\n", list, suffix
	total = 0
	split("", written)
}

function write_rule(text) {
	printf "\t%s,\n", text
	total++
}

# Whole, whatever its arguments are; once.
function write_call(call) {
	if (!(call in written))
		write_rule("{\"" call "\", 0, 0, 0, 0}")
	written[call] = 1
}

function write_asan(list,  k) {
	for (k = 1; asan && k <= n["asan"]; k++)
		if (!((list, name["asan", k]) in seen))
			write_rule(rule["asan", k])
}

# Beneath the list: what it allows, and the conditions; the answer for all else.
function write_conditions(list, answer,  k) {
	start(list, "_some")
	for (k = 1; k <= n[list]; k++)
		if (!is_answered(list, name[list, k]))
			write_call(name[list, k])
		else if (class[list, k] == "some")
			write_rule(rule[list, k])
	write_call("seccomp")
	write_call("prctl")
	write_asan(list)
	print "};"
	printf "static const struct filter filter_%s_some = {\"%s\", %d, rules_%s_some, %s, NULL};\n", \
		list, list, total, list, answer
}

function write_list(list, answer,  k) {
	start(list, "")
	for (k = 1; k <= n[list]; k++)
		if (is_answered(list, name[list, k]))
			write_call(name[list, k])
		else
			write_rule(rule[list, k])
	write_asan(list)
	print "};"
	printf "const struct filter filter_%s = {\"%s\", %d, rules_%s, 0, %s};\n", \
		list, list, total, list, answer ? "&filter_" list "_some" : "NULL"
}
