# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: what a worker asks more or less of the host for, for a machine that runs, is granted as far as the
# limits have room, and stands in the audit log: what it has then, or which line was against it.
# test: timeout=240
import os
import struct

import host
import stand_in
import tap
import vm
from record import eventually, of

host.TRACED = False  # the puppet makes any call
ALICE = host.UID["alice"]
LEASE, LEASED, LEASE_CHANGE, LEASE_CHANGED, REFUSED = 14, 15, 28, 29, 30
GIB = 1 << 20  # in KiB
UUID = "00000000-0000-0000-0000-000000000001"
EDQUOT, ENOENT = -122, -2

os.makedirs("/etc/qemud", exist_ok=True)
with open("/etc/qemud/policy.conf", "w", encoding="ascii") as file:
    file.write("allow everyone manage own\nlimit user alice vcpus 4\nlimit user alice vm-memory 2G\n")
stand_in.install("qemud-worker", f"getuid() == {ALICE}")
broker = host.start_broker(cgroup=os.environ["TEST_CGROUP"])
puppet = stand_in.Strings("alice")
serial = 100


def change(number, vcpus, memory_kib):
    """The answer's error, and what was said before it."""
    global serial
    serial += 2
    return puppet.run(f"say({LEASE_CHANGE}, struct.pack('=IIQ', {number}, {vcpus}, {memory_kib}), {serial})\n"
                      f"answer = hear({LEASE_CHANGED})\n"
                      f"result = (answer[2], [m[3].split(bytes(1))[0].decode() for m in heard if m[0] == {REFUSED}])\n"
                      f"heard[:] = [m for m in heard if m[0] != {REFUSED}]")


def last(verdict, count):
    """So many records of that there are then; the last."""
    def found():
        return of("vm", "change", verdict=verdict)
    eventually(lambda: len(found()) >= count, f"{count} changes that are {verdict}")
    tap.equal(len(found()), count, f"records of changes that are {verdict}")
    return found()[-1]


def check(record, **members):
    members = {"reported_uuid": UUID, "uid": ALICE, "label": "alice", "target": "alice", "vm": number} | members
    tap.equal({key: record.get(key) for key in members}, members, f"members of {record}")


def limit():
    """What the kernel holds it to, if it does."""
    paths = [f"{os.environ['TEST_CGROUP']}/u{ALICE}/{leaf}/memory.max" for leaf in vm.leaves()]
    if not paths or not os.path.exists(paths[0]):
        return None
    with open(paths[0], encoding="ascii") as file:
        return file.read().strip()


number = puppet.run(f"say({LEASE}, bytes(15) + bytes([1]) + struct.pack('=QII', {GIB}, 1, 0), 99)\n"
                    f"result = struct.unpack('=II', hear({LEASED})[3])[0]")


@tap.test("more is granted, and recorded with what it has then")
def _():
    before = limit()
    tap.equal(change(number, 2, 2 * GIB), (0, []), "the answer")
    check(last("allowed", 1), vcpus=2, memory_kib=2 * GIB)
    tap.true(before is None or int(limit()) - int(before) >= GIB * 1024, f"it was {before} and is {limit()}")


@tap.test("what a limit is against is refused by its line, changes nothing, and is recorded")
def _():
    before = limit()
    for count, (vcpus, memory, line, words) in enumerate((
            (5, 2 * GIB, 2, "limit vcpus 4 (policy.conf:2): 2 in use, 3 more asked for; root of this host can change it"),
            (2, 3 * GIB, 3, "limit vm-memory 2 GiB (policy.conf:3): 2 GiB in use, 1 GiB more asked for; root of this "
                            "host can change it")), 1):
        tap.equal(change(number, vcpus, memory), (EDQUOT, [words]), "the answer")
        check(last("refused", count), vcpus=vcpus, memory_kib=memory, rule=f"policy.conf:{line}", outcome=words)
    tap.equal(limit(), before, "memory.max")


@tap.test("less is granted, and recorded, too")
def _():
    tap.equal(change(number, 1, GIB), (0, []), "the answer")
    check(last("allowed", 2), vcpus=1, memory_kib=GIB)


@tap.test("a change of what does not run is refused, and recorded")
def _():
    global number
    number += 1
    tap.equal(change(number, 1, GIB), (ENOENT, []), "the answer")
    check(last("refused", 3), vcpus=1, memory_kib=GIB, outcome="No such file or directory", reported_uuid=None)
    puppet.close()
    tap.equal(broker.stop(), 0, "exit status")


host.finish()
