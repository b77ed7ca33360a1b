/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * config.h: qemud.conf, read once at the start.
 *
 * Runs in the broker, as root, before it is boxed. `key = value` (lib/keyval.h); an unknown key, a
 * bad value and a repeated key are errors, told with file and line.
 */
#ifndef BROKER_CONFIG_H
#define BROKER_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "lib/log.h"
#include "protocol/ipc/account.h"

/* So that RUNTIME_DIR/qemud-sock-ro fits into a socket's address, 108 bytes with its NUL. */
enum { CONFIG_PATH_MAX = 92, CONFIG_ERROR_MAX = 512, CONFIG_FILE_MAX = 64 * 1024 };

/* Which networks of VMs there are on this host. */
enum config_network { CONFIG_NETWORK_NONE = 1, CONFIG_NETWORK_USER };

/* Which machines use the host's KVM. */
enum config_kvm { CONFIG_KVM_NONE = 1, CONFIG_KVM_USER };

/* What becomes of machines where the kernel cannot hold them to what they were granted. */
enum config_limits { CONFIG_LIMITS_COUNT = 1, CONFIG_LIMITS_ENFORCE };

/* Whether there is an audit log; and if so, what becomes of starts while it cannot be kept. */
enum config_audit { CONFIG_AUDIT_OFF = 1, CONFIG_AUDIT_CONTINUE, CONFIG_AUDIT_REFUSE };

struct config {
	char runtime_dir[CONFIG_PATH_MAX];
	char state_dir[CONFIG_PATH_MAX];
	char log_dir[CONFIG_PATH_MAX];
	char cgroup[CONFIG_PATH_MAX]; /* "auto", "none" or an absolute path */
	char policy[CONFIG_PATH_MAX]; /* the folder of policy.conf and policy.d */
	char system_account[ACCOUNT_NAME_MAX];
	char view_account[ACCOUNT_NAME_MAX];
	char audit_account[ACCOUNT_NAME_MAX];
	uint32_t max_users;
	uint32_t max_connections;
	uint32_t max_vms;
	uint32_t max_views;
	uint32_t user_connections;
	uint32_t user_connections_per_second;
	uint32_t idle_seconds;
	uint32_t account_seconds; /* an answer about an account or a name is good for that long */
	uint32_t network;         /* enum config_network */
	uint32_t port_min;
	uint32_t limits;     /* enum config_limits */
	uint32_t kvm;        /* enum config_kvm */
	uint32_t audit;      /* enum config_audit: without qemud-audit */
	uint32_t audit_full; /* enum config_audit, never OFF: with a full disk */
	uint32_t audit_file_mib;
	uint32_t audit_files;
	uint32_t log_level; /* enum log_level */
};

enum config_error { CONFIG_E_BAD = 1 };

/** The built-in values. */
void config_default(struct config *ret);

/**
 * Change config by the text of a file; file is its name for the error. Returns 0, or CONFIG_E_BAD
 * with "FILE:LINE: what is wrong" in error.
 */
int config_read(struct config *config, const char *file, const char *text, size_t size,
	char error[static CONFIG_ERROR_MAX]);

/**
 * Built-in values changed by the file at path; NULL: by the default file, which may be missing.
 * Returns 0 or CONFIG_E_BAD with the error in words.
 */
int config_load(struct config *ret, const char *path, char error[static CONFIG_ERROR_MAX]);

#endif
