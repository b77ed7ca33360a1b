# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a real guest reaches the network as its user does, through passt, and is reached by the
# ports that its definition forwards; what goes through is counted; worker and passt may be killed.
# test: timeout=600 guest once
import os
import re

import host
import proc
import tap
import vm
import wire
from tap import eventually
from terminal import Console
from wire import FAR, LAN, NEAR, ask, fetch, passts, serve

def stats(name="lan"):
    """{field: number} of its interface."""
    lines = host.virsh("alice", "domifstat", name, target(name)).splitlines()
    return {line.split()[1]: int(line.split()[2]) for line in lines}


def target(name="lan"):
    return re.search(r"<target dev='([^']*)'/>", host.virsh("alice", "dumpxml", name))[1]


server = wire.begin()
broker = host.start_broker(idle_seconds=600)
vm.define("alice", "lan", 1, LAN, memory=256, os_more=wire.GUEST)


@tap.test("a guest gets its address, and reaches who is reached from the host")
def _():
    host.virsh("alice", "start", "lan")
    console = Console("alice", "lan").greet()
    wire.lease(console)
    tap.equal(fetch(console), ("from afar", 0), "what was fetched")
    console.leave()


@tap.test("its interface has a name that monitoring finds, and its numbers grow with what goes through")
def _():
    before = stats()
    console = Console("alice", "lan").greet()
    fetch(console)
    console.leave()
    after = stats()
    for field in ("rx_bytes", "rx_packets", "tx_bytes", "tx_packets"):
        tap.true(after[field] > before[field] > 0, f"{field}: {before[field]} to {after[field]}")


@tap.test("it is reached by the port that is forwarded, and not by another")
def _():
    console = Console("alice", "lan").greet()
    console.run("(nc -ll -p 80 -e cat >/dev/null 2>&1 &)")
    eventually("the port is open", lambda: ask(2080) == "hello\n")
    tap.equal(ask(80), None, "port 80 of the host")
    console.leave()


@tap.test("it does not reach what listens on the host's loopback")
def _():
    local = serve("127.0.0.1", 9, "secret")
    console = Console("alice", "lan").greet()
    for address in ("127.0.0.1", FAR, NEAR):
        said, _ = console.run(f"nc -w 3 {address} 9")
        tap.true("secret" not in said, f"by {address}: {said}")
    console.leave()
    wire.end(local)


@tap.test("nor when its packets say so, to the network")
def _():
    local = serve("127.0.0.1", 9, "secret")
    console = Console("alice", "lan").greet()
    before = stats()
    console.run("echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet; ip link set lo down; "
                f"ip route add 127.0.0.0/8 via {FAR} dev eth0")
    for address in ("127.0.0.1", "127.0.0.2"):
        said, _ = console.run(f"ip route get {address}; nc -w 3 {address} 9")
        tap.true("dev eth0" in said and "secret" not in said, f"by {address}: {said}")
    after = stats()
    tap.true(after["tx_drop"] >= before["tx_drop"] + 2, f"they are counted: {before} to {after}")
    tap.equal(fetch(console), ("from afar", 0), "what was fetched afterwards")
    console.leave()
    wire.end(local)


@tap.test("its worker is killed: the network goes on, and the next worker goes on counting")
def _():
    before = stats()
    wire.kill(host.worker_of("alice"))
    console = Console("alice", "lan").greet()
    tap.equal(fetch(console), ("from afar", 0), "what was fetched")
    console.leave()
    tap.true(stats()["rx_bytes"] > before["rx_bytes"], "it counts on")


@tap.test("its passt is killed: another one takes its place")
def _():
    old = passts()
    tap.equal(len(old), 1, "passts")
    wire.kill(old[0])
    eventually("another passt", lambda: passts() and passts()[0].pid != old[0].pid)
    console = Console("alice", "lan").greet()
    eventually("the network", lambda: fetch(console) == ("from afar", 0))
    console.leave()


