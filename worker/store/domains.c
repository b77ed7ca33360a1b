/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domains.c: the user's VMs in memory, kept equal to the disk; see domains.h.
 *
 * Runs in the worker, as the user; never as root.
 */
#include "worker/store/domains.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/take.h"
#include "lib/uuid.h"
#include "protocol/rpc/procedure.h"
#include "worker/domain/name.h"
#include "worker/store/definitions.h"
#include "worker/store/stranger.h"

/* FNV-1a: she who picks names that collide slows herself down. */
static unsigned
bucket_of(const void *data, size_t size)
{
	const uint8_t *p = data;
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ p[i]) * 16777619u;
	return hash % DOMAINS_BUCKETS;
}

static unsigned
bucket_of_name(const char *name)
{
	return bucket_of(name, strlen(name));
}

static void
insert(struct domains *domains, struct domain *domain)
{
	const struct domain_def *def = domain_def_now(domain);

	TAILQ_INSERT_TAIL(&domains->all, domain, entry);
	LIST_INSERT_HEAD(
		&domains->by_uuid[bucket_of(def->uuid, sizeof(def->uuid))], domain, by_uuid);
	LIST_INSERT_HEAD(&domains->by_name[bucket_of_name(def->name)], domain, by_name);
	domains->n++;
	domains_changed(domains);
}

static void
domain_free(struct domain *domain)
{
	(void)domain_def_free(domain->config);
	(void)domain_def_free(domain->live);
	free(domain);
}

static void
remove_and_free(struct domains *domains, struct domain *domain)
{
	domains_note_autostart(domains, domain, false);
	TAILQ_REMOVE(&domains->all, domain, entry);
	LIST_REMOVE(domain, by_uuid);
	LIST_REMOVE(domain, by_name);
	domains->n--;
	domain_free(domain);
	domains_changed(domains);
}

/* A domain that is shut off, with the definitions; NULL without memory. */
static struct domain *
add(struct domains *domains, struct domain_def *config, struct domain_def *live)
{
	struct domain *domain = calloc(1, sizeof(*domain));

	ASSERT(config || live);
	if (!domain)
		return NULL;
	domain->config = config;
	domain->live = live;
	domain->was_defined = config;
	domain->id = -1;
	domain->state = DOMAIN_STATE_SHUTOFF;
	domain->reason = DOMAIN_SHUTOFF_UNKNOWN;
	insert(domains, domain);
	return domain;
}

void
domains_init(struct domains *domains, const struct home *home, const struct domain_env *env)
{
	memset(domains, 0, sizeof(*domains));
	domains->home = home;
	domains->env = env;
	TAILQ_INIT(&domains->all);
}

void
domains_fini(struct domains *domains)
{
	struct domain *domain;

	while ((domain = TAILQ_FIRST(&domains->all)) != NULL)
		remove_and_free(domains, domain);
}

struct domain *
domains_find_uuid(const struct domains *domains, const uint8_t uuid[16])
{
	struct domain *domain;

	LIST_FOREACH (domain, &domains->by_uuid[bucket_of(uuid, UUID_SIZE)], by_uuid)
		if (memcmp(domain_def_now(domain)->uuid, uuid, UUID_SIZE) == 0)
			return domain;
	return NULL;
}

struct domain *
domains_find_name(const struct domains *domains, const char *name)
{
	struct domain *domain;

	LIST_FOREACH (domain, &domains->by_name[bucket_of_name(name)], by_name)
		if (strcmp(domain_def_now(domain)->name, name) == 0)
			return domain;
	return NULL;
}

struct domain *
domains_find_id(const struct domains *domains, int32_t id)
{
	struct domain *domain;

	TAILQ_FOREACH (domain, &domains->all, entry)
		if (id >= 0 && domain->id == id)
			return domain;
	return NULL;
}

/* --- what the files say ------------------------------------------------------------------- */

struct domain *
domains_add(struct domains *domains, struct domain_def *def)
{
	return add(domains, def, NULL);
}

void
domains_reconfigure(struct domains *domains, struct domain *domain, struct domain_def *def)
{
	struct domain_def *old = domain->config;

	LIST_REMOVE(domain, by_name);
	domain->config = def;
	domain->was_defined = true;
	LIST_INSERT_HEAD(
		&domains->by_name[bucket_of_name(domain_def_now(domain)->name)], domain, by_name);
	(void)domain_def_free(old);
	domains_changed(domains);
}

