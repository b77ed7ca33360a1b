/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reconcile.c: what a file in domains/ means for the VMs in memory; see reconcile.h.
 *
 * Runs in the worker, as the user; never as root. Never writes to a file that it has not read and
 * understood, and never over another.
 */
#include "worker/store/reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/take.h"
#include "lib/uuid.h"
#include "worker/store/definitions.h"

enum { UUID_TRIES = 8, WHAT_MAX = 3 * DOMAIN_NAME_MAX, WAITS_GONE = 2, WAITS_FAILED = 2 };

/* One look at one file. */
struct look {
	struct reconcile *reconcile;
	struct domains *domains;
	struct file *file;
	struct definition_stamp stamp;
	bool again;             /* nothing has changed in it since the last one */
	struct domain *owner;   /* whose definition is in that file, as far as is known */
	struct domain_def *def; /* what is in it now */
	bool no_uuid;           /* there was none in it: def has a new one */
	bool rewrite;           /* def is not what is in it any more */
};

/* --- words -------------------------------------------------------------------------------- */

static enum reconciled
left_alone(struct look *look, const char *why)
{
	struct file *file = look->file;

	file_note(file, &look->stamp);
	file->bad = true;
	if (!look->again)
		look->reconcile->ops->left_alone(look->reconcile, file->name, why);
	return RECONCILED;
}

static enum reconciled
stuck(struct look *look, const char *why)
{
	(void)left_alone(look, why);
	look->file->stuck = true;
	return RECONCILE_STUCK;
}

static void
changed(struct look *look, const char *what)
{
	look->reconcile->ops->changed(look->reconcile, look->file->name, what);
}

static void
tell(struct look *look, const struct domain *domain, enum event_lifecycle event, int32_t detail)
{
	look->reconcile->ops->tell(look->reconcile, domain, event, detail);
}

static const char *
words(int err)
{
	switch (err) {
	case -ELOOP:
		return "it is a symbolic link; a definition is a file of its own";
	case -EINVAL:
		return "it is no regular file";
	case -EFBIG:
		return "it is longer than a definition may be, 1 MiB";
	default:
		return strerror(-err);
	}
}

/* It cannot be looked at: because of what it is, or of what the host lacks just now. */
static enum reconciled
failed(struct look *look, int err)
{
	bool of_file = err == -ELOOP || err == -EINVAL || err == -EFBIG || err == -EACCES;

	if (!of_file && look->file->n_waits < WAITS_FAILED)
		return RECONCILE_LATER;
	return left_alone(look, words(err));
}

/* --- domains ------------------------------------------------------------------------------ */

static struct domain *
owner_of(const struct domains *domains, const char *name)
{
	struct domain *domain = domains_find_name(domains, name);

	return domain && domain->config ? domain : NULL;
}

static const char *
name_of(const struct domain *domain)
{
	return domain_def_now(domain)->name;
}

/* A domain whose file has gone, or holds another one. */
static void
forget(struct look *look, struct domain *domain)
{
	int r = definitions_set_autostart(look->domains->home, name_of(domain), false);

	if (r < 0)
		changed(look, "its link in autostart/ cannot be removed");
	tell(look, domain, EVENT_UNDEFINED, EVENT_UNDEFINED_REMOVED);
	domains_forget(look->domains, domain);
}

static enum reconciled
gone(struct look *look)
{
	if (!look->owner)
		return RECONCILE_GONE;
	/* An editor may be about to put it back; it may be about to be found under another name. */
	if (look->file->n_waits < WAITS_GONE)
		return RECONCILE_LATER;
	changed(look, look->owner->vm ? "it has gone: the domain is transient while it runs"
				      : "it has gone, and with it the domain");
	forget(look, look->owner);
	return RECONCILE_GONE;
}

/* --- the simple cases: nothing is written ------------------------------------------------- */

/* Returns 1 when both are the same, 0 or -ENOMEM. */
static int
same_def(const struct domain_def *a, const struct domain_def *b)
{
	free_auto char *one = NULL, *other = NULL;
	int r = domain_def_format(a, DOMAIN_DEF_SECURE, -1, &one);

	if (r == 0)
		r = domain_def_format(b, DOMAIN_DEF_SECURE, -1, &other);
	return r < 0 ? r : one && other && strcmp(one, other) == 0;
}

static enum reconciled
understood(struct look *look)
{
	file_note(look->file, &look->stamp);
	look->file->bad = false;
	return RECONCILED;
}

/* The definition of a domain that there is. */
static enum reconciled
update(struct look *look, struct domain *domain)
{
	bool is_new = !domain->config;
	int r = is_new ? 0 : same_def(domain->config, look->def);

	if (r < 0)
		return failed(look, r);
	if (r == 0) {
		domains_reconfigure(look->domains, domain, take_ptr(look->def));
		domains_note_autostart(look->domains, domain,
			definitions_autostart(look->domains->home, domain->config->name));
		tell(look, domain, EVENT_DEFINED,
			is_new ? EVENT_DEFINED_ADDED : EVENT_DEFINED_UPDATED);
	}
	return understood(look);
}

