# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: qemudctl colours what is wrong, and verdicts, on a terminal; nothing where there is none, where
# NO_COLOR or TERM say so, nor of what programs read; and nothing is said otherwise for that.
# test: timeout=240
import os
import re
import shutil
import signal
import subprocess

import host
import proc
import tap
import terminal
import vm
from record import DIR, wait_for

CTL = "/srv/qemud/sbin/qemudctl"
RED, GREEN, NORMAL = "\x1b[31m", "\x1b[32m", "\x1b[0m"
COPY = "/srv/copy"
# Once it is as it is; what stands in a log does not change.
TAIL = ("audit", "tail", "-n", "1000", "--dir", COPY)
QUIET = ({"NO_COLOR": "1"}, {"NO_COLOR": "0"}, {"TERM": "dumb"}, {"TERM": None}, {"TERM": ""})


def shown(*arguments, status=0, **environment):
    """On a terminal."""
    said, ended = terminal.run(CTL, *arguments, **{"TERM": "xterm", "NO_COLOR": None, **environment})
    tap.equal(ended, status, f"status of {arguments}: {said}")
    return said


def piped(*arguments):
    return subprocess.run([CTL, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
                          env={**os.environ, "TERM": "xterm"}, check=False).stdout


def plain(text):
    return re.sub("\x1b\\[[0-9;]*m", "", text)


def still(text):
    """Without what may be on its way to the log."""
    return re.sub(r", \d+ records wait", "", text)


def write(rules):
    with open("/etc/qemud/policy.conf", "w", encoding="utf-8") as file:
        file.write(rules)


RULES = "allow everyone manage own\nlimit user alice vms 1\n"
os.makedirs("/etc/qemud", exist_ok=True)
write(RULES)
broker = host.start_broker(idle_seconds=600)
vm.define("alice", "one", 1)
vm.define("alice", "two", 2)
host.virsh("alice", "start", "one")
host.virsh_fails("alice", "start", "two")
wait_for("vm", "start", label="alice", verdict="refused")
shutil.copytree(DIR, COPY)


@tap.test("what was allowed is green, and what was refused is red, in the log and of the policy")
def _():
    said = shown(*TAIL).splitlines()
    allowed = [line for line in said if "allowed" in line]
    refused = [line for line in said if re.search("refused|failed", line) and "\x1b" in line]
    tap.true(allowed and all(f"{GREEN}allowed " in line for line in allowed), f"{allowed[:3]}")
    tap.true(any(" vm " in line and f"{RED}refused " in line for line in refused), f"{refused[:3]}")
    tap.true(all(line.count("\x1b") in (0, 2) and (NORMAL in line or "\x1b" not in line) for line in said), "each ends")
    said = shown("policy", "explain", "alice", "manage", "own")
    tap.true(said.startswith(GREEN) and said.splitlines()[0].endswith(NORMAL) and said.count("\x1b") == 2, repr(said))
    said = shown("policy", "explain", "alice", "view", "bob", status=1)
    tap.true(said.startswith(RED) and said.splitlines()[0].endswith(NORMAL) and said.count("\x1b") == 2, repr(said))


@tap.test("a log that is whole is green, one that is not is red")
def _():
    tap.true(shown("audit", "verify", "--dir", COPY).startswith(f"{GREEN}whole{NORMAL}: "), "whole")
    with open(f"{COPY}/audit.log", "rb") as file:
        lines = file.read().splitlines(True)
    with open("/srv/cut.log", "wb") as file:
        file.write(b"".join(lines[:3] + lines[4:]))
    said = shown("audit", "verify", "/srv/cut.log", status=1)
    tap.true(f"\n{RED}not whole{NORMAL}: " in said, repr(said))


@tap.test("a limit that is reached is red, and one that is not has no colour")
def _():
    rows = {tuple(plain(line).split()[:2]): line for line in shown("limits", "alice").splitlines()}
    tap.true(re.search(re.escape(RED) + "1" + re.escape(NORMAL), rows["alice", "vms"]), repr(rows["alice", "vms"]))
    others = [row for key, row in rows.items() if key != ("alice", "vms")]
    tap.true(len(others) > 2 and not any("\x1b" in row for row in others), f"{others}")


@tap.test("a worker that does not answer is red, and one that does has no colour; so is a policy that was refused")
def _():
    tap.true("\x1b" not in shown("status"), "nothing is wrong")
    worker = host.worker_of("alice")
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        said = shown("status")
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    tap.true(any("alice" in line and f"{RED}does not answer{NORMAL}" in line for line in said.splitlines()), repr(said))
    write(RULES + "nonsense\n")
    os.kill(broker.process.pid, signal.SIGHUP)
    wait_for("policy", "reload", verdict="refused")
    write(RULES)
    said = shown("status")
    tap.true(f"{RED}; what was read since then holds not" in said and said.count("\x1b") == 2, repr(said))


COMMANDS = (TAIL, ("policy", "explain", "alice", "view", "bob"), ("policy", "explain", "alice", "manage", "own"),
            ("audit", "verify", "--dir", COPY), ("limits", "alice"), ("status",))


@tap.test("NO_COLOR and TERM are heeded, an empty NO_COLOR is none, and the words are the same with and without")
def _():
    for command in COMMANDS:
        status = int(command[-1] == "bob")
        said = still(shown(*command, status=status))
        tap.true("\x1b" in said, f"{command} on a terminal")
        tap.equal(still(shown(*command, status=status, NO_COLOR="")), said, f"{command} with an empty NO_COLOR")
        for environment in QUIET:
            tap.equal(still(shown(*command, status=status, **environment)), plain(said), f"{command} with {environment}")
        tap.equal(still(piped(*command)), plain(said), f"{command} in a pipe")


@tap.test("what programs read has no colour on a terminal, either")
def _():
    for command in (TAIL, ("audit", "verify", "--dir", COPY), ("limits", "alice"), ("status",), ("status", "--vms")):
        said = shown(*command, "--json")
        tap.true(said and "\x1b" not in said, f"{command}: {said[:500]!r}")


host.virsh("alice", "destroy", "one")
tap.equal(proc.find(vm.QEMU), [], "QEMUs")
host.finish()
