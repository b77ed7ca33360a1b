# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: virsh's commands print, say and exit with the same as with libvirt's own daemon, but for what
# tests/golden/commands/DEVIATIONS lists; on a read-only connection too.
# test: timeout=800 network once
#
# The scenes in tests/golden/commands have libvirtd's answers, and qemud's where they differ (lib/scene.py).
# qemud is held to them, and so is libvirtd where it is installed. A difference without a reason is a
# failure, and so is a reason without a difference. What was answered this time is left in OUT/commands:
#
#   REGENERATE=1 tests/run full command-differential
#   cp build/artefacts/e2e/command-differential/commands/*.scene tests/golden/commands
#
# SCENE=NAME runs that one alone.
import os
import shlex
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import host
import libvirtd
import scene as scenes
import tap
import vm

GOLDEN = "/srv/qemud/tests/golden/commands"
FOLDER = "/tmp/definitions"
UUID = "11111111-2222-3333-4444-55555555555"
REGENERATE = os.environ.get("REGENERATE", "") not in ("", "0")
# Sanitizers tell nothing about libvirtd.
WITH_LIBVIRTD = bool(libvirtd.PROGRAM) and not host.SANITIZED
# Scenes of commands that wait, and have nothing to do with each other.
SIDE_BY_SIDE = ("event",)
# The command that tells what a client heard while those before it ran.
EVENTS = "(events)"


def definition(name, number, more="", devices="", vcpus="<vcpu current='1'>2</vcpu>"):
    return (f"<domain type='qemu'><name>{name}</name><uuid>{UUID}{number}</uuid>{more}"
            "<memory unit='KiB'>65536</memory><currentMemory>32768</currentMemory>"
            f"{vcpus}<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>"
            f"<devices>{devices}</devices></domain>")


def disk(path, target="vda", kind="raw"):
    return (f"<disk type='file' device='disk'><driver name='qemu' type='{kind}'/><source file='{path}'/>"
            f"<target dev='{target}' bus='virtio'/><readonly/></disk>")


def drive(name, target, bus, device="disk", kind="raw", more=""):
    source = f"<source file='{FOLDER}/{name}'/>" if name else ""
    return (f"<disk type='file' device='{device}'><driver name='qemu' type='{kind}'/>{source}"
            f"<target dev='{target}' bus='{bus}'/>{more}</disk>")


# One of each kind.
DRIVES = "".join((
    drive("chain.qcow2", "vda", "virtio", kind="qcow2"), drive("own-1.img", "sda", "scsi"),
    drive("own-2.img", "sdb", "usb"), drive("own-3.img", "hda", "ide"), drive(None, "hdc", "ide", "cdrom"),
    drive("raw.img", "sdc", "sata", "cdrom", more="<readonly/>"), drive(None, "sdd", "scsi", "cdrom"),
    drive("own-4.img", "fda", "fdc", "floppy"), drive(None, "fdb", "fdc", "floppy"),
    "<controller type='scsi' model='virtio-scsi'/>"))
