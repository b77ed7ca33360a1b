# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: every place is made with its owner and mode whatever the umask, stale things are
# replaced, and what somebody else could have put there is refused with words that help.
import os
import shutil
import stat
import time

import host
import rpc
import tap

RUN, STATE = "/run/qemud", "/var/lib/qemud"
USERS = f"{RUN}/users"

# path, owner, mode, type; those of a user exist once she has a worker
PLACES = (
    (RUN, 0, 0o755, stat.S_IFDIR),
    (f"{RUN}/qemud-sock", 0, 0o666, stat.S_IFSOCK),
    (f"{RUN}/qemud-sock-ro", 0, 0o666, stat.S_IFSOCK),
    (f"{RUN}/qemud-ctl", 0, 0o666, stat.S_IFSOCK),
    (USERS, 0, 0o755, stat.S_IFDIR),
    (f"{RUN}/lock", 0, 0o600, stat.S_IFREG),
    (f"{RUN}/autostarted", 0, 0o700, stat.S_IFDIR),
    (f"{RUN}/autostarted/2001", 0, 0o600, stat.S_IFREG),
    (f"{RUN}/autostarted/991", 0, 0o600, stat.S_IFREG),
    (STATE, 0, 0o755, stat.S_IFDIR),
    (f"{STATE}/users", 0, 0o700, stat.S_IFDIR),
    (f"{STATE}/inventory", 0, 0o700, stat.S_IFDIR),
    (f"{STATE}/users/2001", 0, 0o600, stat.S_IFREG),
    (f"{STATE}/users/991", 0, 0o600, stat.S_IFREG),
    (f"{USERS}/2001", 2001, 0o700, stat.S_IFDIR),
    (f"{USERS}/991", 991, 0o700, stat.S_IFDIR),
)


def check_places():
    host.virsh("alice", "list")
    host.virsh("qemud-vm", "list")
    # What a worker says when it has opened its user's folder is behind its first answer.
    end = time.monotonic() + 60
    while not all(os.path.lexists(path) for path, *_ in PLACES) and time.monotonic() < end:
        time.sleep(0.02)
    for path, owner, mode, kind in PLACES:
        st = os.lstat(path)
        tap.equal((st.st_uid, stat.S_IMODE(st.st_mode), stat.S_IFMT(st.st_mode)), (owner, mode, kind), path)
    tap.equal(sorted(os.listdir(RUN)), ["autostarted", "lock", "qemud-ctl", "qemud-sock", "qemud-sock-ro", "users"], RUN)
    tap.equal(os.listdir(f"{USERS}/2001"), ["autostarted"], "alice's folder")


def clean():
    for folder in (RUN, STATE):
        if os.path.islink(folder):
            os.unlink(folder)
        host.remove_run(folder)
    host.make_system_home()


for umask in (0o022, 0o077, 0o777, 0):
    @tap.test(f"owners and modes are those of the design with umask {umask:03o}")
    def _(umask=umask):
        clean()
        broker = host.Broker(umask=umask)
        check_places()
        tap.equal(broker.stop(), 0, "exit status")


@tap.test("places that are there already are taken as they are; stale sockets are replaced")
def _():
    broker = host.Broker()
    check_places()
    broker.kill()
    broker.stop()
    tap.true(stat.S_ISSOCK(os.lstat(rpc.SOCKET).st_mode), "a stale socket is there")
    again = host.Broker()
    check_places()
    again.stop()


@tap.test("a second broker says that one runs already, and the first serves on")
def _():
    first = host.Broker()
    second = host.Broker(wait=False)
    line = second.log.wait("error")
    tap.true("already" in line or "another" in line or "in use" in line, line)
    tap.true(second.stop() != 0, "exit status")
    check_places()
    tap.equal(first.stop(), 0, "exit status of the first")


def refuses(word, **settings):
    """The broker does not start, and says why with that word in it."""
    broker = host.Broker(wait=False, **settings)
    line = broker.log.wait("error")
    tap.true(broker.stop() != 0, "exit status")
    tap.true(word in line, f"{word!r} in: {line}")


TRAPS = {
    "a runtime folder that is somebody else's":
        lambda: (os.mkdir(RUN), os.chown(RUN, 2001, 2001)),
    "a runtime folder that others can write":
        lambda: (os.mkdir(RUN), os.chmod(RUN, 0o777)),
    "a runtime folder that is a symbolic link":
        lambda: (os.mkdir("/run/elsewhere"), os.symlink("/run/elsewhere", RUN)),
    "a runtime folder that is a file":
        lambda: open(RUN, "w", encoding="ascii").close(),
}

for trap, lay in TRAPS.items():
    @tap.test(f"{trap} is refused")
    def _(lay=lay):
        clean()
        lay()
        try:
            refuses(RUN)
        finally:
            if not os.path.isdir(RUN) or os.path.islink(RUN):
                os.unlink(RUN)
            clean()
            shutil.rmtree("/run/elsewhere", ignore_errors=True)


@tap.test("a file in a socket's place is refused and left alone")
def _():
    os.mkdir(RUN)
    with open(rpc.SOCKET, "w", encoding="ascii") as file:
        file.write("mine")
    refuses("qemud-sock")
    with open(rpc.SOCKET, encoding="ascii") as file:
        tap.equal(file.read(), "mine", "the file")
    clean()


@tap.test("a folder of a user that is somebody else's costs that user alone, and is told")
def _():
    broker = host.Broker()
    os.mkdir(f"{USERS}/2001", 0o700)
    os.chown(f"{USERS}/2001", 2002, 2002)
    with host.client_as("alice") as client:
        error = client.call(rpc.AUTH_LIST).error
        tap.true(error, "alice is refused in words")
        tap.note(error)
    broker.log.wait(r"(error|warning): .*users.*2001")
    tap.equal(host.virsh("bob", "list", "--all", "--name"), "", "bob's list")
    broker.stop()
    clean()


# --- the configuration --------------------------------------------------------------------------

for wrong, text, said in (
        ("an unknown key", "colour = red\n", ":1: "),
        ("a repeated key", "idle_seconds = 1\n\nidle_seconds = 2\n", ":3: "),
        ("a number out of range", "# x\nidle_seconds = 0\n", ":2: "),
        ("a word for a number", "user_connections = many\n", ":1: "),
        ("a path that is not absolute", "runtime_dir = run\n", ":1: "),
        ("a line without =", "idle_seconds 1\n", ":1: "),
        ("a NUL byte", "idle_seconds = 1\0\n", ":1: ")):
    @tap.test(f"{wrong} in qemud.conf is an error with file and line")
    def _(text=text, said=said):
        config = f"{host.OUT}/wrong.conf"
        with open(config, "w", encoding="ascii") as file:
            file.write(text)
        broker = host.Broker(config=config, wait=False)
        line = broker.log.wait("error")
        tap.true(config + said in line, line)
        tap.true(broker.stop() != 0, "exit status")


@tap.test("a configuration file that is named and missing is an error")
def _():
    broker = host.Broker(config="/nonexistent/qemud.conf", wait=False)
    broker.log.wait("error: /nonexistent/qemud.conf")
    tap.true(broker.stop() != 0, "exit status")


@tap.test("--version and --help answer, an unknown option is an error")
def _():
    for option, status in (("--version", 0), ("--help", 0), ("--nonsense", 2)):
        result = host.run_as("root", "/srv/qemud/sbin/qemud", option)
        tap.equal(result.returncode, status, option)
        tap.true("qemud" in (result.stdout if status == 0 else result.stderr), option)


host.finish()
