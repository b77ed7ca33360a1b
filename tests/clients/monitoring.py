# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: stock monitoring, on the read-only socket, sees its user's machines with their disks and
# interfaces, and the numbers are those of what the guest did: virsh domstats, prometheus-libvirt-exporter,
# collectd's plugin virt, munin's plugins.
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
from terminal import Console

READ = 6 << 20  # bytes of its disk that the guest has read at least
MUNIN = "/usr/share/munin/plugins/libvirt-"
COLLECTD = shutil.which("collectd", path="/usr/sbin:/usr/bin")
EXPORTER = shutil.which("prometheus-libvirt-exporter")
ADDRESS = "127.0.0.1:9177"


def numbers():
    """What the machine's disk and interface have counted by now: {name: value}."""
    lines = host.virsh("alice", "domblkstat", "seen", "vda").splitlines()
    found = {f"disk.{line.split()[1]}": int(line.split()[2]) for line in lines}
    for line in host.virsh("alice", "domifstat", "seen", TARGET).splitlines():
        found[f"net.{line.split()[1]}"] = int(line.split()[2])
    return found


def check(what, value, key, before):
    """It is no less than before, and no more than now."""
    tap.true(before[key] <= value <= numbers()[key], f"{what}: {value}, {key} was {before[key]}")


def run(*command):
    result = host.run_as("alice", *command)
    tap.equal(result.returncode, 0, f"{command}: {result.stdout}{result.stderr}")
    return result.stdout


server = wire.begin()
host.start_broker(idle_seconds=600)
vm.make_file("alice", "seen.raw", 8 << 20)
vm.define("alice", "seen", 1, vm.disk("/home/alice/seen.raw") + wire.LAN, memory=256,
          os_more=wire.GUEST.replace("virtio_net", "virtio_net,virtio_blk"))
vm.define("alice", "off", 2)
TARGET = None


@tap.test("a machine reads its disk, writes to it, and uses its network")
def _():
    global TARGET
    host.virsh("alice", "start", "seen")
    TARGET = re.search("<target dev='(vnet[^']*)'/>", host.virsh("alice", "dumpxml", "seen"))[1]
    console = Console("alice", "seen").greet()
    said, status = console.run(f"dd if=/dev/vda of=/dev/null bs=1M count={READ >> 20} 2>&1 && "
                               "dd if=/dev/zero of=/dev/vda bs=1M count=2 conv=fsync 2>&1")
    tap.equal(status, 0, said)
    wire.lease(console)
    tap.equal(wire.fetch(console), ("from afar", 0), "what was fetched")
    console.leave()
    now = numbers()
    tap.true(now["disk.rd_bytes"] >= READ and now["disk.wr_bytes"] >= 2 << 20, f"{now}")
    tap.true(now["net.rx_bytes"] > 0 and now["net.tx_bytes"] > 0, f"{now}")


@tap.test("virsh -r domstats")
def _():
    before = numbers()
    told = dict(line.strip().split("=", 1) for line in
                run("virsh", "-r", "-c", host.URI_RO, "domstats", "seen").splitlines() if "=" in line)
    for name, key in (("block.0.rd.bytes", "disk.rd_bytes"), ("block.0.wr.bytes", "disk.wr_bytes"),
                      ("net.0.rx.bytes", "net.rx_bytes"), ("net.0.tx.pkts", "net.tx_packets")):
        check(name, int(told[name]), key, before)
    tap.equal(told["net.0.name"], TARGET, "the interface")


