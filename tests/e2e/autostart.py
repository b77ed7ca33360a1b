# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a machine with autostart starts with the host, whether its user connects or not, and once while
# that runs; nobody else gets a worker. Who may manage another's machine may give it that, and nobody else.
# test: timeout=600
import os

import host
import proc
import tap
import vm
from tap import eventually

broker = host.start_broker(idle_seconds=1)


@tap.test("what is given autostart while the host runs is not started by the next worker")
def _():
    vm.define("alice", "first", 1)
    vm.define("alice", "second", 2)
    vm.define("alice", "third", 3)
    host.virsh("alice", "autostart", "first")
    host.virsh("alice", "autostart", "third")
    host.wait_until_idle("alice")
    tap.equal(vm.ids("alice"), {}, "what runs")


@tap.test("the host begins again: both start, the other does not")
def _():
    global broker
    broker.stop()
    # What is in /run does not outlive a host.
    os.unlink(f"/run/qemud/users/{host.UID['alice']}/autostarted")
    broker = host.Broker(idle_seconds=1)
    watcher = vm.Watcher("alice")
    watcher.log.wait("^third 2 0$")
    watcher.close()
    tap.equal(sorted(vm.ids("alice")), ["first", "third"], "what runs")


@tap.test("what has ended since is not started again by the next worker")
def _():
    host.virsh("alice", "destroy", "first")
    worker = host.worker_of("alice")
    end = proc.End(worker)
    os.kill(worker.pid, 9)
    end.wait(60)
    tap.equal(sorted(vm.ids("alice")), ["third"], "what runs")
    host.virsh("alice", "destroy", "third")


# --- nobody connects ------------------------------------------------------------------------

DONE = "machines that start with the host: 0 users are put off"


def end_host():
    """Everything ends, and what is in /run with it."""
    broker.leave()
    for user in ("alice", "qemud-vm"):
        for qemu in vm.qemus(user):
            end = proc.End(qemu)
            os.kill(qemu.pid, 9)
            end.wait(60)
    broker.wait_for_all()
    host.remove_run("/run/qemud")


def begin_host():
    """A broker, and nobody who connects. Who has got a worker when all that starts with it has been started."""
    global broker
    broker = host.Broker(idle_seconds=1)
    broker.log.wait(DONE)
    tap.equal(broker.log.find("accepted conn="), [], "connections")
    return workers()


def workers():
    return sorted({line.split("uid=")[1].split()[0] for line in broker.log.find("worker started uid=")})


def is_marked(user):
    with open(f"/var/lib/qemud/users/{host.UID[user]}", encoding="utf-8") as file:
        return "autostart = yes\n" in file.readlines()


@tap.test("whose machine is marked is in the registry, and who has none that is marked is not")
def _():
    vm.define("bob", "other", 4)
    vm.define("root", "hosts", 5)
    host.virsh("root", "autostart", "hosts")
    broker.log.wait("uid=991 autostart=yes")
    tap.equal({user: is_marked(user) for user in ("alice", "bob", "qemud-vm")},
              {"alice": True, "bob": False, "qemud-vm": True}, "marks")


@tap.test("the host begins, and nobody connects: what is marked runs, of users and of the host; others have no worker")
def _():
    end_host()
    tap.equal(begin_host(), ["2001", "991"], "who has a worker")
    for name in ("first", "third", "hosts"):
        broker.log.wait(f'dom="{name}" runs')
    tap.equal(len(vm.qemus("alice")), 2, "alice's machines")
    tap.equal(len(vm.qemus("qemud-vm")), 1, "the host's machines")
    tap.equal(sorted(vm.ids("alice")), ["first", "third"], "what runs")


@tap.test("what she has destroyed is not started again by the next broker")
def _():
    global broker
    host.virsh("alice", "destroy", "first")
    host.virsh("root", "destroy", "hosts")
    host.wait_until_idle("qemud-vm")
    broker.kill()
    broker.leave()
    begin_host()
    # She has one for what runs already, which is nothing that starts with the host.
    broker.log.wait("open: 3 definitions, 1 machines run")
    tap.equal(workers(), ["2001"], "who has a worker")
    tap.equal(sorted(vm.ids("alice")), ["third"], "what runs")


@tap.test("what is marked no more, by a call or by a file, is not started")
def _():
    host.virsh("alice", "autostart", "--disable", "first")
    tap.true(is_marked("alice"), "one is left")
    os.unlink("/home/alice/.qemud/autostart/third.xml")
    host.virsh("root", "undefine", "hosts")
    for uid in (2001, 991):
        broker.log.wait(f"uid={uid} autostart=no")
    end_host()
    tap.equal([is_marked("alice"), is_marked("qemud-vm")], [False, False], "marks")
    tap.equal(begin_host(), [], "who has a worker")