void
domains_forget(struct domains *domains, struct domain *domain)
{
	domains_note_autostart(domains, domain, false);
	domain->config = domain_def_free(domain->config);
	domains_changed(domains);
	domains_settle(domains, domain);
}

/* --- changes ------------------------------------------------------------------------------ */

/* The texts are libvirt's own (virdomainobjlist.c): clients look for pieces of them. */
static int
check_clash(const struct domains *domains, const struct domain_def *def,
	const struct domain *same_uuid, struct rpc_error *error)
{
	const struct domain *same_name = domains_find_name(domains, def->name);
	const char *name = same_uuid ? domain_def_now(same_uuid)->name : def->name;
	char uuid[UUID_TEXT_SIZE];

	if (strcmp(name, def->name) != 0)
		return rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_DOMAIN,
			"operation failed: domain '%s' is already defined with uuid %s", name,
			uuid_format(def->uuid, uuid));
	if (!same_uuid && same_name)
		return rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_DOMAIN,
			"operation failed: domain '%s' already exists with uuid %s", def->name,
			uuid_format(domain_def_now(same_name)->uuid, uuid));
	return RPC_DONE;
}

static int
file_in_the_way(const char *name, struct rpc_error *error)
{
	return rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
		"operation failed: ~/.qemud/domains/%s.xml is there and has not been loaded (the "
		"log says why); move it away or mend it",
		name);
}

/* A file that was left alone when it was found is not lost here either. */
static int
check_file(const struct domains *domains, const struct domain_def *def, bool is_new,
	struct rpc_error *error)
{
	struct domains_keeper *keeper = domains->keeper;

	if (!definitions_exist(domains->home, def->name))
		return RPC_DONE;
	if (!is_new && !(keeper && keeper->left_alone(domains, def->name)))
		return RPC_DONE;
	return file_in_the_way(def->name, error);
}

static int
write_definition(struct domains *domains, const struct domain_def *def, struct rpc_error *error)
{
	free_auto char *text = NULL;
	int r = domain_def_format(def, DOMAIN_DEF_SECURE, -1, &text);

	/* With escapes and defaults it may have become longer than what was sent. */
	if (r == 0 && strlen(text) > DEFINITION_MAX)
		return rpc_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU,
			"unsupported configuration: the definition of domain '%s' has %zu bytes as "
			"it is kept; %d are as many as it may have",
			def->name, strlen(text), DEFINITION_MAX);
	if (r == 0)
		r = definitions_write(domains->home, def->name, text, strlen(text));
	if (r < 0)
		return rpc_error_set_errno(error, -r, VIR_FROM_QEMU,
			"cannot save the definition of domain '%s' in ~/.qemud/domains", def->name);
	if (domains->keeper)
		domains->keeper->wrote(domains, def->name, strlen(text));
	return RPC_DONE;
}

static int
check_number(const struct domains *domains, struct rpc_error *error)
{
	if (domains->n < DOMAINS_MAX)
		return RPC_DONE;
	return rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
		"operation failed: there are %d domains, which is as many as a user may have: "
		"undefine some",
		DOMAINS_MAX);
}

/* The user's own, or a stranger's. As domain_def_parse(). */
static int
read_xml(const struct domains *domains, const char *xml, const struct guise *guise,
	struct rpc_error *error, struct domain_def **ret)
{
	return guise ? stranger_read(domains, xml, guise, error, ret)
		     : domain_def_parse(xml, strlen(xml), 0, domains->env, error, ret);
}

int
domains_define(struct domains *domains, const char *xml, const struct guise *guise,
	struct rpc_error *error, struct domain **ret, bool *ret_new)
{
	domain_def_auto struct domain_def *def = NULL;
	struct domain *domain;
	int r = read_xml(domains, xml, guise, error, &def);

	if (r < 0)
		return rpc_error_set(error, VIR_ERR_NO_MEMORY, VIR_FROM_NONE, "out of memory");
	if (r != 0)
		return RPC_FAILED;
	domain = domains_find_uuid(domains, def->uuid);
	*ret_new = !domain || !domain->was_defined;
	r = check_clash(domains, def, domain, error);
	if (r == RPC_DONE && !domain)
		r = check_number(domains, error);
	if (r == RPC_DONE)
		r = check_file(domains, def, !domain || !domain->config, error);
	if (r == RPC_DONE)
		r = write_definition(domains, def, error);
	if (r != RPC_DONE)
		return r;
	if (domain) {
		(void)domain_def_free(domain->config);
		domain->config = take_ptr(def);
		domain->was_defined = true;
		domains_changed(domains);
	} else {
		domain = add(domains, def, NULL);
		if (!domain) {
			(void)definitions_remove(domains->home, def->name);
			return rpc_error_set(
				error, VIR_ERR_NO_MEMORY, VIR_FROM_NONE, "out of memory");
		}
		(void)take_ptr(def);
	}
	*ret = domain;
	return RPC_DONE;
}

