# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: stock virsh talks with a real Linux guest over its serial console, one client at a time,
# also after the worker was killed; what the guest says is kept.
# test: timeout=300 guest
import os
import pty
import re
import select
import subprocess
import time

import host
import proc
import tap
import vm

KERNEL, INITRD = "/srv/qemud/guest/vmlinuz", "/srv/qemud/guest/initrd"
LOG = "/home/alice/.qemud/log/linux.console"
PATIENCE_S = int(os.environ.get("TEST_PATIENCE", "60"))


class Console:
    """`virsh console` on a terminal of its own."""

    def __init__(self, user, name, *options):
        self.master, slave = pty.openpty()
        # pylint: disable-next=consider-using-with
        self.child = subprocess.Popen(
            host.command_as(user, "virsh", "-c", host.URI, "console", name, *options),
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.said = ""

    def read(self, seconds):
        """What comes within that time is added to what was said; False when nothing does."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.said += data.decode(errors="replace")
        return bool(data)

    def wait(self, pattern):
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(pattern, self.said):
            left = deadline - time.monotonic()
            if left <= 0 or not self.read(left):
                raise AssertionError(f"no {pattern!r}; it said {self.said[-500:]!r}")

    def greet(self):
        """Until the guest answers an empty line: virsh drops what was typed before it is ready."""
        self.wait("Escape character is")
        before = self.said.count("guest: ")
        for _ in range(PATIENCE_S):
            self.say("")
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline and self.read(deadline - time.monotonic()):
                if self.said.count("guest: ") > before:
                    return self
        raise AssertionError(f"the guest does not answer; it said {self.said[-500:]!r}")

    def say(self, line):
        os.write(self.master, line.encode() + b"\r")

    def leave(self):
        """As people do: Ctrl-], and virsh ends."""
        os.write(self.master, b"\x1d")
        self.end()

    def end(self):
        status = self.child.wait(PATIENCE_S)
        while self.read(0.1):
            pass
        os.close(self.master)
        return status


def kill(process):
    end = proc.End(process)
    os.kill(process.pid, 9)
    end.wait(10)


def talks(console, word):
    console.say(word)
    console.wait(f"guest: {word}")


broker = host.start_broker(idle_seconds=600)
vm.define("alice", "linux", 1, memory=256, os_more=f"<kernel>{KERNEL}</kernel><initrd>{INITRD}</initrd>"
          "<cmdline>console=ttyS0 quiet guest=echo</cmdline>")


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
        end.wait(10)
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
