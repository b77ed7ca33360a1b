# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: words that stand in alice's names, definitions, passwords, console and logs reach whoever has
# the right to them, and nobody else: by replies, events, streams, files, processes, logs and qemudctl.
# test: timeout=600 once
import collections
import os
import signal
import subprocess
import uuid as uuids

import host
import lab
import oracle
import proc
import rpc
import table
import tap
import vm
from lab import BY_NAME, PEOPLE, Machine, canary

POLICY = """allow everyone manage own
allow group tas power group students
allow user helper console group students
allow user monitor view all
allow user admin manage all
deny user dave
"""
TIGHTENED = """deny user helper console user alice
deny user monitor view user alice
"""
ALICE = BY_NAME["alice"]
KEY = 30  # of Linux: a
CTL = "/srv/qemud/sbin/qemudctl"
DENIED = 29
# What files and processes say that somebody may open. Prints path and bytes.
SEARCH = """
import os, sys
out = sys.stdout.buffer
def show(path):
    try:
        with open(path, "rb") as file:
            out.write(path.encode() + b"\\0" + file.read(1 << 20) + b"\\n")
    except OSError:
        pass
for top in sys.argv[1:]:
    for folder, folders, names in os.walk(top):
        for name in folders:
            out.write(os.path.join(folder, name).encode() + b"\\n")
        for name in names:
            out.write(os.path.join(folder, name).encode() + b"\\n")
            show(os.path.join(folder, name))
"""
PROCESSES = """
import os, sys
out = sys.stdout.buffer
for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) == os.getpid():
        continue
    for name in NAMES:
        try:
            with open(f"/proc/{pid}/{name}", "rb") as file:
                out.write(file.read(1 << 20) + b"\\n")
        except OSError:
            pass
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            out.write(os.readlink(f"/proc/{pid}/fd/{fd}").encode() + b"\\n")
    except OSError:
        pass
"""


class Ear:
    """A connection that hears of all events, and what came there that should not have."""

    def __init__(self, side):
        self.side, self.wrong = side, []
        self.heard = collections.Counter()  # events, by whose machine they are of
        self.client = lab.open_side(side)
        self.client.scan = self.scan
        for kind in range(27):
            self.client.ask("connect_domain_event_callback_register_any", eventID=kind)

    def scan(self, packet, sent):
        self.wrong += LAB.canaries.leaks(self.side.over, packet.payload, sent)
        if packet.type == rpc.MESSAGE:
            for dom in table.domains(table.by_number(packet.program, packet.procedure).decode_args(packet.payload)):
                label = dom["name"].split(":")[0] if ":" in dom["name"] else self.side.own.label
                self.heard[label] += 1

    def listen(self):
        """What was on its way until now has come: it stands in front of this answer."""
        self.client.ask("connect_get_type")
        self.client.listen()

    def call(self, name, **values):
        """The serial and the error of a call."""
        row = table.by_name(name)
        serial = self.client.begin(row, row.encode(values))
        return serial, self.client.answer(serial).error


def ear(name, socket="rw"):
    return next(e for e in EARS if e.side.who.name == name and e.side.socket == socket)


def say():
    """The guest says something more."""
    ear("alice").client.ask("domain_send_key", dom=TALK.own_handle(), keycodes=[KEY])


def has_heard(listener, what, enough):
    def missing():
        listener.listen()
        return "" if enough() else f"{listener.side} has not heard {what}"
    lab.until(what, missing)


def stream_text(listener, serial):
    return b"".join(packet.payload for packet in listener.client.streams.get(serial, []) if packet.status == rpc.CONTINUE)


def reload(text):
    start = len(broker.log.lines)
    lab.write_policy(text)
    os.kill(broker.process.pid, signal.SIGHUP)
    broker.log.wait("policy: read again", start=start)


lab.make_accounts()
lab.write_policy(POLICY)
broker = host.start_broker(idle_seconds=600, user_connections_per_second=10000)
LAB = lab.Lab()
TALK = Machine(ALICE, f"{canary('name', ALICE)}-talk", lab.uuid_of(ALICE, 3))
# Cannot start: what it is to boot is no kernel.
BROKEN = Machine(ALICE, f"{canary('name', ALICE)}-broken", lab.uuid_of(ALICE, 4))
LAB.canaries = lab.Canaries([*LAB.machines, TALK, BROKEN])
EARS = []


