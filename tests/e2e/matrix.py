# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: whoever connects, to either socket, may call exactly the procedures that the table and the
# policy say, before and after a policy is read again; what is expected is worked out here, slowly.
# test: timeout=300
import collections
import os
import re
import signal

import host
import rpc
import tap

FOLDER = "/etc/qemud"
SOCKETS = {"rw": rpc.SOCKET, "ro": rpc.SOCKET_RO}
DENIED, AUTH_FAILED, RPC_ERROR = 29, 45, 39
VERBS = {"view": {"view"}, "console": {"view", "console"}, "power": {"view", "power"},
         "manage": {"view", "console", "power", "manage"}}

BITS = {"view": 1, "console": 2, "power": 4, "manage": 8}  # of a set, in the log

# Who: uid, names of her groups, has she an account of her own?
PEOPLE = {"alice": (2001, {"alice", "lab-admins", "students"}, True),
          "bob": (2002, {"bob", "students"}, True),
          "carol": (2003, {"carol", "lab-admins"}, True),
          "dave": (2004, {"dave"}, True),
          "qemud-vm": (991, {"qemud-vm"}, True),
          "root": (0, set(), True),
          "4242": (4242, set(), False),
          "100007": (100007, set(), False)}

POLICIES = ["allow everyone manage own\n",
            "allow everyone view own\nallow group students power own\nallow user carol view all\n"
            "deny user dave\n",
            "allow everyone manage own\ndeny user alice console\ndeny group students manage own\n"
            "deny user carol power all\ndeny user root console\n",
            "allow user alice console user alice\nallow group lab-admins power all\n"
            "allow uid 2002 view own\ndeny uid 2004\nallow user qemud-vm view system\n",
            ""]


# --- the slow evaluator -----------------------------------------------------------------------


def is_for(subject, who):
    uid, groups, account = PEOPLE[who]
    kind, *name = subject
    if kind == "everyone":
        return account
    if kind == "uid":
        return uid == int(name[0])
    return name[0] == who if kind == "user" else name[0] in groups


def is_own(target, who):
    """Are her own machines among those of the target? root's are the system account's."""
    kind, *name = target
    owner = "qemud-vm" if who == "root" else who
    if kind in ("own", "all"):
        return True
    if kind == "system":
        return owner == "qemud-vm"
    if kind == "uid":
        return PEOPLE[owner][0] == int(name[0])
    return name[0] == owner if kind == "user" else name[0] in PEOPLE[owner][1]


def take_party(words):
    n = 2 if words[0] in ("user", "uid", "group") else 1
    return words[:n], words[n:]


def rights(policy, who, socket):
    """Her verbs over her own machines; empty for who owns nothing."""
    uid, _, account = PEOPLE[who]
    given = VERBS["manage"] if uid == 0 else set()
    taken = set()
    for line in policy.splitlines():
        what, *rest = line.split()
        subject, rest = take_party(rest)
        verb = rest[0] if rest else None
        target = take_party(rest[1:])[0] if rest[1:] else ["all"]
        if not is_for(subject, who) or not is_own(target, who):
            continue
        if what == "allow":
            given = given | VERBS[verb]
        else:
            taken |= {v for v in VERBS if not verb or verb in VERBS[v]}
    left = given - taken if account else set()
    return left & {"view"} if socket == "ro" else left


def table():
    """(program, number, name, verb) of every row."""
    with open("/srv/qemud/protocol/rpc/procedures.tsv", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file if line[0] != "#"]
    programs = {"remote": rpc.REMOTE, "qemu": rpc.QEMU}
    return [(programs[row[0]], int(row[1]), row[2], row[5]) for row in rows]


# --- what is answered -------------------------------------------------------------------------

ROWS = [row for row in table() if row[2] != "connect_close"]


def wrong(error, name, verb, may):
    """What is wrong with the answer to a call without arguments; None: nothing."""
    code = error.code if error else 0
    if verb == "event":
        return None if code == RPC_ERROR and "unknown procedure" in error.message else f"an event: {error}"
    lacks = verb != "any" and verb not in may
    return None if lacks == (code == DENIED) else f"{name} ({verb}): {error}"


def check_all(client, may):
    faults = []
    for program, number, name, verb in ROWS:
        error = client.call(number, program=program).error
        fault = wrong(error, name, verb, may)
        if fault:
            faults.append(fault)
    tap.equal(faults[:5], [], f"of {len(ROWS)} procedures, for {sorted(may)}")


def connect(who, socket):
    uid = PEOPLE[who][0]
    with host.identity(uid, [host.UID.get(who, uid)]):
        return rpc.Client(SOCKETS[socket])


def check_refused(client):
    """Whatever is asked first is answered with the reason."""
    error = client.call(rpc.CONNECT_GET_TYPE).error
    tap.true(error and error.code == AUTH_FAILED and error.message, f"{error}")


def write(text):
    os.makedirs(FOLDER, 0o755, exist_ok=True)
    path = f"{FOLDER}/policy.conf"
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)


# --- the matrix -------------------------------------------------------------------------------

write(POLICIES[0])
broker = host.start_broker(idle_seconds=600, user_connections_per_second=10000)
held = {}


def reload(text):
    """It holds, for who is connected too."""
    start = len(broker.log.lines)
    before = {key: rights(now, *key) for key in held}
    write(text)
    os.kill(broker.process.pid, signal.SIGHUP)
    broker.log.wait("policy: read again", start=start)
    changed = collections.Counter((PEOPLE[key[0]][0], sum(BITS[v] for v in rights(text, *key)))
                                  for key in held if rights(text, *key) != before[key])

    def all_told():
        lines = "\n".join(broker.log.lines[start:])
        holds = set(re.findall(r"ticket conn=(\d+) holds", lines))
        told = collections.Counter((int(uid), int(verbs)) for conn, uid, verbs in re.findall(
            r"ticket conn=(\d+) uid=(\d+) verbs=(\d+)", lines) if conn in holds)
        return not changed - told
    with broker.log.changed:
        tap.true(broker.log.changed.wait_for(all_told, 30), f"{changed} are told")


now = POLICIES[0]
for policy in POLICIES:
    if policy != now:
        @tap.test(f"connections that are open have what the next policy says: {policy.split(chr(10))[0]!r} ...")
        def _(policy=policy):
            reload(policy)
            for key, client in list(held.items()):
                may = rights(policy, *key)
                if may:
                    check_all(client, may)
                else:
                    error = client.call(rpc.CONNECT_GET_TYPE).error
                    tap.true(error and error.code == DENIED, f"{key}: {error}")
        now = policy
        for client in held.values():
            client.close()
        held = {}
    for who in PEOPLE:
        @tap.test(f"{who} on both sockets, newly connected")
        def _(who=who):
            for socket in SOCKETS:
                may = rights(now, who, socket)
                client = connect(who, socket)
                if not may:
                    check_refused(client)
                    client.close()
                    continue
                client.open("qemu:///system")
                check_all(client, may)
                held[who, socket] = client

for client in held.values():
    client.close()
host.finish()
