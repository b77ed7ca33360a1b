/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * audit_head.c: number and digest of the audit log's last line are told with the first line, with the
 * first of each file, and each minute whether anything happened or not; and of nothing that is not on
 * the disk.
 */
#include "broker/audit/head.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/hex.h"
#include "lib/take.h"
#include "tests/unit/test.h"

enum { MINUTE_S = 60, TOLD_MAX = 16, TEXT_MAX = 512 };

static char place[] = "/tmp/qemud-test-head-XXXXXX";
static struct loop loop;
static struct journal journal;
static struct head head;

/* What went to the system's log. */
static struct {
	char texts[TOLD_MAX][TEXT_MAX];
	unsigned n;
	bool elsewhere; /* something went to another address */
} told;
static bool disk_fails;

ssize_t __wrap_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
	socklen_t to_size);
int __wrap_fdatasync(int fd);

ssize_t
__wrap_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
	socklen_t to_size)
{
	const struct sockaddr_un *path = (const struct sockaddr_un *)(const void *)to;

	(void)flags;
	told.elsewhere = told.elsewhere || fd != head.sock || to_size != sizeof *path ||
			 strcmp(path->sun_path, "/dev/log") != 0;
	if (told.n < TOLD_MAX)
		(void)snprintf(
			told.texts[told.n++], TEXT_MAX, "%.*s", (int)size, (const char *)data);
	return (ssize_t)size;
}

int
__wrap_fdatasync(int fd)
{
	(void)fd;
	if (!disk_fails)
		return 0;
	errno = EIO;
	return -1;
}

static void
write_line(uint32_t n)
{
	struct ipc_audit_record record = {
		.time_us = 1000000 + n, .kind = AUDIT_VM_START, .count = 1, .vm = n, .uid = 2001};

	CHECK(journal_write(&journal, &record) == 0);
	head_wrote(&head);
}

/* Is the last that was told the last line? */
static void
check_told(unsigned n)
{
	char words[TEXT_MAX], hex[HEX_SIZE(SHA256_SIZE)];
	const char *last = told.n > 0 ? told.texts[told.n - 1] : "", *at;

	(void)snprintf(words, sizeof words, "qemud-audit: audit head seq=%" PRIu64 " hash=%s",
		journal.chain.seq, hex_format(journal.chain.head, SHA256_SIZE, hex));
	at = strstr(last, "qemud-audit: ");
	CHECK(told.n == n);
	CHECK_STR(at ? at : last, words);
	/* authpriv, notice */
	CHECK(strncmp(last, "<85>", 4) == 0 && !told.elsewhere);
}

/* The minute is over, and not before. */
static void
pass_minute(void)
{
	uint64_t due = head.timer.node.key;

	CHECK(timer_is_set(&head.timer));
	CHECK(due > loop_now(&loop) + LOOP_S(MINUTE_S - 10) &&
		due <= loop_now(&loop) + LOOP_S(MINUTE_S));
	timer_set(&loop, &head.timer, 0, head.timer.fn);
	CHECK(loop_once(&loop, 0) == 0);
}

static void
begin(uint64_t max_size)
{
	const char *what;

	told.n = 0;
	CHECK(loop_init(&loop) == 0);
	journal = (struct journal){.dir = place, .max_size = max_size};
	CHECK(journal_open(&journal, &what) == 0);
	CHECK(head_open(&head, &loop, &journal) == 0);
}

static void
end(void)
{
	head_close(&head);
	CHECK(!timer_is_set(&head.timer) && head.sock == -1);
	journal_close(&journal);
	loop_fini(&loop);
}

static void
test_first(void)
{
	begin(1 << 20);
	CHECK(loop_once(&loop, 0) == 0 && told.n == 0);
	write_line(1);
	check_told(1);
	write_line(2);
	CHECK(told.n == 1);
	pass_minute();
	check_told(2);
	end();
}

static void
test_silent(void)
{
	begin(1 << 20);
	write_line(3);
	check_told(1);
	for (unsigned minute = 2; minute < 6; minute++) {
		pass_minute();
		check_told(minute);
	}
	end();
	/* Nor need anything have happened in this process. */
	begin(1 << 20);
	CHECK(journal.chain.seq > 0);
	pass_minute();
	check_told(1);
	end();
}

static void
test_rotated(void)
{
	uint64_t first_seq;
	uint32_t n = 10;

	begin(16384);
	write_line(n);
	check_told(1);
	for (unsigned files = 2; files < 5; files++) {
		first_seq = journal.first_seq;
		while (journal.first_seq == first_seq && n < 1000) {
			CHECK(told.n == files - 1);
			write_line(++n);
		}
		check_told(files);
	}
	end();
}

static void
test_not_kept(void)
{
	begin(1 << 20);
	disk_fails = true;
	write_line(2000);
	CHECK(told.n == 0);
	pass_minute();
	CHECK(told.n == 0);
	disk_fails = false;
	write_line(2001);
	check_told(1);
	write_line(2002);
	disk_fails = true;
	pass_minute();
	CHECK(told.n == 1);
	disk_fails = false;
	pass_minute();
	check_told(2);
	end();
}

int
main(void)
{
	char command[128];

	if (!mkdtemp(place))
		return EXIT_FAILURE;
	TEST("the first line is told at once, what follows within a minute", test_first);
	TEST("each minute is told of, when nothing has happened, too", test_silent);
	TEST("the first line of each file is told at once", test_rotated);
	TEST("nothing is told that is not on the disk", test_not_kept);
	(void)snprintf(command, sizeof command, "rm -r %s", place);
	CHECK(system(command) == 0);
	return TEST_END();
}
