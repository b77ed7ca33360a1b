# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a real guest writes to a file that stays bounded, has a second console, and talks over a
# channel with a program of its user's, which hears it also after the worker was killed.
# test: timeout=480 guest once
import os
import re
import socket
import time

import libvirt

import host
import proc
import tap
import vm
from tap import PATIENCE_S, eventually
from terminal import Console

KERNEL, INITRD = "/srv/qemud/guest/vmlinuz", "/srv/qemud/guest/initrd"
SAID, MUCH, TALK = "/home/alice/said", "/home/alice/much", "/home/alice/talk"
BOUND = 4 << 20  # VM_CHARDEV_FILE_MAX
DEVICES = f"""<serial type='file'><source path='{SAID}'/></serial><console type='pty'><target type='serial'/></console>
<console type='pty'><target type='virtio'/></console>
<channel type='unix'><source mode='bind' path='{TALK}'/><target type='virtio' name='org.example.talk'/></channel>
<channel type='file'><source path='{MUCH}'/><target type='virtio' name='org.example.much'/></channel>"""
PORT = "/dev/$(basename $(dirname $(grep -l org.example.%s /sys/class/virtio-ports/*/name)))"
host.start_broker(idle_seconds=600)
libvirt.registerErrorHandler(lambda *_: None, None)
vm.define("alice", "chars", 1, DEVICES, memory=256, os_more=f"<kernel>{KERNEL}</kernel><initrd>{INITRD}</initrd>"
          "<cmdline>console=ttyS0 quiet no_timer_check guest=echo load=virtio_pci,virtio_console</cmdline>")


def in_guest(*commands):
    """What a shell in the guest prints, one command after another."""
    console = Console("alice", "chars").greet()
    said = [console.run(command) for command in commands]
    console.leave()
    tap.equal([status for _, status in said], [0] * len(said), f"exit statuses of {commands}")
    return [text for text, _ in said]


def state(name):
    return re.search(rf"name='org.example.{name}' state='(\w+)'", host.virsh("alice", "dumpxml", "chars"))[1]


def connect():
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(PATIENCE_S)
    line.connect(TALK)
    return line


def is_answered(line, text):
    """The guest says it back, to a socket or a stream."""
    line.send(text)
    heard = b""
    while len(heard) < len(text):
        heard += line.recv(len(text) - len(heard))
    tap.equal(heard, text, "what comes back")


def open_channel(connection, name):
    """A stream to it, or what is said against that."""
    stream = connection.newStream(0)
    try:
        connection.lookupByName("chars").openChannel(name, stream, 0)
        return stream
    except libvirt.libvirtError as error:
        return str(error)


@tap.test("what a guest says on a serial port is in its file; of much more is kept what the bound allows")
def _():
    host.virsh("alice", "start", "chars")
    in_guest("echo first words >/dev/ttyS1")
    eventually("the words", lambda: "first words" in open(SAID, encoding="utf-8").read())
    tap.equal(os.stat(SAID).st_mode & 0o7777, 0o600, "mode")
    in_guest(f"dd if=/dev/zero of={PORT % 'much'} bs=64k count=192")
    eventually("the bound", lambda: os.path.exists(f"{MUCH}.1") and os.stat(MUCH).st_size <= BOUND)
    tap.true(os.stat(f"{MUCH}.1").st_size <= BOUND, f"{os.stat(f'{MUCH}.1').st_size} bytes of what was before")
    in_guest(f"echo last words >{PORT % 'much'}")
    eventually("the last words", lambda: open(MUCH, "rb").read().endswith(b"last words\n"))


@tap.test("a virtio console is reached by its name")
def _():
    in_guest("(while read -r line; do echo heard $line; done) </dev/hvc0 >/dev/hvc0 2>&1 & true")
    console = Console("alice", "chars", "--devname", "console1")
    console.wait("Escape character is")
    deadline = time.monotonic() + PATIENCE_S
    while "heard hello" not in console.said:
        tap.true(time.monotonic() < deadline, f"it said {console.said!r}")
        console.say("hello")
        console.read(0.5)
    console.leave()


@tap.test("a channel shows that the guest has opened it, and carries bytes both ways, without a worker too")
def _():
    tap.equal(state("talk"), "disconnected", "nobody in the guest")
    # The port stays open; what is read from it ends while nobody is there on the host.
    in_guest(f"port={PORT % 'talk'}; (exec 3<>$port; while true; do cat <&3 >&3; sleep 1; done) >/dev/null 2>&1 & "
             "echo $! >/talker")
    eventually("connected", lambda: state("talk") == "connected")
    line = connect()
    is_answered(line, b"hello, guest")
    is_answered(line, bytes(range(256)) * 16)
    worker = host.worker_of("alice")
    end = proc.End(worker)
    os.kill(worker.pid, 9)
    end.wait(60)
    is_answered(line, b"the same line")
    eventually("connected for the next worker", lambda: state("talk") == "connected")
    line.close()


@tap.test("a client has a channel as a stream, and leaves it to others")
def _():
    os.seteuid(host.UID["alice"])
    try:
        connection = libvirt.open(host.URI)
    finally:
        os.seteuid(0)
    for name in ("org.example.talk", "channel0", None):
        stream = open_channel(connection, name)
        is_answered(stream, b"by the daemon")
        tap.equal([open_channel(connection, name) for name in ("nobody", "channel1", "channel0")], [
            "internal error: cannot find channel nobody", "internal error: channel channel1 is not using a UNIX socket",
            "operation failed: Active channel stream exists for this domain"], "what is refused")
        stream.finish()
        line = connect()
        is_answered(line, b"another line")
        line.close()
    connection.close()
    in_guest("kill $(cat /talker); killall cat; true")
    eventually("disconnected", lambda: state("talk") == "disconnected")
    host.virsh("alice", "destroy", "chars")
    tap.true(not os.path.exists(TALK), "its socket goes with it")


host.finish()
