/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: qemud-net, the relay between one QEMU and its networks.
 *
 * The starter runs it as the user, in the leaf of a VM, in namespaces of its own, without files,
 * network or capability, with the first connection of its control as descriptor 3. It reads a
 * guest's frames, and what the network sends to the guest; who takes it over has what the guest
 * has. It ends with the VM, whose leaf is killed, or NET_ALONE_S after its last port.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "confine/filter.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/start.h"
#include "worker/net/ports.h"

enum { CONTROL_FD = 3 /* where the starter puts it */ };

static void
signalled(void *arg, int signo)
{
	(void)signo;
	loop_quit(arg, EXIT_SUCCESS);
}

int
main(int argc, char **argv)
{
	static struct ports ports;
	static struct loop loop;
	int r;

	(void)argv;
	start_program("qemud-net");
	if (argc != 1)
		die("usage: qemud-net (it is started by qemud-launch)");
	log_open("qemud-net", LEVEL_INFO);
	start_loop(&loop, 0, signalled, &loop);
	r = filter_load(&filter_net);
	if (r < 0)
		die("the system call filter cannot be loaded: %s", strerror(-r));
	r = ports_start(&ports, &loop, CONTROL_FD);
	if (r < 0)
		die("descriptor %d is no control of a relay: %s", CONTROL_FD, strerror(-r));
	r = loop_run(&loop);
	ports_stop(&ports);
	loop_fini(&loop);
	if (r < 0)
		die("the loop failed: %s", strerror(-r));
	return r;
}
