# SPDX-License-Identifier: LGPL-2.1-or-later
"""system_log.py: who listens at /dev/log of a throw-away host."""
import os
import socket
import subprocess
import threading

import tap


class SystemLog:
    """The heads of the audit log that are told. Once a test, before its brokers."""

    def __init__(self):
        self.heads = []
        self.changed = threading.Condition()
        # /dev is the machine's own: what is made there is in this host alone.
        os.makedirs("/srv/dev")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "dev", "/srv/dev"], check=True)
        for name in ("null", "zero", "urandom", "random", "tty", "full"):
            subprocess.run(["cp", "-a", f"/dev/{name}", "/srv/dev/"], check=True)
        for name in ("fd", "stdin", "stdout", "stderr"):
            os.symlink({"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
                        "stderr": "/proc/self/fd/2"}[name], f"/srv/dev/{name}")
        for name in ("pts", "shm"):
            os.mkdir(f"/srv/dev/{name}", 0o755)
            subprocess.run(["mount", "--bind", f"/dev/{name}", f"/srv/dev/{name}"], check=True)
        if os.path.exists("/dev/kvm"):
            subprocess.run(["cp", "-a", "/dev/kvm", "/srv/dev/"], check=True)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("/srv/dev/log")
        os.chmod("/srv/dev/log", 0o666)
        subprocess.run(["mount", "--rbind", "/srv/dev", "/dev"], check=True)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            text = self.sock.recv(4096).decode()
            with self.changed:
                self.heads.append(text)
                self.changed.notify_all()

    def wait(self, words, seconds=60):
        with self.changed:
            tap.true(self.changed.wait_for(lambda: any(words in head for head in self.heads), seconds),
                     f"a head with {words!r} in {self.heads}")

    def wait_for(self, condition, what, seconds=60):
        """Until the numbers that were told are as is asked for."""
        def numbers():
            return [int(head.split("seq=")[1].split()[0]) for head in self.heads]
        with self.changed:
            tap.true(self.changed.wait_for(lambda: condition(numbers()), seconds), f"{what} in {numbers()}")

    def write(self, path):
        """What journalctl would say."""
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(self.heads) + "\n")
