/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * folder.c: ~/.qemud/domains, watched; see folder.h.
 *
 * Runs in the worker, as the user; never as root.
 */
#include "worker/store/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "lib/err.h"
#include "lib/take.h"
#include "worker/store/definitions.h"

enum {
	/*
	 * In one turn of the loop, unless the first step takes longer: what a client waits beside,
	 * at each of its calls, while there is much to look at.
	 */
	SHARE_US = 500,
	/* How long nothing happens to a file until it is taken for what it is meant to be. */
	SETTLE_MS = 500,
	/* The same for folders: whoever removes all of them shall not find new ones in between. */
	RENEW_MS = 1000,
	SCAN_S = 60,
	SCAN_SILENT_S = 5,
	TOLD_MAX = 50 /* lines about files between two scans */
};

static void work(struct deferred *deferred);

static void
go_on(struct folder *folder)
{
	loop_defer(folder->loop, &folder->work, work);
}

static bool
has_time(uint64_t since_ns)
{
	return loop_clock() - since_ns < LOOP_MS(1) * SHARE_US / 1000;
}

/* --- words -------------------------------------------------------------------------------- */

static struct folder *
folder_of(struct reconcile *reconcile)
{
	return container_of(reconcile, struct folder, reconcile);
}

static bool
may_tell(struct folder *folder)
{
	if (++folder->n_told == TOLD_MAX)
		folder->ops->trouble(folder, "there is more to tell of files than is told");
	return folder->n_told < TOLD_MAX;
}

static void
file_left_alone(struct reconcile *reconcile, const char *name, const char *why)
{
	struct folder *folder = folder_of(reconcile);

	if (may_tell(folder))
		folder->ops->left_alone(folder, name, why);
}

static void
file_changed(struct reconcile *reconcile, const char *name, const char *what)
{
	struct folder *folder = folder_of(reconcile);

	if (may_tell(folder))
		folder->ops->changed(folder, name, what);
}

static void
domain_changed(struct reconcile *reconcile, const struct domain *domain, enum event_lifecycle event,
	int32_t detail)
{
	struct folder *folder = folder_of(reconcile);

	if (folder->loaded)
		folder->ops->tell(folder, domain, event, detail);
}

static const struct reconcile_ops reconcile_ops = {
	.tell = domain_changed, .left_alone = file_left_alone, .changed = file_changed};

/* Told once, until it is over. */
static void
trouble(struct folder *folder, const char *what)
{
	if (!folder->in_trouble)
		folder->ops->trouble(folder, what);
	folder->in_trouble = true;
}

/* --- looking at files --------------------------------------------------------------------- */

static void
later_due(struct timer *timer)
{
	go_on(container_of(timer, struct folder, later));
}

static void
put_later(struct folder *folder, struct file *file)
{
	const struct file *first;

	/* At the beginning nothing is about to change: what waits, waits for the others. */
	file->due_ns = loop_now(folder->loop) + (folder->loaded ? LOOP_MS(SETTLE_MS) : 0);
	files_put(&folder->files, file, FILE_LATER);
	first = TAILQ_FIRST(&folder->files.lines[FILE_LATER]);
	if (folder->loaded)
		timer_set(folder->loop, &folder->later, first->due_ns, later_due);
}

static void
look_at(struct folder *folder, struct file *file)
{
	enum reconciled verdict = reconcile(&folder->reconcile, file);

	switch (verdict) {
	case RECONCILED:
		file->n_waits = 0;
		files_put(&folder->files, file, FILE_KNOWN);
		break;
	case RECONCILE_LATER:
		put_later(folder, file);
		break;
	case RECONCILE_STUCK:
		file->n_waits = 0;
		files_put(&folder->files, file, FILE_STUCK);
		break;
	case RECONCILE_GONE:
		files_drop(&folder->files, file);
		break;
	}
}

/* The file whose turn it is; NULL: none's. */
static struct file *
next_file(struct folder *folder)
{
	struct file *file = TAILQ_FIRST(&folder->files.lines[FILE_NEXT]);

	if (file)
		return file;
	file = TAILQ_FIRST(&folder->files.lines[FILE_LATER]);
	if (!file || file->due_ns > loop_now(folder->loop))
		return NULL;
	file->n_waits++;
	return file;
}

static void
all_looked_at(struct folder *folder)
{
	const struct file *first = TAILQ_FIRST(&folder->files.lines[FILE_LATER]);

	if (first)
		timer_set(folder->loop, &folder->later, first->due_ns, later_due);
	if (folder->loaded)
		return;
	folder->loaded = true;
	folder->ops->loaded(folder, 0);
}

static void
look_at_some(struct folder *folder)
{
	uint64_t since_ns = loop_clock();

	do {
		struct file *file = next_file(folder);

		if (!file) {
			all_looked_at(folder);
			return;
		}
		look_at(folder, file);
	} while (has_time(since_ns));
	go_on(folder);
}

/* --- scanning ----------------------------------------------------------------------------- */

