/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * passt.c: the arguments of the passt of one network interface; see passt.h.
 *
 * In the worker; pure but for the question whether passt is there.
 */
#include "worker/qemu/passt.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PORT_MAX = 65535, IPV4_BITS = 32 };

__attribute__((format(printf, 2, 3))) static int
bad(char why[static PLAN_WHY_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, PLAN_WHY_MAX, fmt, ap);
	va_end(ap);
	return PASST_E_BAD;
}

/* --- is it good? -------------------------------------------------------------------------- */

/* The family of a numeric address, or 0. */
static int
family(const char *address)
{
	struct in6_addr binary;

	if (inet_pton(AF_INET, address, &binary) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, address, &binary) == 1 ? AF_INET6 : 0;
}

/* As the kernel has names of devices (dev_valid_name()), and nothing that passt reads otherwise. */
static bool
is_device(const char *name)
{
	size_t n = strcspn(name, "/:%, \t\n\v\f\r");

	return name[n] == '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       name[0] != '-';
}

static int
check_addresses(const struct passt *passt, char why[static PLAN_WHY_MAX])
{
	int seen = 0;

	if (passt->n_addresses > PASST_ADDRESSES_MAX)
		return bad(why, "more than %d addresses of the guest", PASST_ADDRESSES_MAX);
	for (unsigned i = 0; i < passt->n_addresses; i++) {
		const struct passt_address *address = &passt->addresses[i];
		int now = family(address->address);

		if (now == 0)
			return bad(why, "'%s' is no address", address->address);
		if (now == seen)
			return bad(why, "more than one address of the guest of a family");
		if (now == AF_INET6 && address->prefix != 0)
			return bad(why, "an IPv6 address of the guest has no prefix of its own");
		if (address->prefix > IPV4_BITS)
			return bad(why, "the prefix %u is above %d", address->prefix, IPV4_BITS);
		seen = now;
	}
	return 0;
}

static int
check_range(const struct passt_range *range, unsigned port_min, char why[static PLAN_WHY_MAX])
{
	unsigned end = range->end ? range->end : range->start;

	if (range->start == 0)
		return bad(why, "there is no port 0");
	if (end < range->start)
		return bad(
			why, "the range of ports %u-%u ends before it begins", range->start, end);
	if (range->exclude && range->to != 0)
		return bad(why, "ports that are excluded go nowhere");
	if (range->to != 0 && (unsigned)range->to + (end - range->start) > PORT_MAX)
		return bad(why, "the range of ports %u-%u goes beyond %d from %u on", range->start,
			end, PORT_MAX, range->to);
	if (!range->exclude && range->start < port_min)
		return bad(why,
			"port %u of the host is below %u, the lowest that may be forwarded "
			"(port_min in qemud.conf)",
			range->start, port_min);
	return 0;
}

static int
check_forward(const struct passt_forward *forward, unsigned port_min, char why[static PLAN_WHY_MAX])
{
	if (forward->protocol != PASST_TCP && forward->protocol != PASST_UDP)
		return bad(why, "ports of neither TCP nor UDP");
	if (forward->address[0] && family(forward->address) == 0)
		return bad(why, "'%s' is no address", forward->address);
	if (!is_device(forward->device))
		return bad(why, "'%s' is no name of a network device", forward->device);
	if (forward->n_ranges > PASST_RANGES_MAX)
		return bad(why, "more than %d ranges of ports", PASST_RANGES_MAX);
	for (unsigned i = 0; i < forward->n_ranges; i++) {
		int r = check_range(&forward->ranges[i], port_min, why);

		if (r != 0)
			return r;
	}
	return 0;
}

int
passt_check(const struct passt *passt, unsigned port_min, char why[static PLAN_WHY_MAX])
{
	int r;

	if (!is_device(passt->device))
		return bad(why, "'%s' is no name of a network device", passt->device);
	if (passt->mtu > PORT_MAX)
		return bad(why, "the MTU %u is above %d", passt->mtu, PORT_MAX);
	if (passt->n_forwards > PASST_FORWARDS_MAX)
		return bad(why, "more than %d forwards of ports", PASST_FORWARDS_MAX);
	r = check_addresses(passt, why);
	for (unsigned i = 0; i < passt->n_forwards && r == 0; i++)
		r = check_forward(&passt->forwards[i], port_min, why);
	return r;
}

