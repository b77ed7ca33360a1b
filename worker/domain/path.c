/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * path.c: checks paths.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/path.h"

#include <limits.h>
#include <string.h>

int
domain_path_check(struct domain_parse *p, const char *element, const char *path)
{
	const char *wrong = NULL;

	if (*path != '/')
		wrong = "is not absolute";
	else if (strlen(path) >= PATH_MAX)
		wrong = "is too long";
	for (const char *c = path; *c && !wrong; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			wrong = "holds a control character";
	if (wrong)
		return refuse_unsupported(
			p, "path '%.200s' of element <%s> %s", path, element, wrong);
	return 0;
}

int
domain_path_parse(struct domain_parse *p, xmlNode *node, const char *element, char **ret_path)
{
	int r = xml_child_text(node, element, ret_path);

	if (r == 0 && *ret_path)
		r = domain_path_check(p, element, *ret_path);
	return r;
}