@tap.test("everybody has machines, and listens on both sockets to all that is told")
def _():
    LAB.begin()
    lab.make_disk(TALK)
    vm.make_boot_disk("alice", lab.disk_of(TALK), canary("console", ALICE))
    for who in PEOPLE:
        for way in ("rw", "ro"):
            side = oracle.Side(POLICY, who, LAB, **lab.WAYS[way])
            if side.all:
                EARS.append(Ear(side))
    tap.true(len(EARS) > 14, f"{len(EARS)} connections")


@tap.test("whose a machine is, and what it is called, is told to who may see it")
def _():
    me = ear("alice").client
    me.ask("domain_define_xml_flags", xml=lab.definition(TALK))
    me.ask("domain_create_with_flags", dom=TALK.own_handle(), flags=0)
    for step in range(2):
        me.ask("domain_suspend", dom=TALK.own_handle())
        me.ask("domain_resume", dom=TALK.own_handle())
        me.ask("domain_set_metadata", dom=TALK.own_handle(), type=1, metadata=f"{canary('title', ALICE)}{step}", flags=1)
    for listener in EARS:
        if "view" in listener.side.over["alice"]:
            def again(listener=listener):
                if listener.heard["alice"] < 2:
                    me.ask("domain_suspend", dom=TALK.own_handle())
                    me.ask("domain_resume", dom=TALK.own_handle())
                return listener.heard["alice"] >= 2
            has_heard(listener, "events of alice's", again)


@tap.test("the console is read by who may, and by nobody else")
def _():
    for listener in EARS:
        may = "console" in listener.side.over["alice"]
        seen = "view" in listener.side.over["alice"]
        serial, error = listener.call("domain_open_console", dom=listener.side.handle(TALK), flags=1)
        if not may:
            tap.true(error and error.code == (DENIED if seen or "console" not in listener.side.all else 42),
                     f"{listener.side}: {error}")
            continue
        tap.true(not error, f"{listener.side}: {error}")
        say()
        has_heard(listener, "what the guest says", lambda e=listener, n=serial: b"a" in stream_text(e, n))
        listener.client.end_stream(serial, table.by_name("domain_open_console"))
    with open(f"{lab.home_of(ALICE)}/log/{TALK.name}.console", "rb") as file:
        tap.true(canary("console", ALICE).encode() in file.read(), "what the guest has said is kept")


@tap.test("the canary on the console reaches who opens it before the guest speaks")
def _():
    reader = ear("helper")
    serial, error = reader.call("domain_open_console", dom=reader.side.handle(TALK), flags=1)
    tap.true(not error, f"{error}")
    ear("alice").client.ask("domain_reset", dom=TALK.own_handle(), flags=0)
    has_heard(reader, "the canary", lambda: canary("console", ALICE).encode() in stream_text(reader, serial))
    reader.client.end_stream(serial, table.by_name("domain_open_console"))


@tap.test("passwords are shown to who may manage, screens to who may look")
def _():
    for listener in EARS:
        over = listener.side.over["alice"]
        listener.client.replies.clear()
        row = table.by_name("domain_get_xml_desc")
        reply = listener.client.answer(listener.client.begin(row, row.encode({"dom": listener.side.handle(TALK), "flags": 1})))
        tap.equal(not reply.error, "manage" in over, f"{listener.side}: {reply}")
        if not reply.error:
            tap.true(lab.password(ALICE).encode() in reply.payload, f"{listener.side}: no password")
        serial, error = listener.call("domain_screenshot", dom=listener.side.handle(TALK))
        tap.equal(not error, "console" in over, f"{listener.side}: screenshot: {error}")
        if not error:
            has_heard(listener, "a picture", lambda e=listener, n=serial: stream_text(e, n))
            listener.client.end_stream(serial, table.by_name("domain_screenshot"))


@tap.test("what a QEMU writes into its log is told to nobody")
def _():
    with open(f"{lab.home_of(ALICE)}/log/{TALK.name}.log", "ab") as file:
        file.write(f"{canary('log', ALICE)}\n".encode())
    qemu = next(q for q in proc.find(vm.QEMU, ALICE.uid) if TALK.name in " ".join(q.arguments()))
    os.kill(qemu.pid, signal.SIGKILL)
    lab.until("it has ended", lambda: ear("alice").client.ask(
        "domain_get_state", dom=TALK.own_handle(), flags=0)["state"] not in (5, 6))
    ear("carol").client.ask("domain_create_with_flags", dom=ear("carol").side.handle(TALK), flags=0)


