# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirtd.py: libvirt's own daemon, private, as alice's session daemon: what qemud is compared with.

It ends with the throw-away host.
"""
import os
import shutil
import signal

import host
import proc
import tap

PROGRAM = shutil.which("libvirtd")
RUN = "/tmp/libvirt"
URI = f"qemu+unix:///session?socket={RUN}/libvirt-sock"


def start():
    os.makedirs(RUN, exist_ok=True)
    with open(f"{RUN}/conf", "w", encoding="utf-8") as file:
        file.write(f'unix_sock_dir = "{RUN}"\nauth_unix_rw = "none"\n')
    shutil.chown(RUN, "alice", "alice")
    # It goes to the background when it serves.
    started = host.run_as("alice", "env", f"XDG_RUNTIME_DIR={RUN}", "PATH=/usr/sbin:/usr/bin",
                          PROGRAM, "--daemon", "--config", f"{RUN}/conf", "--pid-file", f"{RUN}/pid")
    tap.equal(started.returncode, 0, f"libvirtd ({started.stderr})")


def stop():
    """Ends it; machines that run go on."""
    with open(f"{RUN}/pid", encoding="utf-8") as file:
        pid = int(file.read())
    end = proc.End(proc.Process(pid))
    os.kill(pid, signal.SIGTERM)
    end.wait(60)
