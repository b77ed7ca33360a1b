/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_root_texts.c: the small texts that the programs of root, and qemud-resolve, read: qemud.conf,
 * the environment of a service manager, names in the tree of control groups, /etc/subuid.
 *
 * Input: a byte that says which, then the text. Oracle: what is accepted is within its bounds, and
 * what is refused is told in words.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/config.h"
#include "broker/inherited.h"
#include "broker/launch/ledger.h"
#include "broker/resolve/subordinate.h"
#include "lib/err.h"
#include "lib/take.h"
#include "lib/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_words(const char *error, size_t size)
{
	const char *end = memchr(error, '\0', size);

	ASSERT(end && end > error);
}

static void
check_path(const char *path, size_t size)
{
	ASSERT(memchr(path, '\0', size));
	ASSERT(path[0] != '\0');
}

static void
read_config(const char *text, size_t size)
{
	char error[CONFIG_ERROR_MAX] = "";
	struct config config;

	config_default(&config);
	if (config_read(&config, "qemud.conf", text, size, error) != 0) {
		check_words(error, sizeof(error));
		return;
	}
	check_path(config.runtime_dir, sizeof(config.runtime_dir));
	check_path(config.state_dir, sizeof(config.state_dir));
	check_path(config.cgroup, sizeof(config.cgroup));
	check_path(config.system_account, sizeof(config.system_account));
	check_path(config.view_account, sizeof(config.view_account));
	ASSERT(config.runtime_dir[0] == '/' && config.state_dir[0] == '/');
	ASSERT(config.max_users > 0 && config.max_connections > 0 && config.user_connections > 0);
	ASSERT(config.network == CONFIG_NETWORK_NONE || config.network == CONFIG_NETWORK_USER);
	ASSERT(config.kvm == CONFIG_KVM_NONE || config.kvm == CONFIG_KVM_USER);
	ASSERT(config.log_level >= LEVEL_ERROR && config.log_level <= LEVEL_DEBUG);
	ASSERT(config.port_min <= UINT16_MAX);
}

/* A line for each variable; "." in LISTEN_PID's place is this process. */
static void
read_environment(char *text)
{
	static const char *const variables[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"};
	static const char *const names[] = {"qemud-sock", "qemud-sock-ro", "qemud-ctl"};
	char error[INHERITED_ERROR_MAX] = "", pid[16], *line;
	int fds[INHERITED_SOCKETS];
	unsigned n;

	for (unsigned i = 0; i < 3; i++) {
		line = strsep(&text, "\n");
		if (!line)
			break;
		(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
		ASSERT(setenv(variables[i], i == 0 && strcmp(line, ".") == 0 ? pid : line, 1) == 0);
	}
	if (inherited_take(names, fds, &n, error) != 0)
		check_words(error, sizeof(error));
	for (unsigned i = 0; i < 3; i++)
		ASSERT(!getenv(variables[i]));
	ASSERT(n <= INHERITED_SOCKETS);
}

/* No two names are of the same thing. */
static void
read_names(const char *text)
{
	char again[LEDGER_LEAF_MAX];
	struct ipc_leaf leaf = {.uid = 0};
	uint32_t uid;

	if (ledger_leaf_read(1000, text, &leaf) == LEDGER_VM) {
		ledger_vm_name(&leaf, again);
		ASSERT(strcmp(again, text) == 0 && leaf.uid == 1000);
	}
	if (ledger_user_read(text, &uid)) {
		(void)snprintf(again, sizeof(again), "u%u", uid);
		ASSERT(strcmp(again, text) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	free_auto char *exact = NULL, *string = NULL;

	if (size < 1)
		return 0;
	/* Of the exact size, so that a byte too many is seen. */
	exact = malloc(size);
	string = strndup((const char *)data + 1, size - 1);
	ASSERT(exact && string);
	memcpy(exact, data + 1, size - 1);
	switch (data[0] % 4) {
	case 0:
		read_config(exact, size - 1);
		break;
	case 1:
		read_environment(string);
		break;
	case 2:
		read_names(string);
		break;
	default:
		(void)subordinate_holds(exact, size - 1, "alice", 1000);
		(void)subordinate_holds(exact, size - 1, "bob", 100000);
		break;
	}
	return 0;
}
