# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: what a user defines is hers, is there until she undefines it whatever is killed in
# between, and every client is told.
# test: timeout=480
import glob
import os
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager

import host
import proc
import rpc
import tap

GOLDEN = "/srv/qemud/tests/golden/domain"
QEMU = "/usr/bin/qemu-system-x86_64"
CACHE = "/home/{}/.qemud/cache/qemu-system-x86_64.capabilities"


def definition(name, number, more=""):
    return (f"<domain type='qemu'><name>{name}</name>"
            f"<uuid>00000000-0000-4000-8000-{number:012}</uuid>{more}<memory unit='MiB'>64</memory>"
            "<vcpu>2</vcpu><os><type>hvm</type></os></domain>")


def write(name, text):
    path = f"/tmp/{name}.xml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def define(user, name, number, more=""):
    host.virsh(user, "define", write(name, definition(name, number, more)))


def names(user, *words, uri=host.URI):
    return host.virsh(user, "list", "--all", "--name", *words, uri=uri).split()


def python(user, script, *arguments):
    """Runs a script with python3-libvirt; returns what it printed."""
    result = host.run_as(user, "/usr/bin/python3", "-c", script, host.URI, *arguments, timeout=120)
    tap.equal((result.returncode, result.stderr), (0, ""), "script")
    return result.stdout


def kill(process):
    end = proc.End(process)
    os.kill(process.pid, 9)
    end.wait(60)


broker = host.start_broker(idle_seconds=600)


@tap.test("alice and bob define VMs of one name and UUID, and neither sees the other's")
def _():
    define("alice", "same", 1, "<title>alice's</title>")
    define("bob", "same", 1, "<title>bob's</title>")
    define("alice", "more", 2)
    tap.equal(sorted(names("alice")), ["more", "same"], "alice's")
    tap.equal(names("bob"), ["same"], "bob's")
    tap.equal(names("carol"), [], "carol's")
    for user in ("alice", "bob"):
        tap.equal(host.virsh(user, "desc", "same", "--title"), f"{user}'s", "title")
    for user in ("bob", "root", "carol"):
        said = host.virsh_fails(user, "dumpxml", "more")
        tap.equal(said, "error: failed to get domain 'more'", f"{user} and alice's VM")
    tap.equal(os.stat("/home/alice/.qemud/domains/same.xml").st_mode & 0o7777, 0o600, "mode")


@tap.test("root and qemud-vm share the VMs of the host")
def _():
    define("root", "of-the-host", 3)
    tap.equal(names("qemud-vm"), ["of-the-host"], "as qemud-vm")
    tap.true(os.path.exists("/var/lib/qemud/system/.qemud/domains/of-the-host.xml"), "a file")
    host.virsh("qemud-vm", "undefine", "of-the-host")


@tap.test("virsh dominfo has everything")
def _():
    host.virsh("alice", "autostart", "more")
    for uri in (host.URI, host.URI_RO):
        lines = dict(re.split(r":\s+", line, maxsplit=1)
                     for line in host.virsh("alice", "dominfo", "more", uri=uri).splitlines())
        tap.equal(lines, {"Id": "-", "Name": "more", "UUID": "00000000-0000-4000-8000-000000000002",
                          "OS Type": "hvm", "State": "shut off", "CPU(s)": "2",
                          "Max memory": "65536 KiB", "Used memory": "65536 KiB",
                          "Persistent": "yes", "Autostart": "enable", "Managed save": "no",
                          "Security model": "none", "Security DOI": "0"}, "dominfo")
    tap.equal(names("alice", "--autostart"), ["more"], "with autostart")
    tap.equal(names("alice", "--no-autostart"), ["same"], "without")
    host.virsh("alice", "autostart", "--disable", "more")


@tap.test("virsh edit changes a definition")
def _():
    with open("/tmp/editor", "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nsed -i 's/131072/131072/; s/65536/131072/' \"$1\"\n")
    os.chmod("/tmp/editor", 0o755)
    edited = host.run_as("alice", "env", "EDITOR=/tmp/editor", "virsh", "-c", host.URI, "edit", "more")
    tap.equal((edited.returncode, edited.stderr), (0, ""), "edit")
    tap.true("Max memory:     131072 KiB" in host.virsh("alice", "dominfo", "more"), "memory")


ROUND = """
import glob, libvirt, os, sys
conn = libvirt.open(sys.argv[1])
# The run-time folder that the golden files know is of the unit tests' user.
own = f"/run/qemud/users/{os.getuid()}/"
for path in sorted(glob.glob(sys.argv[2] + "/*.xml")):
    if path.endswith(".out.xml"):
        continue
    with open(path, encoding="utf-8") as file:
        domain = conn.defineXML(file.read().replace("/run/qemud/users/1000/", own))
    first = domain.XMLDesc()
    domain.undefine()
    again = conn.defineXML(first)
    assert again.XMLDesc() == first, path
    assert again.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE) == first, path
    with open(path.replace(".xml", ".out.xml"), encoding="utf-8") as file:
        golden = file.read().replace("/run/qemud/users/1000/", own)
    # Without a UUID of its own it got a new one.
    if again.UUIDString() in golden:
        assert first == golden, path
    again.undefine()
    print(path)
"""


