# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: who has no account of this host is nobody, and told so; a user namespace makes nobody
# anybody else.
import os

import host
import proc
import rpc
import tap

broker = host.start_broker()

for uid, why in ((4242, "has no account"), (65534, "does not know"), (61200, "DynamicUser"),
                 (100000, "no account"), (165535, "no account")):
    @tap.test(f"uid {uid} is refused, in words, on both sockets")
    def _(uid=uid, why=why):
        for path in (rpc.SOCKET, rpc.SOCKET_RO):
            with host.identity(uid):
                client = rpc.Client(path)
            with client:
                error = client.call(rpc.AUTH_LIST).error
                tap.true(error and f"uid {uid}" in error.message and why in error.message, f"{error}")


@tap.test("an account whose uid lies in somebody's subordinate range is refused")
def _():
    with open("/etc/passwd", "a", encoding="utf-8") as file:
        file.write("shadow:x:100007:100007::/home/shadow:/bin/sh\n")
    with host.identity(100007):
        client = rpc.Client()
    with client:
        error = client.call(rpc.AUTH_LIST).error
        tap.true(error and "subordinate" in error.message, f"{error}")


@tap.test("virsh prints the refusal in full")
def _():
    said = host.run_as_uid(4242, "virsh", "-c", host.URI, "list").stderr
    tap.true("uid 4242 has no account on this host" in said, said)


@tap.test("who maps herself to root in a user namespace connects under her own uid")
def _():
    result = host.run_as("bob", "unshare", "--user", "--map-root-user",
                         "virsh", "-c", host.URI, "list", "--all", "--name")
    tap.equal((result.returncode, result.stdout.strip()), (0, ""), f"virsh: {result.stderr}")
    tap.equal(host.worker_of("bob").ids("Uid"), [2002] * 4, "uids of the worker")
    tap.equal(host.worker_of("bob").groups(), host.GROUPS["bob"], "groups of the worker")


@tap.test("nobody's connection started a worker")
def _():
    tap.equal([p.ids("Uid")[1] for p in proc.find("qemud-worker")], [2002], "uids of workers")


@tap.test("an account that is made while the broker runs is somebody")
def _():
    with open("/etc/passwd", "a", encoding="utf-8") as file:
        file.write("erin:x:2005:2005::/home/erin:/bin/sh\n")
    os.mkdir("/home/erin", 0o700)
    os.chown("/home/erin", 2005, 2005)
    with host.identity(2005):
        client = rpc.Client()
    with client:
        client.open()


host.finish()
