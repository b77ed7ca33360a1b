# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: qemudctl status and limits tell everybody what the policy shows her, and nobody more: what
# they say of what runs is what runs, a worker that hangs is named, and every end has its status.
# test: timeout=480
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time

import host
import proc
import tap
import vm

CTL = "/srv/qemud/sbin/qemudctl"
SOCKET = "/run/qemud/qemud-ctl"
POLICY = """allow everyone            manage own
allow user   carol        view   all
allow user   bob          power  user alice
deny  user   dave
limit everyone            vms 3
limit user   bob          vms 1  memory 1G
limit host                vms 40
"""
# What nobody may be told who does not see alice: what her machines are called.
CANARY = "canary-box"
CROWD = 100


def ctl(user, *arguments, status=0):
    """What it printed, of that user, or what it said where it failed."""
    command = host.command_as(user, CTL, *arguments) if isinstance(user, str) else [
        "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--", CTL, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
                          check=False)
    tap.equal(done.returncode, status, f"status of {arguments} as {user}: {done.stdout}{done.stderr}")
    tap.true("\x1b" not in done.stdout, "colours without a terminal")
    return done.stdout if status == 0 else done.stdout + done.stderr


def told(user, *arguments):
    return json.loads(ctl(user, *arguments, "--json"))


def users(user):
    return {row["name"]: row for row in told(user, "status")["users"]}


def wait(done, what):
    end = time.monotonic() + 60
    while not done():
        if time.monotonic() > end:
            raise AssertionError(what)
        time.sleep(0.05)


@tap.test("without qemud it says so, and what to do")
def _():
    for arguments in (("status",), ("limits",), ("status", "--socket", "/nonexistent")):
        said = ctl("alice", *arguments, status=3)
        tap.true("no qemud is there" in said and "systemctl start qemud" in said, said)


os.makedirs("/etc/qemud", exist_ok=True)
with open("/etc/qemud/policy.conf", "w", encoding="utf-8") as policy_file:
    policy_file.write(POLICY)

broker_connections = CROWD + 20
broker = host.start_broker(idle_seconds=600, user_connections=broker_connections)
vm.define("alice", CANARY, 1)
vm.define("alice", "other", 2)
vm.define("bob", "web", 3)
host.virsh("alice", "start", CANARY)


def only_view():
    """The one that answers qemudctl."""
    found = [process for process in proc.find("qemud-view") if "--ctl" in process.arguments()]
    tap.equal(len(found), 1, "views that answer qemudctl")
    return found[0]


@tap.test("a crowd of one principal's is answered to the last, by the view that was there")
def _():
    ctl("root", "status")
    view = only_view()
    # It stands still while they come: it has them all before it reads an answer of the broker's.
    os.kill(view.pid, signal.SIGSTOP)
    crowd = []
    try:
        for _ in range(CROWD):
            crowd.append(socket.socket(socket.AF_UNIX))
            crowd[-1].connect(SOCKET)
            crowd[-1].sendall(b"1\tvms\n")
    finally:
        os.kill(view.pid, signal.SIGCONT)
    for client in crowd:
        with client:
            client.settimeout(60)
            lines = client.makefile("rb").read().decode().splitlines()
        tap.equal((lines[0].split("\t")[0], lines[-1]), ("host", f"end\t{len(lines) - 1}"), f"{lines}")
    tap.equal(only_view().pid, view.pid, "the view")
    tap.equal(broker.log.find("violation by|is killed"), [], "what the broker has against it")


