# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: what a user does to the processes of her own VMs, and what an administrator does to limits
# and control groups, ends neither broker nor starter, nor a VM, and keeps nobody else from starting one.
# test: timeout=400
import os
import signal
import subprocess
import time

import host
import proc
import tap
import vm

KEPT = 8  # PROCESS_KEPT_MAX


def may_trace():
    """Whether a user may trace what is not her child (Yama)."""
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope", encoding="ascii") as file:
            return file.read().strip() == "0"
    except FileNotFoundError:
        return True

# Traces a process, says so, and never asks what became of it.
_TRACER = """
import ctypes, sys, time
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(0x4206, int(sys.argv[1]), None, None) != 0:
    sys.exit(f"PTRACE_SEIZE: errno {ctypes.get_errno()}")
print("ready", flush=True)
time.sleep(1000)
"""

host.TRACED = False  # nobody else could trace a QEMU
broker = host.start_broker(idle_seconds=1)


class Tracer:
    def __init__(self, user, pid):
        # pylint: disable-next=consider-using-with
        self.child = subprocess.Popen(
            host.command_as(user, "/usr/bin/python3", "-c", _TRACER, str(pid)), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        tap.equal(self.child.stdout.readline(), "ready\n", "what the tracer says")

    def close(self):
        self.child.kill()
        self.child.wait()


def cpu_ns(pid):
    # The clock that clock_getcpuclockid(3) gives.
    return time.clock_gettime_ns(~pid << 3 | 2)


def files(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def kill_qemu(user):
    qemu = vm.qemu(user)
    tap.equal(host.run_as(user, "kill", "-9", str(qemu.pid)).returncode, 0, "kill")


def wait_shut_off(user, name):
    deadline = time.monotonic() + 60
    while not vm.state(user, name).startswith("shut off"):
        tap.true(time.monotonic() < deadline, f"{name} is shut off in time")
        time.sleep(0.02)


vm.define("alice", "one", 1)
vm.define("bob", "his", 2)


def keeps_ends():
    before = files(broker.starter)
    tracers = []
    for _ in range(KEPT):
        host.virsh("alice", "start", "one")
        tracers.append(Tracer("alice", vm.qemu("alice").pid))
        kill_qemu("alice")
        wait_shut_off("alice", "one")
    tap.true("one" not in vm.ids("alice"), "it is no VM that runs")
    used = cpu_ns(broker.starter.pid)
    begin = time.monotonic_ns()
    host.virsh("bob", "start", "his")
    host.virsh("bob", "destroy", "his")
    host.virsh_fails("alice", "start", "one")
    used, passed = cpu_ns(broker.starter.pid) - used, time.monotonic_ns() - begin
    tap.note(f"the starter used {used / 1e6:.0f} ms of {passed / 1e6:.0f}")
    tap.true(used < passed / 2, "the starter does not spin")
    tap.true(files(broker.starter) <= before + 2 + KEPT, "it keeps one descriptor for each")
    for tracer in tracers:
        tracer.close()
    broker.log.wait("qemud-box: ended by signal 9")
    host.virsh("alice", "start", "one")
    host.virsh("alice", "destroy", "one")


if may_trace():
    tap.test("a user who keeps her VMs' ends from being seen pays for it alone")(keeps_ends)
else:
    tap.skip("a user who keeps her VMs' ends from being seen pays for it alone", "Yama keeps her from it")


@tap.test("a QEMU that its user stops or traces is destroyed all the same")
def _():
    for act in ("stop", "trace", "both") if may_trace() else ("stop",):
        host.virsh("alice", "start", "one")
        qemu = vm.qemu("alice")
        tracer = Tracer("alice", qemu.pid) if act != "stop" else None
        if act != "trace":
            os.kill(qemu.pid, signal.SIGSTOP)
        host.virsh("alice", "destroy", "one")
        tap.equal((vm.ids("alice"), vm.leaves()), ({}, []), f"what is left after {act}")
        if tracer:
            tracer.close()
    tap.equal(vm.qemus("alice"), [], "QEMUs")


@tap.test("limits below what runs keep no broker from starting, and end nothing")
def _():
    global broker
    for number, name in ((11, "a"), (12, "b"), (13, "c")):
        vm.define("alice", name, number)
        host.virsh("alice", "start", name)
    host.virsh("bob", "start", "his")
    ids = vm.ids("alice"), vm.ids("bob")
    broker.leave()
    broker = host.Broker(idle_seconds=1, max_vms=2)
    tap.equal((vm.ids("alice"), vm.ids("bob")), ids, "what runs")
    tap.true("max_vms" in host.virsh_fails("alice", "start", "one"), "no more is started, in words")
    for name in "abc":
        host.virsh("alice", "destroy", name)
    host.virsh("alice", "start", "one")
    tap.true("max_vms" in host.virsh_fails("alice", "start", "a"), "two is what there may be")
    host.virsh("alice", "destroy", "one")


def nobody_knows():
    global broker
    qemu = vm.qemu("bob")
    leaf = f"{os.environ['TEST_CGROUP']}/u{host.UID['bob']}/{vm.leaves()[0]}"
    broker.kill()
    broker.leave()
    os.mkdir(f"{leaf}/x")
    with open(f"{leaf}/x/cgroup.procs", "w", encoding="ascii") as file:
        file.write(str(qemu.pid))
    broker = host.Broker(idle_seconds=1)
    broker.log.wait("its process cannot be found")
    tap.true("his" in vm.ids("bob"), "it runs")
    tap.true("already" in host.virsh_fails("bob", "start", "his"), "a second start is refused")
    tap.equal(vm.qemu("bob").pid, qemu.pid, "QEMU")
    vm.define("alice", "two", 21)
    host.virsh("alice", "start", "two")
    host.virsh("alice", "destroy", "two")
    end = proc.End(qemu)
    # pylint: disable-next=consider-using-with
    destroy = subprocess.Popen(host.command_as("bob", "virsh", "-c", host.URI, "destroy", "his"),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    end.wait(60)
    os.rmdir(f"{leaf}/x")
    tap.equal(destroy.wait(60), 0, "destroy")
    tap.equal((vm.leaves(), vm.ids("bob")), ([], {}), "what is left")


@tap.test("a killed starter ends the broker, and the next one has what runs")
def _():
    global broker
    host.virsh("alice", "start", "one")
    qemu = vm.qemu("alice")
    os.kill(broker.starter.pid, signal.SIGKILL)
    tap.equal(broker.leave(), 1, "exit status")
    broker = host.Broker(idle_seconds=1)
    tap.equal(vm.qemu("alice").pid, qemu.pid, "QEMU")
    tap.equal(vm.state("alice", "one"), "running (booted)", "state")
    host.virsh("alice", "destroy", "one")


UNKNOWN = "a VM of which nobody knows the process is there, is not started twice, and can be ended"
if os.environ["TEST_CGROUP"] != "none":
    tap.test(UNKNOWN)(nobody_knows)
else:
    tap.skip(UNKNOWN, "needs a cgroup v2")
host.finish()
