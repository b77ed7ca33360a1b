# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a worker that lies to the broker and to views in whatever way costs its own user's rows and
# calls: the machines of others are listed, found, told of and obey as if it were not there, no quota is
# exceeded, an administrator ends what it holds, and broker, views and other workers live on.
# test: timeout=600 once
import contextlib
import errno
import os
import signal
import subprocess
import threading
import uuid as uuids

import host
import proc
import stand_in
import tap
import vm

host.TRACED = False  # the puppet makes any call
SYSTEM, SYSTEM_RO = (uri.replace("///session", "///system") for uri in (host.URI, host.URI_RO))
BOB = host.UID["bob"]
POLICY = """allow everyone manage own
limit user bob vms 2 vcpus 3 memory 256M
"""
os.makedirs("/etc/qemud", exist_ok=True)
with open("/etc/qemud/policy.conf", "w", encoding="ascii") as file:
    file.write(POLICY)
stand_in.install("qemud-worker", f"getuid() == {BOB}")
broker = host.start_broker(idle_seconds=600)
for number, user in enumerate(("alice", "carol"), 1):
    vm.define(user, "box", number)
host.virsh("alice", "start", "box", "--paused")
ALICES_ID = vm.ids("alice")["box"]
ALICES_UUID = uuids.UUID(vm.uuid(1)).bytes

# --- what bob's worker is made to do ----------------------------------------------------------------

# It lists this and that, and answers every client as a worker does until it is asked for something.
BASE = '''
import fcntl
import threading

def packet(procedure, serial, payload=b"", kind=1, status=0, program=0x20008086, version=1):
    return struct.pack(">IIIiIII", 28 + len(payload), program, version, procedure, kind, serial, status) + payload

def text(data):
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)

def dom(name, uuid, number):
    return text(name) + uuid + struct.pack(">i", number)

def lie(sock, procedure, serial, payload):
    pass

def listen(sock):
    pass

def serve(sock):
    data = b""
    try:
        listen(sock)
        while True:
            while len(data) < 4 or len(data) < struct.unpack(">I", data[:4])[0]:
                piece = sock.recv(1 << 16)
                if not piece:
                    return
                data += piece
            size, program, _, procedure, kind, serial, _ = struct.unpack(">IIIiIII", data[:28])
            payload, data = data[28:size], data[size:]
            if program == 0x6b656570:
                told["pings"] = told.get("pings", 0) + 1
                if told.get("pongs", True):
                    sock.sendall(packet(2, 0, kind=2, program=program))
            elif procedure == 66:
                sock.sendall(packet(66, serial, struct.pack(">Ii", 1, 0)))
            elif procedure in (1, 2):
                sock.sendall(packet(procedure, serial))
            elif procedure == 60:
                sock.sendall(packet(60, serial, struct.pack(">i", 1)))
            else:
                told["calls"] = told.get("calls", 0) + 1
                lie(sock, procedure, serial, payload)
    except OSError:
        pass
    finally:
        sock.close()

def on_conn(body, sock):
    sock.setblocking(True)
    threading.Thread(target=serve, args=(sock,), daemon=True).start()

def shelf(data):
    if "place" not in told:
        told["place"] = hear(90)[4][0]
    os.pwrite(told["place"], data, 0)
    say(44, struct.pack("=II", len(data), 0), 7)
    return hear(45)[2]

def lease(uuid, memory=65536, vcpus=1):
    say(14, uuid + struct.pack("=QII", memory, vcpus, 0), 9)
    answer = hear(15)
    if answer[2] == 0:
        told.setdefault("seeds", []).append(answer[4][0])
    return answer[2], struct.unpack("=I", answer[3][:4])[0]

def run_qemu():
    """What was leased last becomes a QEMU that does nothing (worker/box/plan.h)."""
    seed = socket.socket(fileno=told["seeds"].pop())
    plan, log = (os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING | 8) for name in ("plan", "log"))
    words = "plan=1", "program=qemu-system-x86_64", "profile=vm", *(
        f"arg={word}" for word in ("-machine", "none", "-nodefaults", "-display", "none"))
    os.write(plan, "".join(word + "\\0" for word in words).encode())
    fcntl.fcntl(plan, fcntl.F_ADD_SEALS, 15)
    for what, fds in ((b"P", [plan]), (b"F", [log]), (b"E", [])):
        seed.sendmsg([what], [(1, 1, array.array("i", fds))] if fds else [])
    seed.setblocking(True)
    return seed.recv(512), seed.recv(512)

for waiting in conns:
    on_conn(*waiting)
conns.clear()
'''
ROW = "{id}\t{state}\t1\tp\t{uuid}\t{name}\n"


