# SPDX-License-Identifier: LGPL-2.1-or-later
"""tap.py: numbered TAP lines for tests in Python.

A test is a function with a property for a name; it runs where it stands:

    @tap.test("alice is answered by her own worker")
    def _():
        tap.equal(uid, 2001, "uid of the worker")

What it raises is its failure. tap.end() prints the plan and ends the program.
"""
import os
import sys
import time
import traceback

PATIENCE_S = int(os.environ.get("TEST_PATIENCE", "240"))

_count = 0
_failed = 0


def _say(text):
    print(text, flush=True)


def note(text):
    """Lines for people, which mean nothing to the count."""
    for line in str(text).splitlines():
        _say(f"# {line}")


def test(name):
    def run(function):
        global _count, _failed
        _count += 1
        try:
            function()
        except Exception:
            _failed += 1
            _say(f"not ok {_count} - {name}")
            note(traceback.format_exc())
        else:
            _say(f"ok {_count} - {name}")
    return run


def skip(name, reason):
    """One test that cannot run here."""
    global _count
    _count += 1
    _say(f"ok {_count} - {name} # SKIP {reason}")


def skip_all(reason):
    """The whole file cannot run here."""
    _say(f"1..0 # SKIP {reason}")
    sys.exit(0)


def equal(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def true(condition, what):
    if not condition:
        raise AssertionError(what)


def eventually(what, condition):
    """Until it is so; what: in words, or what makes them when it is not."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        true(time.monotonic() < deadline,
             f"not within {PATIENCE_S} s: {what() if callable(what) else what}")
        time.sleep(0.05)


def end():
    _say(f"1..{_count}")
    sys.exit(1 if _failed else 0)
