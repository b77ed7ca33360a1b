/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Of the machine itself, which is no device, every field is on the command line, or is one that QEMU
 * is not told.
 */
#include "worker/qemu/command.h"

#include "tests/unit/command_fields.h"

/* UNSEEN: what QEMU is not told, with the reason. */
static const struct field os_fields[] = {
	FIELD(domain_os, machine, TEXT, 0, FOLLOWED),
	FIELD(domain_os, chipset, NUMBER, DOMAIN_CHIPSET_I440FX, FOLLOWED),
	FIELD(domain_os, kernel, TEXT, 0, UNSEEN), /* a path: its descriptor is there */
	FIELD(domain_os, initrd, TEXT, 0, UNSEEN),
	FIELD(domain_os, cmdline, TEXT, 0, FOLLOWED),
	FIELD(domain_os, boot, NUMBER, DOMAIN_BOOT_NETWORK, FOLLOWED),
	FIELD(domain_os, n_boot, NUMBER, 0, FOLLOWED),
	FIELD(domain_os, boot_menu, NUMBER, DOMAIN_OFF, FOLLOWED),
	FIELD(domain_os, has_menu_timeout, NUMBER, 0, FOLLOWED),
	FIELD(domain_os, menu_timeout_ms, NUMBER, 5, FOLLOWED),
	FIELD(domain_os, bios_serial, NUMBER, DOMAIN_ON, FOLLOWED),
	FIELD(domain_os, has_reboot_timeout, NUMBER, 0, FOLLOWED),
	FIELD(domain_os, reboot_timeout_ms, NUMBER, 5, FOLLOWED),
	FIELD(domain_os, smbios, NUMBER, DOMAIN_SMBIOS_EMULATE, FOLLOWED),
};
static const struct field sysinfo_fields[] = {
	FIELD(domain_sysinfo, has_smbios, NUMBER, 0, UNSEEN), /* <os> says whether it is used */
	FIELD(domain_sysinfo, smbios, TEXT, 0, FOLLOWED),
	FIELD(domain_sysinfo, oem, TEXT, 0, FOLLOWED),
	FIELD(domain_sysinfo, n_oem, NUMBER, 0, FOLLOWED),
	FIELD(domain_sysinfo, has_fwcfg, NUMBER, 0, UNSEEN), /* what stands in it says all */
	FIELD(domain_sysinfo, fwcfgs, INSIDE, 0, FOLLOWED),
	FIELD(domain_sysinfo, n_fwcfgs, NUMBER, 0, FOLLOWED),
};
static const struct field fwcfg_fields[] = {
	FIELD(domain_fwcfg, name, TEXT, 0, FOLLOWED),
	FIELD(domain_fwcfg, value, TEXT, 0, FOLLOWED),
};
static const struct field backing_fields[] = {
	FIELD(domain_backing, nosharepages, NUMBER, 1, FOLLOWED),
	FIELD(domain_backing, source, NUMBER, DOMAIN_MEMORY_MEMFD, FOLLOWED),
	FIELD(domain_backing, access, NUMBER, DOMAIN_MEMORY_SHARED, FOLLOWED),
	FIELD(domain_backing, allocation, NUMBER, DOMAIN_MEMORY_IMMEDIATE, FOLLOWED),
	FIELD(domain_backing, threads, NUMBER, 5, FOLLOWED),
	FIELD(domain_backing, discard, NUMBER, 1, UNSEEN), /* nothing keeps it */
};
static const struct field iothreads_fields[] = {
	FIELD(domain_iothreads, threads, INSIDE, 0, FOLLOWED),
	FIELD(domain_iothreads, n, NUMBER, 0, FOLLOWED),
	FIELD(domain_iothreads, listed, NUMBER, 0, UNSEEN), /* how it was written */
	FIELD(domain_iothreads, main, INSIDE, 0, FOLLOWED),
};
static const struct field iothread_fields[] = {
	FIELD(domain_iothread, id, NUMBER, 9, FOLLOWED),
	FIELD(domain_iothread, pool, INSIDE, 0, FOLLOWED),
};
static const struct field pool_fields[] = {
	FIELD(domain_pool, min, NUMBER, 5, FOLLOWED),
	FIELD(domain_pool, max, NUMBER, 50, FOLLOWED),
	FIELD(domain_pool, has_min, NUMBER, 0, FOLLOWED),
};
static const struct field features_fields[] = {
	FIELD(domain_features, states, NUMBER, 0, FOLLOWED), /* the others: see below */
	FIELD(domain_features, apic_eoi, NUMBER, DOMAIN_ON, FOLLOWED),
	FIELD(domain_features, has_tseg, NUMBER, 0, FOLLOWED),
	FIELD(domain_features, tseg_mib, NUMBER, 5, FOLLOWED),
	FIELD(domain_features, hyperv_mode, NUMBER, DOMAIN_HYPERV_PASSTHROUGH, FOLLOWED),
	FIELD(domain_features, hyperv, NUMBER, DOMAIN_ON, FOLLOWED),
	FIELD(domain_features, spinlock_retries, NUMBER, 5, FOLLOWED),
	FIELD(domain_features, stimer_direct, NUMBER, DOMAIN_ON, FOLLOWED),
	FIELD(domain_features, hyperv_vendor, NUMBER, 'x', FOLLOWED),
	FIELD(domain_features, has_kvm, NUMBER, 1, UNSEEN), /* how it was written */
	FIELD(domain_features, kvm, NUMBER, DOMAIN_ON, FOLLOWED),
	FIELD(domain_features, dirty_ring_size, NUMBER, 5, UNSEEN), /* see below: only with KVM */
	FIELD(domain_features, ioapic, NUMBER, DOMAIN_IOAPIC_QEMU, FOLLOWED),
	FIELD(domain_features, tb_cache_mib, NUMBER, 5, FOLLOWED),
};
/* Of one that is hotpluggable. */
static const struct field vcpu_fields[] = {
	FIELD(domain_vcpu, enabled, NUMBER, 0, FOLLOWED),
	FIELD(domain_vcpu, hotpluggable, NUMBER, 0, FOLLOWED),
	FIELD(domain_vcpu, order, NUMBER, 7, FOLLOWED),
};
static const struct field numa_fields[] = {
	FIELD(domain_numa, cells, INSIDE, 0, FOLLOWED),
	FIELD(domain_numa, n_cells, NUMBER, 0, FOLLOWED),
};
static const struct field cell_fields[] = {
	FIELD(domain_cell, cpus, NUMBER, 5, FOLLOWED),
	FIELD(domain_cell, memory_kib, NUMBER, 131072, FOLLOWED),
	FIELD(domain_cell, access, NUMBER, DOMAIN_MEMORY_SHARED, FOLLOWED),
	FIELD(domain_cell, discard, NUMBER, DOMAIN_ON, UNSEEN), /* nothing keeps it */
	FIELD(domain_cell, distances, NUMBER, 5, FOLLOWED),
};
static const struct field cpu_fields[] = {
	FIELD(domain_cpu, mode, NUMBER, DOMAIN_CPU_HOST_MODEL, FOLLOWED),
	FIELD(domain_cpu, check, NUMBER, DOMAIN_CPU_FULL, FOLLOWED),
	FIELD(domain_cpu, match, NUMBER, DOMAIN_CPU_MINIMUM, FOLLOWED),
	FIELD(domain_cpu, model, TEXT, 0, FOLLOWED),
	FIELD(domain_cpu, fallback, NUMBER, DOMAIN_CPU_FORBID, UNSEEN), /* QEMU knows all models */
	FIELD(domain_cpu, vendor, TEXT, 0, UNSEEN), /* what the host's must be, with KVM */
	FIELD(domain_cpu, vendor_id, NUMBER, 'x', FOLLOWED),
	FIELD(domain_cpu, migratable, NUMBER, DOMAIN_OFF, UNSEEN), /* see the CPUs below */
	FIELD(domain_cpu, sockets, NUMBER, 5, FOLLOWED),
	FIELD(domain_cpu, dies, NUMBER, 5, FOLLOWED),
	FIELD(domain_cpu, cores, NUMBER, 5, FOLLOWED),
	FIELD(domain_cpu, threads, NUMBER, 5, FOLLOWED),
	FIELD(domain_cpu, cache, NUMBER, DOMAIN_CACHE_DISABLE, FOLLOWED),
	FIELD(domain_cpu, cache_level, NUMBER, 2, UNSEEN), /* it is the third */
	FIELD(domain_cpu, address, NUMBER, DOMAIN_ADDRESS_PASSTHROUGH, FOLLOWED),
	FIELD(domain_cpu, address_bits, NUMBER, 41, FOLLOWED),
	FIELD(domain_cpu, features, INSIDE, 0, FOLLOWED),
	FIELD(domain_cpu, n_features, NUMBER, 0, FOLLOWED),
};
static const struct field cpu_feature_fields[] = {
	FIELD(domain_cpu_feature, name, TEXT, 0, FOLLOWED),
	FIELD(domain_cpu_feature, policy, NUMBER, DOMAIN_CPU_DISABLE, FOLLOWED),
};
static const struct field clock_fields[] = {
	FIELD(domain_clock, offset, NUMBER, DOMAIN_CLOCK_VARIABLE, FOLLOWED),
	FIELD(domain_clock, basis, NUMBER, 9, UNSEEN), /* `began` has it, and the next three */
	FIELD(domain_clock, reset, NUMBER, 1, UNSEEN),
	FIELD(domain_clock, adjustment, NUMBER, 5, UNSEEN),
	FIELD(domain_clock, timezone, TEXT, 0, UNSEEN),
	FIELD(domain_clock, began, NUMBER, 5, UNSEEN),   /* of another clock than "utc" */
	FIELD(domain_clock, changed, NUMBER, 5, UNSEEN), /* by the guest */
	FIELD(domain_clock, timers, INSIDE, 0, FOLLOWED),
	FIELD(domain_clock, n_timers, NUMBER, 0, FOLLOWED),
};
static const struct field timer_fields[] = {
	FIELD(domain_timer, name, NUMBER, DOMAIN_TIMER_PIT, FOLLOWED),
	FIELD(domain_timer, present, NUMBER, DOMAIN_ON, UNSEEN), /* of others than this */
	FIELD(domain_timer, tick_policy, NUMBER, DOMAIN_TICK_CATCHUP, FOLLOWED),
	FIELD(domain_timer, track, NUMBER, DOMAIN_TRACK_GUEST, FOLLOWED),
	FIELD(domain_timer, mode, NUMBER, DOMAIN_TIMER_AUTO, UNSEEN), /* no option of QEMU */
	FIELD(domain_timer, frequency, NUMBER, 5, UNSEEN),            /* of others than this */
	FIELD(domain_timer, catch_threshold, NUMBER, 5, UNSEEN),      /* no options of QEMU */
	FIELD(domain_timer, slew, NUMBER, 5, UNSEEN),
	FIELD(domain_timer, limit, NUMBER, 5, UNSEEN),
};
/* Nothing of it is left open. */
static const char machine[] =
	"<domain type='qemu'><name>a</name><vcpu>4</vcpu>"
	"<vcpus><vcpu id='0' enabled='yes'/><vcpu id='2' enabled='yes' hotpluggable='yes'/>"
	"<vcpu id='3' enabled='yes' hotpluggable='yes'/></vcpus>"
	"<iothreads>1</iothreads><iothreadids>"
	"<iothread id='3' thread_pool_min='1' thread_pool_max='2'/></iothreadids><defaultiothread "
	"thread_pool_max='8'/><sysinfo type='smbios'><bios><entry name='vendor'>a</entry></bios>"
	"<oemStrings><entry>b</entry></oemStrings></sysinfo><sysinfo type='fwcfg'>"
	"<entry name='opt/a'>c</entry></sysinfo>"
	"<os><type machine='q35'>hvm</type><kernel>/k</kernel><initrd>/i</initrd>"
	"<cmdline>quiet</cmdline><boot dev='hd'/><bootmenu enable='yes' timeout='7'/>"
	"<bios useserial='no' rebootTimeout='7'/><smbios mode='sysinfo'/></os>"
	"<features><acpi/><hyperv><spinlocks state='on' retries='5000'/><stimer state='on'/>"
	"<vendor_id state='on' value='a'/></hyperv><smm><tseg>1</tseg></smm><tcg><tb-cache>1"
	"</tb-cache></tcg></features><cpu check='none'>"
	"<model vendor_id='abcdefghijkl'>Nehalem</model>"
	"<topology sockets='4' cores='1' threads='1'/><cache mode='emulate' level='3'/>"
	"<maxphysaddr mode='emulate' bits='40'/><feature name='vmx'/>"
	"<numa><cell memory='65536' cpus='0-3'/></numa></cpu><clock><timer name='rtc' "
	"track='wall'/></clock><devices><disk type='file'><driver "
	"name='qemu' type='raw'/><source file='/x'/><target dev='vda'/></disk></devices></domain>";
