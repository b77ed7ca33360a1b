# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: of what is asked for at once as much starts as a limit has room for, and no more; all others
# are refused at once, in words; and the count is exact whoever was killed in the middle of it.
# test: timeout=800 network once
import contextlib
import glob
import os
import random
import signal
import subprocess
import time

import host
import proc
import rpc
import tap
import vm
from tap import eventually

LIMIT = 3  # of all users together: one user may have two, while nobody else has any
OWN = 2
SYSTEM = f"qemu+unix:///system?socket={rpc.SOCKET}"
MANY = 101  # one runs, and a hundred are asked for
WORDS = ("operation failed: domain '{}' may not start now: limit vms (half of what other users leave of "
         "max_vms in qemud.conf): 2 in use, 1 more asked for; root of this host can change it")

# Starts all domains whose names it is given, at once, over ten connections; prints "begin" when it does, and
# what came of each.
STARTER = """
import libvirt, sys, threading
libvirt.registerErrorHandler(lambda *_: None, None)
names = sys.argv[2:]
connections = [libvirt.open(sys.argv[1]) for _ in range(10)]
begin = threading.Barrier(len(names), lambda: print("begin", flush=True))
said = {}
def start(i, name):
    # Whoever cannot look it up any more holds none of the others up.
    begin.wait()
    try:
        connections[i % 10].lookupByName(name).create()
        said[name] = "0"
    except libvirt.libvirtError as error:
        said[name] = f"{error.get_error_code()} {error.get_error_message()}"
threads = [threading.Thread(target=start, args=item) for item in enumerate(names)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for name in names:
    print(name, said.get(name, "?"))
"""

if os.environ["TEST_CGROUP"] == "none":
    tap.skip_all("there is no cgroup v2, so no ledger that counts")
broker = host.start_broker(idle_seconds=600, max_vms=LIMIT)


def start_all(user, names):
    """{name: what came of it}."""
    done = host.run_as(user, "/usr/bin/python3", "-c", STARTER, host.URI, *names, timeout=200)
    tap.equal(done.stderr, "", "what the starter says beside")
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if line != "begin")


def running(user):
    return [name for name in host.virsh(user, "list", "--name").split() if name]


def check_count(user, number):
    """So many leaves with a note run of hers, and one more than she may have does not start."""
    notes = [os.getxattr(f"{os.environ['TEST_CGROUP']}/u{host.UID[user]}/{leaf}", "user.qemud.grant")
             for leaf in vm.leaves()]
    tap.equal(sorted(len(x) for x in (running(user), vm.qemus(user))), [number, number], "what runs")
    tap.equal(len(notes), number, f"notes: {notes}")
    free = [name for name in NAMES[:5] if name not in running(user)]
    for name in free[:OWN - number]:
        host.virsh(user, "start", name)
    name = free[OWN - number]
    tap.equal(host.virsh_fails(user, "start", name).splitlines()[-1],
              "error: " + WORDS.format(name), "one more")


def destroy_all(user):
    for name in running(user):
        host.virsh(user, "destroy", name)
    eventually("nothing is left", lambda: (running(user), vm.qemus(user), vm.leaves()) == ([], [], []))


NAMES = [f"m{number}" for number in range(MANY)]


@tap.test("a hundred starts at once at limit minus one: exactly one succeeds, the others are told why")
def _():
    for number, name in enumerate(NAMES):
        vm.define("alice", name, number + 1)
    host.virsh("alice", "start", NAMES[0])
    said = start_all("alice", NAMES[1:])
    started = [name for name, words in said.items() if words == "0"]
    tap.equal(len(started), 1, f"started: {started}")
    for name in NAMES[1:]:
        if name not in started:
            tap.equal(said[name], f"9 {WORDS.format(name)}", f"what {name} is told")
    check_count("alice", OWN)


@tap.test("ten at once, over and over: always as many as there is room for")
def _():
    for _ in range(host.count(full=3, long=30)):
        destroy_all("alice")
        said = start_all("alice", NAMES[:10])
        tap.equal(sum(words == "0" for words in said.values()), OWN, f"started: {said}")


@tap.test("ten at once at limit minus one: one starts, over and over")
def _():
    for _ in range(host.count(full=2, long=20)):
        destroy_all("alice")
        host.virsh("alice", "start", NAMES[0])
        said = start_all("alice", NAMES[1:11])
        tap.equal(sum(words == "0" for words in said.values()), 1, f"started: {said}")


@tap.test("what one user has does not count against another, but against the host")
def _():
    destroy_all("alice")
    vm.define("bob", "his", 201)
    host.virsh("alice", "start", NAMES[0])
    host.virsh("bob", "start", "his")
    tap.true("limit vms (half" in host.virsh_fails("alice", "start", NAMES[1]), "alice is told")
    host.virsh("bob", "destroy", "his")
    host.virsh("alice", "start", NAMES[1])
    check_count("alice", OWN)
    destroy_all("alice")


