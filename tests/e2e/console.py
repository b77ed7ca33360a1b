# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: stock virsh talks with a real Linux guest over its serial console, one client at a time,
# also after the worker was killed; what the guest says is kept.
# test: timeout=600 guest untraced
import os

import host
import proc
import tap
import vm
from terminal import Console

KERNEL, INITRD = "/srv/qemud/guest/vmlinuz", "/srv/qemud/guest/initrd"
LOG = "/home/alice/.qemud/log/linux.console"


def kill(process):
    end = proc.End(process)
    os.kill(process.pid, 9)
    end.wait(60)


def talks(console, word):
    console.say(word)
    console.wait(f"guest: {word}")


broker = host.start_broker(idle_seconds=600)
vm.define("alice", "linux", 1, memory=256, os_more=f"<kernel>{KERNEL}</kernel><initrd>{INITRD}</initrd>"
          "<cmdline>console=ttyS0 quiet no_timer_check guest=echo</cmdline>")


@tap.test("a real guest boots, and its console is read and written with virsh")
def _():
    host.virsh("alice", "start", "linux", "--paused")
    console = Console("alice", "linux")
    console.wait("Connected to domain 'linux'")
    host.virsh("alice", "resume", "linux")
    console.wait(r"guest: up \d+\.\d+")
    talks(console, "hello")
    console.leave()
    tap.true(vm.state("alice", "linux").startswith("running"), "state")


@tap.test("one client at a time; with --force the next one has it, and the one before is told")
def _():
    first = Console("alice", "linux").greet()
    talks(first, "one")
    second = Console("alice", "linux")
    second.wait("Active console session exists for this domain")
    second.end()
    third = Console("alice", "linux", "--force").greet()
    talks(third, "two")
    first.end()
    tap.true("two" not in first.said, f"the first sees no more: {first.said}")
    third.leave()


@tap.test("nobody else has it, and not by the read-only socket")
def _():
    other = Console("bob", "linux")
    other.wait("failed to get domain")
    other.end()
    said = host.virsh_fails("alice", "console", "linux", uri=host.URI_RO, options=("-r",))
    tap.true("read" in said.lower() or "tty" in said.lower(), said)


@tap.test("the worker is killed under an open console: the guest goes on, and a new one talks on")
def _():
    console = Console("alice", "linux").greet()
    talks(console, "before")
    qemu = vm.qemu("alice")
    kill(host.worker_of("alice"))
    # virsh notices the end of its connection when it next uses it.
    console.leave()
    console = Console("alice", "linux").greet()
    talks(console, "after")
    tap.equal(vm.qemu("alice").pid, qemu.pid, "QEMU")
    console.leave()


@tap.test("the broker is killed under an open console: the same")
def _():
    global broker
    console = Console("alice", "linux").greet()
    talks(console, "broker")
    ends = [proc.End(host.worker_of("alice"))]
    broker.kill()
    console.end()
    for end in ends:
        end.wait(60)
    broker.leave()
    broker = host.Broker(idle_seconds=600)
    console = Console("alice", "linux").greet()
    talks(console, "again")
    console.leave()


@tap.test("the guest shuts down: clients hear of it, the console ends, all is kept in the logs")
def _():
    watcher = vm.Watcher("alice")
    console = Console("alice", "linux").greet()
    console.say("off")
    console.wait("guest: off")
    console.end()
    watcher.wait("linux", "shutdown guest", "stopped shutdown")
    watcher.close()
    tap.equal(vm.state("alice", "linux"), "shut off (shutdown)", "state")
    with open(LOG, encoding="utf-8", errors="replace") as file:
        text = file.read()
    for word in ("up ", "hello", "two", "before", "after", "again", "off"):
        tap.true(f"guest: {word}" in text, f"{word!r} in {LOG}")
    tap.equal(os.stat(LOG).st_mode & 0o7777, 0o600, "mode of the log")


@tap.test("a client that does not read its console stops neither guest nor others")
def _():
    host.virsh("alice", "start", "linux")
    console = Console("alice", "linux")
    console.wait(r"guest: up ")
    os.kill(console.child.pid, 19)
    host.virsh("alice", "suspend", "linux")
    host.virsh("alice", "resume", "linux")
    os.kill(console.child.pid, 18)
    talks(console, "still")
    host.virsh("alice", "destroy", "linux")
    console.end()
    tap.equal(vm.state("alice", "linux"), "shut off (destroyed)", "state")


host.finish()