static void scan(struct folder *folder);

static void renew(struct folder *folder);

static void
again_due(struct timer *timer)
{
	struct folder *folder = container_of(timer, struct folder, again);

	folder->n_told = 0;
	renew(folder);
	scan(folder);
}

static void
scan(struct folder *folder)
{
	struct files *files = &folder->files;
	struct file *file;
	int r;

	if (folder->dir) {
		folder->wanted = true;
		return;
	}
	folder->wanted = false;
	for (unsigned i = 0; i < FILE_N_LINES; i++)
		TAILQ_FOREACH (file, &files->lines[i], entry) {
			file->seen = false;
		}
	r = definitions_begin(folder->home, &folder->dir);
	if (r == 0) {
		go_on(folder);
	} else if (!folder->loaded) {
		folder->ops->loaded(folder, r);
	} else {
		trouble(folder, strerror(-r));
		timer_set(folder->loop, &folder->again,
			loop_now(folder->loop) + LOOP_S(SCAN_SILENT_S), again_due);
	}
}

static void
found(struct folder *folder, const char *name)
{
	struct file *file = files_get(&folder->files, name);
	struct definition_stamp stamp;

	if (!file) {
		if (!folder->full)
			folder->ops->trouble(folder, "there are more files than can be looked at");
		folder->full = true;
		return;
	}
	file->seen = true;
	if (definitions_stat(folder->home, name, &stamp) < 0) {
		file->known = false;
	} else if (!file_is_unchanged(file, &stamp)) {
		file->known = false;
		file->stamp = stamp;
	}
}

/* The older first: a copy is younger. */
static int
by_age(const void *a, const void *b)
{
	const struct file *one = *(struct file *const *)a, *other = *(struct file *const *)b;
	struct timespec t = one->stamp.mtime, u = other->stamp.mtime;

	if (t.tv_sec != u.tv_sec)
		return t.tv_sec < u.tv_sec ? -1 : 1;
	if (t.tv_nsec != u.tv_nsec)
		return t.tv_nsec < u.tv_nsec ? -1 : 1;
	return strcmp(one->name, other->name);
}

/* Those that are not as they were are looked at, in their order. */
static void
sift(struct folder *folder)
{
	static const enum file_line lines[] = {FILE_KNOWN, FILE_STUCK};
	free_auto struct file **list = calloc(folder->files.n + 1, sizeof(struct file *));
	struct file *file;
	size_t n = 0;

	for (unsigned i = 0; list && i < sizeof(lines) / sizeof(*lines); i++)
		TAILQ_FOREACH (file, &folder->files.lines[lines[i]], entry)
			if (!file->known || !file->seen)
				list[n++] = file;
	if (n > 0)
		qsort(list, n, sizeof(struct file *), by_age);
	for (size_t i = 0; i < n; i++)
		files_put(&folder->files, list[i], FILE_NEXT);
}

static void
scan_ended(struct folder *folder, int err)
{
	bool silent = folder->watch.silent;

	definitions_end(take_ptr(folder->dir));
	timer_set(folder->loop, &folder->again,
		loop_now(folder->loop) + LOOP_S(silent || err < 0 ? SCAN_SILENT_S : SCAN_S),
		again_due);
	if (err == 0) {
		folder->in_trouble = false;
		folder->full = folder->full && folder->files.n >= FILES_MAX;
		sift(folder);
		go_on(folder);
	} else if (!folder->loaded) {
		folder->ops->loaded(folder, err);
		return;
	} else {
		/* What could not be seen has not gone. */
		trouble(folder, strerror(-err));
	}
	if (folder->wanted)
		scan(folder);
}

static void
scan_some(struct folder *folder)
{
	char name[DEFINITION_FILE_MAX + 1];
	uint64_t since_ns = loop_clock();

	do {
		int r = definitions_next(folder->dir, name);

		if (r <= 0) {
			scan_ended(folder, r);
			return;
		}
		if (*name)
			found(folder, name);
	} while (has_time(since_ns));
	go_on(folder);
}

static void
work(struct deferred *deferred)
{
	struct folder *folder = container_of(deferred, struct folder, work);

	/* It was stopped in this turn. */
	if (!folder->loop)
		return;
	if (folder->dir)
		scan_some(folder);
	else
		look_at_some(folder);
}

/* --- the kernel's word -------------------------------------------------------------------- */

static struct folder *
watched(struct watch *watch)
{
	return container_of(watch, struct folder, watch);
}

static void
file_touched(struct watch *watch, const char *name, uint32_t what)
{
	struct folder *folder = watched(watch);
	struct file *file = files_find(&folder->files, name);
	struct definition_stamp stamp;

	/* What is being written is told again when it is closed; links are not written. */
	if (what & IN_CREATE && definitions_stat(folder->home, name, &stamp) == 0 &&
		S_ISREG(stamp.mode) && stamp.nlink == 1)
		return;
	if (!file)
		file = files_get(&folder->files, name);
	if (!file)
		return;
	if (what & IN_CLOSE_WRITE)
		file->known = false;
	file->n_waits = 0;
	files_put(&folder->files, file, FILE_NEXT);
	go_on(folder);
}

