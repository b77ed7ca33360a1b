# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: stock virsh gives a machine that runs more virtual CPUs as far as the limits have room, and no more
# whoever asks at once; what is counted is what QEMU has, whoever was killed in the middle of it.
# test: timeout=600 once
import os
import re
import signal
import subprocess
import threading
import time

import host
import proc
import rpc
import tap
import vm
from record import of, wait_for
from tap import eventually

ALICE = host.UID["alice"]
CGROUP = os.environ["TEST_CGROUP"]
TOTAL, ONE = 5, 4  # of all of hers together, of one machine

if CGROUP == "none":
    tap.skip_all("there is no cgroup v2, so no ledger that counts")
os.makedirs("/etc/qemud", exist_ok=True)
with open("/etc/qemud/policy.conf", "w", encoding="ascii") as file:
    file.write(f"allow everyone manage own\nlimit user alice vcpus {TOTAL}\nlimit user alice vm-vcpus {ONE}\n")


def virsh(*words):
    return host.virsh("alice", *words)


def define(name, number, vcpus="<vcpu current='1'>6</vcpu>"):
    path = f"/tmp/{name}.xml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(re.sub("<vcpu>.*</vcpu>", vcpus, vm.definition(name, number)))
    virsh("define", path)


def counts(name):
    """What vcpucount says: maximum of the definition, of the machine, and how many now of each."""
    return [int(line.split()[2]) for line in virsh("vcpucount", name).splitlines()]


def granted(name):
    """As the ledger has it."""
    leaf = f"{CGROUP}/u{ALICE}/vm-{vm.ids('alice')[name]}-{virsh('domuuid', name)}"
    words = os.getxattr(leaf, "user.qemud.grant").decode().split()
    return int(dict(word.split("=") for word in words)["vcpus"])


def threads(name):
    """The virtual CPUs that its QEMU runs."""
    uuid = virsh("domuuid", name)
    qemu = next(q for q in vm.qemus("alice") if uuid in " ".join(q.arguments()))
    return sum(status["Name"].startswith("CPU ") for _, status in qemu.threads())


def has(name, number):
    """That many everywhere: for clients, in QEMU, in the ledger."""
    return (counts(name)[3], threads(name), granted(name)) == (number, number, number)


def last_change(**members):
    wait_for("vm", "change", **members)
    return of("vm", "change", **members)[-1]


def starter():
    return proc.one("qemud-launch", 0)


def next_worker(before):
    eventually("another worker", lambda: [p for p in proc.find("qemud-worker", ALICE) if p.pid != before.pid])


def kill(process):
    end = proc.End(process)
    os.kill(process.pid, signal.SIGKILL)
    end.wait(60)


