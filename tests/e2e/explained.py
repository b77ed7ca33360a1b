# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: qemudctl tells mistakes of a policy with line and column, and says for anybody and any
# machine what the rules decide, by which line, with a status for scripts.
import os
import subprocess

import host
import tap

CTL = "/srv/qemud/sbin/qemudctl"
FILE = "/etc/qemud/policy.conf"
GOOD = """allow everyone            manage  own
allow group  lab-admins   manage  all
allow user   bob          power   group students
deny  user   carol        console user alice
limit everyone            vms 2
"""


def ctl(*arguments, status=0, user="root"):
    done = subprocess.run(host.command_as(user, CTL, *arguments), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60, check=False)
    tap.equal(done.returncode, status, f"status of {arguments}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def write(text, path=FILE):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


@tap.test("good rules are, for anybody who may read them; without a file the built-in ones hold")
def _():
    os.makedirs("/etc/qemud", exist_ok=True)
    tap.true("0 errors" in ctl("policy", "check"), "no file")
    ctl("policy", "explain", "alice", "manage", "own")
    ctl("policy", "explain", "alice", "view", "bob", status=1)
    write(GOOD)
    tap.true("0 errors, 0 warnings" in ctl("policy", "check", user="dave"), "good rules")


@tap.test("mistakes are told with file, line and column; names are looked up here")
def _():
    write("allow everyone manage own\nallow evryone view all\ndeny user nobody-such\nallow user alise view all\n",
          "/tmp/bad.conf")
    said = ctl("policy", "check", "/tmp/bad.conf", status=1)
    tap.true("/tmp/bad.conf:2:7: error: " in said and "evryone" in said, said)
    write("deny user nobody-such\nallow user alise view all\n", "/tmp/names.conf")
    said = ctl("policy", "check", "/tmp/names.conf", status=1)
    tap.true("/tmp/names.conf:1:" in said and "error: " in said and "nobody-such" in said, said)
    tap.true("/tmp/names.conf:2:" in said and "warning: " in said and "alise" in said, said)
    tap.true("No such file" in ctl("policy", "check", "/tmp/none.conf", status=3), "no such file")
    ctl("policy", "check", "/tmp/a", "/tmp/b", status=2)


@tap.test("what is in policy.d counts, in its order, and nothing else that lies there")
def _():
    write("deny user dave\n", "/etc/qemud/policy.d/10-dave.conf")
    write("nonsense\n", "/etc/qemud/policy.d/10-dave.conf~")
    said = ctl("policy", "explain", "dave", "view", "own", status=1)
    tap.true("policy.d/10-dave.conf:1" in said, said)
    write("nonsense\n", "/etc/qemud/policy.d/20.conf")
    tap.true("policy.d/20.conf:1:1: error: " in ctl("policy", "check", status=1), "the file with a mistake")
    tap.true("are not loaded" in ctl("policy", "explain", "dave", "view", "own", status=3), "no answer by halves")
    os.remove("/etc/qemud/policy.d/20.conf")


@tap.test("the decision names its line: allowed, denied, not allowed, read-only, nobody, uid")
def _():
    for arguments, status, line in (
            (("alice", "manage", "own"), 0, "policy.conf:1"),
            (("alice", "console", "bob"), 0, "policy.conf:2"),   # in lab-admins
            (("bob", "power", "alice"), 0, "policy.conf:3"),     # alice is a student
            (("bob", "console", "alice"), 1, ""),
            (("carol", "view", "alice"), 0, "policy.conf:2"),
            (("carol", "console", "alice"), 1, "policy.conf:4"),
            (("carol", "manage", "alice"), 1, "policy.conf:4"),  # which includes console
            (("--read-only", "alice", "power", "own"), 1, ""),
            (("2002", "power", "2001"), 0, "policy.conf:3"),
            (("4000000", "view", "alice"), 1, ""),
            (("root", "manage", "alice"), 0, "")):
        said = ctl("policy", "explain", *arguments, status=status)
        tap.true(line in said, f"{arguments}: {said}")
    for arguments in (("mallory", "view", "alice"), ("alice", "view", "mallory"), ("mallory", "view", "own")):
        tap.true("no such account" in ctl("policy", "explain", *arguments, status=1), f"{arguments}")
    ctl("policy", "explain", "alice", "fly", "bob", status=2)
    ctl("policy", "explain", "alice", status=2)


@tap.test("how it is called is told")
def _():
    tap.true("policy explain" in ctl("--help") and "audit verify" in ctl("--help"), "help")
    ctl("--version")
    ctl(status=2)
    ctl("audit", "sing", status=2)


@tap.test("each exit status is what its manual says, of every command that reads files")
def _():
    os.makedirs("/tmp/empty", exist_ok=True)
    write("no line of a log\n", "/tmp/audit.log")
    nobody = "dave"  # who reads no file of root's
    write("deny user alice\n", "/tmp/secret.conf")
    os.chmod("/tmp/secret.conf", 0o600)
    for status, lines in (
            (1, ("policy check /tmp/bad.conf", "policy explain carol console alice", "policy explain mallory view own",
                 "audit verify /tmp/audit.log")),
            (2, ("policy", "policy check --fast", "policy explain --policy", "audit verify --head none",
                 "audit tail -n many", "status --user alice", "limits alice bob", "status --socket")),
            (3, ("policy check /tmp/none.conf", "policy check /tmp/secret.conf",
                 "policy explain --policy /tmp/none.conf alice view own",
                 "policy explain --policy /tmp/secret.conf alice view own",
                 "policy explain --policy /tmp/bad.conf alice view own",
                 "audit verify --dir /tmp/none", "audit verify --dir /tmp/empty", "audit verify /tmp/empty",
                 "audit verify --heads /tmp/none", "audit tail --dir /tmp/none", "audit tail --dir /tmp/empty",
                 "status --socket /tmp/none", "limits --socket /tmp/audit.log"))):
        for line in lines:
            tap.true(ctl(*line.split(), status=status, user=nobody) != "", f"{line}: says why")


tap.end()
