/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * passt.h: the arguments of the passt of one network interface of kind user.
 *
 * Pure: what is wanted in, the plan of a box out. In the worker. The fixed arguments (-f, no way to
 * the host's loopback, its own MAC address) are the box's, see worker/box/program.c; names and
 * limits are those of libvirt's <interface type='user'> with <backend type='passt'/>, the text is
 * passt(1)'s.
 */
#ifndef WORKER_QEMU_PASST_H
#define WORKER_QEMU_PASST_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/box/plan.h"

enum {
	PASST_ADDRESSES_MAX = 2, /* one of each family, as passt takes them */
	PASST_DNS_MAX = 3,       /* as many as guests use: MAXNS of resolv.conf(5) */
	PASST_FORWARDS_MAX = 16,
	PASST_RANGES_MAX = 32,  /* of one forward */
	PASST_DEVICE_MAX = 16,  /* IFNAMSIZ */
	PASST_ADDRESS_MAX = 46, /* INET6_ADDRSTRLEN */
	PASST_ARG_MAX = 1024,   /* one forward */
	PASST_ARGS_MAX = 64,
	PASST_FD = 10 /* its end of the pair, in its box */
};

/* Where passt is; net of kind user needs it, and nothing else does. */
#define PASST_PATH    "/usr/bin/passt"
#define PASST_PACKAGE "passt"

enum passt_protocol { PASST_TCP = 1, PASST_UDP };

/* Ports of the host; start to end go to as many from `to` on. */
struct passt_range {
	uint16_t start;
	uint16_t end; /* 0: start alone */
	uint16_t to;  /* 0: the same ports */
	bool exclude; /* these not, of those that the others name; `to` is 0 */
};

struct passt_forward {
	enum passt_protocol protocol;
	char address[PASST_ADDRESS_MAX]; /* of the host, numeric; "": any */
	char device[PASST_DEVICE_MAX];   /* "": any */
	unsigned n_ranges;               /* 0: all ports that are not in use */
	struct passt_range ranges[PASST_RANGES_MAX];
};

struct passt_address {
	char address[PASST_ADDRESS_MAX]; /* of the guest, numeric */
	unsigned prefix;                 /* 0: not named; IPv4 alone has one */
};

/* What a network interface of kind user wants; zeroed: the host's address, nothing forwarded. */
struct passt {
	char device[PASST_DEVICE_MAX]; /* whose addresses and routes; "": the default route's */
	unsigned mtu;                  /* 0: passt's own, 65520 */
	unsigned n_addresses;
	struct passt_address addresses[PASST_ADDRESSES_MAX];
	unsigned n_dns;                             /* 0: those of the host */
	char dns[PASST_DNS_MAX][PASST_ADDRESS_MAX]; /* name servers, numeric */
	unsigned n_forwards;
	struct passt_forward forwards[PASST_FORWARDS_MAX];
};

/* Arguments that a plan borrows. */
struct passt_text {
	unsigned n;
	char args[PASST_ARGS_MAX][PASST_ARG_MAX];
};

enum passt_error { PASST_E_BAD = 1 /* `why` says what is wrong */ };

/**
 * Is it something that passt can do, with no port of the host below port_min? Returns 0, or
 * PASST_E_BAD with libvirt's words where it has some.
 */
int passt_check(const struct passt *passt, unsigned port_min, char why[static PLAN_WHY_MAX]);

/**
 * The plan of its box; its one descriptor, the network's end of the pair, goes to PASST_FD. Where
 * all ports are forwarded, those below port_min are not. text lives as long as the plan. Returns 0,
 * or PASST_E_BAD for what does not fit.
 */
int passt_plan(
	const struct passt *passt, unsigned port_min, struct passt_text *text, struct plan *ret);

/** Is passt on this host? */
bool passt_is_installed(void);

#endif
