/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk_throttle.c: <iotune>.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/disk_throttle.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/parse.h"

#define VALUE_MAX UINT64_C(1000000000000000) /* QEMU's: include/qemu/throttle.h */

/* In the order in which libvirt writes them. */
static const char *const names[DOMAIN_THROTTLE_VALUES] = {
	[DOMAIN_TOTAL_BYTES] = "total_bytes_sec",
	[DOMAIN_READ_BYTES] = "read_bytes_sec",
	[DOMAIN_WRITE_BYTES] = "write_bytes_sec",
	[DOMAIN_TOTAL_IOPS] = "total_iops_sec",
	[DOMAIN_READ_IOPS] = "read_iops_sec",
	[DOMAIN_WRITE_IOPS] = "write_iops_sec",
	[DOMAIN_TOTAL_BYTES_MAX] = "total_bytes_sec_max",
	[DOMAIN_READ_BYTES_MAX] = "read_bytes_sec_max",
	[DOMAIN_WRITE_BYTES_MAX] = "write_bytes_sec_max",
	[DOMAIN_TOTAL_IOPS_MAX] = "total_iops_sec_max",
	[DOMAIN_READ_IOPS_MAX] = "read_iops_sec_max",
	[DOMAIN_WRITE_IOPS_MAX] = "write_iops_sec_max",
	[DOMAIN_SIZE_IOPS] = "size_iops_sec",
	[DOMAIN_TOTAL_BYTES_LENGTH] = "total_bytes_sec_max_length",
	[DOMAIN_READ_BYTES_LENGTH] = "read_bytes_sec_max_length",
	[DOMAIN_WRITE_BYTES_LENGTH] = "write_bytes_sec_max_length",
	[DOMAIN_TOTAL_IOPS_LENGTH] = "total_iops_sec_max_length",
	[DOMAIN_READ_IOPS_LENGTH] = "read_iops_sec_max_length",
	[DOMAIN_WRITE_IOPS_LENGTH] = "write_iops_sec_max_length",
};

static int
parse_value(struct domain_parse *p, xmlNode *iotune, enum domain_throttle_value which,
	uint64_t *ret_value)
{
	free_auto char *text = NULL;
	unsigned long long value;
	char *end = NULL;
	int r = xml_child_text(iotune, names[which], &text);

	if (r || !text)
		return r;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno)
		return refuse_xml(p, "disk iotune field '%s' must be an integer", names[which]);
	if (value > VALUE_MAX)
		return domain_refuse(p->error, VIR_ERR_ARGUMENT_UNSUPPORTED, VIR_FROM_DOMAIN,
			"block I/O throttle limit must be no more than %" PRIu64 " using QEMU",
			VALUE_MAX);
	*ret_value = value;
	return 0;
}

/* A bound of all and bounds of the two kinds exclude each other. */
static int
check(struct domain_parse *p, const uint64_t values[DOMAIN_THROTTLE_VALUES])
{
	static const struct {
		enum domain_throttle_value total;
		const char *what;
	} sums[] = {
		{DOMAIN_TOTAL_BYTES, "bytes_sec"},
		{DOMAIN_TOTAL_IOPS, "iops_sec"},
		{DOMAIN_TOTAL_BYTES_MAX, "bytes_sec_max"},
		{DOMAIN_TOTAL_IOPS_MAX, "iops_sec_max"},
	};

	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		if (values[sums[i].total] &&
			(values[sums[i].total + 1] || values[sums[i].total + 2]))
			return refuse_xml(p,
				"total and read/write %s cannot be set at the same time",
				sums[i].what);
	return 0;
}

int
domain_throttle_parse(struct domain_parse *p, xmlNode *node, struct domain_throttle *throttle)
{
	xmlNode *iotune = xml_child(node, "iotune");
	int r = 0;

	if (!iotune)
		return 0;
	for (unsigned i = 0; i < DOMAIN_THROTTLE_VALUES && r == 0; i++)
		r = parse_value(p, iotune, i, &throttle->values[i]);
	if (r == 0)
		r = xml_child_text(iotune, "group_name", &throttle->group);
	return r ? r : check(p, throttle->values);
}

bool
domain_throttle_is_set(const struct domain_throttle *throttle)
{
	for (unsigned i = 0; i < DOMAIN_THROTTLE_VALUES; i++)
		if (throttle->values[i])
			return true;
	return throttle->group != NULL;
}

void
domain_throttle_format(struct writer *w, const struct domain_throttle *throttle)
{
	if (!domain_throttle_is_set(throttle))
		return;
	writer_start(w, "iotune");
	for (unsigned i = 0; i < DOMAIN_THROTTLE_VALUES; i++) {
		if (i == DOMAIN_TOTAL_BYTES_LENGTH && throttle->group)
			writer_element(w, "group_name", throttle->group);
		if (throttle->values[i] == 0)
			continue;
		writer_start(w, names[i]);
		writer_end_text_f(w, names[i], "%" PRIu64, throttle->values[i]);
	}
	writer_end(w, "iotune");
}
