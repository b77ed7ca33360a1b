# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a block device that its user may open is a disk: a guest reads and writes it, sees its size,
# its sectors and its end, and gives room back; whose device it is not, cannot use it.
# test: timeout=600 guest once
import os
import re
import shutil
import stat
import subprocess

import host
import tap
import vm
from terminal import Console

KERNEL, INITRD = "/srv/qemud/guest/vmlinuz", "/srv/qemud/guest/initrd"
MIB = 1 << 20
SIZE = 8 * MIB
# Nodes of our own: those in /dev are the host's.
NODES = "/run/devices"


class Loop:
    """A loop device over a file of ours, as NODES/NAME, for members of a group; on kernels without it: None."""

    def __init__(self, name, group, sector=512):
        self.file, self.path = f"/home/{name}.file", f"{NODES}/{name}"
        with open(self.file, "wb") as file:
            file.truncate(SIZE)
            file.write(f"{name}:known".encode())
        made = subprocess.run(["losetup", "--find", "--show", "--sector-size", str(sector), self.file],
                              capture_output=True, text=True, check=False)
        self.device, self.why = made.stdout.strip(), made.stderr.strip()
        if self.device:
            os.mknod(self.path, stat.S_IFBLK | 0o660, os.stat(self.device).st_rdev)
            os.chmod(self.path, 0o660)
            shutil.chown(self.path, "root", group)

    def content(self, size, skip=0):
        """What is on the host, past what its kernel keeps of the device."""
        subprocess.run(["blockdev", "--flushbufs", self.device], check=True)
        with open(self.file, "rb") as file:
            file.seek(skip)
            return file.read(size)

    def blocks(self):
        """How much room the file takes, in bytes."""
        return os.stat(self.file).st_blocks * 512

    def close(self):
        subprocess.run(["losetup", "--detach", self.device], check=False)


def disk(loop, target, bus, more="", device="disk", driver="", kind="block"):
    source = "dev" if kind == "block" else "file"
    return (f"<disk type='{kind}' device='{device}'><driver name='qemu' type='raw'{driver}/>"
            f"<source {source}='{loop.path}'/><target dev='{target}' bus='{bus}'/>{more}</disk>")


def define(name, number, devices, modules="virtio_pci,virtio_blk,virtio_scsi,sd_mod,sr_mod", machine="q35"):
    boot = (f"<kernel>{KERNEL}</kernel><initrd>{INITRD}</initrd>"
            f"<cmdline>console=ttyS0 quiet no_timer_check guest=echo load={modules}</cmdline>")
    vm.define("alice", name, number, "<controller type='scsi' model='virtio-scsi'/>" + devices, memory=256,
              os_more=boot, machine=machine)


os.mkdir(NODES)
whole = Loop("whole", "students")
if not whole.device:
    tap.skip_all(f"no loop device: {whole.why}")
