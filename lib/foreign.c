/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * foreign.c: closing what others can fill, without being held up; see foreign.h.
 *
 * Runs in every program, root's included. One thread: the timer is the process's.
 */
#include "lib/foreign.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "lib/err.h"
#include "lib/fd.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

static bool is_prepared;

/* Only that it comes matters: the kernel stops waiting for a process that has a signal to handle. */
static void
nothing(int signo)
{
	(void)signo;
}

void
foreign_prepare(void)
{
	struct sigaction action = {.sa_handler = nothing};

	ASSERT(sigaction(SIGALRM, &action, NULL) == 0);
	is_prepared = true;
}

static void
set_timer(long us)
{
	/* Again and again: the first may come before the kernel has begun to wait. */
	struct itimerval timer = {.it_value = {.tv_usec = us}, .it_interval = {.tv_usec = us}};

	ASSERT(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

void
foreign_begin(void)
{
	if (!is_prepared)
		foreign_prepare();
	set_timer(FOREIGN_WAIT_US);
}

void
foreign_end(void)
{
	int kept = errno;

	set_timer(0);
	errno = kept;
}

void
foreign_close(int *fd)
{
	if (*fd < 0)
		return;
	foreign_begin();
	fd_close(fd);
	foreign_end();
}

static void
pass_rights(int sock, int allowed)
{
	(void)setsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &allowed, sizeof(allowed));
}

void
foreign_refuse(int sock)
{
	pass_rights(sock, 0);
}

void
foreign_allow(int sock)
{
	pass_rights(sock, 1);
}
