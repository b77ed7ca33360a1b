# SPDX-License-Identifier: LGPL-2.1-or-later
"""crowd.py: rows about 1,000 VMs of 100 users, 20 of them running, seen through a view.

These run while their statistics are asked for alone (crowd-stats); for the rows after it they are paused, so that
they take no processor. The one who looks is an account that policy shows everything, watcher. libvirtd has 1,000 VMs of one
user, 20 of them running as well. A worker is asleep when nobody needs it: with 80 workers asleep, only those
20 run whose users have a VM that runs; awake, all 100 do.
"""
import os
import signal
import statistics
import subprocess
import time

from calls import end_process, hear
from power import VM_FOLDER, Guest, wait_idle
from servers import SECONDS, as_user, cpu_ns, look, processes, work

USERS, EACH, RUNNING = 100, 10, 20
FIRST_UID, WATCHER_UID = 5001, 5000
UIDS = range(FIRST_UID, FIRST_UID + USERS)
PEOPLE = [("watcher", WATCHER_UID)] + [(f"crowd{uid - FIRST_UID:03}", uid) for uid in UIDS]
POLICY = "allow everyone manage own\nallow user watcher view all\n"
ROWS = ("crowd-first", "crowd-list", "crowd-find", "crowd-stats", "crowd-all", "crowd-events")
LISTENERS = 10
ACTIVE = "1"
REST = 1.2  # the broker starts one view a second


def fill(servers):
    """Define and start all; returns what keeps those that run."""
    guests = []
    os.makedirs(VM_FOLDER, 0o755, exist_ok=True)
    for server in servers[1:]:
        for number, uid in enumerate(UIDS):
            runs = number < RUNNING
            if server.name == "qemud":
                define(server, uid, EACH - runs)
            if runs:
                guests.append(Guest(server, 1000 + number, uid))
        if server.name != "qemud":
            define(server, FIRST_UID, USERS * EACH - RUNNING)
    return guests


def define(server, uid, number):
    subprocess.run(as_user(uid, "/srv/out/load", "define", server.socket, "0", str(number)),
                   stdout=subprocess.DEVNULL, check=True)


