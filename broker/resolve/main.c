/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemud-resolve: one account of this host, by uid or by name, as text (protocol/ipc/account.h) on
 * stdout.
 *
 * Started by qemud-launch for every question of the broker, as nobody, without a capability, with
 * two seconds to live. The only program of the project that asks the name service. Exit status: 0,
 * 2 when there is no such account, 1 when that could not be found out.
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

enum { EXIT_NO_ACCOUNT = 2, SUBUID_MAX = 16 * 1024 * 1024 };

struct question {
	const char *name; /* NULL: by uid */
	uint64_t uid;
};

static struct question
read_options(int argc, char **argv)
{
	enum { OPT_UID = 1, OPT_NAME };
	static const struct option known[] = {{"uid", required_argument, NULL, OPT_UID},
		{"name", required_argument, NULL, OPT_NAME}, {0}};
	struct question question = {0};
	int n_questions = 0, opt;

	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		n_questions++;
		if (opt == OPT_NAME)
			question.name = optarg;
		else if (opt != OPT_UID ||
			 keyval_number(optarg, 0, UINT32_MAX - 1, &question.uid) != 0)
			die("usage: qemud-resolve --uid N | --name NAME");
	}
	if (optind != argc || n_questions != 1)
		die("usage: qemud-resolve --uid N | --name NAME");
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

int
main(int argc, char **argv)
{
	static const char *const failures[] = {
		[NSS_E_TOO_LONG] = "its name, home or list of groups is longer than qemud takes",
		[NSS_E_CONFLICTING] = "the name service answered with another account",
	};
	char text[MEMFD_TEXT_MAX];
	struct question question;
	struct account account;
	int r;

	start_program("qemud-resolve");
	question = read_options(argc, argv);
	r = nss_find(question.name, (uint32_t)question.uid, &account);
	if (r == NSS_E_NO_ACCOUNT)
		return EXIT_NO_ACCOUNT;
	if (r != 0)
		die("account %s: %s", question.name ? log_quote(question.name) : argv[optind - 1],
			r < 0 ? strerror(-r) : failures[r]);
	account.subordinate = is_subordinate(&account);
	r = account_format(&account, text, sizeof(text));
	if (r == -EINVAL)
		die("account %s: its name or its home %s is not of a form that qemud takes",
			log_quote(account.name), log_quote(account.home));
	if (r >= 0)
		r = fd_write_all(STDOUT_FILENO, text, (size_t)r);
	if (r < 0)
		die("account %s: %s", log_quote(account.name), strerror(-r));
	return EXIT_SUCCESS;
}
