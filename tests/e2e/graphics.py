# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a guest's screen is seen, and its keys are pressed, by its owner's clients alone: over the
# socket that its definition asks for, by descriptors, in pictures; also after the worker was killed.
# test: timeout=600
import os
import re
import signal
import socket
import stat
import struct
import time

import host
import proc
import rpc
import tap
import vm
from screen import (End, OPEN_GRAPHICS_FD, SCREENSHOT, SEND_KEY, Viewer, check_screen, open_by_call, open_by_reply,
                    pixels)
from tap import PATIENCE_S


def define(name, number, graphics, more=""):
    disk = f"/home/alice/{name}.raw"
    vm.make_boot_disk("alice", disk, "up")
    vm.define("alice", name, number,
              devices=vm.disk(disk) + "<graphics type='vnc'" + graphics + more)


def xml(name, *options, user="alice", uri=host.URI):
    return host.virsh(user, "dumpxml", name, *options, uri=uri)


def socket_of(name):
    return re.search("<listen type='socket' socket='([^']*)'", xml(name))[1]


def console_of(name):
    with open(f"/home/alice/.qemud/log/{name}.console", "rb") as file:
        return file.read().decode(errors="replace")


def wait_for(what, find):
    deadline = time.monotonic() + PATIENCE_S
    while not find():
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what}")
        time.sleep(0.05)


def connect(path, user="alice"):
    connection = socket.socket(socket.AF_UNIX)
    with host.identity(user):
        connection.connect(path)
    return connection


def kill_worker():
    worker = host.worker_of("alice")
    end = proc.End(worker)
    os.kill(worker.pid, 9)
    end.wait(60)


broker = host.start_broker(idle_seconds=600)
define("screen", 1, "><listen type='socket'/></graphics>")
define("port", 2, " port='5901' listen='0.0.0.0'/>")
define("named", 3, " socket='/home/alice/screen.sock'/>")
define("secret", 4, " passwd='hush' sharePolicy='force-shared'><listen type='socket'/></graphics>")
define("hidden", 5, "><listen type='none'/></graphics>")
of_first_looks = vm.Watcher("alice", kinds=["graphics"])


@tap.test("a machine with graphics starts, and shows its screen on a socket of its user's")
def _():
    tap.true("<listen type='socket'/>" in xml("screen"), "no path before it runs")
    host.virsh("alice", "start", "screen")
    path = socket_of("screen")
    tap.equal(path, f"/run/qemud/users/{host.UID['alice']}/{vm.uuid(1)}.vnc", "path")
    tap.true("<listen type='socket'/>" in xml("screen", "--inactive"), "no path for the next start")
    check_screen("screen", connect(path))
    tap.equal(host.virsh("alice", "domdisplay", "screen").strip(), f"vnc+unix://{path}", "domdisplay")


@tap.test("pictures of a text screen, and keys that the guest gets")
def _():
    wait_for("words of the guest", lambda: "up" in console_of("screen"))
    said = host.virsh("alice", "screenshot", "screen", "/home/alice/picture.png")
    tap.true("Screenshot saved to /home/alice/picture.png, with type of image/png" in said, said)
    width, height, light = pixels("/home/alice/picture.png")
    tap.equal((width, height), (720, 400), "size")
    tap.true(light > 20, f"{light} bytes that are not black")
    host.virsh("alice", "send-key", "screen", "KEY_Q", "--holdtime", "50")
    wait_for("q", lambda: "q" in console_of("screen"))
    host.virsh("alice", "send-key", "screen", "--codeset", "win32", "0xa0", "0x57")
    wait_for("W", lambda: "W" in console_of("screen"))
    host.virsh("alice", "send-key", "screen", "--codeset", "usb", "29")
    wait_for("z", lambda: "z" in console_of("screen"))


@tap.test("a screen by a descriptor in the reply, and by one in the call")
def _():
    with host.client_as("alice").open() as client:
        connection, _ = open_by_reply(client, vm.wire("screen", 1))
        check_screen("screen", connection)
        # What follows on the connection is not mixed up.
        connection, _ = open_by_reply(client, vm.wire("screen", 1), flags=1)
        check_screen("screen", connection)
        ours, theirs = socket.socketpair()
        reply = open_by_call(client, vm.wire("screen", 1), theirs)
        tap.true(not reply.error, f"{reply}")
        check_screen("screen", ours)
        for code, args in ((8, {"flags": 2}), (1, {"idx": 1})):
            _, error = open_by_reply(client, vm.wire("screen", 1), **args)
            tap.equal(error.code, code, f"{error}")
        _, error = open_by_reply(client, vm.wire("port", 2))
        tap.equal(error.code, 55, f"not running: {error}")


