/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * def.h: what a virtual machine is: the one validated struct behind its definition.
 *
 * Runs in the worker, as the user. Pure: no I/O, no clock, no log, no global state. The XML that
 * clients see and QEMU's command line are both functions of this struct. All strings and arrays
 * are owned by it. Whatever domain_def_parse() accepts has every default filled in, every PCI
 * address assigned and every count within its bound.
 */
#ifndef WORKER_DOMAIN_DEF_H
#define WORKER_DOMAIN_DEF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/take.h"
#include "worker/domain/audio.h"
#include "worker/domain/channel.h"
#include "worker/domain/clock.h"
#include "worker/domain/console.h"
#include "worker/domain/controller.h"
#include "worker/domain/cpu.h"
#include "worker/domain/disk.h"
#include "worker/domain/error.h"
#include "worker/domain/features.h"
#include "worker/domain/graphics.h"
#include "worker/domain/input.h"
#include "worker/domain/interface.h"
#include "worker/domain/iothread.h"
#include "worker/domain/memballoon.h"
#include "worker/domain/memory.h"
#include "worker/domain/numa.h"
#include "worker/domain/os.h"
#include "worker/domain/panic.h"
#include "worker/domain/rng.h"
#include "worker/domain/serial.h"
#include "worker/domain/sound.h"
#include "worker/domain/sysinfo.h"
#include "worker/domain/vcpu.h"
#include "worker/domain/video.h"
#include "worker/domain/watchdog.h"

#define DOMAIN_NAME_MAX 200

enum {
	DOMAIN_CHARDEVS_MAX = DOMAIN_SERIALS_MAX + DOMAIN_PARALLELS_MAX + DOMAIN_CONSOLES_MAX +
			      DOMAIN_CHANNELS_MAX
};

/* In every enum 0 stands for "not said", or where a field says so for "does not apply". */

enum domain_type { DOMAIN_TYPE_QEMU = 1, DOMAIN_TYPE_KVM };
enum domain_action { DOMAIN_DESTROY = 1, DOMAIN_RESTART, DOMAIN_PRESERVE };
enum domain_lock_action {
	DOMAIN_LOCK_POWEROFF = 1,
	DOMAIN_LOCK_RESTART,
	DOMAIN_LOCK_PAUSE,
	DOMAIN_LOCK_IGNORE,
};

struct domain_def {
	enum domain_type type;
	char *name;
	uint8_t uuid[16];
	char *title, *description; /* each may be NULL */
	char *metadata;            /* the element as XML, or NULL */
	bool has_genid;
	uint8_t genid[16]; /* of this state of the guest */
	uint64_t memory_kib, current_memory_kib;
	enum domain_switch dump_core; /* is the guest's memory in a core dump? 0: not said, no */
	struct domain_backing backing;
	uint32_t vcpus, current_vcpus; /* that there can be, and that there are */
	/* vcpus many; NULL: the first current_vcpus are enabled, and not hotpluggable. */
	struct domain_vcpu *each_vcpu;
	struct domain_iothreads iothreads;
	struct domain_sysinfo sysinfo;
	struct domain_os os;
	struct domain_features features;
	struct domain_cpu cpu;
	struct domain_numa numa;
	struct domain_clock clock;
	enum domain_action on_poweroff, on_reboot, on_crash;
	enum domain_lock_action on_lock_failure;
	/* May the guest? 0: as its board does. */
	enum domain_switch suspend_to_mem, suspend_to_disk;
	bool seclabel_none; /* <seclabel type='none'/> */
	char *emulator;     /* absolute path */
	struct domain_disk *disks;
	size_t n_disks;
	struct domain_controller *controllers; /* of one type: sorted by index */
	size_t n_controllers;
	struct domain_interface *interfaces;
	size_t n_interfaces;
	struct domain_serial *serials;
	size_t n_serials;
	struct domain_parallel *parallels;
	size_t n_parallels;
	bool serial_console; /* the first serial port is the first console, too */
	struct domain_console *consoles;
	size_t n_consoles;
	struct domain_channel *channels;
	size_t n_channels;
	struct domain_input *inputs;
	size_t n_inputs;
	struct domain_graphics *graphics;
	size_t n_graphics;
	struct domain_sound *sounds;
	size_t n_sounds;
	struct domain_audio *audios;
	size_t n_audios;
	struct domain_video *videos;
	size_t n_videos;
	struct domain_watchdog *watchdogs;
	size_t n_watchdogs;
	struct domain_memballoon memballoon;
	struct domain_rng *rngs;
	size_t n_rngs;
	struct domain_panic *panics;
	size_t n_panics;
};

