# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: where the host has the controllers cpu, memory and pids, the kernel holds each VM to what it
# was granted: what needs more memory than that ends, alone and as a whole, and is shown as crashed with
# the limit; processors are as many as it has; users have equal shares, whatever they run; the note outlives
# the broker; and a clock that jumps changes nothing of that, of deadlines, or of what is asked again.
# Run by tests/kernels: many machines have no such controllers.
import os
import signal
import subprocess
import sys
import time

import host
import tap
import vm
from crowd import counts, forks, multiplied, spinning

PLACE = os.environ["TEST_CGROUP"]
CONTROLLERS = {"cpu", "memory", "pids"}
GRANT = "user.qemud.grant"
HOG = """
import os, sys
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
hog = []
while True:
    hog.append(bytearray(os.urandom(1 << 16) * 256))
"""


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def words(path):
    return set(read(path).split())


def leaf(user, number):
    ids = [name for name in os.listdir(f"{PLACE}/u{host.UID[user]}") if name.endswith(vm.uuid(number))]
    return f"{PLACE}/u{host.UID[user]}/{ids[0]}"


def wait_for(what, find):
    deadline = time.monotonic() + 300
    while not find():
        tap.true(time.monotonic() < deadline, what)
        time.sleep(0.1)


if PLACE == "none" or not CONTROLLERS <= words(f"{PLACE}/cgroup.controllers"):
    tap.skip_all("no cgroup v2 here that has cpu, memory and pids")

def write(rules):
    os.makedirs("/etc/qemud", 0o755, exist_ok=True)
    with open("/etc/qemud/policy.conf.new", "w", encoding="ascii") as file:
        file.write("allow everyone manage own\n" + rules)
    os.chmod("/etc/qemud/policy.conf.new", 0o644)
    os.rename("/etc/qemud/policy.conf.new", "/etc/qemud/policy.conf")


def reload(rules):
    begin = len(broker.log.lines)
    write(rules)
    os.kill(broker.process.pid, signal.SIGHUP)
    broker.log.wait("policy: read again", seconds=120, start=begin)


def set_students(names):
    lines = [line for line in read("/etc/group").splitlines() if not line.startswith("students:")]
    with open("/etc/group.new", "w", encoding="ascii") as file:
        file.write("\n".join([*lines, f"students:x:2101:{names}"]) + "\n")
    os.chmod("/etc/group.new", 0o644)
    os.rename("/etc/group.new", "/etc/group")


write("limit user bob cpu-weight 300 pids 500\nlimit user alice vms 2\n")
broker = host.start_broker(idle_seconds=600, account_seconds=1, limits="enforce")


def reach(user):
    """She is served: where all takes ten times as long, to ask who she is may take more than its two seconds."""
    wait_for(f"{user} is served", lambda: host.run_as(user, "virsh", "-c", host.URI, "list").returncode == 0)


@tap.test("a VM that must be limited is started where that can be done")
def _():
    for user in ("alice", "bob"):
        reach(user)
    vm.define("alice", "one", 1)
    vm.define("alice", "two", 2)
    vm.define("bob", "his", 3)
    for user, name in (("alice", "one"), ("alice", "two"), ("bob", "his")):
        host.virsh(user, "start", name)
        tap.equal(vm.state(user, name), "running (booted)", f"state of {name}")


@tap.test("its leaf's limits are what was granted, and that is written on it")
def _():
    place = leaf("alice", 1)
    note = os.getxattr(place, GRANT).decode()
    grant = dict(item.split("=") for item in note.split())
    total = (int(grant["memory_kib"]) + int(grant["overhead_kib"])) * 1024
    tap.equal(read(f"{place}/memory.max"), f"{total}\n", "memory.max")
    if os.path.exists(f"{place}/memory.swap.max"):
        tap.equal(read(f"{place}/memory.swap.max"), f"{total}\n", "memory.swap.max")
    tap.equal(read(f"{place}/memory.oom.group"), "1\n", "memory.oom.group")
    tap.equal(read(f"{place}/cpu.max"), f"{(int(grant['vcpus']) + 1) * 100000} 100000\n", "cpu.max")
    tap.equal(read(f"{place}/pids.max"), "4096\n", "pids.max")
    with host.identity("alice"):
        tap.equal(os.getxattr(place, GRANT).decode(), note, "its owner reads it")
        try:
            os.setxattr(place, GRANT, b"vcpus=1 memory_kib=1 overhead_kib=1")
            tap.true(False, "its owner cannot write it")
        except PermissionError:
            pass


