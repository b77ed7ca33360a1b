# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: a machine with autostart starts when its user's first worker begins, once while the host runs.
# test: timeout=180
import os

import host
import proc
import tap
import vm

broker = host.start_broker(idle_seconds=1)


@tap.test("what is given autostart while the host runs is not started by the next worker")
def _():
    vm.define("alice", "first", 1)
    vm.define("alice", "second", 2)
    vm.define("alice", "third", 3)
    host.virsh("alice", "autostart", "first")
    host.virsh("alice", "autostart", "third")
    proc.End(host.worker_of("alice")).wait(20)
    tap.equal(vm.ids("alice"), {}, "what runs")


@tap.test("the host begins again: both start, the other does not")
def _():
    global broker
    broker.stop()
    # What is in /run does not outlive a host.
    os.unlink(f"/run/qemud/users/{host.UID['alice']}/autostarted")
    broker = host.Broker(idle_seconds=1)
    watcher = vm.Watcher("alice")
    watcher.log.wait("^third 2 0$")
    watcher.close()
    tap.equal(sorted(vm.ids("alice")), ["first", "third"], "what runs")


@tap.test("what has ended since is not started again by the next worker")
def _():
    host.virsh("alice", "destroy", "first")
    worker = host.worker_of("alice")
    end = proc.End(worker)
    os.kill(worker.pid, 9)
    end.wait(10)
    tap.equal(sorted(vm.ids("alice")), ["third"], "what runs")
    host.virsh("alice", "destroy", "third")


host.finish()
