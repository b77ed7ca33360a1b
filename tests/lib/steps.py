# SPDX-License-Identifier: LGPL-2.1-or-later
"""steps.py: what happens on a host with many people, at random: each step is a line of words.

    call ACTOR OWNER WHAT NAME ...    somebody does something to somebody's machine
    file OWNER WHAT NAME ...          an owner works on the files of her definitions
    policy LINE; LINE...              root writes another policy.conf, and has it read
    groups WHAT NAME WHO              a group vanishes or is back, or somebody joins or leaves it
    kill WHO                          with SIGKILL: worker-OWNER, broker, starter, view
    freeze OWNER ACTOR WHAT NAME      an owner has her worker stand still, somebody does that meanwhile
    burst WHOM DELAY | call... | ...  many calls at once, and somebody is killed meanwhile (or: none)
    drop ACTOR                        her connections are closed

A line is made of a seed and its number alone, whatever happened before it.
"""
import random

OWNERS = ("alice", "bob", "qemud-vm")
NAMES = ("n0", "n1", "n2", "n3", "n4", "n1-1")
CALLED = NAMES[:3]  # few, so that most calls find a machine
LIMITS = (("everyone", "vms", "1 2 3 4"), ("everyone", "vcpus", "2 4 6"), ("everyone", "memory", "64M 128M 256M"),
          ("everyone", "vm-memory", "48M 96M"), ("everyone", "vm-vcpus", "1 2"), ("user alice", "vms", "0 2 5"),
          ("group students", "vcpus", "1 3 5"), ("group students", "memory", "96M 192M"),
          ("group lab-admins", "vms", "1 4"), ("user bob", "vm-memory", "32M unlimited"),
          ("host", "vms", "1 3 5"), ("host", "vcpus", "2 5 8"), ("host", "memory", "2G 4G 8G"))
RIGHTS = ("deny user alice manage own", "deny group students console own", "deny user carol power user bob",
          "deny user dave manage user bob", "deny user bob", "allow user bob view user alice",
          "allow user carol console user alice", "deny user alice power", "deny user dave power system",
          "allow user bob power system", "deny user root manage user alice", "deny everyone console",
          "allow group lab-admins view group students", "deny group lab-admins power group students",
          "deny user carol console group students", "allow group students view system", "deny group lab-admins")
BASE = ("allow everyone manage own", "allow user dave manage all", "allow user carol power group students",
        "allow user carol power system")
WRONG = ("deny user nobody-such", "limit everyone vms", "alow everyone view own")
NETWORKS = ((), (), ("network everyone user",), ("network everyone user", "network user bob none"),
            ("network group lab-admins user",), ("network everyone none",))
KILLS = ("worker-alice", "worker-bob", "worker-qemud-vm", "broker", "starter", "view")


def rules(chance):
    lines = list(BASE)
    lines += [line for line in RIGHTS if chance.random() < 0.07]
    lines += [f"limit {whom} {key} {chance.choice(values.split())}" for whom, key, values in LIMITS
              if chance.random() < 0.13]
    lines += chance.choice(NETWORKS)
    lines += [chance.choice(WRONG)] if chance.random() < 0.1 else []
    chance.shuffle(lines)
    return "policy " + "; ".join(lines)


def content(chance, owner, *, simple=False):
    """Words of a definition behind its name: number, MiB, processors, devices."""
    memory = chance.choice((32, 32, 32, 32, 48, 48, 64, 64, 128, 4096))
    words = [str(memory), str(chance.choice((1, 1, 1, 2, 3)))]
    if chance.random() < 0.2:
        words.append("lan")
    if chance.random() < 0.3 and not simple:
        words.append("disk=" + chance.choice((f"{{{owner}}}/own.raw", f"{{{owner}}}/.qemud/images/in.raw",
                                              "{bob}/own.raw", "{alice}/own.raw", "/etc/shadow")))
    return words


def people(chance):
    owner = chance.choice(OWNERS)
    actors = ("root", "root", "dave", "carol") if owner == "qemud-vm" else \
        (owner, owner, owner, owner, owner, "dave", "carol", "root", "bob" if owner == "alice" else "alice")
    return chance.choice(actors), owner


def call(chance, kinds="define define define define start start start start start destroy edit rename undefine create "
         "suspend resume reset autostart describe look"):
    actor, owner = people(chance)
    what, name = chance.choice(kinds.split()), chance.choice(CALLED)
    words = []
    if what in ("define", "create"):
        # Nobody has a machine made for another by its name alone.
        if actor != owner:
            owner = "qemud-vm" if actor in ("root", "dave") else actor if actor in OWNERS else "qemud-vm"
        number = NAMES.index(name) if chance.random() < 0.9 else chance.randrange(6)
        words = [str(number + 1), *content(chance, owner)]
    elif what == "edit":
        words = content(chance, owner)
    elif what == "rename":
        words = [chance.choice(NAMES)]
    elif what == "autostart":
        words = [chance.choice("01")]
    elif what == "describe":
        words = [f"words-{chance.randrange(100)}"]
    return " ".join(["call", actor, owner, what, name, *words])


def file(chance):
    owner, name = chance.choice(OWNERS), chance.choice(NAMES)
    what = chance.choice(("copy", "copy", "write", "write", "move", "remove", "tear"))
    words = []
    if what in ("copy", "move"):
        words = [chance.choice(NAMES)]
    elif what == "write":
        words = [chance.choice(NAMES), str(chance.randrange(6) + 1), *content(chance, owner)]
    return " ".join(["file", owner, what, name, *words])


def burst(chance):
    whom = chance.choice(("none", "none", *KILLS))
    calls = [call(chance, "start start start start destroy create undefine rename") for _ in range(chance.randint(3, 8))]
    return " | ".join([f"burst {whom} {chance.uniform(0, 0.4):.3f}", *calls])


def groups(chance):
    return f"groups {chance.choice(('vanish', 'vanish', 'back', 'join', 'leave'))} " \
        f"{chance.choice(('lab-admins', 'students'))} {chance.choice(('alice', 'bob', 'carol', 'dave'))}"


def line(seed, number):
    """Step number of the walk with that seed."""
    chance = random.Random(f"{seed} {number}")
    kind = chance.choices(("call", "file", "policy", "groups", "kill", "freeze", "burst", "drop"),
                          (60, 12, 10, 10, 4, 2, 6, 3))[0]
    if kind == "call":
        return call(chance)
    if kind == "file":
        return file(chance)
    if kind == "policy":
        return rules(chance)
    if kind == "groups":
        return groups(chance)
    if kind == "kill":
        return f"kill {chance.choice(KILLS)}"
    if kind == "freeze":
        return f"freeze {chance.choice(OWNERS[:2])} {chance.choice(('dave', 'carol', 'root'))} " \
            f"{chance.choice(('destroy', 'destroy', 'suspend'))} {chance.choice(CALLED)}"
    if kind == "burst":
        return burst(chance)
    return f"drop {chance.choice(('alice', 'bob', 'carol', 'dave', 'root'))}"
