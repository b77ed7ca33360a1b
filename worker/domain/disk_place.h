/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk_place.h: <target> of a disk, its bus, and its place on a controller.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_DISK_PLACE_H
#define WORKER_DOMAIN_DISK_PLACE_H

#include "worker/domain/disk.h"
#include "worker/domain/xml.h"

/** <target>: the name, and the bus that is said or goes with it. disk->what is known. */
int domain_disk_target_parse(
	struct domain_parse *p, struct _xmlNode *node, struct domain_disk *disk);
void domain_disk_target_format(struct writer *w, const struct domain_disk *disk);
/** <alias> and <address>; without one the place that goes with the name, as in libvirt. */
int domain_disk_place_parse(
	struct domain_parse *p, struct _xmlNode *node, struct domain_disk *disk);
/** When all disks and the controllers that are named are read: is each place one, and taken once? */
int domain_disk_places_check(struct domain_parse *p);

/** The words of buses. */
extern const struct xml_word domain_disk_buses[];

/** The word for a bus: "ide". */
const char *domain_disk_bus_word(enum domain_disk_bus bus);
/** The kind of controller that a bus is of; 0: none. */
unsigned domain_disk_bus_controller(enum domain_disk_bus bus);

#endif