def rows(*machines):
    lines = [ROW.format(**{"id": 0, "state": 5, "uuid": vm.uuid(21), **machine}) for machine in machines]
    return "".join(sorted(lines, key=lambda line: line.split("\t")[5])).encode() + b"+0\n"


class Liar(stand_in.Strings):
    """bob's worker, in hand: it lists one machine, which does not run."""

    def __init__(self):
        end_liar()
        super().__init__("bob")
        self.run(BASE)
        self.shelve({"name": "lie"})

    def shelve(self, *machines):
        tap.equal(self.run(f"result = shelf({rows(*machines)!r})"), 0, "the inventory is kept")


def end_liar():
    """There is none, until somebody wants one."""
    for process in proc.find("python3", BOB):
        end = proc.End(process)
        os.kill(process.pid, signal.SIGKILL)
        end.wait(60)


# --- what must be so whatever it does ----------------------------------------------------------------


def root(*words, uri=SYSTEM, patience=90):
    """How virsh ended; None: its client has lost patience."""
    try:
        result = host.run_as("root", "virsh", "-c", uri, *words, timeout=patience)
    except subprocess.TimeoutExpired:
        return None
    tap.true(result.returncode in (0, 1), f"{words}: {result.returncode} {result.stderr}")
    return result


def told_of(user, name):
    said = root("domstate", f"{user}:{name}")
    tap.equal((said.returncode, said.stdout.strip()), (0, "paused" if user == "alice" else "shut off"), said.stderr)


DERIVED = root("domuuid", "alice:box").stdout.strip()
watcher = vm.Watcher("root", SYSTEM_RO)
n_turns = 0


def others_are_well():
    """alice's and carol's machines, by list, name, UUID and id, told of and obeying; and what is heard of them."""
    global n_turns
    for uri in (SYSTEM, SYSTEM_RO):
        said = root("list", "--all", "--name", uri=uri)
        tap.equal(said.returncode, 0, said.stderr)
        names = said.stdout.rstrip("\n").split("\n")
        tap.equal([name for name in names if not name.startswith("bob:")], ["alice:box", "carol:box"], f"names in {names[:9]}")
        tap.true(all(c.isprintable() for name in names for c in name), f"what drives no terminal: {names[:9]}")
    tap.equal(root("domname", DERIVED).stdout.strip(), "alice:box", "by UUID")
    tap.equal(root("domname", str(ALICES_ID)).stdout.strip(), "alice:box", "by id")
    told_of("alice", "box")
    told_of("carol", "box")
    for words in ("resume", "suspend"):
        tap.equal(root(words, "alice:box").returncode, 0, words)
    n_turns += 1
    watcher.wait("alice:box", *["resumed", "suspended"] * n_turns)
    tap.equal(host.virsh("alice", "list", "--all", "--name").split(), ["box"], "alice's own")
    tap.true(len(bobs_leaves()) <= 2, "bob's quota")


def bobs_leaves():
    try:
        return [name for name in os.listdir(f"{os.environ['TEST_CGROUP']}/u{BOB}") if name.startswith("vm-")]
    except FileNotFoundError:
        return []


def programs():
    """What lives on."""
    return {"broker": broker.process.pid, "starter": broker.starter.pid,
            "alice": host.worker_of("alice").pid, "carol": host.worker_of("carol").pid,
            **{f"view {process.pid}": process.pid for process in proc.find("qemud-view")}}


def sizes():
    """{program: (descriptors, KiB)}"""
    found = {}
    for name, pid in programs().items():
        process = proc.Process(pid)
        found[name] = len(process.descriptors()), int(process.status()["VmRSS"].split()[0])
    return found


