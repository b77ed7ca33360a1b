# SPDX-License-Identifier: LGPL-2.1-or-later
"""host.py: the broker under test, and the people who use it, in the throw-away host of host.sh.

Every broker runs under strace; finish() ends it and lets audit.py judge what it did. Programs with
AddressSanitizer run without (TEST_TRACE=no): under strace its leak detector gives up with an error.
"""
import os
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager

import audit
import proc
import rpc
import tap

OUT = "/srv/out"
UID = {"root": 0, "alice": 2001, "bob": 2002, "carol": 2003, "dave": 2004,
       "qemud-vm": 991, "qemud-view": 992, "qemud-audit": 993}
GROUPS = {"alice": [2001, 2100, 2101], "bob": [2002, 2101], "carol": [2003, 2100], "dave": [2004],
          "qemud-vm": [991], "qemud-view": [992], "qemud-audit": [993]}
URI = f"qemu+unix:///session?socket={rpc.SOCKET}"
URI_RO = f"qemu+unix:///session?socket={rpc.SOCKET_RO}"

TRACED = os.environ.get("TEST_TRACE") != "no"
SANITIZED = os.environ.get("TEST_SANITIZED") == "yes"
LONG = bool(os.environ.get("TEST_LONG"))


def count(full, long):
    """How often, in the full set and in the long one; TEST_N says otherwise."""
    return int(os.environ.get("TEST_N", long if LONG else full))


class Log:
    """Lines as a program writes them; whoever waits for one is woken by it."""

    def __init__(self, stream, path):
        self.lines = []
        self.ended = False
        self.changed = threading.Condition()
        self.stream, self.path = stream, path
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        with open(self.path, "w", encoding="utf-8") as copy:
            for line in self.stream:
                copy.write(line)
                copy.flush()
                with self.changed:
                    self.lines.append(line.rstrip("\n"))
                    self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def find(self, pattern, start=0):
        return [line for line in self.lines[start:] if re.search(pattern, line)]

    def wait(self, pattern, seconds=60, start=0):
        """The first line that matches, from line number start on."""
        def seen():
            return self.find(pattern, start) or self.ended
        with self.changed:
            if not self.changed.wait_for(seen, seconds):
                raise AssertionError(f"no line {pattern!r} within {seconds} s; the last: "
                                     f"{self.lines[-5:]}")
            found = self.find(pattern, start)
        if not found:
            raise AssertionError(f"the log ended without {pattern!r}; the last: {self.lines[-5:]}")
        return found[0]


# What no log of any run may have in it: a call outside a list, a broken invariant, a sanitizer's report.
FATAL = r"ended by signal (31|6|11)\b|invariant|Sanitizer|runtime error:"


def _left_alone(log):
    """Pids of passt of which the relay, or the worker that was about to give it one, ended first:
    what it says then, or the memory that it takes for it, is not in the shorter list that Debian
    12's passt loads itself (dup, getrandom), which ends it."""
    of_passt, found = {}, set()
    for line in log.lines:
        if words := re.search(r" passt uid=(\d+) id=(\d+) pid=(\d+) started$", line):
            of_passt[words[3]] = words[1], words[2]
        elif words := re.search(r" (relay uid=\d+ id=(\d+)|worker ended uid=(\d+)) pid=\d+", line):
            if line.endswith(" ended") or words[3]:
                found |= {pid for pid, (uid, number) in of_passt.items() if words[2] == number
                          or words[3] == uid}
    return found


def fatal(log):
    return [line for line in log.find(FATAL)
            if not any(re.search(rf"\bpid={pid}\b", line) for pid in _left_alone(log))]


class Broker:
    """qemud, from start to end. Its log is OUT/qemud.N.log, its calls OUT/strace.N.PID."""

    running = []
    all = []
    number = 0

    def __init__(self, config=None, quick_trace=True, wait=True, umask=0o022, supervisor=None, **settings):
        """config: its file; or settings: the keys in it. quick_trace=False leaves seccomp to qemud.

        supervisor: answers for its system calls (supervisor.py)."""
        Broker.number += 1
        if config is None:
            config = f"{OUT}/qemud.{Broker.number}.conf"
            settings.setdefault("cgroup", os.environ["TEST_CGROUP"])
            settings.setdefault("log_level", "debug")
            with open(config, "w", encoding="utf-8") as file:
                file.writelines(f"{key} = {value}\n" for key, value in settings.items())
        self.trace = f"{OUT}/strace.{Broker.number}"
        # -D: the broker, and not its tracer, is our child.
        command = ["strace", "-D", "-qq", "-y", "-f", "-ff", "-e", "trace=" + audit.TRACE,
                   "-o", self.trace]
        if quick_trace:
            command.append("--seccomp-bpf")
        if not TRACED:
            command = []
        if supervisor:
            supervisor.serve()
        command += ["/srv/qemud/sbin/qemud", "--config", config,
                    "--libexec", "/srv/qemud/libexec"]
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                       text=True, errors="backslashreplace", umask=umask,
                                       env={"PATH": os.environ["PATH"]},
                                       preexec_fn=supervisor.enter if supervisor else None)
        self.log = Log(self.child.stderr, f"{OUT}/qemud.{Broker.number}.log")
        self.process = self.starter = None
        Broker.all.append(self)
        Broker.running.append(self)
        if wait:
            self.wait_ready()

    def wait_ready(self):
        self.log.wait(r"\bready$")
        self.process = proc.Process(self.child.pid)
        self.starter = next(p for p in proc.find("qemud-launch")
                            if p.parent().pid == self.process.pid)

    def settle(self, seconds=60):
        """Waits until every connection that was let in has gone again."""
        def settled():
            return len(self.log.find("accepted conn=")) == len(self.log.find("gone conn="))
        with self.log.changed:
            tap.true(self.log.changed.wait_for(settled, seconds), f"connections go within {seconds} s")

    def kill(self):
        """kill -9; its children may live on for a while."""
        self.child.kill()
        self.child.wait(60)

    def leave(self):
        """SIGTERM, if it runs; what outlives it does. Returns its exit status."""
        if self.child.poll() is None:
            self.child.terminate()
        status = self.child.wait(60)
        Broker.running.remove(self)
        return status

    def stop(self):
        """SIGTERM, and the end of everything that it started. Returns its exit status."""
        status = self.leave()
        self.wait_for_all()
        return status

    def wait_for_all(self):
        """Until nobody can write into its log any more: neither what it started, nor its tracer."""
        self.log.thread.join(60)
        tap.true(not self.log.thread.is_alive(), "nothing that it started is left")


