/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replay.c: feeds files to a fuzz target, so that its corpus runs in the tests with any compiler.
 *
 * A test program, never installed. Arguments are files; the exit status is 0 when all ran.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/fd.h"
#include "lib/take.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		fd_auto int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
		free_auto char *data = NULL;
		size_t size = 0;
		int r = fd < 0 ? -1 : fd_read_all(fd, 1 << 26, &data, &size);

		if (r < 0) {
			(void)fprintf(stderr, "%s: cannot be read\n", argv[i]);
			return 1;
		}
		(void)LLVMFuzzerTestOneInput((const uint8_t *)data, size);
	}
	return 0;
}
