# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: installed under systemd, qemud is stopped, started, restarted and killed without a
# virtual machine noticing; a client that comes meanwhile waits; nothing of a VM is in its unit.
import glob
import json
import os
import pwd
import subprocess
import time

import tap

URI = "qemu+unix:///session?socket=/run/qemud/qemud-sock"
VMS = "/sys/fs/cgroup/qemud.slice/qemud-vms.service"
NAMES = ("a", "b", "c")
SOCKETS = ("qemud.socket", "qemud-ro.socket", "qemud-ctl.socket")


def run(*command, user=None, check=True):
    if user:
        command = ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--reset-env", *command)
    for _ in range(20):
        result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        # Without KVM a look-up may take longer than the two seconds that it has.
        if "cannot be looked up: Connection timed out; try again" not in result.stderr:
            break
        time.sleep(1)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {result.returncode}: {result.stdout}{result.stderr}")
    return result.stdout.strip()


def virsh(*args):
    return run("virsh", "-c", URI, *args, user="alice")


def systemctl(*args, check=True):
    return run("systemctl", *args, check=check)


def until(what, condition):
    """A guest without KVM takes its time: what has not come in two minutes does not come."""
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within two minutes")


def main_pid():
    return int(systemctl("show", "--property=MainPID", "--value", "qemud.service"))


def qemus():
    """{pid: its control group} of alice's."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/exe"):
        try:
            pid = path.split("/")[2]
            if os.readlink(path).endswith("/qemu-system-x86_64") and os.stat(f"/proc/{pid}").st_uid == alice.pw_uid:
                with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
                    found[int(pid)] = file.read().strip().removeprefix("0::")
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def listed():
    rows = [line.split() for line in virsh("list").splitlines()[2:]]
    return {row[1]: (row[0], row[2]) for row in rows if row}


def check_same():
    tap.equal(listed(), before, "what runs, with its ids")
    tap.equal(sorted(qemus()), pids, "processes of QEMU")


@tap.test("make install puts everything in its place, and an edited configuration stays")
def _():
    run("make", "-s", "install")
    run("make", "-s", "accounts")
    with open("/etc/qemud/qemud.conf", "a", encoding="ascii") as file:
        file.write("idle_seconds = 300\n")
    run("make", "-s", "install")
    with open("/etc/qemud/qemud.conf", encoding="ascii") as file:
        tap.true(file.read().endswith("idle_seconds = 300\n"), "the configuration was overwritten")
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "qemud.service", "qemud-vms.service", "qemud.socket",
         *SOCKETS[1:]], capture_output=True, text=True, check=False)
    tap.equal([line for line in verified.stderr.splitlines() if "qemud" in line], [], "systemd-analyze verify")


run("useradd", "--create-home", "alice")
alice = pwd.getpwnam("alice")


@tap.test("the service starts, and three machines run outside its unit, each in its own leaf, limits possible")
def _():
    systemctl("daemon-reload")
    systemctl("start", *SOCKETS, "qemud.service")
    tap.equal(systemctl("is-active", "qemud.service", "qemud-vms.service"), "active\nactive", "units")
    for name in NAMES:
        path = f"/tmp/{name}.xml"
        with open(path, "w", encoding="ascii") as file:
            file.write(f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory>"
                       "<os><type machine='q35'>hvm</type></os></domain>")
        virsh("define", path)
        virsh("start", "--paused", name)
    groups = qemus().values()
    tap.equal(len(groups), 3, "processes of QEMU")
    prefix = VMS.removeprefix("/sys/fs/cgroup") + f"/qemud/u{alice.pw_uid}/vm-"
    tap.true(all(group.startswith(prefix) for group in groups), f"control groups: {list(groups)}")
    for group in groups:
        with open(f"/sys/fs/cgroup{group}/cgroup.controllers", encoding="ascii") as file:
            tap.equal(set(file.read().split()) >= {"cpu", "memory", "pids"}, True, "controllers of a leaf")


before, pids = listed(), sorted(qemus())


@tap.test("a restart of the service loses no machine")
def _():
    old = main_pid()
    systemctl("restart", "qemud.service")
    tap.true(main_pid() not in (0, old), "it was not restarted")
    check_same()


@tap.test("a stop of the service leaves machines running, and nothing of it; a client starts it again")
def _():
    # Whoever connects starts it: so nobody does.
    systemctl("stop", "qemud.service")
    tap.equal(systemctl("is-active", "qemud.service", check=False), "inactive", "the service")
    tap.equal(sorted(qemus()), pids, "processes of QEMU")
    check_same()
    tap.equal(systemctl("is-active", "qemud.service"), "active", "the service")


@tap.test("so does who asks with qemudctl, or reads only, and is answered")
def _():
    for command in (("qemudctl", "status", "--json"), ("virsh", "-r", "-c", URI + "-ro", "list", "--name")):
        systemctl("stop", "qemud.service")
        tap.equal(systemctl("is-active", "qemud.service", check=False), "inactive", "the service")
        said = run(*command, user="alice")
        if command[0] == "qemudctl":
            alices = [row for row in json.loads(said)["users"] if row["name"] == "alice"]
            tap.equal([row["vms"] for row in alices], [3], "her machines")
        else:
            tap.equal(sorted(said.split()), sorted(NAMES), "her machines")
        tap.equal(systemctl("is-active", "qemud.service", *SOCKETS), "\n".join(["active"] * 4), "units")
    check_same()


@tap.test("stopped with its sockets and started again, it finds them")
def _():
    systemctl("stop", *SOCKETS, "qemud.service")
    tap.equal(run("qemudctl", "status", user="alice", check=False), "", "what qemudctl prints then")
    tap.true(subprocess.run(["setpriv", "--reuid=alice", "--clear-groups", "virsh", "-c", URI, "list"],
                            capture_output=True, check=False).returncode != 0, "somebody answers")
    systemctl("start", "qemud.service")
    check_same()


@tap.test("killed, it is started again by systemd and finds them")
def _():
    old = main_pid()
    os.kill(old, 9)
    until("a new broker", lambda: main_pid() not in (0, old))
    check_same()


@tap.test("its machines can be ended, and then nothing is left of them")
def _():
    for name in NAMES:
        virsh("destroy", name)
    tap.equal(listed(), {}, "what runs")
    tap.equal(qemus(), {}, "processes of QEMU")
    tap.equal(glob.glob(f"{VMS}/qemud/u{alice.pw_uid}/vm-*"), [], "leaves")


tap.end()
