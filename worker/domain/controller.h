/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * controller.h: controllers: the buses that devices are plugged into.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_CONTROLLER_H
#define WORKER_DOMAIN_CONTROLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/domain/kind.h"

enum {
	DOMAIN_CONTROLLERS_MAX = 256,
	DOMAIN_VIRTIO_SERIAL_PORTS = 31 /* of a controller that does not say how many */
};

enum domain_controller_type {
	DOMAIN_CONTROLLER_USB = 1,
	DOMAIN_CONTROLLER_IDE,
	DOMAIN_CONTROLLER_SATA,
	DOMAIN_CONTROLLER_PCI,
	DOMAIN_CONTROLLER_SCSI,
	DOMAIN_CONTROLLER_FDC,
	DOMAIN_CONTROLLER_VIRTIO_SERIAL,
};
enum domain_controller_model {
	DOMAIN_MODEL_NONE = 1, /* of USB: there is none */
	DOMAIN_MODEL_PIIX3_UHCI,
	DOMAIN_MODEL_PIIX4_UHCI,
	DOMAIN_MODEL_EHCI,
	DOMAIN_MODEL_ICH9_EHCI1,
	DOMAIN_MODEL_ICH9_UHCI1, /* these three are companions of the one above */
	DOMAIN_MODEL_ICH9_UHCI2,
	DOMAIN_MODEL_ICH9_UHCI3,
	DOMAIN_MODEL_PCI_OHCI,
	DOMAIN_MODEL_NEC_XHCI,
	DOMAIN_MODEL_QEMU_XHCI,
	DOMAIN_MODEL_PCI_ROOT,
	DOMAIN_MODEL_PCIE_ROOT,
	DOMAIN_MODEL_PCIE_ROOT_PORT,
	DOMAIN_MODEL_PCIE_TO_PCI_BRIDGE,
	DOMAIN_MODEL_LSILOGIC,
	DOMAIN_MODEL_LSISAS1068,
	DOMAIN_MODEL_LSISAS1078,
	DOMAIN_MODEL_VMPVSCSI,
	DOMAIN_MODEL_VIRTIO_SCSI,
	DOMAIN_MODEL_VIRTIO,
	DOMAIN_MODEL_VIRTIO_TRANSITIONAL,
	DOMAIN_MODEL_VIRTIO_NON_TRANSITIONAL,
};

struct domain_controller {
	struct domain_device device;
	enum domain_controller_type type;
	enum domain_controller_model model; /* 0: of no kind that has models, or not said */
	uint8_t index;
	bool added;            /* for what needs it; not in the definition */
	int16_t chassis, port; /* root ports only */
	uint8_t usb_ports;     /* xHCI only; 0: as many as QEMU makes */
	bool is_companion;     /* USB: serves ports of the master of its index, */
	uint8_t start_port;    /* from this one */
	uint32_t queues, cmd_per_lun, max_sectors; /* virtio-scsi only; 0: not said */
	enum domain_switch ioeventfd;              /* virtio-scsi only */
	uint32_t iothread;                         /* virtio-scsi only; 0: none */
	int16_t ports, vectors;                    /* virtio-serial only; -1: not said */
};

/*
 * <controller>: put into the list beside the others of its type, by its index; those that the
 * machine has by itself are there also when the definition does not name them.
 */
extern const struct domain_kind domain_controller_kind;

/** Is it plugged into a slot? Not: what the board has, and what makes a bus. */
bool domain_controller_is_plugged(
	const struct domain_def *def, const struct domain_controller *controller);

/** Add a root port or a bridge, whose place is left to domain_pci_assign(). As domain_kind_insert(). */
int domain_controller_add_bus(struct domain_def *def, enum domain_controller_model model,
	uint8_t index, struct rpc_error *error);

/** Add a virtio-serial controller if there is none with that index. As domain_kind_insert(). */
int domain_controller_add_virtio_serial(
	struct domain_def *def, uint8_t index, struct rpc_error *error);

/** The PCI controller with that index, or NULL. */
struct domain_controller *domain_controller_find_pci(struct domain_def *def, unsigned index);

/** The controller of that type and index, or NULL. */
const struct domain_controller *domain_controller_find(
	const struct domain_def *def, enum domain_controller_type type, unsigned index);
/** The model of the SCSI controller with that index; one that is not there has the default. */
enum domain_controller_model domain_controller_scsi_model(
	const struct domain_def *def, unsigned index);

#endif
