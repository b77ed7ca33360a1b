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
            broker.log.wait("inventory has changed", 20, seen)
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
    ended.wait(20)
    tap.equal(rows("alice"), ({"three": (0, "5", "p")}, "+0"), "without the worker")
    broker.stop()
    broker = host.Broker()
    tap.equal(rows("alice"), ({"three": (0, "5", "p")}, "+0"), "after the broker")
    host.virsh("alice", "undefine", "three")
    wait("alice", {})


host.finish()
