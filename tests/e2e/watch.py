# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: through a view who has `console` over another's machine has its serial port, its screen in
# pictures and over descriptors, and its keys, with stock clients; who has `power` has none of it, and who
# loses `console` loses what is open; events of everybody's machines come under the names shown.
# test: timeout=480
import os
import signal
import socket
import subprocess

import host
import people
import proc
import rpc
import tap
import vm
from screen import (OPEN_GRAPHICS_FD, SCREENSHOT, SEND_KEY, Viewer, check_screen, open_by_call, open_by_reply, pixels)
from terminal import Console

FILE = "/etc/qemud/policy.conf"
SYSTEM, SYSTEM_RO = (uri.replace("///session", "///system") for uri in (host.URI, host.URI_RO))
RULES = ("allow everyone manage own\n"
         "allow user bob console user alice\n"
         "allow user carol power user alice\n"
         "allow user dave manage all\n")
DENIED = 29

# All that is told of lifecycles, by the newer registration or (-o) by the older; "NAME UUID EVENT DETAIL".
LISTENER = """
import libvirt, sys
libvirt.virEventRegisterDefaultImpl()
connection = libvirt.openReadOnly(sys.argv[1])
def told(connection, domain, event, detail, opaque):
    print(domain.name(), domain.UUIDString(), event, detail, flush=True)
if sys.argv[2] == "old":
    connection.domainEventRegister(told, None)
else:
    connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, told, None)
print("ready", flush=True)
while True:
    libvirt.virEventRunDefaultImpl()
"""


