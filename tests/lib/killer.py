# SPDX-License-Identifier: LGPL-2.1-or-later
"""killer.py: kills a process while another, or itself, is held at a chosen step of an operation (trial.py)."""
import tap
import trial

# Every step in the long set, in the other some that chance chooses.
SOME = 3
VICTIMS = ("worker", "broker", "starter", "QEMU")
# What gives a machine its network comes and goes with it.
NETWORK = ("relay", "passt")
# By these something outside the process is changed, or told.
EFFECTS = ("sendmsg", "sendto", "write", "writev", "connect", "bind", "listen", "openat", "renameat", "renameat2",
           "unlinkat", "linkat", "mkdirat", "fsync", "fdatasync", "fchmod", "ftruncate", "memfd_create", "shutdown",
           "clone3", "mount", "umount2", "pidfd_send_signal", "dup3", "close_range", "execveat", "setresuid",
           "prctl", "seccomp")


def steps(operation, who):
    """The steps that this process makes in the operation, each as a name."""
    trial.supervise(*EFFECTS)
    trial.prepare(operation)
    target = trial.find(who).pid
    trial.supervisor.record()
    ok = trial.is_answered(trial.act(operation))
    names = [call for pid, _, call in trial.supervisor.forget() if pid == target]
    tap.true(ok, f"{operation} succeeds")
    trial.is_whole(operation, ok)
    return names


def kill_at(operation, who, call, when, victim):
    """Kills the victim while who is held before that of its calls. Was there one to kill?"""
    trial.supervise(call)
    trial.prepare(operation)
    held = trial.find(who).pid
    hold = trial.supervisor.hold(call, when, lambda pid, _: pid == held)
    child = trial.act(operation)
    target = hold.wait(lambda: child.poll() is not None) and trial.find(victim)
    if target:
        trial.kill(target)
    trial.supervisor.forget()
    ok = trial.is_answered(child)
    if target:
        trial.is_whole(operation, ok, victim)
    return bool(target)


def each(operation, who):
    @tap.test(f"{operation}: whatever is killed while the {who} is at any step")
    def _():
        names = steps(operation, who)
        victims = VICTIMS + (NETWORK if operation in ("start", "destroy") else ())
        every = [(call, names[:step + 1].count(call), victim) for step, call in enumerate(names)
                 for victim in victims]
        tap.note(f"{operation} {who}: {len(names)} steps: {' '.join(names)}")
        trial.all_of(every, SOME, lambda *case: kill_at(operation, who, *case),
                     f"{operation}: the {{2}} killed, the {who} before its {{0}} number {{1}}")
