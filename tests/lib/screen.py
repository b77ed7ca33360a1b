# SPDX-License-Identifier: LGPL-2.1-or-later
"""screen.py: looking at screens: over VNC, in pictures."""
import os
import socket
import struct
import subprocess
import zlib

import rpc
import tap
from tap import PATIENCE_S

OPEN_GRAPHICS, OPEN_GRAPHICS_FD, SCREENSHOT, SEND_KEY = 249, 343, 211, 226


class Viewer:
    """The first words of RFB 003.008 (RFC 6143)."""

    def __init__(self, connection):
        self.connection = connection
        self.connection.settimeout(PATIENCE_S)
        tap.equal(self.read(12), b"RFB 003.008\n", "greeting")
        self.connection.sendall(b"RFB 003.008\n")
        self.types = list(self.read(self.read(1)[0]))

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.connection.recv(size - len(data))
            if not piece:
                raise AssertionError(f"end after {data!r}")
            data += piece
        return data

    def enter(self):
        """Without a password; the name of what is shown, and its size."""
        tap.equal(self.types, [1], "security types")
        self.connection.sendall(b"\x01")
        tap.equal(self.read(4), bytes(4), "let in")
        self.connection.sendall(b"\x01")
        width, height = struct.unpack(">HH", self.read(20)[:4])
        name = self.read(struct.unpack(">I", self.read(4))[0]).decode()
        return name, width, height

    def enter_with(self, password):
        """Whether that password is the one."""
        tap.equal(self.types, [2], "security types")
        self.connection.sendall(b"\x02")
        self.connection.sendall(answer(self.read(16), password))
        return self.read(4) == bytes(4)

    def update(self, width, height):
        """All of it is asked for: how many pixels come at first, in encodings that need no more than room (RAW)."""
        # SetEncodings: RAW; FramebufferUpdateRequest, not incremental.
        self.connection.sendall(struct.pack(">BxHi", 2, 1, 0) + struct.pack(">BBHHHH", 3, 0, 0, 0, width, height))
        kind, rectangles = struct.unpack(">BxH", self.read(4))
        tap.equal(kind, 0, "FramebufferUpdate")
        n_pixels = 0
        for _ in range(rectangles):
            _, _, columns, lines, encoding = struct.unpack(">HHHHi", self.read(12))
            tap.equal(encoding, 0, "RAW")
            tap.equal(len(self.read(4 * columns * lines)), 4 * columns * lines, "32 bits a pixel")
            n_pixels += columns * lines
        return n_pixels

    def close(self):
        self.connection.close()


def answer(challenge, password):
    """What a viewer makes of a challenge: DES, with the bits of each byte of the key reversed."""
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode().ljust(8, b"\0"))
    return subprocess.run(["openssl", "enc", "-des-ecb", "-nopad", "-K", key.hex(), "-provider",
                           "legacy", "-provider", "default"], input=challenge, capture_output=True,
                          check=True).stdout


def check_screen(name, connection):
    viewer = Viewer(connection)
    shown, width, height = viewer.enter()
    tap.equal(shown, f"QEMU ({name})", "name")
    tap.true(width >= 640 and height >= 350, f"{width} x {height}")
    tap.true(viewer.update(width, height) > 0, "pixels come")
    viewer.close()


def open_by_reply(client, handle, flags=0, idx=0):
    """DOMAIN_OPEN_GRAPHICS_FD: a connected socket, or the error."""
    serial = client.send(OPEN_GRAPHICS_FD, handle + rpc.u32(idx) + rpc.u32(flags))
    reply = client.receive()
    tap.equal(reply.serial, serial, "serial")
    if reply.error:
        return None, reply.error
    tap.equal((reply.type, reply.payload), (5, rpc.u32(1)), "a reply with one descriptor")
    data, fds, _, _ = socket.recv_fds(client.socket, 1, 4)
    tap.equal((data, len(fds)), (b"\0", 1), "the byte with which it comes")
    return socket.socket(fileno=fds[0]), None


class End:
    """A descriptor of any kind."""

    def __init__(self, fd):
        self.fd = fd

    def fileno(self):
        return self.fd

    def close(self):
        os.close(self.fd)


def open_by_call(client, handle, end, flags=0):
    """DOMAIN_OPEN_GRAPHICS: the client gives a socket."""
    payload = rpc.u32(1) + handle + rpc.u32(0) + rpc.u32(flags)
    client.send(OPEN_GRAPHICS, payload, kind=4)
    socket.send_fds(client.socket, [b"\0"], [end.fileno()])
    end.close()
    return client.receive()


def pixels(path):
    """Width, height, and how many pixels of a picture in PNG (8 bits a colour) are not black."""
    with open(path, "rb") as file:
        data = file.read()
    tap.equal(data[:8], b"\x89PNG\r\n\x1a\n", "PNG")
    at, lines = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
        if kind == b"IDAT":
            lines += data[at + 8:at + 8 + size]
        at += size + 12
    tap.equal((depth, colour), (8, 2), "RGB, 8 bits")
    raw = zlib.decompress(lines)
    tap.equal(len(raw), height * (1 + 3 * width), "all lines")
    # A filter of a black picture's lines leaves nothing either.
    return width, height, len(raw) - raw.count(b"\0")
