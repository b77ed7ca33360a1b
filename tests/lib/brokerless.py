# SPDX-License-Identifier: LGPL-2.1-or-later
"""brokerless.py: a session of alice's without a broker, from start to end."""
import signal
import subprocess

import host

HOME = "/home/alice/.qemud"
SOCK, SOCK_RO = f"{HOME}/sock", f"{HOME}/sock-ro"
URI = f"qemu+unix:///session?socket={SOCK}"
URI_RO = f"qemu+unix:///session?socket={SOCK_RO}"


class Session:
    """`qemud-worker --session` as alice, from start to end; or qemud-session itself."""

    number = 0
    all = []

    def __init__(self, wait=True, root=None, words=("qemud-worker", "--session")):
        Session.number += 1
        command = ["chroot", root] if root else []
        command += host.command_as("alice", f"/srv/qemud/libexec/{words[0]}", *words[1:], "--log", "debug")
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, text=True, errors="backslashreplace")
        self.log = host.Log(self.child.stderr, f"{host.OUT}/session.{Session.number}.log")
        Session.all.append(self)
        if wait:
            self.log.wait("info: ready$")

    def stop(self, signo=signal.SIGTERM):
        self.child.send_signal(signo)
        return self.child.wait(60)
