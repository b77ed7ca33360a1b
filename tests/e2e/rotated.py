# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: an audit log of many files is one chain: each file is followed by the next one, whose head is
# told, the oldest go and that is recorded; and whatever is done to any of the files is found, with its
# file and line.
# test: timeout=240
import hashlib
import json
import os
import re
import shutil
import subprocess

import host
import tap
from record import DIR, LOG, eventually, of, records
from system_log import SystemLog

CTL = "/srv/qemud/sbin/qemudctl"
COPY = "/srv/copy"
HEADS = "/srv/heads"
SIZE = 1 << 20  # of a file, the least that can be asked for
ROOM = 5 << 10  # of which qemud-audit keeps free what the longest line takes
KEPT = 3
ROTATIONS = 5

system_log = SystemLog()


def ctl(*arguments, status=0):
    done = subprocess.run([CTL, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
                          check=False)
    tap.equal(done.returncode, status, f"status of {arguments}: {done.stdout[-2000:]}{done.stderr}")
    return done.stdout + done.stderr


def archives(folder=DIR):
    """The older files, the oldest first."""
    return sorted(name for name in os.listdir(folder) if name.startswith("audit-"))


def lines_of(name, folder=DIR):
    with open(f"{folder}/{name}", "rb") as file:
        return file.read().splitlines(True)


def seq_of(line):
    return json.loads(line)["seq"]


def fill():
    """What a day brings, while nothing of qemud runs: lines that follow, until the file is nearly full.

    What begins, ends and removes files is qemud-audit itself; some thousand clients more would take an hour."""
    lines = lines_of("audit.log")
    last, size = lines[-1], os.stat(LOG).st_size
    model = next(line for line in lines if b'"kind":"connection"' in line)
    with open(LOG, "ab") as file:
        while size + ROOM < SIZE:
            line = re.sub(rb'"seq":[0-9]+', b'"seq":%d' % (seq_of(last) + 1), model, count=1)
            line = re.sub(rb'"prev":"[0-9a-f]+"', b'"prev":"%s"' % hashlib.sha256(last).hexdigest().encode(), line)
            file.write(line)
            size += len(line)
            last = line


def run(rotates):
    """A broker, from its start to its end; it is listened to until the log goes on in another file, if that is due."""
    broker = host.Broker(audit_file_mib=1, audit_files=KEPT)
    for user in ("alice", "bob", "carol", "dave"):
        host.virsh(user, "list")
    eventually(lambda: of("connection", "open", label="dave") or rotates and of("audit", "rotate"), "they are recorded")
    if rotates:
        eventually(lambda: of("audit", "rotate"), "the log goes on in another file")
        # With it come what was removed, and the record that had no room.
        seq = of("audit", "rotate")[0]["seq"]
        system_log.wait_for(lambda told: any(seq < one <= seq + 2 for one in told), f"a head behind line {seq}")
    tap.equal(broker.stop(), 0, "exit status")


@tap.test("a file that is full is followed by another, each time, and the head of that is told at once")
def _():
    run(rotates=False)
    for number in range(1, ROTATIONS + 1):
        fill()
        before = seq_of(lines_of("audit.log")[0])
        run(rotates=True)
        first = records()[0]
        tap.equal((first["kind"], first["verb"], first["target"]), ("audit", "rotate", f"audit-{before:020}.log"),
                  "the first line of the new file")
        tap.equal(archives()[-1], first["target"], "what it was before")
        tap.equal(len(archives()), min(number, KEPT), "files that are kept")
        tap.true(all(os.stat(f"{DIR}/{name}").st_size <= SIZE for name in archives()), "none is larger than it may be")


@tap.test("the oldest files are gone, which is recorded, and the log is whole")
def _():
    gone = [json.loads(line) for name in (*archives(), "audit.log") for line in lines_of(name)
            if b'"verb":"remove"' in line]
    tap.equal(len(gone), ROTATIONS - KEPT, f"removals: {gone}")
    first = seq_of(lines_of(archives()[0])[0])
    tap.equal((gone[-1]["removed"], gone[0]["target"]), (first - 1, f"audit-{1:020}.log"), "what was removed")
    said = json.loads(ctl("audit", "verify", "--json"))
    tap.equal((said["whole"], said["findings"], said["files"], said["first"], said["last"]),
              (True, [], KEPT + 1, first, records()[-1]["seq"]), "what verify says")
    tap.equal(said["lines"], said["last"] - first + 1, "lines")
    system_log.write(HEADS)
    tap.true(ctl("audit", "verify", "--heads", HEADS).startswith("whole: "), "with all heads, those of removed lines, too")


@tap.test("tail goes back over as many files as it needs, in their order")
def _():
    n = len(lines_of("audit.log")) + len(lines_of(archives()[-1])) + 5
    raw = ctl("audit", "tail", "--json", "-n", str(n)).splitlines()
    last = records()[-1]["seq"]
    tap.equal([seq_of(line) for line in raw], list(range(last - n + 1, last + 1)), "numbers")


# --- what is done to it ----------------------------------------------------------------------------


def tamper(change, *options, whole=False):
    """What verify says of a copy to which change() was done."""
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(DIR, COPY)
    change()
    return ctl("audit", "verify", "--dir", COPY, *options, status=0 if whole else 1)


def edit(name, change):
    def edited():
        lines = lines_of(name, COPY)
        with open(f"{COPY}/{name}", "wb") as file:
            file.write(b"".join(change(lines)))
    return edited


def found(said, *places):
    """These places are named, each as FILE:LINE: and words, and nothing else is."""
    got = [line for line in said.splitlines() if re.match(r"\S+:\d+: ", line)]
    tap.equal(len(got), len(places), f"findings: {got}")
    for line, (name, number, words) in zip(got, places):
        tap.true(line.startswith(f"{COPY}/{name}:{number}: ") and words in line, f"{name}:{number}: {words!r} in {line}")


@tap.test("a line of an older file that was changed, taken out or moved is found, wherever it stood")
def _():
    for name, after in zip(archives(), [*archives()[1:], "audit.log"]):
        lines = lines_of(name)
        first, n = seq_of(lines[0]), len(lines)
        changed = (b'"uid":', b'"uid":1')
        for at in (0, 6, n - 2):
            said = tamper(edit(name, lambda lines, at=at: lines[:at] + [lines[at].replace(*changed)] + lines[at + 1:]))
            found(said, (name, at + 2, f"line {at + 1} was changed"))
        # The last of a file is held by the first of the next one.
        said = tamper(edit(name, lambda lines: lines[:-1] + [lines[-1].replace(*changed)]))
        found(said, (after, 1, "the last line of the file before was changed"))
        said = tamper(edit(name, lambda lines: lines[:6] + lines[7:]))
        found(said, (name, 7, f"before this line 1 are missing: {first + 6} to {first + 6}"))
        said = tamper(edit(name, lambda lines: lines[:6] + [lines[7], lines[6]] + lines[8:]))
        found(said, (name, 7, "before this line 1 are missing"), (name, 8, f"its number is {first + 6}, and comes after"),
              (name, 9, "before this line 1 are missing"))


@tap.test("an older file whose end was cut is found by the file after it")
def _():
    for name, after in zip(archives(), [*archives()[1:], "audit.log"]):
        last = seq_of(lines_of(name)[-1])
        found(tamper(edit(name, lambda lines: lines[:-3])), (after, 1, f"before this line 3 are missing: {last - 2} to {last}"))
        said = tamper(edit(name, lambda lines: lines[:-1] + [lines[-1][:40]]))
        found(said, (name, len(lines_of(name)), "it is no line of an audit log"))


@tap.test("an older file that was taken away is found, the oldest, too")
def _():
    names = [*archives(), "audit.log"]
    for at, name in enumerate(names[:-1]):
        first, after = seq_of(lines_of(name)[0]), seq_of(lines_of(names[at + 1])[0])
        said = tamper(lambda name=name: os.remove(f"{COPY}/{name}"))
        if at == 0:
            found(said, (names[1], 1, f"the log begins with line {after}, and does not tell that those before it were removed"))
        else:
            found(said, (names[at + 1], 1, f"before this line {after - first} are missing: {first} to {after - 1}"))


@tap.test("two older files in each other's place are found")
def _():
    one, two, three = archives()
    first = {name: seq_of(lines_of(name)[0]) for name in (one, two, three)}

    def swap():
        os.rename(f"{COPY}/{one}", f"{COPY}/x")
        os.rename(f"{COPY}/{two}", f"{COPY}/{one}")
        os.rename(f"{COPY}/x", f"{COPY}/{two}")
    said = tamper(swap)
    found(said, (two, 1, f"its number is {first[one]}, and comes after {first[three] - 1}"),
          (three, 1, f"before this line {first[three] - first[two]} are missing"),
          (one, 1, f"the log begins with line {first[two]}, and does not tell"))


@tap.test("the newest file, cut or taken away, is found by the heads that the system's log was told")
def _():
    last, newest = records()[-1]["seq"], archives()[-1]
    said = tamper(edit("audit.log", lambda lines: lines[:-2]), whole=True)
    tap.true("whether its end was cut" in said, "without them it is not")
    said = tamper(edit("audit.log", lambda lines: lines[:-2]), "--heads", HEADS)
    found(said, ("audit.log", len(lines_of("audit.log")) - 2,
                 f"the end was cut: the system's log knows of line {last}, and the last one is {last - 2}"))
    end = seq_of(lines_of(newest)[-1])
    said = tamper(lambda: os.remove(f"{COPY}/audit.log"), "--heads", HEADS)
    # What was removed before stood in it, too.
    begin = seq_of(lines_of(archives()[0])[0])
    found(said, (archives()[0], 1, f"the log begins with line {begin}, and does not tell"),
          (newest, len(lines_of(newest)),
           f"the end was cut: the system's log knows of line {last}, and the last one is {end}"))


host.finish()
