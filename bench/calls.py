# SPDX-License-Identifier: LGPL-2.1-or-later
"""calls.py: rows about calls of one user's, events, and definitions on disk."""
import os
import select
import statistics
import subprocess
import sys
import time

from power import PAUSE
from servers import (FLOOR, SECONDS, as_alice, cpu_ns, load_done, measure, medians, memory_kib)

DOMAINS = "1000"
ROWS = {"connect": ("connect", "32"), "call": ("call", "8", "1"), "wide": ("call", "64", "1"),
        "deep": ("call", "1", "64"), "list": ("list",), "info": ("info",),
        "define": ("define", DOMAINS)}
IDLE = 5000
MANY = 5000
LISTENERS = "100"


def fill(servers):
    """Define the domains of the rows that are about them."""
    for server in servers:
        if server.name != "floor":
            subprocess.run(as_alice("/srv/out/load", "define", server.socket, "0", DOMAINS),
                           stdout=subprocess.DEVNULL, check=True)
    os.mkdir(FLOOR, 0o700)
    os.chown(FLOOR, 2001, 2001)


def measure_calls(servers, turns, rows):
    """{row: {server: figures}} of these rows."""
    return {row: measure(servers, ROWS[row], turns) for row in rows}


def measure_filled(servers, turns, rows):
    """The same of rows about 1,000 domains."""
    fill(servers)
    return measure_calls(servers, turns, rows)


def measure_idle(servers, turns, _):
    """The `call` row while IDLE connections of the same user stay open, and what they cost."""
    result = {}
    for server in servers:
        pids = server.pids()
        before = sum(memory_kib(pid)[0] for pid in pids)
        idle = subprocess.Popen(as_alice("/srv/out/load", "idle", server.socket, str(IDLE)),
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if idle.stdout.readline() != "ready\n":
            sys.exit(f"bench: {server.name} does not take {IDLE} connections")
        after = sum(memory_kib(pid)[0] for pid in server.pids())
        result.update(measure([server], ROWS["call"], turns))
        result[server.name]["kib_per_connection"] = (after - before) / IDLE
        idle.communicate("")
    return {"idle": result}


def hear(server, listeners, uid="2001", definer="2001"):
    """One turn of the rows about events: operations, seconds, CPU nanoseconds; what comes before is not in them."""
    with subprocess.Popen(["/srv/out/look", "events", server.socket, SECONDS, listeners, uid, definer], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        if child.stdout.readline() != "ready\n":
            sys.exit(f"bench: {server.name} tells no events")
        pids = server.pids()
        before = cpu_ns(pids)
        child.stdin.write("\n")
        child.stdin.flush()
        operations, seconds, _ = child.stdout.readline().split()
        spent = cpu_ns(pids) - before
    return int(operations), float(seconds), spent


def measure_events(servers, turns, _):
    """{row: {server: {"wall", "cpu" of the server: ms until all are told; "one": until one is}}}, medians."""
    seen = {server.name: {"wall": [], "cpu": [], "one": []} for server in servers}
    for _ in range(turns):
        for server in servers:
            operations, seconds, cpu = hear(server, LISTENERS)
            seen[server.name]["wall"].append(seconds * 1e3 / operations)
            seen[server.name]["cpu"].append(cpu / 1e6 / operations)
            operations, seconds, cpu = hear(server, "1")
            seen[server.name]["one"].append(seconds * 1e3 / operations)
    return {"events": medians(seen)}


def measure_policy(_, turns, __):
    """{row: {what: {"us" of CPU each, "rate" a second}}}, medians."""
    seen = {"floor": [], "decide": [], "parse": []}
    for _ in range(turns):
        for what, values in seen.items():
            operations, seconds, own = load_done(as_alice("/srv/out/policy", what, SECONDS), "policy")
            values.append((own / 1e3 / operations, operations / seconds))
    return {"policy": {what: dict(zip(("us", "rate"), map(statistics.median, zip(*values))))
                       for what, values in seen.items()}}


def end_process(pid, signal):
    """Until it is gone."""
    fd = os.pidfd_open(pid)
    os.kill(pid, signal)
    select.select([fd], [], [])
    os.close(fd)


def measure_first(servers, turns, _):
    """{row: {server: {"answer", "list": ms from the beginning; "cpu": ms; "kib": a domain}}}, medians."""
    seen = {}
    for server in servers[1:]:
        done = subprocess.run(as_alice("/srv/out/load", "define", server.socket, "0", str(MANY)),
                              stdout=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            sys.exit(f"bench: {server.name} does not take {MANY} definitions")
        seen[server.name] = {"answer": [], "list": [], "cpu": [], "kib": []}
    for turn in range(min(turns, 11)):
        for server in servers[1:]:
            time.sleep(PAUSE)
            if server.name == "libvirtd":
                end_process(server.keeper(), 15)
                subprocess.Popen(server.command, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            else:
                end_process(server.keeper(), 9)
            done = subprocess.run(as_alice("/srv/out/load", "first", server.socket, "60"),
                                  capture_output=True, text=True, check=True)
            answer, listed = (int(word) / 1e6 for word in done.stdout.split())
            keeper = server.keeper()
            kib = (memory_kib(keeper)[0] - server.fresh_kib) / MANY
            for key, value in (("answer", answer), ("list", listed), ("cpu", cpu_ns([keeper]) / 1e6),
                               ("kib", kib)):
                seen[server.name][key].append(value)
    return {"defs5000": medians(seen)}