SCREEN = ("<graphics type='vnc' passwd='hush'{more}</graphics><video><model type='vga'/></video>")
# What stands in the folder that virsh runs in, each as NAME.xml.
FILES = {
    "a": definition("a", 0, "<title>A title</title><description>two\nlines &amp; more</description>"
                    "<metadata><x:y xmlns:x='urn:x' z='1'><x:w/></x:y></metadata>"),
    "again": definition("a", 0, "<title>Another</title>"), "b": definition("b", 1),
    "same_name": definition("b", 2), "same_uuid": definition("c", 1), "both": definition("a", 1),
    "number": definition("12", 3), "disk": definition("disk", 4, devices=disk("/nonexistent/disk")),
    "s": definition("s", 5, devices=disk(f"{FOLDER}/raw.img") + disk(f"{FOLDER}/qcow2.img", "vdb", "qcow2")),
    "t": definition("t", 6, devices="<memballoon model='none'/>"),
    "lost": definition("lost", 7, devices=disk("/nonexistent/disk")),
    "vnc": definition("vnc", 8, devices="<graphics type='vnc'><listen type='socket'/></graphics>"
                      "<video><model type='vga'/></video><serial type='pty'/>"),
    "screen": definition("screen", "b", devices=SCREEN.format(more=">")),
    "shown": definition("shown", "c", devices=SCREEN.format(more="><listen type='none'/>")),
    "net": definition("net", 9, devices="".join(
        f"<interface type='user'><mac address='52:54:00:00:00:0{n}'/><model type='virtio'/>{more}</interface>"
        for n, more in ((1, ""), (2, "<link state='down'/>")))),
    "agent": definition("agent", "a", devices="<channel type='unix'><target type='virtio' "
                        "name='org.qemu.guest_agent.0'/></channel>"),
    "drives": definition("drives", "d", "<iothreads>2</iothreads>", DRIVES),
    "vcpus": definition("vcpus", "e", vcpus="<vcpu>4</vcpu><vcpus><vcpu id='0' enabled='yes'/>"
                        "<vcpu id='2' enabled='yes' hotpluggable='yes'/><vcpu id='3' enabled='no'/></vcpus>"),
    "fixed": definition("fixed", 3, vcpus="<vcpu>2</vcpu>"),
    "sockets": definition("sockets", 2, "<cpu><topology sockets='2' cores='2' threads='1'/></cpu>",
                          vcpus="<vcpu current='2'>4</vcpu>"),
    "cells": definition("cells", 1, "<cpu><numa><cell id='0' cpus='0-1' memory='32768'/>"
                        "<cell id='1' cpus='2-3' memory='32768'/></numa></cpu>", vcpus="<vcpu>4</vcpu>"),
    "last": definition("last", "f"), "torn": "<domain", "nothing": "<domain/>",
}
# What an editor does to a definition.
EDITS = {"title": "s/Another/Edited/", "memory": "s/65536/much/", "name": "s/<name>a</<name>aa</",
         "words": "s/new/newer/", "z": "s/t/u/"}


def prepare():
    os.mkdir(FOLDER)
    with open(f"{FOLDER}/raw.img", "wb") as file:
        file.write(b"something" * 1000)
        file.truncate(1 << 20)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{FOLDER}/qcow2.img", "8M"], check=True)
    subprocess.run(f"cd {FOLDER} && qemu-img create -q -f qcow2 base.qcow2 4M && "
                   "qemu-img create -q -f qcow2 -F qcow2 -b base.qcow2 chain.qcow2 && "
                   "for i in 1 2 3 4; do truncate -s ${i}M own-$i.img; done && chown alice: own-* chain.qcow2",
                   shell=True, check=True)
    for name, text in FILES.items():
        with open(f"{FOLDER}/{name}.xml", "w", encoding="utf-8") as file:
            file.write(text)
    for name, edit in EDITS.items():
        with open(f"{FOLDER}/edit-{name}", "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nsed -i '{edit}' \"$1\"\n")
        os.chmod(f"{FOLDER}/edit-{name}", 0o755)
    os.chown(FOLDER, host.UID["alice"], host.UID["alice"])


def virsh(uris, command):
    words = shlex.split(command)
    variables = [words.pop(0)] if words[0].startswith("EDITOR=") else []
    uri = uris[words[0] == "-r"]
    end = time.monotonic() + 60
    while True:
        result = host.run_as("alice", "env", "-C", FOLDER, "TERM=dumb", *variables, "virsh", "-c", uri, *words)
        # As long as libvirtd has only heard that a QEMU is about to end.
        if "domstate" not in words or "in shutdown" not in result.stdout or time.monotonic() > end:
            break
        time.sleep(0.02)
    return scenes.Answer(scenes.masked(result.stdout), scenes.masked(result.stderr), result.returncode)


