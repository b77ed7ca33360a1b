# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: what the broker decides and does stands in the audit log, names who caused it, and is one
# chain over every end of its processes; whatever is done to the log is found, with its line.
# test: timeout=600
import json
import os
import select
import shutil
import signal
import subprocess
import time

import host
import proc
import tap
import vm
from record import DIR, LOG, eventually, of, records, wait_for
from system_log import SystemLog

CTL = "/srv/qemud/sbin/qemudctl"


def ctl(*arguments, status=0, user="root", stdin=""):
    done = subprocess.run(host.command_as(user, CTL, *arguments), capture_output=True, text=True,
                          input=stdin, timeout=60, check=False)
    tap.equal(done.returncode, status, f"status of {arguments}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


system_log = SystemLog()
broker = host.start_broker(cgroup=os.environ["TEST_CGROUP"], user_connections=20)


@tap.test("who connects is named, and who is refused with the rule")
def _():
    host.virsh("alice", "list", "--all")
    seen = wait_for("connection", "open", label="alice")
    tap.equal((seen["verdict"], seen["uid"], seen["target"]), ("allowed", host.UID["alice"], "alice"), "alice")
    tap.true("groups=2001,2100,2101" in seen["outcome"], seen["outcome"])
    wait_for("process", "start", target="worker", uid=host.UID["alice"])
    held = [host.client_as("bob").open() for _ in range(20)]
    host.virsh_fails("bob", "list")
    refused = wait_for("connection", "open", uid=host.UID["bob"], verdict="refused")
    tap.equal(refused["rule"], "user_connections", "the rule")
    for client in held:
        client.close()


@tap.test("a machine that starts and ends is there with its id, and what it was granted")
def _():
    vm.define("alice", "one", 1)
    host.virsh("alice", "start", "one")
    started = wait_for("vm", "start", label="alice", verdict="allowed")
    tap.true(started["vm"] > 0 and started["memory_kib"] > 0 and started["vcpus"] > 0, f"{started}")
    tap.equal(started["reported_uuid"], host.virsh("alice", "domuuid", "one").strip(), "its UUID")
    host.virsh("alice", "destroy", "one")
    wait_for("vm", "stop", vm=started["vm"])
    wait_for("vm", "end", vm=started["vm"])


@tap.test("a log of a broker that runs is whole, for root and its group and nobody else")
def _():
    said = ctl("audit", "verify")
    tap.true(said.startswith("whole: "), said)
    tap.true("Permission denied" in ctl("audit", "verify", status=3, user="alice"), "alice may not read it")
    tap.equal(os.stat(LOG).st_mode & 0o7777, 0o640, "mode")
    told = json.loads(ctl("audit", "verify", "--json"))
    tap.equal((told["whole"], told["findings"]), (True, []), f"{told}")


@tap.test("tail shows the last lines, for people and for programs")
def _():
    lines = ctl("audit", "tail", "-n", "3").splitlines()
    tap.equal(len(lines), 3, "lines")
    tap.true(all("alice" in line or "bob" in line for line in lines), f"{lines}")
    def last_two():
        raw = ctl("audit", "tail", "--json", "-n", "2").splitlines()
        return [json.loads(line)["seq"] for line in raw]
    # What was counted for a second may be written between both looks.
    eventually(lambda: last_two() == [r["seq"] for r in records()[-2:]], "numbers")
    tap.true("\x1b" not in "".join(lines), "no colours in a pipe")


@tap.test("tail -f shows what comes")
def _():
    with subprocess.Popen([CTL, "audit", "tail", "-n", "0", "-f"], stdout=subprocess.PIPE, bufsize=0) as tail:
        def shows():
            """Nobody tells when it follows: what comes before that is not for it to show."""
            host.virsh("carol", "list")
            ready, _, _ = select.select([tail.stdout], [], [], 1)
            return ready and b"carol" in os.read(tail.stdout.fileno(), 65536)
        try:
            eventually(shows, "carol's connection is shown")
        finally:
            tail.kill()


@tap.test("kill -9 of qemud-audit: another goes on, nothing is lost or there twice, the gap is told")
def _():
    for number in range(1, 4):
        process = proc.one("qemud-audit")
        end = proc.End(process)
        os.kill(process.pid, signal.SIGKILL)
        host.virsh("dave", "list")
        end.wait(60)
        eventually(lambda number=number: len(of("audit", "gone")) == number, "the gap is told")
        eventually(lambda number=number: len(of("connection", "open", label="dave")) == number, "dave's connection")
    ctl("audit", "verify")
    times = [r["time"] + r["kind"] + r["verb"] + str(r.get("target")) for r in records()]
    tap.equal(len(times), len(set(times)), "no record is there twice")


@tap.test("qemud-audit stands still: all else goes on, and when it is ended nothing is lost")
def _():
    process = proc.one("qemud-audit")
    end = proc.End(process)
    os.kill(process.pid, signal.SIGSTOP)
    before = len(of("vm", "end"))
    host.virsh("carol", "list")
    host.virsh("alice", "start", "one")
    tap.true("one" in host.virsh("alice", "list"), "what runs is listed")
    host.virsh("alice", "destroy", "one")
    tap.equal(len(of("vm", "end")), before, "nothing is written meanwhile")
    broker.log.wait("is killed: it did not write a record")
    end.wait(60)
    eventually(lambda: len(of("vm", "end")) == before + 1, "what waited is written")
    ctl("audit", "verify")


@tap.test("kill -9 of the broker: what follows says so, and it is one chain")
def _():
    end = proc.End(proc.one("qemud-audit"))
    broker.kill()
    end.wait(60)
    wait_for("audit", "orphan")
    host.Broker.running.remove(broker)
    broker.wait_for_all()
    again = host.Broker(cgroup=os.environ["TEST_CGROUP"])
    eventually(lambda: len(of("broker", "start")) == 2, "the start of the next")
    tap.equal(again.stop(), 0, "exit status")
    tap.equal(records()[-1]["verb"], "stop", "the last line is the broker's end")
    ctl("audit", "verify")
    system_log.wait(f"seq={records()[-1]['seq']} hash=")


# --- what is done to a log ----------------------------------------------------------------------

COPY = "/srv/copy"


def tamper(change, *options):
    """What verify says of a copy that change() has changed: it gets the lines, and returns those to be."""
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(DIR, COPY)
    with open(f"{COPY}/audit.log", "rb") as file:
        lines = file.read().splitlines(True)
    with open(f"{COPY}/audit.log", "wb") as file:
        file.write(b"".join(change(lines)))
    return ctl("audit", "verify", "--dir", COPY, *options, status=1)


@tap.test("each kind of tampering is found, with its line")
def _():
    said = tamper(lambda lines: lines[:6] + lines[7:])
    tap.true(f"{COPY}/audit.log:7: before this line 1 are missing: 7 to 7" in said, said)
    said = tamper(lambda lines: lines[:6] + [lines[6].replace(b'"uid":', b'"uid":1')] + lines[7:])
    tap.true(f"{COPY}/audit.log:8: " in said and "line 7 was changed" in said, said)
    said = tamper(lambda lines: lines[:6] + [b"nonsense\n"] + lines[7:])
    tap.true(f"{COPY}/audit.log:7: it is no line" in said, said)
    said = tamper(lambda lines: lines[:6] + [lines[7], lines[6]] + lines[8:])
    tap.true(f"{COPY}/audit.log:8: its number is 7, and comes after 8" in said, said)
    said = tamper(lambda lines: lines[:7] + [lines[3]] + lines[7:])
    tap.true(f"{COPY}/audit.log:8: its number is 4" in said, said)
    said = tamper(lambda lines: lines[4:])
    tap.true("begins with line 5, and does not tell" in said, said)
    said = tamper(lambda lines: lines[:-1] + [lines[-1][:-20]])
    tap.true(f"{COPY}/audit.log:{len(records())}: " in said and "bytes at the end" in said, said)


@tap.test("a cut end, and a log that was written anew, show by what the system's log was told")
def _():
    heads = f"{COPY}.heads"
    system_log.write(heads)
    last = records()[-1]["seq"]
    said = tamper(lambda lines: lines[:-3], "--heads", heads)
    tap.true(f"the system's log knows of line {last}, and the last one is {last - 3}" in said, said)
    said = tamper(lambda lines: lines[:-1] + [lines[-1].replace(b"stop", b"STOP")], "--heads", heads)
    tap.true(f"{COPY}/audit.log:{last}: the system's log has another digest" in said, said)
    said = ctl("audit", "verify", "--heads", "-", stdin="\n".join(system_log.heads))
    tap.true(said.startswith("whole: "), said)
    ctl("audit", "verify", "--head", "7:12", status=2)


# --- full disk, nobody who writes ------------------------------------------------------------------


def fill():
    with open(f"{DIR}/filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass


def full_disk(choice, start):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0750,uid=993,gid=993,size=1m,nr_inodes=100", "full", DIR], check=True)
    full = host.Broker(cgroup=os.environ["TEST_CGROUP"], audit_full=choice)
    host.virsh("alice", "list")
    wait_for("connection", "open", label="alice")
    host.virsh("alice", "start", "one")
    fill()
    # What equals is counted, and the last page has room for some lines.
    deadline = time.monotonic() + 60
    while not full.log.find("a record cannot be written") and time.monotonic() < deadline:
        for user in ("bob", "carol", "dave"):
            host.virsh(user, "list")
    full.log.wait("a record cannot be written: No space left on device")
    tap.true("one" in host.virsh("alice", "list"), "what runs is listed")
    host.virsh("alice", "destroy", "one")
    start()
    os.remove(f"{DIR}/filler")
    eventually(lambda: of("vm", "end"), "what waited is written")
    ctl("audit", "verify")
    tap.equal(full.stop(), 0, "exit status")
    ctl("audit", "verify")
    subprocess.run(["umount", DIR], check=True)


@tap.test("a full disk with audit_full = refuse: no start, in words; stopping and listing as ever")
def _():
    def start():
        said = host.virsh_fails("alice", "start", "one")
        tap.true("audit_full" in said, said)
    full_disk("refuse", start)


@tap.test("a full disk with audit_full = continue: all goes on, and what waited is written")
def _():
    def start():
        host.virsh("alice", "start", "one")
        host.virsh("alice", "destroy", "one")
    full_disk("continue", start)


@tap.test("without a folder for it: audit = refuse starts no machine, audit = continue does")
def _():
    for choice in ("refuse", "continue"):
        os.rename(DIR, f"{DIR}.away")
        none = host.Broker(cgroup=os.environ["TEST_CGROUP"], audit=choice)
        none.log.wait("qemud-audit ended pid=")
        if choice == "refuse":
            tap.true("audit in qemud.conf" in host.virsh_fails("alice", "start", "one"), "refused in words")
        else:
            host.virsh("alice", "start", "one")
            host.virsh("alice", "destroy", "one")
        os.rename(f"{DIR}.away", DIR)
        tap.equal(none.stop(), 0, "exit status")


host.finish()
