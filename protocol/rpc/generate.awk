# SPDX-License-Identifier: LGPL-2.1-or-later
#
# generate.awk: from types.tsv and procedures.tsv to C, in POSIX awk.
#
#   awk -f generate.awk -v part=PART types.tsv procedures.tsv
#
# part types     types.h: a struct for every type, for arguments and results; procedure numbers
# part handlers  handlers.h: the prototype that the handler of each procedure has
# part tables    tables.c: the shapes, the typed calls to handlers, the procedures
#
# A row that is not understood (an unknown type, verb, stream, a number out of order...) is told
# with its file and line, and the status is 1: such a build makes no table.

function fail(what)
{
	if (!failed)
		print FILENAME ":" FNR ": " what > "/dev/stderr"
	failed = 1
	exit 1
}

BEGIN {
	FS = "\t"
	# Scalars: C type, kind, bytes on the wire.
	scalar("i32", "int32_t", "RPC_KIND_32", 4)
	scalar("u32", "uint32_t", "RPC_KIND_32", 4)
	scalar("auth_type", "uint32_t", "RPC_KIND_32", 4)
	scalar("i64", "int64_t", "RPC_KIND_64", 8)
	scalar("u64", "uint64_t", "RPC_KIND_64", 8)
	scalar("char4", "int8_t", "RPC_KIND_CHAR", 4)
	scalar("uchar4", "uint8_t", "RPC_KIND_UCHAR", 4)
	scalar("ushort4", "uint16_t", "RPC_KIND_USHORT", 4)
	scalar("string", "char *", "RPC_KIND_STRING", 4)

	verb["any"] = "0"
	verb["view"] = "VERB_VIEW"
	verb["console"] = "VERB_CONSOLE"
	verb["power"] = "VERB_POWER"
	verb["manage"] = "VERB_MANAGE"
	verb["event"] = "0"

	direction["-"] = "RPC_DIRECTION_NONE"
	direction["in"] = "RPC_DIRECTION_IN"
	direction["out"] = "RPC_DIRECTION_OUT"
	direction["both"] = "RPC_DIRECTION_BOTH"

	program["remote"] = "RPC_PROGRAM_REMOTE"
	program["qemu"] = "RPC_PROGRAM_QEMU"
	N_COLUMNS_TYPES = 2
	N_COLUMNS_PROCEDURES = 10
}

function scalar(name, c, kind, bytes)
{
	c_type[name] = c
	kind_of[name] = kind
	bytes_of[name] = bytes
}

/^#/ { next }

# --- types.tsv: name, fields -------------------------------------------------------------------

NR == FNR {
	if (NF != N_COLUMNS_TYPES)
		fail("a type has " N_COLUMNS_TYPES " columns, this has " NF)
	if ($1 !~ /^[a-z][a-z0-9_]*$/ || ($1 in c_type) || ($1 in shape_of_type))
		fail("\"" $1 "\" is no name for a type, or already one")
	id = shape($2, "struct rpc_" $1) # first: a type must not find itself
	shape_of_type[$1] = id
	structs = structs c_struct("rpc_" $1, $2)
	type_ids = type_ids "\tRPC_SHAPE_" toupper($1) " = " id ",\n"
	next
}

# --- procedures.tsv: program, number, name, args, ret, verb, verb_if, stream, fds, api -----------

{
	if (NF != N_COLUMNS_PROCEDURES)
		fail("a procedure has " N_COLUMNS_PROCEDURES " columns, this has " NF)
	if (!($1 in program))
		fail("unknown program \"" $1 "\"")
	if ($2 != ++n_procedures[$1])
		fail("number " $2 " where " n_procedures[$1] " is next")
	if ($3 !~ /^[a-z][a-z0-9_]*$/ || $3 in procedure_named)
		fail("\"" $3 "\" is no name for a procedure, or already one")
	procedure_named[$3] = 1
	if (!($6 in verb))
		fail("unknown verb \"" $6 "\"")
	if (!($8 in direction))
		fail("unknown stream \"" $8 "\"")
	if ($10 == "-" && $6 != "any" && $6 != "event")
		fail("a procedure that may be refused needs the name of its API")
	procedure()
}

