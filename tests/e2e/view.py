# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: through a view, root sees, finds and manages everybody's machines with stock clients, and
# makes the system account's; others see theirs alone; a worker that hangs costs its own rows.
# test: timeout=480
import contextlib
import glob
import os
import signal
import socket
import subprocess
import time

import host
import proc
import rpc
import tap
import vm

SYSTEM = f"qemu+unix:///system?socket={rpc.SOCKET}"
SYSTEM_RO = f"qemu+unix:///system?socket={rpc.SOCKET_RO}"

CONSOLE = """
import libvirt, sys
connection = libvirt.open(sys.argv[1])
stream = connection.newStream()
connection.lookupByName(sys.argv[2]).openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_SAFE)
stream.send(b"hello")
stream.finish()
"""

broker = host.start_broker(idle_seconds=600)

for user in ("alice", "bob"):
    vm.define(user, "box", 1)
vm.define("bob", "web", 2)


def names(uri=SYSTEM, *options):
    return sorted(host.virsh("root", "list", "--all", "--name", uri=uri, options=options).split())


def wait(done, what):
    end = time.monotonic() + 60
    while not done():
        if time.monotonic() > end:
            raise AssertionError(what)
        time.sleep(0.05)


def heard(watcher, *users):
    """Machines are started and ended until the watcher has said so of each."""
    for user in users:
        host.virsh(user, "start", "box")
        host.virsh(user, "destroy", "box")
    os.set_blocking(watcher.stdout.fileno(), False)
    watcher.said = getattr(watcher, "said", "") + (watcher.stdout.read() or "")
    return all(f"'{user}:box': Stopped" in watcher.said for user in users)


def frozen():
    """What the kernel says of the leaf of the one machine that runs."""
    (path,) = glob.glob(f"{os.environ['TEST_CGROUP']}/u*/vm-*/cgroup.events")
    with open(path, encoding="ascii") as file:
        return dict(line.split() for line in file)["frozen"]


def in_state(state, uri=SYSTEM):
    """The machines in it, as a list says."""
    return host.virsh("root", "list", "--name", f"--state-{state}", uri=uri,
                      options=("-r",) if uri == SYSTEM_RO else ()).split()


def root(*words, uri=SYSTEM):
    return host.virsh("root", *words, uri=uri)


@tap.test("root lists everybody's machines, others theirs alone")
def _():
    wait(lambda: names() == ["alice:box", "bob:box", "bob:web"], "all of them")
    tap.equal(host.virsh("bob", "list", "--all", "--name").split(), ["box", "web"], "bob's list")


@tap.test("each stands under a UUID of its own, and its definition says whose it is")
def _():
    uuids = {name: root("domuuid", name).strip() for name in names()}
    tap.equal(len(set(uuids.values())), 3, "UUIDs")
    tap.true(vm.uuid(1) not in uuids.values(), "a UUID of another's own")
    xml = root("dumpxml", "bob:box")
    tap.true("<name>bob:box</name>" in xml and uuids["bob:box"] in xml, f"name and UUID: {xml}")
    tap.true('owner="bob"' in xml.replace("'", '"') and vm.uuid(1) in xml, f"metadata: {xml}")


@tap.test("root starts, pauses and destroys another's machine")
def _():
    root("start", "bob:box")
    tap.equal(vm.state("bob", "box"), "running (booted)", "state, to bob")
    tap.equal(vm.qemu("bob").ids("Uid"), [2002] * 4, "uids of QEMU")
    tap.equal(root("domstate", "bob:box").strip(), "running", "state, to root")
    root("suspend", "bob:box")
    root("resume", "bob:box")
    root("destroy", "bob:box")
    tap.equal(vm.state("bob", "box"), "shut off (destroyed)", "state, to bob")


@tap.test("domstats, events and the console are of all users")
def _():
    watcher = subprocess.Popen(host.command_as("root", "virsh", "-c", SYSTEM, "event", "--event", "lifecycle",
                                               "--loop", "--timeout", "60"),
                               stdout=subprocess.PIPE, text=True)
    try:
        wait(lambda: heard(watcher, "alice", "bob"), "events of both")
        stats = root("domstats", "--state", "--vcpu")
        for name in ("alice:box", "bob:box", "bob:web"):
            tap.true(f"Domain: '{name}'" in stats, f"{name}: {stats}")
        tap.true("vcpu.maximum=1" in stats, stats)
    finally:
        watcher.kill()
        watcher.wait()
        watcher.stdout.close()
    # What its owner did is seen a little later.
    wait(lambda: host.run_as("root", "virsh", "-c", SYSTEM, "start", "bob:box").returncode == 0, "it starts")
    result = host.run_as("root", "/usr/bin/python3", "-c", CONSOLE, SYSTEM, "bob:box")
    tap.equal((result.returncode, result.stderr), (0, ""), "what the bindings said of a console")
    root("destroy", "bob:box")


