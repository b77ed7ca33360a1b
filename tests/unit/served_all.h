/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * served_all.h: every handler of the worker. A handler is found by its name and needs nobody to
 * refer to it; with one of each file named here, all of them are linked.
 */
#ifndef TESTS_UNIT_SERVED_ALL_H
#define TESTS_UNIT_SERVED_ALL_H

#include "protocol/rpc/handlers.h"

__attribute__((used)) static void (*const served_all[])(void) = {
	(void (*)(void))rpc_auth_list,
	(void (*)(void))rpc_connect_domain_event_callback_register_any,
	(void (*)(void))rpc_connect_domain_xml_to_native,
	(void (*)(void))rpc_connect_get_all_domain_stats,
	(void (*)(void))rpc_connect_get_domain_capabilities,
	(void (*)(void))rpc_connect_list_all_domains,
	(void (*)(void))rpc_connect_open,
	(void (*)(void))rpc_domain_block_stats,
	(void (*)(void))rpc_domain_create,
	(void (*)(void))rpc_domain_define_xml,
	(void (*)(void))rpc_domain_get_control_info,
	(void (*)(void))rpc_domain_get_info,
	(void (*)(void))rpc_domain_get_iothread_info,
	(void (*)(void))rpc_domain_get_metadata,
	(void (*)(void))rpc_domain_get_vcpus,
	(void (*)(void))rpc_domain_get_xml_desc,
	(void (*)(void))rpc_domain_interface_stats,
	(void (*)(void))rpc_domain_lookup_by_name,
	(void (*)(void))rpc_domain_memory_stats,
	(void (*)(void))rpc_domain_open_console,
	(void (*)(void))rpc_domain_open_graphics,
	(void (*)(void))rpc_domain_screenshot,
	(void (*)(void))rpc_domain_send_key,
	(void (*)(void))rpc_domain_set_vcpus,
	(void (*)(void))rpc_node_get_cpu_stats,
	(void (*)(void))rpc_node_get_info,
};

#endif
