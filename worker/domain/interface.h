/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interface.h: network interfaces.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_INTERFACE_H
#define WORKER_DOMAIN_INTERFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/domain/kind.h"

/* As many as the relay of a VM has ports; of the rest as many as passt is told. */
enum {
	DOMAIN_INTERFACES_MAX = 8,
	DOMAIN_FORWARDS_MAX = 16,
	DOMAIN_RANGES_MAX = 32, /* of one forward */
	DOMAIN_MAC_SIZE = 6,
	DOMAIN_NETDEV_MAX = 15, /* characters in the name of a device (IFNAMSIZ) */
};

enum domain_interface_model {
	DOMAIN_INTERFACE_RTL8139 = 1,
	DOMAIN_INTERFACE_VIRTIO,
	DOMAIN_INTERFACE_VIRTIO_TRANSITIONAL,
	DOMAIN_INTERFACE_VIRTIO_NON_TRANSITIONAL,
	DOMAIN_INTERFACE_E1000,
	DOMAIN_INTERFACE_E1000E,
	DOMAIN_INTERFACE_NE2K_PCI,
	DOMAIN_INTERFACE_PCNET,
	DOMAIN_INTERFACE_VMXNET3,
};

enum domain_link { DOMAIN_LINK_UP = 1, DOMAIN_LINK_DOWN };
enum domain_protocol { DOMAIN_TCP = 1, DOMAIN_UDP };
enum domain_family { DOMAIN_IPV4 = 1, DOMAIN_IPV6 };

/* Ports of the host; start to end go to as many of the guest's from `to` on. */
struct domain_range {
	uint16_t start;
	uint16_t end;                /* 0: start alone */
	uint16_t to;                 /* 0: the same numbers */
	enum domain_switch excluded; /* on: of those that the others name, these not */
};

/* <portForward> */
struct domain_forward {
	enum domain_protocol protocol;
	char *address; /* of the host, numeric; NULL: any */
	char *device;  /* of the host; NULL: any */
	struct domain_range *ranges;
	size_t n_ranges; /* 0: all ports */
};

/* <ip>: an address for the guest; at most one of each family. */
struct domain_ip {
	char *address;   /* numeric; NULL: there is none of that family */
	uint32_t prefix; /* 0: not said */
};

/* An interface of kind user, which reaches what its user reaches. */
struct domain_interface {
	struct domain_device device;
	uint8_t mac[DOMAIN_MAC_SIZE];
	enum domain_switch backend; /* on: the definition says <backend type='passt'/> */
	char *source; /* the host's device whose addresses and routes it has, or NULL */
	struct domain_ip ipv4, ipv6;
	struct domain_forward *forwards;
	size_t n_forwards;
	char *target; /* a name by which monitoring finds it; NULL: made when it starts */
	enum domain_interface_model model;
	enum domain_link link; /* 0: not said, which is up */
};

/* <interface> */
extern const struct domain_kind domain_interface_kind;

/** QEMU's name of the model's device. */
const char *domain_interface_driver(enum domain_interface_model model);

#endif
