# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: stock virt-install makes machines as an ordinary user: without disks and networks, with a
# kernel of their own, with a network of kind user, with and without a screen.
import os
import shutil

import host
import proc
import tap
import vm

KERNEL, INITRD = "/srv/qemud/guest/vmlinuz", "/srv/qemud/guest/initrd"
COMMON = ["--virt-type", "qemu", "--memory", "128", "--osinfo", "detect=off,require=off", "--disk", "none",
          "--noautoconsole", "--wait", "0"]


def install(name, *words):
    """Both of its outputs; it must succeed."""
    result = host.run_as("alice", "virt-install", "--connect", host.URI, "--name", name, *COMMON, *words,
                         timeout=120)
    tap.equal(result.returncode, 0, f"virt-install: {result.stdout}{result.stderr}")
    return result.stdout + result.stderr


def end(name):
    host.virsh("alice", "destroy", name)
    host.virsh("alice", "undefine", name)


def xml(name, *options):
    return host.virsh("alice", "dumpxml", name, *options)


if not shutil.which("virt-install"):
    tap.skip_all("virt-install is not installed")
host.start_broker()


@tap.test("a machine with nothing")
def _():
    install("bare", "--import", "--network", "none", "--graphics", "none")
    tap.equal(host.virsh("alice", "domstate", "bare"), "running", "its state")
    tap.true("<disk " not in xml("bare") and "<interface " not in xml("bare"), xml("bare"))
    tap.true(vm.ids("alice")["bare"] > 0 and "bare" in host.virsh("alice", "list", "--persistent"), "it stays")
    end("bare")


@tap.test("a machine with a kernel of its own")
def _():
    install("direct", "--import", "--network", "none", "--graphics", "none", "--boot",
            f"kernel={KERNEL},initrd={INITRD},kernel_args=console=ttyS0 guest=echo")
    told = host.run_as("alice", "timeout", "60", "sh", "-c",
                       "until grep -q 'guest: up' ~/.qemud/log/direct.console; do sleep 0.2; done")
    tap.equal(told.returncode, 0, "the guest says that it is up")
    end("direct")


@tap.test("an installation from a kernel ends, and the machine stays")
def _():
    install("installed", "--network", "none", "--graphics", "none", "--install",
            f"kernel={KERNEL},initrd={INITRD},kernel_args=console=ttyS0", "--wait", "1")
    tap.true("installed" in host.virsh("alice", "list", "--all", "--name"), "it is there")
    if host.virsh("alice", "domstate", "installed") == "running":
        host.virsh("alice", "destroy", "installed")
    tap.true("<kernel>" not in xml("installed"), "it boots from its disk from now on")
    host.virsh("alice", "undefine", "installed")


for graphics in ([], ["--graphics", "none"], ["--graphics", "vnc"], ["--graphics", "vnc,listen=socket"]):
    @tap.test(f"a machine with a network of kind user, {' '.join(graphics) or 'and the usual screen'}")
    def _(graphics=graphics):
        install("net", "--import", "--network", "user", *graphics)
        tap.true("<interface type='user'>" in xml("net"), xml("net"))
        tap.equal("<graphics type='vnc'" in xml("net"), graphics != ["--graphics", "none"], xml("net"))
        end("net")


@tap.test("a definition is printed, and nothing made")
def _():
    said = install("dry", "--import", "--network", "none", "--print-xml")
    tap.true("<name>dry</name>" in said, said)
    tap.equal(host.virsh("alice", "list", "--all", "--name"), "", "machines")


host.finish()
