/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resolver.c: the name servers of guests; see resolver.h.
 *
 * Runs in the worker, as the user. Format: resolv.conf(5). Addresses of IPv4 alone: passt ends at one
 * of a family in which the host reaches nobody, and this is the family that guests are sure to have.
 */
#include "worker/vm/resolver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"

enum { TEXT_MAX = 64 * 1024, LOOPBACK = 127 /* the first byte of 127.0.0.0/8 */ };

/* Whom a file names. */
struct servers {
	unsigned n; /* of IPv4, which guests can reach */
	char addresses[PASST_DNS_MAX][INET_ADDRSTRLEN];
	bool on_loopback; /* some are there */
	bool others;      /* some are elsewhere, of either family */
};

static void
take_line(const char *line, struct servers *servers)
{
	struct in6_addr six;
	struct in_addr four;
	char address[PASST_ADDRESS_MAX];

	if (sscanf(line, "nameserver %45s", address) != 1)
		return;
	if (inet_pton(AF_INET6, address, &six) == 1) {
		servers->on_loopback |= IN6_IS_ADDR_LOOPBACK(&six);
		servers->others |= !IN6_IS_ADDR_LOOPBACK(&six);
	} else if (inet_pton(AF_INET, address, &four) == 1) {
		bool loopback = ntohl(four.s_addr) >> 24 == LOOPBACK;

		servers->on_loopback |= loopback;
		servers->others |= !loopback;
		if (!loopback && servers->n < PASST_DNS_MAX)
			(void)inet_ntop(
				AF_INET, &four, servers->addresses[servers->n++], INET_ADDRSTRLEN);
	}
}

/* A file that is not there names nobody. */
static struct servers
read_servers(const char *path)
{
	fd_auto int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct servers servers = {.n = 0};
	free_auto char *text = NULL;
	size_t size;

	if (fd < 0 || fd_read_all(fd, TEXT_MAX, &text, &size) < 0)
		return servers;
	for (char *line = text, *end; line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		take_line(line, &servers);
	}
	return servers;
}

void
resolver_fill(struct passt *passt, const char *etc, const char *resolved)
{
	struct servers servers = read_servers(etc);

	passt->n_dns = 0;
	if (!servers.on_loopback || servers.others)
		return;
	servers = read_servers(resolved);
	for (unsigned i = 0; i < servers.n; i++)
		(void)snprintf(passt->dns[passt->n_dns++], sizeof(passt->dns[0]), "%s",
			servers.addresses[i]);
}
