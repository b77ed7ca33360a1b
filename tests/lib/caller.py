# SPDX-License-Identifier: LGPL-2.1-or-later
"""caller.py: a connection that makes many calls, several at a time, and keeps everything that it hears.

Each packet that comes is handed to `scan` with the bytes of the call that it answers (none for events
and streams): whoever must not see something looks there.
"""
import os
import select
import socket
import struct

import rpc
import table

REPLY_WITH_FDS = 5
AT_ONCE = 16  # calls


class Caller(rpc.Client):
    def __init__(self, path, scan=None, timeout=60):
        super().__init__(path, timeout)
        self.scan = scan or (lambda packet, sent: None)
        self.data = b""
        self.sent = {}     # serial: bytes of a call that waits
        self.replies = {}  # serial: packet
        self.events = []   # packets
        self.streams = {}  # serial: packets
        self.n_calls = 0

    def _take(self, wait):
        """Take what has come; False when nothing has."""
        if not wait and not select.select([self.socket], [], [], 0)[0]:
            return False
        try:
            data, ancillary, _, _ = self.socket.recvmsg(1 << 18, socket.CMSG_SPACE(64 * 4))
        except ConnectionResetError as error:
            raise rpc.Ended("reset") from error
        for level, kind, fds in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                for (fd,) in struct.iter_unpack("i", fds):
                    os.close(fd)
        if not data:
            raise rpc.Ended("end of file")
        self.data += data
        return True

    def _sort(self):
        at = 0
        while len(self.data) - at >= 4:
            size = struct.unpack_from(">I", self.data, at)[0]
            more = 0
            if size < 28:
                raise AssertionError(f"a packet of {size} bytes")
            if len(self.data) - at < size:
                break
            packet = rpc.Packet(self.data[at + 4:at + size])
            if packet.type == REPLY_WITH_FDS:
                more = struct.unpack_from(">I", packet.payload)[0]
                packet.payload = packet.payload[4:]
            if len(self.data) - at < size + more:
                break
            at += size + more
            self._hear(packet)
        self.data = self.data[at:]

    def _hear(self, packet):
        if packet.type in (rpc.REPLY, REPLY_WITH_FDS):
            self.scan(packet, self.sent.pop(packet.serial))
            self.replies[packet.serial] = packet
            return
        self.scan(packet, b"")
        if packet.type == rpc.MESSAGE:
            self.events.append(packet)
        else:
            self.streams.setdefault(packet.serial, []).append(packet)

    def listen(self):
        """What has come by itself."""
        while self._take(wait=False):
            pass
        self._sort()

    def begin(self, row, payload):
        serial = self.send(row.number, payload, row.program)
        self.sent[serial] = payload
        self.n_calls += 1
        return serial

    def answer(self, serial):
        while serial not in self.replies:
            self._take(wait=True)
            self._sort()
        return self.replies.pop(serial)

    def ask(self, name, **values):
        """One call: what it returns, or raises what it was answered."""
        row = table.by_name(name)
        reply = self.answer(self.begin(row, row.encode(values)))
        if reply.error:
            raise AssertionError(f"{name}: {reply.error}")
        return row.decode_ret(reply.payload)

    def ask_many(self, calls):
        """[(row, payload)]: their answers, in order."""
        for at in range(0, len(calls), AT_ONCE):
            serials = [self.begin(row, payload) for row, payload in calls[at:at + AT_ONCE]]
            for serial in serials:
                yield self.answer(serial)

    def end_stream(self, serial, row):
        """Abort what a call has opened."""
        header = struct.pack(">IIIiIII", 28, row.program, 1, row.number, rpc.STREAM, serial, rpc.ERROR)
        self.socket.sendall(header)
