/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * audit_journal.c: the files of the audit log are one chain over every end of the process that writes
 * them, full disk, rotation and removal; nothing that was written is changed, and no record is
 * written twice.
 */
#include "broker/audit/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/lines.h"
#include "lib/take.h"
#include "tests/unit/test.h"

enum { ROOM = 1 << 30 };

static char place[] = "/tmp/qemud-test-journal-XXXXXX";
static struct journal journal;
static size_t room = ROOM; /* so many bytes more can be written */

/* A disk that is full after so many bytes. */
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);

ssize_t
__wrap_write(int fd, const void *data, size_t size)
{
	if (fd != journal.fd || fd < 0)
		return __real_write(fd, data, size);
	if (room == 0) {
		errno = ENOSPC;
		return -1;
	}
	if (size > room)
		size = room;
	room -= size;
	return __real_write(fd, data, size);
}

static void
open_journal(uint64_t max_size, uint32_t n_files)
{
	const char *what;

	journal = (struct journal){.dir = place, .max_size = max_size, .n_files = n_files};
	room = ROOM;
	CHECK(journal_open(&journal, &what) == 0);
}

static struct ipc_audit_record
numbered(uint32_t n)
{
	return (struct ipc_audit_record){
		.time_us = 1000000 + n, .kind = AUDIT_VM_START, .count = 1, .vm = n, .uid = 2001};
}

static int
write_number(uint32_t n)
{
	struct ipc_audit_record record = numbered(n);

	return journal_write(&journal, &record);
}

/* What a file has, judged from where chain is: letters as in audit_line.c, a digit or more a number. */
static const char *
judge_file(struct audit_chain *chain, const char *name)
{
	static const char letters[] = "ofTMBCU";
	static struct lines lines;
	static char told[4096];
	char path[256];
	const char *text;
	size_t size, n = 0;

	(void)snprintf(path, sizeof path, "%s/%s", place, name);
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	lines_init(&lines, fd);
	while (fd >= 0 && lines_next(&lines, false, &text, &size) > 0 && n < sizeof told - 1)
		told[n++] = letters[audit_chain_next(chain, text, size, NULL)];
	told[n] = '\0';
	return told;
}

static const char *
judge(const char *name)
{
	static const uint8_t zero[SHA256_SIZE];
	struct audit_chain chain;

	audit_chain_init_at(&chain, 0, zero);
	return judge_file(&chain, name);
}

static int
open_log(int flags)
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s/" JOURNAL_NAME, place);
	return open(path, flags | O_CLOEXEC);
}

/* How many lines of audit.log have these words. */
static unsigned
count(const char *words)
{
	static struct lines lines;
	fd_auto int fd = open_log(O_RDONLY);
	struct audit_line line;
	unsigned found = 0;
	const char *text;
	size_t size;

	lines_init(&lines, fd);
	while (lines_next(&lines, false, &text, &size) > 0)
		found += audit_line_read(text, size, &line) &&
			 memmem(text, size, words, strlen(words));
	return found;
}

static void
empty_place(void)
{
	DIR *dir = opendir(place);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			CHECK(unlinkat(dirfd(dir), entry->d_name, 0) == 0);
	(void)closedir(dir);
}

static void
end_journal(void)
{
	journal_close(&journal);
	empty_place();
}

static void
test_written(void)
{
	struct stat st;

	open_journal(1 << 20, 0);
	CHECK(write_number(1) == 0 && write_number(2) == 0 && journal_keep(&journal) == 0);
	CHECK_STR(judge(JOURNAL_NAME), "ooo");
	CHECK(count("\"verb\":\"begin\"") == 1 && count("\"vm\":2") == 1);
	CHECK(fstat(journal.fd, &st) == 0 && (st.st_mode & 07777) == 0640);
	/* It goes on. */
	journal_close(&journal);
	open_journal(1 << 20, 0);
	CHECK(write_number(3) == 0);
	CHECK_STR(judge(JOURNAL_NAME), "ooooo");
	end_journal();
}

