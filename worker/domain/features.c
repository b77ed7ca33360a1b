/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * features.c: what board and hypervisor have; see features.h.
 *
 * Runs in the worker, as the user. Pure. What other hypervisors have (gic, xen, capabilities) is
 * not read, and so refused.
 */
#include "worker/domain/features.h"

#include <string.h>

#include "worker/domain/hyperv.h"
#include "worker/domain/parse.h"
#include "worker/domain/size.h"

#define MIB 1048576u

/* The order of enum domain_feature. An element without a state is there, or it is not. */
static const struct {
	const char *name;
	bool has_state;
} elements[DOMAIN_FEATURE_N] = {
	[DOMAIN_FEATURE_ACPI] = {"acpi", false},
	[DOMAIN_FEATURE_APIC] = {"apic", false},
	[DOMAIN_FEATURE_PAE] = {"pae", false},
	[DOMAIN_FEATURE_HAP] = {"hap", true},
	[DOMAIN_FEATURE_PVSPINLOCK] = {"pvspinlock", true},
	[DOMAIN_FEATURE_PMU] = {"pmu", true},
	[DOMAIN_FEATURE_VMPORT] = {"vmport", true},
	[DOMAIN_FEATURE_SMM] = {"smm", true},
	[DOMAIN_FEATURE_VMCOREINFO] = {"vmcoreinfo", true},
};

static const struct xml_word kvm_words[] = {
	{"hidden", DOMAIN_KVM_HIDDEN},
	{"hint-dedicated", DOMAIN_KVM_HINT_DEDICATED},
	{"poll-control", DOMAIN_KVM_POLL_CONTROL},
	{"pv-ipi", DOMAIN_KVM_PV_IPI},
	{"dirty-ring", DOMAIN_KVM_DIRTY_RING},
	{NULL, 0},
};

static const struct xml_word ioapics[] = {
	{"kvm", DOMAIN_IOAPIC_KVM},
	{"qemu", DOMAIN_IOAPIC_QEMU},
	{NULL, 0},
};

/* --- reading ------------------------------------------------------------------------------ */

static int
parse_states(struct domain_parse *p, xmlNode *features)
{
	int r = 0;

	for (unsigned i = 0; i < DOMAIN_FEATURE_N && r == 0; i++) {
		xmlNode *node = xml_child(features, elements[i].name);
		unsigned state = 0;

		if (node && elements[i].has_state)
			r = xml_attr_choice(node, "state", xml_on_off, p->error, &state);
		if (node)
			p->def->features.states[i] = state ? state : DOMAIN_ON;
	}
	return r;
}

static int
parse_apic(struct domain_parse *p, xmlNode *features)
{
	xmlNode *apic = xml_child(features, "apic");
	unsigned eoi = 0;
	int r = apic ? xml_attr_choice(apic, "eoi", xml_on_off, p->error, &eoi) : 0;

	p->def->features.apic_eoi = eoi;
	return r;
}

/* A size in whole MiB in a child element. */
static int
parse_mib(struct domain_parse *p, xmlNode *node, const char *name, const char *refusal,
	uint64_t *ret_mib)
{
	xmlNode *child = xml_child(node, name);
	free_auto char *text = NULL;
	uint64_t bytes = 0;
	int r = xml_text(child, &text);

	if (r == 0)
		r = domain_size_read(p, text, name, xml_attr(child, "unit"), "MiB",
			(uint64_t)UINT32_MAX * MIB, &bytes);
	if (r == 0 && bytes % MIB)
		return refuse_unsupported(p, "%s", refusal);
	*ret_mib = bytes / MIB;
	return r;
}

static int
parse_tseg(struct domain_parse *p, xmlNode *domain_features)
{
	xmlNode *smm = xml_child(domain_features, "smm");
	struct domain_features *features = &p->def->features;
	uint64_t mib = 0;
	int r;

	if (!smm || !domain_feature_is_on(features, DOMAIN_FEATURE_SMM) || !xml_child(smm, "tseg"))
		return 0;
	if (p->def->os.chipset != DOMAIN_CHIPSET_Q35)
		return refuse_unsupported(p, "SMM TSEG is only supported with q35 machine type");
	r = parse_mib(p, smm, "tseg", "SMM TSEG size must be divisible by 1 MiB", &mib);
	features->has_tseg = true;
	features->tseg_mib = (uint32_t)mib;
	return r;
}

static int
parse_dirty_ring(struct domain_parse *p, xmlNode *node)
{
	uint32_t *size = &p->def->features.dirty_ring_size;
	const char *given;
	int r = xml_attr_required(node, "size", p->error, &given);

	if (r == 0)
		r = xml_attr_number(node, "size", 10, UINT32_MAX, 0, p->error, size);
	if (r == 0 && (*size < 1024 || *size > 65536 || (*size & (*size - 1))))
		return refuse_xml(p, "dirty ring must be power of 2 and ranges [1024, 65536]");
	return r;
}

static int
parse_kvm(struct domain_parse *p, xmlNode *domain_features)
{
	struct domain_features *features = &p->def->features;
	xmlNode *kvm = xml_child(domain_features, "kvm");
	int r = 0;

	if (!kvm)
		return 0;
	features->has_kvm = true;
	for (const struct xml_word *k = kvm_words; k->word && r == 0; k++) {
		xmlNode *node = xml_child(kvm, k->word);
		unsigned state = 0;

		if (node)
			r = xml_attr_required_choice(node, "state", xml_on_off, p->error, &state);
		features->kvm[k->value] = state;
		if (r == 0 && k->value == DOMAIN_KVM_DIRTY_RING && state == DOMAIN_ON)
			r = parse_dirty_ring(p, node);
	}
	return r;
}