static enum reconciled
add(struct look *look)
{
	struct domains *domains = look->domains;
	struct domain *domain = domains_add(domains, look->def);

	if (!domain)
		return failed(look, -ENOMEM);
	(void)take_ptr(look->def);
	domains_note_autostart(
		domains, domain, definitions_autostart(domains->home, domain->config->name));
	tell(look, domain, EVENT_DEFINED, EVENT_DEFINED_ADDED);
	return understood(look);
}

/* --- the others: something is in the way of something -------------------------------------- */

/* Whose definition this is; NULL: nobody's yet. */
static struct domain *
subject_of(const struct look *look)
{
	const struct domains *domains = look->domains;
	struct domain *same = domains_find_uuid(domains, look->def->uuid);

	if (!same || same == look->owner || !same->config)
		return same;
	/* It has its own file, of which this is a copy; or this is its file, that was moved. */
	return definitions_exist(domains->home, same->config->name) ? NULL : same;
}

/* Is that name free for what is in this file? */
static bool
is_free(const struct look *look, const struct domain *subject, const char *name)
{
	const struct domain *named = domains_find_name(look->domains, name);

	if (named && named != subject && named != look->owner)
		return false;
	return strcmp(name, look->file->name) == 0 || !definitions_exist(look->domains->home, name);
}

/* Returns 0, or a negative errno. */
static int
give_uuid(struct look *look)
{
	const struct domain_env *env = look->domains->env;

	for (int i = 0; i < UUID_TRIES; i++) {
		env->new_uuid(env->arg, look->def->uuid);
		if (!domains_find_uuid(look->domains, look->def->uuid)) {
			look->rewrite = true;
			return 0;
		}
	}
	return -EEXIST;
}

static int
give_name(struct look *look, const struct domain *subject)
{
	char name[DOMAIN_NAME_MAX + 1];
	char *copy;

	for (unsigned i = 1; i <= FILES_MAX; i++) {
		int n = snprintf(name, sizeof(name), "%s-%u", look->def->name, i);

		if (n < 0 || (size_t)n >= sizeof(name))
			return -ENAMETOOLONG;
		if (!is_free(look, subject, name))
			continue;
		copy = strdup(name);
		if (!copy)
			return -ENOMEM;
		free(look->def->name);
		look->def->name = copy;
		look->rewrite = true;
		return 0;
	}
	return -EEXIST;
}

/* The file is made to hold the definition, and to be called after it. */
static int
write_back(struct look *look)
{
	const struct home *home = look->domains->home;
	const char *name = look->file->name;
	struct definition_stamp stamp;
	free_auto char *text = NULL;
	int r = definitions_stat(home, name, &stamp);

	/* Somebody writes it: there will be another look. */
	if (r == 0 && (stamp.ino != look->stamp.ino || stamp.size != look->stamp.size ||
			      stamp.mtime.tv_sec != look->stamp.mtime.tv_sec ||
			      stamp.mtime.tv_nsec != look->stamp.mtime.tv_nsec))
		return -EBUSY;
	if (r == 0 && look->rewrite) {
		r = domain_def_format(look->def, DOMAIN_DEF_SECURE, -1, &text);
		if (r == 0 && strlen(text) > DEFINITION_MAX)
			r = -EFBIG;
		if (r == 0)
			r = definitions_write(home, name, text, strlen(text));
	}
	if (r == 0 && strcmp(look->def->name, name) != 0)
		r = definitions_move(home, name, look->def->name);
	return r;
}

/* The domain has this name from now on. */
static void
rename_domain(struct look *look, struct domain *domain)
{
	const struct home *home = look->domains->home;
	const char *name = look->def->name;
	bool autostart = domain->autostart;

	if (autostart && definitions_set_autostart(home, name, true) < 0)
		changed(look, "its link in autostart/ cannot be made: it is not started by itself");
	(void)definitions_set_autostart(home, name_of(domain), false);
	tell(look, domain, EVENT_UNDEFINED, EVENT_UNDEFINED_RENAMED);
	domains_reconfigure(look->domains, domain, take_ptr(look->def));
	domains_note_autostart(
		look->domains, domain, definitions_autostart(home, domain->config->name));
	tell(look, domain, EVENT_DEFINED, EVENT_DEFINED_RENAMED);
}

static void
say_what(struct look *look, const struct domain *subject)
{
	char uuid[UUID_TEXT_SIZE], what[WHAT_MAX + UUID_TEXT_SIZE];

	(void)snprintf(what, sizeof(what), "it %s domain '%s' with uuid %s, in %s.xml",
		subject ? "is that of" : "has become that of", look->def->name,
		uuid_format(look->def->uuid, uuid), look->def->name);
	changed(look, what);
}

