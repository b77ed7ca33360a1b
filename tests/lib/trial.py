# SPDX-License-Identifier: LGPL-2.1-or-later
"""trial.py: something is done with a machine of alice's while something else breaks.

Whatever that is, what is_whole() asks for must be true afterwards:

    trial.begin()
    trial.prepare("start")
    child = trial.act("start")    ... and here something breaks
    ok = trial.is_answered(child)
    trial.is_whole("start", ok, "worker")

Alice's machine is `one`; it has all that is started and handed over with a machine. define happens
while it runs; rename, for which it may not run, while another one does: `by`.
"""
import os
import random
import re
import signal
import subprocess
import time
import traceback

import host
import proc
import rpc
import tap
import vm
from supervisor import Supervisor

SEED = int(os.environ.get("TEST_SEED", time.time()))
CHANCE = random.Random(SEED)
DOMAINS = "/home/alice/.qemud/domains"
RUN = "/run/qemud/users/2001"
SETTINGS = {"idle_seconds": 30, "user_connections_per_second": 100000}
LAN = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"
SCREEN = "<graphics type='vnc'/><video><model type='vga'/></video>"

COMMANDS = {"start": ("start", "one"), "destroy": ("destroy", "one"), "define": ("define", "/tmp/new.xml"),
            "rename": ("domrename", "one", "two")}
KEPT = {"define": "one", "rename": "by"}  # what runs before and after
NUMBERS = {"one": 1, "two": 1, "by": 2}

broker = None
supervisor = None  # of that broker's system calls, and what they are
_supervised = None
_definitions = {}
_qemu = None  # of what is kept


def begin():
    """The broker and the definitions; to be called once, at first."""
    global broker
    # Each system call is asked for here (supervisor.py); strace beside it takes its time.
    host.TRACED = False
    tap.note(f"TEST_SEED={SEED}")
    broker = host.start_broker(**SETTINGS)
    give(LAN + SCREEN)


