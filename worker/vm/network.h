/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * network.h: the network of one VM: its relay (qemud-net), and a passt for each of its interfaces
 * of kind user.
 *
 * Runs in the worker, as the user. A port is one interface. QEMU has one end of a pair of stream
 * sockets (vm_network_pair()), which is its -netdev stream,server=off,addr.type=fd; the relay the
 * other, from vm_network_add() on, and so QEMU never sees a passt end. A passt that ended is
 * started again, a second later and then ever later, up to VM_NETWORK_RETRY_MAX_S; so is a relay
 * asked for, reached and left in peace while the worker lives. Only when the relay itself ends are
 * QEMU's ends lost, which is logged: an interface has to be unplugged and plugged in then.
 */
#ifndef WORKER_VM_NETWORK_H
#define WORKER_VM_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"
#include "lib/uplink.h"
#include "worker/net/counters.h"
#include "worker/qemu/net_link.h"
#include "worker/qemu/passt.h"
#include "worker/qemu/seed.h"
#include "worker/vm/log.h"

enum {
	VM_NETWORK_RETRY_MAX_S = 64,
	VM_NETWORK_STEADY_S = 10 /* a passt that ran so long is started again after a second */
};

enum vm_port_state {
	VM_PORT_FREE = 0,
	VM_PORT_BEGINS, /* its passt is on its way */
	VM_PORT_UP,     /* it runs */
	VM_PORT_DOWN    /* it has ended, or could not be started; it is tried again */
};

struct vm_network;

struct vm_port {
	struct vm_network *network;
	enum vm_port_state state;
	struct passt passt;
	int qemu_fd;    /* owned, until the relay has it; -1 */
	int network_fd; /* owned, until the relay has it; -1 */
	bool asked;     /* the broker, for a box */
	struct seed_link seed;
	struct timer retry;
	unsigned n_failed; /* in a row */
	uint64_t up_since_ns;
	char why[PLAN_WHY_MAX]; /* DOWN: for people */
};

struct vm_network_ops {
	/* The state of a port has changed; from the loop. `why` is set when it is DOWN. */
	void (*changed)(struct vm_network *network, unsigned port);
};

struct vm_network {
	struct loop *loop;
	struct uplink *uplink;
	const struct vm_network_ops *ops;
	const struct vm_log *log; /* borrowed: where passt writes */
	uint8_t uuid[16];
	uint32_t id;      /* of the lease; 0: not begun */
	bool relay_asked; /* the broker has not answered yet */
	bool listening;   /* the relay has its listening socket */
	struct net_link link;
	struct timer retry; /* of the relay */
	unsigned n_failed;
	unsigned asking; /* the port that the open ask is about; NET_PORTS_MAX: none */
	struct vm_port ports[NET_PORTS_MAX];
};

/** Empty: no port, nothing begun. ops may be NULL. */
void vm_network_init(struct vm_network *network, struct loop *loop, struct uplink *uplink,
	const struct vm_log *log, const struct vm_network_ops *ops);
/** Let go of it: what runs goes on, until the VM ends. Empty afterwards. */
void vm_network_stop(struct vm_network *network);

/**
 * A pair for a new interface: QEMU's own end, to be handed to QEMU, and the other for
 * vm_network_add(). Returns 0 or a negative errno.
 */
int vm_network_pair(int *ret_qemu_fd, int *ret_relay_fd);
/**
 * Put an interface on a free port (relay_fd is taken over, also on failure). Before
 * vm_network_begin() nothing happens yet; afterwards, a relay is asked for if there is none.
 * changed() follows. Returns 0, -EBUSY when the port is in use, or another negative errno.
 */
int vm_network_add(
	struct vm_network *network, unsigned port, const struct passt *passt, int relay_fd);
/** Take it away: the port is free at once. QEMU sees the end of its pair. */
void vm_network_remove(struct vm_network *network, unsigned port);

/** The VM has its lease: start what was added. */
void vm_network_begin(struct vm_network *network, const uint8_t uuid[static 16], uint32_t id);
/**
 * The VM runs already: reach its relay. The ports of passts[i] that are not NULL are the VM's; those
 * that have no passt get one.
 */
void vm_network_adopt(struct vm_network *network, const uint8_t uuid[static 16], uint32_t id,
	const struct passt *const passts[static NET_PORTS_MAX]);

/** The broker's answer to an ask for the VM, with its cookie (lib/uplink.h); fd is taken over. */
void vm_network_given(struct vm_network *network, uint64_t cookie, int err, int fd);
/** Which VM (its lease's id) an answer with that cookie is for. */
uint32_t vm_network_cookie_id(uint64_t cookie);

/** Numbers of a port, in the guest's directions. False while there is no relay to ask. */
bool vm_network_counters(
	const struct vm_network *network, unsigned port, struct net_port_counters *ret);

#endif
