# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: whatever people, files, an administrator, groups that vanish and come back, and kill -9 do in
# whatever order, what runs is within the policy of the moment in which it was started, nobody's machines
# are changed by who may not, every refusal names its line, and definitions are whole; all of it as the
# kernel and the disk have it.
# test: timeout=800 network once
#
# TEST_SEED=N walks the same way again, TEST_STEPS=FILE does the steps (steps.py) that stand in FILE.
import os
import re
import signal
import threading
import time

import host
import people
import proc
import steps
import tap
import vm
from estate import HOMES, Estate, parse
from people import AUTH_FAILED, DENIED, LOST, Refused
from rules import GIDS, Groups, Rules

SEED = int(os.environ.get("TEST_SEED", time.time()))
SETTINGS = {"idle_seconds": 30, "user_connections_per_second": 100000, "max_vms": 128, "account_seconds": 1}
FILE = "/etc/qemud/policy.conf"
PATIENCE_S = 120
GROUPED = ("alice", "bob", "carol", "dave")
FREE = ["allow everyone manage own", "allow user dave manage all"]

LIMITED = re.compile(r"may not start now: limit (?:host )?(\S+) .*?\((?:policy\.conf:(\d+)|[^)]*qemud\.conf)\): "
                     r"(\d+)(?: KiB| MiB| GiB)? in use")
NAMED = re.compile(r"policy\.conf:(\d+)")


def eventually(condition, words):
    """Until it returns no complaint; what ends while it is looked at is looked at again."""
    def asked():
        try:
            return condition()
        except OSError as error:
            return f"{error}"
    deadline = time.monotonic() + PATIENCE_S
    while complaint := asked():
        tap.true(time.monotonic() < deadline, f"{words}: {complaint}")
        time.sleep(0.02)


def meaning(files):
    """What definitions say; what is none stands for itself."""
    return {name: vars(d) if (d := parse(text)) else text for name, text in files.items()}


def log_of_names(broker, start):
    return broker.log.find("could not be looked up: try again", start)