/** A machine type of the emulator (QMP query-machines). */
struct domain_machine {
	const char *name;  /* canonical: "pc-i440fx-7.2" */
	const char *alias; /* "pc", or NULL */
	const char *cpu;   /* model of its default CPU: "qemu64" */
	uint32_t max_vcpus;
};

/** What a definition's defaults and checks depend on; borrowed, constant. */
struct domain_env {
	const char *emulator; /* the only one: "/usr/bin/qemu-system-x86_64" */
	const char *machine;  /* the default, by name or alias */
	const struct domain_machine *machines;
	size_t n_machines;
	/* Names of CPU models, and of what they can have. */
	const char *const *cpu_models, *const *cpu_features;
	size_t n_cpu_models, n_cpu_features;
	bool kvm; /* can type='kvm' run here? */
	/* The folder for sockets of a machine that runs; NULL: none runs here. */
	const char *run;
	/* Whose name may stand in front of the machine's; NULL: nobody's. See guise.h. */
	const struct guise *guise;
	/* A UUID for a definition without one. */
	void (*new_uuid)(void *arg, uint8_t uuid[16]);
	void *arg;
};

enum domain_def_flags {
	/* A running VM: its id and all aliases are written; those in the XML are kept. */
	DOMAIN_DEF_LIVE = 1,
	/* What a board has anyway is left out, as libvirt does for those that never heard of it. */
	DOMAIN_DEF_MIGRATABLE = 2,
	/* Passwords are written: for what is kept, and for who may have them. */
	DOMAIN_DEF_SECURE = 4,
};

/**
 * Parse, fill in the defaults, validate, and assign PCI addresses.
 * xml: size bytes, UTF-8, not trusted in any way, need not end with NUL.
 * flags: DOMAIN_DEF_LIVE or 0. Without it ids, places of consoles and generated aliases in the
 * XML are passed over, as in libvirt, so that a running VM's dump can be defined.
 * ret_def: the definition, freed with domain_def_free().
 * Returns 0, -ENOMEM, or DOMAIN_E_REFUSED with the error filled in.
 */
int domain_def_parse(const char *xml, size_t size, unsigned flags, const struct domain_env *env,
	struct rpc_error *error, struct domain_def **ret_def);

/**
 * The definition as XML in libvirt's canonical order and layout; parsing it again gives the same
 * definition, and the same text.
 * flags: DOMAIN_DEF_LIVE, DOMAIN_DEF_MIGRATABLE, DOMAIN_DEF_SECURE.
 * id: the running VM's id with DOMAIN_DEF_LIVE, ignored without.
 * ret_xml: NUL-terminated, freed by the caller. Returns 0 or -ENOMEM.
 */
int domain_def_format(const struct domain_def *def, unsigned flags, int id, char **ret_xml);

/**
 * A copy of a definition as it is started: every device has its alias (alias.h), and every socket
 * its path. Freed with domain_def_free(). Returns 0, -ENOMEM, or -EINVAL for what cannot be read back.
 */
int domain_def_live(const struct domain_def *config, const struct domain_env *env,
	struct domain_def **ret_live);

/** The board of a canonical machine name; 0 for one that a definition cannot have. */
enum domain_chipset domain_chipset_of(const char *machine);

/** Accepts NULL and half-built definitions; returns NULL. */
struct domain_def *domain_def_free(struct domain_def *def);

static inline void
domain_def_cleanup(struct domain_def **def)
{
	(void)domain_def_free(*def);
}
#define domain_def_auto AUTO(domain_def_cleanup)

#endif