@tap.test("who has as many tasks as the policy says gets no more, in all machines of hers: others do")
def _():
    folder = f"{PLACE}/u{host.UID['bob']}"
    tap.equal(read(f"{folder}/pids.max"), "500\n", "bob's tasks")
    before, had = counts(f"{folder}/pids.events")["max"], int(read(f"{folder}/pids.current"))
    with multiplied(leaf("bob", 3)) as got:
        tap.note(f"bob had {had} tasks, and was given: {got}")
        tap.equal(got["fork"], "EAGAIN", "what a fork is told")
        tap.true(abs(got["tasks"] + had - 500) < 20, f"{got}, besides {had}")
        tap.true(forks(leaf("alice", 1)), "alice's machine can have one more")
        tap.true(int(read(f"{leaf('bob', 3)}/pids.current")) < int(read(f"{leaf('bob', 3)}/pids.max")),
                 "it is not his machine's own limit")
    tap.true(counts(f"{folder}/pids.events")["max"] + counts(f"{leaf('bob', 3)}/pids.events")["max"] > before,
             "the kernel has counted it")
    tap.equal([vm.state(*one) for one in (("alice", "one"), ("bob", "his"))], ["running (booted)"] * 2, "machines")


@tap.test("users have equal shares of the processors, unless the policy says another; and tasks as it says")
def _():
    tap.equal({user: [read(f"{PLACE}/u{host.UID[user]}/{name}") for name in ("cpu.weight", "pids.max")]
               for user in ("alice", "bob")}, {"alice": ["100\n", "max\n"], "bob": ["300\n", "500\n"]}, "shares")
    tap.true("cpu" in words(f"{PLACE}/cgroup.subtree_control"), "of the folders of users")
    reload("limit user alice vms 2 cpu-weight 50\n")
    wait_for("the new shares", lambda: read(f"{PLACE}/u{host.UID['alice']}/cpu.weight") == "50\n" and
             read(f"{PLACE}/u{host.UID['bob']}/cpu.weight") == "100\n" and
             read(f"{PLACE}/u{host.UID['bob']}/pids.max") == "max\n")


def shares_of_time():
    """What part of the time that both take is alice's, who has three machines, when all take what they get."""
    def used():
        return [counts(f"{PLACE}/u{host.UID[user]}/cpu.stat")["usage_usec"] for user in ("alice", "bob")]
    with spinning(*(leaf("alice", number) for number in (1, 2, 4)), leaf("bob", 3)):
        first = used()
        wait_for("they all begin", lambda: min(now - then for now, then in zip(used(), first)) > 2_000_000)
        begin = used()
        wait_for("time to pass", lambda: sum(used()) - sum(begin) > 20_000_000)
        took = [now - then for now, then in zip(used(), begin)]
    return took[0] / sum(took)


@tap.test("three machines of one user have as much of the processors as one of another, or the policy's share")
def _():
    vm.define("alice", "three", 4)
    for rules, weight, want in (("limit user alice vms 3\n", "100\n", 1 / 2),
                                ("limit user alice vms 3 cpu-weight 50\n", "50\n", 1 / 3)):
        reload(rules)
        wait_for("the new shares", lambda: read(f"{PLACE}/u{host.UID['alice']}/cpu.weight") == weight)
        if not vm.state("alice", "three").startswith("running"):
            host.virsh("alice", "start", "three")
        got = shares_of_time()
        tap.note(f"alice's part: {got:.3f}, by the weights {want:.3f}")
        tap.true(abs(got - want) < 0.08, f"alice's part: {got}, not {want}")
    host.virsh("alice", "destroy", "three")
    reload("limit user alice vms 2 cpu-weight 50\n")


def processors_of(place):
    """How many work for what is in there when that takes what it gets, and how often the kernel holds it back."""
    def stat():
        return time.monotonic(), counts(f"{place}/cpu.stat")
    with spinning(place):
        first = stat()[1]["usage_usec"]
        wait_for("they all begin", lambda: stat()[1]["usage_usec"] - first > 2_000_000)
        begin, before = stat()
        wait_for("time to pass", lambda: time.monotonic() - begin > 10)
        end, after = stat()
    held_back = after["nr_throttled"] - before["nr_throttled"]
    tap.note(f"{read(f'{place}/cpu.max').strip()}: held back {held_back} times in {end - begin:.1f} s")
    return (after["usage_usec"] - before["usage_usec"]) / 1e6 / (end - begin), held_back


