/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk.h: disks, CD-ROM and floppy drives.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_DISK_H
#define WORKER_DOMAIN_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/domain/disk_driver.h"
#include "worker/domain/disk_layer.h"
#include "worker/domain/disk_throttle.h"
#include "worker/domain/kind.h"

enum {
	DOMAIN_DISKS_MAX = 64,
	DOMAIN_LAYERS_MAX = 128 /* images of all disks, with what is below them */
};

enum domain_disk_device { DOMAIN_DISK = 1, DOMAIN_CDROM, DOMAIN_FLOPPY };
enum domain_disk_bus {
	DOMAIN_BUS_VIRTIO = 1,
	DOMAIN_BUS_IDE,
	DOMAIN_BUS_SATA,
	DOMAIN_BUS_SCSI,
	DOMAIN_BUS_FDC,
	DOMAIN_BUS_USB
};
/* What a drive without its medium means for a start; 0: as mandatory. */
enum domain_startup { DOMAIN_MANDATORY = 1, DOMAIN_REQUISITE, DOMAIN_OPTIONAL };

struct domain_disk {
	struct domain_device device;
	enum domain_disk_device what;
	enum domain_disk_bus bus, said_bus; /* as it is; and as the definition has it, or 0 */
	char target[8];                     /* "vda" */
	unsigned index;                     /* 0 for vda, hda and so on */
	enum domain_switch removable;       /* USB */
	bool tray_open;                     /* CD-ROM */
	bool readonly;                      /* the guest cannot write; every CD-ROM */
	bool shareable;                     /* other VMs may write at the same time */
	struct domain_layer source;         /* of an empty drive: without a path */
	enum domain_startup startup;
	struct domain_layer *backing; /* what is below the source, from the top */
	size_t n_backing;
	bool whole; /* nothing is below these; not: what is, the images tell at each start */
	struct domain_disk_driver driver;
	struct domain_throttle throttle;
	uint32_t logical_block_size, physical_block_size; /* 0: not said */
	uint32_t rotation_rate;                           /* 0: not said; 1: an SSD */
	char *serial;           /* may be NULL; letters, digits, blanks and .+_- */
	char *wwn;              /* may be NULL; 16 digits, below 2^63 */
	char *vendor, *product; /* each may be NULL; printable */
};

/* <disk>: put into the list beside the others of its bus, by its target. */
extern const struct domain_kind domain_disk_kind;

/** The drive with that alias, or NULL. */
struct domain_disk *domain_disk_find(struct domain_def *def, const char *alias);

/** The disk one of whose images has that number; NULL: none has. */
const struct domain_disk *domain_disk_of_node(const struct domain_def *def, unsigned node);

/** Take a disk out of the list. */
void domain_disk_remove(struct domain_def *def, size_t i);

/** Number those images that have no number, as libvirt does: from the last disk, and down. */
void domain_disk_number(struct domain_def *def);

#endif
