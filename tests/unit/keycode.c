/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A key has the number in QEMU that libvirt gives it, from each way to number keys; what a set does
 * not have is refused.
 */
#include "worker/qemu/keycode.h"

#include <stdbool.h>

#include "tests/unit/test.h"

/* The same key (A, Enter, right Ctrl) in each set; -1: the set does not have it. */
static const struct {
	enum keycode_set set;
	int a, enter, right_ctrl;
	const char *name;
} sets[] = {
	{KEYCODE_LINUX, 30, 28, 97, "linux"},
	{KEYCODE_XT, 30, 28, 0xe01d, "xt"},
	{KEYCODE_ATSET1, 30, 28, 0xe01d, "atset1"},
	{KEYCODE_ATSET2, 28, 90, 0xe014, "atset2"},
	{KEYCODE_ATSET3, 28, 90, 88, "atset3"},
	{KEYCODE_OS_X, 0, 36, 62, "os_x"},
	{KEYCODE_XT_KBD, 30, 28, -1, "xt_kbd"},
	{KEYCODE_USB, 4, 40, 228, "usb"},
	{KEYCODE_WIN32, 0x41, 0x0d, 0xa3, "win32"},
	{KEYCODE_QNUM, 30, 28, 157, "qnum"},
};

static void
same_key(void)
{
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		CHECK_STR(keycode_set_name(sets[i].set), sets[i].name);
		CHECK(keycode_to_qnum(sets[i].set, (uint32_t)sets[i].a) == 30);
		CHECK(keycode_to_qnum(sets[i].set, (uint32_t)sets[i].enter) == 28);
		if (sets[i].right_ctrl >= 0 &&
			keycode_to_qnum(sets[i].set, (uint32_t)sets[i].right_ctrl) != 157) {
			printf("# %s\n", sets[i].name);
			CHECK(false);
		}
	}
}

static void
none(void)
{
	for (unsigned set = 0; set < KEYCODE_SETS; set++) {
		CHECK(keycode_to_qnum((enum keycode_set)set, 0x10000) == -1);
		CHECK(keycode_to_qnum((enum keycode_set)set, UINT32_MAX) == -1);
	}
	/* There is such a key, and no keyboard of QEMU's has it. */
	CHECK(keycode_to_qnum(KEYCODE_LINUX, 0x160) == 0);
	CHECK(keycode_to_qnum(KEYCODE_LINUX, 600) == -1);
	CHECK(keycode_to_qnum(KEYCODE_QNUM, 0xffff) == 0xffff);
}

int
main(void)
{
	TEST("a key is the same one in each set", same_key);
	TEST("what is no key is none", none);
	return TEST_END();
}
