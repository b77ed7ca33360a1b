# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: whichever system call of a start fails, in the worker, the starter or in any process that
# becomes a part of the machine, or if that is killed there: the start is answered, nothing is left
# behind or runs unseen, only who failed ends, and the next start works.
# test: timeout=300 native network
import re

import host
import tap
import tracer
import trial

trial.begin()

# Every one in the long set, in the other some that chance chooses.
SOME = 5
# Without these there is no process that could say anything, and they do not fail so: nor does
# epoll_ctl for a descriptor that is there, or setitimer with a good time. Those are invariants.
NEVER = ("epoll_wait", "epoll_ctl", "setitimer", "exit_group", "exit", "rt_sigreturn", "restart_syscall",
         "getpid", "close", "munmap",
         "clock_gettime", "geteuid", "brk", "madvise", "rt_sigprocmask", "poll", "set_robust_list",
         "rseq", "gettid")
ERRORS = ("EIO", "ENOMEM", "EMFILE", "EPERM")


def failure(error):
    """What strace is to do. In the call's place another is made, which does nothing and is on the list of
    everybody but the broker: its calls cannot be made to fail so."""
    return f"error={error}:syscall=getpid"


def calls_of(who):
    """(call, how often) of a start."""
    trial.prepare("start")
    trace = tracer.Tracer(trial.find(who), "all")
    trial.is_answered(trial.act("start"))
    trace.leave()
    names = trace.calls()
    return sorted((name, names.count(name)) for name in set(names) if name not in NEVER)


def fail_at(who, call, when, error):
    trial.prepare("start")
    served = trial.broker.process.pid
    trace = tracer.Tracer(trial.find(who), call, f"{failure(error)}:when={when}")
    ok = trial.is_answered(trial.act("start"))
    trace.leave()
    if who == "worker":
        tap.equal((trial.broker.process.pid, trial.broker.child.poll()), (served, None), "the broker stays")
    trial.is_whole("start", ok, who)
    return trace.was_injected()


def each_call(who):
    @tap.test(f"start: each system call of the {who} fails once")
    def _():
        counts = calls_of(who)
        every = [(call, when, trial.CHANCE.choice(ERRORS)) for call, n in counts for when in range(1, n + 1)]
        tap.note(f"{who}: {len(every)} calls: {' '.join(f'{call}*{n}' for call, n in counts)}")
        trial.all_of(every, SOME, lambda *case: fail_at(who, *case), f"the {who}'s {{0}} number {{1}}: {{2}}")


for each_who in ("worker", "starter"):
    each_call(each_who)


# --- the way of a box -------------------------------------------------------------------------

# Nor do these fail: they have nothing to fail with, or libc takes it for granted that they do not.
NEVER_THERE = (*NEVER, "futex", "arch_prctl", "set_tid_address", "rt_sigaction", "sigaltstack", "umask",
               "getuid", "getgid", "getegid", "getppid", "wait4")


def box_calls():
    """(call, how often one process makes it) of all that the starter makes on their way into their boxes.

    Without those that it makes itself: they would fail there. Each process is counted for itself."""
    trial.prepare("start")
    trace = tracer.Tracer(trial.find("starter"), "all", children=True)
    trial.is_answered(trial.act("start"))
    trace.leave()
    calls = trace.calls_by_thread()
    no_more = {*calls.pop(trace.pid), *NEVER_THERE}
    ways = []
    for names in calls.values():
        if "setresuid" in names:  # or it is a thread of QEMU's
            # qemud-box is the last but one to be executed; qemud-net executes nobody.
            end = len(names) - names[::-1].index("execve") if "execve" in names else len(names)
            ways.append([name for name in names[:end] if name not in no_more])
    return sorted((name, max(way.count(name) for way in ways)) for name in {name for way in ways for name in way})


def started(log, begin):
    """Processes that the starter has made since that line of its log."""
    return {int(re.search(r"\bpid=(\d+)", line)[1]) for line in log.find(r"qemud-(box|net): started", begin)}


def box_at(call, when, what):
    trial.prepare("start")
    served, log = trial.broker.process.pid, trial.broker.log
    begin = len(log.lines)
    trace = tracer.Tracer(trial.find("starter"), call, f"{what}:when={when}", children=True)
    ok = trial.is_answered(trial.act("start"))
    trace.leave()
    # QEMU and passt do then what their lists do not permit.
    host.SPOILED.update(trace.injected_elsewhere(started(log, begin)))
    tap.equal((trial.broker.process.pid, trial.broker.child.poll()), (served, None), "the broker stays")
    trial.is_whole("start", ok, "QEMU")
    return trace.was_injected()


seen = set()  # (call, which of them) that have had their turn


def each_box(words, devices):
    @tap.test(f"start {words}: each process on its way into its box is killed at each step, or the call fails")
    def _():
        trial.give(devices)
        counts = box_calls()
        tap.true(dict(counts).get("setresuid"), f"the box is seen on its way: {counts}")
        steps = [(call, when) for call, n in counts for when in range(1, n + 1) if (call, when) not in seen]
        seen.update(steps)
        every = [(*step, what) for step in steps
                 for what in ("signal=KILL", failure(trial.CHANCE.choice(ERRORS)))]
        tap.note(f"box: {' '.join(f'{call}*{n}' for call, n in counts)}")
        trial.all_of(every, SOME, box_at, "the {0} number {1}: {2}")


each_box("of QEMU alone", trial.SCREEN)
# Where its box fails the others are not started: here are the steps that it has not.
each_box("with a network", trial.LAN)
host.finish()
