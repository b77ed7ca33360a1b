# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: whatever is wrong with a home is said in words when its owner connects, is never made
# worse, and is over as soon as she has mended it, without a restart of anything.
# test: timeout=480
import os
import subprocess

import host
import proc
import rpc
import tap

HOME = "/home/alice"
STATE = f"{HOME}/.qemud"
FOLDERS = ("domains", "autostart", "log", "cache")
DEFINITION = ("<domain type='qemu'><name>{}</name><memory unit='MiB'>64</memory>{}"
              "<os><type>hvm</type></os></domain>")


def sh(command, user="alice"):
    """A shell command in her home directory."""
    done = host.run_as(user, "sh", "-c", f"cd && {command}")
    tap.equal((done.returncode, done.stderr), (0, ""), command)
    return done.stdout


def define(name, more=""):
    path = "/tmp/definition.xml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(DEFINITION.format(name, more))
    return host.run_as("alice", "virsh", "-c", host.URI, "define", path)


def names():
    return sorted(host.virsh("alice", "list", "--all", "--name").split())


def end_worker():
    """Ends alice's worker, so that the next client finds one that has opened nothing yet."""
    for worker in proc.find("qemud-worker", host.UID["alice"]):
        end = proc.End(worker)
        os.kill(worker.pid, 15)
        end.wait(60)


def refused(words):
    """The refusal of a connection says this, on both sockets; bob is served meanwhile."""
    for uri in (host.URI, host.URI_RO):
        said = host.virsh_fails("alice", "list", uri=uri)
        tap.true(f"error: operation failed: {words}" in said, f"{said!r} says {words!r}")
    tap.equal(host.virsh("bob", "list", "--all", "--name"), "", "bob's")


broker = host.start_broker(idle_seconds=600)


@tap.test("what is absent is made, for its owner alone")
def _():
    tap.equal(names(), [], "alice's")
    for path in (STATE, *(f"{STATE}/{folder}" for folder in FOLDERS)):
        status = os.lstat(path)
        tap.equal((status.st_uid, status.st_gid, status.st_mode), (2001, 2001, 0o40700), path)
    tap.equal(define("kept").returncode, 0, "define")


@tap.test("a wrong mode is refused in words, and taken when it is mended")
def _():
    for folder in ("", *(f"/{folder}" for folder in FOLDERS)):
        for mode in ("0755", "0770", "0600", "1700", "2700") if host.LONG or not folder else ("0750",):
            end_worker()
            sh(f"chmod {mode} {STATE}{folder}")
            at = f"{STATE}{folder}"
            if mode == "0600":
                # Not to be entered; which step finds it first does not matter.
                host.virsh_fails("alice", "list")
            else:
                refused(f"{at} has mode {mode}, must have 0700; look at what is in it, then: "
                        f"chmod 0700 {at}")
            tap.equal(oct(os.lstat(at).st_mode & 0o7777), oct(int(mode, 8)), "mode, not mended")
            sh(f"chmod 00700 {at}")
            tap.equal(names(), ["kept"], "alice's")


@tap.test("the worker that refused is the one that serves when it is mended")
def _():
    end_worker()
    sh(f"chmod 0755 {STATE}")
    with host.client_as("alice") as client:
        # It stays connected: the same worker, the same connection.
        for _ in range(3):
            error = client.call(rpc.CONNECT_OPEN, rpc.optional(rpc.string("qemu:///session")) +
                                rpc.u32(0)).error
            tap.equal((error.code, error.domain), (9, 10), "error")
        worker = host.worker_of("alice")
        sh(f"chmod 0700 {STATE}")
        tap.true(not client.open().call(rpc.CONNECT_GET_TYPE).error, "open")
        tap.equal(names(), ["kept"], "alice's")
        tap.equal(host.worker_of("alice").pid, worker.pid, "worker")


