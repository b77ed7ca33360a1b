# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: what decides stands in the audit log with its line: policies that are read or refused, who was let
# in or refused by which rule, what open connections lost, ways to what others own, and what was done to a
# machine whose owner's worker does not answer, under the name of who did it.
# test: timeout=400
import contextlib
import os
import select
import signal
import subprocess
import time

import host
import rpc
import tap
import vm
from record import eventually, of, records, wait_for

FILE = "/etc/qemud/policy.conf"
SYSTEM = f"qemu+unix:///system?socket={rpc.SOCKET}"
RULES = """allow everyone manage own
allow user bob power user alice
allow user carol view all
limit user dave vms 0
allow group lab-admins view own
"""
ALICE = host.UID["alice"]


def write(text):
    os.makedirs("/etc/qemud", 0o755, exist_ok=True)
    with open(FILE + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(FILE + ".new", 0o644)
    os.rename(FILE + ".new", FILE)


def reload(text):
    """The record of it."""
    before = len(of("policy", "reload"))
    write(text)
    os.kill(broker.process.pid, signal.SIGHUP)
    eventually(lambda: len(of("policy", "reload")) > before, "the reload is recorded")
    return of("policy", "reload")[-1]


def check(record, **members):
    tap.equal({key: record.get(key) for key in members}, members, f"members of {record}")
    return record


write(RULES)
broker = host.start_broker(cgroup=os.environ["TEST_CGROUP"], account_seconds=1)


@tap.test("the policy that holds from the start, and who is let in by which line of it")
def _():
    check(wait_for("policy", "load"), verdict="allowed", uid=0, label="qemud", target="policy.conf",
          outcome="rules: 6, files: 1, names: 5, warnings: 0")
    vm.define("alice", "one", 1)
    check(wait_for("connection", "open", label="alice"), verdict="allowed", rule="policy.conf:1", target="alice")
    host.virsh("carol", "list", "--all", uri=SYSTEM)
    seen = check(wait_for("connection", "open", label="carol"), verdict="allowed", rule="policy.conf:3", target="host")
    tap.true(seen["outcome"].startswith("rw ") and seen["outcome"].endswith(": passed to a view of the host"), f"{seen}")


@tap.test("a way to what another owns is there with its owner, the verbs and their line")
def _():
    # Connections of hers within a second of the last one would be counted with it.
    time.sleep(1.1)
    tap.true("shut off" in host.virsh("carol", "domstate", "alice:one", uri=SYSTEM), "carol sees it")
    seen = check(wait_for("channel", "open", label="carol"), verdict="allowed", uid=host.UID["carol"], target="alice",
                 rule="policy.conf:3", outcome=f"uid {ALICE}: view")
    tap.true(seen["conn"] in [r["conn"] for r in of("connection", "open", label="carol")], f"{seen}")
    host.virsh("bob", "start", "alice:one", uri=SYSTEM)
    check(wait_for("channel", "open", label="bob"), target="alice", rule="policy.conf:2",
          outcome=f"uid {ALICE}: view, power")


def stop_and_go(process):
    """Have it stand still until what this returns is called."""
    os.kill(process.pid, signal.SIGSTOP)

    def go():
        try:
            os.kill(process.pid, signal.SIGCONT)
        except ProcessLookupError:
            pass
    return go


@tap.test("what is done to a machine whose owner has stopped her worker is recorded of who did it, and done "
          "when it is answered")
def _():
    number = vm.ids("alice")["one"]
    # His way to her worker is open before that stands still: one that takes no connection is ended.
    with subprocess.Popen(host.command_as("bob", "virsh", "-c", SYSTEM), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, bufsize=0) as shell, contextlib.ExitStack() as stack:

        def heard(text, seconds):
            """Does it say that in time?"""
            said, deadline = b"", time.monotonic() + seconds
            while text not in said.decode():
                ready, _, _ = select.select([shell.stdout], [], [], max(0, deadline - time.monotonic()))
                if not ready:
                    return False
                said += os.read(shell.stdout.fileno(), 4096)
            return True

        shell.stdin.write(b"domstate alice:one\n")
        tap.true(heard("running", 60), "bob sees it")
        stack.callback(stop_and_go(host.worker_of("alice")))
        shell.stdin.write(b"suspend alice:one\n")
        tap.true(heard("suspended", 60), "it stands still")
        # Who empties its control group stands still, too.
        go = stack.enter_context(contextlib.ExitStack())
        go.callback(stop_and_go(broker.starter))
        shell.stdin.write(b"destroy alice:one\n")
        wait_for("vm", "stop", vm=number)
        tap.true(not heard("destroyed", 1), "it is not said to be gone while something of it is left")
        go.close()
        tap.true(heard("destroyed", 60), "it is gone")
        tap.equal(vm.qemus("alice"), [], "QEMUs")
        tap.equal(vm.leaves(), [], "leaves")
        shell.stdin.write(b"quit\n")
        tap.equal(shell.wait(60), 0, "exit status of virsh")
    for verb in ("freeze", "stop"):
        check(wait_for("vm", verb, vm=number), verdict="allowed", uid=host.UID["bob"], label="bob", target="alice",
              rule="policy.conf:2", outcome=f"uid {ALICE}: without its worker", reported_uuid=vm.uuid(1))
    check(wait_for("vm", "end", vm=number), uid=ALICE)


@tap.test("a start that is refused names the line of the limit")
def _():
    vm.define("dave", "none", 4)
    tap.true("policy.conf:4" in host.virsh_fails("dave", "start", "none"), "dave is told, too")
    check(wait_for("vm", "start", label="dave"), verdict="refused", rule="policy.conf:4")


@tap.test("a policy that does not parse is there with the place of its first error")
def _():
    check(reload(RULES + "limit everyone memory lots\nallow everyone\n"), verdict="refused", rule="policy.conf:6",
          target="policy.conf",
          outcome="errors: 2; the first: found lots, expected a size from 1M to 1024T as 512M or 16G, or unlimited")
    check(reload(RULES + "deny user nobody-here\n"), verdict="refused", rule="policy.conf:6",
          outcome="errors: 1; the first: this host knows no user nobody-here: what this line takes away would stay")


@tap.test("one that holds: for whom it changes what, what open connections lose, and who is refused after it")
def _():
    with host.client_as("alice").open() as client:
        check(reload("deny user alice console\n" + RULES), verdict="allowed", target="policy.conf")
        check(wait_for("policy", "change", target="alice"), uid=0, label="qemud",
              outcome="had view, console, power, manage over her own and up to nothing over others', and has view, "
                      "power and up to nothing")
        lost = wait_for("connection", "change", label="alice")
        check(lost, uid=ALICE, rule="policy.conf:1", outcome="it loses console, manage and has view, power")
        check(reload("deny user alice\n" + RULES), verdict="allowed")
        eventually(lambda: any(r["outcome"].endswith("has nothing") for r in of("connection", "change", conn=lost["conn"])),
                   "the rest of it")
    host.virsh_fails("alice", "list")
    check(wait_for("connection", "open", label="alice", verdict="refused"), rule="policy.conf:1")


@tap.test("a file that vanishes, and names that stand for others")
def _():
    os.rename(FILE, FILE + ".away")
    before = len(of("policy", "reload"))
    os.kill(broker.process.pid, signal.SIGHUP)
    eventually(lambda: len(of("policy", "reload")) > before, "the reload is recorded")
    last = check(of("policy", "reload")[-1], verdict="refused")
    tap.true("is not there any more" in last["outcome"] and "rule" not in last, f"{last}")
    os.rename(FILE + ".away", FILE)
    with open("/etc/group", encoding="utf-8") as file:
        text = file.read()
    with open("/etc/group.new", "w", encoding="utf-8") as file:
        file.write(text.replace("lab-admins:x:2100:", "lab-old:x:2100:"))
    os.chmod("/etc/group.new", 0o644)
    os.rename("/etc/group.new", "/etc/group")
    check(wait_for("policy", "names", target="lab-admins"), uid=0, rule="policy.conf:6",
          outcome="this host knows no group lab-admins any more: this line gives nothing to anybody")
    check(wait_for("policy", "names", outcome="1 of its names stand for something else than before"), uid=0)


@tap.test("what was written is one chain")
def _():
    tap.equal(broker.stop(), 0, "exit status")
    done = host.run_as("root", "/srv/qemud/sbin/qemudctl", "audit", "verify")
    tap.equal(done.returncode, 0, f"{done.stdout}{done.stderr}")
    tap.equal(records()[-1]["verb"], "stop", "the last")


host.finish()
