# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: what the kernel says of every process is what its trust domain allows, and no more: ids,
# groups, capabilities, promises, descriptors, environment, namespaces, limits.
# test: native
import os
import re
import socket
import time

import host
import proc
import tap
import vm

KILL, SETGID, SETUID, SETPCAP, SYS_ADMIN, SYS_RESOURCE, CHOWN = 5, 6, 7, 8, 21, 24, 0


def bits(*capabilities):
    return sum(1 << n for n in capabilities)


# SYS_RESOURCE only where the machine has it: containers often do not.
STARTER = bits(CHOWN, KILL, SETGID, SETUID, SETPCAP, SYS_ADMIN, SYS_RESOURCE) & \
    proc.Process(os.getpid()).capabilities()["Bnd"]
NONE = {"Inh": 0, "Prm": 0, "Eff": 0, "Bnd": 0, "Amb": 0}


def only(mask):
    return {"Inh": 0, "Prm": mask, "Eff": mask, "Bnd": mask, "Amb": 0}


def kind(link):
    """A descriptor without the numbers that differ each time."""
    return re.sub(r":\[\d+\]$", "", link)


def table(process):
    """What it has open: the first four as they are, the others sorted."""
    descriptors = {n: kind(link) for n, link in process.descriptors().items()}
    return ([descriptors.get(n) for n in range(4)],
            sorted(link for n, link in descriptors.items() if n > 3))


def comes_to(read, want, what):
    """What is open for a moment, a file that is being replaced, is no finding; what stays is."""
    end = time.monotonic() + 60
    while (got := read()) != want and time.monotonic() < end:
        time.sleep(0.05)
    tap.equal(got, want, what)


# Without --seccomp-bpf: strace's own filter would count among theirs, and sets no_new_privs.
broker = host.start_broker(quick_trace=False)
alice, bob = host.client_as("alice").open(), host.client_as("bob").open()
# What their workers have asked QEMU has been answered, and nothing of that is left.
for uid in (host.UID["alice"], host.UID["bob"]):
    broker.log.wait(f"qemud: .*tool ended uid={uid} ")
    broker.log.wait(f"qemud-launch: .*uid={uid} pid=[0-9]* qemud-box: ended")
tap.eventually("qemud-audit", lambda: proc.find("qemud-audit"))
PROCESSES = {
    "qemud": broker.process,
    "qemud-launch": broker.starter,
    "qemud-worker": host.worker_of("alice"),
    "qemud-view": proc.one("qemud-view"),
    "qemud-audit": proc.one("qemud-audit"),
}

VIEWS = ["qemud-view", "qemud-view --host", "qemud-view --ctl"]

# --- what each has ------------------------------------------------------------------------------