@tap.test("what was dumped, defined again, dumps the same: every definition of the golden files")
def _():
    done = python("carol", ROUND, GOLDEN).split()
    tap.true(len(done) > 30, f"{len(done)} definitions")
    tap.equal(names("carol"), [], "left")


@tap.test("broken XML is refused over the wire with its code and words")
def _():
    n = 0
    with host.client_as("carol") as client:
        client.open()
        for path in sorted(glob.glob(f"{GOLDEN}/bad/*.xml")):
            with open(path, "rb") as file:
                # A string of the protocol ends at its first NUL.
                xml = file.read()
            with open(path.replace(".xml", ".error"), encoding="utf-8") as file:
                code, words = file.read().split("\n", 1)
            if b"\0" in xml:
                continue
            error = client.call(rpc.DOMAIN_DEFINE_XML, rpc.string(xml)).error
            tap.true(error, f"{path} is refused")
            tap.equal((f"{error.code} {error.domain}", error.message),
                      (code, words.rstrip("\n") if not words.endswith("\n\n") else words[:-1]), path)
            n += 1
    tap.true(n > 100, f"{n} definitions")
    tap.equal(names("carol"), [], "left")


@tap.test("over the read-only socket nothing changes, whatever the client says it is")
def _():
    with host.client_as("alice", rpc.SOCKET_RO) as client:
        client.open()
        reply = client.call(rpc.DOMAIN_LOOKUP_BY_NAME, rpc.string("same"))
        domain = reply.payload
        flags = rpc.u32(0)
        for what, procedure, payload in (
                ("virDomainDefineXML", rpc.DOMAIN_DEFINE_XML, rpc.string(definition("new", 9))),
                ("virDomainDefineXMLFlags", rpc.DOMAIN_DEFINE_XML_FLAGS,
                 rpc.string(definition("new", 9)) + flags),
                ("virDomainUndefine", rpc.DOMAIN_UNDEFINE, domain),
                ("virDomainUndefineFlags", rpc.DOMAIN_UNDEFINE_FLAGS, domain + flags),
                ("virDomainSetAutostart", rpc.DOMAIN_SET_AUTOSTART, domain + rpc.u32(1)),
                ("virDomainGetXMLDesc", rpc.DOMAIN_GET_XML_DESC, domain + rpc.u32(1))):
            error = client.call(procedure, payload).error
            tap.true(error and error.code == 29, f"{what}: {error}")
            tap.true(error.message.startswith(
                f"operation forbidden: read only access prevents {what}"), error.message)
        tap.true(not client.call(rpc.DOMAIN_GET_XML_DESC, domain + flags).error, "looking")
    tap.equal(sorted(names("alice")), ["more", "same"], "alice's")
    tap.equal(names("alice", "--autostart"), [], "with autostart")


LISTEN = """
import libvirt, sys
libvirt.virEventRegisterDefaultImpl()
uri, uri_ro = sys.argv[1:3]
conns = [libvirt.open(uri), libvirt.open(uri), libvirt.openReadOnly(uri_ro)]
maker = libvirt.open(uri)
first = maker.defineXML(sys.argv[3])
seen = [[], [], []]
filtered = []
def note(conn, domain, event, detail, into):
    into.append((domain.name(), event, detail))
for conn, into in zip(conns, seen):
    conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, note, into)
conns[0].domainEventRegisterAny(conns[0].lookupByName("first"),
                                libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, note, filtered)
second = maker.defineXML(sys.argv[4])
second = maker.defineXML(sys.argv[4])
second.undefine()
first.undefine()
want = [("second", 0, 0), ("second", 0, 1), ("second", 1, 0), ("first", 1, 0)]
while any(len(into) < len(want) for into in seen) or not filtered:
    libvirt.virEventRunDefaultImpl()
assert seen == [want] * 3, seen
assert filtered == [("first", 1, 0)], filtered
"""


@tap.test("clients on both sockets are told of every definition that comes, changes and goes")
def _():
    python("carol", LISTEN, host.URI_RO, definition("first", 1), definition("second", 2))


MANY = """
import libvirt, sys
conn = libvirt.open(sys.argv[1])
me, n = int(sys.argv[2]), int(sys.argv[3])
for i in range(n):
    name = f"vm-{me}-{i}"
    domain = conn.defineXML(sys.argv[4].replace("NAME", name))
    domain.setAutostart(1)
    assert conn.lookupByName(name).UUID() == domain.UUID()
    assert name in [d.name() for d in conn.listAllDomains()]
    if i % 10:
        domain.undefine()
"""


