# SPDX-License-Identifier: LGPL-2.1-or-later
"""wire.py: a network for the throw-away host, with somebody at the other end of its wire."""
import os
import subprocess

import host
import proc
import tap
from tap import PATIENCE_S

SERVER = """
import socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
while True:
    connection = server.accept()[0]
    connection.sendall(sys.argv[3].encode() + b"\\n")
    connection.close()
"""
# It speaks first: passt of 2023 does not end a handshake towards a guest before somebody says something.
CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 20) as connection:
    connection.sendall(b"hello\\n")
    sys.stdout.write(connection.recv(100).decode())
"""
# A name server that knows one address, of whatever name.
NAMES = """
import socket, struct, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:
    query, client = server.recvfrom(4096)
    end = query.index(b"\\0", 12) + 5
    known = query[end - 4:end - 2] == b"\\0\\1"
    answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4" + socket.inet_aton(sys.argv[2]) if known else b""
    server.sendto(query[:2] + b"\\x81\\x80\\0\\1" + struct.pack(">H", known) + bytes(4) + query[12:end] + answer, client)
"""
KERNEL, INITRD = "/srv/qemud/guest/vmlinuz", "/srv/qemud/guest/initrd"
# Of a guest with an interface, as vm.definition() takes it.
GUEST = (f"<kernel>{KERNEL}</kernel><initrd>{INITRD}</initrd>"
         "<cmdline>console=ttyS0 quiet no_timer_check guest=echo load=virtio_pci,virtio_net</cmdline>")
LAN = """<interface type='user'><mac address='52:54:00:00:00:01'/>
<portForward proto='tcp'><range start='2080' to='80'/></portForward><model type='virtio'/></interface>"""
FAR, NEAR = "192.0.2.1", "192.0.2.2"  # of the other end of the wire, and of this host


def begin():
    """A wire with somebody at its other end, and a default route: what a host has. Returns who answers there."""
    for command in ("ip link add wire type veth peer name far", "ip netns add far", "ip link set far netns far",
                    f"ip addr add {NEAR}/24 dev wire", "ip link set wire up",
                    f"ip -n far addr add {FAR}/24 dev far", "ip -n far link set far up",
                    "ip -n far link set lo up", f"ip route replace default via {FAR}"):
        subprocess.run(command.split(), check=True)
    return serve(FAR, 7, "from afar", "ip", "netns", "exec", "far")


def serve(address, port, text, *where):
    """Somebody who says that to whoever connects there."""
    return _run(SERVER, address, str(port), text, where=where)


def serve_names(address, *where):
    """Somebody who answers there that every name has that address."""
    return _run(NAMES, address, address, where=where)


def _run(program, *words, where):
    # pylint: disable-next=consider-using-with
    server = subprocess.Popen([*where, "/usr/bin/python3", "-c", program, *words], stdout=subprocess.PIPE)
    server.stdout.readline()
    return server


def end(server):
    server.kill()
    server.wait()
    server.stdout.close()


def lease(console):
    """The guest at that console takes its address."""
    said, _ = console.run("ip link set eth0 up; udhcpc -i eth0 -q -n 2>&1")
    tap.true("lease of" in said, said)


def ask(port):
    """What is answered at that port of this host to somebody at the far end; None when nobody listens."""
    result = subprocess.run(["ip", "netns", "exec", "far", "/usr/bin/python3", "-c", CLIENT, NEAR, str(port)],
                            capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return None if "ConnectionRefusedError" in result.stderr else result.stdout


def passts():
    """Those of alice. It becomes what its processor is good at."""
    return [found for name in ("passt", "passt.avx2") for found in proc.find(name, host.UID["alice"])]


def kill(process):
    end = proc.End(process)
    os.kill(process.pid, 9)
    end.wait(60)


def fetch(console):
    """What the guest at that console hears from afar, and the exit status of its asking."""
    return console.run(f"nc {FAR} 7")
