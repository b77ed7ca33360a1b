# SPDX-License-Identifier: LGPL-2.1-or-later
# Property: the sessions in tests/golden/sessions, which the unit tests cut and change, are what clients
# send: the same commands of today's clients call the same procedures, and succeed.
# test: timeout=360
#
# Each is recorded anew here; the recordings are among the artefacts (KEEP=1), to be put in the place of
# the old ones when a client has changed.
import subprocess

import host
import recorder
import rpc
import tap
import vm

PLACE = "/tmp/recorder.sock"
URI = f"qemu+unix:///session?socket={PLACE}"

host.start_broker(user_connections_per_second=100000)
XML = "/tmp/vm.xml"
with open(XML, "w", encoding="utf-8") as definition_file:
    definition_file.write(vm.definition("vm", 1, "<graphics type='vnc'/><video><model type='vga'/></video>"))

WRITES = ("list --all; define {xml}; dominfo vm; desc vm words; autostart vm; autostart --disable vm; "
          "metadata vm http://example.org/x --key k --set <a/>; domrename vm other; domrename other vm; "
          "domxml-to-native qemu-argv {xml}; dumpxml vm; start vm --paused; resume vm; "
          "domstate vm --reason; suspend vm; domdisplay vm; domid vm; vcpuinfo vm; dommemstat vm; "
          "screenshot vm /dev/null; send-key vm KEY_A; inject-nmi vm; reset vm; domstats; destroy vm; "
          "undefine vm; domstate vm").format(xml=XML)
READS = ("version; hostname; nodeinfo; nodememstats; nodecpustats; list --all --title; domuuid vm; dominfo vm; "
         "dumpxml vm; domstate vm; domstats; metadata vm http://example.org/x; define {xml}").format(xml=XML)

# A transient machine that ends with the connection, events of all kinds, and its console.
BINDINGS = """
import libvirt, sys
libvirt.virEventRegisterDefaultImpl()
connection = libvirt.open(sys.argv[1])
def told(*arguments):
    pass
ids = [connection.domainEventRegisterAny(None, kind, told, None) for kind in (0, 1, 2, 3, 4, 7, 10)]
domain = connection.createXML(open(sys.argv[2]).read(), libvirt.VIR_DOMAIN_START_AUTODESTROY)
stream = connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
domain.openConsole(None, stream, 0)
stream.send(b"hello\\n")
domain.info(), domain.vcpus(), domain.memoryStats()
connection.getAllDomainStats(), connection.listAllDomains(), connection.getCapabilities()
stream.finish()
for number in ids:
    connection.domainEventDeregisterAny(number)
connection.close()
"""

SESSIONS = {
    "virsh-writes": (rpc.SOCKET, ["virsh", "-c", URI, WRITES], (0, 1)),
    "bindings": (rpc.SOCKET, ["/usr/bin/python3", "-c", BINDINGS, URI, XML], (0,)),
    "virsh-reads": (rpc.SOCKET_RO, ["virsh", "-r", "-c", URI, READS], (0, 1)),
    "virsh-events": (rpc.SOCKET_RO, ["virsh", "-r", "-c", URI, "event --all --timeout 1"], (0, 1)),
}


def record(name, path, command, codes):
    # Who reads finds a machine; the others make their own.
    host.virsh("alice", "define", XML)
    if path == rpc.SOCKET:
        host.virsh("alice", "undefine", "vm")
    with recorder.Recorder("alice", PLACE, path) as tape:
        done = subprocess.run(host.command_as("alice", *command), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, check=False)
    tap.note(done.stderr.strip().replace("\n", "; "))
    tape.write(f"{host.OUT}/{name}.frames", ["What a client sent: " + " ".join(command[:1])])
    tap.true(done.returncode in codes, f"{command[0]} ended with {done.returncode}: {done.stderr}")
    # How often a client looks, and when it pings, is a matter of time.
    known = set(recorder.called(f"/srv/qemud/tests/golden/sessions/{name}.frames")) - {"keepalive"}
    tap.equal(sorted(set(tape.procedures()) - {"keepalive"}), sorted(known), "procedures")


for what, (socket_path, words, ends) in SESSIONS.items():
    tap.test(f"{what} calls what was recorded")(
        lambda name=what, path=socket_path, command=words, codes=ends: record(name, path, command, codes))
host.finish()
