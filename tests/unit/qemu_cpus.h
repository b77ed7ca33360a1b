/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu_cpus.h: members of QEMU 7.2's answer to query-hotpluggable-cpus, by the number of their socket.
 */
#ifndef TESTS_UNIT_QEMU_CPUS_H
#define TESTS_UNIT_QEMU_CPUS_H

#define QEMU_CPU_OF(n, more)                                                                      \
	"{\"props\":{\"core-id\":0,\"thread-id\":0,\"socket-id\":" #n "},\"vcpus-count\":1," more \
	"\"type\":\"qemu64-x86_64-cpu\"}"
#define QEMU_NO_CPU(n)      QEMU_CPU_OF(n, "")
#define QEMU_CPU(n)         QEMU_CPU_OF(n, "\"qom-path\":\"/machine/unattached/device[" #n "]\",")
#define QEMU_PLUGGED_CPU(n) QEMU_CPU_OF(n, "\"qom-path\":\"/machine/peripheral/vcpu" #n "\",")

#endif
