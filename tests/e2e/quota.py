# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: machines start as far as the limits of policy.conf have room, of one machine, of a user and of
# the host; a refusal names the limit, what is in use but others' use, what was asked for and the line; a limit that is
# lowered leaves what runs alone, and what has ended does not start again.
# test: timeout=600
import os
import signal

import host
import tap
import vm

FOLDER = "/etc/qemud"
ALLOW = "allow everyone manage own\n"


def write(text):
    os.makedirs(FOLDER, 0o755, exist_ok=True)
    with open(f"{FOLDER}/policy.conf.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(f"{FOLDER}/policy.conf.new", 0o644)
    os.rename(f"{FOLDER}/policy.conf.new", f"{FOLDER}/policy.conf")


def policy(text):
    start = len(broker.log.lines)
    write(ALLOW + text)
    os.kill(broker.process.pid, signal.SIGHUP)
    broker.log.wait("policy: read again", start=start)


def refused(user, name, words):
    tap.equal(host.virsh_fails(user, "start", name).splitlines()[-1],
              f"error: operation failed: domain '{name}' may not start now: limit {words}; root of this "
              "host can change it", f"what {user} is told of {name}")


def destroy_all():
    for user in ("alice", "bob"):
        for name in host.virsh(user, "list", "--name").split():
            host.virsh(user, "destroy", name)


write(ALLOW + "limit everyone vms 2\n")
broker = host.start_broker(idle_seconds=600)
for NUMBER, NAME in enumerate("abcd"):
    vm.define("alice", NAME, NUMBER + 1)
vm.define("alice", "big", 10, memory=256)
vm.define("bob", "his", 20)


@tap.test("a user has as many as the line says, another has her own")
def _():
    host.virsh("alice", "start", "a")
    host.virsh("alice", "start", "b")
    refused("alice", "c", "vms 2 (policy.conf:2): 2 in use, 1 more asked for")
    host.virsh("bob", "start", "his")
    host.virsh("alice", "destroy", "a")
    host.virsh("alice", "start", "c")
    destroy_all()


@tap.test("the line for a user comes before that for her group, and that before everyone's")
def _():
    policy("limit everyone vms 1\nlimit group lab-admins vms 2\nlimit user bob vms 0\n")
    refused("bob", "his", "vms 0 (policy.conf:4): 0 in use, 1 more asked for")
    host.virsh("alice", "start", "a")
    host.virsh("alice", "start", "b")
    refused("alice", "c", "vms 2 (policy.conf:3): 2 in use, 1 more asked for")
    destroy_all()


@tap.test("processors and memory are counted of all, and of each")
def _():
    policy("limit everyone memory 192M vcpus 2 vm-memory 200M\n")
    refused("alice", "big", "vm-memory 200 MiB (policy.conf:2): 0 KiB in use, 256 MiB more asked for")
    host.virsh("alice", "start", "a")
    host.virsh("alice", "start", "b")
    refused("alice", "c", "vcpus 2 (policy.conf:2): 2 in use, 1 more asked for")
    policy("limit everyone memory 160M\n")
    refused("alice", "c", "memory 160 MiB (policy.conf:2): 128 MiB in use, 64 MiB more asked for")
    destroy_all()


@tap.test("the host's limits are for all together, with what QEMU takes")
def _():
    policy("limit host vcpus 2\n")
    host.virsh("alice", "start", "a")
    host.virsh("bob", "start", "his")
    refused("alice", "b", "host vcpus 2 (policy.conf:2): the host has no room for 1 more")
    destroy_all()
    # 64 MiB of the guest's would fit; what QEMU takes beside that does not.
    policy("limit host memory 128M\n")
    tap.true("limit host memory 128 MiB (policy.conf:2): the host has no room" in
             host.virsh_fails("alice", "start", "a"), "with what is QEMU's")


@tap.test("a lowered limit leaves what runs alone; what ends does not start again")
def _():
    policy("limit everyone vms 3\n")
    for name in "abc":
        host.virsh("alice", "start", name)
    policy("limit everyone vms 1\n")
    tap.equal([vm.state("alice", name) for name in "abc"], ["running (booted)"] * 3, "what runs")
    refused("alice", "d", "vms 1 (policy.conf:2): 3 in use, 1 more asked for")
    host.virsh("alice", "destroy", "a")
    refused("alice", "a", "vms 1 (policy.conf:2): 2 in use, 1 more asked for")
    host.virsh("alice", "suspend", "b")
    host.virsh("alice", "resume", "b")
    host.virsh("alice", "destroy", "b")
    host.virsh("alice", "destroy", "c")
    host.virsh("alice", "start", "a")
    destroy_all()


@tap.test("the next broker counts what runs by the policy that it reads")
def _():
    global broker
    policy("limit everyone vms 2 memory 128M\n")
    host.virsh("alice", "start", "a")
    host.virsh("alice", "start", "b")
    broker.kill()
    broker.leave()
    broker = host.Broker(idle_seconds=600)
    refused("alice", "c", "vms 2 (policy.conf:2): 2 in use, 1 more asked for")
    host.virsh("alice", "destroy", "a")
    host.virsh("alice", "start", "c")
    refused("alice", "a", "vms 2 (policy.conf:2): 2 in use, 1 more asked for")
    destroy_all()


host.finish()