IDS = {
    "qemud": (0, 0, None),
    "qemud-launch": (0, 0, None),
    "qemud-worker": (2001, 2001, host.GROUPS["alice"]),
    **dict.fromkeys(VIEWS, (992, 992, [])),
    "qemud-audit": (993, 993, []),
}
CAPABILITIES = {
    "qemud": {**only(bits(KILL)), "Bnd": 0},
    "qemud-launch": only(STARTER),
    "qemud-worker": NONE,
    **dict.fromkeys(VIEWS, NONE),
    "qemud-audit": NONE,
}
# no_new_privs, mode of seccomp, number of filters
PROMISES = {
    "qemud": ("1", "2", "1"),
    "qemud-launch": ("0", "0", "0"),
    "qemud-worker": ("1", "2", "1"),
    **dict.fromkeys(VIEWS, ("1", "2", "1")),
    "qemud-audit": ("1", "2", "1"),
}
DEV_NULL, PIPE, SOCKET = "/dev/null", "pipe", "socket"
EPOLL, SIGNALS, PIDFD = "anon_inode:[eventpoll]", "anon_inode:[signalfd]", "anon_inode:[pidfd]"
INVENTORY = "/memfd:inventory (deleted)"
EVENT = "anon_inode:[eventfd]"
STARTED = ("audit", "box", "net", "resolve", "view", "worker")
DESCRIPTORS = {
    # besides its clients: its own folders, opened before it takes any
    "qemud-worker": ([DEV_NULL, DEV_NULL, PIPE, SOCKET], sorted(
        [EPOLL, SIGNALS, SOCKET, INVENTORY, "anon_inode:inotify", "/home/alice/.qemud",
         *(f"/home/alice/.qemud/{name}" for name in ("autostart", "cache", "domains", "lock", "log"))])),
    "qemud-view": ([DEV_NULL, DEV_NULL, PIPE, SOCKET], [EPOLL, SIGNALS]),
    # besides its client
    **dict.fromkeys(VIEWS[1:], ([DEV_NULL, DEV_NULL, PIPE, SOCKET], [EPOLL, SIGNALS, SOCKET])),
    # its log, and a socket towards the system's
    "qemud-audit": ([DEV_NULL, DEV_NULL, PIPE, SOCKET], sorted(
        [EPOLL, SIGNALS, SOCKET, "/var/log/qemud", "/var/log/qemud/audit.log"])),
}
COMMON = ["LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin"]
ENVIRONMENT = {
    "qemud-worker": sorted([*COMMON, "HOME=/home/alice", "USER=alice", "LOGNAME=alice"]),
    **dict.fromkeys(VIEWS, sorted([*COMMON, "HOME=/", "USER=qemud-view", "LOGNAME=qemud-view"])),
    "qemud-audit": sorted([*COMMON, "HOME=/", "USER=qemud-audit", "LOGNAME=qemud-audit"]),
}
# Namespaces of its own; all others are the host's.
OWN = {
    "qemud": set(),
    "qemud-launch": set(),
    "qemud-worker": {"net", "ipc"},
    **dict.fromkeys(VIEWS, {"net", "ipc", "uts", "pid", "mnt"}),
    "qemud-audit": {"net", "ipc", "uts", "pid"},
}
FOLDER = {"qemud-worker": "/run/qemud/users/2001", **dict.fromkeys(VIEWS, "/"), "qemud-audit": "/"}
ARGUMENTS = {
    "qemud-worker": ["qemud-worker", "--idle", "60", "--log", "debug", "--port-min", "1024",
                     "--run", "/run/qemud/users/2001", "--kvm"],
    "qemud-view": ["qemud-view", "--refuse", "--log", "debug"],
    "qemud-view --host": ["qemud-view", "--host", "--log", "debug", "--idle", "60"],
    "qemud-view --ctl": ["qemud-view", "--ctl", "--log", "debug", "--idle", "5"],
    "qemud-audit": ["qemud-audit", "--dir", "/var/log/qemud", "--file-mib", "64", "--files", "16",
                    "--log", "debug"],
}


def read_back(name, process):
    """What the kernel says of it is what the tables say."""
    @tap.test(f"{name}: the four uids, the four gids, and the groups")
    def _():
        uid, gid, groups = IDS[name]
        tap.equal(process.ids("Uid"), [uid] * 4, "uids")
        tap.equal(process.ids("Gid"), [gid] * 4, "gids")
        if groups is not None:
            tap.equal(process.groups(), groups, "groups")

    @tap.test(f"{name}: the five sets of capabilities")
    def _():
        tap.equal(process.capabilities(), CAPABILITIES[name], "capabilities")

    @tap.test(f"{name}: no_new_privs and seccomp")
    def _():
        status = process.status()
        got = status["NoNewPrivs"], status["Seccomp"], status["Seccomp_filters"]
        tap.equal(got, PROMISES[name], "no_new_privs, mode, filters")

    @tap.test(f"{name}: a process of the same user cannot look inside, nor dump it")
    def _():
        tap.true(not process.open_to_its_uid(), "it is dumpable")

    @tap.test(f"{name}: namespaces")
    def _():
        kinds = {k for k in os.listdir("/proc/self/ns") if not k.endswith("_for_children")}
        own = {k for k in kinds if process.namespace(k) != proc.Process(os.getpid()).namespace(k)}
        tap.equal(own, OWN[name], "namespaces of its own")

    if name in DESCRIPTORS:
        @tap.test(f"{name}: descriptors")
        def _():
            comes_to(lambda: table(process), DESCRIPTORS[name], "descriptors")

        @tap.test(f"{name}: arguments, environment, working folder, core dumps, parent, session")
        def _():
            tap.equal(process.arguments(), ARGUMENTS[name], "arguments")
            tap.equal(process.environment(), ENVIRONMENT[name], "environment")
            tap.equal(os.readlink(f"/proc/{process.pid}/cwd"), FOLDER[name], "working folder")
            tap.equal(process.limit("Max core file size"), "0", "core dumps")
            tap.equal(process.parent().pid, broker.starter.pid, "parent")
            tap.equal(os.getsid(process.pid), process.pid, "session")
            tap.equal(process.status()["Umask"], "0077", "umask")


