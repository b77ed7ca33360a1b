# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a worker that stands still, runs by fits and starts, or is killed over and over costs its own
# user's rows and calls, in words that name her or the call's own; everybody else's are there, stock clients
# end as they should, and all is well when it is over.
# test: timeout=600
import contextlib
import os
import signal
import threading
import time

import host
import people
import proc
import rpc
import tap
import vm

SYSTEM = host.URI.replace("///session", "///system")
# What virsh may say of bob's machine, and no more: his worker is silent, ended with the call, or ends so often
# that none is started for a while.
SILENT = "the worker of bob does not answer"
SILENT_LINE = f"error: Timed out during operation: {SILENT}"
LOST_LINE = "error: operation failed: the worker of bob has closed the connection"
VAIN_LINE = ("error: operation failed: the worker of uid 2002 cannot be started: it ended several times without "
             "taking a connection; its owner and the administrator find more in qemud's log (the worker of bob)")

REST_S = 2.2
PAUSED = 3
DOMAIN_GET_STATE = 212

broker = host.start_broker(idle_seconds=600)
for user in ("alice", "bob"):
    vm.define(user, "box", 1)
    host.virsh(user, "start", "box", "--paused")


def root(*words):
    """How virsh ended; never by a signal, and without an answer never."""
    result = host.run_as("root", "virsh", "-c", SYSTEM, *words, timeout=120)
    tap.true(result.returncode in (0, 1), f"{words}: {result.returncode} {result.stderr}")
    return result


def wait(done, what):
    end = time.monotonic() + 60
    while not done():
        tap.true(time.monotonic() < end, what)
        time.sleep(0.05)


def signal_all(number):
    for worker in proc.find("qemud-worker", host.UID["bob"]):
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, number)


@contextlib.contextmanager
def meanwhile(turn):
    """That is done to bob's worker over and over."""
    over = threading.Event()

    def run():
        while not over.is_set():
            turn()
    turn()
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        signal_all(signal.SIGCONT)


def kill_worker():
    """bob's; its end can be waited for."""
    ended = proc.End(host.worker_of("bob"))
    os.kill(ended.pid, signal.SIGKILL)
    return ended


def stand_still():
    """Also the next one, before it has opened what there is."""
    signal_all(signal.SIGSTOP)
    time.sleep(0.01)


def fits_and_starts():
    signal_all(signal.SIGSTOP)
    time.sleep(0.3)
    signal_all(signal.SIGCONT)
    time.sleep(0.02)


def die():
    signal_all(signal.SIGKILL)
    time.sleep(0.1)


def is_whole():
    """Both users' rows are there, with what only their workers know."""
    said = root("domstats", "--balloon")
    return said.returncode == 0 and said.stdout.count("balloon.maximum=") == 2


wait(is_whole, "all of it, to begin with")

@tap.test("a worker that is killed costs an open connection no call that looks; what it may have done is not said to be done")
def _():
    connection = people.Connection("root", "qemu:///system")
    with connection.client:
        handle = connection.handle("bob:box")

        def state():
            return connection.call(DOMAIN_GET_STATE, handle + rpc.u32(0)).i32()

        tap.equal(state(), PAUSED, "state")
        ended = kill_worker()
        tap.equal(state(), PAUSED, "state by the next worker")
        ended.wait(30)
        # One that ends as soon as this is left alone for a while.
        time.sleep(REST_S)
        kill_worker().wait(30)
        # Its socket may be there a little longer than the process: then nobody knows who has read the call.
        try:
            connection.call(rpc.DOMAIN_RESUME, handle)
        except people.Refused as refused:
            tap.equal(f"error: {refused.message}", LOST_LINE, "what it says")
            tap.equal(state(), PAUSED, "it was not done")
            connection.call(rpc.DOMAIN_RESUME, handle)
        tap.true(state() != PAUSED, "it runs")
        connection.call(rpc.DOMAIN_SUSPEND, handle)
        tap.equal(state(), PAUSED, "state at the end")


for TITLE, TURN, LINES in (("stands still", stand_still, {SILENT_LINE, LOST_LINE, VAIN_LINE}),
                           ("runs by fits and starts", fits_and_starts, {SILENT_LINE}),
                           ("is killed over and over", die, {LOST_LINE, VAIN_LINE})):
    @tap.test(f"while bob's worker {TITLE}, what there is of everybody is listed, and alice's is answered")
    def _():
        start, words = len(broker.log.lines), ""
        with meanwhile(TURN):
            for _ in range(host.count(full=2, long=20)):
                said = root("list", "--name")
                tap.equal((said.returncode, said.stdout.split()), (0, ["alice:box", "bob:box"]), said.stderr)
                tap.equal(root("domstate", "alice:box").stdout.strip(), "paused", "alice's state")
                said = root("domstats", "--balloon")
                tap.equal(said.returncode, 0, said.stderr)
                mine, _, his = said.stdout.partition("Domain: 'bob:box'")
                tap.true("Domain: 'alice:box'" in mine and "balloon.maximum=" in mine, f"alice's row: {said.stdout}")
                # The broker ends a worker that takes no connection; the next one may answer.
                tap.true(not his or "balloon.maximum=" in his, f"bob's row is whole, or not there: {his}")
                said = root("domstate", "bob:box")
                told = (said.returncode, said.stdout.strip(), said.stderr.strip())
                tap.true(told in {(0, "paused", ""), *((1, "", line) for line in LINES)}, f"{said}")
                words += said.stderr
        if TURN is stand_still:
            tap.true(SILENT in words, f"calls are told who is silent: {words}")
            broker.log.wait("statistics of bob are not told: .*" + SILENT, start=start)
        wait(is_whole, "all of it, when it is over")
        tap.equal(len(vm.qemus("bob")), 1, "bob's machine runs on")


for user in ("alice", "bob"):
    host.virsh(user, "destroy", "box")
host.finish()
