# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: whichever system call of a start fails, in the worker, the broker, the starter or in any
# process that becomes a part of the machine, or if that is killed there: the start is answered,
# nothing is left behind or runs unseen, only who failed ends, and the next start works.
# test: timeout=300 native network
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
    # In its place another is made, one that every list permits.
    trace = tracer.Tracer(trial.find(who), call, f"error={error}:syscall=geteuid:when={when}")
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


for each_who in ("worker", "broker", "starter"):
    each_call(each_who)


# --- the way of a box -------------------------------------------------------------------------

# Those that only a child of the starter makes, on its way to qemud-box and QEMU, passt or qemud-net.
BOX = ("mount,umount2,pivot_root,chdir,sethostname,setsid,prlimit64,setgroups,setresgid,setresuid,capset,"
       "execveat,execve,close_range,landlock_create_ruleset,landlock_add_rule,landlock_restrict_self,"
       "seccomp,dup2,dup3")


def box_calls():
    """(call, how often one process makes it): each counts for itself."""
    trial.prepare("start")
    trace = tracer.Tracer(trial.find("starter"), BOX, children=True)
    trial.is_answered(trial.act("start"))
    trace.leave()
    calls = trace.calls_by_process()
    return sorted((name, max(names.count(name) for names in calls.values()))
                  for name in {name for names in calls.values() for name in names})


def box_at(call, when, what):
    trial.prepare("start")
    served = trial.broker.process.pid
    trace = tracer.Tracer(trial.find("starter"), call, f"{what}:when={when}", children=True)
    ok = trial.is_answered(trial.act("start"))
    trace.leave()
    # passt does then what its list does not permit.
    host.SPOILED.update(trace.injected_elsewhere())
    tap.equal((trial.broker.process.pid, trial.broker.child.poll()), (served, None), "the broker stays")
    trial.is_whole("start", ok, "QEMU")
    return trace.was_injected()


def each_box(words, devices):
    @tap.test(f"start {words}: each process on its way into its box is killed at each step, or the call fails")
    def _():
        trial.give(devices)
        counts = box_calls()
        tap.true(dict(counts).get("setresuid"), f"the box is seen on its way: {counts}")
        every = [(call, when, what) for call, n in counts for when in range(1, n + 1)
                 for what in ("signal=KILL", f"error={trial.CHANCE.choice(ERRORS)}:syscall=geteuid")]
        tap.note(f"box: {' '.join(f'{call}*{n}' for call, n in counts)}")
        trial.all_of(every, SOME, box_at, "the {0} number {1}: {2}")


# Where one fails the others are not started: which they are, is of the devices.
each_box("of QEMU alone", trial.SCREEN)
each_box("with a network", trial.LAN)
host.finish()
