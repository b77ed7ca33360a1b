# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: by their own system calls, broker and starter read no byte of an accepted connection and
# use no path below a user's control; and the reader of those logs sees it when they do.
# test: native
import os
import signal

import audit
import host
import proc
import rpc
import tap

broker = host.start_broker(idle_seconds=1)


@tap.test("a run with everything in it: two accounts, root, refusals, a crash, a worker that leaves")
def _():
    for user in ("alice", "bob", "root"):
        host.virsh(user, "list")
        host.virsh(user, "list", uri=host.URI_RO)
    with host.identity(4242):
        client = rpc.Client()
    with client:
        tap.true(client.call(rpc.AUTH_LIST).error, "a refusal")
    with host.client_as("alice") as watcher, host.client_as("alice"):
        # Bytes that wait in the socket while its worker is being started.
        watcher.open()
        worker = proc.End(host.worker_of("alice"))
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(60)
    with host.client_as("alice") as client:
        client.open()
    host.virsh("bob", "list")
    host.wait_until_idle("bob")
    broker.stop()


@tap.test("the logs show broker and starter at work, and nothing that they must not do")
def _():
    violations, n_clients, programs = audit.read(broker.trace)
    tap.equal(violations, [], "violations")
    tap.equal(programs, {"qemud", "qemud-launch"}, "programs that were seen")
    tap.true(n_clients >= 9, f"{n_clients} accepted connections")


# Each is one more line in the broker's or the starter's log, and what it must be taken for.
ACCEPT = 'accept4(7<socket:[42]>, NULL, NULL, SOCK_CLOEXEC) = 9<socket:[4242]>\n'
CRIMES = {
    "reads a client's connection": (
        'recvfrom(9<socket:[4242]>, 0x7ffe, 512, 0, NULL, NULL) = 28',
        'read(9<socket:[4242]>, ""..., 4) = 4',
        'recvmsg(9<socket:[4242]>, {msg_name=NULL}, 0) = -1 EAGAIN (Resource temporarily unavailable)',
        'splice(9<socket:[4242]>, NULL, 10<pipe:[5]>, NULL, 100, 0) = 10'),
    "touches a user's path": (
        'openat(AT_FDCWD</>, "/home/alice/.qemud/x", O_RDONLY) = 8</home/alice/.qemud/x>',
        'newfstatat(8</home/alice>, ".qemud", {st_mode=S_IFDIR|0700}, 0) = 0',
        'unlinkat(AT_FDCWD</>, "/run/qemud/users/2001/x", 0) = -1 ENOENT (No such file or directory)',
        'openat(6</run/qemud/users/2001>, "x", O_RDONLY) = -1 ENOENT (No such file or directory)'),
    "could read unseen": ('io_uring_setup(8, 0x7ffe) = 5',),
}

for verdict, lines in CRIMES.items():
    @tap.test(f"a line in such a log that {verdict} is found")
    def _(verdict=verdict, lines=lines):
        for program in ("qemud", "qemud-launch"):
            for line in lines:
                with open(f"{host.OUT}/crime.1", "w", encoding="utf-8") as file:
                    file.write(f'execve("/usr/sbin/{program}", ["{program}"], 0x7ffe /* 2 vars */) = 0\n'
                               + ACCEPT + line + "\n")
                violations, _, _ = audit.read(f"{host.OUT}/crime")
                tap.true(len(violations) == 1 and verdict in violations[0], f"{line}: {violations}")


@tap.test("the same lines of a process that gave up root are its own affair")
def _():
    with open(f"{host.OUT}/crime.1", "w", encoding="utf-8") as file:
        file.write('execve("/usr/sbin/qemud-launch", ["qemud-launch"], 0x7ffe /* 2 vars */) = 0\n'
                   'clone3({flags=CLONE_PIDFD, exit_signal=SIGCHLD}, 88) = 2\n')
    with open(f"{host.OUT}/crime.2", "w", encoding="utf-8") as file:
        file.write('setresuid(2001, 2001, 2001) = 0\n' + CRIMES["touches a user's path"][0] + "\n")
    tap.equal(audit.read(f"{host.OUT}/crime")[0], [], "violations after setresuid")
    with open(f"{host.OUT}/crime.2", "w", encoding="utf-8") as file:
        file.write(CRIMES["touches a user's path"][0] + "\n")
    tap.equal(len(audit.read(f"{host.OUT}/crime")[0]), 1, "violations without it")


host.finish()