class Walk:
    def __init__(self, broker):
        self.broker = broker
        self.groups_there = Groups()
        self.rules = Rules(FREE, self.groups_there)
        self.people = people.People()
        self.bad = {owner: set() for owner in HOMES}  # files that their owner has broken
        self.unread = set()  # owners whose workers may not have seen their files yet
        self.counted = {}

    def count(self, what):
        self.counted[what] = self.counted.get(what, 0) + 1

    # --- what is true at any moment ---------------------------------------------------------------

    def look(self):
        """The estate, when it has come to rest and is right by itself."""
        found = None

        def complaint():
            nonlocal found
            try:
                found = Estate()
                faults = [fault for machine in found.machines.values() for fault in machine.faults()]
            except (FileNotFoundError, ProcessLookupError, OSError) as error:
                return f"{error}"
            inside = {qemu.pid for machine in found.machines.values() for qemu in machine.qemus}
            outside = {qemu.pid for qemu in proc.find(vm.QEMU)} ^ inside
            return faults + [f"QEMU {pid} is in no leaf" for pid in outside] + self.torn(found)
        eventually(complaint, "what there is")
        return found

    def torn(self, found):
        """What is wrong with files of definitions."""
        complaints = []
        for owner, files in found.files.items():
            good = {name: parse(text) for name, text in files.items() if name not in self.bad[owner]}
            complaints += [f"{owner}'s {name}.xml is torn" for name, d in good.items() if not d]
            if owner in self.unread:
                continue
            # What runs is renamed when it has ended.
            complaints += [f"{owner}'s {name}.xml is {d.name}'s" for name, d in good.items()
                           if d and d.name != name and not found.runs(owner, d.uuid)]
            uuids = [d.uuid for d in good.values() if d]
            complaints += [f"{owner}'s {uuid} is there twice" for uuid in set(uuids) if uuids.count(uuid) > 1]
        return complaints

    def check_same(self, before, after, owner):
        """Nothing of hers is another; what a worker has yet to make of files does not count, nor that it
        writes in its own way what she has written by hand."""
        (ran, had), (runs, has) = before.of(owner), after.of(owner)
        tap.equal(runs, ran, f"what {owner} runs")
        tap.true(owner in self.unread or meaning(has) == meaning(had), f"what {owner} has: {has}, before {had}")

    def check_started(self, before, after, rules=None):
        """What has come since is within the limits, and has the networks that policy gives."""
        new = [machine for key, machine in after.machines.items() if key not in before.machines]
        for rules in rules or [self.rules]:
            for machine in new:
                self.count("started")
                for key, most in (("vm-vcpus", machine.vcpus), ("vm-memory", machine.memory)):
                    tap.true(most <= rules.limit(machine.owner, key)[0], f"{machine} is over {key}")
                for party in (machine.owner, "host"):
                    for key, amount in after.sum(party).items():
                        tap.true(amount <= rules.limit(party, key)[0],
                                 f"with {machine} {party} has {amount} of {key}, may have {rules.limit(party, key)}")
                tap.true(not machine.lan or rules.network(machine.owner), f"{machine} has a network")

    # --- calls ------------------------------------------------------------------------------------

    def check_refusal(self, refused):
        """It names the line that it is by, and that is one that can do it."""
        self.count("refused")
        if limited := LIMITED.search(refused.message):
            if limited[2]:
                line = self.rules.lines[int(limited[2]) - 1]
                tap.true(line.startswith("limit ") and f" {limited[1]} " in line, f"{refused} by {line!r}")
            return
        if refused.code in (DENIED, AUTH_FAILED) and "may name" not in refused.message:
            numbers = [int(number) for number in NAMED.findall(refused.message)]
            tap.true(all(number <= len(self.rules.lines) for number in numbers), f"{refused}: no such line")
            lines = [self.rules.lines[number - 1] for number in numbers]
            tap.true(all(line.split()[0] in ("allow", "deny") for line in lines), f"{refused}: {lines}")
            tap.true(lines or "no line of policy.conf" in refused.message, f"{refused} names no line")
        if "network of kind user" in refused.message:
            tap.true(NAMED.search(refused.message) or "no line of policy.conf" in refused.message,
                     f"{refused} names no line")

    def wrong_limits(self, before, owner, wanted):
        """Keys of the limits that a start would break; of the host's memory only what is sure."""
        rules, found = self.rules, []
        for key, much in (("vm-vcpus", wanted.vcpus), ("vm-memory", wanted.memory)):
            found += [key] if much > rules.limit(owner, key)[0] else []
        for party in (owner, "host"):
            for key, much in (("vms", 1), ("vcpus", wanted.vcpus), ("memory", wanted.memory)):
                found += [key] if before.sum(party)[key] + much > rules.limit(party, key)[0] else []
        return found

    def must_start(self, before, owner, name):
        """Is it sure that this start succeeds? None: that is not known."""
        wanted = before.definitions(owner).get(name)
        if not wanted or self.bad[owner] or wanted.disks:
            return None
        if before.runs(owner, wanted.uuid) or self.wrong_limits(before, owner, wanted):
            return False
        if wanted.lan:
            return self.rules.network(owner)
        return None if self.rules.limit("host", "memory")[1] else True

    def ask(self, before, actor, owner, what, name, words):
        """None, or how it was refused. A view hears of what has just been defined a moment later."""
        refused = self.people.call(actor, owner, what, name, *words)
        if not refused or "no domain with matching name" not in refused.message or people.is_own(actor, owner) or \
                not self.is_reached(actor, owner) or name not in before.definitions(owner) or \
                self.bad[owner] or owner in self.unread or "view" not in self.rules.verbs(actor, owner):
            return refused

        def complaint():
            try:
                listed = self.people.connection(actor, owner).listed()
            except Refused as lost:
                self.people.drop(actor)
                return f"{lost}"
            return people.shown(actor, owner, name) not in listed and "it is not listed"
        eventually(complaint, f"{actor} is shown {owner}'s {name}")
        return self.people.call(actor, owner, what, name, *words)

    def call(self, actor, owner, what, name, *words):
        before = self.look()
        words = [word.format(**HOMES) for word in words]
        refused = self.ask(before, actor, owner, what, name, words)
        after = self.look()
        may = people.TAKES[what] in self.rules.verbs(actor, owner)
        tap.true(may or refused, f"{actor} may not {what} {owner}'s")
        self.check_started(before, after)
        if refused:
            self.check_refusal(refused)
        for other in HOMES:
            if other != owner or not may:
                self.check_same(before, after, other)
        if may and what == "start" and self.is_reached(actor, owner):
            must = self.must_start(before, owner, name)
            # A worker that was killed just now is told of where its view had a way to it.
            lost = refused and "has closed the connection" in refused.message
            tap.true(must is None or lost or must == (not refused), f"to start: {refused or 'done'}")
        if what == "destroy" and not refused:
            wanted = before.definitions(owner).get(name)
            tap.true(not wanted or not after.runs(owner, wanted.uuid), "it is destroyed")

    def is_reached(self, actor, owner):
        """Does that connection show her that owner's machines? One to a worker shows that owner's alone."""
        return people.is_own(actor, owner) or actor in ("root", "dave", "carol")

    # --- files ------------------------------------------------------------------------------------

    def file(self, owner, what, name, *words):
        folder = f"{HOMES[owner]}/.qemud/domains"
        before = self.look()
        with host.identity(owner):
            done = self.work(before, owner, what, folder, name, [word.format(**HOMES) for word in words])
        if done:
            self.bad[owner] = {bad for bad in self.bad[owner] if os.path.exists(f"{folder}/{bad}.xml")}
            self.unread.add(owner)
            self.wait_for_worker(owner)
        after = self.look()
        tap.equal(after.machines.keys(), before.machines.keys(), "what runs")
        for other in HOMES:
            if other != owner:
                self.check_same(before, after, other)

    @staticmethod
    def waits(before, owner, name, text):
        """Does such a file wait until a machine has ended, of which it has the name or the UUID alone?"""
        new = parse(text)
        return any(machine.owner == owner and
                   (new and machine.uuid == new.uuid and machine.name != new.name or
                    machine.name in (name, new and new.name) and machine.uuid != (new and new.uuid))
                   for machine in before.machines.values())

    def work(self, before, owner, what, folder, name, words):
        path = f"{folder}/{name}.xml"
        if what == "write":
            text = people.definition(*words)
        elif not os.path.exists(path):
            return False
        elif what == "tear":
            os.truncate(path, os.path.getsize(path) // 2)
            self.bad[owner].add(name)
            return True
        elif what == "remove":
            os.unlink(path)
            return True
        else:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        new = path if what == "write" else f"{folder}/{words[0]}.xml"
        if self.waits(before, owner, os.path.basename(new)[:-4], text):
            return False
        was_bad = name in self.bad[owner]
        if what == "move":
            os.rename(path, new)
        else:
            with open(f"{folder}/.new", "w", encoding="utf-8") as file:
                file.write(text)
            os.rename(f"{folder}/.new", new)
        self.bad[owner].discard(os.path.basename(new)[:-4])
        if was_bad and what != "write":
            self.bad[owner].add(os.path.basename(new)[:-4])
        return True

    def wait_for_worker(self, owner):
        """Until her worker lists what there is."""
        actor = "root" if owner == "qemud-vm" else owner
        if "view" not in self.rules.verbs(actor, owner) or self.bad[owner]:
            return

        def complaint():
            try:
                connection = self.people.connection(actor, owner)
                connection.call(people.NUMBER["node_get_info"])  # which begins the worker, behind a view
                listed = connection.listed()
            except Refused as refused:
                self.people.drop(actor)
                return f"{refused}"
            found = Estate()
            if actor == "root":
                listed = {name: uuid for name, uuid in listed.items() if ":" not in name}
            # One that has ended may be listed yet, by the name that another file has got since.
            kept = {name: new.uuid for name, text in found.files[owner].items() if (new := parse(text))}
            # One that runs has lost its name when a file has come that says so, while no worker was there.
            extra = {name for machine in found.machines.values() if machine.owner == owner and not machine.faults()
                     for name in (machine.name, f"lost-{machine.id}")}
            self.unread.discard(owner)  # which torn() asks
            return self.torn(found) + \
                [f"{owner}'s {name} is not listed" for name, uuid in kept.items() if listed.get(name) != uuid] + \
                [f"{owner}'s {name} is listed" for name in listed.keys() - kept - extra]
        eventually(complaint, "her worker follows her files")
        self.unread.discard(owner)

    # --- policy -----------------------------------------------------------------------------------

    def policy(self, *words):
        lines = " ".join(words).split("; ")
        before = self.look()
        self.write(lines)
        after = self.look()
        for owner in HOMES:
            self.check_same(before, after, owner)

    def write(self, lines):
        self.put(Rules(lines))
        start = len(self.broker.log.lines)
        os.kill(self.broker.process.pid, signal.SIGHUP)
        said = self.broker.log.wait("policy: read again|the policy stays as it was", start=start)
        if "stays" in said and log_of_names(self.broker, start):
            # Names are looked up within two seconds, or not at all: this machine is slow just now.
            self.write(lines)
            return
        rules = Rules(lines, self.groups_there)
        wrong = any(line in steps.WRONG for line in lines) or self.is_mistaken(rules)
        tap.equal("stays" in said, wrong, f"{said}: a policy with a mistake")
        if not wrong:
            self.rules = rules
            self.groups_there.review(rules)
            self.wait_for_all(start)
        elif self.is_mistaken(self.rules):
            self.put(self.rules)
        else:
            self.write(self.rules.lines)

    @staticmethod
    def put(rules):
        with open(f"{FILE}.new", "w", encoding="utf-8") as file:
            file.write(str(rules))
        os.rename(f"{FILE}.new", FILE)

    @staticmethod
    def is_mistaken(rules):
        """Does a line take something from a group that is not there?"""
        return any(rules.takes(name) for name in GIDS if name not in rules.groups.there)

    def wait_for_all(self, start):
        """Until what has changed since that line of the log has reached everybody."""
        self.wait_for_accounts()
        log = self.broker.log
        # Who is connected is told in the next turns of its loop: who comes now, behind these.
        for _ in range(2):
            seen = len(log.lines)
            with host.client_as("dave"):
                log.wait("accepted conn=", start=seen)

        def open_changes():
            told = [re.search(r"conn=(\d+)", line)[1] for line in log.find(r"ticket conn=\d+ uid=", start)]
            held = [re.search(r"conn=(\d+)", line)[1] for line in log.find(r"(ticket conn=\d+ holds|gone conn=\d+)", start)]
            ended = [re.search(r"pid=\d+", line)[0] for line in log.find(r"(worker|view) ended uid=", start)]
            return [conn for conn in set(told) - set(held) if not any(
                # Who was killed just now may have been told; what it served ended with it.
                log.find(rf"{pid} qemud-(worker|view): conn={conn} .*is served") for pid in ended)]
        eventually(open_changes, "connections are told")
        # Views hear of it, too, before they list anew.
        for connection in [*self.people.open.values(), *self.people.open.values()]:
            try:
                connection.listed()
            except Refused:
                pass
        for actor in ("alice", "bob", "carol", "dave", "root"):
            # Theirs are over, as the next call would be told.
            if not all(self.rules.verbs(actor, owner) for owner in HOMES if people.is_own(actor, owner)):
                self.people.drop(actor)

    # --- groups -----------------------------------------------------------------------------------

    def wait_for_accounts(self):
        """Until the broker has each account as it is, and as it was where that counts."""
        def known(who):
            start = f"account uid={host.UID[who]} groups="
            told = next((line for line in reversed(self.broker.log.lines) if start in line), "")
            words = re.search(r"groups=(\S*) held=(\S*)$", told)
            return words and tuple({int(n) for n in numbers.split(",") if n} for numbers in words.groups())

        def complaint():
            late = [who for who in GROUPED if known(who) != self.groups_there.of(who)]
            for who in late:
                # Whose machines do not run, and who is not there, is looked up when she comes.
                with host.client_as(who):
                    time.sleep(0.2)
            return [f"{who}: {known(who)}, in truth {self.groups_there.of(who)}" for who in late]
        eventually(complaint, "accounts are known")

    def write_groups(self):
        with open("/etc/group", encoding="utf-8") as file:
            lines = [line for line in file if line.split(":")[0] not in GIDS]
        for name in self.groups_there.there:
            lines.append(f"{name}:x:{GIDS[name]}:{','.join(sorted(self.groups_there.members[name]))}\n")
        with open("/etc/group.new", "w", encoding="utf-8") as file:
            file.writelines(lines)
        os.chmod("/etc/group.new", 0o644)
        os.rename("/etc/group.new", "/etc/group")

    def groups(self, what, name, who):
        before = self.look()
        was_there = name in self.groups_there.there
        self.groups_there.change(self.rules, what, name, who)
        start = len(self.broker.log.lines)
        self.write_groups()
        if was_there != (name in self.groups_there.there) and self.rules.speaks_of(name):
            self.broker.log.wait("policy: 1 of its names stand for something else than before", PATIENCE_S, start)
            self.count("came back" if not was_there else "vanished and held" if self.rules.takes(name) else "vanished")
        self.wait_for_all(start)
        after = self.look()
        for owner in HOMES:
            self.check_same(before, after, owner)

    def all_groups_back(self):
        """Without them a broker does not begin, where something is taken from them."""
        for name in GIDS:
            self.groups_there.change(self.rules, "back", name, None)
        self.write_groups()

    # --- who ends and stands still ----------------------------------------------------------------

    def victims(self, whom):
        kind, _, owner = whom.partition("-")
        if kind in ("broker", "starter"):
            return [self.broker.process if kind == "broker" else self.broker.starter]
        if kind == "worker":
            return proc.find("qemud-worker", host.UID[owner])
        return [p for p in proc.find("qemud-view") if "--refuse" not in p.arguments()]

    def end(self, whom):
        for process in self.victims(whom):
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def revive(self, whom):
        """Without broker or starter there is another."""
        if whom not in ("broker", "starter"):
            return
        self.broker.child.wait(PATIENCE_S)
        status = self.broker.leave()
        tap.true(status not in (-signal.SIGSYS, -signal.SIGABRT, -signal.SIGSEGV), f"the broker's end: {status}")
        self.all_groups_back()
        self.broker = host.Broker(**SETTINGS)
        self.wait_for_accounts()

    def wait_for_rest(self):
        """Until workers have taken over what runs, and have ended what was started by halves."""
        def complaint():
            try:
                found = Estate()
                connection = self.people.connection("root", "qemud-vm")
                busy = [machine for machine in found.machines.values()
                        if not machine.frozen and not connection.is_at_rest(machine.id)]
            except Refused as refused:
                if refused.code == LOST:
                    self.people.drop("root")
                return f"{refused}"
            except OSError as error:
                return f"{error}"
            return busy or found.machines.keys() ^ Estate().machines.keys()
        eventually(complaint, "what runs is at rest")

    def kill(self, whom):
        before = self.look()
        self.end(whom)
        self.revive(whom)
        after = self.look()
        for owner in HOMES:
            self.check_same(before, after, owner)

    def freeze(self, owner, actor, what, name):
        """She gains nothing by it, nor does it keep others from ending what is hers."""
        before = self.look()
        workers = proc.find("qemud-worker", host.UID[owner])
        with host.identity(owner):
            for worker in workers:
                os.kill(worker.pid, signal.SIGSTOP)
        try:
            refused = self.people.call(actor, owner, what, name)
        finally:
            for worker in workers:
                try:
                    os.kill(worker.pid, signal.SIGCONT)
                except ProcessLookupError:
                    pass
        if what == "destroy" and not refused:
            # It has been killed; a process takes a moment to go.
            ended = {key for key, machine in before.machines.items() if (machine.owner, machine.name) == (owner, name)}
            eventually(lambda: ended & Estate().machines.keys(), "what was forced to end")
        after = self.look()
        may = "power" in self.rules.verbs(actor, owner)
        tap.true(may or refused, f"{actor} may not {what} {owner}'s")
        wanted = before.definitions(owner).get(name)
        if may and what == "destroy" and wanted and before.runs(owner, wanted.uuid):
            tap.equal(refused, None, "how it was refused")
            tap.true(not after.runs(owner, wanted.uuid), "it is ended")
            self.count("forced")
        if not may:
            self.check_same(before, after, owner)

    def burst(self, whom, delay, *words):
        before = self.look()
        calls = [line.split() for line in " ".join(words).lstrip("| ").split(" | ")]
        lists = [(actor, owner, what, name, [word.format(**HOMES) for word in more])
                 for _, actor, owner, what, name, *more in calls]
        crew = [people.People() for _ in lists]
        for one, (actor, owner, *_) in zip(crew, lists):
            try:
                one.connection(actor, owner)
            except Refused:
                pass
        came, threads, wrong = {}, [], []

        def act(number, actor, owner, what, name, more):
            try:
                connection = crew[number].open.get(crew[number].key(actor, owner))
                if connection:
                    connection.do(what, people.shown(actor, owner, name), *more)
                    came[number] = None
            except Refused as refused:
                came[number] = refused
            except ConnectionError as error:
                came[number] = Refused(LOST, str(error))
            except Exception as error:  # no answer within the time for one, or none that it could be
                wrong.append(f"{actor} {what} {owner}: {error!r}")
        for number, item in enumerate(lists):
            threads.append(threading.Thread(target=act, args=(number, *item)))
            threads[-1].start()
        if whom != "none":
            time.sleep(float(delay))
            self.end(whom)
        for thread in threads:
            thread.join(100)
            tap.true(not thread.is_alive(), "a call is answered")
        tap.equal(wrong, [], "calls that were not answered")
        for number, (actor, owner, what, *_) in enumerate(lists):
            refused = came.get(number, Refused(LOST, "not let in"))
            tap.true(refused or people.TAKES[what] in self.rules.verbs(actor, owner), f"{actor} {what} {owner}")
            if refused and refused.code != LOST:
                self.check_refusal(refused)
            crew[number].drop(actor)
        self.revive(whom)
        if whom != "none":
            self.wait_for_rest()
        after = self.look()
        self.check_started(before, after)
        touched = {owner for actor, owner, what, *_ in lists if people.TAKES[what] in self.rules.verbs(actor, owner)}
        for owner in set(HOMES) - touched:
            self.check_same(before, after, owner)

    def drop(self, actor):
        self.people.drop(actor)

    # --- all of it --------------------------------------------------------------------------------

    def step(self, line):
        kind, *words = line.split()
        self.count(kind)
        for owner in list(self.unread):
            self.wait_for_worker(owner)
        getattr(self, kind)(*words)


def prepare():
    people.read_table()
    os.makedirs(os.path.dirname(FILE), exist_ok=True)
    with open(FILE, "w", encoding="utf-8") as file:
        file.write(str(Rules(FREE)))
    for owner, home in HOMES.items():
        for folder in ("", "/.qemud", "/.qemud/images", "/.qemud/domains"):
            os.makedirs(home + folder, 0o700, exist_ok=True)
            os.chown(home + folder, host.UID[owner], host.UID[owner])
        for path in (f"{home}/own.raw", f"{home}/.qemud/images/in.raw"):
            with open(path, "wb") as file:
                file.truncate(1 << 20)
            os.chown(path, host.UID[owner], host.UID[owner])
            os.chmod(path, 0o600)


def lines():
    """The steps, one after the other."""
    if path := os.environ.get("TEST_STEPS"):
        with open(path, encoding="utf-8") as file:
            return [line.strip() for line in file if line.strip()]
    return [steps.line(SEED, number) for number in range(host.count(full=130, long=3000))]


if os.environ["TEST_CGROUP"] == "none":
    tap.skip_all("there is no cgroup v2, so no ledger to read")
if host.LONG:
    host.TRACED = False
prepare()
tap.note(f"TEST_SEED={SEED}")
walk = Walk(host.start_broker(**SETTINGS))
walk.wait_for_accounts()


@tap.test("nobody gets out of what the policy of the moment says")
def _():
    done = []
    with open(f"{host.OUT}/steps", "w", encoding="utf-8") as log:
        for line in lines():
            done.append(line)
            print(line, file=log, flush=True)
            try:
                walk.step(line)
            except Exception:
                tap.note(f"step {len(done)} with TEST_SEED={SEED}, after the last of these:\n" + "\n".join(done[-25:]))
                tap.note(f"policy:\n{walk.rules}")
                raise
    tap.note(" ".join(f"{what} {n}" for what, n in sorted(walk.counted.items())))


@tap.test("with all rights back everybody can end and forget all that is hers")
def _():
    for name in GIDS:
        walk.groups("back", name, None)
    walk.write(FREE)
    for actor in host.UID:
        walk.people.drop(actor)
    for owner in HOMES:
        actor = "root" if owner == "qemud-vm" else owner
        walk.bad[owner].clear()
        for path in os.listdir(f"{HOMES[owner]}/.qemud/domains"):
            os.unlink(f"{HOMES[owner]}/.qemud/domains/{path}")
        for machine in walk.look().machines.values():
            if machine.owner == owner:
                connection = walk.people.connection(actor, owner)
                connection.destroy(connection.by_uuid(machine.uuid))
        walk.wait_for_worker(owner)
    tap.equal((Estate().machines, vm.leaves()), ({}, []), "what is left")


host.finish()
