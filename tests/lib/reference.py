# SPDX-License-Identifier: LGPL-2.1-or-later
"""reference.py: what a call that is served is answered: what an owner is answered by her own worker, for
the same call about a machine of hers that is in the same state. It is learned from owners who have no right
over anybody else's, so that no view stands before them; whoever else may make the call is answered the same.

An answer is an error's code and domain, DONE when it is none.
"""
from oracle import LOOKUPS, OF_VIEW

DONE = 0, 0
# Internal and system errors of these domains are how clients know that their connection is lost (libvirt
# 9.0.0): a worker's go through a view with QEMU's.
INTERNAL, SYSTEM, FROM_QEMU, FROM_RPC, FROM_REMOTE = 1, 38, 10, 7, 13


def answer_of(error):
    return (error["code"], error["domain"]) if error else DONE


def through_view(answer):
    code, domain = answer
    return (code, FROM_QEMU) if code in (INTERNAL, SYSTEM) and domain in (FROM_RPC, FROM_REMOTE) else answer


class Reference:
    def __init__(self, lab):
        self.lab = lab
        self.answers = {}  # (call, state, whether it was asked before): {answer: who was given it}

    def state(self, call):
        """Of the machine that a call is about: "run", "off"; "none" when it is of none that she may see."""
        key = LOOKUPS.get(call.row.name, "uuid")
        if key == "id" and call.thing.handle["id"] < 0:
            return "off"  # all of them have that
        machine = call.defined or next((m for m in call.side.shown().values()
                                        if call.side.handle(m)[key] == call.thing.handle[key]), None)
        return "none" if machine is None else "run" if self.lab.runs(machine) else "off"

    def learn(self, call, again, error):
        which = call.key, self.state(call), again
        self.answers.setdefault(which, {}).setdefault(answer_of(error), f"{call.side}, for {call}")

    def fault(self, call, again, error):
        """What is wrong with an answer, or None."""
        right = self.answers.get((call.key, self.state(call), again), {})
        passed_on = call.side.view and call.row.name not in OF_VIEW
        right = set(map(through_view, right)) if passed_on else set(right)
        if answer_of(error) in right:
            return None
        return f"{call.side}: {call}: got {error or 'it done'}, one's own worker answers {right or 'nothing'}"

    def disputed(self):
        """What owners were answered in more than one way."""
        return [f"{key}: {answers}" for key, answers in self.answers.items() if len(answers) > 1]

    def never_done(self):
        """Procedures that no owner was ever served without an error."""
        done = {key[0][0] for key, answers in self.answers.items() if DONE in answers}
        return {key[0][0] for key in self.answers} - done
