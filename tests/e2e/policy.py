# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: who may do what stands in policy.conf: stock clients are held to it, told which line says
# so, and lose what they lose when it is read again, without connecting again; a bad file changes nothing.
# test: timeout=600
import os
import re
import signal
import subprocess

import host
import proc
import rpc
import tap
import vm

FOLDER = "/etc/qemud"
OWN = "allow everyone manage own\n"
DENIED = 29


def write(text, name="policy.conf", mode=0o644):
    path = f"{FOLDER}/{name}"
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


def reload(pattern="policy: read again"):
    """SIGHUP; the line that it is answered with, and all from there on."""
    start = len(broker.log.lines)
    os.kill(broker.process.pid, signal.SIGHUP)
    return broker.log.wait(pattern, start=start)


def holds(start, number):
    """Until so many connections are served by what was decided since that line of the log."""
    def told():
        return len(broker.log.find(r"ticket conn=\d+ holds", start)) >= number
    with broker.log.changed:
        tap.true(broker.log.changed.wait_for(told, 60), f"{number} connections are told")


def policy(text, changes=0):
    """It holds, also for so many open connections."""
    start = len(broker.log.lines)
    write(text)
    reload()
    holds(start, changes)


def edit(path, change):
    """A file of accounts, as its tools replace it."""
    with open(path, encoding="utf-8") as file:
        text = change(file.read())
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path + ".new", 0o644)
    os.rename(path + ".new", path)


def connected(user, path=rpc.SOCKET):
    return host.client_as(user, path).open()


def uuid_call(client, procedure, number, name="vm"):
    return client.call(procedure, vm.wire(name, number)).error


