# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: whoever connects, to either socket, is answered every call about every machine as the table and
# the policy say, before and after a policy is read again, and where she may make it as its owner's own worker
# answers it; what she may not see is as if there were none.
# test: timeout=800 once
import collections
import os
import signal
import uuid as uuids

import asked
import host
import lab
import oracle
import proc
import reference
import rpc
import table
import tap
import vm
from asked import UNKNOWN_OBJECT, Asked
from lab import BY_NAME, PEOPLE, WAYS
from oracle import DENIED, NO_DOMAIN, SERVED

LONG = host.LONG
ROWS = [row for row in table.ROWS if row.name != "connect_close"]
AUTH_FAILED = 45
SHOWN = 40  # faults
# What cannot be done here, or not with these arguments; all else is, of a machine in one state at least.
NEVER_DONE = {
    "connect_open", "auth_sasl_init", "auth_sasl_start", "auth_sasl_step", "auth_polkit",
    "connect_domain_event_callback_deregister_any", "connect_domain_xml_to_native", "domain_abort_job",
    "domain_get_cpu_stats", "domain_interface_stats", "domain_open_channel", "domain_open_graphics",
    "domain_pm_wakeup"}
REFUSED_PARTS = 12  # of the procedures; one is asked in the place of each session

# The admin puts back what calls have changed.
POLICIES = {"a lab": """allow everyone manage own
allow group tas power group students
allow user helper console group students
allow user monitor view all
allow user admin manage all
deny user dave
""", "tightened": """allow everyone manage own
allow group tas power group students
deny group tas power user alice
allow user helper console group students
deny user helper view user alice
allow user monitor view all
deny user monitor view user alice
allow user admin manage all
deny user root console all
""", "delegated": """allow everyone view own
allow group students power own
deny user dave
allow user bob manage user carol
allow user alice console system
allow user monitor console system
allow user admin manage all
allow uid 4242 view user alice
deny group tas manage own
""", "strict": """allow user admin manage all
allow user alice console user alice
allow group lab-admins power all
allow uid 2002 view own
allow user qemud-vm view system
deny user root
"""}
TITLES = list(POLICIES)
# By which the programs as they are installed are asked, and by which those with AddressSanitizer; long, both by all.
HALF = TITLES if LONG else TITLES[1:3] if host.SANITIZED else TITLES[::3]
COUNTS = collections.Counter()
MADE = set()  # calls that may change something: who, which, about what kind of machine


# --- one side ---------------------------------------------------------------------------------


