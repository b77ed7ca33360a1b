# SPDX-License-Identifier: LGPL-2.1-or-later
#
# landlock.awk: makes the tables of confine/landlock.h from policy/landlock/*.list.
#
#   awk -f confine/landlock.awk policy/landlock/NAME.list... > landlock.c
#
# A line of a list is `ACCESS PATH [optional]  # why`: ACCESS is read, exec, write or device; PATH
# is absolute. Blank lines and lines that begin with # are skipped. Anything else ends the build.

function fail(what)
{
	print FILENAME ":" FNR ": " what > "/dev/stderr"
	failed = 1
	exit 1
}

function finish()
{
	if (name == "")
		return
	print "};"
	print "const struct landlock_list landlock_" name " = {"
	print "\t\"" name "\", sizeof paths_" name " / sizeof paths_" name "[0], paths_" name "};"
}

BEGIN {
	access["read"] = "LANDLOCK_READ"
	access["exec"] = "LANDLOCK_EXEC"
	access["write"] = "LANDLOCK_WRITE"
	access["device"] = "LANDLOCK_DEVICE"
	print "/* Made by confine/landlock.awk from policy/landlock. */"
	print "#include \"confine/landlock.h\""
}

FNR == 1 {
	finish()
	name = FILENAME
	sub(/.*\//, "", name)
	sub(/\.list$/, "", name)
	if (name !~ /^[a-z][a-z0-9_]*$/)
		fail("the file name is not NAME.list")
	print ""
	print "static const struct landlock_path paths_" name "[] = {"
}

/^[ \t]*(#|$)/ { next }

{
	if (!($1 in access))
		fail("unknown access " $1)
	if ($2 !~ /^\/[A-Za-z0-9_.+\/-]*$/)
		fail("not a path: " $2)
	optional = $3 == "optional"
	if ($(3 + optional) != "#" || NF < 4 + optional)
		fail("no reason")
	if (($2) in seen && seen[$2] == name)
		fail("named twice: " $2)
	seen[$2] = name
	print "\t{\"" $2 "\", " access[$1] ", " (optional ? "true" : "false") "},"
}

END {
	if (!failed)
		finish()
}