static void
every_field_of_machine(void)
{
	domain_def_auto struct domain_def *def = live_def(machine, strlen(machine));

	CHECK_FIELDS(def, &def->os, os_fields);
	CHECK_FIELDS(def, &def->sysinfo, sysinfo_fields);
	CHECK_FIELDS(def, &def->sysinfo.fwcfgs[0], fwcfg_fields);
	CHECK_FIELDS(def, &def->backing, backing_fields);
	CHECK_FIELDS(def, &def->iothreads, iothreads_fields);
	CHECK_FIELDS(def, &def->iothreads.threads[0], iothread_fields);
	CHECK_FIELDS(def, &def->iothreads.threads[0].pool, pool_fields);
	CHECK_FIELDS(def, &def->each_vcpu[2], vcpu_fields);
	CHECK_FIELDS(def, &def->features, features_fields);
	CHECK_FIELDS(def, &def->cpu, cpu_fields);
	CHECK_FIELDS(def, &def->cpu.features[0], cpu_feature_fields);
	CHECK_FIELDS(def, &def->clock, clock_fields);
	CHECK_FIELDS(def, &def->clock.timers[0], timer_fields);
	CHECK_FIELDS(def, &def->numa, numa_fields);
	CHECK_FIELDS(def, &def->numa.cells[0], cell_fields);
}

