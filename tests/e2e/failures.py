# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: whichever process is killed at whichever step of start, destroy, define and rename, and
# whichever system call of a start fails, what runs is what is listed, nothing runs twice, nothing is
# left behind, a definition is the old or the new one, and the next start works.
# test: timeout=900 native
import os
import random
import signal
import subprocess
import time

import host
import proc
import tap
import tracer
import vm

# A process has one tracer, which is ours.
host.TRACED = False
broker = host.start_broker(idle_seconds=30, user_connections_per_second=100000)

SEED = int(os.environ.get("TEST_SEED", time.time()))
CHANCE = random.Random(SEED)
tap.note(f"TEST_SEED={SEED}")
DOMAINS = "/home/alice/.qemud/domains"
RUN = "/run/qemud/users/2001"
XML = {title: f"/tmp/{title}.xml" for title in ("old", "new")}
for title, path in XML.items():
    with open(path, "w", encoding="utf-8") as file:
        file.write(vm.definition("one", 1).replace("</name>", f"</name><title>{title}</title>"))
    os.chmod(path, 0o644)

COMMANDS = {"start": ("start", "one"), "destroy": ("destroy", "one"), "define": ("define", XML["new"]),
            "rename": ("domrename", "one", "two")}


def prepare(operation):
    """What the operation begins with, whatever there is."""
    global broker
    if broker.child.poll() is not None:
        broker.leave()
        broker = host.Broker(idle_seconds=30, user_connections_per_second=100000)
    for name in host.virsh("alice", "list", "--name").split():
        host.virsh("alice", "destroy", name)
    for name in host.virsh("alice", "list", "--all", "--name").split():
        if name != "one":
            host.virsh("alice", "undefine", name)
    host.virsh("alice", "define", XML["old"])
    if operation == "destroy":
        host.virsh("alice", "start", "one")


def victim(name):
    found = {"worker": proc.find("qemud-worker", host.UID["alice"]), "broker": [broker.process],
             "starter": [broker.starter], "QEMU": vm.qemus("alice")}[name]
    return found[0] if found else None


def send(process, signo):
    try:
        os.kill(process.pid, signo)
    except ProcessLookupError:
        pass  # it has ended by now


