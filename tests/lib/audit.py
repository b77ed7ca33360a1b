# SPDX-License-Identifier: LGPL-2.1-or-later
"""audit.py: reads the system calls that the broker and the starter made, and says what they
must not have done: read from a client's connection, or touched a path below a user's control.

The logs are those of `strace -y -ff`: one file a process, named by its pid, descriptors shown
with what they are. A process is the broker or the starter from its exec on; a child of the starter
counts as the starter until it has given up uid 0 or become another program.
"""
import os
import re

# What strace has to show for this.
TRACE = ("%file,accept,accept4,read,readv,pread64,preadv,preadv2,recvfrom,recvmsg,recvmmsg,splice,"
         "tee,sendfile,copy_file_range,io_uring_setup,execve,execveat,clone,clone3,fork,vfork,"
         "setuid,setreuid,setresuid")

PRIVILEGED = ("qemud", "qemud-launch")
READS = ("read", "readv", "pread64", "preadv", "preadv2", "recvfrom", "recvmsg", "recvmmsg",
         "splice", "tee", "sendfile", "copy_file_range")
FORKS = ("clone", "clone3", "fork", "vfork")

_CALL = re.compile(r"^(\w+)\((.*)")
_RESULT = re.compile(r"\) += (-?\d+)(<[^>]*>)?")
_SOCKET = re.compile(r"<socket:\[(\d+)\]>")
# A path below a user's folder, or a name below such a folder's descriptor.
_FOLDERS = r"(?:/home|/root|/run/qemud/users/[^/\">]+|/var/lib/qemud/system)"
_USERS = re.compile(rf'["<]{_FOLDERS}/|<{_FOLDERS}>, "[^"]')
_STILL_ROOT = re.compile(r"[(,] ?(0|-1)\b")


class Call:
    def __init__(self, name, text):
        self.name, self.text = name, text
        result = _RESULT.search(text)
        self.result = int(result.group(1)) if result else None
        self.result_text = result.group(2) or "" if result else ""


def _calls(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = _CALL.match(line)
            if match:
                yield Call(match.group(1), line.rstrip("\n"))


def _program(call):
    """What a successful exec turns the process into."""
    names = re.findall(r'["<]([^">]*)[">]', call.text)
    return os.path.basename(next((n for n in names if n), "?"))


class _Reader:
    """Follows all processes of one run from the first on."""

    def __init__(self, prefix):
        folder, base = os.path.split(prefix)
        self.files = {int(n[len(base) + 1:]): f"{folder}/{n}" for n in os.listdir(folder)
                      if n.startswith(base + ".")}
        self.clients = set()
        self.privileged = []  # (program, pid, call)
        children = set()
        for pid, path in self.files.items():
            children.update(c.result for c in _calls(path)
                            if c.name in FORKS and c.result and c.result > 0)
        for pid in sorted(set(self.files) - children):
            self.follow(pid, None)

    def follow(self, pid, program):
        for call in _calls(self.files[pid]):
            if call.name in ("execve", "execveat") and call.result == 0:
                program = _program(call)
                continue
            if call.name in FORKS and call.result and call.result in self.files:
                self.follow(call.result, program)
            if program not in PRIVILEGED:
                continue
            self.privileged.append((program, pid, call))
            if call.name in ("accept", "accept4") and call.result is not None and call.result >= 0:
                self.clients.update(_SOCKET.findall(call.result_text))
            if call.name in ("setuid", "setreuid", "setresuid") and call.result == 0 and \
                    not _STILL_ROOT.search(call.text):
                program = "a child that gave up root"


def read(prefix):
    """Returns (violations, number of accepted connections, programs that were seen)."""
    run = _Reader(prefix)
    violations = []
    for program, pid, call in run.privileged:
        if call.name in READS and any(n in run.clients for n in _SOCKET.findall(call.text)):
            violations.append(f"{program}[{pid}] reads a client's connection: {call.text}")
        elif call.name == "io_uring_setup":
            violations.append(f"{program}[{pid}] could read unseen: {call.text}")
        elif call.name not in READS and _USERS.search(call.text):
            violations.append(f"{program}[{pid}] touches a user's path: {call.text}")
    return violations, len(run.clients), {program for program, _, _ in run.privileged}