@tap.test("who looks is told of: when she comes, is let in, and goes")
def _():
    # Four have looked by now: when they have all gone nothing of theirs comes in between.
    tap.eventually("all that is told of the first four", lambda: len(of_first_looks.told("screen")) == 4 * 3)
    of_first_looks.close()
    watcher = vm.Watcher("alice", kinds=["graphics"])
    path = socket_of("screen")
    sides = f"[2 - {path}] [2 - -] none"
    check_screen("screen", connect(path))
    watcher.wait("screen", *(f"graphics {phase} {sides}" for phase in range(3)))
    with host.client_as("alice").open() as client:
        connection, _ = open_by_reply(client, vm.wire("screen", 1))
        check_screen("screen", connection)
    watcher.wait("screen", *2 * [f"graphics {phase} {sides}" for phase in range(3)])
    watcher.close()


@tap.test("what is no connection is refused, and not left with QEMU")
def _():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("/home/alice/listener")
    listener.listen()
    others = (os.open("/home/alice", os.O_RDONLY), os.open("/home/alice", os.O_PATH),
              os.open("/dev/null", os.O_RDWR), listener.detach(),
              socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).detach())
    with host.client_as("alice").open() as client:
        for other in others:
            reply = open_by_call(client, vm.wire("screen", 1), End(other))
            tap.true(reply.error and reply.error.code == 8, f"{reply}")
        tap.true(not client.call(rpc.CONNECT_GET_HOSTNAME).error, "the connection goes on")
    for qemu in vm.qemus("alice"):
        for name in os.listdir(f"/proc/{qemu.pid}/fd"):
            tap.true(os.readlink(f"/proc/{qemu.pid}/fd/{name}") != "/home/alice", "no folder is there")


@tap.test("the worker is killed: who looks goes on looking, and others come in without one")
def _():
    path = socket_of("screen")
    before = Viewer(connect(path))
    before.enter()
    worker = host.worker_of("alice")
    os.kill(worker.pid, signal.SIGSTOP)
    check_screen("screen", connect(path))
    os.kill(worker.pid, signal.SIGCONT)
    kill_worker()
    with host.client_as("alice").open() as client:
        connection, _ = open_by_reply(client, vm.wire("screen", 1))
        check_screen("screen", connection)
    tap.equal(socket_of("screen"), path, "path")
    check_screen("screen", connect(path))
    # FramebufferUpdateRequest, of one pixel.
    before.connection.sendall(struct.pack(">BBHHHH", 3, 0, 0, 0, 1, 1))
    tap.equal(before.read(1), b"\0", "FramebufferUpdate")
    before.close()
    host.virsh("alice", "screenshot", "screen", "/home/alice/again.png")
    tap.true(pixels("/home/alice/again.png")[2] > 20, "picture")
    host.virsh("alice", "send-key", "screen", "KEY_X")
    wait_for("x", lambda: "x" in console_of("screen"))


@tap.test("a port in a definition is kept, and is a socket when it runs: nothing listens on TCP")
def _():
    kept = xml("port")
    tap.true("port='5901' autoport='no' listen='0.0.0.0'" in kept, kept)
    host.virsh("alice", "start", "port")
    check_screen("port", connect(socket_of("port")))
    tap.equal(xml("port", "--inactive"), kept, "for the next start")
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{vm.qemus('alice')[0].pid}/net/{table}", encoding="ascii") as file:
            tap.equal(len(file.readlines()), 1, f"lines of {table}")


@tap.test("a socket at a path of the user's own: made, hers alone, and gone with the machine")
def _():
    path = "/home/alice/screen.sock"
    host.virsh("alice", "start", "named")
    tap.equal(socket_of("named"), path, "path")
    tap.equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, "mode")
    check_screen("named", connect(path))
    kill_worker()
    tap.true(vm.state("alice", "named").startswith("running"), "state")
    check_screen("named", connect(path))
    host.virsh("alice", "destroy", "named")
    tap.true(not os.path.lexists(path), "it is gone")
    with open(path, "w", encoding="ascii") as file:
        file.write("a letter")
    said = host.virsh_fails("alice", "start", "named")
    tap.true("something else has that name" in said, said)
    with open(path, encoding="ascii") as file:
        tap.equal(file.read(), "a letter", "what was there")
    os.remove(path)
    # Somebody listens there; then nobody does any more.
    with host.identity("alice"):
        other = socket.socket(socket.AF_UNIX)
        other.bind(path)
        other.listen()
    said = host.virsh_fails("alice", "start", "named")
    tap.true("somebody listens there" in said, said)
    other.close()
    host.virsh("alice", "start", "named")
    check_screen("named", connect(path))


