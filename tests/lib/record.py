# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stands in the audit log."""
import json
import os
import time

import tap

DIR = "/var/log/qemud"
LOG = f"{DIR}/audit.log"


def records():
    """Whole lines; none before there is a log."""
    if not os.path.exists(LOG):
        return []
    with open(LOG, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.startswith("{") and line.endswith("}\n")]


def of(kind, verb, **members):
    return [r for r in records() if (r["kind"], r["verb"]) == (kind, verb)
            and all(r.get(key) == value for key, value in members.items())]


def eventually(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        tap.true(time.monotonic() < deadline, f"{what} within {seconds} s; the last: {records()[-3:]}")
        time.sleep(0.02)


def wait_for(kind, verb, **members):
    """The first record of that kind, which may be on its way."""
    def there():
        return of(kind, verb, **members)
    eventually(there, f"{kind} {verb} {members} in the log")
    return there()[0]
