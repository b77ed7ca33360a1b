# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: what a user's worker lists of her machines is left with the broker at each change, in a file
# of root's, and stays when worker and broker have ended.
import os
import stat

import host
import proc
import tap
import vm

STATE = "/var/lib/qemud/inventory"
broker = host.start_broker()


def path(user):
    return f"{STATE}/{host.UID[user]}"


def rows(user):
    """Name: (id, state, flags), and the last line; or None."""
    try:
        with open(path(user), encoding="utf-8") as file:
            *lines, last = file.read().splitlines()
    except FileNotFoundError:
        return None
    fields = [line.split("\t") for line in lines]
    return {name: (int(number), state, flags) for number, state, _, flags, _, name in fields}, last


def wait(user, want):
    while True:
        seen = len(broker.log.lines)
        if rows(user) == (want, "+0"):
            return
        try:
            broker.log.wait("inventory has changed", 60, seen)
        except AssertionError:
            tap.equal(rows(user), (want, "+0"), "inventory")


@tap.test("who has no machine lists none")
def _():
    host.virsh("alice", "list")
    wait("alice", {})
    st = os.stat(path("alice"))
    tap.equal((st.st_uid, stat.S_IMODE(st.st_mode)), (0, 0o600), "owner and mode")
    tap.equal(rows("bob"), None, "bob's")


@tap.test("each change is listed: define, autostart, start, pause, rename, end, undefine, a file")
def _():
    vm.define("alice", "one", 1)
    vm.define("alice", "two", 2)
    wait("alice", {"one": (0, "5", "p"), "two": (0, "5", "p")})
    host.virsh("alice", "autostart", "two")
    host.virsh("alice", "start", "one")
    number = vm.ids("alice")["one"]
    wait("alice", {"one": (number, "1", "p"), "two": (0, "5", "pa")})
    host.virsh("alice", "suspend", "one")
    wait("alice", {"one": (number, "3", "p"), "two": (0, "5", "pa")})
    host.virsh("alice", "domrename", "two", "zwei")
    host.virsh("alice", "undefine", "one")
    wait("alice", {"one": (number, "3", "-"), "zwei": (0, "5", "pa")})
    host.virsh("alice", "destroy", "one")
    wait("alice", {"zwei": (0, "5", "pa")})
    os.unlink("/home/alice/.qemud/domains/zwei.xml")
    wait("alice", {})
    vm.define("alice", "three", 3)
    wait("alice", {"three": (0, "5", "p")})


@tap.test("it is there without the worker, and after the broker")
def _():
    global broker
    worker = host.worker_of("alice")
    ended = proc.End(worker)
    os.kill(worker.pid, 9)
    ended.wait(60)
    tap.equal(rows("alice"), ({"three": (0, "5", "p")}, "+0"), "without the worker")
    broker.stop()
    broker = host.Broker()
    tap.equal(rows("alice"), ({"three": (0, "5", "p")}, "+0"), "after the broker")
    host.virsh("alice", "undefine", "three")
    wait("alice", {})


# --- what lies ------------------------------------------------------------------------------------

SYSTEM = host.URI.replace("///session", "///system")
_ALICES = vm.uuid(3)
_ROW = f"0\t5\t0\tp\t{_ALICES}\t"

LIES = {
    "garbage": os.urandom(4096),
    "64 KiB without an end": b"x" * 65536,
    "no end": f"{_ROW}one\n".encode(),
    "alice's id and UUID": f"%d\t1\t1\tp\t{_ALICES}\tone\n+0\n".encode(),
    "a name with another's prefix": f"{_ROW}alice:three\n+0\n".encode(),
    "a name with a tab, and what drives a terminal": f"{_ROW}on\te\x1b[2J\n+0\n".encode(),
    "5,000 rows": b"".join(b"0\t5\t0\t-\t%032x\t%d\n" % (i, i) for i in range(5000))[:65532] + b"+0\n",
    "rows out of order, and twice": f"{_ROW}b\n{_ROW}a\n{_ROW}a\n+0\n".encode(),
    "an id beyond all": f"99999999999\t1\t1\tp\t{_ALICES}\tone\n+0\n".encode(),
    "nothing": b"",
}


def system(*words):
    return host.virsh("root", *words, uri=SYSTEM)


@tap.test("whatever is kept of one user, all others are listed, found and started through a view")
def _():
    vm.define("alice", "three", 3)
    vm.define("bob", "his", 4)
    host.virsh("alice", "start", "three")
    number = vm.ids("alice")["three"]
    for name, lie in LIES.items():
        # A view that is new reads all; bob's worker, which would tell the truth, is gone meanwhile.
        views = [process for process in proc.find("qemud-view") if "--host" in process.arguments()]
        for process in [*views, *proc.find("qemud-worker", host.UID["bob"])]:
            ended = proc.End(process)
            os.kill(process.pid, 9)
            ended.wait(60)
        with open(path("bob"), "wb") as file:
            file.write(lie.replace(b"%d", b"%d" % number))
        rows_seen = [line for line in system("list", "--all", "--name").split() if line]
        tap.true("alice:three" in rows_seen, f"{name}: alice's machine in {rows_seen[:9]}")
        tap.true(all(row.startswith(("alice:", "bob:")) for row in rows_seen), f"{name}: whose they are")
        tap.true("alice:alice" not in " ".join(rows_seen), f"{name}: no row passes for alice's")
        tap.equal(system("domname", str(number)).strip(), "alice:three", f"{name}: by id")
        tap.equal(system("domname", system("domuuid", "alice:three").strip()).strip(), "alice:three", f"{name}: by UUID")
        system("suspend", "alice:three")
        system("resume", "alice:three")
    host.virsh("bob", "list")
    host.virsh("bob", "undefine", "his")
    host.virsh("alice", "destroy", "three")
    host.virsh("alice", "undefine", "three")


host.finish()