static int
parse_ioapic(struct domain_parse *p, xmlNode *features)
{
	xmlNode *node = xml_child(features, "ioapic");
	unsigned driver = 0;
	int r = node ? xml_attr_choice(node, "driver", ioapics, p->error, &driver) : 0;

	p->def->features.ioapic = driver;
	if (r == 0 && driver == DOMAIN_IOAPIC_KVM && p->def->type != DOMAIN_TYPE_KVM)
		return refuse_unsupported(p,
			"I/O APIC driver 'kvm' needs a domain of type 'kvm', too; leave <ioapic> "
			"out");
	return r;
}

static int
parse_tcg(struct domain_parse *p, xmlNode *features)
{
	xmlNode *tcg = xml_child(features, "tcg");

	if (!tcg || !xml_child(tcg, "tb-cache"))
		return 0;
	if (p->def->type == DOMAIN_TYPE_KVM)
		return refuse_unsupported(
			p, "TCG features are incompatible with domain type 'kvm'");
	return parse_mib(p, tcg, "tb-cache", "tb-cache size must be an integer multiple of MiB",
		&p->def->features.tb_cache_mib);
}

/* TCG has none of it, and QEMU would start without a word. */
static int
check_pvspinlock(struct domain_parse *p, xmlNode *features)
{
	(void)features;
	if (p->def->features.states[DOMAIN_FEATURE_PVSPINLOCK] != DOMAIN_ON ||
		p->def->type == DOMAIN_TYPE_KVM)
		return 0;
	return refuse_unsupported(p, "host doesn't support paravirtual spinlocks");
}

int
domain_features_parse(struct domain_parse *p, xmlNode *domain)
{
	static int (*const parts[])(struct domain_parse * p, xmlNode * features) = {parse_states,
		parse_apic, parse_tseg, domain_hyperv_parse, parse_kvm, parse_ioapic, parse_tcg,
		check_pvspinlock};
	xmlNode *node = xml_child(domain, "features");
	int r = 0;

	for (size_t i = 0; node && i < sizeof(parts) / sizeof(parts[0]) && r == 0; i++)
		r = parts[i](p, node);
	return r;
}

/* --- writing ------------------------------------------------------------------------------ */

static void
format_tseg(struct writer *w, const struct domain_features *features)
{
	writer_start(w, "tseg");
	/* As virFormatIntPretty() of libvirt. */
	if (features->tseg_mib == 0) {
		writer_attr(w, "unit", "B");
		writer_end_text(w, "tseg", "0");
	} else if (features->tseg_mib % 1024 == 0) {
		writer_attr(w, "unit", "GiB");
		writer_end_text_f(w, "tseg", "%u", features->tseg_mib / 1024);
	} else {
		writer_attr(w, "unit", "MiB");
		writer_end_text_f(w, "tseg", "%u", features->tseg_mib);
	}
}

static void
format_state(struct writer *w, const struct domain_features *features, enum domain_feature feature)
{
	enum domain_switch state = features->states[feature];

	if (!state)
		return;
	writer_start(w, elements[feature].name);
	if (feature == DOMAIN_FEATURE_APIC && features->apic_eoi)
		writer_attr(w, "eoi", xml_word(xml_on_off, features->apic_eoi));
	if (elements[feature].has_state)
		writer_attr(w, "state", xml_word(xml_on_off, state));
	if (feature == DOMAIN_FEATURE_SMM && features->has_tseg)
		format_tseg(w, features);
	writer_end(w, elements[feature].name);
}

static void
format_kvm(struct writer *w, const struct domain_features *features)
{
	if (!features->has_kvm)
		return;
	writer_start(w, "kvm");
	writer_content(w);
	for (const struct xml_word *k = kvm_words; k->word; k++) {
		enum domain_switch state = features->kvm[k->value];

		if (!state)
			continue;
		writer_start(w, k->word);
		writer_attr(w, "state", xml_word(xml_on_off, state));
		if (k->value == DOMAIN_KVM_DIRTY_RING && features->dirty_ring_size)
			writer_attr_f(w, "size", "%u", features->dirty_ring_size);
		writer_end(w, k->word);
	}
	writer_end(w, "kvm");
}

static void
format_ioapic(struct writer *w, const struct domain_features *features)
{
	if (!features->ioapic)
		return;
	writer_start(w, "ioapic");
	writer_attr(w, "driver", xml_word(ioapics, features->ioapic));
	writer_end(w, "ioapic");
}

static void
format_tcg(struct writer *w, const struct domain_features *features)
{
	if (!features->tb_cache_mib)
		return;
	writer_start(w, "tcg");
	writer_start(w, "tb-cache");
	writer_attr(w, "unit", "KiB");
	writer_end_text_f(w, "tb-cache", "%llu", (unsigned long long)features->tb_cache_mib * 1024);
	writer_end(w, "tcg");
}

void
domain_features_format(struct writer *w, const struct domain_def *def)
{
	static const struct domain_features none;
	const struct domain_features *features = &def->features;

	/* All of it is zeroed before it is filled, what aligns its members too. */
	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
	if (memcmp(features, &none, sizeof(none)) == 0)
		return;
	writer_start(w, "features");
	for (unsigned i = 0; i < DOMAIN_FEATURE_N; i++) {
		/* Where libvirt has those of several parts. */
		if (i == DOMAIN_FEATURE_PVSPINLOCK) {
			domain_hyperv_format(w, features);
			format_kvm(w, features);
		}
		if (i == DOMAIN_FEATURE_VMCOREINFO)
			format_ioapic(w, features);
		format_state(w, features, i);
	}
	format_tcg(w, features);
	writer_end(w, "features");
}