class Session:
    """A side's connection, and what is wrong with what it hears; the number is one of sessions(). Who learns
    is an owner of whom is learned what others have to be answered."""

    def __init__(self, side, number, learns=False):
        self.side, self.number, self.learns, self.faults, self.held = side, number, learns, [], False
        self.filtered = set()  # UUIDs for which events were asked for: once is enough
        self.client = lab.open_side(side)
        self.client.scan = self.scan
        for kind in range(27):
            self.client.ask("connect_domain_event_callback_register_any", eventID=kind)

    def scan(self, packet, sent):
        for word in LAB.canaries.leaks(self.side.over, packet.payload, sent):
            self.faults.append(f"{self.side} hears {word} in a packet of {packet.procedure}")
        if packet.type == rpc.MESSAGE:
            row = table.by_number(packet.program, packet.procedure)
            for dom in table.domains(row.decode_args(packet.payload)):
                self.check_shown(dom, f"{row.name} tells of")

    def prefix(self, machine):
        return self.side.handle(machine)["name"].removesuffix(machine.name)

    def check_shown(self, dom, what):
        """It is one that she may see, or one that she has made with a call."""
        machine = self.side.shown().get(dom["uuid"])
        if machine is None and dom["uuid"] != UNKNOWN_OBJECT.handle["uuid"] and \
                LAB.canaries.leaks(self.side.over, dom["uuid"]):
            self.faults.append(f"{self.side}: {what} {dom}")
        elif machine and dom["name"] not in (self.side.handle(machine)["name"], f"{self.prefix(machine)}renamed"):
            self.faults.append(f"{self.side}: {what} {dom}, which is {self.side.handle(machine)}")

    def settle(self, owners=lab.OWNERS):
        """Until what she has is what is hers by now, and what is of these is as it was."""
        want = sorted((handle["name"], handle["uuid"], handle["id"])
                      for handle in map(self.side.handle, self.side.shown().values()))
        probes = [Asked(self.side, table.by_name(name), asked.Object("", self.side.handle(machine), machine))
                  for machine in LAB.machines if machine.owner.name in owners and not LAB.runs(machine)
                  for name in ("domain_get_state", "domain_attach_device", "domain_send_key", "domain_pm_wakeup")]

        def missing():
            found = self.client.ask("connect_list_all_domains", need_results=1)["domains"]
            found = sorted((dom["name"], dom["uuid"], dom["id"]) for dom in found)
            if found != want:
                return f"{set(found) - set(want)}, and not {set(want) - set(found)}"
            return [fault for fault in map(self.judge_right, probes, self.client.ask_many(
                [(call.row, call.payload) for call in probes])) if fault]
        if self.side.all:
            lab.until(f"{self.side} sees what is hers to see", missing)

    def judge_right(self, call, reply):
        """Is she served who may be, and nobody else? What is wrong with this answer, or None."""
        want = oracle.expected(self.side, call.row, call.values, call.defined)
        error = table.read_error(reply.payload) if reply.error else None
        COUNTS["refused" if want in (DENIED, NO_DOMAIN) else "unknown" if want else "served"] += 1
        if not oracle.says(call.row, want, error):
            return f"{self.side}: {call}: want {want}, got {error or reply}"
        return None

    def judge(self, call, reply):
        """And is what she is served what she asked for?"""
        fault = self.judge_right(call, reply)
        if fault or oracle.expected(self.side, call.row, call.values, call.defined) != SERVED:
            return fault
        error, again = table.read_error(reply.payload) if reply.error else None, False
        if call.row.name in oracle.FILTERS:
            again = call.thing.handle["uuid"] in self.filtered
            self.filtered.add(call.thing.handle["uuid"])
        if self.learns:
            REFERENCE.learn(call, again, error)
            return None
        return REFERENCE.fault(call, again, error)

    def check_reply(self, call, reply):
        """What is served is about what she may see, all of it and nothing else."""
        if reply.error or not call.row.ret:
            return
        found = table.domains(call.row.decode_ret(reply.payload))
        for dom in found:
            self.check_shown(dom, f"{call} returns")
        if call.row.name == "connect_list_all_domains" and len(found) != len(self.side.shown()):
            self.faults.append(f"{self.side}: {len(found)} are listed, {len(self.side.shown())} there are")

    def is_act(self, call):
        """May it change something, or open a stream?"""
        return oracle.expected(self.side, call.row, call.values, call.defined) == SERVED and \
            call.row.verb in ("console", "power", "manage") and call.row.name in LAB.implemented

    def act(self, call):
        serial = self.client.begin(call.row, call.payload)
        reply = self.client.answer(serial)
        if call.row.stream != "-" and not reply.error:
            self.client.end_stream(serial, call.row)
        if call.row.verb == "console":
            return reply
        owners = {call.thing.machine.owner} if call.thing.machine else set()
        owners.add(self.side.asked_about_nothing(call.row, call.defined))
        owners = [who for who in owners if who]
        COUNTS["acts"] += 1
        if LAB.put_back(owners):
            COUNTS["put back"] += 1
            self.settle([who.name for who in owners])
        return reply

    def run(self, calls):
        """First what changes nothing, many at a time."""
        acts = [call for call in calls if self.is_act(call)]
        plain = [call for call in calls if not self.is_act(call)]
        COUNTS["calls"] += len(calls)
        answers = list(zip(plain, self.client.ask_many([(call.row, call.payload) for call in plain])))
        for call, reply in answers:
            self.check(call, reply)
        self.compare(answers)
        for call in acts:
            self.check(call, self.act(call))

    def check(self, call, reply):
        fault = self.judge(call, reply)
        if fault:
            self.faults.append(fault)
        self.check_reply(call, reply)

    def compare(self, answers):
        """What she may not see is as what there is not: the same answer but for what she has said."""
        unknown = {call.key: without(call, reply) for call, reply in answers if call.thing is UNKNOWN_OBJECT}
        seen = [self.side.handle(machine) for machine in self.side.shown().values()]
        for call, reply in answers:
            if call.key not in unknown or call.row.name in oracle.FILTERS or names_one(call, seen) or \
                    (call.row.name == "domain_lookup_by_id" and call.values["id"] < 0):
                continue
            COUNTS["compared"] += 1
            if without(call, reply) != unknown[call.key]:
                self.faults.append(f"{self.side}: {call} is answered {without(call, reply)}, "
                                   f"and what there is not {unknown[call.key]}")


def names_one(call, handles):
    key = oracle.LOOKUPS.get(call.row.name, "uuid")
    return any(handle[key] == call.thing.handle[key] for handle in handles)


