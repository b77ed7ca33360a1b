/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpus.c: each of the virtual CPUs: is it there, and can it be taken away?
 *
 * Runs in the worker, as the user. Pure. The rules and their words are libvirt 9.0.0's (measured).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/parse.h"
#include "worker/domain/vcpu.h"

bool
domain_vcpu_enabled(const struct domain_def *def, uint32_t id)
{
	return def->each_vcpu ? def->each_vcpu[id].enabled : id < def->current_vcpus;
}

bool
domain_vcpu_hotpluggable(const struct domain_def *def, uint32_t id)
{
	return def->each_vcpu ? def->each_vcpu[id].hotpluggable : id >= def->current_vcpus;
}

/* Speak of each of them, as it is. */
static int
speak_of_each(struct domain_def *def)
{
	struct domain_vcpu *each;

	if (def->each_vcpu)
		return 0;
	each = calloc(def->vcpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	for (uint32_t i = 0; i < def->vcpus; i++)
		each[i] = (struct domain_vcpu){.enabled = domain_vcpu_enabled(def, i),
			.hotpluggable = domain_vcpu_hotpluggable(def, i)};
	def->each_vcpu = each;
	return 0;
}

/* --- reading ------------------------------------------------------------------------------ */

static int
check_first(struct domain_parse *p, const struct domain_vcpu *first)
{
	if (!first->enabled)
		return refuse_unsupported(p, "vcpu 0 can't be offline");
	if (first->hotpluggable)
		return refuse_unsupported(p, "vcpu0 can't be hotpluggable");
	if (first->order > 1)
		return refuse_unsupported(p, "vcpu0 must be enabled first");
	return 0;
}

/* QEMU gets those first that it cannot lose. */
static int
check_next(struct domain_parse *p, const struct domain_vcpu *first, const struct domain_vcpu *vcpu)
{
	const struct domain_vcpu *before = vcpu - 1;

	if (vcpu->enabled && !vcpu->order != !first->order)
		return refuse_unsupported(p, "all vcpus must have either set or unset order");
	if (!vcpu->hotpluggable && before->hotpluggable)
		return refuse_unsupported(p, "online non-hotpluggable vcpus need to be ordered "
					     "prior to hotplugable vcpus");
	if (!vcpu->hotpluggable && before->order > vcpu->order)
		return refuse_unsupported(
			p, "online non-hotpluggable vcpus must be ordered in ascending order");
	return 0;
}

/* libvirt looks at this when it starts the machine. */
static int
check_orders(struct domain_parse *p, const struct domain_vcpu *each, uint32_t n)
{
	bool taken[DOMAIN_VCPUS_MAX + 1] = {false};

	for (uint32_t i = 0; i < n; i++) {
		uint32_t order = each[i].order;

		if (order > n)
			return refuse_unsupported(p, "vcpu order '%u' exceeds vcpu count", order);
		if (order && taken[order])
			return refuse_unsupported(p, "duplicate vcpu order '%u'", order);
		taken[order] = true;
	}
	return 0;
}

static int
check(struct domain_parse *p)
{
	const struct domain_vcpu *each = p->def->each_vcpu;
	uint32_t n = p->def->vcpus;
	int r = check_first(p, &each[0]);

	for (uint32_t i = 1; i < n && r == 0; i++)
		r = check_next(p, &each[0], &each[i]);
	for (uint32_t i = 1; i < n && r == 0; i++)
		if (!each[i].enabled && !each[i].hotpluggable)
			r = domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
				"vcpu '%u' is both offline and not hotpluggable", i);
	return r ? r : check_orders(p, each, n);
}

static int
parse_one(struct domain_parse *p, xmlNode *node, struct domain_vcpu_set *said)
{
	unsigned enabled, hotpluggable;
	struct domain_vcpu vcpu;
	const char *given;
	uint32_t id;
	int r = xml_attr_required(node, "id", p->error, &given);

	if (r == 0)
		r = xml_attr_number(node, "id", 10, UINT32_MAX, 0, p->error, &id);
	if (r == 0 && id >= p->def->vcpus)
		r = refuse_xml(p, "vcpu id '%u' is out of range of maximum vcpu count", id);
	if (r == 0)
		r = xml_attr_required_choice(node, "enabled", xml_yes_no, p->error, &enabled);
	if (r == 0)
		r = xml_attr_choice(node, "hotpluggable", xml_yes_no, p->error, &hotpluggable);
	if (r == 0)
		r = xml_attr_number(node, "order", 10, UINT32_MAX, 0, p->error, &vcpu.order);
	if (r)
		return r;
	if (domain_vcpu_set_has(said, id))
		return refuse_unsupported(p, "<vcpus> speaks of vCPU %u more than once", id);
	domain_vcpu_set_add(said, id);
	vcpu.enabled = enabled == DOMAIN_ON;
	vcpu.hotpluggable = hotpluggable ? hotpluggable == DOMAIN_ON : !vcpu.enabled;
	p->def->each_vcpu[id] = vcpu;
	return 0;
}

