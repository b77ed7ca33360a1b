# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: virsh's commands about definitions, and about machines that run, print, and exit with, the
# same as with libvirt's own daemon; on a read-only connection too.
# test: timeout=300
import os
import re
import subprocess

import host
import libvirtd
import tap
import vm

UUID = "11111111-2222-3333-4444-55555555555"
FOLDER = "/tmp/definitions"
COMMANDS = """
list --all
list --name --all
list --title --all
define {a}
list --all
list --all --title
list --all --uuid
list --all --id
list --inactive --persistent
list --transient --all
list --all --with-snapshot
list --all --without-snapshot
list --all --with-managed-save
list --all --without-managed-save
list --all --managed-save
list --all --with-checkpoint
list --all --without-checkpoint
list --all --autostart
list --all --no-autostart
list --state-running --state-shutoff
list --state-other
define {a} --validate
dominfo a
dominfo {u}0
dominfo nobody
dominfo {u}9
domstate a
domstate a --reason
domstate nobody
domid a
domid 99
domuuid a
domname {u}0
desc a
desc a --title
desc a --config
desc a --live
metadata a urn:x
metadata a urn:y
metadata a --uri urn:x --config
metadata a --uri urn:x --live
dumpxml b
dumpxml a --xpath //name
autostart a
autostart a
dominfo a
list --all --autostart
autostart a --disable
autostart a --disable
autostart nobody
dominfo a
define {again}
desc a
desc a --title
metadata a urn:x
dumpxml a
dumpxml a --inactive
dumpxml a --security-info
dumpxml a --migratable
dumpxml a --update-cpu
EDITOR={sed}title edit a
desc a --title
EDITOR=true edit a
EDITOR={sed}memory edit a
EDITOR={sed}name edit a
dumpxml a
desc a some new words
desc a
desc a --title --new-desc new-title
desc a --title
desc a --title --new-desc two lines --config
desc a --live --new-desc x
desc a --live --config --new-desc x
EDITOR={sed}words desc a --edit
desc a
EDITOR=true desc a --edit
EDITOR={sed}words desc a --edit --title
list --all --title
desc a --title --new-desc=
desc a --title
metadata a urn:x --set <x><y/></x> --key k
metadata a urn:x
metadata a urn:z --set <z/>
metadata a urn:z --set <z --key k
metadata a urn:z --set text --key k
metadata a urn:z --set <z/> --key 1k
metadata a urn:z --set <z>t</z> --key k --live
metadata a urn:z --set <z>t</z> --key k --config
EDITOR={sed}z metadata a urn:z --edit --key k
metadata a urn:z
dumpxml a
metadata a urn:z --remove
metadata a urn:z --remove
metadata a urn:z
metadata a urn:x --remove
dumpxml a
desc nobody x
metadata nobody urn:x --remove
define {b}
define {same_name}
define {same_uuid}
define {both}
define {torn}
define {nothing}
define /nonexistent
define {number}
domid 12
domuuid 12
dominfo 4294967296
list --all
domrename a renamed
domrename a renamed
autostart renamed
list --all
domrename renamed renamed
domrename renamed a/b
domrename nobody a
domrename renamed a
list --all --autostart
autostart a --disable
undefine b --nvram
define {b}
undefine b --keep-nvram
define {b}
undefine b --managed-save
define {b}
undefine b --snapshots-metadata
define {b}
undefine b --checkpoints-metadata
define {b}
undefine b --tpm
define {b}
undefine b --keep-tpm
define {b}
undefine b --nvram --keep-nvram
undefine b --tpm --keep-tpm
domxml-to-native qemu-argv {nothing}
domxml-to-native qemu-argv {torn}
domxml-to-native foo {a}
domxml-to-native qemu-argv --domain nobody
domxml-to-native qemu-argv /nonexistent
undefine b --remove-all-storage
define {b}
managedsave-remove b
snapshot-list b
snapshot-list b --roots
undefine b
undefine b
start nobody
define {screen}
dumpxml screen
dumpxml screen --security-info
dumpxml screen --migratable
vncdisplay screen
domdisplay screen
screenshot screen /tmp/definitions/none.png
send-key screen KEY_A
inject-nmi screen
undefine screen
version
""".strip().splitlines()
RUNNING = """
define {a}
suspend a
resume a
destroy a
destroy a --graceful
shutdown a
reboot a
reset a
console a
start a
start a
reset a
shutdown a
shutdown a --mode acpi
shutdown a --mode agent
reboot a
reboot a --mode acpi
reboot a --mode agent
domstate a --reason
domrename a renamed
list
list --all
list --state-running
domid a
domstate a
domstate a --reason
suspend a
list --state-paused
domstate a --reason
suspend a
resume a
domstate a --reason
resume a
define {again}
desc a
desc a --config
desc a --live
desc a --title
dumpxml a --inactive
metadata a urn:x
metadata a urn:x --config
console a
autostart a
autostart a --disable
destroy a
destroy a
domstate a --reason
desc a
list --all
start a --paused
domstate a --reason
resume a
domstate a --reason
destroy a --graceful
domstate a --reason
start a --bypass-cache
start a --force-boot
undefine a
list --transient
list --persistent
domstate a
desc a --config
autostart a
undefine a
define {number}
define {again}
undefine a
destroy a
domstate a
list --all
create {a} --paused
list --all
domstate a --reason
create {a}
create {both}
create {same_name}
create {b}
destroy b
list --all
autostart a
undefine a
desc a live words
desc a
desc a --config
desc a --config x
resume a
define {a}
desc a
desc a --config
create {a}
undefine a
desc a --config
destroy a
domstate a
define {again}
create {both}
create {a} --validate
desc a --title
desc a --title --config
dumpxml a --xpath //currentMemory
destroy a
desc a --title
create {a} --paused --autodestroy
domstate a
start a --autodestroy
domstate a --reason
start a --autodestroy --paused
domstate a
create {torn}
create {nothing}
create /nonexistent
undefine a
define {disk}
start disk
domstate disk --reason
list --all
undefine disk
create {disk}
list --all
define {shown}
start shown
vncdisplay shown
domdisplay shown
domdisplay shown --include-password
domdisplay shown --type vnc
domdisplay shown --type spice
screenshot shown {folder}/picture.png
screenshot shown {folder}/picture.png --screen 5
send-key shown KEY_LEFTCTRL KEY_LEFTALT KEY_F1 --holdtime 5
send-key shown 16 --codeset usb
send-key shown 700
send-key shown 0x2000 --codeset win32
send-key shown 30 --codeset qnum
send-key shown KEY_NONE
inject-nmi shown
destroy shown
undefine shown
start 12
destroy 12
destroy {u}3
undefine 12
list --all
""".strip().splitlines()
# About a machine with disks that is paused, one that runs without any, and one that does neither; what
# no two runs have in common is left out (VARYING).
STATISTICS = """
define {s}
define {t}
define {lost}
domstats s
domstats lost
domstats s --block --backing
domstats s --vcpu --enforce
domblkinfo s vda
domblkinfo s --all
domblkinfo s --all --human
domblkinfo s vdz
domblkinfo lost vda
domblkinfo lost --all
domblkinfo t --all
domblklist s
domblklist s --details
domblklist s --inactive
domblkstat s
domblkstat s vda
domiflist s
domifstat s vnet0
dommemstat s
vcpuinfo s
vcpuinfo s --pretty
vcpupin s
vcpucount s
vcpucount s --maximum --config
vcpucount s --current --config
vcpucount s --current --live
vcpucount s --guest
cpu-stats s
start s --paused
start t
domstats
domstats --raw
domstats --enforce
domstats --nowait
domstats --state --cpu-total --balloon --vcpu --interface --block
domstats --list-active --state
domstats --list-inactive --state
domstats --list-persistent --state
domstats --list-transient --state
domstats --list-running --state
domstats --list-paused --state
domstats --list-shutoff --state
domstats --list-other --state
domstats s t --state
domstats s --perf
domstats s --perf --enforce
domstats s --memory --enforce
domstats s --dirtyrate --enforce
domstats s --block --backing
domstats nobody
dommemstat s
dommemstat t
domblkstat s
domblkstat s vda
domblkstat s vdb --human
domblkstat s /tmp/definitions/raw.img
domblkstat s vdz
domblkstat t
domblkinfo s vda
domblkinfo s vdb
domblkinfo s --all
domblkinfo s vdz
domblklist s --details
domiflist s
domifstat s vnet0
vcpuinfo s
vcpuinfo t --pretty
vcpupin t
vcpupin t --live
vcpucount s
vcpucount s --maximum --live
vcpucount s --current --live
vcpucount s --guest
cpu-stats s
destroy s
destroy t
undefine s
undefine t
undefine lost
nodecpustats
nodecpustats --cpu 0
nodecpustats --cpu 4095
nodecpustats --percent
nodememstats
nodememstats --cell 0
nodememstats --cell 63
freecell
freecell --all
freecell --cellno 0
freecell --cellno 63
nodecpumap
maxvcpus
maxvcpus --type qemu
maxvcpus --type nonsense
cpu-models nonsense
domcapabilities --machine nonsense
domcapabilities --virttype nonsense
domcapabilities --arch aarch64
""".strip().splitlines()
# Times, and memory that is free or used now; all of what vcpuinfo and the node's statistics count.
VARYING = [(r"((?:cpu|vcpu\.\d+)\.(?:time|user|system|delay|wait)|balloon\.rss)=\d+", r"\1=N"),
           (r"(?m)^rss \d+", "rss N"), (r"(?m)^((?:CPU|CPU time):\s+)[\d.]+s?$", r"\1N"),
           (r"(?m)^CPU time:.*\n", ""),  # which virsh leaves out where it is 0
           (r"(?m)^((?:user|system|idle|iowait|usage|free *|buffers|cached *|Total|[ 0-9]+):) +[\d.]+",
            r"\1 N")]
