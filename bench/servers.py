# SPDX-License-Identifier: LGPL-2.1-or-later
"""servers.py: the servers that are measured, what they take of processor and memory, and turns of work."""
import glob
import os
import shutil
import statistics
import subprocess
import sys
import time

SECONDS = os.environ.get("BENCH_SECONDS", "0.1")  # length of one turn
FLOOR = "/home/alice/floor"
DEFINITION = "/home/alice/.qemud/domains/bench0000.xml"


def processes(name):
    """Ids of the processes whose name begins so."""
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path, encoding="ascii") as file:
                if file.read().startswith(name):
                    found.append(int(path.split("/")[2]))
        except OSError:
            pass
    return found


def alices_worker():
    for pid in processes("qemud-worker"):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            if "\nUid:\t2001\t" in file.read():
                return pid
    sys.exit("bench: alice has no worker")


def cpu_ns(pids):
    """CPU time of all threads of these processes so far, of those that have ended too."""
    total = 0
    for pid in pids:
        try:
            # The clock that clock_getcpuclockid(3) gives.
            total += time.clock_gettime_ns(~pid << 3 | 2)
        except OSError:
            pass
    return total


def memory_kib(pid):
    """(PSS, private dirty) of one process."""
    values = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file.readlines()[1:]:
            key, value = line.split(":")
            values[key] = int(value.split()[0])
    return values["Pss"], values["Private_Dirty"]


def accounts(people):
    """These (name, uid) have accounts, of which nobody else has heard."""
    with open("/etc/passwd", "a", encoding="ascii") as users, open("/etc/group", "a", encoding="ascii") as groups:
        for name, uid in people:
            users.write(f"{name}:x:{uid}:{uid}::/home/{name}:/bin/sh\n")
            groups.write(f"{name}:x:{uid}:\n")
            os.mkdir(f"/home/{name}", 0o700)
            os.chown(f"/home/{name}", uid, uid)


class Server:
    """One server of the protocol: its socket, and the name that its processes begin with."""

    def __init__(self, name, socket, process, command=None):
        self.name, self.socket, self.process, self.command = name, socket, process, command
        self.fresh_kib = 0  # PSS of keeper() before it has kept anything

    def pids(self):
        return processes(self.process)

    def keeper(self):
        """The process that keeps alice's definitions."""
        return alices_worker() if self.name == "qemud" else self.pids()[0]


def as_user(uid, *command):
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--", *command]


def as_alice(*command):
    return as_user(2001, *command)


def work(server, command):
    """One turn of a program's; returns (operations, seconds, CPU nanoseconds of the server)."""
    before = cpu_ns(server.pids())
    operations, seconds, _ = load_done(command, server.name)
    return operations, seconds, cpu_ns(server.pids()) - before


def load(server, kind, *rest):
    """One turn of alice's work; returns as above."""
    if (server.name, kind) == ("floor", "define"):
        return load_done(as_alice("/srv/out/load", "replace", FLOOR, SECONDS, DEFINITION))
    return work(server, as_alice("/srv/out/load", kind, server.socket, SECONDS, *rest))


def look(server, uid, kind, *rest):
    """One turn of that user's, of what look.c does; the same."""
    return work(server, as_user(uid, "/srv/out/look", kind, server.socket, SECONDS, *rest))


def load_done(command, name="floor"):
    """What a turn of work says when it is done: operations, seconds, its own CPU nanoseconds."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"bench: {name}: {done.stderr.strip()}")
    operations, seconds, own = done.stdout.split()
    return int(operations), float(seconds), int(own)


def wait_socket(path, process):
    """Until something listens there; the server's end is an error."""
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        probe = subprocess.run(["/srv/out/load", "connect", path, "0", "1"],
                               capture_output=True, check=False)
        if probe.returncode == 0:
            return
    sys.exit(f"bench: nothing serves {path}")


def start_libvirtd(quiet):
    with open("/run/libvirtd.conf", "w", encoding="ascii") as file:
        file.write('auth_unix_rw = "none"\nunix_sock_rw_perms = "0777"\nmax_clients = 8000\n'
                   'max_queued_clients = 8000\nunix_sock_dir = "/run/libvirt-bench"\n'
                   'keepalive_interval = -1\n')
    os.mkdir("/run/libvirt-bench", 0o755)
    os.makedirs("/var/cache/libvirt", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "cache", "/var/cache/libvirt"], check=True)
    # The account that Debian's build looks up, whatever its qemu.conf says.
    accounts([("libvirt-qemu", 64055)])
    os.makedirs("/etc/libvirt", exist_ok=True)
    with open("/etc/libvirt/qemu.conf", "w", encoding="ascii") as file:
        file.write('security_driver = "none"\nuser = "root"\ngroup = "root"\n'
                   'cgroup_controllers = []\nstdio_handler = "file"\n')
    command = ["libvirtd", "--config", "/run/libvirtd.conf"]
    libvirtd = subprocess.Popen(command, stderr=subprocess.DEVNULL, **quiet)
    wait_socket("/run/libvirt-bench/libvirt-sock", libvirtd)
    return Server("libvirtd", "/run/libvirt-bench/libvirt-sock", "libvirtd", command)


def start_all(policy):
    """Start every server that there is, qemud with that policy; they end with this host."""
    os.chmod("/srv/out", 0o755)
    os.makedirs("/etc/qemud", 0o755, exist_ok=True)
    with open("/etc/qemud/policy.conf", "w", encoding="ascii") as file:
        file.write(policy)
    servers, quiet = [], {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    os.mkdir("/run/floor", 0o755)
    floor = subprocess.Popen(["/srv/out/floor", "/run/floor/sock"], **quiet)
    wait_socket("/run/floor/sock", floor)
    os.chmod("/run/floor/sock", 0o666)
    servers.append(Server("floor", "/run/floor/sock", "floor"))

    with open("/run/bench.conf", "w", encoding="ascii") as file:
        file.write("user_connections = 8000\nuser_connections_per_second = 1000000\n"
                   "log_level = error\nidle_seconds = 3600\n"
                   f"cgroup = {os.environ['TEST_CGROUP']}\n")
    qemud = subprocess.Popen(["/srv/qemud/sbin/qemud", "--config", "/run/bench.conf",
                              "--libexec", "/srv/qemud/libexec"], **quiet)
    wait_socket("/run/qemud/qemud-sock", qemud)
    servers.append(Server("qemud", "/run/qemud/qemud-sock", "qemud"))

    if shutil.which("libvirtd"):
        servers.append(start_libvirtd(quiet))
    else:
        print("libvirtd is not installed: no figures for it", file=sys.stderr)
    return servers


def measure(servers, words, turns):
    """{server: {"cpu": us of CPU an operation, "rate": operations a second}}, medians."""
    seen = {server.name: {"cpu": [], "rate": []} for server in servers}
    for turn in range(turns):
        if sys.stderr.isatty():
            print(f"\r{words} {turn + 1}/{turns} ", end="", file=sys.stderr, flush=True)
        for server in servers:
            operations, seconds, cpu = load(server, *words)
            seen[server.name]["cpu"].append(cpu / 1000 / max(operations, 1))
            seen[server.name]["rate"].append(operations / seconds)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return medians(seen)


def medians(seen):
    """{name: {key: values}} as {name: {key: median}}."""
    return {name: {key: statistics.median(values) for key, values in figures.items()}
            for name, figures in seen.items()}