def killed_while_starting(victim):
    """Some starts are under way when it is killed with SIGKILL."""
    global broker
    # pylint: disable-next=consider-using-with
    clients = subprocess.Popen(
        host.command_as("alice", "/usr/bin/python3", "-c", STARTER, host.URI, *NAMES[:10]),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    tap.equal(clients.stdout.readline(), b"begin\n", "what the clients say")
    time.sleep(random.uniform(0, 0.3))
    if victim == "worker":
        for worker in proc.find("qemud-worker", host.UID["alice"]):
            os.kill(worker.pid, signal.SIGKILL)
    elif victim == "starter":
        os.kill(broker.starter.pid, signal.SIGKILL)
        broker.child.wait(60)
    else:
        broker.kill()
    clients.communicate(timeout=120)
    if victim != "worker":
        broker.leave()
        broker = host.Broker(idle_seconds=600, max_vms=LIMIT)
    # What the next worker finds half started it ends.
    deadline = time.monotonic() + 60
    while True:
        now = sorted(running("alice"))
        if len(now) == len(vm.qemus("alice")) == len(vm.leaves()) or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    tap.true(len(now) <= OWN, f"what runs: {now}")
    check_count("alice", len(now))
    destroy_all("alice")


for VICTIM in ("worker", "starter", "broker"):
    @tap.test(f"the count is exact after kill -9 of the {VICTIM} in the middle of starts")
    def _():
        for _ in range(host.count(full=2, long=20)):
            killed_while_starting(VICTIM)


@tap.test("who has her worker stand still keeps what she has, and gains nothing")
def _():
    host.virsh("alice", "start", NAMES[0])
    host.virsh("alice", "start", NAMES[1])
    worker = host.worker_of("alice")
    with host.identity("alice"):
        os.kill(worker.pid, signal.SIGSTOP)
    host.virsh("bob", "start", "his")
    vm.define("bob", "other", 202)
    tap.true("limit" in host.virsh_fails("bob", "start", "other"), "bob has what is left")
    with host.identity("alice"):
        os.kill(worker.pid, signal.SIGKILL)
    said = host.virsh_fails("alice", "start", NAMES[2])
    tap.true("limit vms" in said, f"the next worker is told: {said}")
    tap.equal(sorted(running("alice")), NAMES[:2], "what runs")
    host.virsh("bob", "destroy", "his")
    destroy_all("alice")


def passts():
    return {p.pid for name in ("passt", "passt.avx2") for p in proc.find(name, host.UID["alice"])}


@tap.test("who kills her passt has no room for more, and root ends that machine")
def _():
    vm.define("alice", "lan", 203, "<interface type='user'><model type='virtio'/></interface>")
    host.virsh("alice", "start", "lan")
    host.virsh("alice", "start", NAMES[1])
    eventually("a passt", passts)
    killed = passts()
    with host.identity("alice"):
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
    tap.true("limit vms" in host.virsh_fails("alice", "start", NAMES[2]), "alice is told")
    eventually("another passt", lambda: passts() - killed)
    tap.true("limit vms" in host.virsh_fails("alice", "start", NAMES[2]), "alice is told again")
    host.virsh("root", "destroy", "alice:lan", uri=SYSTEM)
    tap.equal(running("alice"), [NAMES[1]], "what runs")
    eventually("its passt goes", lambda: not passts())
    destroy_all("alice")


def with_company(end):
    """alice's machine runs, and in its leaf another process, as if a program in its box had become two; her
    worker stands still. end(QEMU) is the end of both."""
    host.virsh("alice", "start", NAMES[0])
    host.virsh("bob", "start", "his")
    leaf, = glob.glob(f"{os.environ['TEST_CGROUP']}/u{host.UID['alice']}/vm-*")
    worker, qemu = host.worker_of("alice"), vm.qemu("alice")
    # pylint: disable-next=consider-using-with
    second = subprocess.Popen(host.command_as("alice", "sleep", "600"))
    try:
        with open(f"{leaf}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(second.pid))
        with host.identity("alice"):
            os.kill(worker.pid, signal.SIGSTOP)
        tap.true("limit vms (half" in host.virsh_fails("bob", "start", "other"), "it is counted")
        end(qemu)
        tap.equal(second.wait(60), -signal.SIGKILL, "the end of the second process")
        eventually("its leaf goes", lambda: not os.path.exists(leaf))
        eventually("there is room", lambda: host.run_as("bob", "virsh", "-c", host.URI, "start", "other").returncode == 0)
    finally:
        second.kill()
        with host.identity("alice"), contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)
    eventually("alice sees it", lambda: running("alice") == [])
    destroy_all("bob")


def kill_as_alice(qemu):
    with host.identity("alice"):
        os.kill(qemu.pid, signal.SIGKILL)


for HOW, END in (("root ends the machine", lambda _: host.virsh("root", "destroy", f"alice:{NAMES[0]}", uri=SYSTEM)),
                 ("its owner kills QEMU", kill_as_alice)):
    @tap.test(f"a second process in a machine's leaf counts with it, and ends with it: {HOW}, whose worker is stopped")
    def _():
        vm.define("bob", "other", 202)
        with_company(END)


host.finish()
