# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: where the host has the controllers cpu, memory and pids, every leaf below a user's folder
# has their files, root alone can write them, and a VM's leaf keeps them while brokers come and go.
# Run by tests/kernels: many machines have no such controllers.
import glob
import os

import host
import tap
import vm
from crowd import counts, forks, multiplied

PLACE = os.environ["TEST_CGROUP"]
CONTROLLERS = {"cpu", "memory", "pids"}
OURS = ("u2001/worker", "u992/view", "u993/audit")
LIMITS = ("cpu.max", "memory.max", "pids.max")


def words(path):
    with open(path, encoding="ascii") as file:
        return set(file.read().split())


if PLACE == "none" or not CONTROLLERS <= words(f"{PLACE}/cgroup.controllers"):
    tap.skip_all("no cgroup v2 here that has cpu, memory and pids")

broker = host.start_broker(idle_seconds=600)


def leaves_can_be_limited(*want):
    leaves = [path for path in glob.glob(f"{PLACE}/u*/*") if os.path.isdir(path)]
    tap.equal(sorted(os.path.relpath(path, PLACE) for path in leaves), sorted(want), "leaves")
    for leaf in leaves:
        tap.true(CONTROLLERS <= words(f"{leaf}/cgroup.controllers"), f"controllers of {leaf}")
        for name in (*LIMITS, "cgroup.procs", "cgroup.kill"):
            st = os.stat(f"{leaf}/{name}")
            tap.equal((st.st_uid, st.st_mode & 0o022), (0, 0), f"owner, others' rights of {leaf}/{name}")


@tap.test("nothing is said to be without limits")
def _():
    tap.equal(broker.log.find("of the controllers"), [], "lines")


@tap.test("the leaves of worker, refuser, audit and VM have the files of all controllers")
def _():
    # What it is granted is room for what follows.
    vm.define("alice", "one", 1, memory=512)
    host.virsh("alice", "start", "one")
    tap.equal(words(f"{PLACE}/u2001/cgroup.subtree_control"), CONTROLLERS, "given on by u2001")
    leaves_can_be_limited(*OURS, f"u2001/vm-1-{vm.uuid(1)}")


@tap.test("QEMU and its threads are counted in the VM's leaf, and nowhere else")
def _():
    leaf = f"{PLACE}/u2001/vm-1-{vm.uuid(1)}"
    qemu = vm.qemu("alice")
    tap.true(str(qemu.pid) in words(f"{leaf}/cgroup.procs"), "QEMU is in it")
    n_threads = len(os.listdir(f"/proc/{qemu.pid}/task"))
    tap.true(int(*words(f"{leaf}/pids.current")) >= n_threads, f"{n_threads} threads are counted")
    tap.true(int(*words(f"{leaf}/memory.current")) > 1 << 20, "its memory is counted")


@tap.test("threads without end are their own leaf's: there are no more at its limit, and others have theirs")
def _():
    for leaf in glob.glob(f"{PLACE}/u*/*/"):
        tap.equal(words(f"{leaf}/pids.max"), {"4096"}, f"tasks of {leaf}")
    leaf = f"{PLACE}/u2001/vm-1-{vm.uuid(1)}"
    before, had = counts(f"{leaf}/pids.events")["max"], int(*words(f"{leaf}/pids.current"))
    with multiplied(leaf) as got:
        tap.note(f"it had {had} tasks, and was given: {got}")
        tap.equal(got["fork"], "EAGAIN", "what a fork is told")
        tap.true(abs(got["tasks"] + had - 4096) < 20, f"{got}, besides {had}")
        tap.true(int(*words(f"{leaf}/pids.current")) <= 4096, "tasks that are in it")
        tap.true(counts(f"{leaf}/pids.events")["max"] > before, "the kernel has counted it")
        tap.true(forks(f"{PLACE}/u2001/worker"), "her worker can have one more")
        tap.equal(vm.state("alice", "one"), "running (booted)", "its state")
    tap.true(forks(leaf), "when they are gone there can be others")


@tap.test("its owner cannot limit it, empty it, or move into it")
def _():
    leaf = f"{PLACE}/u2001/vm-1-{vm.uuid(1)}"
    for name in (*LIMITS, "cgroup.procs", "cgroup.kill", "cgroup.subtree_control"):
        with host.identity("alice"):
            tap.true(not os.access(f"{leaf}/{name}", os.W_OK, effective_ids=True), f"{name} is not hers")


@tap.test("a limit that root sets outlives the broker, and the leaf ends with its VM")
def _():
    global broker
    leaf = f"{PLACE}/u2001/vm-1-{vm.uuid(1)}"
    with open(f"{leaf}/pids.max", "w", encoding="ascii") as file:
        file.write("500")
    broker.kill()
    broker.leave()
    broker = host.Broker(idle_seconds=600)
    tap.equal(vm.state("alice", "one"), "running (booted)", "state")
    tap.equal(words(f"{leaf}/pids.max"), {"500"}, "its limit")
    leaves_can_be_limited(*OURS, f"u2001/vm-1-{vm.uuid(1)}")
    host.virsh("alice", "destroy", "one")
    leaves_can_be_limited(*OURS)


host.finish()
