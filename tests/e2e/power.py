# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a VM starts, pauses, goes on and ends as its owner says, everybody is told, and what
# fails is said in words and leaves nothing behind.
# test: timeout=480 untraced
import os
import subprocess
import threading

import host
import proc
import rpc
import tap
import vm

broker = host.start_broker(idle_seconds=600)


@tap.test("a VM runs under its owner's uid, in a leaf of its own, until it is destroyed")
def _():
    vm.define("alice", "one", 1)
    host.virsh("alice", "start", "one")
    tap.equal(vm.state("alice", "one"), "running (booted)", "state")
    tap.equal(vm.qemu("alice").ids("Uid"), [2001] * 4, "uids of QEMU")
    tap.equal(vm.leaves(), [f"vm-1-{vm.uuid(1)}"], "leaves")
    tap.equal(vm.ids("alice"), {"one": 1}, "what runs")
    host.virsh("alice", "destroy", "one")
    tap.equal(vm.state("alice", "one"), "shut off (destroyed)", "state")
    tap.equal(vm.qemus("alice"), [], "QEMUs")
    tap.equal(vm.leaves(), [], "leaves")
    tap.equal(os.listdir("/run/qemud/users/2001"), ["autostarted"], "files of run-time state")


@tap.test("several clients are told of every change, in the order of libvirtd; others of none")
def _():
    watchers = [vm.Watcher("alice") for _ in range(3)]
    other = vm.Watcher("bob")
    host.virsh("alice", "start", "one")
    host.virsh("alice", "suspend", "one")
    tap.equal(vm.state("alice", "one"), "paused (user)", "state")
    host.virsh("alice", "suspend", "one")
    host.virsh("alice", "resume", "one")
    tap.equal(vm.state("alice", "one"), "running (unpaused)", "state")
    host.virsh("alice", "destroy", "one")
    for watcher in watchers:
        watcher.wait("one", "resumed", "started", "suspended", "resumed", "stopped destroyed")
        watcher.close()
    tap.equal(other.told("one"), [], "what bob was told")
    other.close()


@tap.test("what cannot be done now is refused as libvirtd refuses it")
def _():
    wanted = {("suspend", "one"): "domain is not running", ("resume", "one"): "domain is not running",
              ("destroy", "one"): "domain is not running"}
    for words, want in wanted.items():
        said = host.virsh_fails("alice", *words)
        tap.true(said.endswith(f"Requested operation is not valid: {want}"), f"{words}: {said}")
    host.virsh("alice", "start", "one", "--paused")
    tap.equal(vm.state("alice", "one"), "paused (user)", "state")
    host.virsh("alice", "resume", "one")
    for words in (("start", "one"), ("resume", "one")):
        said = host.virsh_fails("alice", *words)
        tap.true("already" in said, f"{words}: {said}")
    tap.true("failed to get domain" in host.virsh_fails("bob", "destroy", vm.uuid(1)), "bob's try")


@tap.test("what it said is kept when it is destroyed, unless its owner wants that removed")
def _():
    def logs():
        return sorted(name for name in os.listdir("/home/alice/.qemud/log") if name.startswith("said"))
    vm.define("alice", "said", 9)
    vm.define("alice", "said.other", 8)
    for name in ("said", "said.other"):
        host.virsh("alice", "start", name)
    host.virsh("alice", "destroy", "said")
    host.virsh("alice", "destroy", "said.other")
    for name in ("said.log.1", "said.console.1"):
        with open(f"/home/alice/.qemud/log/{name}", "w", encoding="ascii") as file:
            file.write("before\n")
    others = ["said.other.console", "said.other.log"]
    tap.equal(logs(), sorted(["said.console", "said.console.1", "said.log", "said.log.1", *others]), "kept")
    host.virsh("alice", "start", "said")
    host.virsh("alice", "destroy", "said", "--remove-logs")
    tap.equal(logs(), others, "kept after that")
    host.virsh("alice", "undefine", "said")
    host.virsh("alice", "undefine", "said.other")


@tap.test("on the read-only socket she sees it run and can change nothing of it")
def _():
    tap.equal(vm.state("alice", "one", host.URI_RO), "running (unpaused)", "state")
    with host.client_as("alice", rpc.SOCKET_RO) as client:
        client.open()
        for number in (rpc.DOMAIN_CREATE, rpc.DOMAIN_DESTROY, rpc.DOMAIN_RESUME, rpc.DOMAIN_SUSPEND,
                       rpc.DOMAIN_CREATE_WITH_FLAGS, rpc.DOMAIN_DESTROY_FLAGS):
            tap.equal(client.call(number).error.code, 29, f"procedure {number}")
    host.virsh("alice", "destroy", "one", "--graceful")
    tap.equal(vm.state("alice", "one"), "shut off (destroyed)", "state")


@tap.test("a QEMU that is killed is shown as crashed, to everybody, at once")
def _():
    watcher = vm.Watcher("alice")
    host.virsh("alice", "start", "one")
    os.kill(vm.qemu("alice").pid, 9)
    watcher.wait("one", "resumed", "started", "stopped failed")
    tap.equal(vm.state("alice", "one"), "shut off (crashed)", "state")
    watcher.close()
    host.virsh("alice", "start", "one")
    host.virsh("alice", "destroy", "one")