@tap.test("root and a monitor see everybody, and what runs is what runs")
def _():
    wait(lambda: users("root").get("alice", {}).get("reported_vms") == 2, "both machines of alice are known")
    for who in ("root", "carol"):
        seen = users(who)
        tap.true({"alice", "bob"} <= set(seen), f"users as {who}: {seen}")
        alice, bob = seen["alice"], seen["bob"]
        tap.equal((alice["uid"], alice["vms"], alice["worker"], alice["answers"], alice["own"]),
                  (2001, 1, "serving", True, False), "alice")
        tap.equal((bob["uid"], bob["vms"], bob["vcpus"], bob["memory_kib"]), (2002, 0, 0, 0), "bob")
        answer = told(who, "status", "--vms")
        running = [row for row in answer["vms"] if row["id"] is not None]
        tap.equal([(row["owner"], row["reported_name"], row["state"]) for row in running],
                  [("alice", CANARY, "running")], "what runs")
        tap.equal(running[0]["uuid"], vm.uuid(1), "its UUID")
        tap.equal((running[0]["vcpus"], running[0]["memory_kib"]), (alice["vcpus"], alice["memory_kib"]), "leased")
        leaves = os.listdir(f"{os.environ['TEST_CGROUP']}/u2001")
        tap.true(f"vm-{running[0]['id']}-{vm.uuid(1)}" in leaves, f"its leaf: {leaves}")
        tap.equal(sorted(row["reported_name"] for row in answer["vms"] if row["id"] is None), ["other", "web"],
                  "what does not run")
        tap.equal((answer["host"]["vms"], answer["host"]["limits"]), (1, "count"), "the host")
        tap.true(answer["host"]["connections"] >= 1 and answer["host"]["memory_kib"] > 0, "the host's figures")


@tap.test("the tables are readable, and say the same")
def _():
    said = ctl("carol", "status", "--vms")
    row = next(line for line in said.splitlines() if line.startswith("alice "))
    tap.true(re.fullmatch(r"alice +answers +\d+ +2 +1 +\d+ +[\d.]+ [KMGT]iB", row), row)
    tap.true(re.search(rf"^alice +{CANARY} +\d+ +running +\d+ +[\d.]+ [KMGT]iB +{vm.uuid(1)}$", said, re.M), said)
    tap.true(re.search(r"^alice +other +- +shut off +- +- ", said, re.M), said)
    tap.true(re.search(r"^policy:  rules \d+, read ", said, re.M), said)
    tap.note(said)


@tap.test("who has power over some sees them and herself, and no figures of the host")
def _():
    answer = told("bob", "status", "--vms")
    tap.equal(sorted(row["name"] for row in answer["users"]), ["alice", "bob"], "users")
    tap.equal([row["name"] for row in answer["users"] if row["own"]], ["bob"], "who is herself")
    tap.true(any(row["reported_name"] == CANARY for row in answer["vms"]), "her machine")
    for key in ("vms", "workers", "connections", "memory_kib", "audit", "audit_lost"):
        tap.equal(answer["host"][key], None, key)


@tap.test("an ordinary user sees her own share, and nothing of others")
def _():
    answer = told("alice", "status", "--vms")
    tap.equal([row["name"] for row in answer["users"]], ["alice"], "users")
    tap.equal(sorted(row["reported_name"] for row in answer["vms"]), sorted((CANARY, "other")), "machines")
    host.virsh("carol", "list")
    tap.equal(users("qemud-vm").keys(), {"system"}, "users as the system account")
    for arguments in (("status",), ("status", "--vms"), ("status", "--vms", "--json"), ("limits",),
                      ("limits", "--json")):
        said = ctl("qemud-vm", *arguments)
        for word in (CANARY, "alice", "2001", "bob", "2002", "carol", vm.uuid(1)):
            tap.true(word not in said, f"{word} in {arguments}: {said}")


