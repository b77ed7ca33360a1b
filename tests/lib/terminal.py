# SPDX-License-Identifier: LGPL-2.1-or-later
"""terminal.py: terminals as people have them: for any program, and stock virsh's for a guest's serial console."""
import os
import pty
import re
import select
import subprocess
import time

import host
from tap import PATIENCE_S


def run(*command, **environment):
    """What a program writes on a terminal of its own, with these variables besides (None: without), and its status."""
    variables = {key: value for key, value in {**os.environ, **environment}.items() if value is not None}
    master, slave = pty.openpty()
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=variables,
                          start_new_session=True) as child:
        os.close(slave)
        said = b""
        while data := _read(master):
            said += data
        status = child.wait(PATIENCE_S)
    os.close(master)
    return said.decode(errors="replace").replace("\r\n", "\n"), status


def _read(master):
    """Nothing when the other side is closed, which is said by an error."""
    try:
        return os.read(master, 65536)
    except OSError:
        return b""


class Console:
    """`virsh console` on a terminal of its own."""

    def __init__(self, user, name, *options, uri=host.URI):
        self.master, slave = pty.openpty()
        # pylint: disable-next=consider-using-with
        self.child = subprocess.Popen(
            host.command_as(user, "virsh", "-c", uri, "console", name, *options),
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

    def wait(self, pattern, at=0):
        """Until it has said that, from there on."""
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(pattern, self.said[at:]):
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

    def run(self, command):
        """What a shell of the guest (guest.sh, guest=echo) prints, and its exit status."""
        at = len(self.said)
        self.say(f"sh echo begin; {command}; echo done $?")
        self.wait(r"guest: done \d+", at)
        lines = re.findall(r"^guest: (.*)$", re.sub(r"\r", "", self.said[at:]), re.MULTILINE)
        lines = lines[lines.index("begin") + 1:]
        return "\n".join(lines[:-1]), int(lines[-1].split()[1])