/* What the file is to hold, and whose it is to be, before anything is written. */
static int
resolve(struct look *look, struct domain *subject)
{
	int r = 0;

	if (look->no_uuid)
		look->rewrite = true;
	if (!subject && domains_find_uuid(look->domains, look->def->uuid))
		r = give_uuid(look);
	if (r == 0 && !is_free(look, subject, look->def->name))
		r = give_name(look, subject);
	return r;
}

static enum reconciled
settle(struct look *look, struct domain *subject)
{
	bool moved;
	int r;

	if (subject && subject->vm && strcmp(name_of(subject), look->def->name) != 0)
		return stuck(look, "the domain runs under another name, and is renamed when it has "
				   "ended");
	if (look->owner && look->owner != subject && look->owner->vm)
		return stuck(
			look, "another domain of that name runs: it counts when that has ended");
	if (!subject && !look->owner && look->domains->n >= DOMAINS_MAX)
		return left_alone(look, "there are as many domains as a user may have");
	if (look->file->n_waits == 0)
		return RECONCILE_LATER;
	r = resolve(look, subject);
	/* A rename that was cut short (domains.c). */
	if (r == 0 && !subject && !look->owner)
		r = definitions_move_autostart(
			look->domains->home, look->file->name, look->def->name);
	if (r == 0)
		r = write_back(look);
	if (r == -EBUSY)
		return RECONCILE_LATER;
	if (r < 0)
		return left_alone(look, words(r));
	moved = strcmp(look->def->name, look->file->name) != 0;
	say_what(look, subject);
	if (look->owner && look->owner != subject)
		forget(look, look->owner);
	if (!subject) {
		(void)add(look);
	} else if (subject->config && strcmp(subject->config->name, look->def->name) != 0) {
		rename_domain(look, subject);
		(void)understood(look);
	} else {
		(void)update(look, subject);
	}
	/* Written just now: what the stamp was of is no more. */
	look->file->known = false;
	return moved ? RECONCILE_GONE : RECONCILED;
}

static enum reconciled
apply(struct look *look)
{
	struct domain *owner = look->owner, *subject;
	const char *name = look->def->name;

	/* Who takes the UUID out of her file still means that domain. */
	if (look->no_uuid && owner && strcmp(name, look->file->name) == 0)
		memcpy(look->def->uuid, owner->config->uuid, UUID_SIZE);
	subject = subject_of(look);
	if (strcmp(name, look->file->name) == 0 && !look->no_uuid) {
		const struct domain *named = domains_find_name(look->domains, name);

		if (subject && subject == named)
			return update(look, subject);
		if (!subject && !named && look->domains->n < DOMAINS_MAX &&
			!domains_find_uuid(look->domains, look->def->uuid))
			return add(look);
	}
	return settle(look, subject);
}

/* --- reading ------------------------------------------------------------------------------ */

static void
new_uuid(void *arg, uint8_t uuid[16])
{
	struct look *look = arg;
	const struct domain_env *env = look->domains->env;

	look->no_uuid = true;
	env->new_uuid(env->arg, uuid);
}

static enum reconciled
read_and_apply(struct look *look)
{
	const struct domains *domains = look->domains;
	struct domain_env env = *domains->env;
	free_auto char *text = NULL;
	struct rpc_error why;
	size_t size;
	int r = definitions_read(domains->home, look->file->name, &text, &size, &look->stamp);

	if (r == -ENOENT)
		return gone(look);
	if (r < 0)
		return failed(look, r);
	env.new_uuid = new_uuid;
	env.arg = look;
	r = domain_def_parse(text, size, 0, &env, &why, &look->def);
	if (r == 0)
		return apply(look);
	/* It may be half of what somebody is about to write. */
	if (look->file->n_waits == 0 && !look->again)
		return RECONCILE_LATER;
	/* Behind the reason stands the line itself, which may have a password in it: not for a log. */
	why.message[strcspn(why.message, "\n")] = '\0';
	return r < 0 ? failed(look, r) : left_alone(look, why.message);
}

enum reconciled
reconcile(struct reconcile *reconcile, struct file *file)
{
	struct look look = {.reconcile = reconcile, .domains = reconcile->domains, .file = file};
	enum reconciled verdict;
	int r = definitions_stat(look.domains->home, file->name, &look.stamp);

	look.owner = owner_of(look.domains, file->name);
	if (r == -ENOENT)
		return gone(&look);
	look.again = r == 0 && file_is_unchanged(file, &look.stamp);
	if (look.again && !file->stuck)
		return RECONCILED;
	file->stuck = false;
	if (r == 0 && !S_ISREG(look.stamp.mode))
		r = S_ISLNK(look.stamp.mode) ? -ELOOP : -EINVAL;
	verdict = r < 0 ? failed(&look, r) : read_and_apply(&look);
	(void)domain_def_free(look.def);
	return verdict;
}
