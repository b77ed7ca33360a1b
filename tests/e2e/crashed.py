# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a guest that panics is told and shown as libvirtd does it, and what <on_crash> says becomes
# of it, also when its worker is not there.
# test: timeout=480 once
import os
import re
import signal
import socket
import time

import host
import libvirtd
import proc
import tap
import vm

# A boot sector: says R on its serial port; at each byte that it hears there it says P, and panics.
BOOT = bytes.fromhex("baf803 b052 ee fb f4 bafd03 ec a801 74f6 baf803 ec b050 ee ba0505 b001 ee ebe7")
PATIENCE_S = 120
ENDS = {"destroy": ["shut off (crashed)"], "restart": ["running (crashed)"], "preserve": ["crashed (panicked)"]}
broker = host.start_broker(idle_seconds=600)
vm.WORDS |= {"5 2": "stopped crashed", "8 0": "crashed"}
NUMBERS = {}


class Guest:
    """One with that action at a crash, that of the daemon at uri."""

    def __init__(self, name, action, uri=host.URI):
        self.name, self.uri = name, uri
        NUMBERS[name] = len(NUMBERS) + 1
        disk = vm.make_file("alice", f"{name}.disk")
        with open(disk, "r+b") as file:
            file.write(BOOT.ljust(510, b"\0") + b"\x55\xaa")
        with open(f"/tmp/{name}.xml", "w", encoding="utf-8") as file:
            file.write(f"""<domain type='qemu'><name>{name}</name><uuid>{vm.uuid(NUMBERS[name])}</uuid>
                <memory unit='MiB'>32</memory><os><type machine='q35'>hvm</type></os><features><acpi/></features>
                <on_crash>{action}</on_crash><devices><serial type='unix'><source mode='bind' path='/home/alice/{name}'/>
                </serial><panic model='isa'/>{vm.disk(disk)}<memballoon model='none'/></devices></domain>""")
        self.virsh("define", f"/tmp/{name}.xml")
        self.virsh("start", name)
        self.line = socket.socket(socket.AF_UNIX)
        self.line.settimeout(PATIENCE_S)
        self.line.connect(f"/home/alice/{name}")
        self.boots()

    def virsh(self, *words):
        return host.virsh("alice", *words, uri=self.uri)

    def boots(self):
        tap.equal(self.line.recv(1), b"R", "what the guest says when it has booted")

    def panics(self):
        self.line.send(b"!")
        tap.equal(self.line.recv(1), b"P", "what the guest says when it panics")

    def wait(self, *wanted):
        deadline = time.monotonic() + PATIENCE_S
        while vm.state("alice", self.name, self.uri) not in wanted:
            tap.true(time.monotonic() < deadline, f"{wanted}; it is {vm.state('alice', self.name, self.uri)}")
            time.sleep(0.05)

    def end(self):
        self.line.close()
        if not self.virsh("domstate", self.name).startswith("shut off"):
            self.virsh("destroy", self.name)
        self.virsh("undefine", self.name)


@tap.test("a guest panics: the machine ends, is restarted or kept, and who listens is told")
def _():
    watcher = vm.Watcher("alice")
    for action, state in ENDS.items():
        guest = Guest(action, action)
        guest.panics()
        guest.wait(*state)
        if action == "restart":
            guest.boots()
        watcher.wait(action, "defined", "resumed", "started", "crashed",
                     *{"destroy": ["stopped crashed"], "restart": ["resumed"], "preserve": []}[action])
        guest.end()
    watcher.close()


@tap.test("a machine that is kept is seen, reset, resumed and ended as with libvirtd")
def _():
    said = {}
    daemons = {"ours": host.URI}
    if libvirtd.PROGRAM:
        libvirtd.start()
        daemons["theirs"] = libvirtd.URI
    for whose, uri in daemons.items():
        guest = Guest("kept", "preserve", uri)
        said[whose] = []
        for words in ("!", "list --state-other", "suspend", "resume", "!", "shutdown", "reset", "resume", "R", "!", "destroy"):
            if words == "R":
                guest.boots()
            if words == "!":
                guest.panics()
                guest.wait("crashed (panicked)")
            if words in "R!":
                continue
            name = [] if words.startswith("list") else ["kept"]
            result = host.run_as("alice", "virsh", "-c", uri, *words.split(), *name)
            text = re.sub(r"^ \d+", " ID", result.stdout + result.stderr, flags=re.MULTILINE)
            said[whose] += [words, result.returncode, text, vm.state("alice", "kept", uri)]
        guest.end()
    tap.equal(said["ours"], said.get("theirs", said["ours"]), "what virsh says")
    tap.true("crashed (panicked)" in said["ours"] and "paused (crashed)" in said["ours"], str(said["ours"]))


@tap.test("a guest panics while no worker is there, and the next one does what is to be done")
def _():
    for action, state in ENDS.items():
        guest = Guest(f"alone-{action}", action)
        worker = host.worker_of("alice")
        # It hears of nothing, and is gone before it could.
        os.kill(worker.pid, signal.SIGSTOP)
        guest.panics()
        end = proc.End(worker)
        os.kill(worker.pid, signal.SIGKILL)
        end.wait(60)
        guest.wait(*state, *(["shut off (unknown)"] if action == "destroy" else []))
        if action == "restart":
            guest.boots()
        guest.end()


host.finish()
