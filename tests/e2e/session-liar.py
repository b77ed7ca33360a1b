# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: without a broker, a worker that breaks the rules of its link is killed and the next one started, one
# that dies, hangs or says nothing in whatever state keeps its session from nothing, and what runs goes on.
# test: timeout=240
import contextlib
import os
import signal

import host
import proc
import stand_in
import tap
import vm
from brokerless import SOCK, URI, Session

UID = host.UID["alice"]
stand_in.install("qemud-worker", "access(PLACE \"/puppets\", F_OK) == 0")


def switch(name, on):
    path = f"{stand_in.PLACE}/{name}"
    if on:
        with open(path, "w", encoding="ascii"):
            pass
    elif os.path.exists(path):
        os.unlink(path)


def workers():
    return proc.find("qemud-worker", UID) + proc.find("python3", UID)


def kill_worker(puppet=True):
    """It ends, and the next one is started: it has its own program by then, and has seen the switches."""
    tap.eventually("a worker to kill", workers)
    start = len(session.log.lines)
    for process in workers():
        end = proc.End(process)
        os.kill(process.pid, signal.SIGKILL)
        end.wait(60)
    session.log.wait("qemud-worker: started", start=start)
    tap.eventually("its program", lambda: proc.find("python3", UID) if puppet else workers())


def alice(*words):
    return host.virsh("alice", *words, uri=URI)


session = Session(words=("qemud-session",))


@tap.test("a machine that ends before the next worker has said anything ends nothing else")
def _():
    with open("/tmp/one.xml", "w", encoding="ascii") as file:
        file.write(vm.definition("one", 1))
    alice("define", "/tmp/one.xml")
    alice("start", "one")
    switch("puppets", True)
    switch("mute", True)
    kill_worker()
    start = len(session.log.lines)
    os.kill(vm.qemu("alice").pid, signal.SIGKILL)
    session.log.wait("qemud-box: ended with signal 9", start=start)
    tap.equal(session.child.poll(), None, "the session")
    switch("puppets", False)
    switch("mute", False)
    kill_worker(puppet=False)
    tap.equal(alice("domstate", "one"), "shut off", "state")
    alice("start", "one")


CRIMES = {
    "HELLO again": "result = say(2, struct.pack('=II', 7, 0))",
    "another build's": "result = say(8, b'', 5, version=2)",
    "a byte": "result = raw(b'x')",
    "more than a packet": "result = raw(bytes(600))",
    "a lease, but for a byte": "result = say(14, bytes(31), 9)",
    "a lease of no memory": "result = say(14, bytes(16) + struct.pack('=QII', 0, 1, 0), 9)",
    "with a descriptor": "result = say(8, b'', 5, fds=[1])",
    "with 253 descriptors": "result = say(8, b'', 5, fds=[1] * 253)",
    "an answer to nothing": "result = say(5, passed[:8], 4711)",
    "what is the broker's to say": "result = say(10)",
    "what is the starter's": "result = say(36, bytes(72), 5)",
    "number 65535": "result = say(65535)",
}


@tap.test("whatever it says wrongly, it is killed, the next one serves, and what runs goes on")
def _():
    qemu = vm.qemu("alice").pid
    switch("puppets", True)
    kill_worker()
    files = None
    for title, code in CRIMES.items():
        start = len(session.log.lines)
        with stand_in.Strings("alice", SOCK) as strings:
            with contextlib.suppress(stand_in.Over):
                tap.equal(strings.run(code), 0, f"{title}: said")
                strings.wait_over()
        session.log.wait("violation by the worker", start=start)
        session.log.wait("qemud-worker: started", start=start)
        tap.equal((session.child.poll(), vm.qemu("alice").pid), (None, qemu), f"{title}: session and QEMU")
        now = len(proc.Process(session.child.pid).descriptors())
        files = files or now
        tap.true(now <= files + 2, f"{title}: {now} descriptors, {files} before")


@tap.test("what is a broker's to decide is nobody's here: it does no harm")
def _():
    with stand_in.Strings("alice", SOCK) as strings:
        got = strings.run(f"""
for kind, body in ((44, struct.pack('=II', 3, 0)), (48, bytes(8)), (50, passed[:8] + struct.pack('=II', {UID}, 0)),
                   (52, passed[:8] + struct.pack('=II', {UID}, 1)), (70, b''), (28, struct.pack('=IIQ', 1, 1, 65536))):
    say(kind, body, 5)
say(18, struct.pack('=II', 4711, 0))
say(22, struct.pack('=II', 4711, 1), 6)
say(20, struct.pack('=II', 0, 0), 7)
result = hear(23)[2], hear(21)[2]""")
        tap.true(got[0] < 0 and got[1] == 0, f"no network for what does not run, and its one machine is found: {got}")
        # As many as it likes, without reading one answer.
        strings.run("for _ in range(20000):\n if say(20, struct.pack('=II', 0, 0), 8): break")
        tap.equal(strings.run("result = 1"), 1, "it lives")
    tap.equal(session.child.poll(), None, "the session")
    kill_worker()


@tap.test("it dies with leases, tools and connections in hand: they end, and the next one begins anew")
def _():
    for act in ("say(14, bytes(15) + b'9' + struct.pack('=QII', 65536, 1, 0), 9)",
                "say(14, bytes(15) + b'9' + struct.pack('=QII', 65536, 1, 0), 9); hear(15)",
                "say(12, struct.pack('=II', 1, 0), 9)", "say(12, struct.pack('=II', 1, 0), 9); hear(13)"):
        start = len(session.log.lines)
        with stand_in.Strings("alice", SOCK) as strings:
            with contextlib.suppress(stand_in.Over):
                strings.run(act + "; os._exit(3)")
            session.log.wait("qemud-worker: ended with status 3", start=start)
            session.log.wait("qemud-worker: started", start=start)
        tap.eventually("boxes that nobody has a plan for end", lambda: not proc.find("qemud-box", UID))
    notes = [name for name in os.listdir("/home/alice/.qemud/run") if name.endswith(".lease")]
    tap.equal(notes, [f"{vm.uuid(1)}.lease"], "notes")


@tap.test("one that lets go of its link and lives on is ended")
def _():
    start = len(session.log.lines)
    with stand_in.Strings("alice", SOCK) as strings:
        with contextlib.suppress(stand_in.Over):
            strings.run("link.shutdown(2); link.close(); select.select([], [], [], 1000)")
        session.log.wait("qemud-worker: ended with signal 9", start=start)
        session.log.wait("qemud-worker: started", start=start)


@tap.test("a session ends when it is told to, though its worker stands still; what runs goes on")
def _():
    qemu = vm.qemu("alice").pid
    tap.eventually("a worker that has its own program", lambda: proc.find("python3", UID))
    for process in workers():
        os.kill(process.pid, signal.SIGSTOP)
    tap.equal(session.stop(), 0, "exit status")
    tap.equal((vm.qemu("alice").pid, workers()), (qemu, []), "what is left")


@tap.test("the next session has what runs, and ends it")
def _():
    global session
    switch("puppets", False)
    session = Session(words=("qemud-session",))
    tap.equal(alice("domstate", "one"), "running", "state")
    alice("destroy", "one")
    tap.equal(vm.qemus("alice"), [], "QEMUs")
    tap.equal(session.stop(), 0, "exit status")


host.finish()