def without(call, reply):
    """An answer without what its call has said."""
    if not reply.error:
        return reply.payload
    handle, error = call.thing.handle, table.read_error(reply.payload)
    for key in ("message", "str2"):
        text = error[key] or ""
        if call.row.name == "domain_lookup_by_id":
            text = text.removesuffix(str(handle["id"]))
        error[key] = text.replace(handle["name"], "NAME").replace(str(uuids.UUID(bytes=handle["uuid"])), "UUID")
    return error


# --- what has to be as it was -----------------------------------------------------------------


def picture(owner):
    """What there is of an owner's: files with their times, notes of what runs, control groups, QEMUs."""
    files = LAB.read_files([owner])
    for path in LAB.running([owner]):
        with open(path, "rb") as file:
            files[path] = file.read()
    leaves = sorted(os.listdir(f"{LEDGER}/u{owner.uid}")) if os.path.isdir(f"{LEDGER}/u{owner.uid}") else []
    return ({path: (os.stat(path).st_mtime_ns, text) for path, text in files.items()}, leaves,
            sorted(qemu.pid for qemu in proc.find(vm.QEMU, owner.uid)), [m.id for m in LAB.of(owner)])


def not_hers(side):
    """Whose machines she may not change."""
    return [who for who in map(BY_NAME.get, lab.OWNERS) if not side.over[who.name] & {"power", "manage"}]


# --- the matrix -------------------------------------------------------------------------------


def ways(person, title):
    """How somebody connects by a policy: to both sockets; long, in all ways, else in one more, which changes."""
    more = list(WAYS)[2:]
    return list(WAYS) if LONG else ["rw", "ro", more[(TITLES.index(title) + PEOPLE.index(person)) % len(more)]]


def sessions(person):
    """All that she has in the whole set: {(policy, way): number}. By each way the number goes up with the policy,
    so that neither the way nor the policy goes with a kind of what is asked about."""
    return {(title, way): place + at for place, (title, policy) in enumerate(POLICIES.items())
            for at, way in enumerate(ways(person, title)) if oracle.Side(policy, person, LAB, **WAYS[way]).all}


