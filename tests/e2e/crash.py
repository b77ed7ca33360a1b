# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: whichever process is killed, and whenever a client goes, the others are served on.
import os
import struct

import host
import proc
import rpc
import tap

broker = host.start_broker(user_connections_per_second=100000)


def kill(process):
    end = proc.End(process)
    os.kill(process.pid, 9)
    end.wait(60)


def answered(user):
    with host.client_as(user) as client:
        tap.true(not client.open().call(rpc.CONNECT_GET_TYPE).error, f"{user} is answered")


@tap.test("a killed worker ends its clients' connections; the next one is served by another worker")
def _():
    n = host.count(full=5, long=30)
    for _ in range(n):
        with host.client_as("alice") as client, host.client_as("bob") as other:
            client.open()
            other.open()
            kill(host.worker_of("alice"))
            try:
                client.call(rpc.CONNECT_GET_TYPE)
            except (rpc.Ended, BrokenPipeError):
                pass
            else:
                raise AssertionError("somebody answered for a dead worker")
            tap.true(not other.call(rpc.CONNECT_GET_TYPE).error, "bob is answered")
            answered("alice")


@tap.test("clients that go in the middle of a call, or of a frame, cost nobody anything")
def _():
    n = host.count(full=50, long=2000)
    with host.client_as("alice") as watcher:
        watcher.open()
        worker = host.worker_of("alice")
        for i in range(n):
            with host.client_as("alice") as client:
                if i % 3 == 0:
                    client.open().send(rpc.CONNECT_GET_TYPE)
                elif i % 3 == 1:
                    client.open().socket.sendall(struct.pack(">II", 100, rpc.REMOTE))
                else:
                    client.send(rpc.AUTH_LIST)
            tap.true(not watcher.call(rpc.CONNECT_GET_TYPE).error, "the watcher is answered")
        tap.equal(host.worker_of("alice").pid, worker.pid, "alice's worker")


@tap.test("frames of impossible length end their own connection alone")
def _():
    with host.client_as("alice") as watcher:
        watcher.open()
        for length in (0, 3, 4, 27, 33554437, 0xffffffff):
            with host.client_as("alice") as client:
                client.open()
                client.socket.sendall(struct.pack(">I", length) + bytes(24))
                try:
                    client.receive()
                except rpc.Ended:
                    continue
                raise AssertionError(f"length {length} was answered")
        tap.true(not watcher.call(rpc.CONNECT_GET_TYPE).error, "the watcher is answered")


@tap.test("a killed refuser is replaced: who is refused gets words again")
def _():
    kill(proc.one("qemud-view"))
    with host.identity(4242):
        client = rpc.Client()
    with client:
        tap.true(client.call(rpc.AUTH_LIST).error, "an error in words")
    answered("alice")


@tap.test("when the broker is killed, starter, workers and refuser end within their five seconds")
def _():
    answered("alice")
    ends = [proc.End(p) for p in (host.worker_of("alice"), proc.one("qemud-view"), broker.starter)]
    broker.kill()
    for end in ends:
        end.wait(60)
    broker.stop()


@tap.test("a new broker serves over what the old one left")
def _():
    host.Broker()
    answered("alice")
    answered("bob")


@tap.test("when the starter is killed the broker ends with an error and takes the rest with it")
def _():
    last = host.Broker.running[-1]
    answered("alice")
    ends = [proc.End(p) for p in (host.worker_of("alice"), proc.one("qemud-view"), last.process)]
    kill(last.starter)
    for end in ends:
        end.wait(60)
    tap.true(last.stop() != 0, "exit status is not 0")
    tap.true(last.log.find("qemud: error: "), "an error in the log")


host.finish()
