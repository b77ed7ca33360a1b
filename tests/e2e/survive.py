# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a guest outlives the worker and the broker; it is never shown as shut off, cannot be
# started a second time, and the next worker pauses, resumes and ends it.
# test: timeout=600 untraced
import os
import random
import subprocess
import threading
import time

import host
import proc
import rpc
import tap
import vm

broker = host.start_broker(idle_seconds=1)


def kill(process):
    end = proc.End(process)
    os.kill(process.pid, 9)
    end.wait(60)


def next_worker(user, before):
    """The worker that is started without anybody's asking."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = [p for p in proc.find("qemud-worker", host.UID[user]) if p.pid != before.pid]
        if found:
            return found[0]
        time.sleep(0.01)
    raise AssertionError("no new worker within 60 s")


def runs_on(user, name, qemu, number, state):
    """It is the same QEMU, shown as what it is, and there is no second one."""
    tap.equal(vm.state(user, name), state, "state")
    tap.equal(vm.ids(user).get(name), number, "id")
    tap.true("already" in host.virsh_fails(user, "start", name), "a second start is refused")
    tap.equal([p.pid for p in vm.qemus(user)], [qemu.pid], "QEMUs")


@tap.test("a worker with a running VM does not leave, one without does")
def _():
    vm.define("alice", "one", 1)
    host.virsh("alice", "start", "one")
    host.virsh("bob", "list")
    host.wait_until_idle("bob")
    worker = host.worker_of("alice")
    host.virsh("alice", "list")
    tap.equal(host.worker_of("alice").pid, worker.pid, "alice's worker")


@tap.test("a killed worker is replaced at once, with nobody asking; the guest goes on")
def _():
    qemu = vm.qemu("alice")
    for _ in range(host.count(full=2, long=20)):
        worker = host.worker_of("alice")
        kill(worker)
        next_worker("alice", worker)
        runs_on("alice", "one", qemu, 1, "running (booted)")
        host.virsh("alice", "suspend", "one")
        worker = host.worker_of("alice")
        kill(worker)
        runs_on("alice", "one", qemu, 1, "paused (user)")
        host.virsh("alice", "resume", "one")
        host.virsh("alice", "suspend", "one")
        host.virsh("alice", "resume", "one")
        kill(host.worker_of("alice"))
        runs_on("alice", "one", qemu, 1, "running (unpaused)")
        host.virsh("alice", "destroy", "one")
        tap.equal((vm.qemus("alice"), vm.leaves()), ([], []), "what is left")
        host.virsh("alice", "start", "one")
        qemu = vm.qemu("alice")
        if vm.ids("alice")["one"] != 1:
            break
    host.virsh("alice", "destroy", "one")


@tap.test("a killed broker: the guest goes on, and the next broker and worker have it")
def _():
    global broker
    host.virsh("alice", "start", "one")
    vm.define("bob", "his", 2)
    host.virsh("bob", "start", "his")
    numbers = (vm.ids("alice")["one"], vm.ids("bob")["his"])
    qemu, his = vm.qemu("alice"), vm.qemu("bob")
    ends = [proc.End(host.worker_of(user)) for user in ("alice", "bob")]
    broker.kill()
    for end in ends:
        end.wait(60)
    broker.leave()
    tap.equal([p.pid for p in (vm.qemu("alice"), vm.qemu("bob"))], [qemu.pid, his.pid], "QEMUs")
    broker = host.Broker(idle_seconds=1)
    next_worker("alice", qemu)
    next_worker("bob", qemu)
    runs_on("alice", "one", qemu, numbers[0], "running (booted)")
    runs_on("bob", "his", his, numbers[1], "running (booted)")
    vm.define("alice", "new", 3)
    host.virsh("alice", "start", "new")
    tap.true(vm.ids("alice")["new"] > max(numbers), "an id that nobody has")
    host.virsh("alice", "destroy", "new")
    host.virsh("alice", "destroy", "one")
    tap.equal(vm.state("alice", "one"), "shut off (destroyed)", "state")
    tap.equal(len(vm.leaves()), 1, "bob's alone is left")
    host.virsh("alice", "start", "one")


@tap.test("a broker that is stopped leaves the guests, and an orderly start finds them")
def _():
    global broker
    qemu = vm.qemu("alice")
    tap.equal(broker.leave(), 0, "exit status")
    tap.equal(vm.qemu("alice").pid, qemu.pid, "QEMU")
    broker = host.Broker(idle_seconds=1)
    tap.equal(vm.state("alice", "one"), "running (booted)", "state")
    watcher = vm.Watcher("alice")
    kill(qemu)
    watcher.wait("one", "stopped failed")
    watcher.close()
    tap.equal(vm.state("alice", "one"), "shut off (crashed)", "state")


@tap.test("a guest that ends while nobody is there is not shown as running")
def _():
    global broker
    host.virsh("alice", "start", "one")
    qemu = vm.qemu("alice")
    broker.kill()
    broker.leave()
    kill(qemu)
    broker = host.Broker(idle_seconds=1)
    tap.true(vm.state("alice", "one").startswith("shut off"), "state")
    tap.equal(os.listdir("/run/qemud/users/2001"), ["autostarted"], "files of run-time state")
    host.virsh("alice", "start", "one")


@tap.test("without the worker's notes it is there, is not started twice, and can be destroyed")
def _():
    folder = "/run/qemud/users/2001"
    for garbage in (None, b"", b"id = 7\n", os.urandom(5000)):
        qemu = vm.qemu("alice")
        for name in os.listdir(folder):
            path = f"{folder}/{name}"
            if garbage is None:
                os.unlink(path)
            elif name.endswith((".vm", ".xml")):
                with open(path, "wb") as file:
                    file.write(garbage)
        kill(host.worker_of("alice"))
        tap.true(vm.state("alice", "one").startswith("running"), "state")
        tap.true("already" in host.virsh_fails("alice", "start", "one"), "a second start is refused")
        tap.equal(vm.qemu("alice").pid, qemu.pid, "QEMU")
        host.virsh("alice", "destroy", "one")
        host.virsh("alice", "start", "one")


@tap.test("while the run-time folder is full a VM starts, and is not ended by what is not written there")
def _():
    host.virsh("alice", "destroy", "one")
    def fill(spare_kib):
        used = os.statvfs("/run")
        kib = (used.f_blocks - used.f_bfree) * used.f_frsize // 1024
        subprocess.run(["mount", "-o", f"remount,size={kib + spare_kib}k", "/run"], check=True)
    # Room for the first notes of a start, and not for the next.
    fill(8)
    host.virsh("alice", "start", "one")
    host.virsh("alice", "suspend", "one")
    qemu = vm.qemu("alice")
    kill(host.worker_of("alice"))
    tap.true(vm.state("alice", "one").startswith("paused"), "state")
    tap.equal(vm.qemu("alice").pid, qemu.pid, "QEMU")
    subprocess.run(["mount", "-o", "remount,size=50%", "/run"], check=True)
    host.virsh("alice", "resume", "one")


@tap.test("a VM whose definition and notes are gone is shown under a name of its own")
def _():
    number = vm.ids("alice")["one"]
    worker = host.worker_of("alice")
    os.unlink("/home/alice/.qemud/domains/one.xml")
    for name in os.listdir("/run/qemud/users/2001"):
        os.unlink(f"/run/qemud/users/2001/{name}")
    kill(worker)
    tap.equal(vm.ids("alice"), {f"lost-{number}": number}, "what runs")
    host.virsh("alice", "destroy", f"lost-{number}")
    tap.equal((vm.qemus("alice"), vm.ids("alice")), ([], {}), "what is left")
    vm.define("alice", "one", 1)


@tap.test("a transient VM keeps its name from a definition that came while nobody was there")
def _():
    global broker
    with open("/tmp/passing.xml", "w", encoding="ascii") as file:
        file.write(vm.definition("passing", 7))
    host.virsh("alice", "create", "/tmp/passing.xml")
    number = vm.ids("alice")["passing"]
    broker.kill()
    broker.leave()
    path = "/home/alice/.qemud/domains/passing.xml"
    with open(path, "w", encoding="ascii") as file:
        file.write(vm.definition("passing", 8))
    os.chown(path, host.UID["alice"], host.UID["alice"])
    broker = host.Broker(idle_seconds=1)
    tap.equal(vm.ids("alice"), {"passing": number}, "what runs")
    tap.equal(host.virsh("alice", "domuuid", "passing-1").strip(), vm.uuid(8), "whose definition it was")
    tap.true(not os.path.exists(path) and os.path.exists(path.replace("passing", "passing-1")), "its file")
    host.virsh("alice", "destroy", "passing")
    tap.true("passing" not in host.virsh("alice", "list", "--all", "--name").split(), "it was transient")
    host.virsh("alice", "undefine", "passing-1")


@tap.test("a QEMU that does not answer is destroyed all the same")
def _():
    host.virsh("alice", "start", "one")
    os.kill(vm.qemu("alice").pid, 19)
    host.virsh("alice", "destroy", "one")
    host.virsh("alice", "start", "one")
    os.kill(vm.qemu("alice").pid, 19)
    kill(host.worker_of("alice"))
    tap.true(not vm.state("alice", "one").startswith("shut off"), "state")
    host.virsh("alice", "destroy", "one")
    tap.equal((vm.qemus("alice"), vm.ids("alice")), ([], {}), "what is left")


def start_in_background(user, name, number):
    def start():
        try:
            with host.client_as(user) as client:
                client.open().call(rpc.DOMAIN_CREATE, vm.wire(name, number))
        except (rpc.Ended, OSError):
            pass
    thread = threading.Thread(target=start)
    thread.start()
    return thread


def is_whole(user, name):
    """Whatever became of a start, it is one thing or the other, and works."""
    state = vm.state(user, name)
    count = len(vm.qemus(user))
    if state.startswith("shut off"):
        tap.equal(count, 0, "QEMUs")
    else:
        tap.equal(count, 1, f"QEMUs of a VM that is {state}")
        host.virsh(user, "destroy", name)
    host.virsh(user, "start", name)
    tap.equal(len(vm.qemus(user)), 1, "QEMUs")
    host.virsh(user, "destroy", name)


@tap.test("a worker that is killed at any moment of a start leaves a VM that runs, or none")
def _():
    seed = int(os.environ.get("TEST_SEED", time.time()))
    tap.note(f"TEST_SEED={seed}")
    moments = random.Random(seed)
    for _ in range(host.count(full=8, long=100)):
        with host.client_as("alice").open():
            worker = host.worker_of("alice")
            thread = start_in_background("alice", "one", 1)
            time.sleep(moments.uniform(0, 0.12))
            kill(worker)
        thread.join()
        is_whole("alice", "one")


@tap.test("a broker that is killed at any moment of a start leaves a VM that runs, or none")
def _():
    global broker
    moments = random.Random(1)
    for _ in range(host.count(full=3, long=30)):
        host.virsh("alice", "list")
        thread = start_in_background("alice", "one", 1)
        time.sleep(moments.uniform(0, 0.12))
        broker.kill()
        thread.join()
        broker.leave()
        broker = host.Broker(idle_seconds=1)
        is_whole("alice", "one")


@tap.test("nothing is left when the last has been destroyed")
def _():
    host.virsh("bob", "destroy", "his")
    tap.equal(vm.leaves(), [], "leaves")


host.finish()
