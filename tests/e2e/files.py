# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: definitions are files: what their owner does to them by hand, as herself, is what virsh
# shows; a copy is another VM; nothing that she wrote is lost, whatever is killed when.
# test: timeout=600 once
import os
import re
import time

import host
import proc
import rpc
import tap
import vm

DOMAINS = "/home/alice/.qemud/domains"

broker = host.start_broker(idle_seconds=600, user_connections_per_second=100000, log_level="info")


def shell(command, user="alice"):
    """What somebody types, in her folder of definitions."""
    result = host.run_as(user, "/bin/sh", "-ec", f"cd {DOMAINS} && {command}")
    tap.equal((result.returncode, result.stderr), (0, ""), command)
    return result.stdout


def names(user="alice"):
    return sorted(host.virsh(user, "list", "--all", "--name").split())


def wait(what, want, seconds=60):
    """Until it is so: changes of files are told to the worker, not to us."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = what()
        if got == want:
            return
        time.sleep(0.05)
    tap.equal(got, want, f"within {seconds} s")


def uuid_of(name):
    return host.virsh("alice", "domuuid", name)


def kill_worker():
    worker = host.worker_of("alice")
    end = proc.End(worker)
    os.kill(worker.pid, 9)
    end.wait(60)


@tap.test("a definition that is put there is there, one that is removed has gone")
def _():
    vm.define("alice", "web", 1)
    shell("sed 's|<name>web|<name>db|; /<uuid>/d' web.xml >/tmp/db.xml; mv /tmp/db.xml db.xml")
    wait(names, ["db", "web"])
    shell("rm db.xml")
    wait(names, ["web"])
    tap.equal(names("bob"), [], "bob's")


@tap.test("a copy gets a UUID and a name, logged, and the older VM is untouched")
def _():
    before = host.virsh("alice", "dumpxml", "web"), uuid_of("web")
    host.virsh("alice", "autostart", "web")
    shell("cp web.xml copy.xml")
    wait(names, ["web", "web-1"])
    tap.equal((host.virsh("alice", "dumpxml", "web"), uuid_of("web")), before, "the older one")
    tap.true(uuid_of("web-1") != before[1], "another UUID")
    tap.equal(shell("ls"), "web-1.xml\nweb.xml\n", "files")
    tap.equal(host.virsh("alice", "list", "--all", "--autostart", "--name"), "web", "autostart")
    broker.log.wait(r'definition "copy": "it has become that of domain .web-1. with uuid')
    shell("rm web-1.xml")
    wait(names, ["web"])


@tap.test("what editors do to a definition is one change of it")
def _():
    for command in ("sed -i 's|<vcpu.*</vcpu>|<vcpu>2</vcpu>|' web.xml",
                    "sed 's|<vcpu.*</vcpu>|<vcpu>3</vcpu>|' web.xml >.web.new; cat .web.new >web.xml",
                    "mv web.xml web.xml~; sed 's|<vcpu.*</vcpu>|<vcpu>4</vcpu>|' web.xml~ >web.xml"):
        shell(command)
        want = re.search(r"<vcpu>(\d)", command).group(1)
        wait(lambda: re.search(r"<vcpu[^>]*>(\d+)<", host.virsh("alice", "dumpxml", "web")).group(1), want)
    tap.equal(names(), ["web"], "domains")
    tap.equal(host.virsh("alice", "list", "--all", "--autostart", "--name"), "web", "autostart")


@tap.test("a file that does not parse is logged with its line, and what it said stays in force")
def _():
    before = host.virsh("alice", "dumpxml", "web")
    shell("cp web.xml .kept; printf '<domain>\\n<name>' >web.xml")
    broker.log.wait(r'definition "web" is left alone: "\(domain_definition\):2: ')
    tap.equal(host.virsh("alice", "dumpxml", "web"), before, "definition")
    with open("/tmp/again.xml", "w", encoding="utf-8") as file:
        file.write(before)
    said = host.virsh_fails("alice", "define", "/tmp/again.xml")
    tap.true("has not been loaded" in said, said)
    tap.equal(shell("cat web.xml"), "<domain>\n<name>", "her file")
    shell("sed 's|</name>|</name><title>mended</title>|' .kept >web.xml; rm .kept")
    wait(lambda: host.virsh("alice", "desc", "web", "--title"), "mended")


@tap.test("clients are told, on both sockets")
def _():
    listen = """
import libvirt, subprocess, sys
libvirt.virEventRegisterDefaultImpl()
seen = []
conn = libvirt.openReadOnly(sys.argv[1])
conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                            lambda c, d, event, detail, _: seen.append((d.name(), event, detail)), None)
def do(command, n):
    subprocess.run(["/bin/sh", "-ec", command], cwd=sys.argv[2], check=True)
    while len(seen) < n:
        libvirt.virEventRunDefaultImpl()