READ_ONLY = """
list --all
dominfo a
domstate a
dumpxml a
dumpxml a --inactive
dumpxml a --security-info
dumpxml a --migratable
desc a
define {b}
undefine a
undefine a --nvram
autostart a
autostart a --disable
EDITOR={sed}title edit a
dominfo a
start a
shutdown a
reboot a
reset a
suspend a
resume a
destroy a
create {b}
desc a words
metadata a urn:x --remove
domrename a renamed
""".strip().splitlines()


def definition(name, number, more=""):
    return (f"<domain type='qemu'><name>{name}</name><uuid>{UUID}{number}</uuid>{more}"
            "<memory unit='KiB'>65536</memory><currentMemory>32768</currentMemory>"
            "<vcpu current='1'>2</vcpu>"
            "<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os></domain>")


SCREEN = ("<devices><graphics type='vnc' passwd='hush'{more}</graphics>"
          "<video><model type='vga'/></video></devices></domain>")
FILES = {
    "screen": definition("screen", 5).replace("</domain>", SCREEN.format(more=">")),
    "shown": definition("shown", 6).replace("</domain>", SCREEN.format(more="><listen type='none'/>")),
    "a": definition("a", 0, "<title>A title</title><description>two\nlines &amp; more</description>"
                    "<metadata><x:y xmlns:x='urn:x' z='1'><x:w/></x:y></metadata>"),
    "again": definition("a", 0, "<title>Another</title>"), "b": definition("b", 1),
    "same_name": definition("b", 2), "same_uuid": definition("c", 1), "both": definition("a", 1),
    "s": definition("s", 5).replace("</domain>", "<devices>" + "".join(
        f"<disk type='file' device='disk'><driver name='qemu' type='{kind}'/><source "
        f"file='{FOLDER}/{kind}.img'/><target dev='{target}' bus='virtio'/><readonly/></disk>"
        for kind, target in (("raw", "vda"), ("qcow2", "vdb"))) + "</devices></domain>"),
    "t": definition("t", 6).replace("</domain>", "<devices><memballoon model='none'/></devices></domain>"),
    "lost": definition("lost", 7).replace("</domain>", "<devices><disk type='file' device='disk'>"
        "<driver name='qemu' type='raw'/><source file='/nonexistent/disk'/><target dev='vda' bus='virtio'/>"
        "</disk></devices></domain>"),
    "number": definition("12", 3), "disk": definition("disk", 4).replace(
        "</domain>", "<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/nonexistent/disk'/>"
        "<target dev='vda' bus='virtio'/></disk></devices></domain>"), "torn": "<domain", "nothing": "<domain/>",
}
# What an editor does to a definition.
EDITS = {"title": "s/Another/Edited/", "memory": "s/65536/much/", "name": "s/<name>a</<name>aa</",
         "words": "s/new/newer/", "z": "s/t/u/"}


