# SPDX-License-Identifier: LGPL-2.1-or-later
"""asked.py: the calls that somebody can make about a machine: of every procedure, with its handle wherever
the shapes of the table have room for one, and in the definitions and names beside it."""
import uuid as uuids

import lab
import table
from oracle import LOOKUPS, MAKERS, Machine

# What else a call needs, so that it is asked whose it is.
ARGUMENTS = {"domain_send_key": {"keycodes": [30]}, "domain_get_vcpus": {"maxinfo": 1},
             "domain_get_vcpu_pin_info": {"ncpumaps": 1, "maplen": 1}, "domain_get_block_info": {"path": "vda"},
             "domain_set_vcpus": {"nvcpus": 1}, "domain_set_vcpus_flags": {"nvcpus": 1},
             "domain_rename": {"new_name": "renamed"}, "domain_set_autostart": {"autostart": 1},
             "connect_get_cpu_model_names": {"arch": "x86_64", "need_results": 1},
             "node_get_cells_free_memory": {"maxcells": 1}}
UNKNOWN = {"name": "nobody:canary", "uuid": bytes.fromhex("deadbeef000040008000000000000000"), "id": 99999}


class Object:
    """A handle, right or wrong, and the machine that it is of, if it is one; kind: whose that is, or "wrong"."""

    def __init__(self, what, handle, machine=None, kind=None):
        self.what, self.handle, self.machine, self.kind = what, handle, machine, kind

    def __str__(self):
        return self.what


def objects(side, machines):
    """What she can name: her own, others' and the system's as they are shown, and all of them wrongly."""
    found = []
    for machine in machines:
        what = f"{machine.owner.label}'s {machine.name.rsplit('-', 1)[1]}"
        kind = "own" if machine.owner is side.own else "system" if machine.owner.is_system else "another's"
        found.append(Object(what, side.handle(machine), machine, kind))
        wrong = machine.shown_handle() if machine.owner is side.own else machine.own_handle()
        found.append(Object(f"{what}, by the UUID that it has for others", wrong, machine, "wrong"))
        found.append(Object(f"{what}, by name and id alone", {**machine.own_handle(), "uuid": UNKNOWN["uuid"]},
                            machine, "wrong"))
    return found


UNKNOWN_OBJECT = Object("one that there is not", UNKNOWN)


def _definition(side, thing):
    """Of a machine that she may see, with all that it has, or of one that there is not."""
    seen = side.shown().get(thing.handle["uuid"])
    handle = thing.handle if seen else {**UNKNOWN, "name": "made"}
    if seen:
        text = lab.definition(Machine(seen.owner, seen.name, seen.uuid))
        return text.replace(f"<name>{seen.name}<", f"<name>{handle['name']}<").replace(
            str(uuids.UUID(bytes=seen.uuid)), str(uuids.UUID(bytes=handle["uuid"])))
    return (f"<domain type='qemu'><name>{handle['name']}</name><uuid>{uuids.UUID(bytes=handle['uuid'])}</uuid>"
            "<memory unit='MiB'>32</memory><os><type>hvm</type></os></domain>")


def _fill(fields, thing):
    """All names and UUIDs of whatever kind are those of the thing."""
    values = {}
    for field in fields:
        if field.type == "domain":
            values[field.name] = [thing.handle] if field.counted else thing.handle
        elif field.type in table.TYPES and not field.counted:
            values[field.name] = _fill(table.TYPES[field.type], thing)
        elif field.name in ("name", "uuid") and field.type in ("string", "uuid"):
            values[field.name] = thing.handle[field.name]
    return values


class Asked:
    """One call about one thing; more: what its variant of that number has beside it."""

    # pylint: disable-next=too-many-arguments
    def __init__(self, side, row, thing, more=None, number=0):
        self.side, self.row, self.thing = side, row, thing
        self.key = row.name, number
        self.values = _fill(row.args, thing)
        if row.name in LOOKUPS:
            self.values = {LOOKUPS[row.name]: thing.handle[LOOKUPS[row.name]]}
        self.defined = None
        if row.name in MAKERS:
            field = next((f.name for f in row.args if f.name in ("xml", "xml_desc")), None)
            if field:
                self.values[field] = _definition(side, thing)
                self.defined = side.shown().get(thing.handle["uuid"])
        self.values.update(ARGUMENTS.get(row.name, {}), **(more or {}))
        self.payload = row.encode(self.values)

    def __str__(self):
        return f"{self.row.name} of {self.thing}"


def variants(row):
    """Arguments that ask for all, and those that need another verb."""
    if row.name == "connect_list_all_domains":
        return [{"need_results": 1}]
    if not row.verb_if:
        return [{}]
    _, field, _, number = row.verb_if
    return [{}, {field: number & -number}]
