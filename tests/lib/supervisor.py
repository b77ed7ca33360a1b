# SPDX-License-Identifier: LGPL-2.1-or-later
"""supervisor.py: answers for the system calls of a program and of all that it starts: each happens, but one
that fails, before which its process is killed, or which waits until a test has done something else.

The program enters a filter before its exec, by which the kernel asks here first (seccomp_unotify(2)):
that goes before what its own lists allow, takes nothing's place and needs no tracer. So a process's
list of system calls, who may trace it and no_new_privs are what they are without.

    supervisor = Supervisor(["recvmsg"])          # or all, which takes its time
    subprocess.Popen(..., preexec_fn=supervisor.enter)
    supervisor.serve()
    fault = supervisor.fail("recvmsg", 3, "ENOMEM", lambda pid, program: pid == broker.pid)
    ...
    supervisor.forget()
    fault.happened

What a process changes outside itself it changes by system calls: held before each of those in turn, it
has been everywhere, and nobody sees a difference.
"""
import contextlib
import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import threading

# seccomp.h of libseccomp.
_ACT_ALLOW, _ACT_NOTIFY = 0x7fff0000, 0x7fc00000
_NO_NEW_PRIVS = 3  # enum scmp_filter_attr
# linux/seccomp.h: the ioctls, struct seccomp_notif (as far as the arguments), seccomp_notif_resp.
_RECEIVE, _SEND = 0xc0502100, 0xc0182101
_NOTIF, _NOTIF_SIZE = struct.Struct("=QIIiIQ6Q"), 80
_ANSWER = struct.Struct("=QqiI")
_CONTINUE = 1
_CHILD = struct.Struct("=ii")  # which process, and which descriptor it asks by
_PIDFD_GETFD = 438
# Not asked for: a timer's signal would interrupt what waits for an answer, and the timer's own call.
_UNASKED = ("setitimer", "close", "rt_sigreturn")
_EPOLL = {1: "add", 2: "del", 3: "mod"}
_NATIVE = 0  # enum scmp_arch

_lib = ctypes.CDLL("libseccomp.so.2")
_lib.seccomp_init.restype = ctypes.c_void_p
_lib.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p


def _take(pid, number):
    """That process's listener, as soon as it has one; None if it has ended."""
    with open(os.pidfd_open(pid), "rb", buffering=0) as process:
        ended = select.poll()
        ended.register(process, select.POLLIN)
        while not ended.poll(1):
            fd = _lib.syscall(_PIDFD_GETFD, process.fileno(), number, 0)
            if fd < 0:
                continue
            if os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:seccomp notify":
                return fd
            os.close(fd)
    return None


def _names():
    """{number: name} of all system calls."""
    found = {}
    for number in range(1024):
        name = _lib.seccomp_syscall_resolve_num_arch(_NATIVE, number)
        if name:
            found[number] = ctypes.string_at(name).decode()
    return found


NAMES = _names()


class Fault:
    def __init__(self, call, when, what, whose):
        self.call, self.when, self.what, self.whose = call, when, what, whose
        self.counts = {}
        self.happened = False
        self.held = None  # the number of the question that is not answered yet
        self.begun = threading.Event()

    def wait(self, until):
        """Until a process is held, or until() is true: it will not come that far. Is it held?"""
        while not self.begun.wait(0.05) and not until():
            pass
        return self.begun.is_set()


class Supervisor:
    def __init__(self, calls=None):
        """calls: their names, or all; those of epoll_ctl are told apart: epoll_ctl:add."""
        names = {call.split(":")[0] for call in calls} if calls else set(NAMES.values()) - set(_UNASKED)
        self.numbers = [n for n, name in NAMES.items() if name in names]
        self.here, self.there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.fd = None
        self.fault = None
        self.calls = None  # [(pid, program, call)] while they are recorded
        self._lock = threading.Lock()

    # --- in the program, before it is one -----------------------------------------------------

    def enter(self):
        """Has the kernel ask for this process from now on. What it asks by is taken from here, and not sent:
        whatever this process does after the load, if only to get memory, waits for an answer already."""
        context = ctypes.c_void_p(_lib.seccomp_init(ctypes.c_uint32(_ACT_ALLOW)))
        _check(_lib.seccomp_attr_set(context, _NO_NEW_PRIVS, ctypes.c_uint32(0)))
        for number in self.numbers:
            _check(_lib.seccomp_rule_add_array(context, ctypes.c_uint32(_ACT_NOTIFY), number, 0, None))
        # The lowest that is free, which the load is given, too.
        listener = os.dup(self.there.fileno())
        os.close(listener)
        self.there.send(_CHILD.pack(os.getpid(), listener))
        _check(_lib.seccomp_load(context))
        self.there.recv(1)

    # --- in the test --------------------------------------------------------------------------

    def serve(self):
        """To be called as the program is being started."""
        threading.Thread(target=self._run, daemon=True).start()

    def record(self):
        """From now on what they call is kept, until forget()."""
        with self._lock:
            self.calls = []

    def fail(self, call, when, what, whose):
        """Once: the when-th such call, counted from now on and for each process by itself, fails with what,
        an error's name; or "KILL" is what its process gets. whose(pid, program): is it about this one?"""
        with self._lock:
            self.fault = Fault(call, when, what, whose)
            return self.fault

    def hold(self, call, when, whose):
        """The same, but that it waits, until forget()."""
        return self.fail(call, when, "HOLD", whose)

    def forget(self):
        """No more of any of these. Returns the calls."""
        with self._lock:
            calls, fault, self.fault, self.calls = self.calls, self.fault, None, None
        if fault and fault.held is not None:
            self._answer(fault.held, 0)
        return calls

    def _run(self):
        self.fd = _take(*_CHILD.unpack(self.here.recv(_CHILD.size)))
        self.here.send(b".")
        self.here.close()
        self.there.close()
        if self.fd is None:
            return
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        while not any(events & select.POLLHUP for _, events in poll.poll()):
            asked = bytearray(_NOTIF_SIZE)
            try:
                fcntl.ioctl(self.fd, _RECEIVE, asked)
            except OSError as err:
                # It is gone, or had a signal to handle first.
                if err.errno not in (errno.EINTR, errno.ENOENT):
                    raise
                continue
            number, pid, _, call, _, _, *args = _NOTIF.unpack(asked)
            fault = self._note(number, pid, NAMES[call], args)
            if not fault:
                self._answer(number, 0)
            elif fault.what == "HOLD":
                fault.begun.set()
            elif fault.what == "KILL":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    fault.happened = True
            else:
                fault.happened = self._answer(number, getattr(errno, fault.what))
        os.close(self.fd)

    def _answer(self, number, error):
        """Did it come in time?"""
        try:
            fcntl.ioctl(self.fd, _SEND, _ANSWER.pack(number, 0, -error, 0 if error else _CONTINUE))
        except OSError as err:
            if err.errno not in (errno.EINTR, errno.ENOENT):
                raise
            return False
        return True

    def _note(self, number, pid, call, args):
        """The fault, if it is this call's."""
        if call == "epoll_ctl":
            call += ":" + _EPOLL[args[1]]
        with self._lock:
            if self.calls is not None:
                self.calls.append((pid, _program(pid), call))
            fault = self.fault
            if not fault or fault.happened or call != fault.call or not fault.whose(pid, _program(pid)):
                return None
            fault.counts[pid] = fault.counts.get(pid, 0) + 1
            if fault.counts[pid] != fault.when:
                return None
            if fault.what == "HOLD":
                fault.held = number
            return fault


def _program(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return None


def _check(result):
    if result < 0:
        raise OSError(-result, os.strerror(-result))