@tap.test("no more processors than it has, and one for QEMU: more when it gets one while it runs")
def _():
    if os.cpu_count() < 3:
        raise AssertionError("two processors are no less than all: tests/kernels has CPUS")
    vm.define("alice", "wide", 5, vcpus=2)
    host.virsh("alice", "setvcpus", "wide", "1", "--config")
    host.virsh("alice", "destroy", "two")
    host.virsh("alice", "start", "wide")
    place, got = leaf("alice", 5), []
    for vcpus in (1, 2):
        if vcpus > 1:
            host.virsh("alice", "setvcpus", "wide", str(vcpus), "--live")
        tap.equal(read(f"{place}/cpu.max"), f"{(vcpus + 1) * 100000} 100000\n", f"cpu.max with {vcpus}")
        tap.true(f"vcpus={vcpus} " in os.getxattr(place, GRANT).decode() + " ", f"the note with {vcpus}")
        got.append(processors_of(place))
    (one, held_with_one), (two, held_with_two) = got
    tap.note(f"processors that eight processes got: {one:.2f} with one, {two:.2f} with two")
    # How much less it is than that is this machine's, which may have other things to do; and the kernel counts
    # in steps.
    tap.true(one < 2.4 and two < 3.4, f"{one} processors with one and QEMU's, {two} with two")
    tap.true(held_with_one > 4 * held_with_two, f"held back {held_with_one} times with one, {held_with_two} with two")
    tap.equal(vm.state("alice", "one"), "running (booted)", "its state")
    host.virsh("alice", "destroy", "wide")
    host.virsh("alice", "start", "two")


@tap.test("what needs more memory than it was granted ends alone, and is shown as crashed, with the limit")
def _():
    place = leaf("alice", 1)
    total = int(read(f"{place}/memory.max")) // 1024
    hog = subprocess.run([sys.executable, "-c", HOG, place], check=False)
    tap.equal(hog.returncode, -9, "what asked for too much")
    wait_for("it is shown as crashed", lambda: vm.state("alice", "one") == "shut off (crashed)")
    log = read(f"/home/alice/.qemud/log/one.log")
    tap.true(f"out of memory: ended by the kernel at the limit of its control group, memory.max {total} KiB"
             in log, f"its log says why: {log[-400:]}")
    broker.log.wait(r"lease gone .*: it needed more memory than it was granted")
    tap.equal([vm.state("alice", "two"), vm.state("bob", "his")], ["running (booted)"] * 2, "all others")
    host.virsh("alice", "start", "one")


@tap.test("the next broker finds what was granted, and does not count it twice")
def _():
    global broker
    notes = {number: os.getxattr(leaf(user, number), GRANT)
             for user, number in (("alice", 1), ("alice", 2), ("bob", 3))}
    broker.kill()
    broker.leave()
    broker = host.Broker(idle_seconds=600, account_seconds=1, limits="enforce")
    found = broker.log.find(r"lease found .* vcpus=[1-9].* memory=[1-9]")
    tap.equal(len(found), 3, f"leases found: {found}")
    tap.equal({number: os.getxattr(leaf(user, number), GRANT)
               for user, number in (("alice", 1), ("alice", 2), ("bob", 3))}, notes, "notes")


def jump(days):
    """A guest's own clock: see tests/kernels."""
    time.clock_settime(time.CLOCK_REALTIME, time.time() + days * 86400)


@tap.test("a clock that jumps changes nothing of what counts")
def _():
    for days in (400, -800):
        jump(days)
        tap.true("limit vms 2 (policy.conf:2): 2 in use" in host.virsh_fails("alice", "start", "three"), "no more")
        host.virsh("alice", "destroy", "two")
        host.virsh("alice", "start", "two")
    jump(400)


@tap.test("nor of deadlines: who does not take a connection is ended when the time has passed, and not before")
def _():
    for days in (400, -400):
        worker, begin = host.worker_of("alice"), len(broker.log.lines)
        os.kill(worker.pid, signal.SIGSTOP)
        # pylint: disable-next=consider-using-with
        client = subprocess.Popen(host.command_as("alice", "virsh", "-c", host.URI, "list"),
                                  stdout=subprocess.DEVNULL)
        broker.log.wait("accepted conn=", start=begin)
        came = time.monotonic()
        jump(days)
        broker.log.wait(rf"worker uid=2001 pid={worker.pid} is killed: it did not take a connection in time",
                        seconds=120, start=begin)
        tap.true(time.monotonic() - came > 5, f"it had {time.monotonic() - came} s")
        tap.equal(client.wait(120), 0, "the client's status, whom the next worker serves")


@tap.test("nor of what is asked again: who leaves a group has its limit no more")
def _():
    reload("limit everyone vms 1\nlimit group students vms 2\n")
    for days in (400, -400):
        set_students("alice,bob")
        wait_for("she is a student", lambda: "limit vms 2" in host.virsh_fails("alice", "start", "three"))
        jump(days)
        set_students("bob")
        wait_for("she is none", lambda: "limit vms 1" in host.virsh_fails("alice", "start", "three"))
    for user, name in (("alice", "one"), ("alice", "two"), ("bob", "his")):
        host.virsh(user, "destroy", name)


host.finish()
