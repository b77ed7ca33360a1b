/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * departing.h: the descriptors that go to a client with its replies.
 *
 * Runs in worker and view. After a packet of type 5 come as many bytes 0 as it announces descriptors, and
 * one descriptor with each (libvirt 9.0.0, virnetsocket.c, virNetSocketSendFD). Places are counted
 * in bytes of the stream from its beginning.
 */
#ifndef SERVE_DEPARTING_H
#define SERVE_DEPARTING_H

#include <stddef.h>
#include <stdint.h>

enum { DEPARTING_MAX = 8 /* of one connection, that it has not read */ };

/** Zeroed is empty. */
struct departing {
	unsigned n;
	struct {
		uint64_t at; /* of the byte with which it goes */
		int fd;      /* owned */
	} queue[DEPARTING_MAX];
};

/**
 * Let fd (taken over, also on failure) go with the byte at that place, behind all before. Returns 0,
 * or -ENOBUFS when DEPARTING_MAX wait.
 */
int departing_put(struct departing *departing, uint64_t at, int fd);
/**
 * What is to be sent next of `left` bytes that begin at this place: their number, and with the first
 * of them *ret_fd (-1: none), still owned here.
 */
size_t departing_next(const struct departing *departing, uint64_t at, size_t left, int *ret_fd);
/** Close those that go with the byte at that place, or behind it. */
void departing_cut(struct departing *departing, uint64_t at);
/** The first has gone. */
void departing_gone(struct departing *departing);
void departing_fini(struct departing *departing);

#endif
