/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_folder.c: a file that somebody has put into ~/.qemud/domains, beside one that is there.
 *
 * Input: the file's name on a line, then the file. Oracle: the machine that was there keeps its name and
 * UUID; the new one gets others where they clash, at once and for good: who opens the folder again
 * finds the same machines and changes nothing.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "lib/uuid.h"
#include "tests/unit/domain_env.h"
#include "worker/store/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS = 1000, TEXT_MAX = 4096 };

static const char there[] =
	"<domain type='qemu'><name>vm</name><uuid>00000000-0000-4000-8000-000000000001</uuid>"
	"<memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>";

static struct {
	char root[64];
	struct loop loop;
	struct home home;
	struct domain_env env;
	struct domains domains;
	struct folder folder;
	int loaded; /* 1: not yet */
	unsigned n_changed;
} stage;

static void
loaded(struct folder *folder, int err)
{
	(void)folder;
	stage.loaded = err;
}

static void
tell(struct folder *folder, const struct domain *domain, enum event_lifecycle event, int32_t detail)
{
	(void)folder;
	(void)event;
	(void)detail;
	ASSERT(domain_def_now(domain)->name[0] != '\0');
}

static void
left_alone(struct folder *folder, const char *name, const char *why)
{
	(void)folder;
	ASSERT(name[0] != '\0' && why[0] != '\0');
}

static void
changed(struct folder *folder, const char *name, const char *what)
{
	left_alone(folder, name, what);
	stage.n_changed++;
}

static void
trouble(struct folder *folder, const char *what)
{
	(void)folder;
	ASSERT(what[0] != '\0');
}

static const struct folder_ops ops = {.loaded = loaded,
	.tell = tell,
	.left_alone = left_alone,
	.changed = changed,
	.trouble = trouble};

static void
new_uuid(void *arg, uint8_t uuid[16])
{
	(void)arg;
	ASSERT(uuid_random(uuid));
}

static void
make(const char *below)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", stage.root, below);
	ASSERT(mkdir(path, 0700) == 0);
}

static void
put(const char *name, const void *data, size_t size, time_t seconds)
{
	const struct timespec times[] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
	char path[512];
	fd_auto int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/.qemud/domains/%s", stage.root, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	/* A name that no file can have. */
	if (fd >= 0)
		ASSERT(write(fd, data, size) == (ssize_t)size && futimens(fd, times) == 0);
}

/* All machines that there are, a line each, into text; and that which was there is as it was. */
static void
list(char text[static TEXT_MAX])
{
	const struct domain *domain;
	char uuid[UUID_TEXT_SIZE];
	size_t n = 0;
	unsigned n_there = 0;

	text[0] = '\0';
	TAILQ_FOREACH (domain, &stage.domains.all, entry) {
		n += (size_t)snprintf(text + n, TEXT_MAX - n, "%s %s\n",
			uuid_format(domain->config->uuid, uuid), domain->config->name);
		ASSERT(n < TEXT_MAX);
		if (strcmp(uuid, "00000000-0000-4000-8000-000000000001") == 0)
			n_there += strcmp(domain->config->name, "vm") == 0;
	}
	ASSERT(stage.domains.n <= 2 && n_there == 1);
}

static void
open_folder(void)
{
	char why[HOME_WHY_MAX];

	stage.loaded = 1;
	stage.n_changed = 0;
	stage.env = domain_tcg;
	stage.env.new_uuid = new_uuid;
	ASSERT(loop_init(&stage.loop) == 0 && home_open(&stage.home, stage.root, why) == 0);
	domains_init(&stage.domains, &stage.home, &stage.env);
	folder_init(&stage.folder);
	folder_start(&stage.folder, &stage.loop, &stage.home, &stage.domains, &ops);
	for (unsigned i = 0; i < TURNS && stage.loaded == 1; i++)
		ASSERT(loop_once(&stage.loop, 0) == 0);
	ASSERT(stage.loaded == 0);
}

static void
close_folder(void)
{
	folder_stop(&stage.folder);
	ASSERT(loop_once(&stage.loop, 0) == 0);
	loop_fini(&stage.loop);
	domains_fini(&stage.domains);
	home_close(&stage.home);
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 0 ? memchr(data, '\n', size < 256 ? size : 256) : NULL;
	char name[256], first[TEXT_MAX], second[TEXT_MAX];
	size_t length = end ? (size_t)(end - data) : 0;

	if (length == 0 || memchr(data, '/', length) || memchr(data, '\0', length))
		return 0;
	memcpy(name, data, length);
	name[length] = '\0';
	if (strcmp(name, "vm.xml") == 0)
		return 0;
	log_open("fuzz", LEVEL_ERROR);
	(void)snprintf(stage.root, sizeof(stage.root), "%s/qemud-fuzz-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ASSERT(mkdtemp(stage.root));
	make(".qemud");
	make(".qemud/domains");
	put("vm.xml", there, sizeof(there) - 1, 1);
	put(name, end + 1, size - length - 1, 2);
	open_folder();
	list(first);
	close_folder();
	open_folder();
	list(second);
	/* In whatever order. */
	for (char *rest = second, *line; (line = strsep(&rest, "\n"));)
		ASSERT(strstr(first, line));
	ASSERT(stage.n_changed == 0);
	close_folder();
	ASSERT(nftw(stage.root, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
	return 0;
}
