/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemud-resolve: one account of this host, by uid or by name, or one group, by name, as text
 * (protocol/ipc/account.h, group.h) on stdout.
 *
 * Started by qemud-launch for every question of the broker, as nobody, without a capability, with
 * two seconds to live. The only program of the project that asks the name service. Exit status: 0,
 * 2 when there is none, 1 when that could not be found out.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/resolve/nss.h"
#include "broker/resolve/subordinate.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/keyval.h"
#include "lib/log.h"
#include "lib/memfd.h"
#include "lib/start.h"
#include "lib/take.h"
#include "protocol/ipc/group.h"

enum { EXIT_NONE = 2, SUBUID_MAX = 16 * 1024 * 1024 };

struct question {
	const char *group; /* NULL: about an account */
	const char *name;  /* NULL: by uid */
	uint64_t uid;
};

_Noreturn static void
usage(void)
{
	die("usage: qemud-resolve --uid N | --name NAME | --group NAME");
}

static struct question
read_options(int argc, char **argv)
{
	enum { OPT_UID = 1, OPT_NAME, OPT_GROUP };
	static const struct option known[] = {{"uid", required_argument, NULL, OPT_UID},
		{"name", required_argument, NULL, OPT_NAME},
		{"group", required_argument, NULL, OPT_GROUP}, {0}};
	struct question question = {0};
	int n_questions = 0, opt;

	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		n_questions++;
		if (opt == OPT_NAME)
			question.name = optarg;
		else if (opt == OPT_GROUP)
			question.group = optarg;
		else if (opt != OPT_UID ||
			 keyval_number(optarg, 0, UINT32_MAX - 1, &question.uid) != 0)
			usage();
	}
	if (optind != argc || n_questions != 1)
		usage();
	return question;
}

/* A host without the file has no ranges; one that cannot be read may not be taken for empty. */
static bool
is_subordinate(const struct account *account)
{
	static const char path[] = "/etc/subuid";
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);
	free_auto char *text = NULL;
	size_t size = 0;
	int r = fd < 0 ? -errno : fd_read_all(fd, SUBUID_MAX, &text, &size);

	if (r == -ENOENT)
		return false;
	if (r < 0)
		die("%s: %s", path, strerror(-r));
	return subordinate_holds(text, size, account->name, account->uid);
}

static const char *
failure(int r)
{
	static const char *const failures[] = {
		[NSS_E_TOO_LONG] = "its name, home or list of groups is longer than qemud takes",
		[NSS_E_CONFLICTING] = "the name service answered with another one",
	};

	return r < 0 ? strerror(-r) : failures[r];
}

static int
print(const char *text, int size)
{
	return size < 0 ? size : fd_write_all(STDOUT_FILENO, text, (size_t)size);
}

static int
find_group(const char *name)
{
	char text[MEMFD_TEXT_MAX];
	uint32_t gid = 0;
	int r = nss_find_group(name, &gid);

	if (r == NSS_E_NONE)
		return EXIT_NONE;
	if (r != 0)
		die("group %s: %s", log_quote(name), failure(r));
	r = print(text, group_format(name, gid, text, sizeof(text)));
	if (r < 0)
		die("group %s: %s", log_quote(name),
			r == -EINVAL ? "its name or its number is not of a form that qemud takes"
				     : strerror(-r));
	return EXIT_SUCCESS;
}

static int
find_account(const struct question *question, const char *value)
{
	char text[MEMFD_TEXT_MAX];
	struct account account;
	int r = nss_find(question->name, (uint32_t)question->uid, &account);

	if (r == NSS_E_NONE)
		return EXIT_NONE;
	if (r != 0)
		die("account %s: %s", log_quote(value), failure(r));
	account.subordinate = is_subordinate(&account);
	r = account_format(&account, text, sizeof(text));
	if (r == -EINVAL)
		die("account %s: its name or its home %s is not of a form that qemud takes",
			log_quote(account.name), log_quote(account.home));
	r = print(text, r);
	if (r < 0)
		die("account %s: %s", log_quote(account.name), strerror(-r));
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	struct question question;

	start_program("qemud-resolve");
	question = read_options(argc, argv);
	return question.group ? find_group(question.group)
			      : find_account(&question, argv[optind - 1]);
}
