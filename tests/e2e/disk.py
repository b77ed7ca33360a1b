# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a real guest reads on each bus what is in the image, its writes are in the file on the host
# and nowhere else: not below a qcow2, not on what is read-only; no two machines write one image.
# test: timeout=800 guest once
import hashlib
import shutil
from contextlib import contextmanager

import host
import tap
import vm
from terminal import Console

KERNEL, INITRD = "/srv/qemud/guest/vmlinuz", "/srv/qemud/guest/initrd"
HOME = "/home/alice"
SIZE = 1 << 20
WWN = "5000c50015ea71aa"


def boot(modules):
    return (f"<kernel>{KERNEL}</kernel><initrd>{INITRD}</initrd>"
            f"<cmdline>console=ttyS0 quiet no_timer_check guest=echo load={modules}</cmdline>")


def image(name, text, size=SIZE):
    """A raw image that begins with that text."""
    path = f"{HOME}/{name}"
    with open(path, "wb") as file:
        file.write(text.encode().ljust(size, b"."))
    shutil.chown(path, "alice", "alice")
    return path


def disk(name, target, bus, more="", device="disk", kind="raw"):
    source = f"<source file='{HOME}/{name}'/>" if name else ""
    return (f"<disk type='file' device='{device}'><driver name='qemu' type='{kind}'/>{source}"
            f"<target dev='{target}' bus='{bus}'/>{more}</disk>")


def qemu_img(*words):
    result = host.run_as("alice", "sh", "-c", f'cd {HOME} && exec qemu-img "$@"', "sh", *words)
    tap.equal((result.returncode, result.stderr), (0, ""), f"qemu-img {words[0]}")
    return result.stdout


def content(name):
    with open(f"{HOME}/{name}", "rb") as file:
        return file.read()


def digest(name):
    return hashlib.sha256(content(name)).hexdigest()


@contextmanager
def guest(name):
    console = Console("alice", name)
    try:
        yield console.greet()
    finally:
        console.leave()


def read(console, device, count, skip=0):
    """That many bytes of a device of the guest's, which may take its time to appear."""
    said, status = console.run(
        f"for i in $(seq 100); do [ -b /dev/{device} ] && break; sleep 0.1; done; "
        f"dd if=/dev/{device} bs=1 count={count} skip={skip} 2>/dev/null; echo")
    tap.equal(status, 0, f"{device} is there")
    return said


def optical(console, address):
    """The guest's name for the drive there: it numbers them in an order of its own."""
    name, status = console.run(f"for i in $(seq 100); do ls /sys/bus/scsi/devices/{address}/block 2>/dev/null && break; "
                               "sleep 0.1; done")
    tap.equal((name[:2], status), ("sr", 0), f"a CD-ROM drive at {address}")
    return name


def check_empty(console, address):
    said, status = console.run(f"dd if=/dev/{optical(console, address)} of=/dev/null count=1 2>&1")
    tap.true(status != 0 and "No medium found" in said, said)


def write(console, device, text):
    """What the guest says to that, and the exit status: all is on the disk when it is 0."""
    return console.run(f"echo -n {text} | dd of=/dev/{device} conv=fsync 2>&1")


def flush(console, device):
    """The guest forgets what it read of it."""
    console.run(f"blockdev --flushbufs /dev/{device}")


