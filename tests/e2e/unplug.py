# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a real guest gets a virtual CPU while it runs, and lets go of it when it is asked to: clients, QEMU
# and the ledger say the same.
# test: timeout=600 guest once
import os
import re

import host
import tap
import vm
from terminal import Console

KERNEL, INITRD = "/srv/qemud/guest/vmlinuz", "/srv/qemud/guest/initrd"
CGROUP = os.environ["TEST_CGROUP"]
XML = "/tmp/guest.xml"
BOOT = (f"<kernel>{KERNEL}</kernel><initrd>{INITRD}</initrd>"
        "<cmdline>console=ttyS0 quiet no_timer_check guest=echo</cmdline>")


def current():
    return host.virsh("alice", "vcpucount", "--current", "--live", "guest")


def granted():
    if CGROUP == "none":
        return current()
    leaf = f"{CGROUP}/u{host.UID['alice']}/{vm.leaves()[0]}"
    words = os.getxattr(leaf, "user.qemud.grant").decode().split()
    return dict(word.split("=") for word in words)["vcpus"]


def let_go(number):
    """A guest on a busy host may need longer than it is given; what it lets go of later is gone all the same."""
    late = "error: Timed out during operation: vcpu unplug request timed out. Unplug result must be manually " \
           "inspected in the domain"
    for _ in range(20):
        result = host.run_as("alice", "virsh", "-c", host.URI, "setvcpus", "guest", number)
        if result.returncode == 0:
            return
        tap.equal(result.stderr.strip(), late, "what is said")
    raise AssertionError("the guest does not let go")


def online(console):
    said, status = console.run("cat /sys/devices/system/cpu/online")
    tap.equal(status, 0, "the guest says which it has")
    return said.strip()


host.start_broker(idle_seconds=600)
with open(XML, "w", encoding="utf-8") as file:
    file.write(re.sub("<vcpu>.*</vcpu>", "<vcpu current='1'>3</vcpu>",
                      vm.definition("guest", 1, os_more=BOOT, memory=256)))


@tap.test("a guest is given two more, and runs on them; then it lets go of both")
def _():
    host.virsh("alice", "define", XML)
    host.virsh("alice", "start", "guest")
    console = Console("alice", "guest")
    try:
        console.greet()
        tap.equal(online(console), "0", "what it begins with")
        host.virsh("alice", "setvcpus", "guest", "3")
        tap.equal((current(), granted()), ("3", "3"), "how many there are")
        said, status = console.run(
            "for i in $(seq 300); do [ -d /sys/devices/system/cpu/cpu2 ] && break; sleep 0.1; done; "
            "for i in 1 2; do [ $(cat /sys/devices/system/cpu/cpu$i/online) = 1 ] || "
            "echo 1 >/sys/devices/system/cpu/cpu$i/online; done")
        tap.equal(status, 0, f"it brings them up: {said}")
        tap.equal(online(console), "0-2", "what it runs on")
        let_go("1")
        tap.equal((current(), granted()), ("1", "1"), "how many there are")
        tap.equal(online(console), "0", "what it runs on")
    finally:
        console.leave()
    host.virsh("alice", "destroy", "guest")


host.finish()