@tap.test("a definition is read by who may see it; why a start fails is told to who may start, without QEMU's log")
def _():
    kernel = f"{lab.home_of(ALICE)}/images/kernel"
    lab.make_disk(BROKEN)
    with open(kernel, "wb") as file:
        file.write(b"no kernel")
    os.chown(kernel, ALICE.uid, ALICE.uid)
    ear("alice").client.ask("domain_define_xml_flags", xml=lab.definition(
        BROKEN, os_more=f"<kernel>{kernel}</kernel><cmdline>{canary('cmdline', ALICE)}</cmdline>"))
    with open(f"{lab.home_of(ALICE)}/log/{BROKEN.name}.log", "ab") as file:
        file.write(f"{canary('log', ALICE)}\n".encode())
    os.chown(f"{lab.home_of(ALICE)}/log/{BROKEN.name}.log", ALICE.uid, ALICE.uid)
    row = table.by_name("domain_get_xml_desc")
    for listener in EARS:
        sees = "view" in listener.side.over["alice"]
        if sees:
            has_heard(listener, "that there is another", lambda e=listener: not e.call(
                "domain_lookup_by_uuid", uuid=e.side.handle(BROKEN)["uuid"])[1])
        reply = listener.client.answer(listener.client.begin(row, row.encode({"dom": listener.side.handle(BROKEN)})))
        tap.equal(canary("cmdline", ALICE).encode() in reply.payload, sees, f"{listener.side} reads it")
        tap.equal(lab.password(ALICE).encode() in reply.payload, False, f"{listener.side} reads the password")
        _, error = listener.call("domain_create_with_flags", dom=listener.side.handle(BROKEN))
        may = "power" in listener.side.over["alice"]
        tap.true(error and (error.code not in (DENIED, 42)) == may, f"{listener.side} starts it: {error}")


@tap.test("who defines a machine with the UUID of one that she may not see has one of her own, and learns nothing")
def _():
    theirs = next(machine for machine in LAB.machines if machine.owner.name == "carol")
    for name in ("alice", "bob", "helper"):
        me = ear(name)
        for uuid in (theirs.uuid, theirs.shown_uuid()):
            xml = (f"<domain type='qemu'><name>mine</name><uuid>{uuids.UUID(bytes=uuid)}</uuid>"
                   "<memory unit='MiB'>32</memory><os><type>hvm</type></os></domain>")
            dom = me.client.ask("domain_define_xml_flags", xml=xml)["dom"]
            tap.equal(dom, {"name": "mine", "uuid": uuid, "id": -1}, f"what {name} has made")
            me.client.ask("domain_undefine", dom=dom)
        # She knows these UUIDs: she has said them.
        for listener in (me, ear(name, "ro")):
            listener.listen()
            listener.wrong = [one for one in listener.wrong if one[:2] != ("uuid", "carol")]
    _, error = ear("monitor").call("domain_define_xml_flags", xml=xml)
    tap.true(error and error.code == DENIED, f"the monitor, who sees it: {error}")
    tap.equal(LAB.changed([theirs.owner]), None, "what is carol's")


@tap.test("what one may not see any more is silent: consoles end, events stop")
def _():
    reader, watcher, me = ear("helper"), ear("monitor"), ear("alice").client
    serial, error = reader.call("domain_open_console", dom=reader.side.handle(TALK), flags=1)
    tap.true(not error, f"{error}")
    say()
    has_heard(reader, "what the guest says", lambda: stream_text(reader, serial))
    reload(POLICY + TIGHTENED)
    for listener in EARS:
        listener.side = oracle.Side(POLICY + TIGHTENED, listener.side.who, LAB, listener.side.socket, held=listener.side)
    has_heard(reader, "that it is over",
              lambda: any(packet.status == rpc.ERROR for packet in reader.client.streams[serial]))
    packet = next(packet for packet in reader.client.streams[serial] if packet.status == rpc.ERROR)
    tap.equal(packet.error.code, DENIED, f"code: {packet.error}")
    for who in (watcher, ear("monitor", "ro")):
        lab.until("alice's are gone", lambda who=who: [
            dom["name"] for dom in who.client.ask("connect_list_all_domains", need_results=1)["domains"]
            if dom["name"].startswith("alice:")])
        who.wrong.clear()  # what was on its way
    until_now = {who.side.socket: who.heard["alice"] for who in (watcher, ear("monitor", "ro"))}
    text = stream_text(reader, serial)
    say()
    told = ear("admin").heard["alice"]
    me.ask("domain_suspend", dom=TALK.own_handle())
    me.ask("domain_resume", dom=TALK.own_handle())
    # Who may hear of both has, and so would the others.
    has_heard(ear("admin"), "that it stands still and goes on", lambda: ear("admin").heard["alice"] >= told + 2)
    for listener in EARS:
        listener.listen()
    tap.equal({who.side.socket: who.heard["alice"] for who in (watcher, ear("monitor", "ro"))}, until_now,
              "events that the monitor hears")
    tap.equal(stream_text(reader, serial), text, "of the console")
    reload(POLICY)
    for listener in EARS:
        listener.side = oracle.Side(POLICY, listener.side.who, LAB, listener.side.socket, held=listener.side)


