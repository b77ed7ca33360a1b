# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a machine that was created, not defined, outlives worker and broker and is gone when it has
# ended; one that is to end with its connection ends with it, whatever ends that.
# test: timeout=600
import os
import subprocess

import host
import proc
import tap
import vm

broker = host.start_broker(idle_seconds=1)

# Starts it, says so, and holds the connection until its input ends.
_OWNER = """
import libvirt, sys
connection = libvirt.open(sys.argv[1])
if sys.argv[2] == "create":
    connection.createXML(open(sys.argv[3]).read(), libvirt.VIR_DOMAIN_START_AUTODESTROY)
else:
    connection.lookupByName(sys.argv[3]).createWithFlags(libvirt.VIR_DOMAIN_START_AUTODESTROY)
print("ready", flush=True)
sys.stdin.read()
if sys.argv[4:] == ["close"]:
    connection.close()
"""


def kill(process):
    end = proc.End(process)
    os.kill(process.pid, 9)
    end.wait(60)


def write(name, number):
    path = f"/tmp/{name}.xml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(vm.definition(name, number))
    return path


def owner(*args):
    """A client of alice's that owns a machine; its QEMU."""
    # pylint: disable-next=consider-using-with
    child = subprocess.Popen(
        host.command_as("alice", "/usr/bin/python3", "-c", _OWNER, host.URI, *args), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    tap.equal(child.stdout.readline(), "ready\n", "the owner's word")
    return child, vm.qemu("alice")


def end_of(child):
    child.stdin.close()
    child.wait(60)
    child.stdout.close()


@tap.test("virsh create: it runs, is listed as transient, and nothing of it is kept")
def _():
    host.virsh("alice", "create", write("brief", 1))
    tap.true("brief" in host.virsh("alice", "list", "--transient", "--name"), "list --transient")
    tap.equal(os.listdir("/home/alice/.qemud/domains"), [], "definitions")
    tap.equal(vm.state("alice", "brief"), "running (booted)", "state")


@tap.test("it outlives worker and broker")
def _():
    global broker
    qemu, number = vm.qemu("alice"), vm.ids("alice")["brief"]
    host.virsh("alice", "desc", "brief", "--new-desc", "some words")
    kill(host.worker_of("alice"))
    tap.equal(vm.state("alice", "brief"), "running (booted)", "state")
    end = proc.End(host.worker_of("alice"))
    broker.kill()
    end.wait(60)
    broker.leave()
    broker = host.Broker(idle_seconds=1)
    tap.equal(vm.state("alice", "brief"), "running (booted)", "state")
    tap.equal((vm.qemu("alice").pid, vm.ids("alice")["brief"]), (qemu.pid, number), "QEMU and id")
    tap.equal(host.virsh("alice", "desc", "brief"), "some words", "what was set while it ran")
    tap.true("brief" in host.virsh("alice", "list", "--transient", "--name"), "list --transient")
    host.virsh("alice", "destroy", "brief")
    tap.equal((vm.qemus("alice"), vm.leaves()), ([], []), "what is left")
    tap.equal(host.virsh("alice", "list", "--all", "--name").split(), [], "list")


@tap.test("what ends with its connection: closed, dropped, or its client killed")
def _():
    path = write("owned", 2)
    watcher = vm.Watcher("alice")
    for how in ("close", "drop", "kill"):
        child, qemu = owner("create", path, how)
        tap.equal(vm.state("alice", "owned"), "running (booted)", "state")
        end = proc.End(qemu)
        if how == "kill":
            kill(proc.Process(child.pid))
        end_of(child)
        end.wait(60)
    watcher.wait("owned", *["resumed", "started", "stopped destroyed"] * 3)
    watcher.close()
    tap.equal(vm.leaves(), [], "what is left")


@tap.test("with a definition: that stays")
def _():
    vm.define("alice", "kept", 3)
    watcher = vm.Watcher("alice")
    child, qemu = owner("start", "kept", "close")
    end = proc.End(qemu)
    end_of(child)
    end.wait(60)
    watcher.wait("kept", "resumed", "started", "stopped destroyed")
    watcher.close()
    tap.equal(vm.state("alice", "kept"), "shut off (destroyed)", "state")


@tap.test("the worker is killed: the next one ends it, with nobody asking")
def _():
    for _ in range(host.count(full=2, long=20)):
        child, qemu = owner("start", "kept")
        host.virsh("alice", "create", write("brief", 1))
        end = proc.End(qemu)
        kill(host.worker_of("alice"))
        end.wait(60)
        tap.true(vm.state("alice", "kept").startswith("shut off"), "state")
        tap.equal(vm.state("alice", "brief"), "running (booted)", "nobody owns that one")
        host.virsh("alice", "destroy", "brief")
        end_of(child)


@tap.test("the broker is killed: the next one's worker ends it")
def _():
    global broker
    child, qemu = owner("start", "kept")
    worker = proc.End(host.worker_of("alice"))
    end = proc.End(qemu)
    broker.kill()
    worker.wait(60)
    broker.leave()
    broker = host.Broker(idle_seconds=1)
    end.wait(60)
    tap.true(vm.state("alice", "kept").startswith("shut off"), "state")
    tap.equal(vm.leaves(), [], "what is left")
    end_of(child)


host.finish()
