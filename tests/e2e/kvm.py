# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: KVM is there for a user exactly where she may open it, the site has not taken it away, and
# it makes a machine in her box; when her rights change, so does what her next worker says.
# test: timeout=360
#
# The throw-away host gets a device node of its own over the host's. Whether that KVM runs a guest is
# not looked at: a machine with it is started, and left before its first instruction.
import os
import stat
import subprocess

import host
import tap

NODE = "/tmp/kvm"
XML = "/tmp/kvm.xml"


def works():
    """Does the host's KVM make a machine, for root and outside of any box?"""
    code = ("import fcntl, os; kvm = os.open('/dev/kvm', os.O_RDWR); "
            "assert fcntl.ioctl(kvm, 0xAE00, 0) == 12; fcntl.ioctl(kvm, 0xAE01, 0)")
    return subprocess.run(["python3", "-c", code], check=False, capture_output=True).returncode == 0


def domains(uri=host.URI):
    """The faster of the types that alice's worker says it has."""
    return "kvm" if "<domain type='kvm'" in host.virsh("alice", "capabilities", uri=uri) else "qemu"


try:
    os.mknod(NODE, stat.S_IFCHR | 0o600, os.makedev(10, 232))
    subprocess.run(["mount", "--bind", NODE, "/dev/kvm"], check=True)
except (OSError, subprocess.CalledProcessError) as e:
    tap.skip_all(f"no device node can be put over /dev/kvm: {e}")
if not works():
    tap.skip_all("KVM makes no machine on this host")
with open(XML, "w", encoding="utf-8") as file:
    file.write("<domain type='kvm'><name>fast</name><memory unit='MiB'>64</memory>"
               "<os><type>hvm</type></os><cpu check='none'><model>kvm64</model></cpu></domain>")


broker = host.start_broker()


@tap.test("without the right to open it there is none, and a definition is told so")
def _():
    tap.equal(domains(), "qemu", "domains")
    error = host.virsh_fails("alice", f"define {XML}")
    if "does not support virt type 'kvm'" not in error or "/dev/kvm" not in error:
        raise AssertionError(error)


broker.stop()
os.chmod(NODE, 0o666)
broker = host.start_broker()


@tap.test("with it there is one, in the box too, and a machine with it starts")
def _():
    tap.equal(domains(), "kvm", "domains")
    host.virsh("alice", f"define {XML}")
    host.virsh("alice", "start fast --paused")
    host.virsh("alice", "destroy fast")


broker.stop()
broker = host.start_broker(kvm="none")


@tap.test("where the site gives it to nobody there is none, whoever may open it")
def _():
    tap.equal(domains(), "qemu", "domains")


broker.stop()


@tap.test("in a session without a broker there is one as well, in the box too, and a machine with it starts")
def _():
    uri = "qemu+unix:///session?socket=/home/alice/.qemud/sock"
    command = host.command_as("alice", "/srv/qemud/libexec/qemud-worker", "--session")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, errors="backslashreplace") as session:
        log = host.Log(session.stderr, f"{host.OUT}/session.log")
        try:
            log.wait("info: ready$")
            tap.equal(domains(uri), "kvm", "domains")
            host.virsh("alice", "start fast --paused", uri=uri)
            host.virsh("alice", "destroy fast", uri=uri)
        finally:
            session.terminate()
    tap.equal(session.returncode, 0, "exit status")


os.chmod(NODE, 0o600)
broker = host.start_broker()


@tap.test("a right that is taken away is noticed, and the definition is kept")
def _():
    tap.equal(domains(), "qemu", "domains")
    tap.true(os.path.exists("/home/alice/.qemud/domains/fast.xml"), "the definition is there")


host.finish()