@tap.test("what root defines is the system account's")
def _():
    with open("/tmp/own.xml", "w", encoding="utf-8") as file:
        file.write(vm.definition("own", 7))
    root("define", "/tmp/own.xml")
    tap.equal(names(), ["alice:box", "bob:box", "bob:web", "own"], "all of them")
    root("undefine", "own")
    tap.equal(names(), ["alice:box", "bob:box", "bob:web"], "all of them")


@tap.test("on the read-only socket all is seen, and nothing changed")
def _():
    wait(lambda: names(SYSTEM_RO, "-r") == ["alice:box", "bob:box", "bob:web"], "all of them")
    said = host.virsh_fails("root", "autostart", "bob:box", uri=SYSTEM_RO, options=("-r",))
    tap.true("read only access prevents virDomainSetAutostart" in said, said)
    tap.equal(vm.qemus("bob"), [], "QEMUs")


@tap.test("more descriptors than go with a call through a view cost that call alone")
def _():
    create_with_files, call_with_fds = 310, 4
    with rpc.Client(rpc.SOCKET) as client:
        client.open("qemu:///system")
        handle = client.call(rpc.DOMAIN_LOOKUP_BY_NAME, rpc.string("bob:box")).payload
        for n in (1, 12, 1):
            client.send(create_with_files, rpc.u32(n) + handle + rpc.u32(0), kind=call_with_fds)
            for _ in range(n):
                socket.send_fds(client.socket, [b"\0"], [client.socket.fileno()])
            tap.true(client.receive().error, f"{n} of them")
        tap.true(not client.call(rpc.CONNECT_GET_TYPE).error, "the same connection is served")


@tap.test("a worker that is stopped costs calls about its user's machines, and is named")
def _():
    worker = host.worker_of("bob")
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        tap.equal(names(), ["alice:box", "bob:box", "bob:web"], "all of them")
        said = host.virsh_fails("root", "dominfo", "bob:web", uri=SYSTEM)
        tap.true("the worker of bob does not answer" in said, said)
        tap.equal(root("domstate", "alice:box").strip(), "shut off", "state of another's")
    finally:
        # The broker may have ended it, as one that takes no connection.
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGCONT)
    wait(lambda: "shut off" in root("domstate", "bob:web"), "bob's worker is back")


@tap.test("root pauses and ends a machine whose owner has stopped her worker")
def _():
    root("start", "bob:box")
    worker = host.worker_of("bob")
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        root("suspend", "bob:box")
        wait(lambda: frozen() == "1", "its leaf stands still")
        tap.equal(in_state("paused"), ["bob:box"], "what root sees standing still")
        tap.equal(in_state("paused", SYSTEM_RO), ["bob:box"], "and another view")
        root("destroy", "bob:box")
        wait(lambda: not vm.qemus("bob"), "its QEMU has ended")
        tap.equal(in_state("running") + in_state("paused"), [], "what root sees running")
        wait(lambda: in_state("paused", SYSTEM_RO) == [], "another view sees it")
        # It came back with the next inventory, of whomever.
        vm.define("alice", "new", 3)
        wait(lambda: "alice:new" in names(), "what alice has made")
        tap.equal(in_state("running") + in_state("paused"), [], "what root sees running then")
    finally:
        # The broker may have ended it meanwhile: it took no connection.
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGCONT)
    wait(lambda: vm.state("bob", "box").startswith("shut off"), "bob sees it, too")
    root("start", "bob:box")
    root("destroy", "bob:box")


@tap.test("what root made stand still goes on at root's word, also when another worker has taken it over")
def _():
    root("start", "bob:box")
    worker = host.worker_of("bob")
    os.kill(worker.pid, signal.SIGSTOP)
    root("suspend", "bob:box")
    wait(lambda: frozen() == "1", "its leaf stands still")
    end = proc.End(worker)
    os.kill(worker.pid, signal.SIGKILL)
    end.wait(60)
    wait(lambda: in_state("paused") == ["bob:box"], "what root sees standing still")
    # Its worker does not get a word out of its QEMU.
    root("resume", "bob:box")
    wait(lambda: frozen() == "0", "its leaf goes on")
    wait(lambda: vm.state("bob", "box").startswith("running"), "so it does for bob")
    root("suspend", "bob:box")
    root("resume", "bob:box")
    root("destroy", "bob:box")



host.finish()