@tap.test("a wrong owner is refused in words, and taken when it is mended")
def _():
    for folder in ("", *(f"/{folder}" for folder in FOLDERS)):
        end_worker()
        at = f"{STATE}{folder}"
        os.chown(at, 2002, 2002)
        os.chmod(at, 0o777)
        refused(f"{at} belongs to uid 2002, not to you (uid 2001); remove it or have it given to you")
        os.chown(at, 2001, 2001)
        os.chmod(at, 0o700)
        tap.equal(names(), ["kept"], "alice's")


@tap.test("symbolic links and files in place of folders are refused, and followed nowhere")
def _():
    for folder in ("", *(f"/{folder}" for folder in FOLDERS)):
        at = f"{STATE}{folder}"
        kinds = (f"ln -s {HOME}/elsewhere {at}", f": >{at}", f"ln -s /nonexistent {at}", f"mkfifo {at}")
        for wrong in kinds if host.LONG or not folder else kinds[:1]:
            end_worker()
            sh(f"mv {at} {HOME}/away; mkdir -m 0700 {HOME}/elsewhere; {wrong}")
            refused(f"{at} is not a folder; move it away, qemud makes a new one with mode 0700")
            tap.equal(os.listdir(f"{HOME}/elsewhere"), [], "where the link leads")
            sh(f"rm {at}; rmdir {HOME}/elsewhere; mv {HOME}/away {at}")
            tap.equal(names(), ["kept"], "alice's")


@tap.test("a home that is missing, or may not be entered, is said")
def _():
    end_worker()
    os.rename(HOME, "/home/away")
    refused(f"your home directory {HOME} cannot be opened: No such file or directory")
    os.mkdir(HOME, 0o755)
    refused(f"{HOME}/.qemud cannot be made: Permission denied")
    os.rmdir(HOME)
    os.rename("/home/away", HOME)
    tap.equal(names(), ["kept"], "alice's")


@tap.test("a bad file among the definitions harms no other, is left alone, and is logged with its reason")
def _():
    end_worker()
    start = len(broker.log.lines)
    sh(f"""cd {STATE}/domains
           echo '<domain' >torn.xml; : >empty.xml; mkfifo pipe.xml; mkdir folder.xml
           ln -s /etc/passwd link.xml; truncate -s 3M long.xml
           printf '\\377\\376' >bytes.xml; cp kept.xml unreadable.xml; chmod 0 unreadable.xml
           echo hello >notes.txt; echo '<domain' >.hidden.xml""")
    before = sh(f"cd {STATE}/domains; ls -A")
    tap.equal(names(), ["kept"], "alice's")
    for name, why in (("torn", "Couldn't find end"), ("empty", "Document is empty"), ("pipe", ""),
                      ("folder", ""), ("link", "symbolic link"),
                      ("long", "longer than a definition"), ("bytes", ""), ("unreadable", "Permission denied")):
        found = broker.log.wait(f'definition "{name}" is left alone', start=start)
        tap.true(why in found, found)
    tap.equal(len(broker.log.find("is left alone", start)), 8, "lines")
    failed = define("torn")
    tap.true(failed.returncode == 1 and "domains/torn.xml is there and has not been loaded" in
             failed.stderr, failed.stderr)
    tap.equal(sh(f"cd {STATE}/domains; ls -A"), before, "files")
    sh(f"cd {STATE}/domains; rm torn.xml; chmod 0600 unreadable.xml; chmod 0700 folder.xml; "
       "rm -r empty.xml pipe.xml folder.xml link.xml long.xml bytes.xml unreadable.xml")
    tap.equal(define("torn").returncode, 0, "define")
    host.virsh("alice", "undefine", "torn")