def begin(operation):
    # pylint: disable-next=consider-using-with
    return subprocess.Popen(
        host.command_as("alice", "virsh", "-c", host.URI, *COMMANDS[operation]), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def is_answered(child):
    """It succeeds, says why not, or loses its connection (virsh may die of that): nobody waits for ever."""
    _, said = child.communicate(timeout=90)
    tap.true(child.returncode in (0, -signal.SIGPIPE) or "error: " in said,
             f"status {child.returncode}, {said!r}")
    return child.returncode == 0


def is_whole(operation):
    """Nothing but what is listed is there; then it can be started and ended, and nothing is left."""
    global broker
    # Without a starter a broker ends.
    if broker.starter.pid not in [p.pid for p in proc.find("qemud-launch")]:
        broker.child.wait(30)
    if broker.child.poll() is not None:
        broker.leave()
        broker = host.Broker(idle_seconds=30, user_connections_per_second=100000)
    names = host.virsh("alice", "list", "--all", "--name").split()
    tap.true(names in (["one"], ["two"]), f"names {names}")
    tap.true(operation == "rename" or names == ["one"], f"names {names}")
    name, = names
    tap.equal(os.listdir(DOMAINS), [f"{name}.xml"], "definitions")
    with open(f"{DOMAINS}/{name}.xml", encoding="utf-8") as file:
        text = file.read()
    tap.true(text.startswith("<") and text.count("</domain>") == 1 and f"<name>{name}</name>" in text
             and vm.uuid(1) in text, "a definition is whole")
    tap.true("<title>old<" in text or operation == "define" and "<title>new<" in text, "its title")
    running = list(vm.ids("alice"))
    tap.equal(len(vm.qemus("alice")), len(running), f"QEMUs where {running} runs")
    if running:
        host.virsh("alice", "destroy", name)
    is_empty()
    host.virsh("alice", "start", name)
    tap.equal(len(vm.qemus("alice")), 1, "QEMUs")
    host.virsh("alice", "destroy", name)
    is_empty()
    tap.true("Id" in host.virsh("bob", "list"), "bob is served")


def is_empty():
    for program in (vm.QEMU, "qemud-box", "qemud-net", "passt.avx2", "passt"):
        found = proc.find(program, host.UID["alice"])
        deadline = time.monotonic() + 10
        # What was on its way to become QEMU, as its starter or broker was killed, ends by itself.
        while found and time.monotonic() < deadline:
            time.sleep(0.05)
            found = proc.find(program, host.UID["alice"])
        tap.equal([p.pid for p in found], [], program)
    tap.equal(vm.leaves(), [], "leaves")
    tap.equal([n for n in os.listdir(RUN) if n != "autostarted"], [], "files of run-time state")


def steps(operation, who):
    """How many steps that process makes in the operation."""
    prepare(operation)
    trace = tracer.Tracer(victim(who), tracer.EFFECTS)
    ok = is_answered(begin(operation))
    trace.leave()
    tap.true(ok, f"{operation} succeeds")
    return trace.calls()


def kill_at(operation, who, call, when, name):
    """Kills that process while who is held behind that of its calls."""
    prepare(operation)
    target = victim(name)
    trace = tracer.Tracer(victim(who), call, f"signal=STOP:when={when}")
    held = victim(who)
    child = begin(operation)
    reached = trace.wait_stopped(lambda: child.poll() is not None)
    if reached:
        target = target or victim(name)
        if target:
            send(target, signal.SIGKILL)
        if name == "broker":
            broker.child.wait(10)
    send(held, signal.SIGCONT)
    trace.leave()
    is_answered(child)
    is_whole(operation)
    return reached


def all_of(every, full, one, words):
    """one(*case) for each of every, or for some of them. strace counts by thread: not all that were seen take place."""
    chosen = CHANCE.sample(every, min(len(every), host.count(full, len(every))))
    reached = 0
    for case in chosen:
        try:
            reached += one(*case)
        except Exception:
            tap.note(words.format(*case))
            raise
    tap.note(f"{reached} of {len(chosen)} took place, of {len(every)} that there are")
    tap.true(reached > 0 or len(chosen) < 8, "some of them take place")


def each(operation, who):
    @tap.test(f"{operation}: whatever is killed while the {who} is at any step")
    def _():
        names = steps(operation, who)
        every = [(call, names[:step + 1].count(call), name) for step, call in enumerate(names)
                 for name in ("worker", "broker", "starter", "QEMU")
                 if name != "QEMU" or operation in ("start", "destroy")]
        tap.note(f"{operation} {who}: {len(names)} steps: {' '.join(names)}")
        all_of(every, 3, lambda *case: kill_at(operation, who, *case),
               f"{operation}: the {{2}} killed, the {who} behind its {{0}} number {{1}}")


for each_operation in COMMANDS:
    each(each_operation, "worker")
for each_operation in ("start", "destroy"):
    for each_who in ("broker", "starter"):
        each(each_operation, each_who)


# --- system calls that fail -------------------------------------------------------------------

# Without these there is no process that could say anything, and they do not fail so: nor does
# epoll_ctl for a descriptor that is there, or setitimer with a good time. Those are invariants.
NEVER = ("epoll_wait", "epoll_ctl", "setitimer", "exit_group", "exit", "rt_sigreturn", "restart_syscall",
         "getpid", "close", "munmap",
         "clock_gettime", "geteuid", "brk", "madvise", "rt_sigprocmask", "poll", "set_robust_list",
         "rseq", "gettid")
ERRORS = ("EIO", "ENOMEM", "EMFILE", "EPERM")


def calls_of(who):
    """(call, how often) of a start."""
    prepare("start")
    trace = tracer.Tracer(victim(who), "all")
    is_answered(begin("start"))
    trace.leave()
    names = trace.calls()
    return sorted((name, names.count(name)) for name in set(names) if name not in NEVER)


def fail_at(who, call, when, error):
    prepare("start")
    served = broker.process
    # In its place another is made, one that every list permits.
    trace = tracer.Tracer(victim(who), call, f"error={error}:syscall=geteuid:when={when}")
    is_answered(begin("start"))
    trace.leave()
    if who == "worker":
        tap.equal((broker.process.pid, broker.child.poll()), (served.pid, None), "the broker stays")
    is_whole("start")
    return trace.was_injected()


def each_call(who):
    @tap.test(f"start: each system call of the {who} fails once")
    def _():
        counts = calls_of(who)
        every = [(call, when) for call, n in counts for when in range(1, n + 1)]
        tap.note(f"{who}: {len(every)} calls: {' '.join(f'{call}*{n}' for call, n in counts)}")
        all_of(every, 8, lambda call, when: fail_at(who, call, when, CHANCE.choice(ERRORS)),
               f"the {who}'s {{0}} number {{1}} failed")


for each_who in ("worker", "starter"):
    each_call(each_who)


# --- the way of a box -------------------------------------------------------------------------

# Those that only a child of the starter makes, on its way to qemud-box and QEMU.
BOX = ("mount,umount2,pivot_root,chdir,sethostname,setsid,prlimit64,setgroups,setresgid,setresuid,capset,"
       "execveat,execve,close_range,landlock_create_ruleset,landlock_add_rule,landlock_restrict_self,"
       "seccomp,dup2,dup3")


def box_calls():
    prepare("start")
    trace = tracer.Tracer(victim("starter"), BOX, children=True)
    is_answered(begin("start"))
    trace.leave()
    names = trace.calls()
    return sorted((name, names.count(name)) for name in set(names))


def box_at(call, when, what):
    prepare("start")
    served = broker.process
    trace = tracer.Tracer(victim("starter"), call, f"{what}:when={when}", children=True)
    is_answered(begin("start"))
    trace.leave()
    tap.equal((broker.process.pid, broker.child.poll()), (served.pid, None), "the broker stays")
    is_whole("start")
    return trace.was_injected()


@tap.test("start: the box is killed at each step on its way, or each of its system calls fails once")
def _():
    counts = box_calls()
    tap.true(dict(counts).get("setresuid"), f"the box is seen on its way: {counts}")
    every = [(call, when, what) for call, n in counts for when in range(1, n + 1)
             for what in ("signal=KILL", f"error={CHANCE.choice(ERRORS)}:syscall=geteuid")]
    tap.note(f"box: {' '.join(f'{call}*{n}' for call, n in counts)}")
    all_of(every, 8, box_at, "the box's {0} number {1}: {2}")


host.finish()