/* Those that are on or off: which argument follows each. */
static void
every_feature(void)
{
	static const char xml[] = SMALL("kvm", "", "<features><kvm/></features>");
	domain_def_auto struct domain_def *def = live_def(xml, strlen(xml));
	struct domain_features *features = &def->features;
	free_auto char *before = text_for(def);

	for (unsigned i = 0; i < DOMAIN_FEATURE_N; i++) {
		bool seen = i != DOMAIN_FEATURE_APIC && i != DOMAIN_FEATURE_PAE &&
			    i != DOMAIN_FEATURE_HAP;
		free_auto char *after = NULL;

		features->states[i] = DOMAIN_ON;
		after = text_for(def);
		CHECK((strcmp(before, after) != 0) == seen);
		features->states[i] = 0;
	}
	for (unsigned i = 0; i < DOMAIN_HYPERV_N; i++) {
		free_auto char *after = NULL;

		features->hyperv[i] = DOMAIN_ON;
		after = text_for(def);
		CHECK(strstr(after, ",hv-"));
		features->hyperv[i] = 0;
	}
	for (unsigned i = 0; i < DOMAIN_KVM_N; i++) {
		free_auto char *after = NULL;

		features->kvm[i] = i == DOMAIN_KVM_PV_IPI ? DOMAIN_OFF : DOMAIN_ON;
		after = text_for(def);
		CHECK(strcmp(before, after) != 0);
		features->kvm[i] = 0;
	}
}

int
main(void)
{
	TEST("every field is on the command line, or is one that QEMU is not told",
		every_field_of_machine);
	TEST("so is every feature", every_feature);
	return TEST_END();
}
