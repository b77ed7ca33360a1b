# SPDX-License-Identifier: LGPL-2.1-or-later
"""power.py: rows about virtual machines that start, run and end."""
import glob
import os
import shutil
import statistics
import subprocess
import sys
import time

from servers import SECONDS, as_alice, as_user, cpu_ns, load_done, look, processes

GUESTS = 40
POWER = ("start", "destroy")
VM_FOLDER = "/tmp/vm"
VM = """<domain type='qemu'>
  <name>bench</name>
  <uuid>00000000-0000-4000-8001-000000000000</uuid>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='{disk}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <serial type='pty'/>
  </devices>
</domain>
"""
PAUSE = 0.13  # what one turn leaves behind is not the next one's; a user may start eight a second


class Powered:
    """The same VM on one server, or its QEMU alone on the floor: started and destroyed in turn."""

    def __init__(self, name, process, command):
        self.name, self.process = name, process
        self.child = subprocess.Popen(as_alice(*command), stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        self.seen = {row: {"wall": [], "cpu": [], "qemu": []} for row in POWER}

    def do(self, row):
        """One operation; the figures in nanoseconds."""
        pids = processes(self.process)
        before = cpu_ns(pids)
        self.child.stdin.write(f"{row}\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline()
        qemu = cpu_ns(processes("qemu-system"))
        if not answer:
            sys.exit(f"bench: {self.name}: {row} failed")
        return {"wall": int(answer), "cpu": cpu_ns(pids) - before, "qemu": qemu}

    def turn(self):
        """Start and destroy; the figures are kept."""
        for row in POWER:
            for key, value in self.do(row).items():
                self.seen[row][key].append(value)
        time.sleep(PAUSE)


def prepare_power(servers):
    """A VM on each server; the floor's QEMU gets the command line of qemud's."""
    vms, command = [], None
    os.makedirs(VM_FOLDER, 0o755, exist_ok=True)
    for server in servers[1:]:
        disk, definition = f"{VM_FOLDER}/{server.name}.raw", f"{VM_FOLDER}/{server.name}.xml"
        make_disk(disk)
        with open(definition, "w", encoding="ascii") as file:
            file.write(VM.format(disk=disk))
        vm = Powered(server.name, server.process, ["/srv/out/load", "power", server.socket, definition])
        vm.do("start")
        if server.name == "qemud":
            command = qemud_command()
        vm.do("destroy")
        vms.append(vm)
    os.mkdir(f"{VM_FOLDER}/floor", 0o700)
    os.chown(f"{VM_FOLDER}/floor", 2001, 2001)
    make_disk(f"{VM_FOLDER}/floor.raw")
    floor = Powered("floor", "bare", ["/srv/out/bare", f"{VM_FOLDER}/floor", f"{VM_FOLDER}/floor.raw",
                                      shutil.which(command[0]), *command[1:]])
    return [floor, *vms]


def make_disk(path, uid=2001):
    with open(path, "wb") as file:
        file.write(bytes(1 << 20))
    os.chown(path, uid, uid)


def measure_power(servers, turns, _):
    """{row: {server: {"wall", "cpu" of the server, "qemu": ms; "ratio"}}} of both rows, medians.

    The ratio is that of the wall time to the floor's in the same turn: the machine may be half as
    fast in the next one.
    """
    vms = prepare_power(servers)
    for turn in range(turns):
        if sys.stderr.isatty():
            print(f"\r{POWER} {turn + 1}/{turns} ", end="", file=sys.stderr, flush=True)
        for vm in vms:
            vm.turn()
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    figures = {row: {vm.name: {key: statistics.median(values) / 1e6
                               for key, values in vm.seen[row].items()} for vm in vms}
               for row in POWER}
    for row in POWER:
        for vm in vms:
            pairs = zip(vm.seen[row]["wall"], vms[0].seen[row]["wall"])
            figures[row][vm.name]["ratio"] = statistics.median(own / floor for own, floor in pairs)
    return figures


class Guest:
    """One VM of a server, or a QEMU of the floor's, that runs."""

    def __init__(self, server, number, uid=2001):
        self.server = server
        self.disk = f"{VM_FOLDER}/{server.name}-{number}.raw"
        make_disk(self.disk, uid)
        if server.name == "floor":
            command = self.prepare_bare(number)
        else:
            command = ["/srv/out/load", "power", server.socket, self.define(number)]
        before = set(processes("qemu-system"))
        self.child = subprocess.Popen(as_user(uid, *command), stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        self.say("start")
        self.qemus = set(processes("qemu-system")) - before
        if server.name == "floor":
            self.say("leave")

    def define(self, number):
        """The file with its definition."""
        path = f"{VM_FOLDER}/{self.server.name}-{number}.xml"
        with open(path, "w", encoding="ascii") as file:
            file.write(VM.format(disk=self.disk).replace("bench<", f"guest{number}<")
                       .replace("8001-000000000000", f"8002-{number:012}"))
        return path

    def prepare_bare(self, number):
        self.folder = f"{VM_FOLDER}/floor-{number}"
        os.mkdir(self.folder, 0o700)
        os.chown(self.folder, 2001, 2001)
        command = qemud_command()
        return ["/srv/out/bare", self.folder, self.disk, shutil.which(command[0]), *command[1:]]

    def say(self, word):
        """One line, and its answer."""
        self.child.stdin.write(f"{word}\n")
        self.child.stdin.flush()
        if not self.child.stdout.readline():
            sys.exit(f"bench: {self.server.name}: {word} failed")


def qemud_command():
    """The command line of a QEMU of qemud's that runs."""
    with open(f"/proc/{processes('qemu-system')[0]}/cmdline", encoding="utf-8") as file:
        return file.read().split("\0")[:-1]


def start_guests(servers):
    """GUESTS VMs on each server, which run when this returns; {server: [Guest]}."""
    guests = {server.name: [] for server in servers}
    os.makedirs(VM_FOLDER, exist_ok=True)
    for number in range(GUESTS):
        # The floor has its command line from qemud's.
        for server in sorted(servers, key=lambda server: server.name != "qemud"):
            guests[server.name].append(Guest(server, number))
        time.sleep(PAUSE)
    return guests


def wait_idle():
    """Until the guests have found that there is nothing to boot."""
    while True:
        before = cpu_ns(processes("qemu-system"))
        time.sleep(1)
        if cpu_ns(processes("qemu-system")) - before < 1e9:
            return


def ask_stats(server, guests):
    """One turn: (milliseconds, of the server's CPU, of its QEMUs' CPU) for all guests once."""
    qemus = [pid for guest in guests for pid in guest.qemus]
    before = cpu_ns(qemus)
    if server.name == "floor":
        monitors = [min(glob.glob(f"{guest.folder}/socket*")) for guest in guests]
        operations, seconds, cpu = load_done(as_alice("/srv/out/load", "ask", SECONDS, *monitors))
    else:
        operations, seconds, cpu = look(server, 2001, "stats", "1", str(GUESTS))
    return tuple(value / operations for value in
                 (seconds * 1e3, cpu / 1e6, (cpu_ns(qemus) - before) / 1e6))


def measure_guests(servers, guests, turns):
    """{server: {"wall", "cpu" of the server, "qemu": ms a call; "ratio"}}, medians.

    The ratio is that of the wall time to the floor's in the same turn.
    """
    seen = {server.name: [] for server in servers}
    for _ in range(turns):
        for server in servers:
            seen[server.name].append(ask_stats(server, guests[server.name]))
    figures = {}
    for name, values in seen.items():
        wall, cpu, qemu = (statistics.median(column) for column in zip(*values))
        figures[name] = {"wall": wall, "cpu": cpu, "qemu": qemu}
        if "floor" in seen:
            figures[name]["ratio"] = statistics.median(
                own[0] / floor[0] for own, floor in zip(values, seen["floor"]))
    return figures


def measure_stats(servers, turns, rows):
    """{row: figures} of these rows, which are about the same guests."""
    guests, results = start_guests(servers), {}
    wait_idle()
    if "stats" in rows:
        results["stats"] = measure_guests(servers, guests, turns)
    if "paused" in rows:
        for guest in (guest for server in servers[1:] for guest in guests[server.name]):
            guest.say("suspend")
        results["paused"] = measure_guests(servers[1:], guests, turns)
    for guest in (guest for server in servers for guest in guests[server.name]):
        guest.child.communicate("destroy\n")
    return results