int
domain_vcpus_parse(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *node = xml_child(domain, "vcpus"),
		*vcpu = node ? xml_each(node, "vcpu", NULL) : NULL;
	struct domain_def *def = p->def;
	struct domain_vcpu_set said = {.words = {0}};
	int r;

	if (!vcpu)
		return 0;
	/* Of whom nothing is said is not there. */
	def->current_vcpus = 0;
	r = speak_of_each(def);
	for (; vcpu && r == 0; vcpu = xml_each(node, "vcpu", vcpu))
		r = parse_one(p, vcpu, &said);
	if (r == 0)
		r = check(p);
	for (uint32_t i = 0; i < def->vcpus && r == 0; i++)
		def->current_vcpus += def->each_vcpu[i].enabled;
	return r;
}

void
domain_vcpus_format(struct writer *w, const struct domain_def *def)
{
	if (!def->each_vcpu)
		return;
	writer_start(w, "vcpus");
	for (uint32_t i = 0; i < def->vcpus; i++) {
		const struct domain_vcpu *vcpu = &def->each_vcpu[i];

		writer_start(w, "vcpu");
		writer_attr_f(w, "id", "%u", i);
		writer_attr(w, "enabled", vcpu->enabled ? "yes" : "no");
		writer_attr(w, "hotpluggable", vcpu->hotpluggable ? "yes" : "no");
		writer_attr_number(w, "order", vcpu->order);
		writer_end(w, "vcpu");
	}
	writer_end(w, "vcpus");
}

/* --- of a machine that runs --------------------------------------------------------------- */

/* Does QEMU get the one before the other? */
static bool
comes_before(const struct domain_vcpu *one, const struct domain_vcpu *other)
{
	if (one->hotpluggable != other->hotpluggable)
		return !one->hotpluggable;
	return one->order != other->order ? one->order < other->order : one < other;
}

uint32_t
domain_vcpus_in_order(const struct domain_def *def, uint32_t ids[static DOMAIN_VCPUS_MAX])
{
	const struct domain_vcpu *each = def->each_vcpu;
	uint32_t n = 0;

	for (uint32_t i = 0; i < def->vcpus; i++) {
		uint32_t at = n;

		if (!domain_vcpu_enabled(def, i))
			continue;
		while (each && at > 0 && comes_before(&each[i], &each[ids[at - 1]]))
			at--;
		memmove(&ids[at + 1], &ids[at], (n++ - at) * sizeof(*ids));
		ids[at] = i;
	}
	return n;
}

void
domain_vcpus_start(struct domain_def *live)
{
	uint32_t ids[DOMAIN_VCPUS_MAX], n = domain_vcpus_in_order(live, ids);

	for (uint32_t i = 0; live->each_vcpu && i < live->vcpus; i++)
		live->each_vcpu[i].order = 0;
	for (uint32_t i = 0; live->each_vcpu && i < n; i++)
		live->each_vcpu[ids[i]].order = i + 1;
}

bool
domain_vcpus_possible(const struct domain_def *live, const struct domain_vcpu_set *there)
{
	for (uint32_t i = 0; i < live->vcpus; i++)
		if (!domain_vcpu_hotpluggable(live, i) && !domain_vcpu_set_has(there, i))
			return false;
	return true;
}

static void
plugged(struct domain_def *live, uint32_t id)
{
	live->each_vcpu[id] = (struct domain_vcpu){
		.enabled = true, .hotpluggable = true, .order = ++live->current_vcpus};
}

static void
unplugged(struct domain_def *live, uint32_t id)
{
	uint32_t order = live->each_vcpu[id].order;

	live->each_vcpu[id] = (struct domain_vcpu){.hotpluggable = true};
	live->current_vcpus--;
	for (uint32_t i = 0; i < live->vcpus; i++)
		live->each_vcpu[i].order -= live->each_vcpu[i].order > order;
}

bool
domain_vcpus_take(struct domain_def *live, const struct domain_vcpu_set *there)
{
	uint32_t n = 0, n_others = 0;

	for (uint32_t i = 0; i < live->vcpus; i++) {
		n += domain_vcpu_set_has(there, i);
		n_others += domain_vcpu_set_has(there, i) != domain_vcpu_enabled(live, i);
	}
	if (n_others == 0)
		return false;
	if (speak_of_each(live) != 0) {
		live->current_vcpus = n;
		return true;
	}
	domain_vcpus_start(live);
	for (uint32_t i = 0; i < live->vcpus; i++)
		if (live->each_vcpu[i].enabled && !domain_vcpu_set_has(there, i))
			unplugged(live, i);
	for (uint32_t i = 0; i < live->vcpus; i++)
		if (!live->each_vcpu[i].enabled && domain_vcpu_set_has(there, i))
			plugged(live, i);
	return true;
}