def heard(watcher, uris):
    """The events of each domain in their order, when a last one tells that all have come."""
    virsh(uris, "define last.xml")
    watcher.log.wait("^last 0 0$")
    told = {}
    for line in watcher.log.lines:
        name, _, event = line.partition(" ")
        event = vm.WORDS.get(event, event)
        # QEMU says that somebody sent it SIGTERM: libvirtd, as the first step of a destroy.
        if name not in ("ready", "last") and event != "shutdown host":
            told.setdefault(name, []).append(event)
    return scenes.Answer("".join(f"{name}: {', '.join(told[name])}\n" for name in sorted(told)))


def play(scene, uris):
    """The answers to a scene's commands; what they leave is removed."""
    watcher = vm.Watcher("alice", uris[1]) if any(s.command == EVENTS for s in scene.steps) else None
    try:
        with ThreadPoolExecutor(8 if scene.name in SIDE_BY_SIDE else 1) as pool:
            return list(pool.map(lambda step: heard(watcher, uris) if step.command == EVENTS
                                 else virsh(uris, step.command), scene.steps))
    finally:
        if watcher:
            watcher.close()
        for name in virsh(uris, "list --all --name").out.split():
            virsh(uris, f"destroy {name}")
            virsh(uris, f"undefine {name}")


def compare(steps, answers, wanted):
    """Fails with all commands that answered otherwise."""
    wrong = []
    for step, answer, want in zip(steps, answers, wanted):
        if answer != want:
            wrong.append(step.command)
            tap.note(f"$ {step.command}\nwanted:\n{want}got:\n{answer}")
    tap.equal(wrong, [], "commands that are answered otherwise")


SCENES = [s for s in scenes.load(GOLDEN) if os.environ.get("SCENE", s.name) == s.name]
REASONS = scenes.deviations(GOLDEN)
prepare()

# Each scene begins with daemons that have just begun: ids count from 1.
for scene in SCENES:
    if WITH_LIBVIRTD:
        @tap.test(f"{scene.name}: libvirtd answers {len(scene.steps)} commands as is kept of it")
        def _(scene=scene):
            libvirtd.start()
            try:
                answers = play(scene, (libvirtd.URI, libvirtd.URI))
            finally:
                libvirtd.stop()
            if REGENERATE:
                for step, answer in zip(scene.steps, answers):
                    step.libvirt = answer
            compare(scene.steps, answers, [step.libvirt for step in scene.steps])
    broker = host.start_broker()

    @tap.test(f"{scene.name}: qemud answers {len(scene.steps)} commands as libvirtd, or as is listed")
    def _(scene=scene):
        answers = play(scene, (host.URI, host.URI_RO))
        if REGENERATE:
            for step, answer in zip(scene.steps, answers):
                step.qemud = None if answer == step.libvirt else answer
        compare(scene.steps, answers, [step.ours for step in scene.steps])

    @tap.test(f"{scene.name}: each difference has a reason, and each reason a difference")
    def _(scene=scene):
        listed = {command for command in REASONS if command.startswith(f"{scene.name}: ")}
        differ = {f"{scene.name}: {step.command}" for step in scene.steps
                  if step.qemud is not None and step.qemud != step.libvirt}
        tap.equal(sorted(differ - listed), [], "differences without a reason")
        tap.equal(sorted(listed - differ), [], "reasons without a difference")

    broker.stop()
    if REGENERATE:
        os.makedirs(f"{host.OUT}/commands", exist_ok=True)
        with open(f"{host.OUT}/commands/{scene.name}.scene", "w", encoding="utf-8", newline="") as kept:
            kept.write(str(scene))


@tap.test("every reason is one for a scene that there is")
def _():
    names = {s.name for s in scenes.load(GOLDEN)}
    tap.equal([command for command in REASONS if command.split(": ")[0] not in names], [], "reasons")


host.finish()