host.start_broker(idle_seconds=600)
image("known.raw", "virtio:known")
image("scsi.raw", "scsi:known")
image("media.iso", "cdrom:known")
image("fixed.raw", "fixed:known")
image("base.raw", "base:known")
qemu_img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", "base.raw", "middle.qcow2")
qemu_img("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "middle.qcow2", "top.qcow2")
LOWER = {name: digest(name) for name in ("base.raw", "middle.qcow2", "fixed.raw", "media.iso")}
vm.define("alice", "pc", 1, "<controller type='scsi' model='virtio-scsi'/>" +
          disk("known.raw", "vda", "virtio", "<serial>KNOWN-1</serial>") +
          disk("fixed.raw", "vdb", "virtio", "<readonly/>") +
          disk("top.qcow2", "vdc", "virtio", kind="qcow2") +
          disk("scsi.raw", "sda", "scsi", f"<serial>SCSI-1</serial><wwn>{WWN}</wwn>"
               "<vendor>SEAGATE</vendor><product>ST3500</product>") +
          disk("media.iso", "sdb", "scsi", "<readonly/>", "cdrom") +
          disk(None, "sdc", "scsi", "<readonly/>", "cdrom"),
          memory=256, os_more=boot("virtio_pci,virtio_blk,virtio_scsi,sd_mod,sr_mod"))


@tap.test("a guest reads what is in its images, on virtio, on virtio-scsi and from a CD-ROM")
def _():
    host.virsh("alice", "start", "pc")
    with guest("pc") as console:
        for device, text in (("vda", "virtio:known"), ("vdb", "fixed:known"), ("sda", "scsi:known"),
                             (optical(console, "0:0:0:1"), "cdrom:known")):
            tap.equal(read(console, device, len(text)), text, device)
        tap.equal(console.run("cat /sys/block/vda/size /sys/block/sda/size"), (f"{SIZE // 512}\n{SIZE // 512}", 0), "sizes")


@tap.test("it sees the names that the definition gives its disks")
def _():
    with guest("pc") as console:
        tap.equal(console.run("cat /sys/block/vda/serial; echo"), ("KNOWN-1", 0), "serial number of vda")
        said, _ = console.run("cd /sys/block/sda/device; cat wwid vendor model; tail -c +5 vpd_pg80; echo")
        tap.equal(said.split(), [f"naa.{WWN}", "SEAGATE", "ST3500", "SCSI-1"], "of sda")


@tap.test("what it writes is in the file on the host")
def _():
    with guest("pc") as console:
        for device, name in (("vda", "known.raw"), ("sda", "scsi.raw")):
            text = f"written:{device}"
            said, status = write(console, device, text)
            tap.equal(status, 0, said)
            tap.true(content(name).startswith(text.encode()), f"{name}: {content(name)[:40]}")
            flush(console, device)
            tap.equal(read(console, device, len(text)), text, f"{device}, read again")


@tap.test("it reads and writes through an image with others below it, which stay as they are")
def _():
    with guest("pc") as console:
        tap.equal(read(console, "vdc", 10), "base:known", "of the lowest image")
        said, status = write(console, "vdc", "over")
        tap.equal(status, 0, said)
        flush(console, "vdc")
        tap.equal(read(console, "vdc", 10), "over:known", "of both")
    for name in ("base.raw", "middle.qcow2"):
        tap.equal(digest(name), LOWER[name], name)


@tap.test("it cannot write to a disk that is read-only, nor to a CD-ROM")
def _():
    with guest("pc") as console:
        tap.equal(console.run("cat /sys/block/vdb/ro"), ("1", 0), "vdb is read-only")
        for device, name in (("vdb", "fixed.raw"), (optical(console, "0:0:0:1"), "media.iso")):
            # Whatever the guest's kernel believes.
            console.run(f"blockdev --setrw /dev/{device} 2>&1")
            said, status = write(console, device, "bad")
            tap.true(status != 0, said)
            tap.equal(digest(name), LOWER[name], name)


@tap.test("a drive without a medium is there, and empty")
def _():
    with guest("pc") as console:
        check_empty(console, "0:0:0:2")


@tap.test("no image names what it was handed in as; the one below is named as before")
def _():
    host.virsh("alice", "destroy", "pc")
    for name in ("top.qcow2", "middle.qcow2"):
        tap.true(b"/dev/fdset" not in content(name), f"header of {name}")
    said = qemu_img("info", "top.qcow2")
    tap.true("\nbacking file: middle.qcow2\n" in said, said)
    qemu_img("check", "-q", "top.qcow2")


vm.define("alice", "old", 2, disk("ide.raw", "hda", "ide", f"<serial>IDE-1</serial><wwn>{WWN}</wwn>") +
          disk("media.iso", "hdc", "ide", "<readonly/>", "cdrom") +
          disk(None, "hdd", "ide", "<readonly/>", "cdrom"), memory=256,
          os_more=boot("ata_piix,sd_mod,sr_mod"), machine="pc")


@tap.test("on IDE a guest reads, writes and sees names likewise, and has its drives")
def _():
    image("ide.raw", "ide:known")
    host.virsh("alice", "start", "old")
    with guest("old") as console:
        tap.equal(read(console, "sda", 9), "ide:known", "sda")
        tap.equal(read(console, optical(console, "1:0:0:0"), 11), "cdrom:known", "the CD-ROM")
        said, _ = console.run("cd /sys/block/sda/device; cat wwid; tail -c +5 vpd_pg80; echo")
        tap.equal(said.split(), [f"naa.{WWN}", "IDE-1"], "names")
        said, status = write(console, "sda", "written")
        tap.equal(status, 0, said)
        tap.true(content("ide.raw").startswith(b"writtenwn"), f"ide.raw: {content('ide.raw')[:40]}")
        check_empty(console, "1:0:1:0")
    tap.equal(digest("media.iso"), LOWER["media.iso"], "media.iso")


@tap.test("a guest opens a tray and closes it: clients are told, and the definition says how it is")
def _():
    watcher = vm.Watcher("alice", kinds=["tray-change"])
    with guest("old") as console:
        drive = optical(console, "1:0:0:0")
        # Linux opens the tray when its device is closed, and closes it when that is opened.
        said, status = console.run(f"echo 1 >/proc/sys/dev/cdrom/autoeject; dd if=/dev/{drive} of=/dev/null count=1 2>&1")
        tap.equal(status, 0, said)
        watcher.wait("old", "tray-change ide0-1-0 0")
        tap.true(" tray='open'" in host.virsh("alice", "dumpxml", "old"), "it is open")
        console.run("echo 0 >/proc/sys/dev/cdrom/autoeject")
        tap.equal(read(console, drive, 11), "cdrom:known", "its medium")
        watcher.wait("old", "tray-change ide0-1-0 0", "tray-change ide0-1-0 1")
        tap.true(" tray='open'" not in host.virsh("alice", "dumpxml", "old"), "it is closed")
    watcher.close()
    host.virsh("alice", "destroy", "old")


@tap.test("what is not there and may be missing is left out of a start, and clients are told")
def _():
    watcher = vm.Watcher("alice", kinds=["disk-change"])
    gone = "<source file='/home/alice/gone' startupPolicy='optional'/>"
    vm.define("alice", "without", 7, "".join(
        disk(None, target, bus, device=device).replace("<target", gone + "<target")
        for target, bus, device in (("vda", "virtio", "disk"), ("sda", "sata", "cdrom"), ("fda", "fdc", "floppy"))))
    host.virsh("alice", "start", "without")
    watcher.wait("without", "disk-change /home/alice/gone - fdc0-0-0 0", "disk-change /home/alice/gone - sata0-0-0 0",
                 "disk-change /home/alice/gone - virtio-disk0 1")
    rows = host.virsh("alice", "domblklist", "without").splitlines()[2:]
    tap.equal([row.split() for row in rows], [["sda", "-"], ["fda", "-"]], "its drives")
    host.virsh("alice", "destroy", "without")
    watcher.close()


@tap.test("of two machines that would write one image, the second is refused, and the first goes on")
def _():
    image("one.raw", "one")
    for number, name in ((3, "first"), (4, "second")):
        vm.define("alice", name, number, disk("one.raw", "vda", "virtio"))
    host.virsh("alice", "start", "first")
    said = host.virsh_fails("alice", "start", "second")
    tap.true(said.startswith("error: Failed to start domain 'second'\nerror: internal error: ")
             and 'Failed to get "write" lock' in said, said)
    tap.equal(vm.state("alice", "second"), "shut off (failed)", "the second")
    tap.equal(vm.state("alice", "first"), "running (booted)", "the first")
    host.virsh("alice", "destroy", "first")
    host.virsh("alice", "start", "second")
    host.virsh("alice", "destroy", "second")


@tap.test("an image that both of them call shareable is used by both")
def _():
    for number, name in ((3, "first"), (4, "second")):
        vm.define("alice", name, number, disk("one.raw", "vda", "virtio", "<shareable/>"))
        host.virsh("alice", "start", name)
    tap.equal(sorted(vm.ids("alice")), ["first", "second"], "running")
    for name in ("first", "second"):
        host.virsh("alice", "destroy", name)


host.finish()
