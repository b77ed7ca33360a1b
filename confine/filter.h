/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filter.h: a seccomp allow-list from its reviewable text, loaded for the rest of a process's life.
 *
 * Runs in every program, root's included; links libseccomp. The text is
 * policy/seccomp/PROGRAM.list, one system call a line: `name  # function that needs it: why`.
 * `name ERRNO` (for example `clone3 ENOSYS`) answers with that error instead of allowing it;
 * `name N&BITS` (for example `clone 0&0x10000`) allows it when its Nth argument has all these bits,
 * `name N=VALUE` (for example `socket 0=0x1`) when it is that number, in all its 64 bits,
 * `name N&MASK=VALUE` when it is in these bits; a call may have several of these, and an ERRNO.
 * awk makes a table of it at build time (filter_PROGRAM in build/.../filters.c). Whatever is not
 * in the list kills the process. Nothing at run time weakens a list; builds with AddressSanitizer
 * add policy/seccomp/asan.list.
 */
#ifndef CONFINE_FILTER_H
#define CONFINE_FILTER_H

#include <stdint.h>

struct filter_rule {
	const char *syscall;
	int err; /* 0: allowed; else the errno it answers with */
	unsigned arg;
	/* mask is not 0: allowed only when argument number arg, from 0, is value in these bits. */
	uint64_t mask, value;
};

struct filter {
	const char *name;
	unsigned n_rules;
	const struct filter_rule *rules;
	int otherwise; /* the errno that all else is answered with; 0: it kills */
	/*
	 * Loaded before it, or NULL. The kernel takes the stricter answer of both: a call that one of
	 * them allows for some arguments, and answers for others, is allowed whole by the other one,
	 * which kills for what is not in the list. No single filter of libseccomp's says that.
	 */
	const struct filter *beneath;
};

extern const struct filter filter_broker, filter_worker, filter_refuser, filter_view, filter_qemu,
	filter_qemu_img, filter_net, filter_passt, filter_audit;

/**
 * Set no_new_privs, load the filter for this thread and its future. Returns 0 or a negative errno.
 * A list with a system call that libseccomp does not know ends the process with a line that names
 * it (die(), lib/err.h): it would otherwise allow less than was reviewed. Before the loop only.
 */
int filter_load(const struct filter *filter);

#endif
