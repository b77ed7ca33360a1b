# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: statistics are those of the guest that reads, writes and computes; a QEMU that does not
# answer costs its own rows their numbers and nobody else more than its deadline.
# test: timeout=480
import os
import signal
import threading
import time

import libvirt

import host
import libvirtd
import proc
import tap
import vm

PATIENCE = 5  # INQUIRY_PATIENCE_S
# A boot sector: reads 32 sectors from the second on, writes 8 there, and stands still.
BOOT = bytes.fromhex("31c0 8ed8 8ec0 bb0080 b82002 b90200 ba8000 cd13 b80803 b90200 ba8000 cd13 f4 ebfd")
READ, WRITTEN = 33 * 512, 8 * 512
broker = host.start_broker(idle_seconds=600)
libvirt.registerErrorHandler(lambda *_: None, None)


def as_alice(work):
    """What a function returns that talks to qemud as alice."""
    os.seteuid(host.UID["alice"])
    try:
        return work()
    finally:
        os.seteuid(0)


def stats(uri=host.URI, groups=0, flags=0):
    """{name: {field: value}} of all domains."""
    def ask():
        connection = libvirt.open(uri)
        try:
            return {domain.name(): values for domain, values in connection.getAllDomainStats(groups, flags)}
        finally:
            connection.close()
    return as_alice(ask)


def call(name, method, *arguments, uri=host.URI):
    """What a method of a domain returns, or (code, domain) of its error."""
    def ask():
        connection = libvirt.open(uri)
        try:
            return getattr(connection.lookupByName(name), method)(*arguments)
        except libvirt.libvirtError as error:
            return error.get_error_code(), error.get_error_domain()
        finally:
            connection.close()
    return as_alice(ask)


def boot_disk(name):
    path = vm.make_file("alice", name)
    with open(path, "r+b") as file:
        file.write(BOOT.ljust(510, b"\0") + b"\x55\xaa")
    return path


def until(what, holds):
    """Wait until it holds, which the guest is at."""
    end = time.monotonic() + 60
    while not holds():
        tap.true(time.monotonic() < end, what)
        time.sleep(0.1)  # each look is a call of its own: nobody tells when a counter has changed


@tap.test("a guest that boots uses processor time and memory, reads its disk and writes to it")
def _():
    vm.define("alice", "one", 1, devices=vm.disk(boot_disk("disk")))
    host.virsh("alice", "start", "one", "--paused")
    before = stats()["one"]
    tap.equal((before["state.state"], before["block.0.rd.bytes"], before["block.0.capacity"]),
              (3, 0, 1 << 20), "before it runs")
    host.virsh("alice", "resume", "one")
    until("the guest has written", lambda: stats()["one"]["block.0.wr.bytes"] >= WRITTEN)
    now = stats()["one"]
    tap.equal((now["block.0.rd.bytes"], now["block.0.wr.bytes"], now["block.0.allocation"]),
              (READ, WRITTEN, 512 + WRITTEN), "what it has done to its disk")
    for field in ("cpu.time", "vcpu.0.time", "block.0.rd.reqs", "block.0.rd.times", "block.0.wr.times"):
        tap.true(now[field] > before[field], f"{field} grows: {before[field]}, {now[field]}")
    tap.equal(now["cpu.time"], now["cpu.user"] + now["cpu.system"], "cpu.time")
    tap.true(now["vcpu.0.time"] <= now["cpu.time"] + 20000000, "the vCPU's time is the process's")
    tap.true(10 << 10 < now["balloon.rss"] < 1 << 20, f"balloon.rss {now['balloon.rss']}")
    tap.equal(now["balloon.maximum"], 64 << 10, "balloon.maximum")


@tap.test("all procedures tell the same")
def _():
    counters = call("one", "blockStats", "vda")
    flags = call("one", "blockStatsFlags", "vda")
    tap.equal(counters[1], flags["rd_bytes"], "rd_bytes")
    tap.equal(call("one", "blockStats", ""), counters, "all disks")
    tap.equal(call("one", "blockInfo", "vda")[:2], [1 << 20, 512 + WRITTEN], "sizes")
    memory = call("one", "memoryStats")
    tap.equal((memory["actual"], memory["last_update"]), (64 << 10, 0), "memory")
    info, maps = call("one", "vcpus")
    tap.equal((len(info), info[0][:2], any(maps[0])), (1, (0, 1), True), "vcpus")
    usage = proc.Process(vm.qemu("alice").pid).status()
    rss = int(usage["VmRSS"].split()[0])
    tap.true(abs(memory["rss"] - rss) < 64 << 10, f"rss {memory['rss']}, {rss}")