def owner(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Uid:"))


def sleep(servers):
    """80 workers are ended; no one needs them."""
    for pid in processes("qemud-worker"):
        if owner(pid) in UIDS[RUNNING:]:
            end_process(pid, signal.SIGKILL)
    # The watcher's view has been told, and so has the next one.
    look(servers[1], WATCHER_UID, "find", "name")


def wake(servers):
    """All 100 workers run."""
    for uid in UIDS:
        subprocess.run(as_user(uid, "/srv/out/load", "call", servers[1].socket, "0", "1", "1"),
                       stdout=subprocess.DEVNULL, check=True)


def end_view():
    """The view of the one who looks; the next client gets a new one."""
    for pid in processes("qemud-view"):
        with open(f"/proc/{pid}/cmdline", encoding="ascii") as file:
            if "--host" in file.read():
                end_process(pid, signal.SIGKILL)


def measured(operations, seconds, cpu):
    return {"wall": seconds * 1e3 / operations, "cpu": cpu / 1e6 / operations}


def turn_first(server):
    """From a client's connecting to the first answer and to the list; no view runs."""
    if server.name == "qemud":
        time.sleep(REST)
        end_view()
    before = cpu_ns(server.pids())
    done = subprocess.run(as_user(WATCHER_UID, "/srv/out/load", "first", server.socket, "60"),
                          capture_output=True, text=True, check=True)
    answer, listed = (int(word) / 1e6 for word in done.stdout.split())
    return {"wall": listed, "answer": answer, "cpu": (cpu_ns(server.pids()) - before) / 1e6}


def turn_list(server):
    return measured(*work(server, as_user(WATCHER_UID, "/srv/out/load", "list", server.socket, SECONDS)))


def turn_find(server):
    by_name, by_uuid = (measured(*look(server, WATCHER_UID, "find", how)) for how in ("name", "uuid"))
    return {**by_name, "uuid": by_uuid["wall"]}


def turn_stats(flags, domains, uids):
    """The floor asks each user's worker by itself, all at once: what they cost without a view."""
    def turn(server, servers):
        if server.name == "floor":
            qemud = servers[1]
            return measured(*work(qemud, ["/srv/out/look", "parts", qemud.socket, SECONDS, flags,
                                          str(domains), *map(str, uids)]))
        view = cpu_ns(processes("qemud-view"))
        figures = measured(*(done := look(server, WATCHER_UID, "stats", flags, str(domains))))
        if server.name == "qemud":
            figures["view"] = (cpu_ns(processes("qemud-view")) - view) / 1e6 / done[0]
        return figures
    return turn


def turn_events(server):
    """A user of whom the view shows defines a domain anew; until all have been told, and one has."""
    uids = str(WATCHER_UID), str(UIDS[USERS // 2] if server.name == "qemud" else FIRST_UID)
    figures = measured(*hear(server, str(LISTENERS), *uids))
    return {**figures, "one": measured(*hear(server, "1", *uids))["wall"]}


def rounds(servers, turn, turns):
    """{server: figures}, medians; "ratio" is of the wall time to the first's in the same turn."""
    seen = {server.name: [] for server in servers}
    for _ in range(turns):
        for server in servers:
            seen[server.name].append(turn(server))
    first = seen[servers[0].name]
    for values in seen.values():
        for own, other in zip(values, first):
            own["ratio"] = own["wall"] / other["wall"]
    return {name: {key: statistics.median(value[key] for value in values) for key in values[0]}
            for name, values in seen.items()}


def measure_crowd(servers, turns, rows):
    """{row: {state: {server: figures}}}."""
    guests, results = fill(servers), {row: {} for row in rows}
    real = servers[1:]
    if "crowd-stats" in rows:
        wait_idle()
        running = turn_stats(ACTIVE, RUNNING, UIDS[:RUNNING])
        results["crowd-stats"]["all of them run"] = rounds(servers, lambda server: running(server, servers), turns)
    for guest in guests:
        guest.say("suspend")
    all_at_once = turn_stats("0", USERS * EACH, UIDS)
    for state, change in (("80 workers asleep", sleep), ("all workers awake", wake)):
        change(servers)
        asleep = change is sleep
        for row in rows:
            if row == "crowd-first":
                found = rounds(real, turn_first, min(turns, 7))
            elif row == "crowd-stats" and asleep:
                found = rounds(servers, lambda server: running(server, servers), turns)
            elif row == "crowd-all":
                # What sleeps has no worker to ask: no floor.
                found = rounds(real if asleep else servers, lambda server: all_at_once(server, servers), turns)
            elif asleep:
                continue
            elif row == "crowd-stats":
                continue
            else:
                turn = {"crowd-list": turn_list, "crowd-find": turn_find, "crowd-events": turn_events}[row]
                found = rounds(servers, turn, turns)
            results[row][state] = found
    for guest in guests:
        guest.child.communicate("destroy\n")
    return results


def table_crowd(row, figures):
    """The row as lines."""
    for state, servers in figures.items():
        print(f"\n{row}: {state}")
        first = next(iter(servers))
        for name, f in servers.items():
            print(f"  {name:9} {f['wall']:9.3f} ms {f['ratio']:8.2f} x {first} {f['cpu']:9.3f} ms CPU"
                  + (f" ({f['view']:.3f} of the view)" if "view" in f else "")
                  + (f" {f['answer']:9.3f} ms to the first answer" if "answer" in f else "")
                  + (f" {f['uuid']:9.3f} ms by UUID" if "uuid" in f else "")
                  + (f" {f['one']:9.3f} ms until one is told" if "one" in f else ""))