@tap.test("its relay is killed: the machine goes on without, which the log says, and has it again from its next start")
def _():
    from_here = len(broker.log.lines)
    relay = proc.one("qemud-net", host.UID["alice"])
    wire.kill(relay)
    broker.log.wait("network interface 0 is down: .*relay has ended", start=from_here)
    tap.equal(vm.state("alice", "lan"), "running (booted)", "state")
    console = Console("alice", "lan").greet()
    tap.equal(console.run("echo here"), ("here", 0), "the guest")
    said, status = console.run(f"nc -w 3 {FAR} 7")
    tap.true(status != 0, f"there is no network: {said}")
    console.leave()
    eventually("its passt goes", lambda: not passts())
    host.virsh("alice", "destroy", "lan")
    host.virsh("alice", "start", "lan")
    console = Console("alice", "lan").greet()
    wire.lease(console)
    tap.equal(fetch(console), ("from afar", 0), "what was fetched")
    console.leave()


@tap.test("destroyed, nothing is left of it: no passt, no relay, no open port, and no warning")
def _():
    from_here = len(broker.log.lines)
    host.virsh("alice", "destroy", "lan")
    tap.equal(broker.log.find("warning: .*network interface", from_here), [], "warnings")
    tap.equal(passts(), [], "passts")
    tap.equal(proc.find("qemud-net", host.UID["alice"]), [], "relays")
    tap.equal(ask(2080), None, "port 2080")


@tap.test("a link that is down in the definition is down for the guest")
def _():
    vm.define("alice", "down", 2, LAN.replace("<model", "<link state='down'/><model"), memory=256,
              os_more=wire.GUEST)
    host.virsh("alice", "start", "down")
    console = Console("alice", "down").greet()
    tap.equal(console.run("ip link set eth0 up; cat /sys/class/net/eth0/carrier"), ("0", 0), "carrier")
    console.leave()
    host.virsh("alice", "destroy", "down")


@tap.test("a port below port_min is refused in words, and nothing of the machine is left")
def _():
    vm.define("alice", "low", 3, LAN.replace("2080", "80"))
    said = host.virsh_fails("alice", "start", "low")
    tap.true("1024" in said and "80" in said, said)
    tap.equal(vm.state("alice", "low"), "shut off (failed)", "state")


@tap.test("a port that is in use makes the start fail, each time, in words")
def _():
    held = serve(NEAR, 2080, "mine")
    for _ in range(host.count(full=5, long=50)):
        said = host.virsh_fails("alice", "start", "lan")
        tap.true("passt has ended; the log of the domain may say why" in said, said)
        tap.equal(vm.qemus("alice"), [], "processes of QEMU")
    wire.end(held)
    with open("/home/alice/.qemud/log/lan.log", encoding="utf-8") as log:
        tap.true("Failed to bind" in log.read(), "what passt says")
    host.virsh("alice", "start", "lan")
    host.virsh("alice", "destroy", "lan")


@tap.test("a guest has name servers, also on a host whose own resolver listens on its loopback")
def _():
    names = wire.serve_names(FAR, "ip", "netns", "exec", "far")
    os.makedirs("/run/systemd/resolve")
    os.remove("/etc/resolv.conf")
    for etc, resolved in ((FAR, "192.0.2.77"), ("127.0.0.53", FAR)):
        for path, address in (("/etc/resolv.conf", etc), ("/run/systemd/resolve/resolv.conf", resolved)):
            with open(path, "w", encoding="ascii") as file:
                file.write(f"nameserver {address}\noptions edns0\n")
        host.virsh("alice", "start", "lan")
        console = Console("alice", "lan").greet()
        wire.lease(console)
        tap.equal(console.run("cat /etc/resolv.conf"), (f"nameserver {FAR}", 0), "its name servers")
        said, _ = console.run("nslookup www.example.org 2>&1")
        tap.true(f"Address: {FAR}" in said, said)
        console.leave()
        host.virsh("alice", "destroy", "lan")
    wire.end(names)


broker.stop()
host.start_broker(network="none")


@tap.test("where the host gives no network, a machine with an interface is not started, in words")
def _():
    said = host.virsh_fails("alice", "start", "lan")
    tap.true("network" in said, said)
    tap.equal(vm.qemus("alice"), [], "processes of QEMU")


wire.end(server)
host.finish()