@tap.test("8 clients define and undefine at once, and all that stays is what should")
def _():
    n = host.count(full=50, long=500)
    xml = "<domain type='qemu'><name>NAME</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    wrong = []

    def work(me):
        try:
            python("dave", MANY, str(me), str(n), xml)
        except AssertionError as error:
            wrong.append(str(error))
    threads = [threading.Thread(target=work, args=(me,)) for me in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tap.equal(wrong, [], "failures")
    want = {f"vm-{me}-{i}" for me in range(8) for i in range(0, n, 10)}
    tap.equal(set(names("dave", "--autostart")), want, "VMs")
    tap.equal({name[:-4] for name in os.listdir("/home/dave/.qemud/domains")}, want, "files")
    kill(host.worker_of("dave"))
    tap.equal(set(names("dave", "--autostart")), want, "VMs for the next worker")


@tap.test("definitions are there after kill -9 of the worker, and after another broker came")
def _():
    before = host.virsh("alice", "dumpxml", "more")
    host.virsh("alice", "autostart", "more")
    for _ in range(host.count(full=3, long=50)):
        kill(host.worker_of("alice"))
        tap.equal(host.virsh("alice", "dumpxml", "more"), before, "the dump")
    worker = proc.End(host.worker_of("alice"))
    broker.kill()
    worker.wait(60)
    broker.stop()
    host.Broker(idle_seconds=600)
    tap.equal(host.virsh("alice", "dumpxml", "more"), before, "the dump")
    tap.equal(names("alice", "--autostart"), ["more"], "with autostart")
    tap.equal(sorted(names("alice")), ["more", "same"], "alice's")
    tap.equal(names("bob"), ["same"], "bob's")


@tap.test("a worker killed in the middle of defining leaves whole definitions only")
def _():
    for round_ in range(host.count(full=5, long=100)):
        with host.client_as("carol") as client:
            client.open()
            worker = host.worker_of("carol")
            for i in range(200):
                client.send(rpc.DOMAIN_DEFINE_XML, rpc.string(definition(f"vm{i}", i)))
                if i == 20 + round_:
                    client.receive()
            kill(worker)
        found = set(names("carol"))
        tap.equal({f"{name}.xml" for name in found},
                  {f for f in os.listdir("/home/carol/.qemud/domains") if f[0] != "."}, "files")
        tap.true("vm0" in found, "what was answered is there")
        python("carol", "import libvirt, sys\n"
               "for d in libvirt.open(sys.argv[1]).listAllDomains(): d.undefine()")
    log = host.Broker.running[-1].log
    tap.equal(log.find("is left alone"), [], "broken definitions")


def probes(user, log):
    return len(log.find(rf"uid={host.UID[user]} pid=\d+ qemud-box: started"))


def check_probes(user, log, number):
    """So many: the log comes by another way than an answer does."""
    tap.eventually("another box", lambda: probes(user, log) >= number)
    tap.equal(probes(user, log), number, "boxes")


@tap.test("QEMU is asked once for what it can do, until it or what is known of it changes")
def _():
    log = host.Broker.running[-1].log
    known = CACHE.format("alice")
    start = probes("alice", log)
    tap.equal(start, 0, "boxes for alice, whose QEMU was known before this broker came")
    with open(known, encoding="utf-8") as file:
        text = file.read()
    for change in (lambda: os.unlink(known),
                   lambda: open(known, "w", encoding="utf-8").close(),
                   lambda: open(known, "a", encoding="utf-8").write("more = 1\n"),
                   lambda: open(known, "w", encoding="utf-8").write(
                       re.sub(r"(?m)^(size = )\d+", r"\g<1>1", text))):
        kill(host.worker_of("alice"))
        change()
        tap.equal(sorted(names("alice")), ["more", "same"], "alice's")
        start += 1
        check_probes("alice", log, start)
        with open(known, encoding="utf-8") as file:
            tap.equal(file.read(), text, "what is known then")
        kill(host.worker_of("alice"))
        tap.equal(len(names("alice")), 2, "alice's")
        check_probes("alice", log, start)


@contextmanager
def instead_of_qemu(program):
    """Another binary in QEMU's place, for this host alone."""
    for folder in ("upper", "work"):
        os.makedirs(f"/srv/.qemu/{folder}")
    os.makedirs("/srv/.qemu/upper/bin")
    shutil.copy(program, f"/srv/.qemu/upper/bin/{os.path.basename(QEMU)}")
    options = "lowerdir=/usr,upperdir=/srv/.qemu/upper,workdir=/srv/.qemu/work"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", "/usr"], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", "/usr"], check=True)
        shutil.rmtree("/srv/.qemu")


@tap.test("a QEMU that was replaced is asked anew; one that is none is told, with what it printed")
def _():
    log = host.Broker.running[-1].log
    start = probes("alice", log)
    kill(host.worker_of("alice"))
    with instead_of_qemu(QEMU):
        tap.equal(sorted(names("alice")), ["more", "same"], "alice's")
        check_probes("alice", log, start + 1)
    kill(host.worker_of("alice"))
    with instead_of_qemu("/usr/bin/ls"):
        said = host.virsh_fails("alice", "list")
        tap.true("internal error: Failed to probe QEMU binary with QMP: " in said and
                 "invalid option" in said, said)
        check_probes("alice", log, start + 2)
    worker = host.worker_of("alice")
    tap.equal(sorted(names("alice")), ["more", "same"], "alice's, when it is QEMU again")
    check_probes("alice", log, start + 3)
    tap.equal(host.worker_of("alice").pid, worker.pid, "worker")


host.finish()
