/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kind.h: a kind of device: its element, its list in a definition, and what is done with it.
 *
 * Runs in the worker, as the user. Pure. A kind is one constant, in the file of that name; what
 * goes over all devices goes over the table of kinds (devices.h).
 */
#ifndef WORKER_DOMAIN_KIND_H
#define WORKER_DOMAIN_KIND_H

#include <stddef.h>

#include "worker/domain/device.h"

struct domain_def;
struct rpc_error;
struct xml_word;

/* Words that its parser knows, under the name that libvirt's domain capabilities give them. */
struct domain_choice {
	const char *name; /* "bus" */
	const struct xml_word *words;
	/* Where the parser has no such list: the i-th of them, or NULL; words is NULL then. */
	const char *(*word)(size_t i);
};

struct domain_kind {
	const char *element; /* "disk" */
	/* Told in the domain capabilities, in libvirt's order; ends with a NULL name; or NULL. */
	const struct domain_choice *choices;
	/* Its place in struct domain_def: see DOMAIN_KIND_LIST. */
	size_t list, count, size;
	unsigned max; /* how many a definition may have */

	/** One element, into the definition. Returns 0, -ENOMEM or DOMAIN_E_REFUSED. */
	int (*parse)(struct domain_parse *p, struct _xmlNode *node);
	/** When all elements of all kinds are read: defaults, what the board has. As above; or NULL. */
	int (*complete)(struct domain_parse *p);
	/** Write the device with that index; or NULL, and format_all writes them. */
	void (*format)(struct writer *w, const struct domain_def *def, size_t i, unsigned flags);
	void (*format_all)(struct writer *w, const struct domain_def *def, unsigned flags);
	/* A generated alias: this and the device's index, */
	const char *alias;
	/**
	 * or what this makes: 0 or -ENOMEM, *ret stays NULL where there is none. Both NULL: QEMU has
	 * no device for it, and it has none.
	 */
	int (*name)(const struct domain_def *def, size_t i, char **ret);
	/** Free what the device owns beside its alias; or NULL. */
	void (*fini)(void *device);
};

/*
 * The place of a kind whose devices are `array`, of n_`array` elements, or of which there is always
 * one, `member` (it may say that it is none). A kind without a place makes devices of another.
 */
#define DOMAIN_KIND_LIST(array, type)               \
	.list = offsetof(struct domain_def, array), \
	.count = offsetof(struct domain_def, n_##array), .size = sizeof(struct type)
#define DOMAIN_KIND_SINGLE(member, type) \
	.list = offsetof(struct domain_def, member), .size = sizeof(struct type)

/** How many there are. */
size_t domain_kind_count(const struct domain_kind *kind, const struct domain_def *def);
/** The device with that index; its struct is of the kind's type. */
struct domain_device *domain_kind_at(
	const struct domain_kind *kind, const struct domain_def *def, size_t i);
/**
 * Put a device into the list at that index; what it owned is the list's then, and *device is empty.
 * Returns 0; -ENOMEM, or DOMAIN_E_REFUSED when there are `max`, and nothing has changed.
 */
int domain_kind_insert(const struct domain_kind *kind, struct domain_def *def, size_t at,
	void *device, struct rpc_error *error);
/** Free what a device owns; it is empty then. */
void domain_kind_fini(const struct domain_kind *kind, void *device);

#endif
