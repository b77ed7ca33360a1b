# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a view, one for qemudctl or the refuser that says anything but what is right is killed and
# recorded, whatever its size, descriptors, number, serial or order, and so is one that asks for more than
# its ticket; nobody else notices, and the broker stays as large as it was.
# test: timeout=600
import os
import struct
import subprocess
import time

import host
import record
import rpc
import stand_in
import tap

host.TRACED = False  # the puppets make any call
N_VIEWERS = 30       # each may have ten views at once, then one a second
CTL = "/run/qemud/qemud-ctl"
NOBODY = 4242
POLICY = """allow everyone      manage own
allow group viewers power  user bob
allow user carol    view   all
deny  user carol    view   user qemud-vm
"""
VIEWERS = [f"viewer{number}" for number in range(N_VIEWERS)]
with open("/etc/passwd", "a", encoding="ascii") as passwd, open("/etc/group", "a", encoding="ascii") as group:
    for offset, name in enumerate(VIEWERS):
        uid = 3001 + offset
        passwd.write(f"{name}:x:{uid}:{uid}::/nonexistent:/bin/sh\n")
        group.write(f"{name}:x:{uid}:\n")
        host.UID[name], host.GROUPS[name] = uid, [uid, 3000]
    group.write("viewers:x:3000:" + ",".join(VIEWERS) + "\n")
os.makedirs("/etc/qemud", exist_ok=True)
with open("/etc/qemud/policy.conf", "w", encoding="ascii") as file:
    file.write(POLICY)

# --- what there is to say -------------------------------------------------------------------------

# Number: (name, body when it is right, is it an ask?). CONN stands for the id of the connection.
CONN = b"\0CONN\0\0\0"
BOB, ALICE = host.UID["bob"], host.UID["alice"]
MINE = {2: ("HELLO", struct.pack("=II", 7, 0), False),
        5: ("CONN_TAKEN", CONN, False),
        6: ("CONN_GONE", CONN, False),
        8: ("IDLE_ASK", b"", True),
        27: ("TICKET_CHANGED", b"", False),
        48: ("INVENTORY_NEXT", bytes(8), True),
        50: ("CHANNEL", CONN + struct.pack("=II", BOB, 0), True),
        52: ("VM_STOP", CONN + struct.pack("=II", BOB, 1), True),
        54: ("VM_FREEZE", CONN + struct.pack("=IIII", BOB, 1, 1, 0), True),
        70: ("STATUS", b"", True),
        72: ("STATUS_USER", struct.pack("=II", BOB, 0), True),
        74: ("STATUS_LIMIT", struct.pack("=II", BOB, 3), True),
        76: ("STATUS_VM", struct.pack("=II", BOB, 0), True)}
KINDS = {"a view of the host": ({8, 48, 50, 52, 54}, rpc.SOCKET, {50, 52, 54}),
         "a view for qemudctl": ({8, 48, 70, 72, 74, 76}, CTL, {72, 74, 76}),
         "the refuser": ({8}, rpc.SOCKET, set())}
# The broker's, the starter's, qemud-audit's and a worker's; and what nobody has.
OTHERS = [4, 9, 10, 13, 15, 16, 21, 23, 26, 29, 30, 45, 46, 49, 51, 53, 55, 71, 73, 75, 77, 78, 90,
          *range(32, 44), *range(56, 60), *range(64, 70), 12, 14, 18, 20, 22, 24, 28, 44,
          0, 1, 3, 7, 31, 47, 63, 89, 91, 255, 256, 4097, 65535]
KINDS_OF_FD = ("os.open('/', os.O_PATH)", "os.pipe()[1]", "socket.socketpair()[0].detach()",
               "link.fileno()", "os.memfd_create('x')", "os.eventfd(0)")


def source(body):
    """That body in the puppet's own words."""
    return "+".join("passed[:8]" if part == CONN else repr(part)
                    for part in ([CONN, body[8:]] if body.startswith(CONN) else [body]))


def saying(kind, body, more=""):
    serial = 5 if MINE.get(kind, (0, 0, kind % 2 == 0))[2] else 0
    return f"result = say({kind}, {source(body)}, {serial}{more})"


