# SPDX-License-Identifier: LGPL-2.1-or-later
"""rules.py: what a policy.conf decides, worked out anew and slowly for each question.

It knows the lines that tests write: `allow` and `deny` with all their words, `limit` with one key a
line, `network` with user or none; the people are those of host.sh.
"""
import math

import host

VERBS = {"view": {"view"}, "console": {"view", "console"}, "power": {"view", "power"},
         "manage": {"view", "console", "power", "manage"}}
MEMBERS = {"lab-admins": {"alice", "carol"}, "students": {"alice", "bob"}}
SYSTEM = "qemud-vm"
UNITS = {"K": 1, "M": 1 << 10, "G": 1 << 20}


def is_in(party, who):
    kind, *name = party
    if kind == "uid":
        return host.UID[who] == int(name[0])
    return {"everyone": True, "user": name == [who], "group": who in MEMBERS.get(name[0] if name else "", ()),
            "system": who == SYSTEM}.get(kind, False)


def _amount(value):
    if value == "unlimited":
        return math.inf
    return int(value) if value.isdigit() else int(value[:-1]) * UNITS[value[-1]]


def take_party(words):
    n = 2 if words[0] in ("user", "uid", "group") else 1
    return words[:n], words[n:]


class Rules:
    def __init__(self, lines):
        self.lines = list(lines)

    def __str__(self):
        return "".join(line + "\n" for line in self.lines)

    def _of(self, kind):
        """(its number, whom it is for, its other words) of each line of that kind."""
        for number, line in enumerate(self.lines, 1):
            words = line.split()
            if words and words[0] == kind:
                yield number, *take_party(words[1:])

    def verbs(self, who, owner):
        """What she may do with that owner's machines."""
        def is_target(target):
            own = owner == (SYSTEM if who == "root" else who)
            return target == ["all"] or target == ["own"] and own or is_in(target, owner)
        given = set(VERBS["manage"]) if who == "root" else set()
        for _, subject, (verb, *target) in self._of("allow"):
            if is_in(subject, who) and is_target(target):
                given |= VERBS[verb]
        for _, subject, rest in self._of("deny"):
            if is_in(subject, who) and (len(rest) < 2 or is_target(rest[1:])):
                given -= {verb for verb, all_of_it in VERBS.items() if not rest or rest[0] in all_of_it}
        return given

    def limit(self, owner, key):
        """(the most of it, number of the line) for that owner, or "host"; infinite where no line says so."""
        found = {}
        for number, subject, (name, value) in self._of("limit"):
            if name == key and (subject == ["host"] if owner == "host" else is_in(subject, owner)):
                most = _amount(value)
                found.setdefault(subject[0], []).append((most, number))
        for kind in ("host", "user", "group", "everyone"):
            if kind in found:
                return max(found[kind], key=lambda pair: pair[0])
        return math.inf, 0

    def network(self, owner):
        """May her machines have the user network?"""
        said = [(is_in(subject, owner), rest[0]) for _, subject, rest in self._of("network")]
        mine = [kind for is_hers, kind in said if is_hers]
        return not said or "user" in mine and "none" not in mine