@tap.test("nothing came to anybody who may not have it, and to who may see nothing of hers no event")
def _():
    for listener in EARS:
        listener.listen()
        tap.equal(listener.wrong, [], f"what {listener.side} has heard")
        for who in lab.OWNERS:
            if not listener.side.over[who]:
                tap.equal(listener.heard[BY_NAME[who].label], 0, f"events of {who}'s that {listener.side} has heard")


# --- beside the sockets -----------------------------------------------------------------------


def kinds_of(data, over):
    return {one[0] for one in LAB.canaries.leaks(over, data)}


def others(who):
    """What she has of her own is hers to see."""
    return {who.name: oracle.ALL | {None}}


@tap.test("no file that others can read says anything of what alice has")
def _():
    for who in ("bob", "monitor", "4242"):
        uid = BY_NAME[who].uid
        found = subprocess.run(
            ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--", "/usr/bin/python3", "-c", SEARCH,
             "/run", "/var/lib/qemud", "/var/log/qemud", "/home", "/etc/qemud", "/tmp"], capture_output=True, check=True)
        tap.equal(kinds_of(found.stdout, others(BY_NAME[who])), set(), f"canaries that {who} finds")


@tap.test("logs of the host have names, and neither passwords nor what guests and QEMUs say")
def _():
    with open("/var/log/qemud/audit.log", "rb") as file:
        texts = {"audit": file.read(), "journal": "\n".join(broker.log.lines).encode()}
    for name, text in texts.items():
        tap.true(text, name)
        tap.equal(kinds_of(text, {who.name: {"view"} for who in PEOPLE}), set(), f"canaries in the {name}")


@tap.test("qemudctl tells each what policy shows her")
def _():
    commands = (("status",), ("status", "--vms"), ("status", "--vms", "--json"), ("limits",), ("limits", "--json"),
                ("limits", "alice"), ("audit", "tail", "-n", "1000"), ("policy", "check"),
                ("policy", "explain", "alice", "view", "own"))
    named = set()
    for who in PEOPLE:
        over = {owner.name: oracle.rights(POLICY, who, owner) for owner in PEOPLE if owner.account and owner.uid}
        for words in commands:
            if who.uid == 0 and words[0] == "audit":
                continue
            said = subprocess.run(
                ["setpriv", f"--reuid={who.uid}", f"--regid={who.uid}", "--clear-groups", "--", CTL, *words],
                capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
            text = said.stdout + said.stderr
            tap.equal(kinds_of(text, over), set(), f"canaries that {who.name} is told by {words}")
            if canary("name", ALICE).encode() in text:
                named.add(who.name)
    tap.equal(named, {"alice", "carol", "helper", "monitor", "admin", "root"}, "who is told of alice's machines")


@tap.test("of processes others see what the kernel shows everybody, and nothing of a definition's text or secrets")
def _():
    for names, may in (("['cmdline', 'comm', 'status', 'stat', 'cgroup', 'wchan']", {"name", "uuid", "serial"}),
                       ("['environ', 'maps', 'mem', 'mountinfo', 'limits', 'io']", set())):
        found = host.run_as_uid(BY_NAME["bob"].uid, "/usr/bin/python3", "-c", f"NAMES = {names}" + PROCESSES)
        seen = kinds_of(found.stdout.encode(errors="surrogateescape"), others(BY_NAME["bob"]))
        tap.note(f"{names}: {sorted(seen)}")
        tap.true(seen <= may, f"canaries in {names}: {seen}")


for listener in EARS:
    listener.client.close()
LAB.end()
host.finish()
