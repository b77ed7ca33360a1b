# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: root sees everybody's machines through a view, under names and UUIDs of their own, and what it
# does to them is done by their owners' workers; on the read-only socket it changes nothing.
import os
import re

import host
import proc
import tap
import vm

broker = host.start_broker()
SECRET = "/home/alice/secret"
SYSTEM, SYSTEM_RO = (uri.replace("///session", "///system") for uri in (host.URI, host.URI_RO))


def root(*words, uri=SYSTEM):
    return host.virsh("root", *words, uri=uri)


def names(user="root", uri=SYSTEM):
    return sorted(host.virsh(user, "list", "--all", "--name", uri=uri).split())


@tap.test("root sees whose they are; everybody else her own")
def _():
    vm.define("alice", "one", 1)
    vm.define("bob", "one", 1)
    vm.define("bob", "two", 2)
    tap.equal(names("alice"), ["one"], "alice's")
    tap.equal(names(), ["alice:one", "bob:one", "bob:two"], "root's")
    tap.equal(names(uri=SYSTEM_RO), ["alice:one", "bob:one", "bob:two"], "root's, read-only")
    tap.equal(len(proc.find("qemud-view")), 3, "the refuser, and a view for each socket")
    tap.equal(names(uri=host.URI), [], "root's own")


@tap.test("a definition says whose it is, under another UUID, and can be given back")
def _():
    xml = root("dumpxml", "bob:one")
    tap.true("<name>bob:one</name>" in xml, "name")
    tap.true(f'owner="bob" uid="{host.UID["bob"]}" uuid="{vm.uuid(1)}"' in xml, "owner")
    shown = re.search("<uuid>(.*)</uuid>", xml).group(1)
    tap.true(shown != vm.uuid(1), "UUID")
    tap.equal(root("domname", shown).strip(), "bob:one", "by UUID")
    with open("/tmp/edited.xml", "w", encoding="utf-8") as file:
        file.write(xml.replace("<memory unit='KiB'>65536</memory>", "<memory unit='KiB'>73728</memory>"))
    root("define", "/tmp/edited.xml")
    tap.true("73728" in host.virsh("bob", "dumpxml", "one"), "what bob has now")
    tap.true("qemud:vm" not in host.virsh("bob", "dumpxml", "one"), "nothing of it is kept")
    tap.equal(names("bob"), ["one", "two"], "bob's")


@tap.test("power and changes reach the owner's machine, whose worker is started for it")
def _():
    worker = host.worker_of("bob")
    ended = proc.End(worker)
    os.kill(worker.pid, 9)
    ended.wait(60)
    root("start", "bob:two")
    tap.equal(list(vm.ids("bob")), ["two"], "what bob runs")
    tap.equal(vm.qemu("bob").ids("Uid")[0], host.UID["bob"], "its uid")
    tap.equal(vm.state("root", "bob:two", uri=SYSTEM).split()[0], "running", "state")
    root("suspend", "bob:two")
    tap.equal(vm.state("bob", "two").split()[0], "paused", "state")
    root("destroy", "bob:two")
    root("undefine", "bob:two")
    tap.equal(names("bob"), ["one"], "bob's")


@tap.test("what another manages names none of the owner's files but images")
def _():
    with open(SECRET, "w", encoding="utf-8") as file:
        file.write("canary")
    os.chown(SECRET, host.UID["alice"], host.UID["alice"])
    xml = root("dumpxml", "--inactive", "alice:one")
    with open("/tmp/stolen.xml", "w", encoding="utf-8") as file:
        file.write(xml.replace("<devices>", "<devices>" + vm.disk(SECRET)))
    error = host.virsh_fails("root", "define", "/tmp/stolen.xml", uri=SYSTEM)
    tap.true("operation forbidden" in error and SECRET in error, error)
    tap.true(SECRET not in host.virsh("alice", "dumpxml", "one"), "alice's definition")


@tap.test("on the read-only socket nothing is changed")
def _():
    tap.true("one" in root("dumpxml", "alice:one", uri=SYSTEM_RO), "shown")
    for words in (("start", "alice:one"), ("undefine", "alice:one"), ("dumpxml", "--security-info", "alice:one")):
        host.virsh_fails("root", *words, uri=SYSTEM_RO)
    tap.equal(names("alice"), ["one"], "alice's")


@tap.test("what root defines belongs to the system account")
def _():
    vm.define("root", "own", 9)
    tap.equal(names(), ["alice:one", "bob:one", "own"], "root's")
    tap.equal(vm.uuid(9), root("domuuid", "own").strip(), "UUID")
    root("undefine", "own")


host.finish()
