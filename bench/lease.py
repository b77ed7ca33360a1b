# SPDX-License-Identifier: LGPL-2.1-or-later
"""lease.py: what a lease costs in a start: a worker that only asks, of a broker of its own."""
import os
import shutil
import statistics
import subprocess
import sys
import time

from servers import as_alice, cpu_ns

FOLDER = "/run/lease"
SOCKET = f"{FOLDER}/run/qemud-sock"
# A client that says which kind it wants, and prints what it is told.
CLIENT = """
import socket, sys
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(sys.argv[1])
    sock.sendall(sys.argv[2].encode())
    while data := sock.recv(4096):
        print(data.decode(), end="")
"""
PAUSE = 1.6  # a user may start eight a second


def start():
    """A broker whose workers are build/bench/lease."""
    libexec = f"{FOLDER}/libexec"
    os.mkdir(FOLDER, 0o755)
    shutil.copytree("/srv/qemud/libexec", libexec)
    shutil.copy("/srv/out/lease", f"{libexec}/qemud-worker")
    cgroup = os.environ["TEST_CGROUP"]
    if cgroup != "none":
        cgroup += "/lease"
        os.mkdir(cgroup)
    with open(f"{FOLDER}/qemud.conf", "w", encoding="ascii") as file:
        file.write(f"runtime_dir = {FOLDER}/run\nstate_dir = {FOLDER}/state\naudit = off\n"
                   f"log_level = error\ncgroup = {cgroup}\n")
    broker = subprocess.Popen(["/srv/qemud/sbin/qemud", "--config", f"{FOLDER}/qemud.conf", "--libexec", libexec],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while not os.path.exists(SOCKET):
        if broker.poll() is not None or time.monotonic() > end:
            sys.exit("bench: the broker for leases does not start")
        time.sleep(0.01)
    return broker


def child_of(pid, name):
    """The process of that name that it has started."""
    done = subprocess.run(["pgrep", "-P", str(pid), "-x", name], capture_output=True, text=True, check=True)
    return int(done.stdout)


def ask(kind, broker, starter):
    """One turn: microseconds of wall time, and of broker's and starter's CPU, for each that was asked for."""
    before = cpu_ns([broker]), cpu_ns([starter])
    done = subprocess.run(as_alice(sys.executable, "-c", CLIENT, SOCKET, kind), capture_output=True, text=True,
                          check=False)
    walls = [int(line) / 1e3 for line in done.stdout.split()]
    if done.returncode != 0 or not walls:
        sys.exit(f"bench: leases: {done.stderr.strip()}")
    return (statistics.median(walls), (cpu_ns([broker]) - before[0]) / 1e3 / len(walls),
            (cpu_ns([starter]) - before[1]) / 1e3 / len(walls))


def measure_lease(_, turns, __):
    """{row: {what: {"wall", "broker", "starter": us}}}, medians."""
    process = start()
    starter = child_of(process.pid, "qemud-launch")
    seen = {"lease": [], "tool": []}
    for kind in seen:
        ask(kind[0], process.pid, starter)  # whatever is done once
    for _ in range(turns):
        for kind, values in seen.items():
            time.sleep(PAUSE)
            values.append(ask(kind[0], process.pid, starter))
    process.terminate()
    process.wait()
    return {"lease": {kind: dict(zip(("wall", "broker", "starter"), map(statistics.median, zip(*values))))
                      for kind, values in seen.items()}}


def table_lease(row, figures):
    """The row as lines."""
    print(f"\n{row}")
    for name, f in figures.items():
        print(f"  {name:9} {f['wall']:9.0f} us to the answer {f['broker']:9.0f} us CPU of the broker"
              f" {f['starter']:9.0f} us CPU of the starter")