@tap.test("what is marked by a link that is made by hand is")
def _():
    tap.equal(vm.ids("alice"), {}, "what runs")
    host.run_as("alice", "ln", "-s", "../domains/second.xml", "/home/alice/.qemud/autostart/second.xml")
    broker.log.wait("uid=2001 autostart=yes")
    end_host()
    tap.equal(begin_host(), ["2001"], "who has a worker")
    broker.log.wait('dom="second" runs')


@tap.test("whose home is not there is told once, and served when it is")
def _():
    global broker
    end_host()
    os.rename("/home/alice", "/home/away")
    broker = host.Broker(idle_seconds=1)
    broker.log.wait("uid=2001 has machines that start with the host, which do not yet")
    os.rename("/home/away", "/home/alice")
    watcher = vm.Watcher("alice")
    broker.log.wait('dom="second" runs')
    watcher.close()
    tap.equal(len(broker.log.find("which do not yet")), 1, "lines")
    host.virsh("alice", "destroy", "second")


# --- another's ------------------------------------------------------------------------------

SYSTEM = host.URI.replace("///session", "///system")
SYSTEM_RO = host.URI_RO.replace("///session", "///system")
RULES = """allow everyone   manage own
allow user carol manage all
allow user alice power  user bob
allow user dave  view   all
"""


def autostart(user, name="bob:other", uri=SYSTEM):
    """As that user is told of it."""
    return host.virsh(user, "dominfo", name, uri=uri).split("Autostart:")[1].split()[0]


def listed(user):
    """The machines with autostart that the user is shown."""
    return host.virsh(user, "list", "--all", "--name", "--autostart", uri=SYSTEM).split()


@tap.test("an administrator gives another's machine autostart, and takes it: all who see it are told, its owner, too")
def _():
    global broker
    host.virsh("alice", "autostart", "--disable", "second")
    broker.log.wait("uid=2001 autostart=no")
    end_host()
    os.makedirs("/etc/qemud", exist_ok=True)
    with open("/etc/qemud/policy.conf", "w", encoding="utf-8") as file:
        file.write(RULES)
    broker = host.Broker(idle_seconds=1)
    for who, before, words in (("root", "no", ()), ("carol", "yes", ("--disable",)), ("carol", "no", ())):
        begin, now = len(broker.log.lines), ("yes", "no")[bool(words)]
        tap.equal(is_marked("bob"), before == "yes", f"bob's mark before {who}")
        host.virsh(who, "autostart", *words, "bob:other", uri=SYSTEM)
        broker.log.wait(f"uid=2002 autostart={now}", start=begin)
        told = {user: autostart(user) for user in ("root", "carol", "alice", "dave")}
        told["bob"] = autostart("bob", "other", host.URI)
        tap.equal(told, dict.fromkeys(told, {"yes": "enable", "no": "disable"}[now]), f"what is told after {who}")
        for user in ("root", "carol", "dave"):
            # What is listed by it is known from the inventories, which come a moment later.
            eventually(lambda user=user: f"{user}'s list: {listed(user)}",
                       lambda user=user, now=now: ("bob:other" in listed(user)) == (now == "yes"))
    tap.equal(os.listdir("/home/bob/.qemud/autostart"), ["other.xml"], "in bob's home")


@tap.test("who may not manage it can neither give nor take it, nor can anybody on the read-only socket")
def _():
    for words in ((), ("--disable",)):
        for user, has in (("alice", "power (policy.conf:3)"), ("dave", "view (policy.conf:4)")):
            said = host.virsh_fails(user, "autostart", *words, "bob:other", uri=SYSTEM)
            tap.true("prevents virDomainSetAutostart" in said and f"policy gives {user} {has}" in said, said)
        for user in ("root", "carol"):
            said = host.virsh_fails(user, "autostart", *words, "bob:other", uri=SYSTEM_RO, options=("-r",))
            tap.true("read only access prevents virDomainSetAutostart" in said, said)
        tap.equal((autostart("bob", "other", host.URI), is_marked("bob")), ("enable", True), "bob's machine")


@tap.test("it starts with the host, for its owner, whoever gave it that")
def _():
    end_host()
    tap.equal(begin_host(), ["2002"], "who has a worker")
    broker.log.wait('dom="other" runs')
    tap.equal([len(vm.qemus(user)) for user in ("alice", "bob", "qemud-vm")], [0, 1, 0], "machines that run")
    host.virsh("carol", "destroy", "bob:other", uri=SYSTEM)
    tap.equal(vm.qemus("bob"), [], "bob's machines")


host.finish()
