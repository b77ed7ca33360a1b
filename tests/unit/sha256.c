/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sha256.c: digests are those of FIPS 180-4 in pieces of any size; derived UUIDs are their own.
 */
#include "lib/sha256.h"

#include "lib/derived_uuid.h"

#include "tests/unit/test.h"

static const char *
hex(const uint8_t digest[static SHA256_SIZE])
{
	static char text[2 * SHA256_SIZE + 1];

	for (int i = 0; i < SHA256_SIZE; i++)
		(void)snprintf(text + (size_t)2 * (size_t)i, 3, "%02x", digest[i]);
	return text;
}

static const char *
digest_of(const void *data, size_t size, size_t piece)
{
	const uint8_t *p = data;
	uint8_t digest[SHA256_SIZE];
	struct sha256 sha;

	sha256_init(&sha);
	for (size_t n = 0; n < size; n += piece)
		sha256_add(&sha, p + n, piece < size - n ? piece : size - n);
	sha256_end(&sha, digest);
	return hex(digest);
}

/* The examples that NIST publishes with the standard: none, one, two and 15,625 blocks. */
static void
is_the_standards(void)
{
	static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	static uint8_t many[1000000];

	CHECK_STR(digest_of("", 0, 1),
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	CHECK_STR(digest_of("abc", 3, 3),
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	CHECK_STR(digest_of(two, sizeof two - 1, sizeof two),
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(many, 'a', sizeof many);
	CHECK_STR(digest_of(many, sizeof many, 977),
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void
pieces_do_not_matter(void)
{
	uint8_t data[200];

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t size = 0; size <= sizeof data; size++) {
		char whole[2 * SHA256_SIZE + 1];

		(void)snprintf(whole, sizeof whole, "%s", digest_of(data, size, sizeof data));
		for (size_t piece = 1; piece <= 65; piece += 4)
			CHECK_STR(digest_of(data, size, piece), whole);
	}
}

static const char *
derived(uint32_t uid, const uint8_t uuid[static UUID_SIZE])
{
	static char text[2][UUID_TEXT_SIZE];
	static int i;
	uint8_t ret[UUID_SIZE];

	derived_uuid(uid, uuid, ret);
	i = !i;
	return uuid_format(ret, text[i]);
}

/* The expected ones were computed with Python's hashlib. */
static void
is_derived(void)
{
	uint8_t uuid[UUID_SIZE], other[UUID_SIZE];

	for (int i = 0; i < UUID_SIZE; i++)
		uuid[i] = other[i] = (uint8_t)i;
	other[15]++;
	CHECK_STR(derived(1000, uuid), "6e697669-28eb-8fda-afbf-4c0dd93c46ee");
	CHECK_STR(derived(4000000000U, uuid), "20ba8bf3-b27e-84e8-9a48-b830d1c42a0d");
	CHECK_STR(derived(1000, other), "f737a0ef-c771-8fb9-a4c0-10bdb4d51970");
}

int
main(void)
{
	TEST("the standard's examples have its digests", is_the_standards);
	TEST("it does not matter in which pieces bytes come", pieces_do_not_matter);
	TEST("a derived UUID is of its owner and of the VM's own", is_derived);
	return TEST_END();
}