def sample(number, things, index):
    """One of the things: whoever asks as often as there are kinds of them asks about each kind by each procedure,
    and about another one of its kind the next time."""
    kinds = sorted({thing.kind for thing in things})
    of_kind = [thing for thing in things if thing.kind == kinds[(number + index) % len(kinds)]]
    return of_kind[(number // len(kinds) + index // len(kinds)) % len(of_kind)]


def asked_of(session, things, index):
    """Long and newly connected, about all that there is by its right name, and twice by a wrong one; else about one.
    One's own worker is asked about one's own."""
    if session.learns:
        return [thing for thing in things if thing.kind == "own"]
    if LONG and not session.held:
        wrong = [thing for thing in things if thing.kind == "wrong"]
        return [*(thing for thing in things if thing.kind != "wrong"),
                *(wrong[(session.number + index + far) % len(wrong)] for far in (0, len(wrong) // 2))]
    return [sample(session.number, things, index)]


def plan(session):
    """Every procedure, about what there is not and about what is asked of this session."""
    things = asked.objects(session.side, LAB.machines)
    for index, row in enumerate(ROWS):
        chosen = [UNKNOWN_OBJECT, *asked_of(session, things, index)]
        for number, more in enumerate(asked.variants(row)):
            calls = [Asked(session.side, row, thing, more, number) for thing in chosen]
            if len({call.payload for call in calls}) == 1:
                del calls[1:]
            yield from (call for call in calls if is_due(session, call))


def is_due(session, call):
    """What changes machines takes its time: but in the long set, once for each kind of them is enough."""
    if LONG or session.learns or not session.is_act(call):
        return True
    which = session.side.who, call.key, call.thing.kind
    return which not in MADE and not MADE.add(which)


def check(session):
    before = {who.name: picture(who) for who in not_hers(session.side)}
    session.run(list(plan(session)))
    session.client.listen()
    for name, was in before.items():
        tap.equal(picture(BY_NAME[name]), was, f"what there is of {name}'s")
    tap.true(not session.faults, "\n".join([f"{len(session.faults)} faults:", *session.faults[:SHOWN]]))


def check_refused(who, way):
    """Whatever is asked first is answered with the reason, and nothing else. Each time others are asked."""
    side = oracle.Side(POLICIES["a lab"], BY_NAME["alice"], LAB)
    things, part = asked.objects(side, LAB.machines), TITLES.index(title) * len(WAYS) + list(WAYS).index(way)
    for index, row in enumerate(ROWS if LONG else ROWS[part % REFUSED_PARTS::REFUSED_PARTS]):
        call = Asked(side, row, sample(part, things, index))
        with lab.connect(who, rpc.SOCKET_RO if way == "ro" else rpc.SOCKET) as client:
            reply = client.answer(client.begin(row, call.payload))
        COUNTS["calls"] += 1
        COUNTS["refused"] += 1
        tap.true(reply.error and reply.error.code == AUTH_FAILED and reply.error.message, f"{call}: {reply}")
        tap.equal(LAB.canaries.leaks({}, reply.payload, call.payload), set(), f"canaries after {call}")


def later(side):
    """The same connection by the policy that holds now."""
    return oracle.Side(POLICIES[title], side.who, LAB, side.socket, side.flag, side.session, held=side)


def check_held(session):
    side = session.side
    session.side, session.held = later(side), True
    if session.side.all:
        session.settle()
        session.faults.clear()
        check(session)
    else:
        row, said = table.by_name("connect_get_type"), []

        def served():
            said[:] = [session.client.answer(session.client.begin(row, b"")).error]
            return not said[0]
        lab.until("the policy holds", served)
        tap.equal(said[0].code, DENIED, "code")


def reload():
    start = len(broker.log.lines)
    lab.write_policy(POLICIES[title])
    os.kill(broker.process.pid, signal.SIGHUP)
    broker.log.wait("policy: read again", start=start)


lab.make_accounts()
title = "a lab"
lab.write_policy(POLICIES[title])
broker = host.start_broker(idle_seconds=600, user_connections_per_second=10000)
LEDGER = os.environ["TEST_CGROUP"]
LAB = lab.Lab()
REFERENCE = reference.Reference(LAB)


@tap.test("the whole set asks everybody by each procedure about her own, others', the system's, and by wrong names")
def _():
    for who in PEOPLE:
        numbers = set(sessions(who).values())
        of_rw = [number for (_, way), number in sessions(who).items() if way == "rw"]
        things = asked.objects(oracle.Side(POLICIES["a lab"], who, LAB), LAB.machines)
        for index, row in enumerate(ROWS if numbers else []):
            about = {sample(number, things, index).kind for number in numbers}
            tap.equal(about, {thing.kind for thing in things}, f"{who.name}, {row.name}, about")
            about = {sample(number, things, index).kind for number in of_rw}
            tap.true(len(of_rw) < len(TITLES) or len(about) == len({thing.kind for thing in things}),
                     f"{who.name}, {row.name}, where it may change something, about {about}")


@tap.test("everybody has a machine that runs, and one that does not")
def _():
    LAB.begin()
    tap.true(len(LAB.implemented) > 80, f"{len(LAB.implemented)} procedures are implemented")

if not LAB.files:
    host.finish()


@tap.test("an owner's own worker answers about her own: what others have to be answered, too")
def _():
    for name in ("alice", "bob", "qemud-vm") if LONG else ("alice",):
        side = oracle.Side(POLICIES[title], BY_NAME[name], LAB)
        tap.true(not side.view, f"{side} has no right over others'")
        owner = Session(side, 0, learns=True)
        owner.settle()
        calls = list(plan(owner))
        owner.run(calls)
        owner.run([call for call in calls if call.row.name in oracle.FILTERS])
        owner.client.close()
        tap.true(not owner.faults, "\n".join(owner.faults[:SHOWN]))
    tap.equal(REFERENCE.disputed(), [], "what is answered in two ways")
    tap.equal(REFERENCE.never_done(), NEVER_DONE, "what is never done")


held = []
for title in HALF:
    if title != "a lab":
        reload()
    # Who has lost everything is told so, if she says something soon.
    held.sort(key=lambda old: bool(later(old.side).all))
    for old in held:
        @tap.test(f"{title}: {old.side}, who was connected before")
        def _(old=old):
            check_held(old)
            old.client.close()
    held = []
    for person in PEOPLE:
        @tap.test(f"{title}: {person.name}")
        def _(person=person):
            for way in ways(person, title):
                side = oracle.Side(POLICIES[title], person, LAB, **WAYS[way])
                if not side.all:
                    check_refused(person, way)
                    continue
                session = Session(side, sessions(person)[title, way])
                held.append(session)
                session.settle()
                check(session)
for session in held:
    session.client.close()
tap.note(" ".join(f"{key}={value}" for key, value in sorted(COUNTS.items())))
LAB.end()
host.finish()