def asked_of_bob():
    """What is asked of him costs who asks, and is over in time, or when she loses patience."""
    said, patience = {}, host.count(full=2, long=80)
    asked = (("state", "domstate", "bob:lie"), ("xml", "dumpxml", "bob:lie"), ("start", "start", "bob:lie"))

    def ask(key, words, seconds):
        said[key] = root(*words, patience=seconds)
    threads = [threading.Thread(target=ask, args=(key, words, patience)) for key, *words in asked]
    # These wait for all workers, and for none without end.
    threads.append(threading.Thread(target=ask, args=("stats", ("domstats", "--balloon"), 90)))
    for thread in threads:
        thread.start()
    others_are_well()
    for thread in threads:
        thread.join()
    stats = said.pop("stats", None)
    tap.true(stats and stats.returncode == 0 and "Domain: 'alice:box'\n  balloon." in stats.stdout, f"{stats}")
    tap.equal(stats.stdout.count("'alice:box'"), 1, f"rows of alice's in {stats.stdout[:400]}")
    tap.equal(set(said), {key for key, *_ in asked}, "all have ended, none by a signal")
    if host.LONG:
        tap.true(all(said.values()), f"each was told something: {said}")


def was_asked(liar):
    """Where all takes long, the patience of those who ask may have ended before."""
    tries = 20
    while liar.run("result = told.get('calls', 0)") == 0:
        tries -= 1
        tap.true(tries > 0, "it was asked")
        asked_of_bob()


@tap.test("to begin with all is well, and bob's worker is another's")
def _():
    with Liar() as liar:
        others_are_well()
        tap.true("bob:lie" in root("list", "--all", "--name").stdout, "bob's row")
        tap.equal(liar.run("result = len(conns)"), 0, "all its connections are served")


BEFORE, LIVING = sizes(), programs()

# --- what it answers views ---------------------------------------------------------------------------

