/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker_domains.h: the rig of worker.h with a folder of definitions, and VMs in it.
 */
#ifndef TESTS_UNIT_WORKER_DOMAINS_H
#define TESTS_UNIT_WORKER_DOMAINS_H

#include <ftw.h>

#include "tests/unit/domain_env.h"
#include "tests/unit/worker.h"

/* As in worker.h: those that these tests are about. */
__attribute__((used)) static void (*const served_domains[])(void) = {
	(void (*)(void))rpc_domain_define_xml,
	(void (*)(void))rpc_domain_get_info,
	(void (*)(void))rpc_connect_domain_xml_to_native,
	(void (*)(void))rpc_connect_num_of_domains,
	(void (*)(void))rpc_domain_get_metadata,
	(void (*)(void))rpc_domain_get_xml_desc,
	(void (*)(void))rpc_node_get_info,
};

static char farm_root[] = "/tmp/qemud-farm-XXXXXX";

/* For tests that write much, and make it safe each time: in memory, where there is a place. */
static inline void
farm_in_memory(void)
{
	if (access("/dev/shm", W_OK) == 0)
		(void)snprintf(farm_root, sizeof(farm_root), "/dev/shm/qemud-XXXXXX");
}

/* Every UUID that a test gives ends in a number of its own. */
static inline void
farm_uuid(unsigned number, uint8_t uuid[16])
{
	memset(uuid, 0, 16);
	uuid[6] = 0x40;
	uuid[8] = 0x80;
	uuid[14] = (uint8_t)(number >> 8);
	uuid[15] = (uint8_t)number;
}

static inline char *
farm_xml(const char *name, unsigned number, const char *more)
{
	char xml[4096];

	(void)snprintf(xml, sizeof(xml),
		"<domain type='qemu'><name>%s</name>"
		"<uuid>00000000-0000-4000-8000-00000000%04x</uuid>%s<memory unit='MiB'>64</memory>"
		"<currentMemory unit='MiB'>32</currentMemory><vcpu current='1'>2</vcpu>"
		"<os><type>hvm</type></os></domain>",
		name, number, more);
	return rpc_arena_strdup(&rig.arena, xml);
}

static inline int
farm_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline void
farm_start(void)
{
	char why[HOME_WHY_MAX];

	rig_start();
	memcpy(strrchr(farm_root, '-') + 1, "XXXXXX", 6);
	ASSERT(mkdtemp(farm_root) && home_open(&rig.estate.home, farm_root, why) == 0);
	rig.estate.env = domain_tcg;
}

static inline void
farm_stop(void)
{
	rig_stop();
	ASSERT(nftw(farm_root, farm_remove, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

/* Define one over the wire: as call(). */
static inline int
farm_define(int sock, const char *name, unsigned number, const char *more, struct rpc_domain *dom)
{
	struct rpc_domain_define_xml_args args = {.xml = farm_xml(name, number, more)};
	struct rpc_domain_define_xml_ret ret = {0};
	int r = call(sock, RPC_PROC_DOMAIN_DEFINE_XML, &args, &ret);

	*dom = ret.dom;
	return r;
}

/* The domain of that number as the worker has it. */
static inline struct domain *
farm_domain(unsigned number)
{
	uint8_t uuid[16];

	farm_uuid(number, uuid);
	return domains_find_uuid(&rig.estate.domains, uuid);
}

#endif
