/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * head.c: the number and digest of the last line, told to the system's log; see head.h.
 *
 * A datagram to /dev/log as syslog(3) sends it (RFC 3164), without libc's, which opens files and
 * waits. The daemon may be restarted meanwhile: every datagram has its address.
 */
#include "broker/audit/head.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>

#include "lib/fd.h"
#include "lib/hex.h"
#include "lib/log.h"
#include "lib/take.h"
#include "lib/utc.h"

enum { TEXT_MAX = 256 };

static void
due(struct timer *timer)
{
	struct head *head = container_of(timer, struct head, timer);

	head_tell(head);
	timer_set(head->loop, timer, loop_now(head->loop) + LOOP_S(HEAD_S), due);
}

int
head_open(struct head *head, struct loop *loop, struct journal *journal)
{
	*head = (struct head){.journal = journal, .loop = loop};
	head->sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (head->sock < 0)
		return -errno;
	timer_set(loop, &head->timer, loop_now(loop) + LOOP_S(HEAD_S), due);
	return 0;
}

void
head_close(struct head *head)
{
	timer_stop(&head->timer);
	fd_close(&head->sock);
}

static int
send_text(const struct head *head, const char *text)
{
	static const char months[12][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	char packet[TEXT_MAX + 64];
	struct timespec now;
	struct utc utc;
	int n;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	/* In universal time: who receives it has a clock of its own, and takes that. */
	utc = utc_of((uint64_t)now.tv_sec);
	n = snprintf(packet, sizeof packet, "<%d>%s %2u %02u:%02u:%02u qemud-audit: %s",
		LOG_AUTHPRIV | LOG_NOTICE, months[utc.month - 1], utc.day, utc.hour, utc.minute,
		utc.second, text);
	return sendto(head->sock, packet, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&to,
		       sizeof to) < 0
		       ? -errno
		       : 0;
}

void
head_wrote(struct head *head)
{
	if (!head->begun || head->first_seq != head->journal->first_seq)
		head_tell(head);
}

void
head_tell(struct head *head)
{
	const struct audit_chain *chain = &head->journal->chain;
	char hex[HEX_SIZE(SHA256_SIZE)], text[TEXT_MAX];

	if (journal_keep(head->journal) < 0)
		return;
	head->begun = true;
	head->first_seq = head->journal->first_seq;
	(void)snprintf(text, sizeof text, HEAD_WORDS "%" PRIu64 " hash=%s", chain->seq,
		hex_format(chain->head, SHA256_SIZE, hex));
	if (send_text(head, text) < 0)
		log_info("%s", text);
}