if EXPORTER:
    @tap.test("prometheus-libvirt-exporter")
    def _():
        before = numbers()
        with open(f"{host.OUT}/exporter", "w", encoding="utf-8") as log:
            # pylint: disable-next=consider-using-with
            child = subprocess.Popen(host.command_as("alice", EXPORTER, f"--web.listen-address={ADDRESS}",
                                                     f"--libvirt.uri={host.URI_RO}"), stdout=log, stderr=log)
        try:
            def scrape():
                try:
                    with urllib.request.urlopen(f"http://{ADDRESS}/metrics", timeout=20) as page:
                        return page.read().decode()
                except OSError:
                    return ""
            tap.eventually("the exporter answers", scrape)
            page = scrape()
        finally:
            end = proc.End(proc.Process(child.pid))
            child.terminate()
            child.wait(60)
            end.wait(60)
        tap.true("\nlibvirt_up 1\n" in page, page)
        for name, key in (("block_stats_read_bytes_total", "disk.rd_bytes"),
                          ("block_stats_write_bytes_total", "disk.wr_bytes"),
                          ("interface_stats_receive_bytes_total", "net.rx_bytes"),
                          ("interface_stats_transmit_bytes_total", "net.tx_bytes")):
            lines = re.findall(rf'^libvirt_domain_{name}{{([^}}]*domain="seen"[^}}]*)}} (\S+)$', page, re.M)
            tap.equal(len(lines), 1, f"{name}: {lines}")
            tap.true(("vda" if "block" in name else TARGET) in lines[0][0], lines[0][0])
            check(name, int(float(lines[0][1])), key, before)


if os.path.exists(f"{MUNIN}blkstat"):
    @tap.test("munin's plugins")
    def _():
        before = numbers()
        told = {}
        for name in ("blkstat", "cputime", "ifstat", "mem"):
            tap.true("graph_title" in run("env", f"uri={host.URI_RO}", f"{MUNIN}{name}", "config"), name)
            told[name] = run("env", f"uri={host.URI_RO}", f"{MUNIN}{name}")
            tap.true(".value " in told[name], f"{name}: {told[name]}")
        for name, keys in (("blkstat", ("disk.rd_bytes", "disk.wr_bytes")), ("ifstat", ("net.rx_bytes", "net.tx_bytes"))):
            values = [int(value) for value in re.findall(r"\.value (\d+)", told[name])]
            for key in keys:
                tap.true(any(before[key] <= value <= numbers()[key] for value in values), f"{key}: {told[name]}")


if COLLECTD:
    @tap.test("collectd's plugin virt")
    def _():
        before = numbers()
        folder = "/home/alice/collectd"
        os.mkdir(folder)
        shutil.chown(folder, "alice", "alice")
        with open(f"{folder}/conf", "w", encoding="utf-8") as file:
            file.write(f'FQDNLookup false\nInterval 1\nBaseDir "{folder}"\nPIDFile "{folder}/pid"\n'
                       f'LoadPlugin csv\nLoadPlugin virt\n<Plugin csv>\nDataDir "{folder}/csv"\nStoreRates false\n'
                       f'</Plugin>\n<Plugin virt>\nConnection "{host.URI_RO}"\nHostnameFormat name\n</Plugin>\n')
        # pylint: disable-next=consider-using-with
        child = subprocess.Popen(host.command_as("alice", COLLECTD, "-f", "-C", f"{folder}/conf"),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def series(pattern):
            """The last line of the one file of that name, when it has some."""
            files = glob.glob(f"{folder}/csv/seen/{pattern}")
            with open(files[0], encoding="ascii") if files else open(os.devnull, encoding="ascii") as file:
                lines = file.read().splitlines()
            return [int(float(word)) for word in lines[-1].split(",")[1:]] if len(lines) > 1 else None
        try:
            for pattern, keys in (("virt/disk_octets-vda-*", ("disk.rd_bytes", "disk.wr_bytes")),
                                  (f"virt/if_octets-{TARGET}-*", ("net.rx_bytes", "net.tx_bytes"))):
                tap.eventually(pattern, lambda pattern=pattern: series(pattern))
                for value, key in zip(series(pattern), keys):
                    check(pattern, value, key, before)
        finally:
            end = proc.End(proc.Process(child.pid))
            child.terminate()
            child.wait(60)
            end.wait(60)


@tap.test("nothing of all this has changed anything")
def _():
    tap.equal(host.virsh("alice", "list", "--all", "--name").split(), ["seen", "off"], "machines")
    tap.equal(vm.state("alice", "seen"), "running (booted)", "state")
    host.virsh("alice", "destroy", "seen")


wire.end(server)
host.finish()
