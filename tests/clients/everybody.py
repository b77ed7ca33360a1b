# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: stock monitoring, as an account with `view all`, sees the machines of several users with their
# disks and interfaces, on the read-only socket and on the other one, and can change nothing on either.
import glob
import os
import re
import shutil
import subprocess
import urllib.request

import host
import proc
import tap
import vm
import wire

MONITOR = "dave"
MUNIN = "/usr/share/munin/plugins/libvirt-"
COLLECTD = shutil.which("collectd", path="/usr/sbin:/usr/bin")
EXPORTER = shutil.which("prometheus-libvirt-exporter")
ADDRESS = "127.0.0.1:9177"
URIS = {"read-only": host.URI_RO.replace("///session", "///system"), "other": host.URI.replace("///session", "///system")}
OWNERS = ("alice", "bob")
LAN = "<interface type='user'><model type='virtio'/></interface>"
# What virsh has to change something, and may not.
ACTS = (("start", "alice:off"), ("destroy", "alice:seen"), ("suspend", "bob:seen"), ("resume", "bob:seen"),
        ("reset", "bob:seen"), ("reboot", "bob:seen"), ("shutdown", "bob:seen"), ("undefine", "alice:off"),
        ("define", "/tmp/seen.xml"), ("create", "/tmp/seen.xml"), ("autostart", "alice:off"),
        ("domrename", "alice:off", "on"), ("desc", "alice:off", "--new-desc", "x"), ("inject-nmi", "bob:seen"),
        ("send-key", "bob:seen", "KEY_Q"), ("screenshot", "bob:seen", "/home/dave/x.png"),
        ("dumpxml", "bob:seen", "--security-info"), ("domxml-to-native", "qemu-argv", "/tmp/seen.xml"))


def run(*command, timeout=60):
    result = host.run_as(MONITOR, *command, timeout=timeout)
    tap.equal(result.returncode, 0, f"{command}: {result.stdout}{result.stderr}")
    return result.stdout


def scrape():
    try:
        with urllib.request.urlopen(f"http://{ADDRESS}/metrics", timeout=20) as page:
            return page.read().decode()
    except OSError:
        return ""


os.makedirs("/etc/qemud")
with open("/etc/qemud/policy.conf", "w", encoding="utf-8") as FILE:
    FILE.write(f"allow everyone manage own\ndeny user {MONITOR} console own\ndeny user {MONITOR} power own\n"
               f"allow user {MONITOR} view all\n")
host.start_broker(idle_seconds=600)
TARGETS = {}
for NUMBER, OWNER in enumerate(OWNERS, 1):
    vm.make_file(OWNER, "seen.raw", 8 << 20)
    vm.define(OWNER, "seen", NUMBER, vm.disk(f"/home/{OWNER}/seen.raw") + LAN)
    vm.define(OWNER, "off", NUMBER + 10)
    host.virsh(OWNER, "start", "seen")
    TARGETS[OWNER] = re.search("<target dev='(vnet[^']*)'/>", host.virsh(OWNER, "dumpxml", "seen"))[1]


def read_by(owner):
    """Bytes that her machine has read: its firmware looks for a system."""
    return int(re.search(r"rd_bytes (\d+)", host.virsh(owner, "domblkstat", "seen", "vda"))[1])


for OWNER in OWNERS:
    tap.eventually("a read", lambda: read_by(OWNER))


def domstats(uri):
    told = run("virsh", "-r", "-c", uri, "domstats")
    stats = {name: dict(line.strip().split("=", 1) for line in lines.splitlines() if "=" in line)
             for name, lines in re.findall(r"Domain: '([^']*)'\n(.*?)(?=\nDomain|\Z)", told, re.S)}
    tap.equal(sorted(stats), ["alice:off", "alice:seen", "bob:off", "bob:seen"], "machines")
    for owner in OWNERS:
        mine = stats[f"{owner}:seen"]
        tap.true(int(mine["block.0.rd.bytes"]) > 0, f"{owner}: {mine}")
        tap.equal((mine["block.0.name"], mine["net.0.name"]), ("vda", TARGETS[owner]), owner)
        tap.true("net.0.rx.bytes" in mine and "state.state" in mine, f"{owner}: {mine}")


