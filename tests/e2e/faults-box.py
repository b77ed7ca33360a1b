# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: whichever process that becomes a part of a machine is killed at whichever step of its way, or whichever
# of its system calls fails there: the start is answered, nothing is left behind or runs unseen, the broker
# stays, and the next start works.
# test: timeout=600 native network
import fault
import host
import tap
import trial

trial.begin()

# Nor do these fail: they have nothing to fail with, or libc takes it for granted that they do not.
NEVER_THERE = (*fault.NEVER, "futex", "arch_prctl", "set_tid_address", "rt_sigaction", "sigaltstack", "umask",
               "getuid", "getgid", "getegid", "getppid", "wait4")
# libc's loader, whose nearly all of these are, falls over one that fails: there it is killed alone.
LOADED = ("mmap",)
# What such a process is on its way: the starter's child, then the box; or what hands on frames.
WAY = ("qemud-launch", "qemud-box", "qemud-net")


def box_calls():
    """(program, call, how often one process makes it) of all whom the starter makes in a start."""
    made, starter = fault.calls(), trial.broker.starter.pid
    ways = {}
    for pid, program, call in made:
        if program in WAY and pid != starter:
            ways.setdefault((program, pid), []).append(call)
    counts = {}
    for (program, _), names in ways.items():
        for call, n in fault.counted(names, NEVER_THERE):
            counts[program, call] = max(n, counts.get((program, call), 0))
    return sorted((*key, n) for key, n in counts.items())


def box_at(program, call, when, what):
    trial.supervise(call)
    trial.prepare("start")
    served, starter = trial.broker.process.pid, trial.broker.starter.pid
    failure = trial.supervisor.fail(call, when, what, lambda pid, itself: itself == program and pid != starter)
    ok = fault.start()
    trial.supervisor.forget()
    tap.equal((trial.broker.process.pid, trial.broker.child.poll()), (served, None), "the broker stays")
    trial.is_whole("start", ok, "QEMU")
    return failure.happened


seen = set()  # (program, call, which of them) that have had their turn


def each_box(words, devices):
    @tap.test(f"start {words}: each process on its way into its box is killed at each step, or the call fails")
    def _():
        trial.give(devices)
        counts = box_calls()
        tap.true([n for program, call, n in counts if call == "setresuid"], f"the box is seen on its way: {counts}")
        steps = [(*key, when) for *key, n in counts for when in range(1, n + 1)]
        steps = [step for step in steps if step not in seen]
        seen.update(steps)
        every = [(*step, what) for step in steps for what in ("KILL", trial.CHANCE.choice(fault.ERRORS))
                 if what == "KILL" or step[1] not in LOADED]
        for program in WAY:
            tap.note(f"{program}: " + " ".join(f"{call}*{n}" for itself, call, n in counts if itself == program))
        trial.all_of(every, fault.SOME, box_at, "{0}'s {1} number {2}: {3}")


each_box("of QEMU alone", trial.SCREEN)
# Where its box fails the others are not started: here are the steps that it has not.
each_box("with a network", trial.LAN)
host.finish()