@tap.test("limits are used and allowed, each by its line")
def _():
    def limits(user, *arguments):
        rows = told(user, "limits", *arguments)["limits"]
        return {(row["name"], row["limit"]): (row["used"], row["allowed"], row["rule"]) for row in rows}

    mine = limits("alice")
    tap.equal({name for name, _ in mine}, {"alice"}, "whose")
    tap.equal(mine["alice", "vms"], (1, 3, "policy.conf:5"), "her machines")
    tap.equal(mine["alice", "memory"][1:], (None, None), "her memory")
    bobs = limits("bob", "bob")
    tap.equal(bobs["bob", "vms"], (0, 1, "policy.conf:6"), "bob's machines")
    tap.equal(bobs["bob", "memory"], (0, 1 << 20, "policy.conf:6"), "bob's memory")
    everybodys = limits("root")
    tap.equal(everybodys[None, "vms"], (1, 40, "policy.conf:7"), "the host's machines")
    tap.equal(everybodys["alice", "vms"], mine["alice", "vms"], "alice's, to root")
    tap.equal({name for name, _ in limits("root", "2002")}, {"bob"}, "by uid")
    said = ctl("bob", "limits", "alice")
    tap.true(re.search(r"^alice +vms +1 +3 +policy.conf:5$", said, re.M), said)
    # Whether there is somebody whom she may not see is not told.
    unseen, unknown = ctl("alice", "limits", "bob", status=1), ctl("alice", "limits", "mallory", status=1)
    tap.equal(unseen, unknown, "what is said of who is not shown, and of nobody")


@tap.test("who is refused is told why: denied, without an account")
def _():
    said = ctl("dave", "status", status=1)
    tap.true("policy.conf:4" in said, said)
    said = ctl(4000000, "status", status=1)
    tap.true("4000000" in said and "account" in said, said)
    for arguments in (("status", "--vms"), ("limits",)):
        tap.true("policy.conf:4" in ctl("dave", *arguments, status=1), "denied")


@tap.test("a worker that is stopped is told apart, and not touched")
def _():
    worker = host.worker_of("alice")
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        seen = users("carol")
        tap.equal((seen["alice"]["worker"], seen["alice"]["answers"], seen["alice"]["vms"]),
                  ("serving", False, 1), "alice")
        tap.true("does not answer" in ctl("root", "status"), "the table")
        # It was asked nothing for which it would be ended.
        tap.equal(host.worker_of("alice").pid, worker.pid, "her worker")
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    wait(lambda: users("carol")["alice"]["answers"], "it answers again")


def canary():
    """The row of the machine that runs, as carol sees it."""
    return next(row for row in told("carol", "status", "--vms")["vms"] if row["id"] is not None)


def is_frozen():
    with open(f"{os.environ['TEST_CGROUP']}/u2001/vm-{canary()['id']}-{vm.uuid(1)}/cgroup.events",
              encoding="ascii") as events:
        return "frozen 1" in events.read().splitlines()


@tap.test("what root had stand still while its worker does not answer is frozen, and says so; then it runs")
def _():
    system = host.URI.replace("///session", "///system")
    worker = host.worker_of("alice")
    tap.equal((canary()["state"], is_frozen()), ("running", False), "before")
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        host.virsh("root", "suspend", f"alice:{CANARY}", uri=system)
        tap.equal((canary()["state"], is_frozen()), ("frozen", True), "it stands still")
        tap.true(re.search(rf"^alice +{CANARY} +\d+ +frozen +", ctl("root", "status", "--vms"), re.M), "the table")
        host.virsh("root", "resume", f"alice:{CANARY}", uri=system)
        tap.equal((canary()["state"], is_frozen()), ("running", False), "it goes on")
    finally:
        # The broker may have ended it, as one that takes no connection.
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGCONT)


@tap.test("what its worker paused is paused by the worker's word, and runs by the broker's")
def _():
    host.virsh("alice", "suspend", CANARY)
    wait(lambda: (canary()["state"], canary()["reported_state"]) == ("running", "paused"), "it is paused")
    host.virsh("alice", "resume", CANARY)
    wait(lambda: (canary()["state"], canary()["reported_state"]) == ("running", "running"), "it goes on")