static void
test_once(void)
{
	open_journal(1 << 20, 0);
	CHECK(write_number(1) == 0 && write_number(2) == 0);
	/* Killed before it could answer. */
	journal_close(&journal);
	open_journal(1 << 20, 0);
	CHECK(write_number(2) == 0 && write_number(3) == 0);
	journal_close(&journal);
	open_journal(1 << 20, 0);
	CHECK(write_number(4) == 0 && write_number(4) == 0);
	CHECK_STR(judge(JOURNAL_NAME), "oooooooo");
	CHECK(count("\"vm\":2,") == 1 && count("\"vm\":3,") == 1 && count("\"vm\":4,") == 2);
	end_journal();
}

/* A power cut: the last line is cut anywhere, and zeros may be behind it. */
static void
test_torn(void)
{
	struct stat st;

	for (off_t cut = 1; cut < 300; cut += 37) {
		for (int zeros = 0; zeros < 2; zeros++) {
			fd_auto int fd = -1;

			open_journal(1 << 20, 0);
			CHECK(write_number(1) == 0 && write_number(2) == 0);
			journal_close(&journal);
			fd = open_log(O_RDWR);
			CHECK(fstat(fd, &st) == 0 && ftruncate(fd, st.st_size - cut) == 0);
			CHECK(!zeros || ftruncate(fd, st.st_size + 100) == 0);
			open_journal(1 << 20, 0);
			CHECK(write_number(3) == 0);
			/* begin, 1, the piece of 2 (or that of 1), repair, begin, 3 */
			CHECK(strcmp(judge(JOURNAL_NAME), "ooTooo") == 0 ||
				(cut > 150 && strcmp(judge(JOURNAL_NAME), "oTooo") == 0) ||
				!printf("# cut %ld: %s\n", (long)cut, judge(JOURNAL_NAME)));
			CHECK(count("\"verb\":\"repair\"") == 1);
			end_journal();
		}
	}
}

static void
test_full(void)
{
	open_journal(1 << 20, 0);
	CHECK(write_number(1) == 0);
	for (unsigned i = 0; i < 60; i++) {
		room = i * 17 % 700;
		for (int tries = 0; tries < 3 && write_number(2 + i) < 0; tries++)
			room = tries < 1 ? 5 : ROOM;
		room = ROOM;
	}
	CHECK(write_number(100) == 0);
	CHECK(!strpbrk(judge(JOURNAL_NAME), "MBCU"));
	CHECK(strchr(judge(JOURNAL_NAME), 'T'));
	for (unsigned i = 0; i < 60; i++) {
		char words[32];

		(void)snprintf(words, sizeof words, "\"vm\":%u,\"prev\"", 2 + i);
		CHECK(count(words) == 1 || !printf("# %s: %u\n", words, count(words)));
	}
	/* Nothing at all can be written: it is said, and nothing is torn. */
	room = 0;
	CHECK(write_number(101) == -ENOSPC && write_number(101) == -ENOSPC);
	end_journal();
}

static unsigned
n_files(void)
{
	unsigned n = 0;

	for (uint64_t seq = 1; seq <= journal.chain.seq; seq++) {
		char name[64], path[256];

		(void)snprintf(name, sizeof name, "audit-%020" PRIu64 ".log", seq);
		(void)snprintf(path, sizeof path, "%s/%s", place, name);
		n += access(path, F_OK) == 0;
	}
	return n;
}