ALICES_DOM = f"dom(b'%s', {ALICES_UUID!r}, {ALICES_ID})"
ANSWERS = {
    "nothing": "",
    "nothing, not even that it lives": "told['pongs'] = False",
    "half a frame": "sock.sendall(packet(procedure, serial, bytes(64))[:50])",
    "a length of four GiB": "sock.sendall(b'\\xff' * 28)",
    "a length of three": "sock.sendall(struct.pack('>I', 3) + bytes(24))",
    "without end": "sock.sendall(struct.pack('>IIIiIII', 8 << 20, 0x20008086, 1, procedure, 1, serial, 0))\n"
                   " for _ in range(64): sock.sendall(bytes(1 << 20))",
    "a byte a second": "for byte in packet(procedure, serial, bytes(64)): sock.sendall(bytes([byte])); select.select([], [], [], 0.3)",
    "rubbish": "sock.sendall(os.urandom(65536))",
    "under another serial": "sock.sendall(packet(procedure, serial + 1, bytes(64)))",
    "calls that nobody made": "for n in range(1000): sock.sendall(packet(n % 450, 100000 + n, bytes(64)))",
    "in another program": "sock.sendall(packet(procedure, serial, program=0x20008087))",
    "in another version": "sock.sendall(packet(procedure, serial, version=2))",
    "to another procedure": "sock.sendall(packet(procedure + 1, serial, bytes(64)))",
    "with a call": "sock.sendall(packet(procedure, serial, payload, kind=0))",
    "with a status there is not": "sock.sendall(packet(procedure, serial, status=77))",
    "twice": "sock.sendall(packet(procedure, serial, bytes(8)) * 2)",
    "without a payload": "sock.sendall(packet(procedure, serial))",
    "with a MiB of zeros": "sock.sendall(packet(procedure, serial, bytes(1 << 20)))",
    "with a MiB of ones": "sock.sendall(packet(procedure, serial, b'\\xff' * (1 << 20)))",
    "with an error of 3 MiB that drives a terminal": "sock.sendall(packet(procedure, serial, struct.pack('>iiI', 38, 10, 1) + "
        "text(b'\\x1b[2J\\n' * (1 << 19)) + struct.pack('>i', 2) + bytes(28), status=1))",
    "with an error that is none": "sock.sendall(packet(procedure, serial, bytes(40), status=1))",
    "with a million rows": "sock.sendall(packet(procedure, serial, struct.pack('>I', 1000000) + "
        "dom(b'x', bytes(16), 1) * 1000000 + struct.pack('>I', 1000000)))",
    "with 16,384 rows, all alice's": f"sock.sendall(packet(procedure, serial, struct.pack('>I', 16384) + "
        f"({ALICES_DOM % 'box'} + bytes(4)) * 16384 + struct.pack('>I', 16384)))",
    "with alice's machine": f"sock.sendall(packet(procedure, serial, {ALICES_DOM % 'alice:box'}))",
    "with a row of alice's": f"sock.sendall(packet(procedure, serial, struct.pack('>I', 1) + {ALICES_DOM % 'alice:box'} + "
        "struct.pack('>I', 1) + text(b'balloon.current') + struct.pack('>iQ', 4, 1)))",
    "with events of alice's machine": "sock.sendall(packet(procedure, serial, struct.pack('>i', 7)))\n"
        f" for name in (b'box', b'alice:box', b'../box'): sock.sendall(packet(318, 0, struct.pack('>i', 7) + "
        f"dom(name, {ALICES_UUID!r}, {ALICES_ID}) + struct.pack('>ii', 5, 1), kind=2) * 50)",
    "with 100,000 events": "sock.sendall(packet(procedure, serial, struct.pack('>i', 7)))\n"
        " sock.sendall(packet(318, 0, struct.pack('>i', 7) + dom(b'lie', bytes(16), -1) + struct.pack('>ii', 2, 0), kind=2) * 100000)",
    "with streams that nobody asked for": "for n in range(1000): sock.sendall(packet(201, n, bytes(1000), kind=3, status=2))",
    "with the end of a stream": "sock.sendall(packet(procedure, serial, kind=3) + packet(procedure, serial, kind=3, status=1))",
    "with 253 descriptors": "sock.sendmsg([packet(procedure, serial)], [(1, 1, array.array('i', [sock.fileno()] * 253))])",
    "with one descriptor, as it says": "sock.sendmsg([packet(procedure, serial, struct.pack('>I', 1), kind=5) + bytes(1)], "
        "[(1, 1, array.array('i', [sock.fileno()]))])",
    "with descriptors that do not come": "sock.sendall(packet(procedure, serial, struct.pack('>I', 32), kind=5) + bytes(32))",
    "with 4,000,000,000 descriptors": "sock.sendall(packet(procedure, serial, struct.pack('>I', 4000000000), kind=5))",
    "with pings without end": "sock.sendall(packet(1, 0, kind=2, program=0x6b656570) * 200000)",
    "that it has closed": "sock.shutdown(2)",
    "half, and that it has closed": "sock.sendall(packet(procedure, serial, bytes(64))[:50]); sock.shutdown(2)",
    "with its own end": "os._exit(1)",
}
HEAVY = "with 16,384 rows, all alice's"
for ANSWER, CODE in ANSWERS.items():
    @tap.test(f"asked for something, it answers {ANSWER}")
    def _():
        with Liar() as liar:
            liar.run(f"def lie(sock, procedure, serial, payload):\n {CODE or 'pass'}\n")
            asked_of_bob()
            if ANSWER != "with its own end":
                was_asked(liar)
        end_liar()

HELLOS = {
    "nothing": "while sock.recv(1 << 16): pass\n sock.close()",
    "that it is over": "sock.shutdown(2)",
    "a stream": "sock.sendall(packet(201, 1, bytes(1000), kind=3, status=2))",
    "an answer too soon": "sock.sendall(packet(66, 1, struct.pack('>Ii', 1, 0)) + packet(1, 2) + packet(1, 3))",
    "that a password is wanted": "sock.sendall(packet(66, 1, struct.pack('>Ii', 1, 1)))",
}
for ANSWER, CODE in HELLOS.items():
    @tap.test(f"when a view comes, it says {ANSWER}")
    def _():
        with Liar() as liar:
            liar.run(f"def listen(sock):\n {CODE}\n")
            asked_of_bob()
        end_liar()

# --- what it lists -----------------------------------------------------------------------------------