large, fixed, other = Loop("large", "students", 4096), Loop("fixed", "students"), Loop("other", "carol")
LOOPS = (whole, large, fixed, other)
try:
    host.start_broker(idle_seconds=600)
    define("pc", 1, disk(whole, "vda", "virtio", driver=" discard='unmap' cache='none' io='native'") +
           disk(large, "sda", "scsi", driver=" discard='unmap'") +
           disk(fixed, "vdb", "virtio", "<readonly/>") + disk(fixed, "sdc", "scsi", "<readonly/>", "cdrom"))
    console = None

    def run(command):
        said, status = console.run(command)
        tap.equal(status, 0, f"{command}: {said}")
        return said

    @tap.test("a guest starts with block devices, and sees what is on them, their sizes and sectors")
    def _():
        global console
        host.virsh("alice", "start", "pc")
        console = Console("alice", "pc").greet()
        run("for i in $(seq 100); do [ -b /dev/sda ] && [ -b /dev/sr0 ] && break; sleep 0.1; done")
        for device, name in (("vda", "whole"), ("sda", "large"), ("vdb", "fixed"), ("sr0", "fixed")):
            tap.equal(run(f"head -c {len(name) + 6} /dev/{device}; echo"), f"{name}:known", device)
        for device in ("vda", "sda", "vdb"):
            tap.equal(run(f"cat /sys/block/{device}/size"), str(SIZE // 512), f"{device}: sectors of 512 bytes")

    @tap.test("what it writes is on the device, also at its end, and nothing is behind that")
    def _():
        for device, loop in (("vda", whole), ("sda", large)):
            run(f"echo -n written | dd of=/dev/{device} bs=7 conv=fsync 2>/dev/null")
            run(f"dd if=/dev/zero bs=4096 count=1 2>/dev/null | tr '\\0' x | "
                f"dd of=/dev/{device} bs=4096 seek={SIZE // 4096 - 1} conv=fsync 2>/dev/null")
            tap.equal(loop.content(7), b"written", f"{device}, at its beginning")
            tap.equal(loop.content(4096, SIZE - 4096), b"x" * 4096, f"{device}, at its end")
            said, status = console.run(f"echo -n y | dd of=/dev/{device} bs=1 seek={SIZE} conv=fsync 2>&1")
            tap.true(status != 0 and "No space left" in said, f"{device}: {said}")

    @tap.test("what it gives back takes no room on the host")
    def _():
        for device, loop in (("vda", whole), ("sda", large)):
            run(f"dd if=/dev/urandom of=/dev/{device} bs=1M count=4 conv=fsync 2>/dev/null")
            tap.true(loop.blocks() >= 4 * MIB, f"{device}: {loop.blocks()} bytes before")
            run(f"blkdiscard -l {4 * MIB} /dev/{device}")
            tap.equal(loop.content(4 * MIB), bytes(4 * MIB), f"{device}: what is there")
            tap.true(loop.blocks() <= MIB, f"{device}: {loop.blocks()} bytes after")

    @tap.test("a device that is read-only to it is not written")
    def _():
        for device in ("vdb", "sr0"):
            said, status = console.run(f"echo -n x | dd of=/dev/{device} conv=fsync 2>&1")
            tap.true(status != 0, f"{device}: {said}")
        tap.equal(fixed.content(11), b"fixed:known", "what is there")

    @tap.test("clients are told its size and what was done with it")
    def _():
        rows = dict(line.split(":") for line in host.virsh("alice", "domblkinfo", "pc", "vda").splitlines())
        tap.equal((int(rows["Capacity"]), int(rows["Physical"])), (SIZE, SIZE), "domblkinfo of one that runs")
        stats = host.virsh("alice", "domstats", "pc", "--block")
        tap.true(int(re.search(r"block\.0\.wr\.bytes=(\d+)", stats)[1]) >= 4 * MIB, stats)
        tap.true(f"block.0.path={whole.path}" in stats and f"block.0.capacity={SIZE}" in stats, stats)
        tap.equal([row.split() for row in host.virsh("alice", "domblklist", "pc", "--details").splitlines()[2:]],
                  [["block", "disk", "vda", whole.path], ["block", "disk", "vdb", fixed.path],
                   ["block", "disk", "sda", large.path], ["block", "cdrom", "sdc", fixed.path]], "domblklist")
        console.leave()
        host.virsh("alice", "destroy", "pc")
        rows = dict(line.split(":") for line in host.virsh("alice", "domblkinfo", "pc", "vda").splitlines())
        tap.equal((int(rows["Capacity"]), int(rows["Physical"])), (SIZE, SIZE), "domblkinfo of one that does not")

    @tap.test("a device that its user may not open is refused, and one that is none, in words")
    def _():
        image = vm.make_file("alice", "image")
        for number, (devices, words) in enumerate((
                (disk(other, "vda", "virtio"), f"Cannot access storage file '{other.path}': Permission denied"),
                (disk(whole, "vda", "virtio", kind="file"), "is not a regular file"),
                (disk(whole, "vda", "virtio").replace(whole.path, image), "is not a block device"))):
            vm.define("alice", f"no{number}", 10 + number, devices)
            said = host.virsh_fails("alice", "start", f"no{number}")
            tap.true(words in said, said)

    host.finish()
finally:
    for one in LOOPS:
        one.close()