@tap.test("a policy that does not hold is told, and the one that does")
def _():
    before = told("alice", "status")["host"]
    tap.equal((before["policy_failed"], before["policy_rules"] > 0), (False, True), "before")
    with open("/etc/qemud/policy.conf", "w", encoding="utf-8") as file:
        file.write(POLICY + "allow evryone view all\n")
    start = len(broker.log.lines)
    os.kill(broker.child.pid, signal.SIGHUP)
    broker.log.wait("the policy stays as it was", start=start)
    tap.equal(told("alice", "status")["host"]["policy_failed"], True, "after")
    tap.true("holds not" in ctl("alice", "status"), "the table")
    with open("/etc/qemud/policy.conf", "w", encoding="utf-8") as file:
        file.write(POLICY + "deny user carol view user alice\n")
    start = len(broker.log.lines)
    os.kill(broker.child.pid, signal.SIGHUP)
    broker.log.wait("hold from now on", start=start)
    tap.equal(told("alice", "status")["host"]["policy_failed"], False, "mended")
    # From whom one is hidden, the sums are, too.
    answer = told("carol", "status", "--vms")
    tap.true("alice" not in json.dumps(answer) and CANARY not in json.dumps(answer), f"{answer}")
    tap.equal(answer["host"]["vms"], None, "sums")


@tap.test("who has as many connections as she may have is told so, and that it is nobody's refusal")
def _():
    clients = []
    with host.identity("bob"):
        for _ in range(broker_connections):
            clients.append(socket.socket(socket.AF_UNIX))
            clients[-1].connect(SOCKET)
    try:
        said = ctl("bob", "status", status=3)
        tap.true("user_connections" in said and "close some" in said, said)
    finally:
        for client in clients:
            client.close()
    wait(lambda: host.run_as("bob", CTL, "status").returncode == 0, "they are gone")


@tap.test("what is no question is answered, silence is not waited for for long")
def _():
    for asked, code in ((b"nonsense\n", "question"), (b"2\tstatus\n", "question"), (b"1\tlimits\t\n", "question"),
                        (b"x" * 200, "question"), (b"1\tstatus\tbob\n", "question")):
        with host.identity("bob"), socket.socket(socket.AF_UNIX) as client:
            client.connect(SOCKET)
            client.sendall(asked)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := client.recv(4096):
                    answer += piece
            lines = answer.decode().splitlines()
            tap.equal((lines[0].split("\t")[:2], lines[-1]), (["error", code], "end\t1"), f"{asked}")
    with host.identity("bob"), socket.socket(socket.AF_UNIX) as client:
        client.connect(SOCKET)
        client.sendall(b"1\tsta")
        client.settimeout(60)
        tap.equal(client.recv(16), b"", "it is closed")


@tap.test("what cannot be written to its end has a status that says so")
def _():
    for arguments in (("status",), ("status", "--vms", "--json"), ("limits",)):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(host.command_as("root", CTL, *arguments), stdout=full, stderr=subprocess.PIPE,
                                  text=True, timeout=120, check=False)
        tap.equal(done.returncode, 3, f"{arguments}: {done.stderr}")
        tap.true("standard output cannot be written" in done.stderr, done.stderr)


@tap.test("called wrongly it says how")
def _():
    for arguments in (("status", "x"), ("status", "--x"), ("limits", "a", "b"), ("limits", "--vms")):
        tap.true("usage: qemudctl" in ctl("alice", *arguments, status=2), f"{arguments}")


host.virsh("alice", "destroy", CANARY)
tap.equal(broker.stop(), 0, "exit status")
broker = host.start_broker(user_connections_per_second=1)


@tap.test("who asks too often is told so, and asks again")
def _():
    for _ in range(50):
        done = host.run_as("bob", CTL, "status")
        if done.returncode != 0:
            break
    tap.equal((done.returncode, done.stdout), (3, ""), done.stderr)
    tap.true("user_connections_per_second 1" in done.stderr and "wait" in done.stderr, done.stderr)
    wait(lambda: host.run_as("bob", CTL, "status").returncode == 0, "a second later she is answered")


host.finish()
