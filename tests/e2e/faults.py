# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: whichever system call of a start fails, in the broker, the worker or the starter: the start is
# answered, nothing is left behind or runs unseen, only who failed ends, and the next start works.
# test: timeout=600 native network
import fault
import host
import tap
import trial

trial.begin()


def fail_at(who, call, when, error):
    trial.supervise(call)
    trial.prepare("start")
    served, target = trial.broker.process.pid, trial.find(who).pid
    failure = trial.supervisor.fail(call, when, error, lambda pid, _: pid == target)
    ok = fault.start()
    trial.supervisor.forget()
    if who != "starter":
        tap.equal((trial.broker.process.pid, trial.broker.child.poll()), (served, None), "the broker stays")
    trial.is_whole("start", ok, who)
    return failure.happened


def each_call(who):
    @tap.test(f"start: each system call of the {who} fails once")
    def _():
        made = fault.calls()
        target = trial.find(who).pid
        counts = fault.counted([call for pid, _, call in made if pid == target])
        every = [(call, when, error) for call, n in counts for when in range(1, n + 1)
                 for error in trial.CHANCE.sample(fault.ERRORS, 2)]
        tap.note(f"{who}: {len(every) // 2} calls: {' '.join(f'{call}*{n}' for call, n in counts)}")
        trial.all_of(every, fault.SOME, lambda *case: fail_at(who, *case), f"the {who}'s {{0}} number {{1}}: {{2}}")


for each_who in ("broker", "worker", "starter"):
    each_call(each_who)
host.finish()