def wrong_ways(may_ask, only_told):
    """Each with its name."""
    for kind, (title, body, ask) in MINE.items():
        right = len(body)
        for size in sorted({0, 1, right - 1, right + 1, 496, 497, 4080} - {right, -1}):
            wrong = (body if body else bytes(1)) + bytes(size) if size > right else body
            yield f"{title} of {size} bytes", f"result = say({kind}, ({source(wrong)})[:{size}], {5 if ask else 0})"
        yield f"{title} that says one more", saying(kind, body, f", size={right + 1}")
        yield f"{title} that says 65535", saying(kind, body, ", size=65535")
        yield f"{title} of another build", saying(kind, body, ", version=2")
        yield f"{title} with an error", saying(kind, body, ", err=-5")
        yield f"{title} that says one descriptor", saying(kind, body, ", n_fds=1")
        yield f"{title} with the wrong kind of serial", f"result = say({kind}, {source(body)}, {0 if ask else 5})"
        for count in (1, 2, 4, 5, 64, 253):
            fd = KINDS_OF_FD[(kind + count) % len(KINDS_OF_FD)]
            yield f"{title} with {count} descriptors", saying(kind, body, f", fds=[{fd}] * {count}")
        if ask and kind not in may_ask:
            yield f"{title}, which is not its to say", saying(kind, body)
    for kind in OTHERS:
        yield f"number {kind}", f"result = say({kind}, serial={0 if kind % 2 else 5})"
    yield "one byte", "result = raw(b'x')"
    yield "a header but for one byte", "result = raw(bytes(15))"
    yield "descriptors alone", "result = raw(b'', [link.fileno()])"
    yield "HELLO again", saying(2, MINE[2][1])
    yield "that it takes what it has taken", saying(5, CONN)
    yield "that another has gone", "result = say(6, struct.pack('=Q', struct.unpack('=Q', passed[:8])[0] + 1))"
    yield "that it has gone, twice", "say(6, passed[:8]); result = say(6, passed[:8])"
    yield "as much as it can without reading", (
        "for _ in range(100000):\n if say(8, b'', 5): select.select([], [link], [])\nresult = 'all of it was read'")
    if not only_told:
        return
    yield "the same of all it may ask", (
        "for _ in range(100000):\n if say(48, bytes(8), 5): select.select([], [link], [])\nresult = 'all of it was read'")
    for kind in sorted(only_told):
        title, body, _ = MINE[kind]
        at = 8 if body.startswith(CONN) else 0
        for who in (ALICE, 0, NOBODY, 991, 0xffffffff):
            yield f"{title} of uid {who}", saying(kind, body[:at] + struct.pack("=I", who) + body[at + 4:])
        if not at:
            continue
        for conn in ("0", "1", "2**64 - 1", "struct.unpack('=Q', passed[:8])[0] + 1", "struct.unpack('=Q', passed[:8])[0] - 1"):
            yield f"{title} for connection {conn[:12]}", (
                f"result = say({kind}, struct.pack('=Q', {conn}) + {body[8:]!r}, 5)")
        yield f"{title} for a connection that has gone", f"say(6, passed[:8]); {saying(kind, body)}"


LEARN = """
after, owners = 0, []
while say(48, struct.pack('=Q', after), 5) == 0:
    found = hear(49)
    if found[2]:
        break
    after, owner = struct.unpack_from('=QI', found[3])
    owners.append(owner)
    os.close(found[4][0])
result = owners
"""


# --- who says it ----------------------------------------------------------------------------------


class Intruders:
    """Puppets, each of them used until it is killed; the next one is another principal's."""

    def __init__(self, path, learns):
        self.path, self.learns = path, learns
        self.n, self.strings = 0, None
        self.killed = self.held_back = 0

    def who(self):
        return VIEWERS[self.n % N_VIEWERS]

    def get(self):
        if not self.strings:
            self.n += 1
            # Whom policy lets in nowhere is the refuser's.
            self.strings = stand_in.Strings(self.who() if self.learns else NOBODY, self.path)
            if self.learns:
                tap.true(BOB in self.strings.run(LEARN), "it is told of bob")
        return self.strings

    def try_out(self, title, code):
        strings, start = self.get(), len(broker.log.lines)
        try:
            result = strings.run(code)
            # Since Linux 6.16 the broker's queue takes no descriptor.
            if result == 1 and "fds" in code or "raw(b''" in code and result == 1:
                self.held_back += 1
                return
            tap.equal(result, 0, "said")
            strings.wait_over()
        except stand_in.Over:
            strings.close()
        except (TimeoutError, AssertionError) as error:
            raise AssertionError(f"{title}: it is not killed: {error}") from error
        self.strings = None
        self.killed += 1
        whose = f"view uid={host.UID[self.who()]}" if self.learns else "refuser uid=992"
        broker.log.wait(rf"violation by {whose} pid=\d+: ", start=start)


