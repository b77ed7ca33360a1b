# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: calls of all kinds and of none, connections and machines that come and go leave worker, broker,
# starter and refuser with the memory and the descriptors that they had; others are answered meanwhile.
# test: timeout=600 native network
#
# The long set makes more than 10^5 calls: a leak of six bytes a call is seen.
import struct
from collections import Counter

import host
import proc
import rpc
import tap
import trial
import vm

SLACK_KIB = 512  # that caches and the allocator may take
TURNS = host.count(full=3, long=100)  # after the first, which warms caches
NUMBERS = [n for n in range(0, 510) if n != rpc.CONNECT_CLOSE]
JUNK = (b"", b"\xff" * 64, vm.wire("one", 1), vm.wire("one", 1) + bytes(64), rpc.string("x" * 5000))
STRANGER = 4242

trial.SETTINGS["log_level"] = "info"
trial.begin()
n_calls = 0


def answered(client, what):
    tap.true(not client.call(rpc.CONNECT_GET_TYPE).error, f"{what} is answered")


def calls(path, payload, others):
    """Each number, of procedures that there are and that there are not, with that payload."""
    global n_calls
    client = None
    for number in NUMBERS:
        if client is None:
            client = host.client_as("alice", path).open()
        try:
            serial = client.send(number, payload)
            # Events and what is on a stream come in between.
            while True:
                reply = client.receive()
                if reply.serial == serial and reply.type not in (rpc.MESSAGE, rpc.STREAM):
                    break
        except (rpc.Ended, BrokenPipeError):
            client.close()
            client = None
        n_calls += 1
        if number % 100 == 0:
            for who, other in others.items():
                answered(other, who)
    if client:
        client.close()


def connections():
    """Some go in order, some within a call or a frame, some are refused."""
    for i in range(30):
        path = (rpc.SOCKET, rpc.SOCKET_RO)[i % 2]
        with host.client_as("alice", path) as client:
            client.open()
            if i % 3 == 0:
                client.send(rpc.CONNECT_LIST_ALL_DOMAINS, rpc.u32(1) + rpc.u32(0))
            elif i % 3 == 1:
                client.socket.sendall(struct.pack(">II", 100, rpc.REMOTE))
            else:
                client.call(rpc.CONNECT_CLOSE)
    for _ in range(3):
        with host.identity(STRANGER):
            client = rpc.Client()
        with client:
            tap.true(client.call(rpc.AUTH_LIST).error, "who has no account is refused")


def turn(number, others):
    trial.prepare("start")
    calls((rpc.SOCKET, rpc.SOCKET_RO)[number % 2], JUNK[number % len(JUNK)], others)
    trial.prepare("start")
    trial.by_name(rpc.DOMAIN_CREATE, "one")
    calls(rpc.SOCKET_RO, JUNK[number % len(JUNK)], others)
    connections()
    if "one" in trial.running():
        trial.by_name(rpc.DOMAIN_DESTROY, "one")
    trial.is_empty()


def dirty_kib(process):
    """Memory that it alone has written to."""
    with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Private_Dirty:"))


def parts():
    return {"worker": host.worker_of("alice"), "broker": trial.broker.process, "starter": trial.broker.starter,
            "refuser": proc.one("qemud-view")}


def files(processes):
    return {who: Counter(what.split(":")[0] for what in process.descriptors().values())
            for who, process in processes.items()}


def more(after, before):
    return {who: dict(after[who] - before[who]) for who in after if after[who] - before[who]}


@tap.test("what comes and goes leaves no trace in those who serve, and others are answered meanwhile")
def _():
    with host.client_as("alice") as mine, host.client_as("alice", rpc.SOCKET_RO) as viewer, \
            host.client_as("bob") as his:
        others = {"another client of hers": mine.open(), "one who views": viewer.open(), "bob": his.open()}
        for number in range(len(JUNK)):
            turn(number, others)
        first = parts()
        before, memory = files(first), {who: dirty_kib(process) for who, process in first.items()}
        begin = n_calls
        for number in range(TURNS):
            turn(number, others)
        tap.equal({who: p.pid for who, p in parts().items()}, {who: p.pid for who, p in first.items()}, "processes")
        # A client that had just gone may still be among those before.
        trial.eventually(lambda: not more(files(first), before),
                         lambda: f"descriptors: {before}, and then {more(files(first), before)} more")
        after = {who: dirty_kib(process) for who, process in first.items()}
        tap.note(f"{n_calls - begin} calls; KiB: {memory}, then {after}")
        tap.true(all(after[who] <= memory[who] + SLACK_KIB for who in after), f"KiB: {memory}, then {after}")
        for who, other in others.items():
            answered(other, who)


host.finish()