for NAME, PROCESS in PROCESSES.items():
    read_back(NAME, PROCESS)

# --- the broker's and the starter's descriptors ---------------------------------------------------

CHILDREN = 4  # alice's and bob's worker, the refuser, qemud-audit
LEDGER = [folder for folder in [os.environ["TEST_CGROUP"]] if folder != "none"]
FILES = {
    # lock and folders of its own, a spare for when there is no other, three listeners, a link each
    "qemud": sorted([DEV_NULL, DEV_NULL, PIPE, "/run/qemud", "/run/qemud/autostarted", "/run/qemud/lock",
                     "/var/lib/qemud/inventory", "/var/lib/qemud/users",
                     INVENTORY, INVENTORY,  # where the two workers write theirs
                     EPOLL, SIGNALS, EVENT, EVENT, EVENT]
                    + LEDGER  # which controllers there are
                    + [SOCKET] * (3 + 1 + CHILDREN) + [PIDFD] * CHILDREN),
    # what it may execute, where it may make folders, one link; a child's log and end each
    "qemud-launch": sorted([DEV_NULL, DEV_NULL, DEV_NULL, PIPE, SOCKET, EPOLL, "/run/qemud/users",
                            *(f"/srv/qemud/libexec/qemud-{name}" for name in STARTED)]
                           + LEDGER
                           + [PIDFD]  # its own, for those that end with it
                           + [PIPE, PIDFD] * CHILDREN),
}

for name, files in FILES.items():
    @tap.test(f"{name}: descriptors: no client's, and what it works with")
    def _(name=name, files=files):
        comes_to(lambda: sorted(kind(link) for link in PROCESSES[name].descriptors().values()), files,
                 "descriptors")


@tap.test("no process of another account sees anything of alice's connection")
def _():
    mine = {link for link in PROCESSES["qemud-worker"].descriptors().values()
            if link.startswith("socket:")}
    for other in (host.worker_of("bob"), PROCESSES["qemud-view"], broker.starter, broker.process):
        shared = mine & set(other.descriptors().values())
        tap.equal(shared, set(), f"sockets in common with {other.name}")


def check_tree(process):
    """It sees no file but the loader's."""
    root = f"/proc/{process.pid}/root"
    tap.true(set(os.listdir(root)) <= {"lib", "lib64", "usr"}, f"{os.listdir(root)}")
    tap.true(all("ro" in options for _, options in process.mounts()), f"{process.mounts()}")


@tap.test("qemud-view sees no file but the loader's")
def _():
    check_tree(PROCESSES["qemud-view"])


def in_their_groups():
    folder = os.environ["TEST_CGROUP"]
    for process, leaf in ((PROCESSES["qemud-worker"], "u2001/worker"),
                          (host.worker_of("bob"), "u2002/worker"),
                          (PROCESSES["qemud-view"], "u992/view")):
        with open(f"{folder}/{leaf}/cgroup.procs", encoding="ascii") as file:
            tap.equal([int(line) for line in file], [process.pid], leaf)
        tap.equal(os.stat(f"{folder}/{leaf}/cgroup.procs").st_uid, 0, f"owner of {leaf}")


THEIR_GROUPS = "each user's processes are in her own control group"
if os.environ["TEST_CGROUP"] != "none":
    tap.test(THEIR_GROUPS)(in_their_groups)
else:
    tap.skip(THEIR_GROUPS, "needs a cgroup v2")


# --- a VM -----------------------------------------------------------------------------------------

DISK = vm.make_file("alice", "disk.raw")
vm.define("alice", "vm", 1, vm.disk(DISK))


