# SPDX-License-Identifier: LGPL-2.1-or-later
"""rpc.py: a small client of the remote protocol, which can say what no released client would.

Framing: seven 32-bit words (length with itself, program, version, procedure, type, serial,
status), then the payload in XDR. The facts are those of libvirt 9.0.0's remote protocol.

As a program it opens a connection without saying that it is read-only, makes one call with an
empty payload, and prints what came back; 0 when that was no error:

    python3 rpc.py SOCKET PROCEDURE
"""
import socket
import struct
import sys

REMOTE = 0x20008086
QEMU = 0x20008087
CALL, REPLY, MESSAGE, STREAM = 0, 1, 2, 3
OK, ERROR, CONTINUE = 0, 1, 2

CONNECT_OPEN, CONNECT_CLOSE, CONNECT_GET_TYPE, CONNECT_GET_LIB_VERSION = 1, 2, 3, 157
CONNECT_SUPPORTS_FEATURE, AUTH_LIST, CONNECT_NUM_OF_DEFINED_DOMAINS = 60, 66, 25
CONNECT_GET_HOSTNAME, CONNECT_GET_URI = 59, 110
DOMAIN_DEFINE_XML, DOMAIN_SET_AUTOSTART, DOMAIN_UNDEFINE, DOMAIN_UNDEFINE_FLAGS = 11, 29, 35, 231
DOMAIN_CREATE, DOMAIN_DESTROY, DOMAIN_RESUME, DOMAIN_SUSPEND = 9, 12, 28, 34
DOMAIN_CREATE_WITH_FLAGS, DOMAIN_OPEN_CONSOLE, DOMAIN_DESTROY_FLAGS = 196, 201, 234
DOMAIN_LOOKUP_BY_NAME, DOMAIN_GET_XML_DESC, DOMAIN_DEFINE_XML_FLAGS = 23, 14, 350
CONNECT_LIST_ALL_DOMAINS = 273

READ_ONLY = 1  # flag of CONNECT_OPEN

SOCKET = "/run/qemud/qemud-sock"
SOCKET_RO = "/run/qemud/qemud-sock-ro"


def u32(value):
    return struct.pack(">I", value)


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return u32(len(data)) + data + bytes(-len(data) % 4)


def optional(payload):
    """Something that may be absent: None is absence."""
    return u32(0) if payload is None else u32(1) + payload


def domain(name, uuid, number=-1):
    """A domain as calls name it; uuid is 16 bytes, number its id."""
    return string(name) + uuid + struct.pack(">i", number)


class Ended(Exception):
    """The server closed the connection."""


class Reader:
    """Takes XDR apart, from left to right."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        piece = self.data[self.at:self.at + size]
        if len(piece) < size:
            raise ValueError(f"{size} bytes wanted at {self.at} of {len(self.data)}")
        self.at += size
        return piece

    def i32(self):
        return struct.unpack(">i", self.take(4))[0]

    def u64(self):
        return struct.unpack(">Q", self.take(8))[0]

    def string(self):
        size = self.i32()
        text = self.take(size)
        self.take(-size % 4)
        return text.decode()

    def string_if(self):
        return self.string() if self.i32() else None


class Error:
    """The first four fields of an error: those that clients look at."""

    def __init__(self, payload):
        reader = Reader(payload)
        self.code, self.domain = reader.i32(), reader.i32()
        self.message, self.level = reader.string_if(), reader.i32()

    def __repr__(self):
        return f"{self.code}/{self.domain} level {self.level}: {self.message}"


class Packet:
    def __init__(self, data):
        (self.program, self.version, self.procedure, self.type, self.serial,
         self.status) = struct.unpack(">IIiIII", data[:24])
        self.payload = data[24:]
        self.error = Error(self.payload) if self.status == ERROR else None

    def __repr__(self):
        return repr(self.error) if self.error else \
            f"type {self.type} status {self.status}, {len(self.payload)} bytes"


class Client:
    def __init__(self, path=SOCKET, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)  # waits while the broker's queue is full
        self.socket.settimeout(timeout)
        self.serial = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, procedure, payload=b"", program=REMOTE, version=1, kind=CALL, status=OK):
        """Send one packet and return its serial."""
        self.serial += 1
        self.socket.sendall(struct.pack(">IIIiIII", 28 + len(payload), program, version,
                                        procedure, kind, self.serial, status) + payload)
        return self.serial

    def _read(self, size):
        data = b""
        while len(data) < size:
            try:
                piece = self.socket.recv(size - len(data))
            except ConnectionResetError as error:
                raise Ended("reset") from error
            if not piece:
                raise Ended(f"end of file, {len(data)} of {size} bytes read")
            data += piece
        return data

    def receive(self):
        size = struct.unpack(">I", self._read(4))[0]
        return Packet(self._read(size - 4))

    def call(self, procedure, payload=b"", program=REMOTE, version=1):
        """Call and wait for the reply to exactly this call."""
        serial = self.send(procedure, payload, program, version)
        reply = self.receive()
        want = (program, version, procedure, REPLY, serial)
        got = (reply.program, reply.version, reply.procedure, reply.type, reply.serial)
        if got != want:
            raise AssertionError(f"header of the reply: got {got}, want {want}")
        return reply

    def open(self, name="qemu:///session", flags=0):
        """What every client does first. Raises what the server answers if it is an error."""
        for reply in (self.call(AUTH_LIST),
                      self.call(CONNECT_OPEN, optional(string(name)) + u32(flags))):
            if reply.error:
                raise AssertionError(f"not opened: {reply.error}")
        return self


def main():
    path, procedure = sys.argv[1:]
    with Client(path) as client:
        reply = client.open().call(int(procedure))
    print(reply)
    return 1 if reply.error else 0


if __name__ == "__main__":
    sys.exit(main())