int
domains_update(struct domains *domains, struct domain *domain, struct domain_def *def,
	struct rpc_error *error)
{
	if (check_file(domains, def, false, error) != RPC_DONE ||
		write_definition(domains, def, error) != RPC_DONE)
		return RPC_FAILED;
	(void)domain_def_free(domain->config);
	domain->config = def;
	return RPC_DONE;
}

int
domains_save(struct domains *domains, const struct domain *domain, struct rpc_error *error)
{
	int r = check_file(domains, domain->config, false, error);

	return r == RPC_DONE ? write_definition(domains, domain->config, error) : r;
}

/* --- another name ------------------------------------------------------------------------- */

/* The errors are libvirt's (virDomainObjListRename, qemuDomainRename). */
static int
check_rename(const struct domains *domains, const struct domain *domain, const char *name,
	struct rpc_error *error)
{
	if (domain->vm)
		return rpc_error_set(error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
			"Requested operation is not valid: cannot rename active domain");
	if (strcmp(domain->config->name, name) == 0)
		return rpc_error_set(error, VIR_ERR_OPERATION_INVALID, VIR_FROM_DOMAIN,
			"Requested operation is not valid: Can't rename domain to itself");
	if (domains_find_name(domains, name))
		return rpc_error_set(error, VIR_ERR_OPERATION_INVALID, VIR_FROM_DOMAIN,
			"Requested operation is not valid: domain with name '%s' already exists",
			name);
	if (domain_name_check(name, error) != 0) {
		error->domain = VIR_FROM_QEMU;
		return RPC_FAILED;
	}
	return check_file(domains, domain->config, false, error);
}

/* A copy of a definition under another name. Returns 0 or a negative errno. */
static int
with_name(const struct domains *domains, const struct domain_def *def, char *name,
	struct domain_def **ret)
{
	struct domain_def renamed = *def; /* borrows all that it holds */
	free_auto char *text = NULL;
	struct rpc_error error;
	int r;

	renamed.name = name;
	r = domain_def_format(&renamed, DOMAIN_DEF_SECURE, -1, &text);
	if (r == 0)
		r = domain_def_parse(text, strlen(text), 0, domains->env, &error, ret);
	return r > 0 ? -EINVAL : r;
}

/*
 * The name in a file counts (reconcile.h): with the new text in it the domain has its new name, and
 * whoever finds the file does the rest.
 */
static int
move_files(struct domains *domains, const struct domain_def *old, const struct domain_def *new,
	struct rpc_error *error)
{
	free_auto char *text = NULL;
	int r = domain_def_format(new, DOMAIN_DEF_SECURE, -1, &text);

	if (r == 0 && strlen(text) > DEFINITION_MAX)
		r = -EFBIG;
	if (r == 0)
		r = definitions_write(domains->home, old->name, text, strlen(text));
	if (r == 0)
		r = definitions_move_autostart(domains->home, old->name, new->name);
	if (r == 0)
		r = definitions_move(domains->home, old->name, new->name);
	if (r < 0) {
		/* Where not even this can be done, it has its new name next time. */
		(void)definitions_move(domains->home, new->name, old->name);
		(void)definitions_move_autostart(domains->home, new->name, old->name);
		(void)write_definition(domains, old, error);
		return rpc_error_set_errno(error, -r, VIR_FROM_QEMU,
			"cannot rename the definition of domain '%s' in ~/.qemud/domains",
			old->name);
	}
	if (domains->keeper)
		domains->keeper->wrote(domains, new->name, strlen(text));
	return RPC_DONE;
}

int
domains_rename(
	struct domains *domains, struct domain *domain, const char *name, struct rpc_error *error)
{
	domain_def_auto struct domain_def *def = NULL;
	free_auto char *copy = NULL;
	int r = check_rename(domains, domain, name, error);

	if (r != RPC_DONE)
		return r;
	if (definitions_exist(domains->home, name))
		return file_in_the_way(name, error);
	copy = strdup(name);
	r = copy ? with_name(domains, domain->config, copy, &def) : -ENOMEM;
	if (r < 0)
		return domains_not_live(error, r);
	r = move_files(domains, domain->config, def, error);
	if (r == RPC_DONE)
		domains_reconfigure(domains, domain, take_ptr(def));
	return r;
}

