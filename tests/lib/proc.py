# SPDX-License-Identifier: LGPL-2.1-or-later
"""proc.py: what the kernel says of a process, read from /proc, and waiting for its end."""
import contextlib
import os
import select
import subprocess


class Process:
    def __init__(self, pid):
        self.pid = pid

    def _read(self, name):
        with open(f"/proc/{self.pid}/{name}", "rb") as file:
            return file.read()

    @property
    def name(self):
        """The program's file; comm is a number after an exec by descriptor on older kernels."""
        return os.path.basename(os.readlink(f"/proc/{self.pid}/exe"))

    def status(self):
        """The fields of /proc/PID/status."""
        return dict(line.split(":\t", 1) for line in self._read("status").decode().splitlines())

    def ids(self, field):
        """The four uids ("Uid") or gids ("Gid"): real, effective, saved, file system."""
        return [int(n) for n in self.status()[field].split()]

    def groups(self):
        return sorted(int(n) for n in self.status()["Groups"].split())

    def capabilities(self):
        """The five sets, as numbers."""
        status = self.status()
        return {name: int(status["Cap" + name], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")}

    def open_to_its_uid(self):
        """May another process of the same user, with all her power but no SYS_PTRACE, look inside?

        No is what the kernel answers for a process that is not dumpable.
        """
        uid, gid = self.ids("Uid")[1], self.ids("Gid")[1]
        probe = subprocess.run(
            ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups",
             "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace",
             "readlink", f"/proc/{self.pid}/exe"], capture_output=True, check=False)
        return probe.returncode == 0

    def environment(self):
        return sorted(v.decode() for v in self._read("environ").split(b"\0") if v)

    def arguments(self):
        return [v.decode() for v in self._read("cmdline").split(b"\0")[:-1]]

    def descriptors(self):
        """{number: what it is}, as the kernel names it; what is closed meanwhile is not there."""
        folder, ret = f"/proc/{self.pid}/fd", {}
        for number in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                ret[int(number)] = os.readlink(f"{folder}/{number}")
        return ret

    def threads(self):
        """Each as a process of its own; what ends meanwhile is not there."""
        for number in os.listdir(f"/proc/{self.pid}/task"):
            thread = Process(f"{self.pid}/task/{number}")
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                yield number, thread.status()

    def namespace(self, kind):
        return os.readlink(f"/proc/{self.pid}/ns/{kind}")

    def mounts(self):
        """(where, options) of everything that is mounted for it."""
        lines = self._read("mounts").decode().splitlines()
        return [(line.split()[1], line.split()[3].split(",")) for line in lines]

    def limit(self, name):
        for line in self._read("limits").decode().splitlines():
            if line.startswith(name + " "):
                return line[len(name):].split()[0]
        raise KeyError(name)

    def parent(self):
        return Process(int(self.status()["PPid"]))


def find(name, uid=None):
    """All processes that run that program, of that effective uid."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        process = Process(int(entry))
        try:
            if process.name == name and process.status()["State"][0] not in "ZX" and \
                    (uid is None or process.ids("Uid")[1] == uid):
                found.append(process)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def one(name, uid=None):
    found = find(name, uid)
    if len(found) != 1:
        raise AssertionError(f"{len(found)} processes named {name} with uid {uid}")
    return found[0]


class End:
    """Waits for the end of a process: taken while it lives, so that no other can have its pid."""

    def __init__(self, process):
        self.pid = process.pid
        self.fd = os.pidfd_open(process.pid)

    def wait(self, seconds):
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        ended = bool(poll.poll(seconds * 1000))
        if not ended:
            raise AssertionError(f"process {self.pid} still runs after {seconds} s")
        os.close(self.fd)