LISTS = {
    "garbage": os.urandom(4096),
    "64 KiB without an end": b"x" * 65536,
    "alice's machine, as it is": rows({"name": "box", "id": ALICES_ID, "state": 1, "uuid": vm.uuid(1)}),
    "it under her name": rows({"name": "alice:box", "uuid": vm.uuid(1)}),
    "it under the UUID that it has here": rows({"name": "box", "uuid": DERIVED}),
    "what drives a terminal": rows({"name": "\x1b[2Jbox"}),
    "a name in a folder": rows({"name": "../alice/box"}),
    "a name of 201 bytes": rows({"name": "n" * 201}),
    "as many as there is room for": rows(*({"name": f"{n:05}", "uuid": f"{n:08x}" + vm.uuid(0)[8:]} for n in range(1200))),
    "one of them 1,000 times": rows(*[{"name": "lie"}] * 1000),
    "nothing": b"+0\n",
}
for TITLE, DATA in LISTS.items():
    @tap.test(f"it lists {TITLE}")
    def _():
        with Liar() as liar:
            liar.run(f"result = shelf({DATA!r})")
            others_are_well()
            tap.equal(root("list", "--all", "--name").stdout.count("alice:"), 1, "rows of alice's")


@tap.test("it writes into its place whatever the broker reads meanwhile")
def _():
    with Liar() as liar:
        liar.run("""
def scribble():
    while told["scribble"]:
        os.pwrite(told["place"], os.urandom(65536), 0)
told["scribble"] = True
threading.Thread(target=scribble, daemon=True).start()
""")
        for _ in range(10):
            liar.run("say(44, struct.pack('=II', 65536, 0), 7); hear(45)")
            others_are_well()
        liar.run("""
for size in (0, 100, 1 << 20):
    try:
        os.ftruncate(told["place"], size)
        raise AssertionError(f"it is {size} bytes now")
    except PermissionError:
        pass
told["scribble"] = False
""")

# --- what it wants of the broker ---------------------------------------------------------------------


@tap.test("of a hundred leases it gets as many as its user may have, and no more of each than that")
def _():
    with Liar() as liar:
        granted = liar.run("result = [lease(struct.pack('>QQ', 1, n)) for n in range(100)]")
        tap.equal([error for error, _ in granted].count(0), 2, "granted")
        tap.true({error for error, _ in granted} <= {0, -122, -11}, f"refused in words: {granted[:9]}")
        tap.equal(len(bobs_leaves()), 2, "leaves")
        own = [number for error, number in granted if error == 0]
        tap.true(ALICES_ID not in own, "ids")
        errors = liar.run(f"""
errors = []
for number, vcpus, memory in (({own[0]}, 255, 65536), ({own[0]}, 1, 1 << 34), ({own[1]}, 3, 65536), ({own[1]}, 1, 262144)):
    say(28, struct.pack('=IIQ', number, vcpus, memory), 11)
    errors.append(hear(29)[2])
result = errors""")
        tap.equal(errors, [-122] * 4, "what grows beyond it")
        found = liar.run("""
ids, after = [], 0
while True:
    say(20, struct.pack('=II', after, 0), 12)
    answer = hear(21)
    if answer[2]:
        break
    after = struct.unpack('=I', answer[3][16:20])[0]
    ids.append(after)
result = ids""")
        tap.equal(found, sorted(own), "what it is told it has")
        others_are_well()


@tap.test("an administrator ends what it holds, though it says nothing, or stands still")
def _():
    for how in ("", "os.kill(os.getpid(), 19)"):
        with Liar() as liar:
            uuid = uuids.uuid4()
            error, number = liar.run(f"result = lease({uuid.bytes!r})")
            tap.equal(error, 0, "the lease")
            answer = liar.run("result = run_qemu()")
            tap.true(answer[0].startswith(b"ok ") and answer[1] == b"", f"the box: {answer}")
            liar.shelve({"name": "held", "id": number, "state": 1, "uuid": str(uuid)})
            if how:
                liar.socket.settimeout(3)
                with contextlib.suppress(TimeoutError, stand_in.Over):
                    liar.run(how)
                tap.eventually("it stands still", lambda: all(
                    puppet.status()["State"][0] == "T" for puppet in proc.find("python3", BOB)))
            before = len(bobs_leaves())
            said = root("destroy", "bob:held")
            tap.equal(said.returncode, 0, said.stderr)
            tap.equal(len(bobs_leaves()), before - 1, "leaves")
            others_are_well()
    end_liar()
    tap.equal(bobs_leaves(), [], "what is left")


