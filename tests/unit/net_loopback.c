/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames that mean the host's own loopback are told apart from all others, whatever their size.
 */
#include "worker/net/loopback.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "tests/unit/test.h"

static const struct {
	int family;
	const char *from, *to;
	bool is_loopback;
} frames[] = {
	{AF_INET, "192.0.2.2", "192.0.2.1", false},
	{AF_INET, "0.0.0.0", "255.255.255.255", false}, /* DHCP */
	{AF_INET, "192.0.2.2", "126.255.255.255", false},
	{AF_INET, "192.0.2.2", "128.0.0.1", false},
	{AF_INET, "192.0.2.2", "127.0.0.1", true},
	{AF_INET, "192.0.2.2", "127.255.255.255", true},
	{AF_INET, "192.0.2.2", "0.0.0.0", true},
	{AF_INET, "127.0.0.1", "192.0.2.1", true},
	{AF_INET6, "2001:db8::1", "2001:db8::2", false},
	{AF_INET6, "::", "ff02::1:ff00:1", false}, /* Duplicate Address Detection */
	{AF_INET6, "fe80::1", "ff02::2", false},
	{AF_INET6, "2001:db8::1", "::1:0:0:0", false},
	{AF_INET6, "2001:db8::1", "::1", true},
	{AF_INET6, "2001:db8::1", "::", true},
	{AF_INET6, "2001:db8::1", "::127.0.0.1", true},
	{AF_INET6, "2001:db8::1", "::ffff:127.0.0.1", true},
	{AF_INET6, "2001:db8::1", "::ffff:0.0.0.0", true},
	{AF_INET6, "::1", "2001:db8::2", true},
};

static size_t
make(unsigned i, uint8_t frame[static 54])
{
	bool v4 = frames[i].family == AF_INET;

	memset(frame, 0xa5, 54);
	frame[12] = v4 ? 0x08 : 0x86;
	frame[13] = v4 ? 0x00 : 0xdd;
	CHECK(inet_pton(frames[i].family, frames[i].from, frame + (v4 ? 26 : 22)) == 1);
	CHECK(inet_pton(frames[i].family, frames[i].to, frame + (v4 ? 30 : 38)) == 1);
	return v4 ? 34 : 54;
}

static void
tells_apart(void)
{
	for (unsigned i = 0; i < sizeof frames / sizeof *frames; i++) {
		uint8_t frame[54];
		size_t size = make(i, frame);

		CHECK(loopback_is_in(frame, size) == frames[i].is_loopback);
		/* Another protocol has its bytes where it wants. */
		frame[13] ^= 1;
		CHECK(!loopback_is_in(frame, size));
	}
}

static void
reads_no_further(void)
{
	for (unsigned i = 0; i < sizeof frames / sizeof *frames; i++) {
		uint8_t frame[54];
		size_t size = make(i, frame);

		for (size_t n = 0; n < size; n++) {
			uint8_t *copy = malloc(n ? n : 1);

			CHECK(copy);
			memcpy(copy, frame, n);
			CHECK(!loopback_is_in(copy, n));
			free(copy);
		}
	}
}

int
main(void)
{
	TEST("addresses of the loopback are told apart from others", tells_apart);
	TEST("a frame that is cut short is none, and not read beyond its end", reads_no_further);
	return TEST_END();
}
