# SPDX-License-Identifier: LGPL-2.1-or-later
"""people.py: calls of somebody about anybody's machines, on connections that stay open.

Who calls about her own machines opens qemu:///session, about another's qemu:///system, where they
are called OWNER:NAME.
"""
import re
import uuid as uuids

import host
import rpc
import vm
from rules import SYSTEM

INACTIVE, SECURE = 2, 1
PAUSED = 1
MODIFY_CONFIG = 2
DENIED, AUTH_FAILED, NO_DOMAIN, INVALID = 29, 45, 42, 55
LOST = 0  # the connection was: nobody knows what came of it

# What can be done: the verb that it takes, and the procedure.
TAKES = {"start": "power", "destroy": "power", "suspend": "power", "resume": "power", "reset": "power",
         "undefine": "manage", "autostart": "manage", "describe": "manage", "rename": "manage",
         "define": "manage", "edit": "manage", "create": "manage", "look": "view"}
NUMBER = {}


def read_table():
    with open("/srv/qemud/protocol/rpc/procedures.tsv", encoding="utf-8") as file:
        for line in file:
            if line.startswith("remote\t"):
                _, number, name, *_ = line.split("\t")
                NUMBER[name] = int(number)


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def is_own(actor, owner):
    return owner == (SYSTEM if actor == "root" else actor)


def shown(actor, owner, name):
    """As a connection of hers names it."""
    return name if is_own(actor, owner) else f"{'system' if owner == SYSTEM else owner}:{name}"


def definition(name, number, memory, vcpus, *more):
    devices = "".join(_device(word) for word in more)
    return vm.definition(name, int(number), devices, memory=int(memory)).replace(
        "<vcpu>1</vcpu>", f"<vcpu>{vcpus}</vcpu>")


def _device(word):
    if word == "lan":
        return "<interface type='user'><model type='virtio'/></interface>"
    return vm.disk(word.removeprefix("disk="))


class Connection:
    def __init__(self, actor, uri, path=rpc.SOCKET):
        self.client = host.client_as(actor, path)
        self.client.socket.settimeout(90)
        try:
            self.call(rpc.AUTH_LIST)
            self.call(rpc.CONNECT_OPEN, rpc.optional(rpc.string(uri)) + rpc.u32(0))
        except Exception:
            self.client.close()
            raise

    def call(self, procedure, payload=b""):
        try:
            reply = self.client.call(procedure, payload)
        except (rpc.Ended, BrokenPipeError) as error:
            raise Refused(LOST, str(error)) from error
        if reply.error:
            raise Refused(reply.error.code, reply.error.message)
        return rpc.Reader(reply.payload)

    def listed(self):
        """{name: UUID} of all that it shows."""
        reader = self.call(rpc.CONNECT_LIST_ALL_DOMAINS, rpc.u32(1) + rpc.u32(0))
        found = {}
        for _ in range(reader.i32()):
            name = reader.string()
            found[name] = str(uuids.UUID(bytes=reader.take(16)))
            reader.take(4)
        return found

    def handle(self, name):
        return self.call(rpc.DOMAIN_LOOKUP_BY_NAME, rpc.string(name)).data

    def by_uuid(self, uuid):
        return self.call(NUMBER["domain_lookup_by_uuid"], uuids.UUID(uuid).bytes).data

    def is_at_rest(self, number):
        """Does nothing go on with the machine of that id?"""
        handle = self.call(NUMBER["domain_lookup_by_id"], rpc.u32(int(number))).data
        return self.call(NUMBER["domain_get_control_info"], handle + rpc.u32(0)).i32() == 0

    def destroy(self, handle):
        self.call(rpc.DOMAIN_DESTROY, handle)

    def do(self, what, name, *words):
        """One thing; name is as it is shown here."""
        if what in ("define", "create"):
            xml = rpc.string(definition(name, *words))
            return self.call(rpc.DOMAIN_DEFINE_XML, xml) if what == "define" else \
                self.call(NUMBER["domain_create_xml"], xml + rpc.u32(PAUSED))
        handle = self.handle(name)
        if what == "edit":
            xml = self.call(rpc.DOMAIN_GET_XML_DESC, handle + rpc.u32(INACTIVE | SECURE)).string()
            return self.call(rpc.DOMAIN_DEFINE_XML, rpc.string(edited(xml, *words)))
        procedure, more = {
            "start": ("domain_create_with_flags", rpc.u32(PAUSED)),
            "destroy": ("domain_destroy", b""), "suspend": ("domain_suspend", b""),
            "resume": ("domain_resume", b""), "reset": ("domain_reset", rpc.u32(0)),
            "undefine": ("domain_undefine", b""), "look": ("domain_get_info", b""),
            "autostart": ("domain_set_autostart", rpc.u32(words[:1] == ("1",))),
            "rename": ("domain_rename", rpc.optional(rpc.string("".join(words))) + rpc.u32(0)),
            "describe": ("domain_set_metadata", rpc.u32(0) + rpc.optional(rpc.string("".join(words)))
                         + rpc.optional(None) + rpc.optional(None) + rpc.u32(MODIFY_CONFIG)),
        }[what]
        return self.call(NUMBER[procedure], handle + more)


def edited(xml, memory, vcpus, *more):
    """As somebody changes it in `virsh edit`: sizes, and devices that are taken out or put in."""
    xml = re.sub(r"(<(memory|currentMemory) unit='KiB'>)\d+", rf"\g<1>{int(memory) << 10}", xml)
    xml = re.sub(r"(<vcpu[^>]*>)\d+", rf"\g<1>{vcpus}", xml)
    xml = re.sub(r"\s*<(interface|disk)\b.*?</\1>", "", xml, flags=re.DOTALL)
    return xml.replace("</devices>", "".join(map(_device, more)) + "</devices>")


class People:
    """Their open connections."""

    def __init__(self):
        self.open = {}

    @staticmethod
    def key(actor, owner):
        return actor, f"qemu:///{'session' if is_own(actor, owner) and actor != 'root' else 'system'}"

    def connection(self, actor, owner):
        key = self.key(actor, owner)
        if key not in self.open:
            self.open[key] = Connection(*key)
        return self.open[key]

    def drop(self, actor):
        for key in [key for key in self.open if key[0] == actor]:
            self.open.pop(key).client.close()

    def call(self, actor, owner, what, name, *words):
        """None, or how it was refused. A connection that was lost before the call is made anew."""
        for kept in (self.key(actor, owner) in self.open, False):
            try:
                self.connection(actor, owner).do(what, shown(actor, owner, name), *words)
                return None
            except Refused as refused:
                if refused.code == LOST:
                    self.drop(actor)
                if refused.code != LOST or not kept:
                    return refused
        raise AssertionError("not reached")