def exporter(uri):
    with open(f"{host.OUT}/exporter", "w", encoding="utf-8") as log:
        # pylint: disable-next=consider-using-with
        child = subprocess.Popen(host.command_as(MONITOR, EXPORTER, f"--web.listen-address={ADDRESS}",
                                                 f"--libvirt.uri={uri}"), stdout=log, stderr=log)
    try:
        tap.eventually("the exporter answers", lambda: "libvirt_up" in scrape())
        page = scrape()
    finally:
        child.terminate()
        child.wait(60)
    tap.true("\nlibvirt_up 1\n" in page, page)
    for owner in OWNERS:
        for name, what in (("block_stats_read_bytes_total", "vda"),
                           ("interface_stats_receive_bytes_total", TARGETS[owner])):
            lines = re.findall(rf'^libvirt_domain_{name}{{[^}}]*domain="{owner}:seen"[^}}]*}} \S+$', page, re.M)
            tap.true(len(lines) == 1 and what in lines[0], f"{owner}'s {name}: {lines}")


def munin(uri):
    for name, fields in (("blkstat", ("read", "write")), ("cputime", ("cputime",)), ("ifstat", ("rx", "tx")), ("mem", ("mem",))):
        config = run("env", f"uri={uri}", f"{MUNIN}{name}", "config")
        values = dict(re.findall(r"^(\w+)\.value (\d+)$", run("env", f"uri={uri}", f"{MUNIN}{name}"), re.M))
        want = {(f"{owner}_seen_{field}", f"{owner}:seen") for owner in OWNERS for field in fields}
        tap.equal(set(re.findall(r"^(\w+)\.label (\w+:\w+)$", config, re.M)), want, f"{name}: what is whose")
        tap.true({field for field, _ in want} <= set(values), f"{name}: {values}")
        for owner in OWNERS:
            if name in ("blkstat", "mem"):
                tap.true(int(values[f"{owner}_seen_{fields[0]}"]) > 0, f"{name} of {owner}: {values}")


def collectd(uri):
    folder = f"/home/{MONITOR}/collectd"
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    shutil.chown(folder, MONITOR, MONITOR)
    with open(f"{folder}/conf", "w", encoding="utf-8") as file:
        file.write(f'FQDNLookup false\nInterval 1\nBaseDir "{folder}"\nPIDFile "{folder}/pid"\n'
                   f'LoadPlugin csv\nLoadPlugin virt\n<Plugin csv>\nDataDir "{folder}/csv"\nStoreRates false\n'
                   f'</Plugin>\n<Plugin virt>\nConnection "{uri}"\nHostnameFormat name\n</Plugin>\n')
    # pylint: disable-next=consider-using-with
    child = subprocess.Popen(host.command_as(MONITOR, COLLECTD, "-f", "-C", f"{folder}/conf"),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for owner in OWNERS:
            for pattern in ("virt/disk_octets-vda-*", f"virt/if_octets-{TARGETS[owner]}-*"):
                tap.eventually(f"{owner}'s {pattern}",
                                lambda at=f"{folder}/csv/{owner}:seen/{pattern}": glob.glob(at))
    finally:
        child.terminate()
        child.wait(60)


CLIENTS = (("virsh -r domstats", domstats, True), ("prometheus-libvirt-exporter", exporter, EXPORTER),
           ("munin's plugins", munin, os.path.exists(f"{MUNIN}blkstat")), ("collectd's plugin virt", collectd, COLLECTD))
for SOCKET, URI in URIS.items():
    for TITLE, CLIENT, HERE in CLIENTS:
        if not HERE:
            tap.skip(f"{TITLE}: machines of all users, on the {SOCKET} socket", "it is not installed")
            continue

        @tap.test(f"{TITLE}: machines of all users, on the {SOCKET} socket")
        def _():
            CLIENT(URI)


def state():
    """What there is of everybody, as it is seen by its owners."""
    qemus = {owner: [qemu.pid for qemu in vm.qemus(owner)] for owner in OWNERS}
    return qemus, {(owner, name): (host.virsh(owner, "domstate", name), host.virsh(owner, "dumpxml", name, "--inactive"))
                   for owner in OWNERS for name in ("seen", "off")}


for SOCKET, URI in URIS.items():
    @tap.test(f"it changes nothing on the {SOCKET} socket, and reads no secret and no screen")
    def _():
        before = state()
        for words in ACTS:
            result = host.run_as(MONITOR, "virsh", *(("-r",) if SOCKET == "read-only" else ()), "-c", URI, *words)
            tap.true(result.returncode != 0 and re.search("policy prevents|read only|forbidden|no line of policy",
                                                         result.stderr), f"{words}: {result.stdout}{result.stderr}")
        tap.equal(state(), before, "machines")


for OWNER in OWNERS:
    host.virsh(OWNER, "destroy", "seen")
tap.equal(proc.find(vm.QEMU), [], "QEMUs")
host.finish()
