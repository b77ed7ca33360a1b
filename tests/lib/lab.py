# SPDX-License-Identifier: LGPL-2.1-or-later
"""lab.py: people with their machines, in which canaries are: words that nobody may hear without a right.

A canary is "canary-KIND-OWNER"; KIND tells which verb over the owner's machines it takes to see it. The
UUIDs of machines, their own and those under which others have them, are canaries as well.
"""
import glob
import os
import re
import signal
import time
import uuid as uuids

import host
import proc
import rpc
import table
import vm
from caller import Caller
from oracle import Machine, Person

POLICY = "/etc/qemud/policy.conf"
PEOPLE = [Person("alice", 2001, ["lab-admins", "students"]), Person("bob", 2002, ["students"]),
          Person("carol", 2003, ["lab-admins", "tas"]), Person("dave", 2004), Person("helper", 2005),
          Person("monitor", 2006), Person("admin", 2007), Person("qemud-vm", 991), Person("root", 0),
          Person("4242", 4242, account=False), Person("100007", 100007, account=False)]
NEW = ("helper", "monitor", "admin")  # whom host.sh does not have
BY_NAME = {who.name: who for who in PEOPLE}
OWNERS = ("alice", "bob", "carol", "qemud-vm")  # of machines that run
# What it takes to see them; the log of a QEMU is its owner's file and nobody else's.
KINDS = {"name": "view", "uuid": "view", "title": "view", "description": "view", "metadata": "view", "path": "view",
         "serial": "view", "cmdline": "view", "passwd": "manage", "console": "console", "log": None}
_WORD = rb"canary-([a-z]+)-(" + b"|".join(who.name.encode() for who in PEOPLE) + rb")(?![a-z])"


def canary(kind, who):
    assert kind in KINDS
    return f"canary-{kind}-{who.name}"


def password(who):
    """A canary of as many letters as a password of VNC may have."""
    return f"pw!{who.uid:05}"


def uuid_of(who, number):
    return uuids.UUID(f"ca9a1277-{who.uid:04x}-4000-8000-{number:012}").bytes


def definition(machine, devices="", os_more="", memory=32):
    who = machine.owner
    return (f"<domain type='qemu'><name>{machine.name}</name><uuid>{uuids.UUID(bytes=machine.uuid)}</uuid>"
            f"<metadata><c:note xmlns:c='urn:canary'>{canary('metadata', who)}</c:note></metadata>"
            f"<title>{canary('title', who)}</title><description>{canary('description', who)}</description>"
            f"<memory unit='MiB'>{memory}</memory><vcpu>1</vcpu><os><type machine='q35'>hvm</type>{os_more}</os>"
            f"<features><acpi/></features><devices>"
            f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk_of(machine)}'/>"
            f"<target dev='vda' bus='virtio'/><serial>{canary('serial', who)}</serial></disk>"
            f"<serial type='pty'/><graphics type='vnc' passwd='{password(who)}'/>{devices}</devices></domain>")


def home_of(who):
    return "/var/lib/qemud/system/.qemud" if who.is_system else f"/home/{who.name}/.qemud"


def disk_of(machine):
    return f"{home_of(machine.owner)}/images/{canary('path', machine.owner)}-{machine.uuid[-1]}.raw"


def make_disk(machine):
    who, path = machine.owner, disk_of(machine)
    for folder in (home_of(who), os.path.dirname(path)):
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
            os.chown(folder, who.uid, who.uid)
    with open(path, "wb") as disk:
        disk.truncate(1 << 20)
    os.chown(path, who.uid, who.uid)


class Canaries:
    """Finds them in bytes."""

    def __init__(self, machines):
        self.known = {password(machine.owner).encode(): ("passwd", machine.owner.name, "") for machine in machines}
        for machine in machines:
            for uuid in (machine.uuid, machine.shown_uuid()):
                self.known[uuid] = self.known[str(uuids.UUID(bytes=uuid)).encode()] = "uuid", machine.owner.name, uuid
        self.pattern = re.compile(b"|".join([_WORD, *map(re.escape, self.known)]), re.DOTALL)

    def find(self, data):
        """{(kind, owner's name, which)}"""
        return {self.known.get(match[0]) or (match[1].decode(), match[2].decode(), "")
                for match in self.pattern.finditer(data)}

    def leaks(self, over, data, sent=b""):
        """What is in the data that takes a right which is not there: over is {owner's name: verbs}. What
        somebody has said herself is no secret to her."""
        found = {one for one in self.find(data) if KINDS[one[0]] not in over.get(one[1], ())}
        return found - self.find(sent) if found else found


