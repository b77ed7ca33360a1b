# SPDX-License-Identifier: LGPL-2.1-or-later
"""storm.py: what one user notices while 24 guests of another start and stop."""
import os
import statistics
import subprocess
import time

from power import VM_FOLDER, Guest
from servers import as_user

GUESTS = 24
GOAL = 1.5
ROUND = 3.2  # seconds: the broker lets a user start eight a second
BOB = 2002


class Storm:
    """24 guests of alice's on one server, which start all at once, and then end so."""

    def __init__(self, server):
        os.makedirs(VM_FOLDER, exist_ok=True)
        self.guests = [Guest(server, 2000 + number) for number in range(GUESTS)]
        self.begun = 0
        self.all("destroy")

    def all(self, word):
        for guest in self.guests:
            guest.child.stdin.write(f"{word}\n")
            guest.child.stdin.flush()
        for guest in self.guests:
            if not guest.child.stdout.readline():
                raise RuntimeError(f"bench: {guest.server.name}: {word} failed")

    def round(self):
        time.sleep(max(0, self.begun + ROUND - time.monotonic()))
        self.begun = time.monotonic()
        self.all("start")
        self.all("destroy")


def waits(server, during):
    """Milliseconds that each of bob's connections took, one after the other, while that was done; and the first
    answer of each."""
    child = subprocess.Popen(as_user(BOB, "/srv/out/look", "wait", server.socket), text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    during()
    said, _ = child.communicate("")
    if child.returncode != 0:
        raise RuntimeError(f"bench: {server.name} does not serve bob")
    words = [int(word) / 1e6 for word in said.split()]
    return words[::2], words[1::2]


def measure_storm(servers, turns, _):
    """{row: {server: ms: median, 99th percentile, longest; median "alone"; "ratio" to the floor}}"""
    floor, qemud, *others = servers
    storms = {server.name: Storm(server) for server in servers[1:]}
    storms[floor.name] = storms[qemud.name]
    seen = {server.name: [] for server in servers}
    alone, first = ({server.name: [] for server in servers} for _ in range(2))
    for _ in range(min(turns, 7)):
        for server in (floor, qemud, *others):
            alone[server.name] += waits(server, lambda: time.sleep(0.2))[0]
            time.sleep(max(0, storms[server.name].begun + ROUND - time.monotonic()))
            turn, answers = waits(server, storms[server.name].round)
            seen[server.name].append(turn)
            first[server.name] += answers
    figures = {}
    for name, values in seen.items():
        all_of_them = sorted(ms for turn in values for ms in turn)
        figures[name] = {
            "median": statistics.median(all_of_them),
            "p99": all_of_them[len(all_of_them) * 99 // 100],
            "longest": all_of_them[-1],
            "first": statistics.median(first[name]),
            "first_mean": statistics.mean(first[name]),
            "mean": statistics.mean(all_of_them),
            "alone": statistics.median(alone[name]),
            "ratio": statistics.median(statistics.median(own) / statistics.median(other)
                                       for own, other in zip(values, seen[floor.name])),
            "mean_ratio": statistics.median(statistics.mean(own) / statistics.mean(other)
                                            for own, other in zip(values, seen[floor.name]))}
    return {"storm": figures}


def table_storm(row, figures):
    """The row as lines, with the goal."""
    print(f"\n{row}")
    for name, f in figures.items():
        print(f"  {name:9} {f['median']:9.3f} ms {f['ratio']:7.2f} x floor, {f['alone']:.3f} ms alone;"
              f" until the first answer {f['first']:.3f} ms\n"
              f"            means {f['mean']:.2f} ms {f['mean_ratio']:.2f} x floor, first answer {f['first_mean']:.2f}"
              f" ms; of a hundred the slowest {f['p99']:.1f} ms, of all {f['longest']:.1f} ms")
    ratio = figures["qemud"]["ratio"]
    print(f"  goal: at most {GOAL} x floor: {ratio:.2f}: {'met' if ratio <= GOAL else 'MISSED'}")
