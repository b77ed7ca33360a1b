# SPDX-License-Identifier: LGPL-2.1-or-later
"""rules.py: what a policy.conf decides, worked out anew and slowly for each question.

It knows the lines that tests write: `allow` and `deny` with all their words, `limit` with one key a
line, `network` with user or none; the people are those of host.sh.
"""
import math
import re

import host

VERBS = {"view": {"view"}, "console": {"view", "console"}, "power": {"view", "power"},
         "manage": {"view", "console", "power", "manage"}}
GIDS = {"lab-admins": 2100, "students": 2101}
SYSTEM = "qemud-vm"
UNITS = {"K": 1, "M": 1 << 10, "G": 1 << 20}


class Groups:
    """Who is in which group, and from whom what a group took is still taken when it has vanished."""

    def __init__(self):
        self.members = {name: {who for who, gids in host.GROUPS.items() if gid in gids} for name, gid in GIDS.items()}
        self.there = set(GIDS)
        self.held = {name: set() for name in GIDS}

    def has(self, name, who, takes):
        return name in self.there and who in self.members[name] or takes and who in self.held[name]

    def of(self, who):
        """(the groups of her account, those that she is held in), as gids."""
        own = set(host.GROUPS[who]) - set(GIDS.values())
        return (own | {gid for name, gid in GIDS.items() if self.has(name, who, False)},
                {gid for name, gid in GIDS.items() if who in self.held[name]})

    def change(self, rules, what, name, who):
        """What becomes of a group while these rules are in force."""
        if what == "vanish" and name in self.there:
            self.there.discard(name)
            self.held[name] = set(self.members[name]) if rules.takes(name) else set()
        elif what == "back":
            self.there.add(name)
            self.held[name] = set()
        elif what == "join":
            self.members[name].add(who)
        elif what == "leave":
            self.members[name].discard(who)

    def review(self, rules):
        """Other rules are in force: what takes nothing holds nobody."""
        for name in GIDS:
            if not rules.takes(name):
                self.held[name] = set()


def _amount(value):
    if value == "unlimited":
        return math.inf
    return int(value) if value.isdigit() else int(value[:-1]) * UNITS[value[-1]]


def take_party(words):
    n = 2 if words[0] in ("user", "uid", "group") else 1
    return words[:n], words[n:]


class Rules:
    def __init__(self, lines, groups=None):
        self.lines, self.groups = list(lines), groups or Groups()

    def __str__(self):
        return "".join(line + "\n" for line in self.lines)

    def _of(self, kind):
        """(its number, whom it is for, its other words) of each line of that kind."""
        for number, line in enumerate(self.lines, 1):
            words = line.split()
            if words and words[0] == kind:
                yield number, *take_party(words[1:])

    def speaks_of(self, name):
        return any(re.search(rf"\bgroup {name}\b", line) for line in self.lines)

    def takes(self, name):
        """Does a line take something from that group, or from what is theirs?"""
        return any(re.search(rf"^(deny|limit)\b.*\bgroup {name}\b|^network group {name} none", line)
                   for line in self.lines)

    def is_in(self, party, who, takes):
        """Is somebody meant by these words of a line, which takes something or gives it?"""
        kind, *name = party
        if kind == "uid":
            return host.UID[who] == int(name[0])
        return {"everyone": True, "user": name == [who], "system": who == SYSTEM,
                "group": kind == "group" and self.groups.has(name[0], who, takes)}.get(kind, False)

    def verbs(self, who, owner):
        """What she may do with that owner's machines."""
        def is_target(target, takes):
            own = owner == (SYSTEM if who == "root" else who)
            return target == ["all"] or target == ["own"] and own or self.is_in(target, owner, takes)
        given = set(VERBS["manage"]) if who == "root" else set()
        for _, subject, (verb, *target) in self._of("allow"):
            if self.is_in(subject, who, False) and is_target(target, False):
                given |= VERBS[verb]
        for _, subject, rest in self._of("deny"):
            if self.is_in(subject, who, True) and (len(rest) < 2 or is_target(rest[1:], True)):
                given -= {verb for verb, all_of_it in VERBS.items() if not rest or rest[0] in all_of_it}
        return given

    def limit(self, owner, key):
        """(the most of it, number of the line) for that owner, or "host"; infinite where no line says so."""
        found = {}
        for number, subject, (name, value) in self._of("limit"):
            if name == key and (subject == ["host"] if owner == "host" else self.is_in(subject, owner, True)):
                most = _amount(value)
                found.setdefault(subject[0], []).append((most, number))
        for kind in ("host", "user", "group", "everyone"):
            if kind in found:
                return max(found[kind], key=lambda pair: pair[0])
        return math.inf, 0

    def network(self, owner):
        """May her machines have the user network?"""
        said = [(self.is_in(subject, owner, rest[0] == "none"), rest[0]) for _, subject, rest in self._of("network")]
        mine = [kind for is_hers, kind in said if is_hers]
        return not said or "user" in mine and "none" not in mine
