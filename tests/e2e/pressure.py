# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: what a client puts into its connection, or how many it opens, holds nobody else up.
import array
import os
import resource
import signal
import socket
import struct
import time

import host
import proc
import rpc
import tap
import vm

broker = host.start_broker(idle_seconds=600)
SUBORDINATE = 100000


def lingering():
    """A TCP socket whose last close() waits for an hour, and the peer that takes nothing."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    sender = socket.socket()
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sender.connect(listener.getsockname())
    peer, _ = listener.accept()
    listener.close()
    sender.setblocking(False)
    try:
        while True:
            sender.send(bytes(4096))
    except BlockingIOError:
        pass
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
    return sender, peer


def send_descriptor(sock, fd):
    """Returns whether the kernel took it."""
    try:
        sock.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    except OSError:
        return False
    return True


def answered(user):
    """That user is answered, by error or not; who is held up by what lingers for an hour is not. An account
    is looked up within two seconds or not at all, and who is told so tries again: a machine may be slow."""
    deadline = time.monotonic() + 60
    while True:
        with host.client_as(user) as client:
            reply = client.call(rpc.AUTH_LIST)
        if not (reply.error and "cannot be looked up: Connection timed out" in reply.error.message) or \
                time.monotonic() > deadline:
            return reply


@tap.test("descriptors that linger, in connections of those who are refused, hold nobody up")
def _():
    kept = []
    for _ in range(host.count(full=20, long=200)):
        with host.identity(SUBORDINATE):
            sender, peer = lingering()
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(rpc.SOCKET)
            if not send_descriptor(sock, sender.fileno()):
                # Since Linux 6.16: then it is this process whose close would wait.
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
            sender.close()
            kept.append((sock, peer))
    for _ in range(20):
        tap.true(not answered("bob").error, "bob is served")
    for sock, _ in kept:
        sock.close()
    tap.true(not answered("bob").error, "bob is served")
    with host.identity(SUBORDINATE), rpc.Client(rpc.SOCKET) as refused:
        tap.true(refused.call(rpc.AUTH_LIST).error, "who is refused is told so")


@tap.test("who connects for the first time is served while somebody's subordinate uid floods")
def _():
    flood = os.fork()
    if flood == 0:
        with host.identity(SUBORDINATE):
            while True:
                try:
                    with socket.socket(socket.AF_UNIX) as sock:
                        sock.connect(rpc.SOCKET)
                except OSError:
                    pass
    try:
        for user in ("carol", "dave"):
            tap.true(not answered(user).error, f"{user} is served")
    finally:
        os.kill(flood, signal.SIGKILL)
        os.waitpid(flood, 0)


@tap.test("a burst of connections within the limit is served, every one of them")
def _():
    answered("alice")
    with host.identity("alice"):
        clients = [rpc.Client(rpc.SOCKET) for _ in range(host.count(full=400, long=490))]
    errors = [client.call(rpc.AUTH_LIST).error for client in clients]
    for client in clients:
        client.close()
    tap.equal([e for e in errors if e], [], "errors")
    # What she may connect in a second is hers again for the next test.
    time.sleep(1)


@tap.test("descriptors that no call takes use up nobody else's: who sends them loses her connection")
def _():
    watcher = host.client_as("alice").open()
    read_end, write_end = os.pipe()
    greedy = []
    for _ in range(60):
        client = host.client_as("alice", rpc.SOCKET_RO).open()
        client.socket.sendall(struct.pack(">IIIiIII", 60000, rpc.REMOTE, 1, 2, 0, 9, 0))
        greedy.append(client)
    for _ in range(32):
        for client in greedy:
            send_descriptor(client.socket, read_end)
    for _ in range(20):
        tap.true(not answered("alice").error, "another connection is served")
    tap.true(not watcher.call(rpc.CONNECT_GET_TYPE).error, "who was there before is served")
    waiting = sum(1 for what in host.worker_of("alice").descriptors().values() if what.startswith("pipe:"))
    tap.true(waiting <= 600, f"{waiting} descriptors wait")
    for client in greedy:
        client.close()
    os.close(read_end)
    os.close(write_end)
    watcher.close()


@tap.test("a worker that is stopped is replaced: those whom it had not taken are served by the next")
def _():
    with host.client_as("bob") as client:
        client.open()
        worker = host.worker_of("bob")
        end = proc.End(worker)
        os.kill(worker.pid, signal.SIGSTOP)
        with host.client_as("bob") as late:
            late.socket.settimeout(30)
            tap.true(not late.call(rpc.AUTH_LIST).error, "she is served")
        end.wait(60)
    tap.true(host.worker_of("bob").pid != worker.pid, "by another worker")


def kept_descriptors():
    """What the broker has open, without what it is about to close."""
    taken = set()
    for _ in range(20):
        taken, before = set(broker.process.descriptors()), taken
        if taken == before:
            break
        time.sleep(0.5)
    return taken


@tap.test("a broker that may open no file more refuses what it would take one for, and serves on when it may")
def _():
    vm.define("alice", "box", 1)
    usual = resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE)
    start = len(broker.log.lines)
    with host.client_as("alice") as client, host.client_as("bob") as other:
        client.open()
        other.open()
        worker = host.worker_of("bob").pid
        for number in range(1, 4):
            # One more than it has, as the account that goes to the starter with the ask takes.
            taken = kept_descriptors()
            few = [fd for fd in range(4096) if fd not in taken][1]
            resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE, (few, usual[1]))
            reply = client.call(rpc.DOMAIN_CREATE, vm.wire("box", 1))
            tap.true(reply.error, "it is not started")
            tap.true(not other.call(rpc.CONNECT_GET_TYPE).error, "bob is served")
            resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE, usual)
            broker.log.wait(rf"lease gone uid={host.UID['alice']} id={number} ", start=start)
            tap.equal(vm.leaves(), [], "leaves")
        broker.log.wait("has lost its descriptors", start=start)
        tap.true(not client.call(rpc.DOMAIN_CREATE, vm.wire("box", 1)).error, "it is started")
        tap.equal((host.worker_of("bob").pid, len(vm.leaves())), (worker, 1), "bob's worker, and leaves")
    host.virsh("alice", "destroy", "box")


host.finish()
