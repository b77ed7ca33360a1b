# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a QEMU that writes another backing file into the header of its own image, while it runs, has
# no file by that at the next start: not when its worker saw it end, and not when none was there.
import os
import subprocess

import host
import proc
import tap
import vm

HOME = "/home/alice"
SECRET = f"{HOME}/.ssh/id"
broker = host.start_broker(idle_seconds=600)


def sh(command):
    done = host.run_as("alice", "sh", "-c", f"cd && {command}")
    tap.equal((done.returncode, done.stderr), (0, ""), command)


def files():
    """What of alice's her QEMU has open."""
    folder = f"/proc/{vm.qemu('alice').pid}/fd"
    return {path for path in (os.readlink(f"{folder}/{name}") for name in os.listdir(folder))
            if path.startswith(HOME) and "/log/" not in path}


def take_over():
    """What a guest that has taken over its QEMU can write to its disk."""
    with open(f"{HOME}/evil.qcow2", "rb") as evil, open(f"{HOME}/disk.qcow2", "r+b") as disk:
        disk.write(evil.read(65536))


def chain():
    shown = host.virsh("alice", "dumpxml", "--inactive", "pc")
    return [line.split("'")[1] for line in shown.splitlines() if "<source file=" in line]


sh("mkdir -m 700 .ssh && echo secret >.ssh/id && truncate -s 1M base.raw && "
   "qemu-img create -q -f qcow2 -F raw -b base.raw disk.qcow2 && "
   "qemu-img create -q -f qcow2 -F raw -b .ssh/id evil.qcow2 1M && cp disk.qcow2 kept.qcow2")
WANT = {f"{HOME}/disk.qcow2", f"{HOME}/base.raw"}


@tap.test("an image leads to what its owner made it lead to")
def _():
    vm.define("alice", "pc", 1, vm.disk(f"{HOME}/disk.qcow2", kind="qcow2"))
    host.virsh("alice", "start", "pc")
    tap.equal(files(), WANT, "open")
    host.virsh("alice", "destroy", "pc")
    tap.equal(chain(), [f"{HOME}/disk.qcow2"], "images in its definition")
    # Her own choice is followed.
    sh("cp base.raw other.raw && qemu-img rebase -u -F raw -b other.raw disk.qcow2")
    host.virsh("alice", "start", "pc")
    tap.equal(files(), {f"{HOME}/disk.qcow2", f"{HOME}/other.raw"}, "open")
    host.virsh("alice", "destroy", "pc")
    sh("cp kept.qcow2 disk.qcow2")


def check_kept():
    tap.equal(chain(), [f"{HOME}/disk.qcow2", f"{HOME}/base.raw"], "images in its definition")
    host.virsh("alice", "start", "pc")
    tap.equal(files(), WANT, "open")
    host.virsh("alice", "destroy", "pc")


@tap.test("what its QEMU has made it lead to is not followed, and said")
def _():
    host.virsh("alice", "start", "pc")
    take_over()
    host.virsh("alice", "destroy", "pc")
    broker.log.wait("the header of the image of its disk vda began to name other images")
    check_kept()


@tap.test("nor when QEMU ended while no worker was there")
def _():
    host.virsh("alice", "undefine", "pc")
    sh("cp kept.qcow2 disk.qcow2")
    vm.define("alice", "pc", 1, vm.disk(f"{HOME}/disk.qcow2", kind="qcow2"))
    host.virsh("alice", "start", "pc")
    worker, qemu = host.worker_of("alice"), vm.qemu("alice")
    ends = proc.End(worker), proc.End(qemu)
    os.kill(worker.pid, 19)
    take_over()
    # One after the other, so that the first hears nothing of the second.
    os.kill(worker.pid, 9)
    os.kill(qemu.pid, 9)
    for end in ends:
        end.wait(60)
    tap.true("pc" not in vm.ids("alice"), "it has ended")
    check_kept()


subprocess.run(["rm", "-rf", f"{HOME}/.ssh"], check=True)
host.finish()