static void
autostart_touched(struct watch *watch, const char *name)
{
	const struct folder *folder = watched(watch);
	struct domain *domain = domains_find_name(folder->domains, name);

	if (domain && domain->config)
		domains_note_autostart(
			folder->domains, domain, definitions_autostart(folder->home, name));
}

static void renew_due(struct timer *timer);

static void
folders_touched(struct watch *watch)
{
	struct folder *folder = watched(watch);

	timer_set(folder->loop, &folder->renew, loop_now(folder->loop) + LOOP_MS(RENEW_MS),
		renew_due);
}

static void
events_lost(struct watch *watch)
{
	scan(watched(watch));
}

static const struct watch_ops watch_ops = {.file = file_touched,
	.autostart = autostart_touched,
	.folders = folders_touched,
	.lost = events_lost};

/* --- folders that come and go ------------------------------------------------------------- */

static void
start_watch(struct folder *folder)
{
	char what[160];
	int r = watch_start(&folder->watch, folder->loop, folder->home, &watch_ops);
	bool told = folder->deaf;

	folder->deaf = r < 0;
	if (r == 0 || told)
		return;
	(void)snprintf(what, sizeof(what),
		"it cannot be watched, and is looked through every %d s: %s", SCAN_SILENT_S,
		strerror(-r));
	folder->ops->trouble(folder, what);
}

/* Folders that are not the ones that are open are opened. */
static void
renew(struct folder *folder)
{
	char why[HOME_WHY_MAX];
	bool changed, deaf = folder->watch.fd < 0;
	struct domain *domain;

	if (home_renew(folder->home, &changed, why) != 0) {
		trouble(folder, why);
		timer_set(folder->loop, &folder->renew,
			loop_now(folder->loop) + LOOP_S(SCAN_SILENT_S), renew_due);
	}
	if (changed || deaf)
		start_watch(folder);
	if (changed || (deaf && !folder->deaf))
		scan(folder);
	if (!changed)
		return;
	TAILQ_FOREACH (domain, &folder->domains->all, entry)
		if (domain->config)
			domains_note_autostart(folder->domains, domain,
				definitions_autostart(folder->home, domain->config->name));
}

static void
renew_due(struct timer *timer)
{
	renew(container_of(timer, struct folder, renew));
}

/* --- what the domains tell ---------------------------------------------------------------- */

static void
wrote(struct domains *domains, const char *name, size_t size)
{
	struct folder *folder = container_of(domains->keeper, struct folder, keeper);
	struct file *file = files_get(&folder->files, name);
	struct definition_stamp stamp;

	if (!file || definitions_stat(folder->home, name, &stamp) < 0)
		return;
	file_note(file, &stamp);
	file->bad = false;
	/* Where every other change is told, this one need not be read. */
	if (!folder->watch.silent && (size_t)stamp.size == size)
		file->known = true;
}

static void
domain_settled(struct domains *domains)
{
	struct folder *folder = container_of(domains->keeper, struct folder, keeper);
	struct file_queue *line = &folder->files.lines[FILE_STUCK];

	if (TAILQ_EMPTY(line))
		return;
	while (!TAILQ_EMPTY(line))
		files_put(&folder->files, TAILQ_FIRST(line), FILE_NEXT);
	go_on(folder);
}

static bool
is_left_alone(const struct domains *domains, const char *name)
{
	const struct folder *folder = container_of(domains->keeper, const struct folder, keeper);
	const struct file *file = files_find(&folder->files, name);

	return file && file->bad;
}

/* --- begin and end ------------------------------------------------------------------------ */

void
folder_init(struct folder *folder)
{
	memset(folder, 0, sizeof(*folder));
	files_init(&folder->files);
	watch_init(&folder->watch);
}

void
folder_start(struct folder *folder, struct loop *loop, struct home *home, struct domains *domains,
	const struct folder_ops *ops)
{
	ASSERT(!folder->loop);
	folder->loop = loop;
	folder->home = home;
	folder->domains = domains;
	folder->ops = ops;
	folder->reconcile = (struct reconcile){.domains = domains, .ops = &reconcile_ops};
	folder->keeper = (struct domains_keeper){
		.wrote = wrote, .settled = domain_settled, .left_alone = is_left_alone};
	domains->keeper = &folder->keeper;
	start_watch(folder);
	scan(folder);
}

void
folder_stop(struct folder *folder)
{
	if (!folder->loop)
		return;
	folder->domains->keeper = NULL;
	timer_stop(&folder->later);
	timer_stop(&folder->again);
	timer_stop(&folder->renew);
	watch_stop(&folder->watch);
	definitions_end(take_ptr(folder->dir));
	files_fini(&folder->files);
	folder->loop = NULL;
	folder->loaded = folder->wanted = folder->in_trouble = folder->full = false;
}
