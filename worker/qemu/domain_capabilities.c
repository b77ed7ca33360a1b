/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_capabilities.c: what a definition may have, in libvirt's order (docs/formatdomaincaps).
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/domain_capabilities.h"

#include <errno.h>
#include <inttypes.h>

#include "lib/take.h"
#include "worker/domain/devices.h"
#include "worker/domain/kind.h"
#include "worker/domain/writer.h"

static void
write_support(struct writer *w, const char *name, bool supported)
{
	writer_start(w, name);
	writer_attr(w, "supported", supported ? "yes" : "no");
}

static void
write_unsupported(struct writer *w, const char *name)
{
	write_support(w, name, false);
	writer_end(w, name);
}

static const char *
word(const struct domain_choice *choice, size_t i)
{
	return choice->words ? choice->words[i].word : choice->word(i);
}

static void
write_enum(struct writer *w, const struct domain_choice *choice)
{
	writer_start(w, "enum");
	writer_attr(w, "name", choice->name);
	for (size_t i = 0; word(choice, i); i++)
		writer_element(w, "value", word(choice, i));
	writer_end(w, "enum");
}

static void
write_os(struct writer *w)
{
	static const struct xml_word none[] = {{NULL, 0}};
	static const struct domain_choice firmware = {.name = "firmware", .words = none};

	write_support(w, "os", true);
	write_enum(w, &firmware);
	write_unsupported(w, "loader");
	writer_end(w, "os");
}

/* --- cpu ---------------------------------------------------------------------------------- */

static void
start_mode(struct writer *w, const char *name, bool supported)
{
	writer_start(w, "mode");
	writer_attr(w, "name", name);
	writer_attr(w, "supported", supported ? "yes" : "no");
}

/* Whose CPU a model was is not known here. */
static void
write_model(struct writer *w, const struct capabilities_model *model)
{
	writer_start(w, "model");
	writer_attr(w, "usable", model->usable ? "yes" : "no");
	writer_attr(w, "vendor", "unknown");
	writer_end_text(w, "model", model->name);
}

static void
write_cpu(struct writer *w, const struct capabilities *capabilities, enum domain_type type)
{
	static const struct xml_word switches[] = {{"on", 1}, {"off", 2}, {NULL, 0}};
	static const struct domain_choice migratable = {
		.name = "hostPassthroughMigratable", .words = switches};
	bool kvm = type == DOMAIN_TYPE_KVM;

	writer_start(w, "cpu");
	start_mode(w, "host-passthrough", kvm);
	if (kvm)
		write_enum(w, &migratable);
	writer_end(w, "mode");
	start_mode(w, "maximum", false);
	writer_end(w, "mode");
	/* Which model that is, QEMU finds when it starts. */
	start_mode(w, "host-model", true);
	writer_end(w, "mode");
	start_mode(w, "custom", true);
	for (size_t i = 0; i < capabilities->n_models; i++)
		write_model(w, &capabilities->models[i]);
	writer_end(w, "mode");
	writer_end(w, "cpu");
}

/* --- devices ------------------------------------------------------------------------------ */

/* Those that libvirt tells of. */
static const char *const elements[] = {
	"disk", "graphics", "video", "hostdev", "rng", "filesystem", "tpm", "redirdev", "channel"};

static void
write_devices(struct writer *w)
{
	writer_start(w, "devices");
	for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
		const struct domain_choice *choice = domain_devices_choices(elements[i]);

		write_support(w, elements[i], choice != NULL);
		for (; choice && choice->name; choice++)
			write_enum(w, choice);
		writer_end(w, elements[i]);
	}
	writer_end(w, "devices");
}

/* --- all of it ---------------------------------------------------------------------------- */

static void
write_features(struct writer *w)
{
	static const char *const features[] = {"gic", "vmcoreinfo", "genid", "backingStoreInput",
		"backup", "sev", "sgx", "hyperv"};

	writer_start(w, "features");
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		write_unsupported(w, features[i]);
	writer_end(w, "features");
}

int
domain_capabilities_xml(const struct capabilities *capabilities, const struct domain_env *env,
	const struct domain_machine *machine, enum domain_type type, char **ret_xml)
{
	AUTO(writer_fini) struct writer w = {.text = NULL};

	writer_start(&w, "domainCapabilities");
	writer_element(&w, "path", env->emulator);
	writer_element(&w, "domain", type == DOMAIN_TYPE_KVM ? "kvm" : "qemu");
	writer_element(&w, "machine", machine->name);
	writer_element(&w, "arch", capabilities->arch);
	writer_start(&w, "vcpu");
	writer_attr_f(&w, "max", "%" PRIu32, machine->max_vcpus);
	writer_end(&w, "vcpu");
	write_unsupported(&w, "iothreads");
	write_os(&w);
	write_cpu(&w, capabilities, type);
	write_unsupported(&w, "memoryBacking");
	write_devices(&w);
	write_features(&w);
	writer_end(&w, "domainCapabilities");
	*ret_xml = writer_take(&w);
	return *ret_xml ? 0 : -ENOMEM;
}