class Shell:
    """`virsh` as people leave it open."""

    def __init__(self, user):
        # pylint: disable-next=consider-using-with
        self.child = subprocess.Popen(
            host.command_as(user, "virsh", "-c", host.URI), text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.log = host.Log(self.child.stdout, f"{host.OUT}/shell.{user}")

    def say(self, command, pattern):
        """Until it says that; the line."""
        start = len(self.log.lines)
        self.child.stdin.write(command + "\n")
        self.child.stdin.flush()
        return self.log.wait(pattern, start=start)

    def leave(self):
        self.child.stdin.close()
        return self.child.wait(60)


# --- the start --------------------------------------------------------------------------------

for name, text, mode, why in (
        ("a line that is none", "allow everyone\n", 0o644, f"{FOLDER}/policy.conf:1:15: error: "),
        ("a name that takes from nobody", OWN + "deny group nosuch\n", 0o644,
         f"{FOLDER}/policy.conf:2:12: error: .*no group nosuch"),
        ("a file that others may write", OWN, 0o666, "chmod go-w")):
    @tap.test(f"with {name} it does not start, and says where and what")
    def _(text=text, mode=mode, why=why):
        write(text, mode=mode)
        bad = host.Broker(cgroup="none", log_level="info", wait=False)
        bad.log.wait(why)
        tap.equal(bad.stop(), 1, "exit status")


write(OWN)
broker = host.start_broker(idle_seconds=600, account_seconds=1)


@tap.test("with the rule for everyone, everyone manages her own")
def _():
    for number, user in enumerate(("alice", "bob", "carol"), 1):
        vm.define(user, "vm", number)
        host.virsh(user, "start", "vm", "--paused")
    tap.equal(host.virsh("alice", "list", "--name"), "vm", "alice's")


# --- what stock clients see -------------------------------------------------------------------

RULES = """# who may do what
allow user alice view own
allow group students power own
allow user carol console own
allow uid 991 manage own
deny  user dave
"""


@tap.test("another policy holds after a reload, and the log says who lost what")
def _():
    write(RULES)
    start = len(broker.log.lines)
    reload(r"policy: read again: \d+ rules in 1 files")
    broker.log.wait(r"policy: uid=2003 \(carol\) had view, console, power, manage .* has view, console",
                    start=start)


@tap.test("view: she lists, and starts, ends, defines and reads nothing")
def _():
    # alice is a student as well: carol may not.
    tap.equal(host.virsh("carol", "list", "--name"), "vm", "list")
    host.virsh("carol", "dumpxml", "vm")
    for words in (("destroy", "vm"), ("resume", "vm"), ("undefine", "vm"), ("define", "/tmp/vm.xml"),
                  ("dumpxml", "vm", "--security-info")):
        said = host.virsh_fails("carol", *words)
        tap.true("operation forbidden: policy prevents" in said and "policy.conf:4" in said
                 and "root of this host can change that" in said, f"{words}: {said}")


@tap.test("power: she stops and starts, and reads no console and no screen")
def _():
    host.virsh("bob", "destroy", "vm")
    host.virsh("bob", "start", "vm", "--paused")
    with connected("bob") as client:
        error = client.call(rpc.DOMAIN_OPEN_CONSOLE,
                            vm.wire("vm", 2) + rpc.optional(None) + rpc.u32(0)).error
        tap.true(error and error.code == DENIED and "policy.conf:3" in error.message, f"{error}")
    for words in (("screenshot", "vm", "/tmp/shot"), ("undefine", "vm"), ("send-key", "vm", "KEY_A")):
        said = host.virsh_fails("bob", *words)
        tap.true("policy prevents" in said and "policy.conf:3" in said, f"{words}: {said}")


@tap.test("rules add up: view and power of two lines")
def _():
    host.virsh("alice", "destroy", "vm")
    host.virsh("alice", "start", "vm", "--paused")
    tap.true("policy.conf:3" in host.virsh_fails("alice", "undefine", "vm"), "undefine")


@tap.test("who is denied is refused on both sockets, and told by which line")
def _():
    for uri, options in ((host.URI, ()), (host.URI_RO, ("-r",))):
        said = host.virsh_fails("dave", "list", uri=uri, options=options)
        tap.true("policy.conf:6" in said and "deny user dave" in said
                 and "root of this host can change that" in said, said)
    tap.equal(proc.find("qemud-worker", host.UID["dave"]), [], "workers of dave")


@tap.test("the read-only socket gives view and no more, in libvirt's words")
def _():
    for user in ("alice", "bob", "carol"):
        tap.equal(host.virsh(user, "list", "--name", uri=host.URI_RO, options=("-r",)), "vm", user)
    with connected("bob", rpc.SOCKET_RO) as client:
        error = uuid_call(client, rpc.DOMAIN_DESTROY, 2)
        tap.true(error.code == DENIED and "read only access prevents" in error.message, f"{error}")


# --- open connections -------------------------------------------------------------------------


@tap.test("a reload takes a verb from an open virsh, which has not connected again, and gives it back")
def _():
    policy(OWN)
    start = len(broker.log.lines)
    shell = Shell("alice")
    mine = re.search(r"conn=\d+", broker.log.wait(r"accepted conn=\d+ uid=2001 ", start=start))[0]
    shell.say("suspend vm", "Domain 'vm' suspended")
    shell.say("dominfo vm", "State:")
    policy(OWN + "deny user alice power\n", changes=1)
    said = shell.say("destroy vm", "error: operation forbidden")
    tap.true("virDomainDestroy" in said and "policy.conf:2" in said, said)
    shell.say("dominfo vm", "State:")
    policy(OWN, changes=1)
    shell.say("destroy vm", "Domain 'vm' destroyed")
    tap.equal(broker.log.find(rf"gone {mine}\b"), [], "its connection")
    host.virsh("alice", "start", "vm", "--paused")
    shell.leave()


@tap.test("an open console is ended, with the code and the line; the machine runs on")
def _():
    policy(OWN)
    with connected("bob") as client, connected("bob", rpc.SOCKET_RO) as looking:
        call = client.call(rpc.DOMAIN_OPEN_CONSOLE,
                           vm.wire("vm", 2) + rpc.optional(None) + rpc.u32(0))
        tap.true(not call.error, f"{call}")
        policy("# tightened\n" + OWN + "deny user bob console\n", changes=1)
        packet = client.receive()
        tap.equal((packet.type, packet.status), (rpc.STREAM, rpc.ERROR), "packet")
        tap.true(packet.error.code == DENIED and "policy.conf:3" in packet.error.message,
                 f"{packet.error}")
        tap.true(not uuid_call(client, rpc.DOMAIN_SUSPEND, 2), "power is left")
        tap.true(not looking.call(rpc.CONNECT_GET_TYPE).error, "so is view")
    tap.true(vm.qemu("bob"), "its QEMU")


@tap.test("with nothing left, the next call is told why, and the connection is closed")
def _():
    with connected("carol") as client:
        policy(OWN + "deny user carol\n", changes=1)
        error = client.call(rpc.CONNECT_GET_TYPE).error
        tap.true(error.code == DENIED and "policy.conf:2: deny user carol" in error.message, f"{error}")
        try:
            packet = client.receive()
            tap.true(False, f"closed: {packet}")
        except rpc.Ended:
            pass
    tap.true("policy.conf:2" in host.virsh_fails("carol", "list"), "the next connection")
    tap.true(vm.qemu("carol"), "her machine runs on")
    policy(OWN)
    tap.equal(host.virsh("carol", "list", "--name"), "vm", "and is hers again")


# --- what is not read -------------------------------------------------------------------------

for name, text, why in (
        ("a mistake", OWN + "\ndney user alice\n", f"{FOLDER}/policy.conf:3:1: error: "),
        ("an unknown name in a deny", "deny user nosuch\n", "policy.conf:1:11: error: .*no user nosuch")):
    @tap.test(f"a reload with {name} changes nothing, and is told with its place")
    def _(text=text, why=why):
        write(text)
        start = len(broker.log.lines)
        reload("the policy stays as it was")
        broker.log.wait(why, start=start)
        tap.equal(host.virsh("alice", "domstate", "vm"), "paused", "alice")
        host.virsh("alice", "suspend", "vm")


@tap.test("a file that is gone is not the built-in rules")
def _():
    policy("allow user alice view own\n")
    os.unlink(f"{FOLDER}/policy.conf")
    reload("the policy stays as it was")
    tap.true("policy.conf:1" in host.virsh_fails("alice", "destroy", "vm"), "alice")


@tap.test("policy.d is read behind it, in the order of names; its lines are named")
def _():
    write(OWN)
    write("# nothing\n", "policy.d/10-nothing.conf")
    write("deny user alice power\n", "policy.d/20-lab.conf")
    write("deny user alice\n", "policy.d/30-old.conf~")
    reload()
    tap.true("policy.d/20-lab.conf:1" in host.virsh_fails("alice", "destroy", "vm"), "alice")
    for name in ("10-nothing.conf", "20-lab.conf", "30-old.conf~"):
        os.unlink(f"{FOLDER}/policy.d/{name}")


# --- names and groups -------------------------------------------------------------------------


@tap.test("who joins or leaves a group has what it has, without a reload and without connecting again")
def _():
    policy("allow everyone view own\nallow group lab-admins manage own\n")
    with connected("carol") as client:
        tap.true(not uuid_call(client, rpc.DOMAIN_SUSPEND, 3), "carol is of lab-admins")
        start = len(broker.log.lines)
        edit("/etc/group", lambda text: text.replace("lab-admins:x:2100:alice,carol", "lab-admins:x:2100:alice"))
        broker.log.wait(r"ticket conn=\d+ uid=2003 verbs=1\b", start=start)
        holds(start, 1)
        error = uuid_call(client, rpc.DOMAIN_SUSPEND, 3)
        tap.true(error and error.code == DENIED and "policy.conf:1" in error.message, f"{error}")
        start = len(broker.log.lines)
        edit("/etc/group", lambda text: text.replace("lab-admins:x:2100:alice", "lab-admins:x:2100:alice,carol"))
        broker.log.wait(r"ticket conn=\d+ uid=2003 verbs=15\b", start=start)
        holds(start, 1)
        tap.true(not uuid_call(client, rpc.DOMAIN_SUSPEND, 3), "and again")


@tap.test("a group that vanishes gives nothing any more; one that comes back does")
def _():
    with connected("carol") as client:
        start = len(broker.log.lines)
        edit("/etc/group", lambda text: text.replace("lab-admins:x:2100:", "lab-old:x:2100:"))
        broker.log.wait(r"ticket conn=\d+ uid=2003 verbs=1\b", start=start)
        holds(start, 1)
        tap.equal(uuid_call(client, rpc.DOMAIN_SUSPEND, 3).code, DENIED, "code")
        start = len(broker.log.lines)
        edit("/etc/group", lambda text: text.replace("lab-old:x:2100:", "lab-admins:x:2100:"))
        broker.log.wait(r"ticket conn=\d+ uid=2003 verbs=15\b", start=start)
        holds(start, 1)


@tap.test("a group that vanishes takes what it took, from who is connected and who comes, until it is back")
def _():
    rules = OWN + "deny group lab-admins power\ndeny group students console\n"
    policy(rules)
    with open("/etc/group", encoding="utf-8") as file:
        groups = file.read()
    line, students = (re.search(f"^{name}:.*$", groups, re.MULTILINE)[0] for name in ("lab-admins", "students"))

    def told(change, pattern):
        start = len(broker.log.lines)
        edit("/etc/group", change)
        broker.log.wait(pattern, start=start)
        return start
    with connected("carol") as client:
        tap.equal(uuid_call(client, rpc.DOMAIN_SUSPEND, 3).code, DENIED, "as one of lab-admins")
        start = told(lambda text: text.replace(line + "\n", ""),
                     rf"{FOLDER}/policy.conf:2: this host knows no group lab-admins any more")
        # Her account is looked up again: she is in another group, and in that one no more.
        told(lambda text: text.replace(students, students + ",carol"), r"ticket conn=\d+ uid=2003 verbs=1\b")
        told(lambda text: text.replace(students + ",carol", students), r"ticket conn=\d+ uid=2003 verbs=3\b")
        error = uuid_call(client, rpc.DOMAIN_SUSPEND, 3)
        tap.true(error and error.code == DENIED and "policy.conf:2" in error.message, f"{error}")
        with connected("carol") as again:
            tap.equal(uuid_call(again, rpc.DOMAIN_SUSPEND, 3).code, DENIED, "who comes now")
        # When it is read again that is a mistake, and what holds holds on.
        reload("policy.conf:2:12: error: this host knows no group lab-admins")
        tap.equal(uuid_call(client, rpc.DOMAIN_SUSPEND, 3).code, DENIED, "after a reload")
        tap.equal(len(broker.log.find("no group lab-admins any more", start)), 1, "times that it is told")
        told(lambda text: text + line.replace("carol", "dave") + "\n", r"ticket conn=\d+ uid=2003 verbs=15\b")
    edit("/etc/group", lambda text: groups)


@tap.test("root is in the groups of root's account, like everybody, and in no others")
def _():
    policy("allow everyone manage own\ndeny group lab-admins power\n")
    with connected("root") as client:
        start = len(broker.log.lines)
        edit("/etc/group", lambda text: text.replace("lab-admins:x:2100:", "lab-admins:x:2100:root,"))
        broker.log.wait(r"ticket conn=\d+ uid=0 verbs=\d+\b", start=start)
        holds(start, 1)
        error = client.call(rpc.DOMAIN_DEFINE_XML, rpc.string("<domain/>")).error
        tap.equal(error.code, DENIED, f"{error}")
        tap.true("policy.conf:2" in error.message, f"{error}")
        start = len(broker.log.lines)
        edit("/etc/group", lambda text: text.replace("lab-admins:x:2100:root,", "lab-admins:x:2100:"))
        broker.log.wait(r"ticket conn=\d+ uid=0 verbs=15\b", start=start)


for user in ("alice", "bob", "carol"):
    policy(OWN)
    host.virsh(user, "destroy", "vm")
host.finish()