def size_of(process):
    """Descriptors, and KiB of memory."""
    return len(process.descriptors()), int(process.status()["VmRSS"].split()[0])


def served(kind):
    """Everybody else, as ever."""
    tap.equal(host.virsh("alice", "list", "--name"), "", "alice's worker")
    if kind != "a view of the host":
        tap.true(host.virsh("root", "list", uri=host.URI_RO.replace("session", "system", 1)), "root's view")
    if kind != "a view for qemudctl":
        said = subprocess.run(host.command_as("carol", "/srv/qemud/sbin/qemudctl", "status"), capture_output=True,
                              text=True, timeout=60, check=False)
        tap.true(said.returncode == 0 and "bob" in said.stdout, f"carol's qemudctl: {said.stdout} {said.stderr}")
    if kind != "the refuser":
        with host.identity(NOBODY), rpc.Client() as client:
            tap.true(client.call(rpc.AUTH_LIST).error, "who is nobody is told so")


def knows(strings):
    """Carol's puppet is told of both, when their workers have said that they are there."""
    deadline = time.monotonic() + 60
    while not {ALICE, BOB} <= set(strings.run(LEARN)):
        tap.true(time.monotonic() < deadline, "carol is told of alice and bob")
        time.sleep(0.05)


def violations():
    return sum(row.get("count", 1) for row in record.of("process", "violation"))


WORDS = {"a view of the host": "strcmp(first, \"--host\") == 0", "a view for qemudctl": "strcmp(first, \"--ctl\") == 0",
         "the refuser": "strcmp(first, \"--refuse\") == 0"}
for KIND, (MAY_ASK, PATH, ONLY_TOLD) in KINDS.items():
    stand_in.install("qemud-view", WORDS[KIND])
    broker = host.start_broker(idle_seconds=600)
    host.virsh("bob", "list")

    @tap.test(f"{KIND} is answered what it may ask")
    def _():
        intruders = Intruders(PATH, bool(ONLY_TOLD))
        for number in sorted(MAY_ASK, key=lambda number: (number == 8, number)):  # which lets it go
            title, body, _ = MINE[number]
            # The answer tells bob's worker to take a channel, or there is no such machine of his.
            got = intruders.get().run(f"{saying(number, body)}; result = result, hear({number + 1})[2]")
            tap.equal(got[0], 0, title)
            tap.true(got[1] in (0, -2), f"{title}: {got}")
        intruders.strings.close()

    @tap.test(f"{KIND} is killed for whatever else it says, and nobody else notices")
    def _():
        intruders = Intruders(PATH, bool(ONLY_TOLD))
        lies = list(wrong_ways(MAY_ASK, ONLY_TOLD))
        kept = None
        if KIND == "the refuser":
            # There is one for all, which is started once a second.
            lies = lies[::host.count(full=11, long=1)]
        if ONLY_TOLD:
            # One more principal's, which stays.
            kept = stand_in.Strings("carol", PATH)
            served(KIND)
            knows(kept)
        served(KIND)
        n_first = N_VIEWERS if ONLY_TOLD else 3
        for _ in range(n_first):
            intruders.try_out("HELLO again", saying(2, MINE[2][1]))
        counted = violations()
        for number, (title, code) in enumerate(lies):
            if number == len(lies) // 2:
                # What is there for each user is there by now.
                before = size_of(broker.process)
            intruders.try_out(title, code)
            if number % 50 == 49:
                served(KIND)
        served(KIND)
        if kept:
            knows(kept)
            kept.close()
        if intruders.strings:
            intruders.strings.close()
        after = size_of(broker.process)
        tap.note(f"{len(lies)} lies: {intruders.killed - n_first} killed for, {intruders.held_back} held back by the kernel; "
                 f"the broker has {after[0]} descriptors and {after[1]} KiB, had {before[0]} and {before[1]}")
        tap.true(after[0] <= before[0] + 4, "descriptors")
        # The ring of records for the audit, which is as large as it is, is touched on the way.
        tap.true(after[1] <= before[1] + 1024, "memory")
        record.eventually(lambda: violations() - counted >= intruders.killed - n_first, "all are recorded")

    tap.test(f"the broker ends, with {KIND} in its place")(lambda: tap.equal(broker.stop(), 0, "exit status"))
host.finish()