/* --- as text ------------------------------------------------------------------------------ */

struct writer {
	struct passt_text *text;
	bool full;
};

__attribute__((format(printf, 2, 3))) static void
put(struct writer *writer, const char *fmt, ...)
{
	struct passt_text *text = writer->text;
	va_list ap;
	int n;

	if (text->n == PASST_ARGS_MAX) {
		writer->full = true;
		return;
	}
	va_start(ap, fmt);
	n = vsnprintf(text->args[text->n], PASST_ARG_MAX, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= PASST_ARG_MAX)
		writer->full = true;
	else
		text->n++;
}

/* Text that is put together piece by piece; full when it does not fit. */
struct piece {
	char text[PASST_ARG_MAX];
	size_t size;
	bool full;
};

__attribute__((format(printf, 2, 3))) static void
add(struct piece *piece, const char *fmt, ...)
{
	size_t room = sizeof piece->text - piece->size;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(piece->text + piece->size, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		piece->full = true;
	else
		piece->size += (size_t)n;
}

static void
add_range(struct piece *piece, const struct passt_range *range)
{
	add(piece, "%s%u", range->exclude ? "~" : "", range->start);
	if (range->end)
		add(piece, "-%u", range->end);
	if (range->to)
		add(piece, ":%u", range->to);
	if (range->to && range->end)
		add(piece, "-%u", range->to + (range->end - range->start));
	add(piece, ",");
}

/* passt(1): [ADDRESS][%DEVICE]/SPEC, where SPEC is "all", or ranges and what is excluded of them. */
static void
put_forward(struct writer *writer, const struct passt_forward *forward, unsigned port_min)
{
	struct piece piece = {.size = 0};
	bool all = true;

	if (forward->address[0])
		add(&piece, "%s", forward->address);
	if (forward->device[0])
		add(&piece, "%%%s", forward->device);
	if (piece.size > 0)
		add(&piece, "/");
	for (unsigned i = 0; i < forward->n_ranges; i++) {
		add_range(&piece, &forward->ranges[i]);
		all = all && forward->ranges[i].exclude;
	}
	if (all && port_min > 1)
		add(&piece, "~1-%u,", port_min - 1);
	else if (all && forward->n_ranges == 0)
		add(&piece, "all,");
	writer->full = writer->full || piece.full;
	piece.text[piece.size - 1] = '\0'; /* the last comma */
	put(writer, "%s", forward->protocol == PASST_TCP ? "--tcp-ports" : "--udp-ports");
	put(writer, "%s", piece.text);
}

int
passt_plan(const struct passt *passt, unsigned port_min, struct passt_text *text, struct plan *ret)
{
	struct writer writer = {.text = text};

	text->n = 0;
	if (passt->device[0]) {
		put(&writer, "--interface");
		put(&writer, "%s", passt->device);
	}
	if (passt->mtu) {
		put(&writer, "--mtu");
		put(&writer, "%u", passt->mtu);
	}
	for (unsigned i = 0; i < passt->n_addresses; i++) {
		put(&writer, "--address");
		put(&writer, "%s", passt->addresses[i].address);
		if (passt->addresses[i].prefix) {
			put(&writer, "--netmask");
			put(&writer, "%u", passt->addresses[i].prefix);
		}
	}
	for (unsigned i = 0; i < passt->n_dns; i++) {
		put(&writer, "--dns");
		put(&writer, "%s", passt->dns[i]);
	}
	for (unsigned i = 0; i < passt->n_forwards; i++)
		put_forward(&writer, &passt->forwards[i], port_min);
	if (writer.full)
		return PASST_E_BAD;
	plan_init(ret);
	ret->program = PLAN_PASST;
	ret->profile = PLAN_VM;
	ret->fds[ret->n_fds++] = PASST_FD;
	for (unsigned i = 0; i < text->n; i++)
		ret->args[ret->n_args++] = text->args[i];
	return 0;
}

bool
passt_is_installed(void)
{
	struct stat st;

	return stat(PASST_PATH, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IXOTH);
}