def start_broker(**settings):
    """The broker that a test works with; a test of its own, because nothing goes without it."""
    broker = None

    @tap.test("the broker starts and says that it is ready")
    def _():
        nonlocal broker
        broker = Broker(**settings)
    if not broker:
        tap.end()
    return broker


def finish():
    """Ends every broker that still runs, lets the logs be judged, and ends the test."""
    for broker in list(Broker.running):
        @tap.test("the broker ends when it is told to")
        def _(broker=broker):
            tap.equal(broker.stop(), 0, "exit status")
    if Broker.all:
        @tap.test("nothing is left of what the brokers have started")
        def _():
            for broker in Broker.all:
                broker.wait_for_all()
    if Broker.number:
        @tap.test("no process stepped outside its list of system calls or broke an invariant")
        def _():
            tap.equal([line for broker in Broker.all for line in fatal(broker.log)], [], "lines")
    if Broker.number and TRACED:
        @tap.test(f"broker and starter read no client's byte and touch no user's path, in {Broker.number} runs")
        def _():
            for number in range(1, Broker.number + 1):
                violations, _, _ = audit.read(f"{OUT}/strace.{number}")
                tap.equal(violations, [], f"violations in run {number}")
    tap.end()


# --- people ---------------------------------------------------------------------------------


def command_as(user, *command):
    """The command line that runs command as that user, as from a login."""
    if user == "root":
        return list(command)
    return ["setpriv", f"--reuid={UID[user]}", f"--regid={UID[user]}", "--init-groups",
            "--reset-env", "--", *command]


def remove_run(path):
    """Removes a folder of run-time state, in which each user's is a file system of its own."""
    for where, _ in proc.Process("self").mounts():
        if where.startswith(f"{path}/"):
            subprocess.run(["umount", where], check=True)
    shutil.rmtree(path, ignore_errors=True)


def make_system_home():
    """What installing the package does for the account of the host."""
    os.makedirs("/var/lib/qemud", 0o755, exist_ok=True)
    os.mkdir("/var/lib/qemud/system", 0o700)
    os.chown("/var/lib/qemud/system", UID["qemud-vm"], UID["qemud-vm"])


def run_as(user, *command, timeout=120):
    return subprocess.run(command_as(user, *command), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=timeout, check=False)


def run_as_uid(uid, *command):
    """The same for a uid that nobody has."""
    return subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--",
                           *command], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=120, check=False)


def virsh(user, *words, uri=URI, options=()):
    """Stock virsh as that user; returns what it printed, or raises with what it said."""
    result = run_as(user, "virsh", *options, "-c", uri, *words)
    if result.returncode != 0:
        raise AssertionError(f"virsh {' '.join(words)} as {user}: {result.stderr.strip()}")
    return result.stdout.strip()


def virsh_fails(user, *words, uri=URI, options=()):
    """The same where it must fail; returns what it said."""
    result = run_as(user, "virsh", *options, "-c", uri, *words)
    if result.returncode == 0:
        raise AssertionError(f"virsh {' '.join(words)} as {user} succeeded: {result.stdout}")
    return result.stderr.strip()


@contextmanager
def identity(uid, groups=()):
    """This process connects as that uid (a name or a number) meanwhile: what SO_PEERCRED tells."""
    if isinstance(uid, str):
        uid, groups = UID[uid], GROUPS.get(uid, [])
    kept = os.getgroups()
    os.setgroups(groups)
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(kept)


def client_as(user, path=rpc.SOCKET):
    """A raw connection of that user, nothing said yet."""
    with identity(user):
        return rpc.Client(path)


def worker_of(user):
    return proc.one("qemud-worker", UID[user])


def wait_until_idle(user):
    """Until her worker has left, as it may have before this looks."""
    tap.eventually(f"{user}'s worker leaves", lambda: not proc.find("qemud-worker", UID[user]))
