# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: what qemud makes of a definition, and how it refuses one, is what libvirt's own daemon
# does, but for what tests/golden/domain/DEVIATIONS lists.
# test: timeout=480 native
#
# The golden files are what qemud does (the unit tests hold it to them); here libvirtd is asked, as
# alice's session daemon. It sorts controllers only when it reads its own dump, so what counts is
# its dump of its dump. A deviation that is listed and is none is a failure too. What DEVIATIONS
# calls unasked never reaches libvirtd: it would no longer be fit to answer the rest.
import difflib
import glob
import os
import re
import subprocess

import host
import libvirtd
import tap

GOLDEN = "/srv/qemud/tests/golden/domain"
NOT_SUPPORTED = re.compile(r"is not (supported|run) by qemud")


def deviations():
    """{("accepted", "refused" or "unasked", NAME): reason}"""
    found = {}
    with open(f"{GOLDEN}/DEVIATIONS", encoding="utf-8") as file:
        for line in file:
            match = re.match(r"(accepted|refused|unasked)\s+(\S+)\s+(\S.*)", line)
            if match:
                found[match[1], match[2]] = match[3]
    return found


def virsh(*commands):
    return host.run_as("alice", "virsh", "-c", libvirtd.URI, "; ".join(commands))


def define_and_dump(path, uuid):
    """libvirt's dump of the definition in that file, or what it said."""
    result = virsh(f"define {path}", f"dumpxml --inactive {uuid}", f"undefine {uuid}")
    xml = re.search(r"^<domain.*^</domain>\n", result.stdout, re.MULTILINE | re.DOTALL)
    return xml[0] if xml else result.stderr


def differs(path):
    with open(path.replace(".xml", ".out.xml"), encoding="utf-8") as file:
        ours = file.read()
    uuid = re.search("<uuid>(.*)</uuid>", ours)[1]
    theirs = define_and_dump(path, uuid)
    with open(f"{libvirtd.RUN}/dump.xml", "w", encoding="utf-8") as file:
        file.write(theirs)
    theirs = define_and_dump(f"{libvirtd.RUN}/dump.xml", uuid)
    return "".join(difflib.unified_diff(theirs.splitlines(True), ours.splitlines(True), "libvirt",
                                        "qemud", n=1)) or None


def refused_otherwise(path):
    with open(path.replace(".xml", ".error"), encoding="utf-8") as file:
        ours = file.read().split("\n", 1)[1].strip()
    if NOT_SUPPORTED.search(ours):
        return None
    result = subprocess.run(host.command_as("alice", "virsh", "-c", libvirtd.URI, "define", path),
                            capture_output=True, text=True, errors="replace",
                            stdin=subprocess.DEVNULL, timeout=60, check=False)
    defined = re.search("Domain '(.*)' defined from", result.stdout, re.DOTALL)
    if defined:
        host.run_as("alice", "virsh", "-c", libvirtd.URI, "undefine", defined[1])
        return "accepted"
    theirs = result.stderr.split("\nerror: ", 1)[-1].strip()
    return None if theirs == ours else theirs


def compare(kind, paths, find):
    listed = {name for k, name in LISTED if k == kind}
    names = set()
    for path in sorted(paths):
        name = os.path.basename(path)[:-4]
        found = find(path)
        if found is not None:
            names.add(name)
            if name not in listed:
                tap.note(f"{name}, by libvirt:\n{found}")
    tap.equal(sorted(names - listed), [], "differences that are not listed")
    tap.equal(sorted(listed - names), [], "listed differences that are none")


if not libvirtd.PROGRAM:
    tap.skip_all("libvirtd is not installed")
LISTED = deviations()
libvirtd.start()


@tap.test("a definition is dumped as libvirt dumps it")
def _():
    paths = [p for p in glob.glob(f"{GOLDEN}/*.xml") if not p.endswith(".out.xml")]
    compare("accepted", paths, differs)


@tap.test("a broken definition is refused as libvirt refuses it")
def _():
    unasked = {f"{GOLDEN}/bad/{name}.xml" for kind, name in LISTED if kind == "unasked"}
    paths = set(glob.glob(f"{GOLDEN}/bad/*.xml"))
    tap.equal(unasked - paths, set(), "unasked definitions that there are not")
    compare("refused", paths - unasked, refused_otherwise)


host.finish()
