/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_ipc.c: what a compromised child or starter can send to root's programs.
 *
 * Input: a byte with link, sender and state, a byte with the number of descriptors, the packet; and
 * the same bytes once more as the text of an account and of a group. Oracle: what was accepted is accepted again when it is
 * written from what was understood, and stays within what its struct allows.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/ipc/account.h"
#include "protocol/ipc/group.h"
#include "protocol/ipc/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

/* Write the message again from what was understood, and have it judged again. */
static void
judge_again(struct ipc_context ctx, const struct ipc_message *message)
{
	const struct ipc_rule *rule = ipc_rule_find((uint16_t)message->type);
	_Alignas(8) uint8_t packet[IPC_MESSAGE_MAX] = {0};
	struct ipc_header header = {.version = IPC_VERSION,
		.type = (uint16_t)message->type,
		.size = rule->size,
		.n_fds = (uint16_t)message->n_fds,
		.serial = message->serial,
		.err = message->err};
	struct ipc_message again;
	uint64_t seen = 0;

	ctx.seen = &seen;
	memcpy(packet, &header, sizeof header);
	if (rule->size > 0)
		memcpy(packet + sizeof header, message->body, rule->size);
	require(ipc_check(&ctx, packet, sizeof header + rule->size, message->n_fds, &again) ==
		IPC_OK);
	require(again.type == message->type && again.serial == message->serial &&
		again.err == message->err && again.n_fds == message->n_fds);
	/* Whatever passes leaves the link in a state, and never back at its start. */
	require(ipc_state_after(ctx.state, message) >= ctx.state ||
		message->type == IPC_IDLE_ANSWER);
}

static void
judge(const uint8_t *data, size_t size)
{
	uint64_t seen = 0;
	struct ipc_context ctx = {.link = (enum ipc_link)(1 + (data[0] & 1)),
		.sender = (enum ipc_side)(1 + (data[0] >> 1 & 1)),
		.state = (enum ipc_state)(1 << (data[0] >> 2 & 3) % 3),
		.seen = &seen};
	struct ipc_message message;
	/* Of the exact size, and aligned as packets are. */
	uint8_t *packet = malloc(size - 2 + 1);
	enum ipc_fault fault;

	require(packet != NULL);
	memcpy(packet, data + 2, size - 2);
	fault = ipc_check(&ctx, packet, size - 2, data[1], &message);
	require(strcmp(ipc_fault_text(fault), "?") != 0);
	require(fault == IPC_OK || seen == 0);
	if (fault == IPC_OK)
		judge_again(ctx, &message);
	free(packet);
}

static void
read_account(const uint8_t *data, size_t size)
{
	static struct account account, again;
	static char text[2 * ACCOUNT_HOME_MAX + 12 * ACCOUNT_GROUPS_MAX], second[sizeof text];
	const char *why = NULL;
	int n;

	if (account_read((const char *)data, size, &account, &why) != 0) {
		require(why != NULL);
		return;
	}
	require(account.n_groups >= 1 && account.n_groups <= ACCOUNT_GROUPS_MAX);
	require(account.home[0] == '/' && account_name_valid(account.name));
	n = account_format(&account, text, sizeof text);
	require(n > 0);
	require(account_read(text, (size_t)n, &again, &why) == 0);
	require(account_format(&again, second, sizeof second) == n);
	require(strcmp(text, second) == 0);
}

static void
read_group(const uint8_t *data, size_t size)
{
	uint32_t gid = 0, again = 0;
	char text[128];
	int n;

	if (group_read((const char *)data, size, "g", &gid) != 0)
		return;
	n = group_format("g", gid, text, sizeof text);
	require(n > 0 && group_read(text, (size_t)n, "g", &again) == 0 && again == gid);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size >= 2)
		judge(data, size);
	read_account(data, size);
	read_group(data, size);
	return 0;
}
