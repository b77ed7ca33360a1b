# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: without a broker a guest has the network as under one: it reaches what its user does, is
# reached by the ports that its definition forwards, and no killed process costs it more than a moment.
# test: timeout=600 guest
import os
import re
import signal

import host
import proc
import tap
import vm
import wire
from brokerless import URI, Session
from tap import eventually
from terminal import Console
from wire import ask, fetch, passts


def virsh(*words):
    return host.virsh("alice", *words, uri=URI)


def target(name):
    return re.search(r"<target dev='([^']*)'/>", virsh("dumpxml", name))[1]


def console():
    return Console("alice", "lan", uri=URI).greet()


def relays():
    return proc.find("qemud-net", host.UID["alice"])


server = wire.begin()
session = Session()
with open("/tmp/lan.xml", "w", encoding="utf-8") as file:
    file.write(vm.definition("lan", 1, wire.LAN, memory=256, os_more=wire.GUEST))
virsh("define", "/tmp/lan.xml")


@tap.test("a guest gets its address, reaches who is reached from the host, and is counted")
def _():
    virsh("start", "lan")
    guest = console()
    wire.lease(guest)
    tap.equal(fetch(guest), ("from afar", 0), "what was fetched")
    guest.leave()
    numbers = dict(line.split()[1:] for line in virsh("domifstat", "lan", target("lan")).splitlines())
    tap.true(int(numbers["rx_bytes"]) > 0 and int(numbers["tx_bytes"]) > 0, f"{numbers}")


@tap.test("it is reached by the port that is forwarded")
def _():
    guest = console()
    guest.run("(nc -ll -p 80 -e cat >/dev/null 2>&1 &)")
    eventually("the port is open", lambda: ask(2080) == "hello\n")
    guest.leave()


@tap.test("relay and passt have no right, and no file of hers; the relay has no network")
def _():
    mine = os.readlink(f"/proc/{session.child.pid}/ns/net")
    for process, in (relays(), passts()):
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        tap.equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), f"status of {process.pid}")
        tap.equal([os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{process.pid}/fd")
                   if os.readlink(f"/proc/{process.pid}/fd/{fd}").startswith("/home")
                   and not os.readlink(f"/proc/{process.pid}/fd/{fd}").endswith("/lan.log")], [], "files")
    tap.true(os.readlink(f"/proc/{relays()[0].pid}/ns/net") != mine, "a network of its own")
    tap.equal(os.readlink(f"/proc/{passts()[0].pid}/ns/net"), mine, "the network of passt")


@tap.test("worker, session and passt are killed: the network is there again")
def _():
    global session
    wire.kill(host.worker_of("alice"))
    guest = console()
    tap.equal(fetch(guest), ("from afar", 0), "after the worker")
    guest.leave()
    worker = proc.End(host.worker_of("alice"))
    session.stop(signal.SIGKILL)
    worker.wait(60)
    session = Session()
    guest = console()
    tap.equal(fetch(guest), ("from afar", 0), "after the session")
    old, = passts()
    wire.kill(old)
    eventually("another passt", lambda: passts() and passts()[0].pid != old.pid)
    eventually("the network", lambda: fetch(guest) == ("from afar", 0))
    guest.leave()


@tap.test("destroyed, nothing is left of it, whoever started it")
def _():
    virsh("destroy", "lan")
    eventually("no passt", lambda: not passts())
    eventually("no relay", lambda: not relays())
    tap.equal(ask(2080), None, "port 2080")


@tap.test("a machine that ends while there is no session leaves nothing either")
def _():
    global session
    virsh("start", "lan")
    # It runs before its passt is what it becomes.
    eventually("relays and passts", lambda: (len(relays()), len(passts())) == (1, 1))
    worker = proc.End(host.worker_of("alice"))
    session.stop(signal.SIGKILL)
    worker.wait(60)
    wire.kill(vm.qemu("alice"))
    eventually("no passt", lambda: not passts())
    eventually("no relay", lambda: not relays())
    session = Session()
    tap.equal(virsh("domstate", "lan"), "shut off", "state")


@tap.test("it ends, and no list of system calls was left")
def _():
    worker = proc.End(host.worker_of("alice"))
    tap.equal(session.stop(), 0, "exit status")
    worker.wait(60)
    tap.equal([line for s in Session.all for line in s.log.find(host.FATAL)], [], "lines")


wire.end(server)
tap.end()
