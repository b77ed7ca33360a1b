# SPDX-License-Identifier: LGPL-2.1-or-later
"""recorder.py: stands between a client and qemud, and keeps what the client sends.

A recorded session is text: "client KIND PROCEDURE" on a line of its own, then lines that start with
a tab: the packet in hex. What came over several connections is kept apart by a line "connection".
"""
import os
import select
import socket
import struct
import threading

import host
import rpc

WIDTH = 64  # bytes a line


def names():
    """{(program, number): name} as the project's own table has it."""
    found = {}
    with open("/srv/qemud/protocol/rpc/procedures.tsv", encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                program, number, name = line.split("\t")[:3]
                found[rpc.REMOTE if program == "remote" else rpc.QEMU, int(number)] = name
    return found


class Recorder:
    """Serves one client after the other at `place`, as that user, until the end of the block."""

    def __init__(self, user, place, path=rpc.SOCKET):
        self.user, self.place, self.path = user, place, path
        self.connections = []

    def __enter__(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.place)
        os.chmod(self.place, 0o666)
        self.listener.listen(8)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        # Who connects is asked when a connection is made; that is here, and only in this process.
        self.upstream = [host.client_as(self.user, self.path).socket for _ in range(4)]
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(60)
        self.listener.close()
        for sock in self.upstream:
            sock.close()
        os.unlink(self.place)

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self._relay(client, self.upstream.pop(0))

    def _relay(self, client, server):
        said = bytearray()
        self.connections.append(said)
        with client, server:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for sock in ready:
                    data = sock.recv(65536)
                    if not data:
                        return
                    if sock is client:
                        said += data
                        server.sendall(data)
                    else:
                        client.sendall(data)

    def procedures(self):
        """The names of all procedures that were called, each once, in the order of the first call."""
        return list(dict.fromkeys(name for said in self.connections for _, name in _packets(said)))

    def write(self, path, head):
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(f"# {line}\n" for line in head))
            for said in self.connections:
                file.write("\nconnection\n")
                for packet, name in _packets(said):
                    file.write(f"client args {name}\n")
                    for at in range(0, len(packet), WIDTH):
                        file.write(f"\t{packet[at:at + WIDTH].hex()}\n")


def _packets(said):
    known, at = names(), 0
    while at < len(said):
        length, program, _, procedure = struct.unpack_from(">IIIi", said, at)
        yield bytes(said[at:at + length]), known.get((program, procedure), "keepalive")
        at += length


def called(path):
    """The same of a file, for those that are procedures."""
    with open(path, encoding="utf-8") as file:
        return list(dict.fromkeys(line.split()[2] for line in file if line.startswith("client ")))