@tap.test("a monitoring client on the read-only socket is told as much")
def _():
    tap.equal(sorted(stats(host.URI_RO)["one"]), sorted(stats()["one"]), "fields")


@tap.test("a QEMU that stands still delays an answer by its deadline, and nothing of the others' rows")
def _():
    vm.define("alice", "two", 2, devices=vm.disk(vm.make_file("alice", "disk2")))
    host.virsh("alice", "start", "two")
    whole = stats()
    stopped = next(q for q in vm.qemus("alice") if vm.uuid(2) in q.arguments())
    os.kill(stopped.pid, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        rows = stats()
        lasted = time.monotonic() - begin
        tap.true(PATIENCE - 0.5 < lasted, f"it was waited for: {lasted:.1f} s")
        tap.equal(list(rows["one"]), list(whole["one"]), "fields of the other")
        tap.equal([field for field in whole["two"] if field not in rows["two"]],
                  [field for field in whole["two"] if field.startswith("block.0.") and field not in
                   ("block.0.name", "block.0.path", "block.0.backingIndex")],
                  "what is not told")
        tap.equal(call("two", "blockStats", "vda"),
                  (libvirt.VIR_ERR_OPERATION_TIMEOUT, libvirt.VIR_FROM_QEMU), "blockStats")
        # It is known by now: nobody waits again.
        others = [threading.Thread(target=host.virsh, args=("alice", "domstats")) for _ in range(4)]
        for thread in others:
            thread.start()
        for thread in others:
            thread.join(PATIENCE * 4)
        tap.equal(call("two", "memoryStats"),
                  (libvirt.VIR_ERR_OPERATION_TIMEOUT, libvirt.VIR_FROM_QEMU), "memoryStats")
        tap.equal(vm.state("alice", "one"), "running (unpaused)", "the other")
    finally:
        os.kill(stopped.pid, signal.SIGCONT)
    until("it is told again as before", lambda: "block.0.rd.bytes" in stats()["two"])
    tap.equal(list(stats()["two"]), list(whole["two"]), "fields")


def compare():
    libvirtd.start()
    text = vm.definition("three", 3, devices=vm.disk(boot_disk("disk3")) + vm.disk(
        vm.make_file("alice", "empty"), target="vdb"))
    rows = []
    for uri, path in ((libvirtd.URI, "/tmp/theirs.xml"), (host.URI, "/tmp/ours.xml")):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        host.virsh("alice", "define", path, uri=uri)
        off = stats(uri)["three"]
        host.virsh("alice", "start", "three", uri=uri)
        until("the guest has written", lambda: stats(uri)["three"]["block.0.wr.bytes"] >= WRITTEN)
        now = stats(uri)["three"]
        rows.append([[(field, type(value)) for field, value in row.items()] for row in (off, now)] +
                    [[(field, value) for field, value in now.items()
                      if field.startswith("block.") and not field.endswith(".times")],
                     [call("three", "blockInfo", disk, uri=uri) for disk in ("vda", "vdb")]])
        host.virsh("alice", "destroy", "three", uri=uri)
    for theirs, ours in zip(*rows):
        tap.equal(ours, theirs, "fields")


if libvirtd.PROGRAM:
    tap.test("names, types and order of all fields are those of libvirtd, and what disks have done")(
        compare)
else:
    tap.skip("names, types and order of all fields are those of libvirtd", "libvirtd is not installed")


@tap.test("a VM that has ended tells what its files tell")
def _():
    for name in ("one", "two"):
        host.virsh("alice", "destroy", name)
    row = stats()["one"]
    tap.equal((row["state.state"], row["cpu.time"], row["block.0.physical"]), (5, 0, 1 << 20), "row")
    tap.equal(call("one", "blockStats", "vda"),
              (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_FROM_DOMAIN), "blockStats")


host.finish()
