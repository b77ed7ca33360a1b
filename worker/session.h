/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.h: `qemud-worker --session`: a worker for one user, where there is no broker.
 *
 * Runs as the user, before anything of anybody has been read and before the filter, which has no
 * exec: the one exec that this program knows makes it qemud-session, which starts the worker.
 */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

/**
 * If argv says so, become qemud-session, from this program's own folder, or tell how this program is
 * called; ends the process if that cannot be. Returns when argv says something else.
 */
void session_become(int argc, char **argv);

#endif