do("sed 's|<name>web|<name>new|; /<uuid>/d' web.xml >new.xml", 1)
do("sed -i 's|</name>|</name><description>d</description>|' new.xml", 2)
do("rm new.xml", 3)
assert seen == [("new", 0, 0), ("new", 0, 1), ("new", 1, 0)], seen
"""
    result = host.run_as("alice", "/usr/bin/python3", "-c", listen, host.URI_RO, DOMAINS)
    tap.equal((result.returncode, result.stderr), (0, ""), "listener")


@tap.test("a VM that runs goes on as it is: its definition is for the next start")
def _():
    host.virsh("alice", "start", "web")
    qemu = vm.qemu("alice")
    shell("sed -i 's|<vcpu.*</vcpu>|<vcpu>1</vcpu>|' web.xml")
    wait(lambda: re.search(r"<vcpu[^>]*>(\d+)<",
                           host.virsh("alice", "dumpxml", "web", "--inactive")).group(1), "1")
    tap.true(re.search(r"<vcpu[^>]*>4<", host.virsh("alice", "dumpxml", "web")), "what runs")
    shell("mv web.xml ..")
    wait(lambda: re.search(r"Persistent: +(\w+)", host.virsh("alice", "dominfo", "web")).group(1), "no")
    tap.equal([p.pid for p in vm.qemus("alice")], [qemu.pid], "QEMUs")
    shell("mv ../web.xml .")
    wait(lambda: re.search(r"Persistent: +(\w+)", host.virsh("alice", "dominfo", "web")).group(1), "yes")
    host.virsh("alice", "destroy", "web")
    tap.equal(names(), ["web"], "domains")


@tap.test("folders that were removed are made again, without a restart of anything")
def _():
    worker = host.worker_of("alice")
    shell("rm -r ../log ../domains")
    wait(names, [])
    wait(lambda: os.path.isdir(DOMAINS) and os.path.isdir("/home/alice/.qemud/log"), True)
    vm.define("alice", "web", 1)
    host.virsh("alice", "start", "web")
    tap.true(os.path.exists("/home/alice/.qemud/log/web.log"), "a log")
    host.virsh("alice", "destroy", "web")
    tap.equal(host.worker_of("alice").pid, worker.pid, "worker")


@tap.test("killed while it writes back, a copy is old or new and never torn, and no VM is lost")
def _():
    older = uuid_of("web")
    for round_ in range(host.count(full=6, long=100)):
        shell("for i in 1 2 3 4 5; do cp web.xml copy$i.xml; done")
        # Somewhere in the half second until it is settled, or in what follows.
        time.sleep(0.45 + 0.03 * (round_ % 10))
        kill_worker()
        want = ["web"] + [f"web-{i}" for i in range(1, 6)]
        wait(names, want)
        tap.equal(uuid_of("web"), older, "the older one's UUID")
        tap.equal(sorted(shell("ls").split()), sorted(f"{name}.xml" for name in want), "files")
        tap.equal(len({uuid_of(name) for name in want}), 6, "UUIDs")
        shell("rm web-*.xml")
        wait(names, ["web"])
    tap.equal([line for b in host.Broker.all for line in b.log.find('"web-\\d" is left alone')], [], "broken")


@tap.test("thousands that are copied at once hold nobody up")
def _():
    n = host.count(full=1500, long=5000)
    with host.client_as("alice") as client:
        client.open()
        worst = 0.0
        shell(f"mkdir ../many; i=0; while [ $i -lt {n} ]; do "
              "sed \"s|<name>web|<name>vm$i|; /<uuid>/d\" web.xml >../many/vm$i.xml; i=$((i+1)); done")
        shell("mv ../many/*.xml .")
        end = time.monotonic() + 300
        while time.monotonic() < end:
            start = time.monotonic()
            reply = client.call(rpc.CONNECT_NUM_OF_DEFINED_DOMAINS)
            worst = max(worst, time.monotonic() - start)
            if int.from_bytes(reply.payload, "big") == n + 1:
                break
        tap.equal(int.from_bytes(reply.payload, "big"), n + 1, "domains")
        print(f"# the longest that a call took meanwhile: {worst * 1000:.1f} ms")
    uuids = shell("cat *.xml | grep '<uuid>' | sort | uniq -d")
    tap.equal(uuids, "", "UUIDs that are there twice")
    shell("rm vm*.xml")
    wait(names, ["web"])


host.finish()