def steady(answer):
    """Without what varies, and domains in the order of their names: libvirtd has none."""
    status, said, errors = answer
    for pattern, steadily in VARYING:
        said = re.sub(pattern, steadily, said)
    return status, sorted(said.split("\n\n")) if "Domain: " in said else said, errors


def prepare():
    os.mkdir(FOLDER)
    with open(f"{FOLDER}/raw.img", "wb") as file:
        file.write(b"something" * 1000)
        file.truncate(1 << 20)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{FOLDER}/qcow2.img", "8M"], check=True)
    for name, text in FILES.items():
        with open(f"{FOLDER}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    for name, edit in EDITS.items():
        with open(f"{FOLDER}/edit-{name}", "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nsed -i '{edit}' \"$1\"\n")
        os.chmod(f"{FOLDER}/edit-{name}", 0o755)
    os.chmod(FOLDER, 0o777)
    return {"u": UUID, "folder": FOLDER, "sed": f"{FOLDER}/edit-", **{name: f"{FOLDER}/{name}" for name in FILES}}


def run(uri, options, command):
    words = command.split(" ")
    variables = [words.pop(0)] if words[0].startswith("EDITOR=") else []
    result = host.run_as("alice", "env", "TERM=dumb", *variables, "virsh", *options, "-c", uri, *words)
    return (result.returncode, result.stdout, result.stderr)


def compare(commands, options, uris, same=lambda answer: answer):
    for command in commands:
        command = command.format(**PLACES)
        theirs, ours = (same(run(uri, options, command)) for uri in uris)
        tap.equal(ours, theirs, f"virsh {command}")


if not libvirtd.PROGRAM:
    tap.skip_all("libvirtd is not installed")
host.start_broker()
libvirtd.start()
PLACES = prepare()


@tap.test(f"{len(COMMANDS)} commands, one after the other")
def _():
    compare(COMMANDS, [], (libvirtd.URI, host.URI))


WATCHERS = [vm.Watcher("alice", uri) for uri in (libvirtd.URI, host.URI_RO)]


@tap.test(f"{len(RUNNING)} commands, to and about machines that run")
def _():
    compare(["undefine a", *RUNNING, "define {again}", "define {same_uuid}"], [],
            (libvirtd.URI, host.URI))


@tap.test(f"{len(STATISTICS)} commands about statistics")
def _():
    compare(STATISTICS, [], (libvirtd.URI, host.URI), steady)


@tap.test("their events are those of libvirtd, in its order")
def _():
    # But for what QEMU says of the SIGTERM that libvirtd begins a destroy with (tests/DEVIATIONS).
    for watcher in WATCHERS:
        # The last command of all makes a machine of its own: what came before has been told then.
        watcher.log.wait("^c 0 0$")
    theirs, ours = ({name: [event for event in watcher.told(name) if event != "shutdown host"]
                     for name in ("a", "12", "disk")} for watcher in WATCHERS)
    tap.true(len(theirs["a"]) > 15, f"events: {theirs}")
    tap.equal(ours, theirs, "events")


@tap.test("nodeinfo, where the machine's memory does not change in between")
def _():
    for _ in range(20):
        theirs, ours = (run(uri, [], "nodeinfo") for uri in (libvirtd.URI, host.URI))
        if ours == theirs:
            return
    tap.equal(ours, theirs, "virsh nodeinfo")


@tap.test(f"{len(READ_ONLY)} commands of a client that said it only looks")
def _():
    # A session daemon has one socket for both.
    compare(READ_ONLY, ["-r"], (libvirtd.URI, host.URI_RO))


host.finish()