def write(text):
    os.makedirs(os.path.dirname(FILE), exist_ok=True)
    with open(f"{FILE}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(f"{FILE}.new", FILE)


def policy(text):
    """Another one holds, from some moment on."""
    start = len(broker.log.lines)
    write(text)
    os.kill(broker.process.pid, signal.SIGHUP)
    broker.log.wait("policy: read again", start=start)


def system(user, *words):
    return host.virsh(user, *words, uri=SYSTEM)


def console_says():
    with open("/home/alice/.qemud/log/screen.console", "rb") as file:
        return file.read().decode(errors="replace")


def check_runs_on():
    """The guest is the one that came up at first, and has not come up again."""
    tap.equal(system("dave", "domstate", "alice:screen").split(), ["running"], "state")
    tap.equal(console_says().count("up"), 1, "so often it came up")


def connected(user, path=rpc.SOCKET):
    """A connection to the whole host, and alice's machine as it is named there."""
    connection = people.Connection(user, "qemu:///system", path)
    return connection, connection.handle("alice:screen")


def error_of(connection, procedure, payload):
    return connection.client.call(procedure, payload).error


def calls(handle):
    """All that `console` is for: procedure and arguments."""
    nothing = rpc.u32(0)
    return ((people.NUMBER["domain_open_console"], handle + rpc.optional(None) + nothing),
            (SCREENSHOT, handle + nothing + nothing), (OPEN_GRAPHICS_FD, handle + nothing + nothing),
            (SEND_KEY, handle + nothing + nothing + rpc.u32(1) + rpc.u32(16) + nothing))


people.read_table()
write(RULES)
broker = host.start_broker(idle_seconds=600)
vm.make_boot_disk("alice", "/home/alice/screen.raw", "up")
vm.define("alice", "screen", 1, vm.disk("/home/alice/screen.raw") +
          "<graphics type='vnc'><listen type='socket'/></graphics>")
vm.define("bob", "other", 2)
host.virsh("alice", "start", "screen", "--paused")


@tap.test("console: virsh console talks with another's guest, who reads its screen's keys")
def _():
    console = Console("bob", "alice:screen", uri=SYSTEM)
    console.wait("Connected to domain 'alice:screen'")
    host.virsh("alice", "resume", "screen")
    console.wait("up")
    system("bob", "send-key", "alice:screen", "KEY_Q", "--holdtime", "50")
    console.wait("q")
    console.leave()


@tap.test("console: pictures, and where the display is")
def _():
    said = host.run_as("bob", "virsh", "-c", SYSTEM, "screenshot", "alice:screen", "/home/bob/picture.png")
    tap.equal(said.returncode, 0, said.stderr)
    width, height, light = pixels("/home/bob/picture.png")
    tap.true((width, height) == (720, 400) and light > 20, f"{width} x {height}, {light}")
    tap.equal(os.stat("/home/bob/picture.png").st_uid, host.UID["bob"], "whose it is")
    path = f"/run/qemud/users/{host.UID['alice']}/{vm.uuid(1)}.vnc"
    tap.equal(system("bob", "domdisplay", "alice:screen"), f"vnc+unix://{path}", "domdisplay")
    own = host.run_as("alice", "virsh", "-c", host.URI, "vncdisplay", "screen")
    other = host.run_as("bob", "virsh", "-c", SYSTEM, "vncdisplay", "alice:screen")
    tap.equal((other.returncode, other.stdout), (own.returncode, own.stdout), "vncdisplay, as its owner has it")
    try:
        with host.identity("bob"), socket.socket(socket.AF_UNIX) as other:
            other.connect(path)
    except PermissionError:
        return
    tap.true(False, "the socket itself is its owner's")


@tap.test("console: the screen over a descriptor of the reply, and over one of the call, through the channel")
def _():
    for user in ("bob", "dave"):
        connection, handle = connected(user)
        with connection.client as client:
            for flags in (0, 1):
                screen, error = open_by_reply(client, handle, flags=flags)
                tap.true(not error, f"{error}")
                check_screen("screen", screen)
            ours, theirs = socket.socketpair()
            reply = open_by_call(client, handle, theirs)
            tap.true(not reply.error, f"{reply}")
            check_screen("screen", ours)
            tap.true(not client.call(rpc.CONNECT_GET_TYPE).error, "what follows is not mixed up")
            _, error = open_by_reply(client, handle, idx=1)
            tap.true(error and error.code == 1, f"a wrong number: {error}")
    for view in (p for p in proc.find("qemud-view") if "--host" in p.arguments()):
        others = [what for what in view.descriptors().values() if what.startswith("/") and what != "/dev/null"]
        tap.equal(others, [], "files of a view")


@tap.test("power: none of that, by the line that gives power; it stops and starts")
def _():
    connection, handle = connected("carol")
    with connection.client:
        for number, payload in calls(handle):
            error = error_of(connection, number, payload)
            tap.true(error and error.code == DENIED and "policy.conf:3" in error.message, f"{number}: {error}")
    ours, theirs = socket.socketpair()
    connection, handle = connected("carol")
    with connection.client:
        error = open_by_call(connection.client, handle, theirs).error
        tap.true(error and error.code == DENIED, f"{error}")
        ours.settimeout(30)
        tap.equal(ours.recv(1), b"", "and the descriptor is closed")
    console = Console("carol", "alice:screen", uri=SYSTEM)
    console.wait("policy prevents")
    console.end()
    system("carol", "suspend", "alice:screen")
    system("carol", "resume", "alice:screen")
    check_runs_on()


@tap.test("on the read-only socket there is none of that for anybody")
def _():
    for user in ("bob", "dave", "root"):
        connection, handle = connected(user, rpc.SOCKET_RO)
        with connection.client:
            for number, payload in calls(handle):
                error = error_of(connection, number, payload)
                tap.true(error and error.code == DENIED and "read only" in error.message, f"{number}: {error}")


def drained(connection):
    """It ends, within the patience that it has."""
    while connection.recv(65536):
        pass
    connection.close()


@tap.test("a screen ends with the connection that it was opened by")
def _():
    connection, handle = connected("bob")
    with connection.client as client:
        screen, _ = open_by_reply(client, handle)
        Viewer(screen).enter()
    drained(screen)


@tap.test("who loses console loses the console and the screens that are open, at once; others keep theirs")
def _():
    console = Console("bob", "alice:screen", uri=SYSTEM)
    console.wait("Connected to domain")
    policy(RULES.replace("bob console", "bob view"))
    console.end()  # virsh ends by itself
    policy(RULES)
    connection, handle = connected("bob")
    other = people.Connection("dave", "qemu:///system")
    with connection.client as client, other.client:
        number, payload = calls(handle)[0]
        tap.true(not client.call(number, payload).error, "a stream")
        ours, theirs = socket.socketpair()
        tap.true(not open_by_call(client, handle, theirs).error, "a screen on a socket of the client's")
        screens = [ours, open_by_reply(client, handle)[0]]
        others, _ = open_by_reply(other.client, other.handle("alice:screen"))
        for screen in screens:
            Viewer(screen).enter()
        policy(RULES.replace("bob console", "bob view"))
        packet = client.receive()
        while packet.type == rpc.STREAM and packet.status == rpc.CONTINUE:
            packet = client.receive()
        tap.equal((packet.type, packet.status), (rpc.STREAM, rpc.ERROR), "packet")
        tap.true(packet.error.code == DENIED and "policy.conf:2" in packet.error.message, f"{packet.error}")
        for number, payload in calls(handle):
            error = error_of(connection, number, payload)
            tap.true(error and error.code == DENIED, f"{number}: {error}")
        tap.true(not client.call(people.NUMBER["domain_get_info"], handle).error, "view is left")
        check_screen("screen", others)
        for screen in screens:
            drained(screen)
    policy(RULES)
    check_runs_on()


@tap.test("events of all users come through a view, by the older registration and by the newer, as shown")
def _():
    uuids = {name: system("dave", "domuuid", name) for name in ("alice:screen", "bob:other")}
    listeners = []
    for number, how in enumerate(("old", "new")):
        # pylint: disable-next=consider-using-with
        child = subprocess.Popen(host.command_as("dave", "/usr/bin/python3", "-c", LISTENER, SYSTEM_RO, how),
                                 text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        listeners.append((child, host.Log(child.stdout, f"{host.OUT}/listener.{number}")))
    try:
        for _, log in listeners:
            log.wait("^ready$")
        host.virsh("alice", "suspend", "screen")
        host.virsh("bob", "start", "other")
        for _, log in listeners:
            log.wait(f"^alice:screen {uuids['alice:screen']} 3 0$")
            log.wait(f"^bob:other {uuids['bob:other']} 2 0$")
        host.virsh("bob", "destroy", "other")
        for _, log in listeners:
            log.wait(f"^bob:other {uuids['bob:other']} 5 1$")
            tap.equal(log.find(r"^(?!ready|alice:|bob:)"), [], "others' words")
    finally:
        for child, _ in listeners:
            child.kill()
            child.wait()
            child.stdout.close()


host.virsh("alice", "destroy", "screen")
host.finish()
