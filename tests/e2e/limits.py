# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: one account's connections cost it alone: past its limits it is refused in words, past
# twice a limit closed, and everybody else is answered as before.
# test: alone
import os
import signal
import subprocess
import time

import host
import rpc
import tap

LIMIT = 20
MANY = 300


def refusal(client):
    """The error that the first call is answered with; None when it is served."""
    return client.call(rpc.AUTH_LIST).error


def outcome(client):
    """served, refused or closed"""
    try:
        return "refused" if refusal(client) else "served"
    except (rpc.Ended, BrokenPipeError):
        return "closed"


few = host.start_broker(user_connections=LIMIT, user_connections_per_second=1000)


@tap.test("one connection more than the limit is refused in words that name the key; others are not")
def _():
    held = [host.client_as("alice").open() for _ in range(LIMIT)]
    with host.client_as("alice") as client:
        error = refusal(client)
        tap.true(error and "user_connections" in error.message and str(LIMIT) in error.message, f"{error}")
    said = host.virsh_fails("alice", "list")
    tap.true("user_connections" in said, f"virsh says: {said}")
    tap.equal(host.virsh("bob", "list", "--all", "--name"), "", "bob's list")
    tap.true(not held[0].call(rpc.CONNECT_GET_TYPE).error, "who was there before is served on")
    for client in held:
        client.close()


@tap.test("what is closed counts no more")
def _():
    for _ in range(3 * LIMIT):
        few.settle()
        with host.client_as("alice") as client:
            client.open()
            tap.true(not client.call(rpc.CONNECT_CLOSE).error, "closed in order")


@tap.test("past twice the limit a connection is closed at once, and the log says so once a second")
def _():
    few.settle()
    begin = time.monotonic()
    clients = [host.client_as("alice") for _ in range(10 * LIMIT)]
    outcomes = [outcome(client) for client in clients]
    for client in clients:
        client.close()
    seconds = time.monotonic() - begin
    tap.equal(outcomes[:LIMIT], ["served"] * LIMIT, "the first")
    tap.true(outcomes.count("served") == LIMIT, f"served {outcomes.count('served')}")
    tap.true(outcomes.count("closed") >= 7 * LIMIT, f"closed {outcomes.count('closed')}")
    few.log.wait(r"closed \d+ connections at once")
    lines = few.log.find(r"closed \d+ connections at once")
    tap.true(1 <= len(lines) <= seconds + 2, f"{len(lines)} lines in {seconds} s: {lines[:3]}")
    tap.equal(host.virsh("bob", "list", "--all", "--name"), "", "bob's list")


few.stop()
often = host.start_broker(user_connections=1000, user_connections_per_second=10)


@tap.test("who connects more often than she may is refused in words; later she is served again")
def _():
    # They come at once, however slow this machine is.
    os.kill(often.process.pid, signal.SIGSTOP)
    clients = [host.client_as("alice") for _ in range(18)]
    os.kill(often.process.pid, signal.SIGCONT)
    errors = [refusal(client) for client in clients]
    for client in clients:
        client.close()
    told = [e for e in errors if e]
    tap.true(told, "some are refused")
    tap.true(all("user_connections_per_second" in e.message for e in told), f"{told[0]}")
    tap.true(not errors[0], "the first is served")
    with host.client_as("bob") as client:
        tap.equal(outcome(client), "served", "bob's connection")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with host.client_as("alice") as client:
            if outcome(client) == "served":
                return
    raise AssertionError("never served again")


often.stop()
host.start_broker(user_connections_per_second=100000)

# Holds 200 connections and closes and opens one after the other; a byte for each.
CHURN = """
import os, sys
sys.path.insert(0, "tests/lib")
import rpc
held = [rpc.Client() for _ in range(200)]
while True:
    held.pop(0).close()
    held.append(rpc.Client())
    try:
        held[-1].call(rpc.AUTH_LIST)
    except (rpc.Ended, BrokenPipeError):
        pass
    os.write(1, b".")
"""


class Churn:
    """Alice's connections that come and go, until the end of the block."""

    def __enter__(self):
        self.process = subprocess.Popen(host.command_as("alice", "/usr/bin/python3", "-c", CHURN),
                                        stdout=subprocess.PIPE)
        self.count = 0
        return self

    def more(self):
        """How many have come and gone since it was asked last; waits for one."""
        piece = os.read(self.process.stdout.fileno(), 65536)
        tap.true(piece, "the churn goes on")
        self.count += len(piece)
        return len(piece)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def overtaken(what, call, n):
    """n calls while connections of another account come and go: not many of these during any of the calls,
    however slow the machine is for both."""
    most = 0
    with Churn() as churn:
        churn.more()
        for i in range(n):
            tap.true(not call(), f"call {i}")
            most = max(most, churn.more())
    tap.note(f"{churn.count} connections came and went; at most {most} during one {what}")
    tap.true(most <= MANY, f"{most} came and went during one {what}")


@tap.test(f"while 200 connections of one account come and go, each of 200 calls of another is answered"
          f" before {MANY} of them have")
def _():
    with host.client_as("bob") as caller:
        caller.open()
        overtaken("answer", lambda: caller.call(rpc.CONNECT_GET_TYPE).error, host.count(full=200, long=5000))


@tap.test("the same for 200 connections of the other account, opened one after the other")
def _():
    def connect():
        with host.client_as("bob") as client:
            return client.open().call(rpc.CONNECT_GET_TYPE).error
    overtaken("connection", connect, host.count(full=200, long=5000))


host.finish()
