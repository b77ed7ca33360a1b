/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * network.h: the network of one VM: its relay (qemud-net), and a passt for each of its interfaces
 * of kind user.
 *
 * Runs in the worker, as the user. A port is one interface. QEMU has one end of a pair of stream
 * sockets (vm_network_pair()), which is its -netdev stream,server=off,addr.type=fd; the relay has
 * the other, from vm_network_add() on, and so QEMU never sees a passt end. A passt that ended is
 * started again, a second later and then ever later, up to VM_NETWORK_RETRY_MAX_S. Only when the
 * relay itself ends are QEMU's ends lost with it: these ports stay DOWN until they are removed (the
 * interface is unplugged), which is logged.
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
#include "worker/vm/passt_ready.h"

enum {
	VM_NETWORK_RETRY_MAX_S = 64,
	VM_NETWORK_STEADY_S = 10 /* what ran so long is started again after a second */
};

enum vm_port_state {
	VM_PORT_FREE = 0,
	VM_PORT_BEGINS, /* its passt is on its way */
	VM_PORT_UP,     /* it runs */
	VM_PORT_DOWN    /* it has ended, or could not be started; `why` says it */
};

struct vm_network;

struct vm_port {
	struct vm_network *network;
	enum vm_port_state state;
	struct passt passt;
	bool related;   /* the relay has QEMU's end, as far as is known */
	bool removing;  /* it is to let go of it */
	int relay_fd;   /* owned: QEMU's end, until the relay has it; -1 */
	int network_fd; /* owned: passt's end, until the relay has it; -1 */
	bool asked;     /* the broker, for a box */
	struct seed_link seed;
	struct passt_ready ready;
	bool serves; /* its passt has answered */
	struct timer retry;
	unsigned n_failed; /* in a row */
	uint64_t up_since_ns;
	char why[PLAN_WHY_MAX];
};

struct vm_network_ops {
	/* The state of a port has changed; from the loop. */
	void (*changed)(struct vm_network *network, unsigned port);
};

struct vm_network {
	struct loop *loop;
	struct uplink *uplink;
	const struct vm_network_ops *ops;
	const struct vm_log *log; /* borrowed: where passt writes, while it is open */
	unsigned port_min;        /* see passt.h */
	uint8_t uuid[16];
	uint32_t id;      /* of the lease; 0: not begun */
	bool relay_asked; /* the broker has not answered yet */
	bool listening;   /* the relay has its listening socket */
	bool ending;      /* with its VM: nothing is tried again */
	struct net_link link;
	struct timer retry; /* of the relay */
	unsigned n_failed;
	enum net_ask_type asking; /* what the open ask of the relay is about; 0: there is none */
	unsigned asking_port;     /* and which port */
	struct vm_port ports[NET_PORTS_MAX];
};

/** Empty: no port, nothing begun. ops may be NULL. */
void vm_network_init(struct vm_network *network, struct loop *loop, struct uplink *uplink,
	const struct vm_log *log, unsigned port_min, const struct vm_network_ops *ops);
/** Let go of it: what runs goes on, until the VM ends. Empty afterwards. */
void vm_network_stop(struct vm_network *network);

/** The VM is being ended: that its relay and passts go too is as it should be. */
void vm_network_ends(struct vm_network *network);

/**
 * A pair for a new interface: QEMU's own end, to be handed to QEMU, and the other for
 * vm_network_add(). Returns 0 or a negative errno.
 */
int vm_network_pair(int *ret_qemu_fd, int *ret_relay_fd);
/**
 * Put an interface on a free port (relay_fd is taken over, also on failure). Before
 * vm_network_begin() nothing happens yet; afterwards, a relay is asked for if there is none.
 * changed() follows. passt was checked (passt_check()). Returns 0, -EBUSY when the port is in use,
 * -ENOPKG when passt is not installed (PASST_PACKAGE).
 */
int vm_network_add(
	struct vm_network *network, unsigned number, const struct passt *passt, int relay_fd);
/** Take it away. QEMU sees the end of its pair; the port is free when the relay has let go of it. */
void vm_network_remove(struct vm_network *network, unsigned number);

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