function procedure(    is_event, args, ret, struct_args, handler)
{
	is_event = $6 == "event"
	if (is_event && ($5 != "-" || $7 != "-" || $8 != "-" || $9 != "-"))
		fail("an event has a payload and nothing else")
	struct_args = "rpc_" $3 (is_event ? "_msg" : "_args")
	args = ret = "NULL"
	if ($4 != "-") {
		args = "&rpc_shapes[" shape($4, "struct " struct_args) "]"
		structs = structs c_struct(struct_args, $4)
	}
	if ($5 != "-") {
		ret = "&rpc_shapes[" shape($5, "struct rpc_" $3 "_ret") "]"
		structs = structs c_struct("rpc_" $3 "_ret", $5)
	}
	proc_ids[$1] = proc_ids[$1] "\tRPC_PROC_" toupper($3) " = " $2 ",\n"

	if (!is_event) {
		handlers = handlers "int rpc_" $3 "(struct rpc_call *call" \
			($4 == "-" ? "" : ", const struct " struct_args " *args") \
			($5 == "-" ? "" : ", struct rpc_" $3 "_ret *ret") ");\n"
		calls = calls "CALL(" $3 ($4 == "-" ? "" : ", args") ($5 == "-" ? "" : ", ret") ")\n"
	}

	rows[$1] = rows[$1] "\t{\n" \
		"\t\t.program = " program[$1] ",\n" \
		"\t\t.number = " $2 ",\n" \
		"\t\t.name = \"" $3 "\",\n" \
		"\t\t.api = " ($10 == "-" ? "NULL" : "\"" $10 "\"") ",\n" \
		"\t\t.args = " args ",\n" \
		"\t\t.ret = " ret ",\n" \
		"\t\t.verb = " verb[$6] ",\n" \
		($7 == "-" ? "" : condition($7, $4, struct_args)) \
		"\t\t.direction = " direction[$8] ",\n" \
		($9 == "-" ? "" : descriptors($9)) \
		(is_event ? "\t\t.is_event = true,\n" : \
			"\t\t.call = call_" $3 ",\n\t\t.handler = (void (*)(void))rpc_" $3 ",\n") \
		"\t},\n"
}

# "manage flags & 0x9", "manage source = 1": the extra verb, a u32 of the arguments, how, what.
function condition(text, args, struct_args,    word)
{
	if (split(text, word, " ") != 4 || !(word[1] in verb) || verb[word[1]] == "0" ||
		index(" " args " ", " " word[2] ":u32 ") == 0 ||
		(word[3] != "&" && word[3] != "=") || word[4] !~ /^(0x)?[0-9a-f]+$/)
		fail("unknown condition \"" text "\"")
	return "\t\t.verb_if = " verb[word[1]] ",\n" \
		"\t\t.condition = RPC_CONDITION_" (word[3] == "&" ? "BITS" : "EQUALS") ",\n" \
		"\t\t.condition_offset = offsetof(struct " struct_args ", " word[2] "),\n" \
		"\t\t.condition_value = " word[4] ",\n"
}

# "call:1", "call:n,reply:n": how many descriptors come with which.
function descriptors(text,    part, n, i, c)
{
	n = split(text, part, ",")
	for (i = 1; i <= n; i++) {
		if (part[i] !~ /^(call|reply):[1n]$/)
			fail("unknown descriptors \"" text "\"")
		c = c "\t\t." substr(part[i], 1, index(part[i], ":") - 1) "_fds = RPC_FDS_" \
			(part[i] ~ /1$/ ? "ONE" : "ANY") ",\n"
	}
	return c
}

# --- fields: "name:type name:type" ---------------------------------------------------------------

# Take a field apart into field_name, type (its base), suffix and max (the bound).
function take_field(text,    colon)
{
	colon = index(text, ":")
	field_name = substr(text, 1, colon - 1)
	type = substr(text, colon + 1)
	suffix = ""
	max = 0
	if (field_name !~ /^[A-Za-z][A-Za-z0-9_]*$/)
		fail("\"" text "\" is no field")
	if (match(type, /(\?|\[(<=)?[1-9][0-9]*\])$/)) {
		suffix = substr(type, RSTART)
		type = substr(type, 1, RSTART - 1)
		max = suffix
		gsub(/[^0-9]/, "", max)
		max += 0
		gsub(/[0-9]/, "", suffix)
	}
	if (!(type in c_type) && !(type in shape_of_type) &&
		type != "uuid" && type != "opaque" && type != "typed_value")
		fail("unknown type \"" type "\" of " field_name)
}

function c_struct(name, fields,    text, n, i, c)
{
	n = split(fields, text, " ")
	c = "struct " name " {\n"
	for (i = 1; i <= n; i++) {
		take_field(text[i])
		c = c c_member()
	}
	return c "};\n\n"
}

function c_member(    t, star)
{
	if (type == "uuid")
		return "\tuint8_t " field_name "[16];\n"
	if (type == "typed_value")
		return "\tint32_t type;\n\tunion rpc_typed_value " field_name ";\n"
	t = type == "opaque" ? "uint8_t" : type in c_type ? c_type[type] : "struct rpc_" type
	if (type == "char4" && suffix != "")
		t = "char"
	star = t ~ /\*$/ ? "" : " "
	if (suffix == "[<=]")
		return "\tuint32_t n_" field_name ";\n\t" t star "*" field_name ";\n"
	if (suffix == "[]")
		return "\t" t " " field_name "[" max "];\n"
	if (suffix == "?" && type != "string")
		return "\t" t star "*" field_name ";\n"
	return "\t" t star field_name ";\n"
}

# The number of the shape with these fields; shapes that look the same in C and on the wire are one.
function shape(fields, c_name,    text, n, i, key, list, min, id)
{
	n = split(fields, text, " ")
	if (n == 0)
		fail("no fields")
	for (i = 1; i <= n; i++) {
		take_field(text[i])
		key = key type suffix max " "
		list = list c_field(c_name)
		min += min_bytes
	}
	if (!(key in shape_numbered)) {
		id = n_shapes + 0
		shape_numbered[key] = n_shapes++
		field_lists = field_lists "static const struct rpc_field fields_" id "[] = {\n" \
			list "};\n\n"
		shapes = shapes "\t{fields_" id ", " n ", sizeof(" c_name "), " min "},\n"
		min_of_shape[id] = min
	}
	return shape_numbered[key]
}

