/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c of qemud-audit: writes what the broker tells it into the audit log, and nothing else.
 *
 * The starter runs it as the account qemud-audit, without a capability, in namespaces without a
 * network, with its link to the broker as descriptor 3. It reads no byte of a client; texts that
 * clients and workers have chosen come through the broker, bounded, and are escaped here. It alone
 * can write the log. A record is answered when it is written, or with why it is not; the broker
 * keeps it until then, so that the end of this process loses nothing.
 *
 * Set-up comes first, then the filter (policy/seccomp/audit.list). It ends with its link.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "broker/audit/head.h"
#include "broker/audit/journal.h"
#include "confine/filter.h"
#include "lib/err.h"
#include "lib/keyval.h"
#include "lib/link.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/start.h"
#include "lib/take.h"

enum {
	LINK_FD = 3,
	SYNC_S = 1, /* what was written is on the disk after that time */
	FILES_MAX = 1000000
};

struct auditor {
	struct loop loop;
	struct link link;
	struct journal journal;
	struct head head;
	struct timer sync_timer;
	uint32_t last_kind; /* of what the broker told */
	int write_err;      /* that was told */
};

static void
sync_due(struct timer *timer)
{
	(void)journal_keep(&container_of(timer, struct auditor, sync_timer)->journal);
}

/* Told when it is another than before. */
static void
note_error(struct auditor *auditor, int r)
{
	if (r < 0 && r != auditor->write_err)
		log_error("%s: the audit log cannot be written: %s", auditor->journal.dir,
			strerror(-r));
	if (r == 0 && auditor->write_err < 0)
		log_info("%s: the audit log can be written again", auditor->journal.dir);
	auditor->write_err = r;
}

static void
on_message(struct link *link, const struct ipc_message *message, int *fds, uint64_t cookie)
{
	struct auditor *auditor = container_of(link, struct auditor, link);
	const struct ipc_audit_record *record = message->body;
	int r = journal_write(&auditor->journal, record);

	(void)fds;
	(void)cookie;
	note_error(auditor, r);
	auditor->last_kind = record->kind;
	(void)link_answer(link, IPC_AUDIT_KEPT, message->serial, r, NULL, NULL);
	if (r == 0)
		head_wrote(&auditor->head);
	if (auditor->journal.dirty && !timer_is_set(&auditor->sync_timer))
		timer_set(&auditor->loop, &auditor->sync_timer,
			loop_now(&auditor->loop) + LOOP_S(SYNC_S), sync_due);
}

static void
on_end(struct link *link, enum ipc_fault fault, uint16_t type)
{
	struct auditor *auditor = container_of(link, struct auditor, link);

	if (fault != IPC_OK)
		log_error("violation by the broker in %s: %s", ipc_type_name(type),
			ipc_fault_text(fault));
	if (auditor->last_kind != AUDIT_BROKER_STOP)
		note_error(auditor, journal_say(&auditor->journal, AUDIT_ORPHAN, "qemud",
					    "the broker has gone without a word: what it had not "
					    "told yet is lost"));
	loop_quit(&auditor->loop, fault == IPC_OK ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* It ends when the broker does; one that is ended before is started again. */
static void
signalled(void *arg, int signo)
{
	(void)signo;
	loop_quit(&((struct auditor *)arg)->loop, EXIT_SUCCESS);
}

static void
read_arguments(int argc, char **argv, struct journal *ret)
{
	static const struct option options[] = {{"dir", required_argument, NULL, 'd'},
		{"file-mib", required_argument, NULL, 'm'}, {"files", required_argument, NULL, 'n'},
		{"log", required_argument, NULL, 'l'}, {NULL, 0, NULL, 0}};
	uint64_t mib = 0, n_files = 0;
	enum log_level level = 0;
	bool ok = true;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'd')
			ret->dir = optarg;
		else if (option == 'm')
			ok = ok && keyval_number(optarg, 1, UINT32_MAX, &mib) == 0;
		else if (option == 'n')
			ok = ok && keyval_number(optarg, 0, FILES_MAX, &n_files) == 0;
		else if (option == 'l')
			level = log_level_read(optarg);
		else
			ok = false;
	}
	if (!ok || optind != argc || !ret->dir || mib == 0 || level == 0)
		die("usage: qemud-audit --dir DIR --file-mib N --files N --log "
		    "error|warning|info|debug (it is started by qemud-launch)");
	ret->max_size = mib << 20;
	ret->n_files = (uint32_t)n_files;
	log_open("qemud-audit", level);
}

static void
open_journal(struct journal *journal)
{
	const char *what;
	int r = journal_open(journal, &what);

	if (r == JOURNAL_E_FOREIGN)
		die("%s: %s must be a folder, or a file in it, of this account, and not writable "
		    "by others (install -d -m 0750 -o qemud-audit -g qemud-audit %s)",
			journal->dir, what, journal->dir);
	if (r < 0)
		die("%s: %s cannot be opened: %s", journal->dir, what, strerror(-r));
}

int
main(int argc, char **argv)
{
	static const struct link_ops ops = {.message = on_message, .end = on_end};
	static struct auditor auditor;
	int r;

	start_program("qemud-audit");
	read_arguments(argc, argv, &auditor.journal);
	start_loop(&auditor.loop, 0, signalled, &auditor);
	open_journal(&auditor.journal);
	r = head_open(&auditor.head, &auditor.loop, &auditor.journal);
	if (r < 0)
		die("a socket cannot be made: %s", strerror(-r));
	r = filter_load(&filter_audit);
	if (r < 0)
		die("the system call filter cannot be loaded: %s", strerror(-r));
	r = link_start(&auditor.link, &auditor.loop, LINK_FD, IPC_LINK_AUDIT, IPC_SIDE_PEER, &ops);
	if (r < 0)
		die("descriptor %d is no link to a broker: %s", LINK_FD, strerror(-r));
	r = loop_run(&auditor.loop);
	head_tell(&auditor.head);
	link_stop(&auditor.link);
	head_close(&auditor.head);
	journal_close(&auditor.journal);
	loop_fini(&auditor.loop);
	if (r < 0)
		die("the loop failed: %s", strerror(-r));
	return r;
}
