# SPDX-License-Identifier: LGPL-2.1-or-later
"""oracle.py: what a call has to be answered, found slowly and obviously from the words of the policy
(policy.conf(5)), the table of procedures, and the order in which a call is checked.

It knows nothing of the broker, of views and of workers but what they promise. A Side is one way of one
person to look at the host; expected() says what she is answered there.
"""
import hashlib

ALL = {"view", "console", "power", "manage"}
INCLUDED = {"view": {"view"}, "console": {"view", "console"}, "power": {"view", "power"}, "manage": ALL}

# Answers: what is expected of an error, by its code; served is any other answer, or none of these errors: which,
# reference.py knows.
DENIED, UNKNOWN, NO_DOMAIN, NOBODY, SERVED = 29, 39, 42, 9, 0


class Person:
    """Somebody who connects. Who has no account owns nothing, and is in no group."""

    def __init__(self, name, uid, groups=(), account=True):
        self.name, self.uid, self.groups, self.account = name, uid, {name, *groups}, account
        self.is_system = name == "qemud-vm"
        # In front of the names of her machines, for others.
        self.label = "system" if self.is_system else name


class Machine:
    """A virtual machine, as its owner knows it."""

    def __init__(self, owner, name, uuid, number=-1):
        self.owner, self.name, self.uuid, self.id = owner, name, uuid, number
        digest = bytearray(hashlib.sha256(b"qemud-derived-v8" + owner.uid.to_bytes(4, "big") + uuid).digest()[:16])
        digest[6] = digest[6] & 0x0f | 0x80
        digest[8] = digest[8] & 0x3f | 0x80
        self._derived = bytes(digest)

    def own_handle(self):
        return {"name": self.name, "uuid": self.uuid, "id": self.id}

    def shown_uuid(self):
        return self._derived

    def shown_handle(self):
        return {"name": f"{self.owner.label}:{self.name}", "uuid": self.shown_uuid(), "id": self.id}


# --- the policy -------------------------------------------------------------------------------


def _party(words):
    n = 2 if words[0] in ("user", "uid", "group") else 1
    return words[:n], words[n:]


def _is_for(subject, who):
    kind, *name = subject
    if kind == "everyone":
        return who.account
    if kind == "uid":
        return who.uid == int(name[0])
    return who.name == name[0] if kind == "user" else who.account and name[0] in who.groups


def _is_own(who, owner):
    return owner.is_system if who.uid == 0 else who.account and who.uid == owner.uid


def _is_about(target, who, owner):
    kind, *name = target
    if kind == "all":
        return True
    if kind == "own":
        return _is_own(who, owner)
    if kind == "system":
        return owner.is_system
    if kind == "uid":
        return owner.uid == int(name[0])
    return owner.name == name[0] if kind == "user" else name[0] in owner.groups


def rights(policy, who, owner):
    """The verbs that a policy gives somebody over what an owner has."""
    given, taken = set(), set()
    for line in ["allow user root manage all", *policy.splitlines()]:
        what, *rest = line.split()
        subject, rest = _party(rest)
        verb = rest[0] if rest else None
        target = _party(rest[1:])[0] if rest[1:] else ["all"]
        if not _is_for(subject, who) or not _is_about(target, who, owner):
            continue
        if what == "allow":
            given |= INCLUDED[verb]
        else:
            taken |= {v for v in ALL if not verb or verb in INCLUDED[v]}
    return given - taken


# --- one way to look at the host --------------------------------------------------------------


