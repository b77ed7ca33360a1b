/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk_throttle.h: <iotune>: how much a disk may do in a second.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_DISK_THROTTLE_H
#define WORKER_DOMAIN_DISK_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct _xmlNode;
struct domain_parse;
struct writer;

/* Bytes and operations a second; bursts (_max), and how many seconds one may last (_length). */
enum domain_throttle_value {
	DOMAIN_TOTAL_BYTES,
	DOMAIN_READ_BYTES,
	DOMAIN_WRITE_BYTES,
	DOMAIN_TOTAL_IOPS,
	DOMAIN_READ_IOPS,
	DOMAIN_WRITE_IOPS,
	DOMAIN_TOTAL_BYTES_MAX,
	DOMAIN_READ_BYTES_MAX,
	DOMAIN_WRITE_BYTES_MAX,
	DOMAIN_TOTAL_IOPS_MAX,
	DOMAIN_READ_IOPS_MAX,
	DOMAIN_WRITE_IOPS_MAX,
	DOMAIN_SIZE_IOPS, /* bytes that count as one operation */
	DOMAIN_TOTAL_BYTES_LENGTH,
	DOMAIN_READ_BYTES_LENGTH,
	DOMAIN_WRITE_BYTES_LENGTH,
	DOMAIN_TOTAL_IOPS_LENGTH,
	DOMAIN_READ_IOPS_LENGTH,
	DOMAIN_WRITE_IOPS_LENGTH,
	DOMAIN_THROTTLE_VALUES
};

struct domain_throttle {
	uint64_t values[DOMAIN_THROTTLE_VALUES]; /* 0: no bound */
	char *group;                             /* shared with all disks of that group; or NULL */
};

/** <iotune> of a disk. */
int domain_throttle_parse(
	struct domain_parse *p, struct _xmlNode *node, struct domain_throttle *throttle);
void domain_throttle_format(struct writer *w, const struct domain_throttle *throttle);
/** Does it bound anything? */
bool domain_throttle_is_set(const struct domain_throttle *throttle);

#endif