def give(devices):
    """From now on the machine has these, and a disk."""
    disk = vm.disk(vm.make_file("alice", "disk"))
    for title in ("old", "new"):
        text = vm.definition("one", 1, disk + devices).replace("</name>", f"</name><title>{title}</title>")
        _definitions[title] = text
        with open(f"/tmp/{title}.xml", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(file.name, 0o644)
    _definitions["by"] = vm.definition("by", 2)


# --- alice, without virsh, which takes its time ------------------------------------------------


def call(procedure, payload=b""):
    """One call on a connection of its own. Returns its answer; raises what is an error."""
    with host.client_as("alice") as client:
        reply = client.open().call(procedure, payload)
    if reply.error:
        raise AssertionError(f"procedure {procedure}: {reply.error}")
    return rpc.Reader(reply.payload)


def by_name(procedure, name):
    return call(procedure, vm.wire(name, NUMBERS[name]))


def ids():
    """{name: id, or -1} of all that she has."""
    reader, found = call(rpc.CONNECT_LIST_ALL_DOMAINS, rpc.u32(1) + rpc.u32(0)), {}
    for _ in range(reader.i32()):
        name = reader.string()
        reader.take(16)
        found[name] = reader.i32()
    return found


def running():
    return [name for name, number in ids().items() if number >= 0]


# --- before -----------------------------------------------------------------------------------


def revive():
    """There is a broker, with a starter: without one it ends."""
    global broker
    if broker.starter.pid not in [p.pid for p in proc.find("qemud-launch")]:
        broker.child.wait(60)
    if broker.child.poll() is not None:
        status = broker.leave()
        tap.true(status not in (-signal.SIGSYS, -signal.SIGABRT, -signal.SIGSEGV), f"the broker's end: {status}")
        _start()


def _start():
    global broker, supervisor
    supervisor = Supervisor(_supervised) if _supervised is not None else None
    broker = host.Broker(supervisor=supervisor, **SETTINGS)


def supervise(*calls):
    """From now on there is a broker whose calls of these names, or all, can be made to fail; and those of
    all that it starts."""
    global _supervised
    if _supervised != calls:
        _supervised = calls
        broker.leave()
        _start()


def prepare(operation):
    """What the operation begins with, whatever there is."""
    global _qemu
    revive()
    for name, number in ids().items():
        if number >= 0:
            by_name(rpc.DOMAIN_DESTROY, name)
        if name != "one":
            by_name(rpc.DOMAIN_UNDEFINE, name)
    call(rpc.DOMAIN_DEFINE_XML, rpc.string(_definitions["old"]))
    kept = KEPT.get(operation)
    if kept == "by":
        call(rpc.DOMAIN_DEFINE_XML, rpc.string(_definitions["by"]))
    if kept or operation == "destroy":
        by_name(rpc.DOMAIN_CREATE, kept or "one")
    _qemu = vm.qemu("alice") if kept else None


def act(operation):
    """Begins it, with stock virsh."""
    # pylint: disable-next=consider-using-with
    return subprocess.Popen(
        host.command_as("alice", "virsh", "-c", host.URI, *COMMANDS[operation]), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


# What belongs to alice's machine: QEMU is qemud-box at first, passt what its processor is good at.
PROGRAMS = {"worker": ("qemud-worker",), "QEMU": (vm.QEMU, "qemud-box"), "relay": ("qemud-net",),
            "passt": ("passt.avx2", "passt")}


def find(who):
    """A process of that part, or None."""
    if who in ("broker", "starter"):
        return broker.process if who == "broker" else broker.starter
    found = [p for program in PROGRAMS[who] for p in proc.find(program, host.UID["alice"])]
    return found[0] if found else None


def kill(process):
    """Until it has ended, which it may have by now."""
    try:
        end = proc.End(process)
        os.kill(process.pid, signal.SIGKILL)
        end.wait(60)
    except ProcessLookupError:
        pass
    if process.pid == broker.process.pid:
        broker.child.wait(60)


# --- after ------------------------------------------------------------------------------------


def is_answered(child):
    """It succeeds, says why not, or loses its connection (virsh may die of that): nobody waits for ever."""
    _, said = child.communicate(timeout=90)
    tap.true(child.returncode in (0, -signal.SIGPIPE) or "error: " in said,
             f"status {child.returncode}, {said!r}")
    return child.returncode == 0


def is_whole(operation, ok, killed=None):
    """What runs is what is listed, definitions are old or new; then it can be started and ended.

    ok: the operation was answered with success, and so must have happened."""
    revive()
    names = sorted(set(ids()) - {"by"})
    tap.true(names in ([["one"], ["two"]] if operation == "rename" else [["one"]]), f"names {names}")
    name, = names
    check_definitions(operation, name)
    kept = [KEPT[operation]] if operation in KEPT and killed != "QEMU" else []
    found = settled(kept if operation in KEPT else None)
    if kept:
        tap.equal(vm.qemu("alice").pid, _qemu.pid, "the QEMU that ran before")
        by_name(rpc.DOMAIN_SUSPEND, *kept)
        by_name(rpc.DOMAIN_RESUME, *kept)
    if ok:
        happened(operation, name, found, killed)
    for running_one in found:
        by_name(rpc.DOMAIN_DESTROY, running_one)
    is_empty()
    by_name(rpc.DOMAIN_CREATE, name)
    tap.equal(len(vm.qemus("alice")), 1, "QEMUs")
    by_name(rpc.DOMAIN_DESTROY, name)
    is_empty()
    with host.client_as("bob") as client:
        tap.true(not client.open().call(rpc.CONNECT_GET_TYPE).error, "bob is served")


def settled(want):
    """What runs, when QEMUs are what is listed, and that is what is wanted, if it is known.

    The end of a QEMU is seen a moment later; one that was on its way to become QEMU, when its starter or
    broker was killed, ends by itself."""
    found = None

    def is_so():
        nonlocal found
        found = running()
        return len(vm.qemus("alice")) == len(found) and want in (None, found)
    eventually(is_so, lambda: f"{found} run, {want} are to; QEMUs: {len(vm.qemus('alice'))}")
    return found


def check_definitions(operation, name):
    tap.equal(sorted(set(os.listdir(DOMAINS)) - {"by.xml"}), [f"{name}.xml"], "definitions")
    with open(f"{DOMAINS}/{name}.xml", encoding="utf-8") as file:
        text = file.read()
    tap.true(text.startswith("<") and text.count("</domain>") == 1 and text.endswith("</domain>\n")
             and f"<name>{name}</name>" in text and vm.uuid(1) in text, f"a definition is whole: {text}")
    tap.true("<title>old<" in text or operation == "define" and "<title>new<" in text, "its title")


def happened(operation, name, found, killed):
    """What was answered with success is what is there."""
    if operation == "start" and killed != "QEMU":
        tap.equal(found, ["one"], "what runs after it was started")
    elif operation == "destroy":
        tap.equal(found, [], "what runs after it was destroyed")
    elif operation == "define":
        with open(f"{DOMAINS}/one.xml", encoding="utf-8") as file:
            tap.true("<title>new<" in file.read(), "what was defined is there")
    elif operation == "rename":
        tap.equal(name, "two", "its name after it was renamed")


def eventually(condition, words, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {words()}")
        time.sleep(0.02)


def is_empty():
    """Nothing of a machine is left."""
    programs = [program for who in ("QEMU", "relay", "passt") for program in PROGRAMS[who]]

    def left():
        return [(p.pid, program) for program in programs for p in proc.find(program, host.UID["alice"])]
    # What was on its way as its starter or broker was killed ends by itself.
    eventually(lambda: not left(), lambda: f"left: {left()}")
    # So does what it was given, when it could not be kept.
    eventually(lambda: not vm.leaves(), lambda: f"leaves: {vm.leaves()}")
    tap.equal([n for n in os.listdir(RUN) if n != "autostarted"], [], "files of run-time state")


# --- many of them -----------------------------------------------------------------------------


FAILURES = 5  # after so many it is known


def all_of(every, full, one, words):
    """one(*case) for each of every, or for some of them, or those of which the words match TEST_ONLY. Not
    all that were seen once take place again: packets come together or one by one, say."""
    every = [case for case in every if re.search(os.environ.get("TEST_ONLY", ""), words.format(*case))]
    tap.true(every, "there is something to go wrong")
    most = host.count(full, len(every))
    reached = failed = tried = 0
    for case in CHANCE.sample(every, len(every)):
        # One at least takes place, however many it takes.
        if tried >= most and reached > 0:
            break
        tried += 1
        try:
            reached += one(*case)
        except Exception:
            tap.note(words.format(*case) + "\n" + traceback.format_exc())
            failed += 1
            if failed == FAILURES:
                break
    tap.note(f"{reached} of {tried} took place, of {len(every)} that there are")
    tap.equal(failed, 0, "cases that failed")
    tap.true(reached > 0, "some of them take place")
