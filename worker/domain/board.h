/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * board.h: which controllers there can be on which board.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_BOARD_H
#define WORKER_DOMAIN_BOARD_H

#include <stdint.h>

#include "worker/domain/controller.h"
#include "worker/domain/os.h"
#include "worker/domain/xml.h"

struct domain_board_controller {
	enum domain_chipset chipset; /* 0: any */
	enum domain_controller_type type;
	enum domain_controller_model model; /* 0: of a type that has none, or not said */
	uint8_t first, last;                /* its indexes */
	enum {
		DOMAIN_BOARD_BY_ITSELF = 1,   /* the machine has it, whoever mentions it */
		DOMAIN_BOARD_DEFAULT = 2,     /* what one of the type is that says no model */
		DOMAIN_BOARD_PLUGGED = 4,     /* into a slot */
		DOMAIN_BOARD_CONVENTIONAL = 8 /* PCI, and not PCI Express */
	} is;
	uint8_t slot, function; /* where it is part of the board; 0: nowhere */
	const char *called;     /* in errors; where there is a slot */
};

/** The words of a <controller>'s type and model. */
extern const struct xml_word domain_controller_types[], domain_controller_models[];

/** A controller on the definition's board; model 0 finds the type's default. NULL: there is none. */
const struct domain_board_controller *domain_board_find(
	const struct domain_def *def, unsigned type, unsigned model, uint32_t index);
/** The next after at (NULL: the first) of those that the board has by itself; NULL at the end. */
const struct domain_board_controller *domain_board_next(
	const struct domain_def *def, const struct domain_board_controller *at);

#endif