@tap.test("a start that fails says why, and the next one finds the way free")
def _():
    image = vm.make_file("alice", "disk.qcow2")
    vm.define("alice", "broken", 2, vm.disk(image, kind="qcow2"))
    for _ in range(3):
        said = host.virsh_fails("alice", "start", "broken")
        tap.true("Image is not in qcow2 format" in said, f"QEMU's last words: {said}")
        tap.equal(vm.state("alice", "broken"), "shut off (failed)", "state")
        tap.equal(vm.leaves(), [], "leaves")
    os.unlink(image)
    said = host.virsh_fails("alice", "start", "broken")
    tap.true(f"Cannot access storage file '{image}'" in said, said)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "16M"], check=True)
    os.chown(image, 2001, 2001)
    host.virsh("alice", "start", "broken")
    vm.define("alice", "second", 3, vm.disk(image, kind="qcow2"))
    said = host.virsh_fails("alice", "start", "second")
    tap.true('Failed to get "write" lock' in said, f"one image, two machines: {said}")
    host.virsh("alice", "destroy", "broken")
    host.virsh("alice", "start", "second")
    host.virsh("alice", "destroy", "second")


@tap.test("somebody else's file is no disk, and no kernel, of hers")
def _():
    secret = vm.make_file("bob", "secret")
    os.chmod("/home/bob", 0o711)
    os.chmod(secret, 0o600)
    vm.define("alice", "thief", 4, vm.disk(secret))
    said = host.virsh_fails("alice", "start", "thief")
    tap.true("Permission denied" in said, said)
    vm.define("alice", "thief", 4, os_more=f"<kernel>{secret}</kernel>")
    said = host.virsh_fails("alice", "start", "thief")
    tap.true("Permission denied" in said, said)


@tap.test("of clients that start one VM at once, one does; of many VMs each has an id of its own")
def _():
    results = []
    def start(user, name):
        results.append(host.run_as(user, "virsh", "-c", host.URI, "start", name).returncode)
    threads = [threading.Thread(target=start, args=("alice", "one")) for _ in range(4)]
    for i in range(host.count(full=3, long=20)):
        for user, first in (("alice", 100), ("bob", 200)):
            vm.define(user, f"vm{i}", first + i)
            threads.append(threading.Thread(target=start, args=(user, f"vm{i}")))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tap.equal(results.count(1), 3, "refused starts")
    numbers = [*vm.ids("alice").values(), *vm.ids("bob").values()]
    tap.equal(len(set(numbers)), len(numbers), "different ids")
    tap.equal(len(vm.leaves()), len(numbers), "leaves")
    for user in ("alice", "bob"):
        for name in vm.ids(user):
            host.virsh(user, "destroy", name)
    tap.equal(vm.leaves(), [], "leaves")


@tap.test("a client that goes in the middle of a start changes nothing of it")
def _():
    watcher = vm.Watcher("alice")
    for started in range(host.count(full=3, long=50)):
        with host.client_as("alice") as client:
            client.open().send(rpc.DOMAIN_CREATE, vm.wire("one", 1))
        with watcher.log.changed:
            watcher.log.changed.wait_for(
                lambda started=started: watcher.told("one").count("started") > started, 60)
        tap.true(vm.state("alice", "one").startswith("running"), "state")
        host.virsh("alice", "destroy", "one")
    watcher.close()


@tap.test("a start is ended by destroy, whatever it is at")
def _():
    initrd = vm.make_file("alice", "initrd", 200 << 20)
    kernel = vm.make_file("alice", "kernel", 8 << 20)
    vm.define("alice", "slow", 5, os_more=f"<kernel>{kernel}</kernel><initrd>{initrd}</initrd>")
    with host.client_as("alice") as client, host.client_as("alice") as other:
        client.open().send(rpc.DOMAIN_CREATE, vm.wire("slow", 5))
        other.open()
        while not vm.state("alice", "slow").startswith(("paused", "running")):
            answer = other.call(rpc.DOMAIN_DESTROY, vm.wire("slow", 5))
            if not answer.error:
                break
        error = client.receive().error
        tap.true(error is None or error.code in (1, 78), f"the start's error: {error}")
    if vm.ids("alice"):
        host.virsh("alice", "destroy", "slow")
    tap.equal((vm.qemus("alice"), vm.leaves()), ([], []), "what is left")


@tap.test("a VM that is undefined while it runs goes on, and is gone when it ends")
def _():
    host.virsh("alice", "start", "one")
    host.virsh("alice", "undefine", "one")
    tap.equal(vm.ids("alice").keys(), {"one"}, "what runs")
    tap.true("Persistent:     no" in host.virsh("alice", "dominfo", "one"), "transient")
    host.virsh("alice", "destroy", "one")
    tap.true("failed to get domain" in host.virsh_fails("alice", "dominfo", "one"), "gone")


@tap.test("QEMU has none of its owner's other files, no network, no capability, and cannot be left")
def _():
    vm.define("alice", "boxed", 6)
    host.virsh("alice", "start", "boxed")
    qemu = vm.qemu("alice")
    status = qemu.status()
    tap.equal((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"), "seccomp, no_new_privs")
    tap.equal(set(qemu.capabilities().values()), {0}, "capabilities")
    mine = proc.Process(os.getpid())
    for kind in ("mnt", "net", "pid", "ipc", "uts"):
        tap.true(qemu.namespace(kind) != mine.namespace(kind), f"namespace {kind} of its own")
    tap.equal(qemu.namespace("user"), mine.namespace("user"), "user namespace")
    tap.true(not os.path.exists(f"/proc/{qemu.pid}/root/home"), "no /home")
    tap.equal(sorted(n for n in qemu.environment()), ["HOME=/nonexistent", "LANG=C", "PATH=/usr/bin:/bin"],
              "environment")
    host.virsh("alice", "destroy", "boxed")


host.finish()