# --- accounts ---------------------------------------------------------------------------------


def make_accounts():
    with open("/etc/passwd", "a", encoding="utf-8") as passwd, open("/etc/group", "a", encoding="utf-8") as group:
        for name in NEW:
            uid = BY_NAME[name].uid
            passwd.write(f"{name}:x:{uid}:{uid}:{name}:/home/{name}:/bin/sh\n")
            group.write(f"{name}:x:{uid}:\n")
            os.mkdir(f"/home/{name}", 0o700)
            os.chown(f"/home/{name}", uid, uid)
            host.UID[name], host.GROUPS[name] = uid, [uid]
        group.write("tas:x:2102:carol\n")
    host.GROUPS["carol"].append(2102)


def connect(who, path):
    """A connection as that person, nothing said yet."""
    with host.identity(who.uid, host.GROUPS.get(who.name, [who.uid])):
        return Caller(path)


def write_policy(text):
    os.makedirs(os.path.dirname(POLICY), 0o755, exist_ok=True)
    with open(POLICY + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(POLICY + ".new", POLICY)


# --- the machines -----------------------------------------------------------------------------

PAUSED, SHUTOFF, START_PAUSED = 3, 5, 1


def until(what, missing, seconds=60):
    """Until nothing is missing any more: it says what is."""
    end = time.monotonic() + seconds
    while True:
        found = missing()
        if not found:
            return
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s: {found}")
        time.sleep(0.02)


class Lab:
    """Everybody's machines: of each owner one that runs (paused) and one that does not. The admin, who has
    to manage all by the policy, puts back what a call has changed."""

    def __init__(self):
        self.people = PEOPLE
        self.implemented = set()
        self.machines = []
        self.files = {}   # path: bytes, of all definitions
        self.texts = {}   # name: what a machine that runs is, as the admin reads it
        self.control = None
        for who in map(BY_NAME.get, OWNERS):
            self.machines += [Machine(who, f"{canary('name', who)}-{what}", uuid_of(who, number))
                              for number, what in enumerate(("run", "off"), 1)]
        self.canaries = Canaries(self.machines)

    def runs(self, machine):
        return machine.name.endswith("-run")

    def of(self, who):
        return [machine for machine in self.machines if machine.owner is who]

    def begin(self):
        """Define and start them, with a policy by which everyone manages her own."""
        for who in map(BY_NAME.get, OWNERS):
            with connect(who, rpc.SOCKET).open() as client:
                for machine in self.of(who):
                    make_disk(machine)
                    dom = client.ask("domain_define_xml_flags", xml=definition(machine))["dom"]
                    if self.runs(machine):
                        client.ask("domain_create_with_flags", dom=dom, flags=START_PAUSED)
                if not self.implemented:
                    self._learn(client)
        self.control = connect(BY_NAME["admin"], rpc.SOCKET).open("qemu:///system")
        self.files = self.read_files()
        for machine in self.machines:
            self._take_id(machine)

    def end(self):
        """Nothing of it runs any more."""
        self.control.close()
        for who in map(BY_NAME.get, OWNERS):
            for qemu in proc.find(vm.QEMU, who.uid):
                end = proc.End(qemu)
                os.kill(qemu.pid, signal.SIGKILL)
                end.wait(60)

    def _learn(self, client):
        """What there is: all rights are asked for a call without arguments."""
        rows = [row for row in table.ROWS if row.verb != "event" and row.name != "connect_close"]
        for row, reply in zip(rows, client.ask_many([(row, b"") for row in rows])):
            if not (reply.error and reply.error.message.startswith("unknown procedure")):
                self.implemented.add(row.name)

    def read_files(self, owners=None):
        found = {}
        for who in map(BY_NAME.get, OWNERS) if owners is None else owners:
            for path in glob.glob(f"{home_of(who)}/domains/*") + glob.glob(f"{home_of(who)}/autostart/*"):
                with open(path, "rb") as file:
                    found[path] = file.read()
        return found

    def running(self, owners):
        """The notes of all that run."""
        return {path for who in owners for path in glob.glob(f"/run/qemud/users/{who.uid}/*.vm")}

    def _state(self, machine):
        return self.control.ask("domain_get_state", dom=machine.shown_handle(), flags=0)["state"]

    def _text(self, machine):
        return self.control.ask("domain_get_xml_desc", dom=machine.shown_handle(), flags=0)["xml"]

    def _take_id(self, machine):
        """As it is now, and of what runs all that it is."""
        def unknown():
            try:
                machine.id = self.control.ask("domain_lookup_by_uuid", uuid=machine.shown_uuid())["dom"]["id"]
            except AssertionError as error:
                return error
            return "" if (machine.id > 0) == self.runs(machine) else f"its id is {machine.id}"
        until(f"{machine.name} is known", unknown)
        if self.runs(machine):
            self.texts[machine.name] = self._text(machine)

    def changed(self, owners):
        """What is not as it was, of these owners; None: nothing."""
        files = self.read_files(owners)
        was = {path: text for path, text in self.files.items() if any(path.startswith(home_of(o)) for o in owners)}
        if files != was:
            return [path for path in {**files, **was} if files.get(path) != was.get(path)]
        machines = [m for who in owners for m in self.of(who)]
        if len(self.running(owners)) != sum(map(self.runs, machines)):
            return f"{self.running(owners)} run"
        for machine in machines:
            try:
                state = self._state(machine)
            except AssertionError as error:
                return error
            if state != (PAUSED if self.runs(machine) else SHUTOFF):
                return f"{machine.name} is in state {state}"
            if self.runs(machine) and self._text(machine) != self.texts[machine.name]:
                return f"{machine.name} is another while it runs"
        return None

    def put_back(self, owners):
        """Make it so again. Returns whether anything had to be done."""
        if not self.changed(owners):
            return False
        self._end_strangers(owners)
        for who in owners:
            self._write_back(who)
        for machine in (m for who in owners for m in self.of(who)):
            if self.runs(machine):
                self._end_if_another(machine)
            until(f"{machine.name} is as it was", lambda machine=machine: self._put_back_state(machine))
            self._take_id(machine)

        def strange():
            found = self.changed(owners)
            if found:
                self._end_strangers(owners)
            return found
        until("all is as it was", strange)
        return True

    def _end_strangers(self, owners):
        """What was defined or started in a call."""
        labels = {who.label for who in owners}
        ours = {machine.shown_uuid() for machine in self.machines}
        for dom in self.control.ask("connect_list_all_domains", need_results=1)["domains"]:
            # The admin's own are called as she calls them.
            label = dom["name"].split(":")[0] if ":" in dom["name"] else "admin"
            if dom["uuid"] in ours or label not in labels:
                continue
            for name in ("domain_destroy", "domain_undefine"):
                try:
                    self.control.ask(name, dom=dom)
                except AssertionError:
                    pass

    def _write_back(self, who):
        now = self.read_files([who])
        for path, text in self.files.items():
            if not path.startswith(home_of(who)) or now.get(path) == text:
                continue
            new = f"{os.path.dirname(path)}/.new"
            with open(new, "wb") as file:
                file.write(text)
            os.chown(new, who.uid, who.uid)
            os.chmod(new, 0o600)
            os.rename(new, path)
        for path in set(now) - set(self.files):
            if os.path.exists(path):
                os.unlink(path)

    def _end_if_another(self, machine):
        """One that runs, and has been changed while it does."""
        try:
            if self._state(machine) == PAUSED and self._text(machine) != self.texts[machine.name]:
                self.control.ask("domain_destroy", dom=machine.shown_handle())
        except AssertionError:
            pass  # there is none at the moment

    def _put_back_state(self, machine):
        """A step towards it; what is missing still."""
        dom, want = machine.shown_handle(), PAUSED if self.runs(machine) else SHUTOFF
        try:
            state = self._state(machine)
            if state == want:
                return None
            if state != SHUTOFF:
                self.control.ask("domain_destroy", dom=dom)
            if want == PAUSED:
                self.control.ask("domain_create_with_flags", dom=dom, flags=START_PAUSED)
        except AssertionError as error:
            return error
        return f"it was in state {state}"


WAYS = {"rw": {}, "ro": {"socket": "ro"}, "rw read-only": {"flag": True}, "rw session": {"session": True}}


def open_side(side):
    """The connection that it is, ready to be asked."""
    client = connect(side.who, rpc.SOCKET if side.socket == "rw" else rpc.SOCKET_RO)
    client.open("qemu:///session" if side.session else "qemu:///system", rpc.READ_ONLY if side.flag else 0)
    return client
