/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descriptors.h: the descriptors that a client has sent and nobody has taken yet.
 *
 * Runs in worker and view. After a packet of type 4 come as many bytes as it announces descriptors, and
 * one descriptor with each (libvirt 9.0.0, virnetsocket.c, virNetSocketSendFD). The kernel may hand
 * over such a byte together with the packet before it, so every receive has room for control data,
 * and what came is kept with the place in the stream where it came. A descriptor that no packet
 * announced is closed.
 */
#ifndef SERVE_DESCRIPTORS_H
#define SERVE_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct descriptors;

/* As many wait at most, over all connections; the process's own needs are counted beside them. */
enum { DESCRIPTORS_MAX = 512 };

/**
 * Receive at most size bytes, without waiting, and the descriptor that came with one of them (-1:
 * none). Returns their number, 0 at the end of the stream, or a negative errno; -EPROTO when more
 * than one descriptor, or other control data, came at once, or one could not be received.
 */
ssize_t descriptors_recv(int sock, uint8_t *data, size_t size, int *ret_fd);

/**
 * Keep fd, which came with one of the bytes first to last of the stream, and is owned from here
 * on, also on failure. *queue is NULL when empty. Returns 0, or a negative errno: -EPROTO beyond
 * RPC_FDS_MAX, or when DESCRIPTORS_MAX wait.
 */
int descriptors_put(struct descriptors **queue, uint64_t first, uint64_t last, int fd);
/** Take the descriptor that came with this byte; -1 when none did. */
int descriptors_take(struct descriptors **queue, uint64_t at);
/** Close those that came before this byte; UINT64_MAX: all. */
void descriptors_drop(struct descriptors **queue, uint64_t before);

#endif
