# SPDX-License-Identifier: LGPL-2.1-or-later
"""tracer.py: strace on one running process: it stops behind a chosen system call, or that call fails.

What a process changes outside itself it changes by system calls: between two of those it can be
stopped anywhere, and nobody sees a difference. So these are the steps at which something is killed.
"""
import re
import subprocess

import host
import tap

# By these something outside the process is changed, or told.
EFFECTS = ("sendmsg,sendto,write,writev,connect,bind,listen,openat,renameat,renameat2,unlinkat,linkat,"
           "mkdirat,fsync,fdatasync,fchmod,ftruncate,memfd_create,shutdown,clone3,mount,umount2,"
           "pidfd_send_signal,dup3,close_range,execveat,setresuid,prctl,seccomp")


class Tracer:
    number = 0

    def __init__(self, process, calls, inject=None, children=False):
        """inject: what strace's inject= says behind the calls, such as "error=EIO:when=3"."""
        Tracer.number += 1
        self.pid = process.pid
        shown = calls + ",execve" if children else calls
        command = ["strace", "-p", str(process.pid), "-e", "trace=" + shown, "-e", "signal=SIGSTOP"]
        if children:
            command.append("-f")
        if inject:
            command += ["-e", f"inject={calls}:{inject}"]
        # pylint: disable-next=consider-using-with
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, text=True, errors="replace")
        self.log = host.Log(self.child.stderr, f"{host.OUT}/tracer.{Tracer.number}")
        self.log.wait("attached$")

    def calls(self):
        """The calls so far, in order, each as strace names it."""
        return [line for line in map(self._name, self.log.lines) if line]

    def calls_by_thread(self):
        """{its number: its calls}"""
        found = {}
        for line in self.log.lines:
            if self._name(line):
                found.setdefault(self._thread(line), []).append(self._name(line))
        return found

    def _thread(self, line):
        found = re.match(r"\[pid +(\d+)\]", line)
        return int(found.group(1)) if found else self.pid

    @staticmethod
    def _name(line):
        found = re.match(r"(?:\[pid +\d+\] )?(\w+)\(", line)
        return found.group(1) if found else None

    def was_injected(self):
        """Has a call failed as it was to, or somebody been killed behind it?"""
        return bool(self.log.find(r"\(INJECTED\)|killed by SIGKILL|= \?$"))

    def injected_elsewhere(self, ours):
        """Processes in which a call has failed when they were no programs of ours any more.

        ours: those that begin as ours. Who is none of them is a thread of somebody else's."""
        ours_no_more, found = set(), set()
        for line in self.log.lines:
            thread = self._thread(line)
            if re.search(r"\bexecve\b.* = 0$", line):
                ours_no_more.add(thread)
            elif "(INJECTED)" in line and thread != self.pid and (thread in ours_no_more or thread not in ours):
                found |= ours_no_more
        return found

    def wait_stopped(self, until):
        """Until it has stopped, or until() is true: it will not come that far. Is it stopped?"""
        def stopped():
            return self.log.find("--- stopped by SIGSTOP") or self.log.ended
        with self.log.changed:
            while not stopped() and not until():
                self.log.changed.wait(0.05)
            return bool(self.log.find("--- stopped by SIGSTOP"))

    def leave(self):
        """Lets go of it; a process that has ended is none any more."""
        if self.child.poll() is None:
            self.child.terminate()
        self.child.wait(20)
        self.log.thread.join(20)
        tap.true(not self.log.thread.is_alive(), "strace has ended")
