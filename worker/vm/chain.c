/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chain.c: follows the headers of images to what is below them; see chain.h.
 *
 * Runs in the worker, as the user. A format is what the header above says, and is never found out
 * by looking into an image: a guest could have written there what is not its own.
 */
#include "worker/vm/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/take.h"
#include "lib/utf8.h"
#include "protocol/rpc/procedure.h"
#include "worker/qemu/qcow2.h"
#include "worker/vm/open.h"

/* Of one disk, while it is followed. */
struct chain {
	struct domain_disk *disk;
	struct rpc_error *error;
	struct {
		dev_t dev;
		ino_t ino;
	} seen[DOMAIN_LAYERS_MAX];
};

static const struct domain_layer *
lowest(const struct domain_disk *disk)
{
	return disk->n_backing > 0 ? &disk->backing[disk->n_backing - 1] : &disk->source;
}

static int
refuse(const struct chain *chain, const char *path, const char *why)
{
	return rpc_error_set(chain->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_STORAGE,
		"unsupported configuration: image '%s' of disk '%s' %s", path, chain->disk->target,
		why);
}

static int
refuse_depth(const struct chain *chain)
{
	return rpc_error_set(chain->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_STORAGE,
		"internal error: backing store for %s is self-referential or too deeply nested",
		lowest(chain->disk)->path);
}

/* The header of the lowest image that is known. *ret_any: it has one. */
static int
read_header(struct chain *chain, struct qcow2 *ret, bool *ret_any)
{
	size_t layer = chain->disk->n_backing;
	const char *path = lowest(chain->disk)->path;
	free_auto unsigned char *data = malloc(QCOW2_HEADER_MAX);
	fd_auto int fd = -1;
	struct stat st;
	ssize_t n;
	int r = vm_open_layer(chain->disk, layer, true, chain->error, &fd);

	*ret_any = false;
	if (r != RPC_DONE)
		return r;
	if (!data || fstat(fd, &st) < 0)
		return rpc_error_set_errno(
			chain->error, ENOMEM, VIR_FROM_STORAGE, "cannot read '%s'", path);
	for (size_t i = 0; i < layer; i++)
		if (chain->seen[i].dev == st.st_dev && chain->seen[i].ino == st.st_ino)
			return refuse_depth(chain);
	chain->seen[layer].dev = st.st_dev;
	chain->seen[layer].ino = st.st_ino;
	if (lowest(chain->disk)->format != DOMAIN_DISK_QCOW2)
		return RPC_DONE;
	n = pread(fd, data, QCOW2_HEADER_MAX, 0);
	if (n < 0)
		return rpc_error_set_errno(
			chain->error, errno, VIR_FROM_STORAGE, "cannot read '%s'", path);
	r = qcow2_parse(data, (size_t)n, ret);
	if (r == QCOW2_E_BAD)
		return refuse(chain, path, "has a header that breaks the rules of qcow2");
	/* QEMU says what an image is not. */
	*ret_any = r == 0;
	return RPC_DONE;
}

/* Relative to the folder of the image above. To be freed; NULL: no memory. */
static char *
resolve(const char *above, const char *name)
{
	const char *slash = strrchr(above, '/');
	char *path = NULL;

	if (*name == '/')
		return strdup(name);
	if (asprintf(&path, "%.*s/%s", (int)(slash - above), above, name) < 0)
		return NULL;
	return path;
}

/* "nbd://host", "json:{...}": QEMU's own rule is a colon before the first slash. */
static bool
is_path(const char *name)
{
	return !strchr(name, ':') || strcspn(name, "/") < strcspn(name, ":");
}

