# SPDX-License-Identifier: LGPL-2.1-or-later
"""stand_in.py: programs of ours replaced, for some, by puppets of the test's (puppet.py)."""
import ast
import os
import shutil
import socket
import struct
import subprocess

import host
import rpc

PLACE = "/usr/lib/qemud-test"  # where a view, which has nothing but libraries, finds it too
HERE = os.path.dirname(os.path.abspath(__file__))


def _make_place():
    if os.path.isdir(PLACE):
        return
    for name in ("upper", "work"):
        os.makedirs(f"/srv/.over/usr-lib/{name}")
    over = "lowerdir=/usr/lib,upperdir=/srv/.over/usr-lib/upper,workdir=/srv/.over/usr-lib/work"
    subprocess.run(["mount", "-t", "overlay", "-o", over, "overlay", "/usr/lib"], check=True)
    os.mkdir(PLACE)
    shutil.copy(os.path.realpath("/usr/bin/python3"), f"{PLACE}/python3")
    shutil.copy(f"{HERE}/puppet.py", PLACE)
    os.chmod(f"{PLACE}/puppet.py", 0o644)


def install(program, who):
    """In the place of that program, for whom the C expression says: `getuid() == 2002`, or about its
    first word, `first`. Before the broker starts."""
    _make_place()
    ours = f"/srv/qemud/libexec/{program}"
    if not os.path.exists(f"{PLACE}/{program}"):
        shutil.copy(ours, PLACE)
        os.chmod(f"{PLACE}/{program}", 0o711)
    subprocess.run(["cc", "-O", "-o", f"{ours}.new", f"-DPLACE=\"{PLACE}\"", f"-DPROGRAM=\"{program}\"",
                    f"-DSTANDS_IN=({who})", f"{HERE}/stand_in.c"], check=True)
    os.chmod(f"{ours}.new", 0o711)
    os.rename(f"{ours}.new", ours)


class Over(Exception):
    """The puppet is there no more."""


class Strings:
    """What somebody has in hand who is passed to a puppet."""

    def __init__(self, user, path=rpc.SOCKET):
        with host.identity(user):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(path)
        self.socket.settimeout(60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def _read(self, size):
        data = b""
        while len(data) < size:
            try:
                piece = self.socket.recv(size - len(data))
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise Over
            data += piece
        return data

    def run(self, code):
        """Have it do that; returns `result`, raises Over when that was its end."""
        data = code.encode()
        try:
            self.socket.sendall(struct.pack(">I", len(data)) + data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Over from error
        how, result = ast.literal_eval(self._read(struct.unpack(">I", self._read(4))[0]).decode())
        if how != "ok":
            raise AssertionError(f"{result} of {code}")
        return result

    def wait_over(self, seconds=60):
        """Until it has ended: every copy of its end of this connection is closed."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass
        self.close()
