# SPDX-License-Identifier: LGPL-2.1-or-later
"""crowd.py: processes in a control group that are as many, or take as much, as they can."""
import contextlib
import json
import os
import signal
import subprocess
import sys

_INTO = """
import errno, json, os, sys, threading
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
"""
_SPIN = _INTO + """
for _ in range(3):
    os.fork()
while True:
    pass
"""
# Threads are tasks as processes are, and take less memory: a fork is what is asked for in the end.
_MULTIPLY = _INTO + """
threading.stack_size(65536)
stop, threads = threading.Event(), 0
try:
    while True:
        threading.Thread(target=stop.wait, daemon=True).start()
        threads += 1
except RuntimeError:
    pass
try:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    refused = None
except OSError as error:
    refused = errno.errorcode[error.errno]
print(json.dumps({"tasks": threads + 1, "fork": refused}), flush=True)
sys.stdin.read()
os._exit(0)
"""


@contextlib.contextmanager
def spinning(*leaves):
    """In each of these are eight processes who take all that they can get."""
    # pylint: disable-next=consider-using-with
    children = [subprocess.Popen([sys.executable, "-c", _SPIN, place], start_new_session=True) for place in leaves]
    try:
        yield
    finally:
        for child in children:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


@contextlib.contextmanager
def multiplied(leaf):
    """In it is a process that has made tasks until it got no more: how many, and what a fork then said."""
    with subprocess.Popen([sys.executable, "-c", _MULTIPLY, leaf], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as child:
        try:
            yield json.loads(child.stdout.readline() or "null")
        finally:
            child.kill()


def forks(leaf):
    """Can a process in it make another?"""
    return subprocess.run([sys.executable, "-c", _INTO + "os._exit(0) if os.fork() == 0 else os.wait()", leaf],
                          check=False).returncode == 0


def counts(path):
    """A file of lines "NAME NUMBER"."""
    with open(path, encoding="ascii") as file:
        return {key: int(value) for key, value in (line.split() for line in file)}