@tap.test("QEMU has its owner's ids, no capability, two filters, and everything of its own")
def _():
    host.virsh("alice", "start", "vm")
    qemu, me = vm.qemu("alice"), proc.Process(os.getpid())
    tap.equal(qemu.ids("Uid") + qemu.ids("Gid"), [2001] * 8, "uids and gids")
    tap.equal(qemu.groups(), host.GROUPS["alice"], "groups")
    tap.equal(qemu.capabilities(), NONE, "capabilities")
    for thread, status in qemu.threads():
        got = status["NoNewPrivs"], status["Seccomp"], status["Seccomp_filters"]
        tap.equal(got, ("1", "2", "3"), f"no_new_privs, mode, filters of thread {thread}")
    kinds = {k for k in os.listdir("/proc/self/ns") if not k.endswith("_for_children")}
    own = {k for k in kinds if qemu.namespace(k) != me.namespace(k)}
    tap.equal(own, {"net", "ipc", "uts", "pid", "mnt"}, "namespaces of its own")
    tap.equal(qemu.environment(), ["HOME=/nonexistent", "LANG=C", "PATH=/usr/bin:/bin"], "environment")
    tap.equal(qemu.limit("Max core file size"), "0", "core dumps")


@tap.test("QEMU has open what it was given, and can see no other file of its owner's")
def _():
    qemu = vm.qemu("alice")
    paths = {link for link in qemu.descriptors().values() if link.startswith("/")}
    tap.equal(paths, {"/dev/null", "/home/alice/.qemud/log/vm.log", DISK}, "files")
    root = f"/proc/{qemu.pid}/root"
    tap.equal(sorted(set(os.listdir(root)) - {"bin", "lib", "lib32", "lib64", "libx32"}),
              ["dev", "etc", "proc", "tmp", "usr"], "what is in its tree")
    tap.true(all("ro" in options or where == "/tmp" for where, options in qemu.mounts()),
             f"mounts: {qemu.mounts()}")
    arguments = " ".join(qemu.arguments())
    tap.true("/home" not in arguments and "/run" not in arguments, f"no path in {arguments}")


@tap.test("the worker keeps nothing open of what it gave; broker and starter have a pidfd each")
def _():
    worker = host.worker_of("alice").descriptors().values()
    tap.true(DISK not in worker, "the worker has closed the disk")
    for process in (broker.process, broker.starter):
        paths = [link for link in process.descriptors().values() if "/home/" in link]
        tap.equal(paths, [], f"files of users, in {process.name}")
    host.virsh("alice", "destroy", "vm")


@tap.test("the worker of the system account has its groups and home")
def _():
    with host.client_as("qemud-vm") as client:
        client.open()
        worker = host.worker_of("qemud-vm")
        tap.equal((worker.ids("Uid"), worker.groups()), ([991] * 4, [991]), "uids and groups")
        tap.true("HOME=/var/lib/qemud/system" in worker.environment(), "home")


@tap.test("programs are root's and of mode 0711")
def _():
    for name in PROCESSES:
        st = os.stat(f"/proc/{PROCESSES[name].pid}/exe")
        tap.equal((st.st_uid, st.st_mode & 0o7777), (0, 0o711), name)


# --- views of the host, and what answers qemudctl --------------------------------------------------


def view(kind, client):
    """root's, of that kind, which serves that client."""
    with client:
        process = next(process for process in proc.find("qemud-view") if kind in process.arguments())
        read_back(f"qemud-view {kind}", process)

        @tap.test(f"qemud-view {kind} sees no file but the loader's")
        def _():
            check_tree(process)

        in_its_group = f"qemud-view {kind} is in the views' control group"
        if os.environ["TEST_CGROUP"] == "none":
            tap.skip(in_its_group, "needs a cgroup v2")
            return

        @tap.test(in_its_group)
        def _():
            with open(f"{os.environ['TEST_CGROUP']}/u992/view/cgroup.procs", encoding="ascii") as procs:
                tap.true(str(process.pid) in procs.read().split(), "its control group")


def ctl_client():
    """A connection of qemudctl's."""
    client = socket.socket(socket.AF_UNIX)
    client.connect("/run/qemud/qemud-ctl")
    return client


view("--host", host.client_as("root").open())
with ctl_client() as asker:
    asker.sendall(b"1\tstatus\n")
    asker.makefile("rb").read()
# Its question is not there to its end.
view("--ctl", ctl_client())

host.finish()