# One struct rpc_field; sets min_bytes.
function c_field(c_name,    kind, element, sub_shape, count)
{
	element = sub_shape = count = "0"
	min_bytes = 4
	if (type == "uuid" && suffix == "") {
		kind = "RPC_KIND_UUID"
		min_bytes = 16
	} else if (type == "opaque" && suffix == "[<=]") {
		kind = "RPC_KIND_OPAQUE"
		count = "n_" field_name
	} else if (type == "typed_value" && suffix == "") {
		kind = "RPC_KIND_TYPED_VALUE"
		count = "type"
		min_bytes = 8
	} else if (type == "char4" && suffix == "[<=]") {
		kind = "RPC_KIND_CHARS"
		count = "n_" field_name
	} else if (type == "char4" && suffix == "[]") {
		kind = "RPC_KIND_CHARS_FIXED"
		min_bytes = 4 * max
	} else if (type == "string" && suffix == "?") {
		kind = "RPC_KIND_STRING_OPT"
	} else if (type in c_type && suffix == "") {
		kind = kind_of[type]
		min_bytes = bytes_of[type]
	} else if (suffix == "[<=]" && kind_of[type] ~ /_(32|64|STRING)$/) {
		kind = "RPC_KIND_ARRAY"
		element = kind_of[type]
		count = "n_" field_name
	} else if (type in shape_of_type && suffix != "[]") {
		sub_shape = shape_of_type[type]
		kind = suffix == "" ? "RPC_KIND_STRUCT" : "RPC_KIND_OPTIONAL"
		if (suffix == "") {
			min_bytes = min_of_shape[sub_shape]
		} else if (suffix == "[<=]") {
			kind = "RPC_KIND_ARRAY"
			element = "RPC_KIND_STRUCT"
			count = "n_" field_name
		}
	} else {
		fail("type \"" type "\" of " field_name " does not go with \"" suffix "\"")
	}
	return "\t{" kind ", " element ", " sub_shape ", offsetof(" c_name ", " field_name "), " \
		(count == "0" ? count : "offsetof(" c_name ", " count ")") ", " max "},\n"
}

# --- output --------------------------------------------------------------------------------------

END {
	if (failed)
		exit 1
	print "/* Made by protocol/rpc/generate.awk from types.tsv and procedures.tsv. */"
	if (part == "types")
		print_types()
	else if (part == "handlers")
		print_handlers()
	else
		print_tables()
}

function print_types()
{
	print "#ifndef PROTOCOL_RPC_TYPES_H\n#define PROTOCOL_RPC_TYPES_H\n"
	print "#include <stdint.h>\n\n#include \"protocol/rpc/codec.h\"\n"
	print "enum rpc_shape_id {\n" type_ids "};\n"
	print "enum rpc_proc_remote {\n" proc_ids["remote"] "};\n"
	print "enum rpc_proc_qemu {\n" proc_ids["qemu"] "};\n"
	printf "%s#endif\n", structs
}

function print_handlers()
{
	print "#ifndef PROTOCOL_RPC_HANDLERS_H\n#define PROTOCOL_RPC_HANDLERS_H\n"
	print "#include \"protocol/rpc/types.h\"\n\nstruct rpc_call;\n"
	printf "%s\n#endif\n", handlers
}

function print_tables()
{
	print "#include \"protocol/rpc/procedure.h\"\n"
	print "#include \"protocol/rpc/frame.h\"\n#include \"protocol/rpc/handlers.h\""
	print "#include \"protocol/verb.h\"\n"
	printf "%s", field_lists
	print "const struct rpc_shape rpc_shapes[] = {\n" shapes "};\n"
	print "/* A handler that no object file defines is NULL; none is looked up in a library. */"
	print "#define CALL(name, ...) \\"
	print "\textern __typeof__(rpc_##name) rpc_##name \\"
	print "\t\t__attribute__((weak, visibility(\"hidden\"))); \\"
	print "\tstatic int call_##name(struct rpc_call *call, \\"
	print "\t\t__attribute__((unused)) const void *args, \\"
	print "\t\t__attribute__((unused)) void *ret) \\"
	print "\t{ \\"
	print "\t\treturn rpc_##name(call __VA_OPT__(,) __VA_ARGS__); \\"
	print "\t}\n"
	printf "%s\n", calls
	print "static const struct rpc_procedure remote[] = {\n" rows["remote"] "};\n"
	print "static const struct rpc_procedure qemu[] = {\n" rows["qemu"] "};\n"
	print "const struct rpc_program rpc_programs[RPC_N_PROGRAMS] = {"
	print "\t{RPC_PROGRAM_REMOTE, sizeof(remote) / sizeof(remote[0]), remote},"
	print "\t{RPC_PROGRAM_QEMU, sizeof(qemu) / sizeof(qemu[0]), qemu},"
	print "};"
}
