/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml_memory.h: what libxml2 allocates.
 *
 * Runs in the worker. libxml2 2.9 does not survive every allocation that fails (xmlParseDocument()
 * follows a null pointer when its input cannot grow). So it never sees one fail: what the heap does
 * not give comes from a reserve. A worker whose reserve is used up too ends.
 */
#ifndef WORKER_DOMAIN_XML_MEMORY_H
#define WORKER_DOMAIN_XML_MEMORY_H

/** Before libxml2 allocates anything. Returns 0 or a negative errno. */
int xml_memory_set_up(void);

#endif