@tap.test("a lease for alice's UUID is one of its own; what has her id it can neither end, change nor use")
def _():
    qemu = vm.qemu("alice").pid
    with Liar() as liar:
        error, number = liar.run(f"result = lease({ALICES_UUID!r})")
        tap.equal(error, 0, "the lease")
        errors = liar.run(f"""
say(18, struct.pack('=II', {ALICES_ID}, 0))
say(28, struct.pack('=IIQ', {ALICES_ID}, 1, 65536), 11)
say(22, struct.pack('=II', {ALICES_ID}, 1), 13)
result = hear(29)[2], hear(23)[2]""")
        tap.equal(errors, (-2, -2), "about alice's id")
        others_are_well()
        tap.equal(root("list", "--name").stdout.split().count("alice:box"), 1, "what runs of alice's")
        liar.run(f"say(18, struct.pack('=II', {number}, 0)); hear(16)")
    tap.equal((vm.qemu("alice").pid, bobs_leaves()), (qemu, []), "alice's QEMU, and bob's leaves")


CRIMES = {
    "AUTOSTART, the same again": "say(24, struct.pack('=II', 1, 0)); result = say(24, struct.pack('=II', 1, 0))",
    "an inventory before the last is kept": "for _ in range(100): result = say(44, struct.pack('=II', 3, 0), 7)",
    "an inventory of no bytes": "result = say(44, struct.pack('=II', 0, 0), 7)",
    "one of more than there is room for": "result = say(44, struct.pack('=II', 65537, 0), 7)",
    "that somebody's connection has gone": "result = say(6, struct.pack('=Q', struct.unpack('=Q', passed[:8])[0] - 1))",
    "that it does what it was not told": "result = say(27, b'', 1)",
    "what is a view's to say": f"result = say(50, passed[:8] + struct.pack('=II', {host.UID['alice']}, 0), 5)",
    "that a machine of alice's be ended, as a view": f"result = say(52, passed[:8] + struct.pack('=II', {host.UID['alice']}, {ALICES_ID}), 5)",
    "how the host is": "result = say(70, b'', 5)",
    "a lease of no memory": "result = say(14, bytes(16) + struct.pack('=QII', 0, 1, 0), 9)",
    "a lease for 256 processors": "result = say(14, bytes(15) + b'1' + struct.pack('=QII', 65536, 256, 0), 9)",
    "a lease, but for a byte": "result = say(14, bytes(31), 9)",
    "number 65535": "result = say(65535, b'', 0)",
}
for TITLE, CODE in CRIMES.items():
    @tap.test(f"it is killed when it says {TITLE}")
    def _():
        start = len(broker.log.lines)
        with Liar() as liar:
            with contextlib.suppress(stand_in.Over):
                # What is said more than once may find that the first was enough.
                tap.true(liar.run(CODE) in (0, errno.EPIPE), "said")
            liar.wait_over()
        broker.log.wait(rf"violation by worker uid={BOB} ", start=start)
        others_are_well()


@tap.test("all others are the processes that they were, and no larger")
def _():
    end_liar()
    tap.equal({name: pid for name, pid in programs().items() if name in LIVING}, LIVING, "what lives")
    after = sizes()
    # What costs the most, again and again: what a program keeps of its heap is as much as once.
    for _ in range(host.count(full=2, long=20)):
        with Liar() as liar:
            liar.run(f"def lie(sock, procedure, serial, payload):\n {ANSWERS[HEAVY]}\n")
            asked_of_bob()
    end_liar()
    again = sizes()
    tap.note(f"before: {BEFORE}\nafter:  {after}\nagain:  {again}")
    for name, (files, memory) in after.items():
        tap.true(max(files, again[name][0]) <= BEFORE[name][0] + 6, f"descriptors of {name}")
        # AddressSanitizer keeps what was freed.
        if os.environ.get("TEST_TRACE") != "no":
            tap.true(memory <= BEFORE[name][1] + (64 << 10) and again[name][1] <= memory + (4 << 10), f"memory of {name}")


watcher.close()
host.virsh("alice", "destroy", "box")
host.finish()