static void
test_rotated(void)
{
	static const uint8_t zero[SHA256_SIZE];
	struct audit_chain chain;
	unsigned n = 0;

	open_journal(16384, 0);
	for (uint32_t i = 1; i <= 200; i++)
		CHECK(write_number(i) == 0);
	CHECK(n_files() >= 2 && count("\"verb\":\"rotate\"") == 1);
	/* From file to file it is one chain. */
	audit_chain_init_at(&chain, 0, zero);
	for (uint64_t seq = 1; seq <= journal.chain.seq; seq++) {
		char name[64], path[256];

		(void)snprintf(name, sizeof name, "audit-%020" PRIu64 ".log", seq);
		(void)snprintf(path, sizeof path, "%s/%s", place, name);
		if (access(path, F_OK) == 0) {
			CHECK(chain.seq == seq - 1);
			CHECK(strspn(judge_file(&chain, name), "o") > 10);
			n++;
		}
	}
	CHECK(n == n_files());
	CHECK(strspn(judge_file(&chain, JOURNAL_NAME), "o") > 0 && chain.seq == journal.chain.seq);
	/* A new process, when the new file is not there yet. */
	journal_close(&journal);
	{
		char old[64], path[256], to[256];

		(void)snprintf(old, sizeof old, "audit-%020" PRIu64 ".log", journal.first_seq);
		(void)snprintf(path, sizeof path, "%s/" JOURNAL_NAME, place);
		(void)snprintf(to, sizeof to, "%s/%s", place, old);
		CHECK(rename(path, to) == 0);
	}
	open_journal(16384, 0);
	CHECK(journal.chain.seq == chain.seq && write_number(201) == 0);
	CHECK_STR(judge_file(&chain, JOURNAL_NAME), "oo");
	end_journal();
}

static void
test_removed(void)
{
	open_journal(16384, 2);
	for (uint32_t i = 1; i <= 400; i++)
		CHECK(write_number(i) == 0);
	CHECK(n_files() == 2 && count("\"verb\":\"remove\"") == 1 && count("\"removed\":") == 1);
	end_journal();
}

static void
test_moved(void)
{
	static const uint8_t zero[SHA256_SIZE];
	struct audit_chain chain;
	char from[256], to[256];

	(void)snprintf(from, sizeof from, "%s/" JOURNAL_NAME, place);
	(void)snprintf(to, sizeof to, "%s/moved", place);
	open_journal(1 << 20, 0);
	CHECK(write_number(1) == 0);
	journal_look(&journal);
	CHECK(journal.fd >= 0);
	CHECK(rename(from, to) == 0);
	journal_look(&journal);
	CHECK(write_number(2) == 0 && count("\"verb\":\"reopen\"") == 1);
	audit_chain_init_at(&chain, 0, zero);
	CHECK_STR(judge_file(&chain, "moved"), "oo");
	CHECK_STR(judge_file(&chain, JOURNAL_NAME), "oo");
	/* Another one in its place. */
	CHECK(rename(to, from) == 0);
	journal_look(&journal);
	CHECK(write_number(3) == 0);
	CHECK(strchr(judge(JOURNAL_NAME), 'M'));
	end_journal();
}

static void
test_foreign(void)
{
	const char *what;

	CHECK(chmod(place, 0770) == 0);
	journal = (struct journal){.dir = place, .max_size = 1 << 20};
	CHECK(journal_open(&journal, &what) == JOURNAL_E_FOREIGN);
	journal_close(&journal);
	CHECK(chmod(place, 0750) == 0);
	open_journal(1 << 20, 0);
	CHECK(write_number(1) == 0 && fchmod(journal.fd, 0666) == 0);
	journal_close(&journal);
	journal = (struct journal){.dir = place, .max_size = 1 << 20};
	CHECK(journal_open(&journal, &what) == JOURNAL_E_FOREIGN);
	CHECK_STR(what, JOURNAL_NAME);
	end_journal();
	journal = (struct journal){.dir = "/nonexistent/qemud", .max_size = 1 << 20};
	CHECK(journal_open(&journal, &what) == -ENOENT);
}

int
main(void)
{
	if (!mkdtemp(place))
		return EXIT_FAILURE;
	TEST("records are lines, and go on after a restart", test_written);
	TEST("a record whose answer was lost is written once", test_once);
	TEST("a line that was cut is told of, wherever it was cut", test_torn);
	TEST("a full disk loses nothing, and leaves one chain", test_full);
	TEST("a file that is full is renamed, and the chain goes on", test_rotated);
	TEST("the oldest of too many files goes, and the log says which", test_removed);
	TEST("a file that was moved away is followed by a new one", test_moved);
	TEST("a folder or file that others may write is refused", test_foreign);
	CHECK(rmdir(place) == 0);
	return TEST_END();
}
