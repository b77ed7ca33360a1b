/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descriptors.h: how many descriptors this process has open, for tests that nothing leaks.
 */
#ifndef TESTS_UNIT_DESCRIPTORS_H
#define TESTS_UNIT_DESCRIPTORS_H

#include <dirent.h>
#include <stdlib.h>

static inline unsigned
n_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	if (!dir)
		abort();
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

#endif
