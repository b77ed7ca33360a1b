/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virtio.c: the generations of a virtio device.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/virtio.h"

const char *
domain_virtio_suffix(enum domain_virtio virtio)
{
	static const char *const suffixes[] = {
		[DOMAIN_VIRTIO_TRANSITIONAL] = "-transitional",
		[DOMAIN_VIRTIO_NON_TRANSITIONAL] = "-non-transitional",
		[DOMAIN_VIRTIO_N] = "",
	};

	return suffixes[virtio] ? suffixes[virtio] : "";
}