@tap.test("a home that fills up: what does not fit is refused, nothing else is lost or half written")
def _():
    end_worker()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M,nr_inodes=128,mode=0700,uid=2001,gid=2001", "small", HOME],
                   check=True)
    try:
        blob = f"<description>{'x' * 20000}</description>"
        defined = []
        tap.equal(names(), [], "alice's")
        for i in range(200):
            done = define(f"vm{i}", blob)
            if done.returncode != 0:
                break
            defined.append(f"vm{i}")
        tap.true(2 < len(defined) < 100, f"{len(defined)} fitted")
        tap.true(f"cannot save the definition of domain 'vm{len(defined)}' in ~/.qemud/domains: "
                 "No space left on device" in done.stderr, done.stderr)
        tap.equal(names(), sorted(defined), "alice's")
        before = host.virsh("alice", "dumpxml", "vm0")
        # The same name anew does not fit either, and the old one stays.
        uuid = host.virsh("alice", "domuuid", "vm0")
        tap.true("No space left" in define("vm0", f"<uuid>{uuid}</uuid>{blob}<title>t</title>").stderr,
                 "define anew")
        tap.equal(host.virsh("alice", "dumpxml", "vm0"), before, "the dump")
        # As full as can be: not even a link.
        sh("head -c 2000000 /dev/zero >filler 2>/dev/null || true; cd .qemud/autostart; "
           "i=0; while ln -s x $i 2>/dev/null; do i=$((i + 1)); done")
        said = host.virsh_fails("alice", "autostart", "vm0")
        tap.true("cannot change ~/.qemud/autostart for domain 'vm0'" in said, said)
        tap.true(host.virsh("alice", "dominfo", "vm0").find("Autostart:      disable") > 0, "autostart")
        end_worker()
        tap.equal(names(), sorted(defined), "alice's, for the next worker")
        tap.equal(host.virsh("alice", "dumpxml", "vm0"), before, "the dump")
        tap.equal(sh(f"cd {STATE}/domains; ls -A | grep -v '^vm[0-9]*[.]xml$' || true"), "", "left over")
        # What goes makes room, without a restart.
        host.virsh("alice", "undefine", "vm1")
        sh("rm filler; cd .qemud/autostart; find . -type l -delete")
        tap.equal(define("vm1", blob).returncode, 0, "define")
        host.virsh("alice", "autostart", "vm0")
        end_worker()
        tap.equal(names(), sorted(defined), "alice's")
    finally:
        end_worker()
        subprocess.run(["umount", "-l", HOME], check=True)
    tap.equal(names(), ["kept"], "alice's other home")


@tap.test("a home that can be written no more is said")
def _():
    end_worker()
    subprocess.run(["mount", "--bind", HOME, HOME], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", HOME], check=True)
    try:
        refused(f"{STATE}/lock cannot be locked: Read-only file system")
    finally:
        subprocess.run(["umount", "-l", HOME], check=True)
    tap.equal(names(), ["kept"], "alice's")


@tap.test("of two brokers' workers one serves a home; the other one's client is told, then served")
def _():
    tap.equal(names(), ["kept"], "alice's")
    first = host.worker_of("alice")
    os.makedirs("/run/second")
    second = host.Broker(runtime_dir="/run/second/run", state_dir="/run/second/state", cgroup="none")
    uri = "qemu+unix:///session?socket=/run/second/run/qemud-sock"
    with host.client_as("alice") as client:
        client.open()  # so that the first worker stays
        said = host.virsh_fails("alice", "list", uri=uri)
        tap.true(f"{STATE}/lock is held by another worker of yours" in said, said)
        # One that waits is served as soon as the other worker has gone.
        waiting = subprocess.Popen(host.command_as("alice", "virsh", "-c", uri, "list", "--all", "--name"),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        end = proc.End(first)
        os.kill(first.pid, 9)
        end.wait(60)
    said, errors = waiting.communicate(timeout=30)
    tap.equal((said.split(), errors), (["kept"], ""), "list by the second")
    tap.equal(second.stop(), 0, "exit status of the second broker")
    host.remove_run("/run/second")
    tap.equal(names(), ["kept"], "alice's, by the first broker")


host.finish()