/* As it can stand in XML. */
static bool
is_text(const char *name)
{
	size_t size = strlen(name), n;
	uint32_t c;

	for (size_t at = 0; at < size; at += n) {
		n = utf8_next(name + at, size - at, &c);
		if (n == 0 || c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}

static int
refuse_format(const struct chain *chain, const struct qcow2 *header)
{
	const char *above = lowest(chain->disk)->path;

	if (*header->format)
		return rpc_error_set(chain->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_STORAGE,
			"unsupported configuration: format '%s' of backing image '%s' of image "
			"'%s' is not supported by qemud; use 'raw' or 'qcow2'",
			header->format, header->backing, above);
	return rpc_error_set(chain->error, VIR_ERR_OPERATION_INVALID, VIR_FROM_STORAGE,
		"Requested operation is not valid: format of backing image '%s' of image '%s' was "
		"not specified in the image metadata (See "
		"https://libvirt.org/kbase/backing_chains.html for troubleshooting)",
		header->backing, above);
}

static int
append(struct chain *chain, const struct qcow2 *header)
{
	const char *above = lowest(chain->disk)->path;
	enum domain_disk_format format = strcmp(header->format, "raw") == 0     ? DOMAIN_DISK_RAW
					 : strcmp(header->format, "qcow2") == 0 ? DOMAIN_DISK_QCOW2
										: 0;
	enum domain_layer_type type = DOMAIN_LAYER_FILE;
	struct stat st;
	char *path;

	if (!is_path(header->backing))
		return refuse(chain, above, "has a backing image that is no file: name a path");
	if (!is_text(header->backing))
		return refuse(chain, above, "has a backing image whose name is not plain UTF-8");
	if (!format)
		return refuse_format(chain, header);
	if (chain->disk->n_backing + 2 > DOMAIN_LAYERS_MAX)
		return refuse_depth(chain);
	path = resolve(above, header->backing);
	/* What is not there, or is neither, is told when it is opened. */
	if (path && stat(path, &st) == 0 && S_ISBLK(st.st_mode))
		type = DOMAIN_LAYER_BLOCK;
	if (!path || domain_layers_append(chain->disk, type, format, path) < 0)
		return rpc_error_set(
			chain->error, VIR_ERR_NO_MEMORY, VIR_FROM_NONE, "out of memory");
	return RPC_DONE;
}

static int
follow(struct chain *chain)
{
	struct qcow2 header;
	bool any;
	int r;

	do {
		r = read_header(chain, &header, &any);
		if (r == RPC_DONE && any && header.external_data)
			return refuse(chain, lowest(chain->disk)->path,
				"has its data in another file, which is not supported by qemud "
				"yet");
		if (r == RPC_DONE && any && *header.backing)
			r = append(chain, &header);
		else
			any = false;
	} while (r == RPC_DONE && any);
	return r;
}

/* --- after the run ------------------------------------------------------------------------ */

/* What cannot be read now is not followed at the next start either. */
static bool
is_as_it_was(const struct domain_disk *ran)
{
	/* The image alone, as if nothing were known below it. */
	struct domain_disk top = {.source = ran->source};
	struct rpc_error error;
	struct chain chain = {.disk = &top, .error = &error};
	free_auto char *path = NULL;
	struct qcow2 header;
	bool any;

	if (read_header(&chain, &header, &any) != RPC_DONE)
		return true;
	if (!any || !*header.backing)
		return ran->n_backing == 0;
	if (ran->n_backing == 0)
		return false;
	path = resolve(top.source.path, header.backing);
	return path && strcmp(path, ran->backing[0].path) == 0 &&
	       strcmp(header.format, domain_disk_format_word(ran->backing[0].format)) == 0;
}

int
vm_chain_keep(struct domain_disk *config, const struct domain_disk *ran)
{
	const char *path = config->source.path;
	int r;

	/* A start that came to nothing may not have looked at its images. */
	if (config->whole || config->n_backing > 0 || !ran->whole || ran->readonly)
		return 0;
	if (!path || !ran->source.path || strcmp(path, ran->source.path) != 0)
		return 0;
	if (config->source.format != DOMAIN_DISK_QCOW2 || is_as_it_was(ran))
		return 0;
	r = domain_layers_copy(config, ran);
	return r < 0 ? r : 1;
}

/* --- before it ---------------------------------------------------------------------------- */

/* Is it one that may be missing, and is? */
static bool
is_missing(struct domain_disk *disk)
{
	fd_auto int fd = -1;
	struct rpc_error error;

	return disk->startup == DOMAIN_OPTIONAL &&
	       vm_open_layer(disk, 0, true, &error, &fd) != RPC_DONE;
}

int
vm_chain_complete(
	struct domain_def *live, vm_missing_fn *missing, void *arg, struct rpc_error *error)
{
	size_t n = 0;

	for (size_t i = live->n_disks; i-- > 0;) {
		struct chain chain = {.disk = &live->disks[i], .error = error};
		struct domain_disk *disk = chain.disk;

		if (disk->source.path && is_missing(disk)) {
			missing(arg, disk);
			if (disk->what == DOMAIN_DISK) {
				domain_disk_remove(live, i);
				continue;
			}
			domain_layers_clear(disk);
		}
		if (!disk->source.path) {
			disk->source.format = 0;
			continue;
		}
		if (!disk->whole && follow(&chain) != RPC_DONE)
			return RPC_FAILED;
		disk->whole = true;
		n += 1 + disk->n_backing;
	}
	if (n > DOMAIN_LAYERS_MAX)
		return rpc_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU,
			"unsupported configuration: more than %d images of disks",
			DOMAIN_LAYERS_MAX);
	domain_disk_number(live);
	return RPC_DONE;
}