@tap.test("a password: asked for, hidden, not on the command line, and passed over on request")
def _():
    host.virsh("alice", "start", "secret")
    path = socket_of("secret")
    for password, good in (("hush", True), ("hash", False)):
        viewer = Viewer(connect(path))
        tap.equal(viewer.enter_with(password), good, f"with {password}")
        viewer.close()
    with host.client_as("alice").open() as client:
        connection, _ = open_by_reply(client, vm.wire("secret", 4), flags=1)
        check_screen("secret", connection)
        connection, _ = open_by_reply(client, vm.wire("secret", 4))
        tap.equal(Viewer(connection).types, [2], "security types without the flag")
    for text in (xml("secret"), xml("secret", "--inactive"), xml("secret", user="alice", uri=host.URI_RO)):
        tap.true("hush" not in text and "passwd" not in text, text)
    for options in (["--security-info"], ["--security-info", "--inactive"]):
        tap.true("passwd='hush'" in xml("secret", *options), "with --security-info")
    said = host.virsh_fails("alice", "dumpxml", "secret", "--security-info", uri=host.URI_RO)
    tap.true("forbidden" in said, said)
    for qemu in vm.qemus("alice"):
        with open(f"/proc/{qemu.pid}/cmdline", "rb") as file:
            tap.true(b"hush" not in file.read(), "command line")
    with open("/home/alice/.qemud/log/secret.log", encoding="utf-8") as file:
        tap.true("hush" not in file.read(), "QEMU's log")
    tap.equal(broker.log.find("hush"), [], "our own")
    kill_worker()
    viewer = Viewer(connect(socket_of("secret")) if vm.state("alice", "secret") else None)
    tap.true(viewer.enter_with("hush"), "after the worker was killed")
    viewer.close()


@tap.test("a screen without a socket is opened by its owner's clients")
def _():
    host.virsh("alice", "start", "hidden")
    tap.true("<listen type='none'/>" in xml("hidden"), "no socket")
    with host.client_as("alice").open() as client:
        connection, _ = open_by_reply(client, vm.wire("hidden", 5))
        check_screen("hidden", connection)


@tap.test("nobody else sees it, nor who only looks at machines")
def _():
    path = socket_of("screen")
    for user in ("bob", "qemud-view"):
        try:
            connect(path, user)
        except PermissionError:
            continue
        tap.true(False, f"{user} connects")
    with host.client_as("bob").open() as client:
        tap.equal(open_by_reply(client, vm.wire("screen", 1))[1].code, 42, "bob")
    with host.client_as("alice", rpc.SOCKET_RO).open() as client:
        wire = vm.wire("screen", 1)
        for number, payload in ((OPEN_GRAPHICS_FD, rpc.u32(0) + rpc.u32(0)),
                                (SCREENSHOT, rpc.u32(0) + rpc.u32(0)),
                                (SEND_KEY, rpc.u32(0) + rpc.u32(0) + rpc.u32(1) + rpc.u32(16) + rpc.u32(0))):
            tap.equal(client.call(number, wire + payload).error.code, 29, f"procedure {number}")


@tap.test("many at once: all are let in, and the machine is managed meanwhile")
def _():
    path = socket_of("screen")
    viewers = [connect(path) for _ in range(20)]
    host.virsh("alice", "suspend", "screen")
    host.virsh("alice", "resume", "screen")
    for viewer in viewers:
        Viewer(viewer).close()


@tap.test("all of it ends with its machine")
def _():
    for name in ("screen", "port", "named", "secret", "hidden"):
        host.virsh("alice", "destroy", name)
    tap.equal(os.listdir(f"/run/qemud/users/{host.UID['alice']}"), ["autostarted"], "run-time folder")
    said = host.virsh_fails("alice", "screenshot", "screen", "/home/alice/none.png")
    tap.true("domain is not running" in said, said)


host.finish()
