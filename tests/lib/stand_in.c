/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stand_in.c: in the place of one of our programs: for whom STANDS_IN says it becomes a puppet
 * (puppet.py), for all others the program itself. Compiled by stand_in.py, run by the starter.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	static char python[] = PLACE "/python3", isolated[] = "-ISEsB",
		    script[] = PLACE "/puppet.py";
	char *words[] = {python, isolated, script, NULL};
	const char *first = argc > 1 ? argv[1] : "";

	(void)first;
	if (STANDS_IN)
		(void)execv(python, words);
	else
		(void)execv(PLACE "/" PROGRAM, argv);
	return EXIT_FAILURE;
}
