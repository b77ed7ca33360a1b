# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a worker with nothing to do leaves, the next call starts another, and whoever connects
# while it leaves is served.
# test: timeout=800
import contextlib
import os
import signal
import time

import host
import proc
import rpc
import tap

N_CLIENTS = 4

broker = host.start_broker(idle_seconds=1)


@tap.test("a worker without clients leaves after idle_seconds")
def _():
    host.virsh("alice", "list")
    host.wait_until_idle("alice")


@tap.test("the next call is served by another one")
def _():
    tap.equal(host.virsh("alice", "list", "--all", "--name"), "", "names")
    with host.client_as("alice").open():
        host.worker_of("alice")


@tap.test("a worker with a client stays, however silent that is")
def _():
    with host.client_as("bob") as client:
        client.open()
        worker = host.worker_of("bob")
        # Alice's came later and has nobody: by the time it has left, bob's could have left too.
        host.virsh("alice", "list")
        host.wait_until_idle("alice")
        tap.true(not client.call(rpc.CONNECT_GET_TYPE).error, "bob's call is answered")
        tap.equal(host.worker_of("bob").pid, worker.pid, "bob's worker")


USERS = ("alice", "bob", "carol", "dave")


def served(clients):
    """Every one of these connections is answered."""
    for client in clients:
        with client:
            tap.true(not client.open().call(rpc.CONNECT_GET_TYPE).error, "an answer")


def signal_all(processes, number):
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


@tap.test("connections that wait at the broker beside a worker's wish to leave are all served")
def _():
    for _ in range(host.count(full=3, long=30)):
        for user in USERS:
            host.client_as(user).open().close()
        # While the broker stands still, every worker's time is over and its ask is sent.
        os.kill(broker.process.pid, signal.SIGSTOP)
        time.sleep(1.2)
        clients = [host.client_as(user) for user in USERS * N_CLIENTS]
        os.kill(broker.process.pid, signal.SIGCONT)
        served(clients)


@tap.test("connections that wait at a worker whose time is over are all served")
def _():
    for _ in range(host.count(full=2, long=30)):
        last = [host.client_as(user).open() for user in USERS]
        workers = [host.worker_of(user) for user in USERS]
        for client in last:
            client.close()
        # On a slow machine one may have left already.
        signal_all(workers, signal.SIGSTOP)
        time.sleep(1.2)
        clients = [host.client_as(user) for user in USERS * N_CLIENTS]
        signal_all(workers, signal.SIGCONT)
        served(clients)


def pids(user):
    """Of the user's workers: for a moment there may be one that leaves and one that comes."""
    return {worker.pid for worker in proc.find("qemud-worker", host.UID[user])}


@tap.test("connections around the moment of leaving are all served")
def _():
    rounds = host.count(full=4, long=60)
    others = 0
    for i in range(rounds):
        for user in USERS:
            host.client_as(user).open().close()
        before = [pids(user) for user in USERS]
        # From a little before to a little after, four tries a round.
        time.sleep(0.98 + 0.04 * i / rounds)
        for user in USERS:
            served([host.client_as(user)])
        others += sum(not pids(user) <= had for user, had in zip(USERS, before))
    tap.note(f"{others} of {rounds * len(USERS)} were served by the next worker")


host.finish()
