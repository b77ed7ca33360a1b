# SPDX-License-Identifier: LGPL-2.1-or-later
"""puppet.py: a child of the broker's that says whatever it is told to say.

Runs in the place of a worker or a view, with its rights and none besides. The first client that it is
passed, and that is none of a view's, pulls its strings: each of her messages (a length of 32 bits,
then as many bytes) is Python, and repr(result) is the answer. The code finds here

    say()     a message on the link
    heard     what the broker has said, oldest first: (type, serial, err, body, descriptors)
    conns     the other connections that were passed: (body of CONN_PASS, socket)
    on_conn   a function that takes these instead, or None
    watch     {socket: function} called when there is something to read
    hear()    wait for a message of that type

While there is a file "mute" beside this program it does not even say HELLO.
"""
import array
import os
import select
import socket
import struct

HEADER = "=HHHHIi"
VERSION = 1
HELLO, CONN_PASS, CONN_TAKEN, STOP = 2, 4, 5, 10
CONN_PASS_HEAD = "=QIIIIBBB5x64s64s"

link = socket.socket(fileno=3)
master = None
heard, conns, watch = [], [], {}
on_conn = None
passed = None  # the body of the master's CONN_PASS
told = {}      # what code wants to keep from one message to the next


def raw(data, fds=()):
    """These bytes, with these descriptors. Returns 0 or the errno."""
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    try:
        link.sendmsg([data], control, socket.MSG_NOSIGNAL)
    except OSError as error:
        return error.errno
    return 0


def say(kind, body=b"", serial=0, err=0, fds=(), size=None, n_fds=None, version=VERSION):
    head = struct.pack(HEADER, version, kind, len(body) if size is None else size,
                       len(fds) if n_fds is None else n_fds, serial, err)
    return raw(head + body, fds)


def _take(data, fds):
    global master, passed
    _, kind, _, _, serial, err = struct.unpack_from(HEADER, data)
    body = data[16:]
    if kind != CONN_PASS:
        heard.append((kind, serial, err, body, fds))
        return
    sock = socket.socket(fileno=fds[0])
    say(CONN_TAKEN, body[:8], serial)
    if master is None and struct.unpack_from(CONN_PASS_HEAD, body)[6] == 1:
        master, passed = sock, body
        master.setblocking(True)
    elif on_conn:
        on_conn(body, sock)
    else:
        conns.append((body, sock))


def receive(wait):
    """One message, if there is one; False: the link is over."""
    if not select.select([link], [], [], wait)[0]:
        return True
    try:
        data, control, _, _ = link.recvmsg(512, socket.CMSG_SPACE(4 * 8))
    except ConnectionResetError:
        return False
    fds = [fd for _, _, part in control for (fd,) in struct.iter_unpack("i", part)]
    if not data:
        return False
    _take(data, fds)
    return True


def hear(kind, seconds=60):
    """The next that is not known yet of that type; what came before it stays."""
    while True:
        for index, message in enumerate(heard):
            if message[0] == kind:
                return heard.pop(index)
        if not select.select([link], [], [], seconds)[0] or not receive(0):
            raise AssertionError(f"no message {kind}; there is {[m[:3] for m in heard]}")


def _read(size):
    data = b""
    while len(data) < size:
        piece = master.recv(size - len(data))
        if not piece:
            os._exit(0)  # its master has left
        data += piece
    return data


def _obey():
    code = _read(struct.unpack(">I", _read(4))[0]).decode()
    scope = globals()
    scope["result"] = None
    try:
        exec(code, scope)
        answer = repr(("ok", scope["result"]))
    except Exception as error:  # told to who pulls the strings
        answer = repr(("error", repr(error)))
    data = answer.encode()
    master.sendall(struct.pack(">I", len(data)) + data)


def main():
    if os.path.exists(os.path.dirname(os.path.abspath(__file__)) + "/mute"):
        link.setblocking(True)
        while link.recv(1):
            pass
        return
    say(HELLO, struct.pack("=II", os.getpid(), 0))
    while True:
        sources = [link, *watch] + ([master] if master else [])
        for source in select.select(sources, [], [])[0]:
            if source is link:
                if not receive(0):
                    return
            elif source is master:
                _obey()
            elif source in watch:
                watch[source](source)


main()
