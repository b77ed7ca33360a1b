# SPDX-License-Identifier: LGPL-2.1-or-later
"""table.py: the table of procedures, and bytes of calls and replies by the shapes that stand in it.

Values are Python's own: a struct is a dictionary, an array a list, what may be absent None.

    row = table.by_name("domain_get_xml_desc")
    payload = row.encode({"dom": {"name": "vm", "uuid": bytes(16), "id": -1}})

What is not named is zero, empty or absent.
"""
import re
import struct

import rpc

FOLDER = "/srv/qemud/protocol/rpc"
PROGRAMS = {"remote": rpc.REMOTE, "qemu": rpc.QEMU}
SCALARS = {"i32": ">i", "u32": ">I", "i64": ">q", "u64": ">Q", "char4": ">i", "uchar4": ">I", "ushort4": ">I",
           "auth_type": ">I"}
# typed_value: by its type, virTypedParameterType.
TYPED = {1: "i32", 2: "u32", 3: "i64", 4: "u64", 5: "f64", 6: "i32", 7: "string"}


class Field:
    """NAME:TYPE, with ? (may be absent), [N] (that many) or [<=N] (up to so many) behind it."""

    def __init__(self, text):
        self.name, self.type, suffix = re.fullmatch(r"(\w+):(\w+)(.*)", text).groups()
        self.optional = suffix == "?"
        self.counted = suffix.startswith("[<=")
        self.fixed = int(suffix[1:-1]) if suffix.startswith("[") and not self.counted else 0


def _rows(name):
    with open(f"{FOLDER}/{name}", encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file if line[0] != "#"]


def _fields(text):
    return [] if text == "-" else [Field(word) for word in text.split(" ")]


TYPES = {name: _fields(fields) for name, fields in _rows("types.tsv")}


# --- bytes ------------------------------------------------------------------------------------


def _encode_one(kind, value):
    if kind in TYPES:
        return encode(TYPES[kind], value or {})
    if kind == "string":
        return rpc.string(value or "")
    if kind == "uuid":
        return value or bytes(16)
    if kind == "typed_value":
        return struct.pack(">Ii", 1, value or 0)
    return struct.pack(SCALARS[kind], value or 0)


def _encode_field(field, value):
    if field.optional:
        return rpc.optional(None if value is None else _encode_one(field.type, value))
    if field.type == "opaque":
        return rpc.string(value or b"")
    if field.counted:
        return rpc.u32(len(value or [])) + b"".join(_encode_one(field.type, one) for one in value or [])
    if field.fixed:
        return b"".join(_encode_one(field.type, one) for one in (value or [0] * field.fixed))
    return _encode_one(field.type, value)


def encode(fields, values):
    return b"".join(_encode_field(field, values.get(field.name)) for field in fields)


def _text(reader):
    data = reader.take(reader.i32())
    reader.take(-len(data) % 4)
    return data


def _decode_one(reader, kind):
    if kind in TYPES:
        return decode(TYPES[kind], reader)
    if kind == "string":
        return _text(reader).decode(errors="surrogateescape")
    if kind == "uuid":
        return reader.take(16)
    if kind == "typed_value":
        kind = TYPED[reader.i32()]
        return struct.unpack(">d", reader.take(8))[0] if kind == "f64" else _decode_one(reader, kind)
    form = SCALARS[kind]
    return struct.unpack(form, reader.take(struct.calcsize(form)))[0]


def _decode_field(reader, field):
    if field.optional:
        return _decode_one(reader, field.type) if reader.i32() else None
    if field.type == "opaque":
        return _text(reader)
    if field.counted:
        return [_decode_one(reader, field.type) for _ in range(reader.i32())]
    if field.fixed:
        return [_decode_one(reader, field.type) for _ in range(field.fixed)]
    return _decode_one(reader, field.type)


def decode(fields, reader):
    return {field.name: _decode_field(reader, field) for field in fields}


def domains(value):
    """All domains that are named in a value, however deep."""
    if isinstance(value, dict):
        if set(value) == {"name", "uuid", "id"}:
            return [value]
        value = list(value.values())
    return [found for one in value for found in domains(one)] if isinstance(value, list) else []


def _slots(fields, wanted, at=()):
    """Paths to what has that type, in what is not an array."""
    for field in fields:
        if field.counted:
            continue
        if field.type == wanted:
            yield (*at, field.name)
        elif field.type in TYPES:
            yield from _slots(TYPES[field.type], wanted, (*at, field.name))


# --- rows -------------------------------------------------------------------------------------


class Row:
    """A procedure."""

    def __init__(self, columns):
        program, number, self.name, args, ret, self.verb, verb_if, self.stream, _, self.api = columns
        self.program, self.number = PROGRAMS[program], int(number)
        self.args, self.ret = _fields(args), _fields(ret)
        # The verb that it takes for some arguments: (verb, field, operator, number).
        words = verb_if.split()
        self.verb_if = (words[0], words[1], words[2], int(words[3], 0)) if len(words) == 4 else None
        # Where a domain is named, and where an array of them.
        self.domain_slots = list(_slots(self.args, "domain"))
        self.domain_arrays = [field.name for field in self.args if field.type == "domain" and field.counted]

    @property
    def names_domain(self):
        return bool(self.domain_slots or self.domain_arrays)

    def encode(self, values):
        return encode(self.args, values)

    def decode_ret(self, payload):
        return decode(self.ret, rpc.Reader(payload))

    def decode_args(self, payload):
        return decode(self.args, rpc.Reader(payload))

    def verbs(self, values):
        """Those that a call with these arguments needs; the row's own first."""
        need = [] if self.verb == "any" else [self.verb]
        if self.verb_if:
            verb, field, operator, number = self.verb_if
            value = values.get(field) or 0
            if value & number if operator == "&" else value == number:
                need.append(verb)
        return need


ROWS = [Row(columns) for columns in _rows("procedures.tsv")]


def by_name(name):
    return next(row for row in ROWS if row.name == name)


def by_number(program, number):
    return next((row for row in ROWS if (row.program, row.number) == (program, number)), None)


def read_error(payload):
    """All fields of a formal error."""
    return decode(TYPES["remote_error"], rpc.Reader(payload))