int
domains_make_way(struct domains *domains, struct domain *domain, struct rpc_error *error)
{
	char name[DOMAIN_NAME_MAX + 1];

	for (unsigned i = 1; i <= 2 * DOMAINS_MAX; i++) {
		int n = snprintf(name, sizeof(name), "%s-%u", domain->config->name, i);

		if (n < 0 || (size_t)n >= sizeof(name))
			break;
		if (!domains_find_name(domains, name) && !definitions_exist(domains->home, name))
			return domains_rename(domains, domain, name, error);
	}
	return rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
		"operation failed: there is no other name for domain '%s'", domain->config->name);
}

int
domains_undefine(struct domains *domains, struct domain *domain, struct rpc_error *error)
{
	const char *name = domain_def_now(domain)->name;
	int r;

	if (!domain->config)
		return rpc_error_set(error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
			"Requested operation is not valid: cannot undefine transient domain");
	r = definitions_remove(domains->home, name);

	if (r < 0) {
		domains_note_autostart(domains, domain, definitions_autostart(domains->home, name));
		return rpc_error_set_errno(error, -r, VIR_FROM_QEMU,
			"cannot remove the definition of domain '%s' from ~/.qemud/domains", name);
	}
	domains_forget(domains, domain);
	return RPC_DONE;
}

int
domains_not_live(struct rpc_error *error, int err)
{
	if (err == -EINVAL)
		return rpc_error_set(error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"internal error: the definition cannot be read back");
	return rpc_error_set(error, VIR_ERR_NO_MEMORY, VIR_FROM_NONE, "out of memory");
}

int
domains_begin(struct domains *domains, const char *xml, const struct guise *guise,
	struct rpc_error *error, struct domain **ret)
{
	domain_def_auto struct domain_def *def = NULL, *live = NULL;
	struct domain *domain;
	int r = read_xml(domains, xml, guise, error, &def);

	if (r > 0)
		return RPC_FAILED;
	if (r == 0)
		r = domain_def_live(def, domains->env, &live);
	if (r < 0)
		return domains_not_live(error, r);
	domain = domains_find_uuid(domains, live->uuid);
	if (check_clash(domains, live, domain, error) != RPC_DONE)
		return RPC_FAILED;
	if (domain && domain->vm)
		return rpc_error_set(error, VIR_ERR_OPERATION_INVALID, VIR_FROM_DOMAIN,
			"Requested operation is not valid: domain '%s' is already active",
			live->name);
	if (!domain && check_number(domains, error) != RPC_DONE)
		return RPC_FAILED;
	if (domain)
		domain->live = live;
	else
		domain = add(domains, NULL, live);
	if (!domain)
		return domains_not_live(error, -ENOMEM);
	(void)take_ptr(live);
	*ret = domain;
	return RPC_DONE;
}

struct domain *
domains_add_transient(struct domains *domains, struct domain_def *live)
{
	return add(domains, NULL, live);
}

void
domains_settle(struct domains *domains, struct domain *domain)
{
	if (domain->vm)
		return;
	if (domains->keeper)
		domains->keeper->settled(domains);
	domain->id = -1;
	domains_changed(domains);
	/* Who holds it by the name in there has no other. */
	if (domain->config)
		domain->live = domain_def_free(domain->live);
	else
		remove_and_free(domains, domain);
}

void
domains_note_autostart(struct domains *domains, struct domain *domain, bool autostart)
{
	if (domain->autostart == autostart)
		return;
	domain->autostart = autostart;
	domains->n_autostart += autostart ? 1 : -1u;
	domains_changed(domains);
	if (domains->marked)
		domains->marked(domains->marked_arg);
}

int
domains_set_autostart(
	struct domains *domains, struct domain *domain, bool autostart, struct rpc_error *error)
{
	int r;

	if (!domain->config)
		return rpc_error_set(error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
			"Requested operation is not valid: cannot set autostart for transient "
			"domain");
	r = definitions_set_autostart(domains->home, domain->config->name, autostart);
	if (r < 0)
		return rpc_error_set_errno(error, -r, VIR_FROM_QEMU,
			"cannot change ~/.qemud/autostart for domain '%s'", domain->config->name);
	domains_note_autostart(domains, domain, autostart);
	return RPC_DONE;
}