def asked(number):
    """A virsh that asks, and waits."""
    # pylint: disable-next=consider-using-with
    return subprocess.Popen(host.command_as("alice", "virsh", "-c", host.URI, "setvcpus", "one", str(number)),
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


broker = host.start_broker(idle_seconds=600)


@tap.test("it begins with as many as it has, and not as many as it could have")
def _():
    define("one", 1)
    virsh("start", "one")
    tap.equal(counts("one"), [6, 6, 1, 1], "vcpucount")
    tap.true(has("one", 1), "one")
    tap.equal(wait_for("vm", "start")["vcpus"], 1, "vcpus in the log")


@tap.test("it is given more, one by one, as its lease is; its definition stays as it is")
def _():
    virsh("setvcpus", "one", "2")
    tap.true(has("one", 2), "two")
    virsh("setvcpus", "one", "3", "--live")
    tap.equal(counts("one"), [6, 6, 1, 3], "vcpucount")
    tap.true(has("one", 3), "three")
    tap.equal(len(virsh("vcpuinfo", "one").split("VCPU:")) - 1, 3, "vcpuinfo")
    tap.true("vcpu.current=3" in virsh("domstats", "--vcpu", "one"), "domstats")
    tap.true("current='3'>6</vcpu>" in virsh("dumpxml", "one"), "the running definition")
    tap.true("current='1'>6</vcpu>" in virsh("dumpxml", "--inactive", "one"), "the one that is kept")
    record = last_change(verdict="allowed", vcpus=3)
    tap.equal((record["uid"], record["label"], record["target"], record["reported_uuid"]),
              (ALICE, "alice", "alice", vm.uuid(1)), "who, whose, which")


@tap.test("what a limit is against is refused by its line, and changes nothing")
def _():
    tap.equal(host.virsh_fails("alice", "setvcpus", "one", "5"),
              "error: operation failed: domain 'one' may not have 5 vCPUs now: limit vm-vcpus 4 "
              "(policy.conf:3): 3 in use, 2 more asked for; root of this host can change it", "the error")
    tap.true(has("one", 3), "three")
    tap.equal(last_change(verdict="refused", vcpus=5)["rule"], "policy.conf:3", "rule in the log")
    virsh("setvcpus", "one", "4")
    tap.true(has("one", 4), "exactly the limit")
    define("two", 2)
    virsh("start", "two")
    tap.equal(host.virsh_fails("alice", "setvcpus", "two", "2"),
              "error: operation failed: domain 'two' may not have 2 vCPUs now: limit vcpus 5 "
              "(policy.conf:2): 5 in use, 1 more asked for; root of this host can change it", "the error")
    tap.true(has("two", 1), "one")


@tap.test("the read-only socket changes nothing")
def _():
    said = host.virsh_fails("alice", "setvcpus", "one", "1", uri=host.URI_RO)
    tap.true("read only" in said or "read-only" in said, said)
    with host.client_as("alice", rpc.SOCKET_RO) as client:
        client.open()
        reply = client.call(199, vm.wire("one", 1) + rpc.u32(1) + rpc.u32(1))
        tap.true(reply.error and reply.error.code == 29, f"the answer: {reply}")
    tap.true(has("one", 4), "four")


@tap.test("fewer: what was there from the start stays, and nobody in the guest lets go of the others")
def _():
    said = host.virsh_fails("alice", "setvcpus", "one", "3")
    tap.true("unable to execute QEMU command 'device_del'" in said or "unplug request timed out" in said, said)
    define("three", 3, "<vcpu current='2'>4</vcpu>")
    virsh("destroy", "two")
    virsh("destroy", "one")
    virsh("start", "three")
    tap.equal(host.virsh_fails("alice", "setvcpus", "three", "1"),
              "error: unsupported configuration: failed to find appropriate hotpluggable vcpus to reach the "
              "desired target vcpu count", "the error")
    tap.true(has("three", 2), "two")
    virsh("destroy", "three")


@tap.test("one that begins anew has what its definition says")
def _():
    virsh("start", "one")
    tap.true(has("one", 1), "one")
    tap.equal(counts("one"), [6, 6, 1, 1], "vcpucount")


@tap.test("ten at once, of three machines: as many as there is room for, and no more")
def _():
    names = ["one", "two", "three"]
    define("three", 3)
    virsh("start", "two")
    virsh("start", "three")
    for _ in range(host.count(full=2, long=10)):
        said = {}

        def ask(i, said=said):
            said[i] = host.run_as("alice", "virsh", "-c", host.URI, "setvcpus", names[i % 3], "2")

        askers = [threading.Thread(target=ask, args=(i,)) for i in range(10)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        now = {name: counts(name)[3] for name in names}
        tap.equal(sum(now.values()), TOTAL, f"together: {now}")
        tap.true(all(has(name, now[name]) for name in names), f"{now}")
        for i, result in said.items():
            # Who asks for what is there already is told that it is so.
            tap.equal(result.returncode, 0 if now[names[i % 3]] == 2 else 1, f"{i}: {result.stderr}")
            tap.true(result.returncode == 0 or "limit vcpus 5 (policy.conf:2)" in result.stderr, result.stderr)
        for name in names:
            virsh("destroy", name)
            virsh("start", name)
    virsh("destroy", "two")
    virsh("destroy", "three")


@tap.test("a worker is killed when its lease has grown and QEMU has not: the lease is given back")
def _():
    qemu, worker = vm.qemu("alice"), host.worker_of("alice")
    host.virsh("alice", "list")
    os.kill(starter().pid, signal.SIGSTOP)
    try:
        number = vm.ids("alice")["one"]
        asker = asked(3)
        broker.log.wait(f"id={number} is to have vcpus=3 ")
        kill(worker)
    finally:
        os.kill(starter().pid, signal.SIGCONT)
    asker.communicate(timeout=60)
    next_worker(worker)
    eventually("one, counted as one", lambda: has("one", 1))
    tap.equal(vm.qemu("alice").pid, qemu.pid, "QEMU")
    virsh("setvcpus", "one", "2")
    tap.true(has("one", 2), "two")


@tap.test("workers are killed at any moment: what is counted is what there is")
def _():
    for number in range(host.count(full=4, long=20)):
        virsh("destroy", "one")
        virsh("start", "one")
        worker = host.worker_of("alice")
        asker = asked(ONE)
        time.sleep(0.01 * number)
        kill(worker)
        asker.communicate(timeout=60)
        next_worker(worker)
        eventually("what there is", lambda: has("one", counts("one")[3]))


@tap.test("the next broker counts the same, and so does its worker")
def _():
    virsh("destroy", "one")
    virsh("start", "one")
    virsh("setvcpus", "one", "3")
    qemu = vm.qemu("alice")
    broker.leave()
    host.Broker(idle_seconds=600)
    eventually("three", lambda: has("one", 3))
    tap.equal(vm.qemu("alice").pid, qemu.pid, "QEMU")
    tap.true("limit vm-vcpus 4 (policy.conf:3): 3 in use, 2 more" in
             host.virsh_fails("alice", "setvcpus", "one", "5"), "the error")
    virsh("setvcpus", "one", "4")
    tap.true(has("one", 4), "four")
    virsh("destroy", "one")


host.finish()
