# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: without a broker and without root, one user has her machines over sockets of her own;
# nobody else has; what is killed costs no machine.
# test: timeout=480
import os
import re
import signal
import subprocess
import time

import host
import proc
import tap
import vm
from brokerless import HOME, SOCK, SOCK_RO, URI, URI_RO, Session

# Whoever has another root than its mount namespace gets no user namespace (user_namespaces(7)).
OTHER_ROOT = "/srv/root"


def virsh(*words, uri=URI):
    return host.virsh("alice", *words, uri=uri)


def names(*words):
    return sorted(virsh("list", "--name", *words).split())


def define(name, number, devices=""):
    path = f"/tmp/{name}.xml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(vm.definition(name, number, devices))
    virsh("define", path)


def wait(what, want, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = what()
        if got == want:
            return
        time.sleep(0.05)
    tap.equal(got, want, f"within {seconds} s")


def namespaces_of(process):
    return {kind: os.readlink(f"/proc/{process.pid}/ns/{kind}") for kind in ("user", "pid", "net", "ipc")}


session = None


@tap.test("a session begins, says what confines its machines, and has sockets that are alice's alone")
def _():
    global session
    session = Session()
    tap.true(session.log.find("namespaces"), "words about namespaces")
    tap.equal(names("--all"), [], "domains")
    for path in (SOCK, SOCK_RO):
        st = os.stat(path)
        tap.equal((st.st_mode & 0o7777, st.st_uid), (0o600, host.UID["alice"]), path)
    for name in ("qemud-session", "qemud-worker"):
        tap.equal(proc.one(name).ids("Uid"), [host.UID["alice"]] * 4, f"uids of {name}")


if not session:
    tap.end()


@tap.test("stock virsh works: define, list, start, suspend, resume, destroy, undefine")
def _():
    define("one", 1)
    tap.equal(names("--all"), ["one"], "domains")
    virsh("start", "one")
    tap.equal(virsh("domstate", "one"), "running", "state")
    virsh("suspend", "one")
    virsh("resume", "one")
    virsh("destroy", "one")
    virsh("undefine", "one")
    tap.equal(names("--all"), [], "domains")


@tap.test("the read-only socket shows all and changes nothing")
def _():
    define("one", 1)
    tap.equal(virsh("list", "--all", "--name", uri=URI_RO), "one", "list")
    said = host.virsh_fails("alice", "start", "one", uri=URI_RO)
    tap.true("read only access" in said, said)


@tap.test("nobody else is served")
def _():
    for user in ("bob", "carol"):
        said = host.virsh_fails(user, "list", uri=URI)
        tap.true("Permission denied" in said, said)
    host.virsh_fails("root", "list", uri=URI)
    session.log.wait("uid=0 is not served here")


@tap.test("QEMU is boxed: no right, other namespaces, a list of system calls")
def _():
    virsh("start", "one")
    qemu = vm.qemu("alice")
    with open(f"/proc/{qemu.pid}/status", encoding="ascii") as file:
        status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
    tap.equal((status["NoNewPrivs"], status["Seccomp"], int(status["CapEff"], 16), int(status["CapPrm"], 16)),
              ("1", "2", 0, 0), "status")
    tap.equal(status["Uid"].split(), [str(host.UID["alice"])] * 4, "uids")
    if session.log.find("runs in namespaces of its own"):
        mine = namespaces_of(proc.Process(session.child.pid))
        tap.equal([kind for kind, name in namespaces_of(qemu).items() if name == mine[kind]], [], "shared")


@tap.test("one session a home; the second says so and ends")
def _():
    second = Session(wait=False)
    tap.equal(second.child.wait(60), 1, "exit status")
    second.log.wait("is held by another worker of yours")
    tap.equal(names(), ["one"], "the first serves on")


@tap.test("a worker that is killed is started again, and reaches what runs")
def _():
    qemu = vm.qemu("alice")
    for _ in range(host.count(full=2, long=20)):
        worker = host.worker_of("alice")
        end = proc.End(worker)
        os.kill(worker.pid, 9)
        end.wait(60)
        wait(lambda: [p.pid for p in proc.find("qemud-worker") if p.pid != worker.pid] != [], True)
        tap.equal(virsh("domstate", "one"), "running", "state")
    virsh("suspend", "one")
    virsh("resume", "one")
    tap.equal(vm.qemu("alice").pid, qemu.pid, "QEMU")


@tap.test("a machine outlives its session, however that ends, and the next one takes it over")
def _():
    global session
    qemu = vm.qemu("alice")
    number = virsh("domid", "one")
    for signo in (signal.SIGTERM, signal.SIGKILL):
        worker = proc.End(host.worker_of("alice"))
        session.stop(signo)
        worker.wait(60)
        tap.equal([p.pid for p in vm.qemus("alice")], [qemu.pid], "QEMUs")
        session = Session()
        tap.equal((virsh("domstate", "one"), virsh("domid", "one")), ("running", number), "state")
        said = host.virsh_fails("alice", "start", "one", uri=URI)
        tap.true("already" in said, said)
    # An end that nobody was told of by the kernel's usual way: it is no child of this session.
    end = proc.End(qemu)
    os.kill(qemu.pid, 9)
    end.wait(60)
    wait(lambda: virsh("domstate", "one"), "shut off")
    virsh("start", "one")
    tap.true(int(virsh("domid", "one")) > int(number), "a new id")
    virsh("destroy", "one")
    tap.equal(os.listdir(f"{HOME}/run"), ["autostarted"], "left of it")


@tap.test("a machine that ended while no session was there is shut off; a note of it deceives nobody")
def _():
    global session
    virsh("start", "one")
    qemu = vm.qemu("alice")
    session.stop(signal.SIGKILL)
    wait(lambda: proc.find("qemud-worker"), [])
    end = proc.End(qemu)
    os.kill(qemu.pid, 9)
    end.wait(60)
    note, = [f"{HOME}/run/{name}" for name in os.listdir(f"{HOME}/run") if name.endswith(".lease")]
    with open(note, encoding="ascii") as file:
        text = file.read()
    # Its number is somebody else's now.
    with open(note, "w", encoding="ascii") as file:
        file.write(re.sub(r"pid \d+", f"pid {os.getpid()}", text))
    session = Session()
    tap.equal(virsh("domstate", "one"), "shut off", "state")
    tap.equal(os.listdir(f"{HOME}/run"), ["autostarted"], "left of it")


@tap.test("what starts with the host starts once, however often a session does, and again after another boot")
def _():
    global session
    mark = f"{HOME}/run/autostarted"
    virsh("autostart", "one")
    session.stop()
    session = Session()
    tap.equal(virsh("domstate", "one"), "shut off", "within the same boot")
    session.stop()
    with open(mark, encoding="ascii") as file:
        boot = file.read()
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        tap.equal(boot, file.read().strip(), "the mark")
    with open(mark, "w", encoding="ascii") as file:
        file.write("0" + boot[1:] if boot[0] != "0" else "1" + boot[1:])
    session = Session()
    session.log.wait('dom="one" runs')
    tap.equal(virsh("domstate", "one"), "running", "after another boot")
    with open(mark, encoding="ascii") as file:
        tap.equal(file.read(), boot, "the mark")
    virsh("destroy", "one")
    virsh("autostart", "one", "--disable")


@tap.test("what is no socket is not replaced")
def _():
    global session
    session.stop()
    tap.true(not os.path.exists(SOCK), "its socket went with it")
    with open(SOCK, "w", encoding="ascii") as file:
        file.write("mine")
    other = Session(wait=False)
    tap.equal(other.child.wait(60), 1, "exit status")
    other.log.wait("is there and no socket")
    with open(SOCK, encoding="ascii") as file:
        tap.equal(file.read(), "mine", "the file")
    os.unlink(SOCK)
    session = Session()


@tap.test("where users have no namespaces, it says so, and machines run all the same")
def _():
    global session
    session.stop()
    os.mkdir(OTHER_ROOT)
    subprocess.run(["mount", "--rbind", "/", OTHER_ROOT], check=True)
    session = Session(root=OTHER_ROOT)
    session.log.wait("gives users no namespaces")
    virsh("start", "one")
    with open(f"/proc/{vm.qemu('alice').pid}/status", encoding="ascii") as file:
        tap.true("Seccomp:\t2" in file.read(), "a list of system calls")
    virsh("destroy", "one")
    define("lan", 2, "<interface type='user'/>")
    said = host.virsh_fails("alice", "start", "lan", uri=URI)
    tap.true("passt" in said and "no namespaces" in said, said)


@tap.test("it says how it is called, and processes have their names")
def _():
    for option, want in (("--help", "--session"), ("--version", "qemud-worker ")):
        result = host.run_as("alice", "/srv/qemud/libexec/qemud-worker", option)
        tap.true(result.returncode == 0 and want in result.stdout and not result.stderr, f"{option}: {result}")
    for name in ("qemud-session", "qemud-worker"):
        with open(f"/proc/{proc.one(name).pid}/cmdline", encoding="ascii") as file:
            tap.equal(file.read().split("\0")[0], name, "first word")


@tap.test("root is told that it has a broker")
def _():
    result = host.run_as("root", "/srv/qemud/libexec/qemud-worker", "--session")
    tap.true(result.returncode == 1 and "root has a broker for this" in result.stderr, result.stderr)


@tap.test("it ends when it is told to, and nothing of it is left")
def _():
    worker = proc.End(host.worker_of("alice"))
    tap.equal(session.stop(), 0, "exit status")
    worker.wait(60)
    tap.equal([line for s in Session.all for line in s.log.find(host.FATAL)], [], "lines")


tap.end()
