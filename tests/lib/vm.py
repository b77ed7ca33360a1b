# SPDX-License-Identifier: LGPL-2.1-or-later
"""vm.py: machines for end-to-end tests: definitions, what is to be seen of them, their events."""
import glob
import os
import subprocess
import uuid as uuids

import host
import proc
import rpc
import tap

QEMU = "qemu-system-x86_64"

# Says what stands behind it on screen and serial port, then on the serial port each key that is pressed
# (the BIOS of a PC: int 0x10 and int 0x16, ah = 0).
_BOOT_SECTOR = bytes.fromhex(
    "31c08ed8"              # xor ax, ax; mov ds, ax
    "b80300cd10"            # mov ax, 3; int 0x10: text, 80 columns
    "be287c"                # mov si, text: behind the code
    "ac84c0740d"            # next: lodsb; test al, al; jz keys
    "b40ebb0700cd10"        # mov ah, 0xe; mov bx, 7; int 0x10
    "baf803eeebee"          # mov dx, 0x3f8; out dx, al; jmp next
    "b400cd16"              # keys: mov ah, 0; int 0x16
    "baf803eeebf6")         # mov dx, 0x3f8; out dx, al; jmp keys

# Prints "ready", then a line "NAME EVENT DETAIL" for each lifecycle event; or for each event of the
# kinds that are asked for "NAME KIND ARGUMENT...", with "-" for what is empty.
_WATCHER = """
import libvirt, sys
KINDS = {"graphics": libvirt.VIR_DOMAIN_EVENT_ID_GRAPHICS,
         "disk-change": libvirt.VIR_DOMAIN_EVENT_ID_DISK_CHANGE,
         "tray-change": libvirt.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE}
libvirt.virEventRegisterDefaultImpl()
connection = libvirt.openReadOnly(sys.argv[1])
def told(connection, domain, event, detail, opaque):
    print(domain.name(), event, detail, flush=True)
def words(arguments):
    for argument in arguments:
        if isinstance(argument, dict):
            yield "[" + " ".join(str(argument[key]) or "-" for key in ("family", "node", "service")) + "]"
        elif argument != []:
            yield "-" if argument in ("", None) else str(argument)
def happened(connection, domain, *arguments):
    print(domain.name(), arguments[-1], *words(arguments[:-1]), flush=True)
for kind in sys.argv[2:]:
    connection.domainEventRegisterAny(None, KINDS[kind], happened, kind)
if not sys.argv[2:]:
    connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, told, None)
print("ready", flush=True)
while connection.isAlive():
    libvirt.virEventRunDefaultImpl()
"""

# virDomainEventType and detail, in words.
WORDS = {"0 0": "defined", "1 0": "undefined", "2 0": "started", "3 0": "suspended", "4 0": "resumed",
         "5 0": "stopped shutdown", "5 1": "stopped destroyed", "5 5": "stopped failed",
         "6 0": "shutdown", "6 1": "shutdown guest", "6 2": "shutdown host"}


def uuid(number):
    return f"00000000-0000-4000-8000-{number:012}"


def wire(name, number):
    """The domain as a raw call names it."""
    return rpc.domain(name, uuids.UUID(uuid(number)).bytes)


def definition(name, number, devices="", os_more="", memory=64, machine="q35", vcpus=1):
    return (f"<domain type='qemu'><name>{name}</name><uuid>{uuid(number)}</uuid>"
            f"<memory unit='MiB'>{memory}</memory><vcpu>{vcpus}</vcpu><os><type machine='{machine}'>hvm</type>{os_more}</os>"
            f"<features><acpi/></features><devices><serial type='pty'/>{devices}</devices></domain>")


def disk(path, target="vda", kind="raw"):
    return (f"<disk type='file' device='disk'><driver name='qemu' type='{kind}'/><source file='{path}'/>"
            f"<target dev='{target}' bus='virtio'/></disk>")


def define(user, name, number, *args, **kwargs):
    path = f"/tmp/{name}.xml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(definition(name, number, *args, **kwargs))
    host.virsh(user, "define", path)


def state(user, name, uri=host.URI):
    return host.virsh(user, "domstate", "--reason", name, uri=uri)


def ids(user):
    """{name: id} of what runs."""
    rows = [line.split() for line in host.virsh(user, "list").splitlines()[2:]]
    return {row[1]: int(row[0]) for row in rows if row}


def qemus(user):
    return proc.find(QEMU, host.UID[user])


def qemu(user):
    return proc.one(QEMU, host.UID[user])


def leaves():
    """Names of the folders of VMs in the ledger."""
    return [os.path.basename(path) for path in glob.glob(f"{os.environ['TEST_CGROUP']}/u*/vm-*")]


def make_file(user, name, size=1 << 20):
    path = f"/home/{user}/{name}"
    with open(path, "wb") as file:
        file.truncate(size)
    os.chown(path, host.UID[user], host.UID[user])
    return path


def make_boot_disk(user, path, text):
    """Of a guest that says the text on screen and serial port, and then which keys are pressed."""
    sector = _BOOT_SECTOR + text.encode() + b"\r\n\0"
    with open(path, "wb") as file:
        file.write(sector.ljust(510, b"\0") + b"\x55\xaa" + bytes((1 << 20) - 512))
    os.chown(path, host.UID[user], host.UID[user])


class Watcher:
    """A client of its own that hears of all lifecycle events, or of those of the kinds that are named."""
    number = 0

    def __init__(self, user, uri=host.URI_RO, kinds=()):
        Watcher.number += 1
        # pylint: disable-next=consider-using-with
        self.child = subprocess.Popen(
            host.command_as(user, "/usr/bin/python3", "-c", _WATCHER, uri, *kinds), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.log = host.Log(self.child.stdout, f"{host.OUT}/events.{Watcher.number}")
        self.log.wait("^ready$")

    def told(self, name):
        """What was told of that domain so far, in words."""
        lines = [line.split(" ", 1) for line in self.log.find(f"^{name} ")]
        return [WORDS.get(words, words) for _, words in lines]

    def wait(self, name, *want):
        """Until that many events have come; then they must be these."""
        def come():
            return len(self.told(name)) >= len(want)
        with self.log.changed:
            self.log.changed.wait_for(come, 60)
        tap.equal(self.told(name), list(want), f"events of {name}")

    def close(self):
        self.child.kill()
        self.child.wait()
