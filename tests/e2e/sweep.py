# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: on a read-only connection every procedure that is not for viewing is refused with the
# formal error, every number that is no procedure is unknown, and the rest is answered.
#
# The client does not say that it is read-only: a released one would refuse by itself.
import host
import rpc
import tap

OPERATION_DENIED, FROM_DOMAIN = 29, 20
RPC_ERROR, FROM_RPC = 39, 7
NO_CONNECT_AFTER = (rpc.CONNECT_CLOSE,)
PROGRAMS = {"remote": rpc.REMOTE, "qemu": rpc.QEMU}
ROUNDS = host.count(full=1, long=10)


def table():
    """{(program, number): (name, verb, api)} as the project's own table has it."""
    rows = {}
    with open("/srv/qemud/protocol/rpc/procedures.tsv", encoding="utf-8") as file:
        columns = file.readline().lstrip("#").rstrip("\n").split("\t")
        for line in file:
            row = dict(zip(columns, line.rstrip("\n").split("\t")))
            rows[PROGRAMS[row["program"]], int(row["number"])] = row
    return rows


TABLE = table()


def wrong(program, number, reply):
    """What is wrong with the answer to this number, or None."""
    row, error = TABLE.get((program, number)), reply.error
    if row is None or row["verb"] == "event":
        want = (RPC_ERROR, FROM_RPC, 2, f"unknown procedure: {number}")
        got = (error.code, error.domain, error.level, error.message) if error else reply
        return None if got == want else f"{number} is no procedure: {got}"
    if row["verb"] in ("any", "view"):
        if error and error.code == OPERATION_DENIED:
            return f"{row['name']} is for viewing: {error}"
        return None
    want = (OPERATION_DENIED, FROM_DOMAIN, 2,
            f"operation forbidden: read only access prevents {row['api']}")
    got = (error.code, error.domain, error.level, error.message) if error else reply
    return None if got == want else f"{row['name']} ({row['verb']}): {got}"


def sweep(path, flags, program, numbers):
    found = []
    client = None
    for number in numbers:
        if client is None:
            client = host.client_as("alice", path).open(flags=flags)
        try:
            problem = wrong(program, number, client.call(number, program=program))
        except rpc.Ended as error:
            problem, client = f"{number} ended the connection: {error}", None
        if problem:
            found.append(problem)
        if program == rpc.REMOTE and number in NO_CONNECT_AFTER:
            client = None
    tap.equal(found, [], "wrong answers")


@tap.test("the table has what the sweep is about")
def _():
    verbs = [row["verb"] for row in TABLE.values()]
    tap.true(len([k for k in TABLE if k[0] == rpc.REMOTE]) == 443, "443 procedures")
    tap.true(min(verbs.count(v) for v in ("any", "view", "console", "power", "manage", "event")) > 0,
             "a row for each verb")


host.start_broker()

for where, path, flags in (("the read-only socket", rpc.SOCKET_RO, 0),
                           ("the other socket, opened read-only", rpc.SOCKET, rpc.READ_ONLY)):
    @tap.test(f"{where}: procedures 0 to 500, and negative ones")
    def _(path=path, flags=flags):
        for _ in range(ROUNDS):
            sweep(path, flags, rpc.REMOTE, [*range(0, 501), -1, -2**31, 2**31 - 1])

    @tap.test(f"{where}: procedures 0 to 10 of the qemu program")
    def _(path=path, flags=flags):
        sweep(path, flags, rpc.QEMU, range(0, 11))

    @tap.test(f"{where}: programs and versions that there are not")
    def _(path=path, flags=flags):
        with host.client_as("alice", path) as client:
            client.open(flags=flags)
            for program, version in ((0, 1), (1, 1), (rpc.REMOTE, 0), (rpc.REMOTE, 2),
                                     (rpc.QEMU, 2), (0x20008088, 1), (0x06900690, 1),
                                     (0x00068000, 1), (0xffffffff, 0xffffffff)):
                error = client.call(1, program=program, version=version).error
                tap.equal((error.code, error.domain, error.message),
                          (RPC_ERROR, FROM_RPC,
                           f"Cannot find program {program} version {version}"), "error")


@tap.test("flag 0 does not lift the read-only socket, however often it is opened")
def _():
    with host.client_as("alice", rpc.SOCKET_RO) as client:
        client.open()
        client.call(rpc.CONNECT_OPEN, rpc.optional(rpc.string("qemu:///session")) + rpc.u32(0))
        tap.equal(client.call(12).error.code, OPERATION_DENIED, "code of domain_destroy")


@tap.test("on the read-write socket nothing is refused for being a change")
def _():
    with host.client_as("alice") as client:
        client.open()
        for (program, number), row in TABLE.items():
            if row["verb"] in ("console", "power", "manage"):
                error = client.call(number, program=program).error
                tap.true(not error or error.code != OPERATION_DENIED, f"{row['name']}: {error}")


@tap.test("before CONNECT_OPEN nothing is answered that needs one")
def _():
    with host.client_as("alice", rpc.SOCKET_RO) as client:
        error = client.call(rpc.CONNECT_GET_TYPE).error
        tap.equal((error.code, error.domain), (1, FROM_RPC), "code and domain")
        tap.true("connection not open" in error.message, error.message)


host.finish()
