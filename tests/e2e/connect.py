# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: stock clients of each account are answered, by a worker that is that account's own.
import threading

import host
import proc
import rpc
import tap

host.start_broker()

for user in ("alice", "bob"):
    @tap.test(f"virsh as {user} tells the URI and the host")
    def _(user=user):
        tap.equal(host.virsh(user, "uri"), host.URI, "uri")
        tap.equal(host.virsh(user, "hostname"), "testhost", "hostname")

    @tap.test(f"virsh as {user} lists no VM, on both sockets")
    def _(user=user):
        for uri in (host.URI, host.URI_RO):
            tap.equal(host.virsh(user, "list", "--all", "--name", uri=uri), "", "names")

    @tap.test(f"{user} has one worker, which runs as {user}")
    def _(user=user):
        tap.equal(host.worker_of(user).ids("Uid"), [host.UID[user]] * 4, "uids")


@tap.test("virsh -r works on the read-only socket, and on the other one")
def _():
    for uri in (host.URI, host.URI_RO):
        tap.equal(host.virsh("alice", "list", "--all", "--name", uri=uri, options=["-r"]), "", "names")


@tap.test("session and system are both one's own: GET_URI tells what was opened")
def _():
    for name in ("qemu:///session", "qemu:///system"):
        with host.client_as("alice") as client:
            reply = client.open(name).call(rpc.CONNECT_GET_URI)
            tap.equal(rpc.Reader(reply.payload).string(), name, "uri")


@tap.test("root has a view and no worker; what is its own is the worker's of qemud-vm")
def _():
    tap.equal(host.virsh("root", "list", "--all", "--name"), "", "names as root")
    tap.equal(host.virsh("qemud-vm", "list", "--all", "--name"), "", "names as qemud-vm")
    first = host.worker_of("qemud-vm")
    host.virsh("root", "capabilities")
    tap.equal(host.worker_of("qemud-vm").pid, first.pid, "worker")
    tap.equal(len(proc.find("qemud-worker", 0)), 0, "workers of root")


SCRIPT = """
import libvirt
conn = libvirt.open({uri!r})
assert conn.isAlive() == 1
assert conn.getType() == "QEMU"
assert conn.getLibVersion() >= 9000000
assert conn.listAllDomains() == []
ro = libvirt.openReadOnly({uri_ro!r})
assert ro.listAllDomains() == []
conn.close()
ro.close()
"""


@tap.test("python3-libvirt works as it does with libvirt's own daemon")
def _():
    script = SCRIPT.format(uri=host.URI, uri_ro=host.URI_RO)
    result = host.run_as("carol", "/usr/bin/python3", "-c", script)
    tap.equal((result.returncode, result.stderr), (0, ""), "script")


@tap.test("many clients of several accounts at once are all answered")
def _():
    n = host.count(full=10, long=100)
    wrong = []

    def work(user):
        try:
            for _ in range(n):
                host.virsh(user, "list", "--all", "--name")
        except AssertionError as error:
            wrong.append(str(error))
    users = ("alice", "bob", "carol", "dave")
    threads = [threading.Thread(target=work, args=(user,)) for user in users * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tap.equal(wrong, [], "failures")
    for user in users:
        host.worker_of(user)  # there is one, and not two


@tap.test("calls in flight on one connection are all answered, each with its serial")
def _():
    with host.client_as("alice") as client:
        client.open()
        serials = {client.send(rpc.CONNECT_GET_TYPE) for _ in range(500)}
        tap.equal({client.receive().serial for _ in range(500)}, serials, "serials")


@tap.test("a frame sent byte by byte is a frame")
def _():
    with host.client_as("bob") as client:
        client.open()
        whole = bytes.fromhex("0000001c2000808600000001000000030000000000000007") + bytes(4)
        for n in range(len(whole)):
            client.socket.sendall(whole[n:n + 1])
        tap.equal(client.receive().serial, 7, "serial")


host.finish()
