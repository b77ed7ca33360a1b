# SPDX-License-Identifier: LGPL-2.1-or-later
"""killer.py: kills a process while another, or itself, is held at a chosen step of an operation (trial.py)."""
import os
import signal

import tap
import tracer
import trial

# Every step in the long set, in the other some that chance chooses.
SOME = 3
VICTIMS = ("worker", "broker", "starter", "QEMU")
# What gives a machine its network comes and goes with it.
NETWORK = ("relay", "passt")


def steps(operation, who):
    """The steps that this process makes in the operation, each as a name."""
    trial.prepare(operation)
    trace = tracer.Tracer(trial.find(who), tracer.EFFECTS)
    ok = trial.is_answered(trial.act(operation))
    trace.leave()
    tap.true(ok, f"{operation} succeeds")
    trial.is_whole(operation, ok)
    return trace.calls()


def kill_at(operation, who, call, when, victim):
    """Kills the victim while who is held behind that of its calls. Was there one to kill?"""
    trial.prepare(operation)
    held = trial.find(who)
    trace = tracer.Tracer(held, call, f"signal=STOP:when={when}")
    child = trial.act(operation)
    target = trace.wait_stopped(lambda: child.poll() is not None) and trial.find(victim)
    if target:
        trial.kill(target)
    try:
        os.kill(held.pid, signal.SIGCONT)
    except ProcessLookupError:
        pass  # it was the victim
    trace.leave()
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
                     f"{operation}: the {{2}} killed, the {who} behind its {{0}} number {{1}}")