class Side:
    """Somebody's connection: to one socket ("rw", "ro"), with or without the flag for reading only, to
    the whole host or (session) to her own. One that is held while the policy changes stays where it was,
    in a view or with her own worker, which shows nothing but her own."""

    # pylint: disable-next=too-many-arguments
    def __init__(self, policy, who, world, socket="rw", flag=False, session=False, held=None):
        self.who, self.socket, self.flag, self.session = who, socket, flag, session
        self.machines, self.implemented = world.machines, world.implemented
        less = ALL if socket == "rw" and not flag else {"view"}
        self.owners = [owner for owner in world.people if owner.account and owner.uid != 0]
        self.over = {owner.name: rights(policy, who, owner) & less for owner in self.owners}
        self.own = next((owner for owner in self.owners if _is_own(who, owner)), None)
        if held and not held.view:
            self.over = {name: verbs if self.own and name == self.own.name else set()
                         for name, verbs in self.over.items()}
        # Her own worker answers who has no right over anybody else's.
        self.view = held.view if held else any(
            self.over[owner.name] for owner in self.owners if owner is not self.own)
        self.all = set().union(*self.over.values())

    def __str__(self):
        return f"{self.who.name} {self.socket}{' read-only' if self.flag else ''}{' session' if self.session else ''}"

    def handle(self, machine):
        """How she knows it, if she may."""
        return machine.own_handle() if machine.owner is self.own else machine.shown_handle()

    def shown(self):
        """{UUID: machine} of what there is, for her."""
        return {self.handle(m)["uuid"]: m for m in self.machines
                if self.over[m.owner.name] and (m.owner is self.own or not self.session)}

    def may(self, owner, verbs):
        return set(verbs) <= self.over[owner.name]

    def asked_about_nothing(self, row, defined):
        """Who answers a call that names no machine; defined: one that a definition in it is of."""
        if not self.view:
            return self.own
        if defined and row.name in MAKERS_OF_GIVEN:
            return defined.owner
        system = next(owner for owner in self.owners if owner.is_system)
        if row.name in MAKERS and not self.session and self.may(system, ["manage"]):
            return system
        seen = [owner for owner in self.owners if self.over[owner.name] and (not self.session or owner is self.own)]
        seen.sort(key=lambda owner: (owner is not self.own, not owner.is_system))
        return seen[0] if seen else None


# What may make a machine; of the first, a view sees whose the definition is.
MAKERS_OF_GIVEN = {"domain_create_xml", "domain_define_xml", "domain_define_xml_flags"}
MAKERS = MAKERS_OF_GIVEN | {"domain_create_xml_with_files", "domain_restore", "domain_restore_flags",
                            "domain_restore_params"}
LOOKUPS = {"domain_lookup_by_name": "name", "domain_lookup_by_uuid": "uuid", "domain_lookup_by_id": "id"}
# The domain is a filter for what comes later: there need not be one.
FILTERS = {"connect_domain_event_callback_register_any"}
# What a view says by itself, also to who has no worker that could be asked: about the connection, and lists.
OF_VIEW = FILTERS | {
    "connect_open", "connect_supports_feature", "connect_get_type", "connect_get_lib_version", "connect_get_uri",
    "connect_is_secure", "connect_register_close_callback", "connect_unregister_close_callback", "auth_list",
    "auth_sasl_init", "auth_sasl_start", "auth_sasl_step", "auth_polkit", "connect_list_all_domains",
    "connect_list_domains", "connect_num_of_domains", "connect_list_defined_domains",
    "connect_num_of_defined_domains", "connect_get_all_domain_stats", "connect_domain_event_callback_deregister_any"}


def _named(row, values):
    """The handle in a call, or None."""
    for path in row.domain_slots:
        value = values
        for key in path:
            value = (value or {}).get(key)
        if value is not None:
            return value
    return None


def expected(side, row, values, defined=None):
    """The code of the error, or SERVED. defined: the machine of hers that a definition in the arguments is of."""
    need = row.verbs(values)
    if row.verb == "event":
        return UNKNOWN
    if not set(need[:1]) <= side.all:
        return DENIED
    # A view does not know what workers implement: it asks whose it is first.
    if not side.view and row.name not in side.implemented:
        return UNKNOWN
    if not set(need) <= side.all:
        return DENIED
    if row.name in LOOKUPS:
        key = LOOKUPS[row.name]
        if key == "id" and values["id"] < 0:
            return SERVED  # an error of another kind
        return SERVED if any(side.handle(m)[key] == values[key] for m in side.shown().values()) else NO_DOMAIN
    if row.name in (OF_VIEW if side.view else FILTERS):
        return SERVED
    handle = _named(row, values)
    if handle is not None:
        machine = side.shown().get(handle["uuid"])
        if machine is None:
            return NO_DOMAIN
        owner = machine.owner
    else:
        owner = side.asked_about_nothing(row, defined)
        if owner is None:
            return NOBODY
    if side.view and not side.may(owner, need):
        return DENIED
    return SERVED if row.name in side.implemented else UNKNOWN


def says(row, code, error):
    """Is that the answer? error: as table.read_error() has it, None when there was none."""
    got = error["code"] if error else 0
    if code == SERVED:
        if got == UNKNOWN and (error["message"] or "").startswith("unknown procedure"):
            return False
        return got not in (DENIED, NO_DOMAIN)
    if got != code:
        return False
    if code == UNKNOWN:
        return error["domain"] == 7 and error["message"] == f"unknown procedure: {row.number}"
    if code == DENIED:
        return "forbidden" in error["message"] and row.api in error["message"]
    return True
