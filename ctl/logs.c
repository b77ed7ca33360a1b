/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * logs.c: the files of an audit log; see logs.h.
 */
#include "ctl/logs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/command.h"
#include "lib/log.h"
#include "lib/take.h"

static int
no_memory(void)
{
	log_error("out of memory");
	return CTL_FAILED;
}

static void
tell(const char *path, int err)
{
	log_error("%s: %s%s", log_quote(path), strerror(err),
		err == EACCES ? ": root and the group of qemud-audit may read it" : "");
}

static int
is_log(const struct dirent *entry)
{
	return strcmp(entry->d_name, LOGS_CURRENT) == 0 ||
	       fnmatch("audit-[0-9]*.log", entry->d_name, 0) == 0;
}

/* By their numbers, which have as many digits; what is written now last. */
static int
in_order(const struct dirent **a, const struct dirent **b)
{
	bool a_last = strcmp((*a)->d_name, LOGS_CURRENT) == 0;
	bool b_last = strcmp((*b)->d_name, LOGS_CURRENT) == 0;

	if (a_last != b_last)
		return a_last ? 1 : -1;
	return strcmp((*a)->d_name, (*b)->d_name);
}

int
logs_of_dir(const char *dir, struct logs *ret)
{
	struct dirent **entries = NULL;
	int n = scandir(dir, &entries, is_log, in_order), status = CTL_OK;

	*ret = (struct logs){.whole = true};
	if (n < 0) {
		tell(dir, errno);
		return CTL_FAILED;
	}
	ret->paths = calloc((size_t)n + 1, sizeof(char *));
	if (!ret->paths)
		status = no_memory();
	for (int i = 0; i < n; i++) {
		if (status == CTL_OK &&
			asprintf(&ret->paths[ret->n], "%s/%s", dir, entries[i]->d_name) < 0)
			status = no_memory();
		else if (status == CTL_OK)
			ret->n++;
		free(entries[i]);
	}
	free(entries);
	if (status == CTL_OK && n == 0) {
		log_error("%s: there is no audit log", log_quote(dir));
		status = CTL_FAILED;
	}
	return status;
}

int
logs_of_names(char *const *names, size_t n, struct logs *ret)
{
	*ret = (struct logs){.whole = false};
	ret->paths = calloc(n + 1, sizeof(char *));
	if (!ret->paths)
		return no_memory();
	for (size_t i = 0; i < n; i++) {
		ret->paths[i] = strdup(names[i]);
		if (!ret->paths[i])
			return no_memory();
		ret->n++;
	}
	return CTL_OK;
}

void
logs_free(struct logs *logs)
{
	for (size_t i = 0; i < logs->n; i++)
		free(logs->paths[i]);
	free(logs->paths);
	*logs = (struct logs){.n = 0};
}

int
logs_open(const char *path)
{
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		tell(path, errno);
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		log_error("%s: it is no file", log_quote(path));
		return -1;
	}
	return take_fd(&fd);
}
