# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: stock virt-viewer shows the screen of a user's machine: over a descriptor (--attach), and over the
# socket that the machine's definition asks for; through a view, to who has `console` over another's machine,
# and not to who has `power`; virt-manager connects and lists it.
import os
import shutil
import subprocess

import host
import tap
import vm

SCREEN = "<graphics type='vnc'><listen type='socket'/></graphics><video><model type='vga'/></video>"
NEEDED = ("Xvfb", "dbus-run-session")
PATIENCE_S = 60
SYSTEM = host.URI.replace("///session", "///system")
POLICY = ("allow everyone manage own\n"
          "allow user bob console user alice\n"
          "allow user carol power user alice\n")
# virt-manager takes a URI that names its transport for one of another host, which has no screens to show.
URI = host.URI.replace("qemu+unix", "qemu")


class Client:
    """A program with a screen of its own, and its words."""
    number = 0

    def __init__(self, user, *command):
        Client.number += 1
        self.child = subprocess.Popen(
            host.command_as(user, "env", "DISPLAY=:77", "NO_AT_BRIDGE=1", "GSETTINGS_BACKEND=memory",
                            "dbus-run-session", "--", *command),
            text=True, errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True)
        self.log = host.Log(self.child.stdout, f"{host.OUT}/client.{Client.number}")

    def close(self):
        os.killpg(self.child.pid, 15)
        self.child.wait(60)
        # Procedures that are not there yet cost virt-manager no more than a word in its log.
        tap.equal(self.log.find("CRITICAL|(Error|Exception): (?!.*unknown procedure)"), [], "what it should not say")


def shown(*words, user="alice", uri=host.URI):
    """Until virt-viewer has the guest's screen; whether by a descriptor."""
    client = Client(user, "virt-viewer", "--debug", "-c", uri, *words)
    try:
        client.log.wait("Guest .* has a vnc display", PATIENCE_S)
        # The size comes from the guest's screen.
        client.log.wait(r"desktop resize \d+x\d+", PATIENCE_S)
        client.log.wait("notebook show display", PATIENCE_S)
        return bool(client.log.find(r"open connection callback fd=\d"))
    finally:
        client.close()


missing = [name for name in NEEDED if not shutil.which(name)]
if missing or not (shutil.which("virt-viewer") or shutil.which("virt-manager")):
    tap.skip_all(f"{', '.join(missing) or 'virt-viewer and virt-manager'}: not installed")
os.makedirs("/etc/qemud", exist_ok=True)
with open("/etc/qemud/policy.conf", "w", encoding="utf-8") as file:
    file.write(POLICY)
host.start_broker()
vm.define("alice", "screen", 1, SCREEN)
host.virsh("alice", "start", "screen")
screen = subprocess.Popen(["Xvfb", ":77", "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-ac"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
host.run_as("alice", "timeout", "20", "sh", "-c", "until test -S /tmp/.X11-unix/X77; do sleep 0.1; done")

if shutil.which("virt-viewer"):
    @tap.test("virt-viewer is given a descriptor of the screen")
    def _():
        tap.true(shown("--attach", "screen"), "a descriptor has come")

    @tap.test("virt-viewer connects to the socket of the screen")
    def _():
        tap.true(not shown("screen"), "no descriptor has come")

    @tap.test("virt-viewer is given a descriptor of another's screen, through a view, with console")
    def _():
        tap.true(shown("--attach", "alice:screen", user="bob", uri=SYSTEM), "a descriptor has come")

    @tap.test("virt-viewer is told that it is not, with power")
    def _():
        client = Client("carol", "virt-viewer", "--debug", "-c", SYSTEM, "--attach", "alice:screen")
        try:
            client.log.wait("policy prevents", PATIENCE_S)
        finally:
            client.close()
else:
    tap.skip("virt-viewer", "virt-viewer is not installed")

if shutil.which("virt-manager"):
    @tap.test("virt-manager connects, and lists the machine")
    def _():
        client = Client("alice", "virt-manager", "--no-fork", "--debug", "-c", URI, "--show-domain-console", "screen")
        try:
            client.log.wait("conn=.*changed to state=Active", PATIENCE_S)
            client.log.wait("domain=screen|name=screen|<vmmDomain name=screen", PATIENCE_S)
            client.log.wait("Viewer connected", PATIENCE_S)
        finally:
            client.close()
else:
    tap.skip("virt-manager", "virt-manager is not installed")

screen.terminate()
screen.wait(20)
host.virsh("alice", "destroy", "screen")
host.finish()
