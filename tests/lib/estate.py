# SPDX-License-Identifier: LGPL-2.1-or-later
"""estate.py: the machines of everybody, as the kernel and the disk have them and not as qemud says.

What runs: the leaves of the ledger, with the note that root wrote on each, and the processes in them.
What is kept: the files in ~/.qemud/domains.
"""
import glob
import json
import os
import re
import stat
import xml.etree.ElementTree

import host
import proc

HOMES = {"alice": "/home/alice", "bob": "/home/bob", "qemud-vm": "/var/lib/qemud/system"}
QEMU = "qemu-system-x86_64"
LEAF = re.compile(r"/u(\d+)/vm-(\d+)-([0-9a-f-]{36})$")


class Machine:
    """One that runs: a leaf in which something lives."""

    def __init__(self, path):
        uid, self.id, self.uuid = LEAF.search(path).groups()
        self.owner = next(name for name, number in host.UID.items() if number == int(uid))
        self.key = self.owner, self.id, self.uuid
        with open(f"{path}/cgroup.procs", encoding="ascii") as file:
            self.processes = [proc.Process(int(pid)) for pid in file.read().split()]
        note = os.getxattr(path, "user.qemud.grant").decode()
        self.vcpus, self.memory, self.overhead = (int(n) for n in re.findall(r"=(\d+)", note))
        self.qemus = [p for p in self.processes if p.name == QEMU]
        self.lan = False
        with open(f"{path}/cgroup.events", encoding="ascii") as file:
            self.frozen = "frozen 1" in file.read()

    def __repr__(self):
        return f"{self.owner}'s {self.uuid[-2:]} (id {self.id}, {self.vcpus} vcpus, {self.memory >> 10} MiB)"

    def faults(self):
        """What is not as it must be."""
        if len(self.qemus) != 1:
            return [f"{self}: {len(self.qemus)} QEMUs in its leaf"]
        qemu, = self.qemus
        words = qemu.arguments()
        said = {name: words[words.index(name) + 1] for name in ("-uuid", "-m", "-smp", "-name")}
        self.name = re.match(r"guest=([^,]*)", said["-name"])[1]
        nets = [json.loads(words[i + 1]) for i, word in enumerate(words) if word == "-netdev"]
        self.lan = bool(nets)
        found = []
        if said["-uuid"] != self.uuid:
            found.append(f"{self}: its QEMU has UUID {said['-uuid']}")
        if int(said["-smp"].split(",")[0]) != self.vcpus or int(said["-m"]) << 10 != self.memory:
            found.append(f"{self}: its QEMU has {said['-smp']} and {said['-m']}")
        if any(net["type"] != "stream" or net["addr"]["type"] != "fd" for net in nets):
            found.append(f"{self}: its networks are {nets}")
        for process in self.processes:
            if process.ids("Uid") != [host.UID[self.owner]] * 4:
                found.append(f"{self}: {process.name} has uids {process.ids('Uid')}")
        return found + self._files(qemu)

    def _files(self, qemu):
        """Open files that are not the owner's, nor to be read by all."""
        found = []
        for number, path in qemu.descriptors().items():
            where = f"/proc/{qemu.pid}/fd/{number}"
            if not path.startswith("/") or path.startswith(("/dev/", "/memfd:")):
                continue
            status = os.stat(where)
            with open(f"/proc/{qemu.pid}/fdinfo/{number}", encoding="ascii") as file:
                flags = int(re.search(r"flags:\s*(\d+)", file.read())[1], 8)
            public = status.st_uid == 0 and status.st_mode & stat.S_IROTH and not flags & os.O_ACCMODE
            if status.st_uid != host.UID[self.owner] and not public:
                found.append(f"{self}: its QEMU has {path} open, of uid {status.st_uid}")
        return found


class Definition:
    """What stands in a file."""

    def __init__(self, text):
        root = xml.etree.ElementTree.fromstring(text)
        if root.tag != "domain":
            raise ValueError(root.tag)
        self.name, self.uuid = root.findtext("name"), root.findtext("uuid")
        unit = root.find("memory").get("unit", "KiB")
        self.memory = int(root.findtext("memory")) * {"KiB": 1, "MiB": 1 << 10, "GiB": 1 << 20}[unit]
        self.vcpus = int(root.findtext("vcpu"))
        self.lan = root.find("devices/interface") is not None
        self.disks = [source.get("file") for source in root.iterfind("devices/disk/source")]


def parse(text):
    """A definition; None: it is none."""
    try:
        return Definition(text)
    except (xml.etree.ElementTree.ParseError, ValueError, AttributeError, TypeError, KeyError):
        return None


class Estate:
    """All of it, at one moment."""

    def __init__(self):
        paths = [path for path in glob.glob(f"{os.environ['TEST_CGROUP']}/u*/vm-*") if _is_populated(path)]
        self.machines = {machine.key: machine for machine in map(Machine, paths)}
        self.files = {owner: _files(f"{home}/.qemud/domains") for owner, home in HOMES.items()}

    def of(self, owner):
        """What that owner has: ids of what runs, and files."""
        return {key for key in self.machines if key[0] == owner}, self.files[owner]

    def definitions(self, owner):
        """{name: Definition} of those files that hold the machine they are called after."""
        found = {name: parse(text) for name, text in self.files[owner].items()}
        return {name: d for name, d in found.items() if d and d.name == name}

    def runs(self, owner, uuid):
        return any(machine.owner == owner and machine.uuid == uuid for machine in self.machines.values())

    def sum(self, owner):
        """{key of a limit: how much of it that owner, or "host", has}"""
        mine = [m for m in self.machines.values() if owner in ("host", m.owner)]
        memory = sum(m.memory + (m.overhead if owner == "host" else 0) for m in mine)
        return {"vms": len(mine), "vcpus": sum(m.vcpus for m in mine), "memory": memory}


def _is_populated(path):
    try:
        with open(f"{path}/cgroup.events", encoding="ascii") as file:
            return "populated 1" in file.read()
    except (FileNotFoundError, OSError):
        return False


def _files(folder):
    found = {}
    for path in glob.glob(f"{folder}/*.xml"):
        with open(path, encoding="utf-8", errors="replace") as file:
            found[os.path.basename(path).removesuffix(".xml")] = file.read()
    return found
