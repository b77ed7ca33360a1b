/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ipc.h: the messages between our own programs; this header is their specification.
 *
 * Pure: layout, table and checks, no I/O. Used by every program, root's included.
 *
 * A link is one SOCK_SEQPACKET pair between two programs. One message is one packet: a 16-byte
 * header, a body of exactly the size that the table gives, and exactly the descriptors that it
 * gives. Host byte order; both ends are from the same build. Asks are even, their answers are the
 * number after; numbers are never reused. An answer repeats the serial of its ask; when it
 * carries an error (-4095 <= err < 0) it has the same body size, all zero, and no descriptor.
 *
 * Strings are NUL-terminated inside their array and zero behind the NUL; reserved bytes are zero.
 * Whatever breaks a rule is a violation: by a child, the broker kills it through its pidfd; by
 * the broker, the child exits. ipc_check() is the one place where that is decided.
 */
#ifndef PROTOCOL_IPC_IPC_H
#define PROTOCOL_IPC_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Changed with every change of this file; a mismatch ends the link. */
enum { IPC_VERSION = 1 };

enum { IPC_MESSAGE_MAX = 512, IPC_FDS_MAX = 2 };

/* Which pair of programs a link joins, seen from the broker. */
enum ipc_link {
	IPC_LINK_STARTER = 1, /* broker and qemud-launch */
	IPC_LINK_CHILD = 2,   /* broker and a worker, the refuser or a view */
	IPC_LINK_AUDIT = 3    /* broker and qemud-audit */
};

enum ipc_side { IPC_SIDE_BROKER = 1, IPC_SIDE_PEER = 2 };

/*
 * The life of a link; both ends advance it by the messages that they send and receive, see
 * ipc_state_after(). Links to the starter and to qemud-audit serve from the first. Whatever a child may have on its
 * way when a STOP crosses it is allowed while leaving, so that no race is a violation.
 */
enum ipc_state {
	IPC_STATE_NEW = 1,     /* until the peer's HELLO */
	IPC_STATE_SERVING = 2, /* from HELLO on */
	IPC_STATE_LEAVING = 4  /* after STOP, or a granted IDLE_ASK: no new connection is passed */
};

struct ipc_header {
	uint16_t version; /* IPC_VERSION */
	uint16_t type;    /* enum ipc_type */
	uint16_t size;    /* of the body */
	uint16_t n_fds;
	uint32_t serial; /* asks: chosen by the asker, never 0; answers: the ask's; others: 0 */
	int32_t err;     /* answers: 0 or a negative errno; asks and notices: 0 */
};

enum ipc_type {
	/* child -> broker: first message, once. */
	IPC_HELLO = 2,
	/* broker -> child, 1 descriptor: a client's socket, already accepted. */
	IPC_CONN_PASS = 4,
	/*
	 * child -> broker: it is yours no more; until then the broker keeps a copy of the socket.
	 * With an error: the child cannot serve it.
	 */
	IPC_CONN_TAKEN = 5,
	/* child -> broker: that client has gone. */
	IPC_CONN_GONE = 6,
	/* child -> broker: I have nothing to do; may I end? */
	IPC_IDLE_ASK = 8,
	IPC_IDLE_ANSWER = 9,
	/* broker -> child: no new calls, five seconds for running jobs, then exit. */
	IPC_STOP = 10,
	/* child -> broker, a worker's alone: a box for one of QEMU's tools. */
	IPC_TOOL = 12,
	/*
	 * broker -> child, 1 descriptor: the socket of a new seed (worker/box/plan.h says what goes
	 * over it). The seed ends with the worker, and in its time. -EDQUOT: the user has as many
	 * as she may have; -EAGAIN: not now; -ESHUTDOWN: the worker is leaving; else the starter's.
	 */
	IPC_TOOL_READY = 13,
	/* child -> broker, a worker's alone: may this VM run, with that much of the host? */
	IPC_LEASE = 14,
	/*
	 * broker -> child, 1 descriptor: it may, under this id, in this seed (see TOOL_READY), which
	 * does not end with the worker. -EEXIST: it has a lease, which is not over; -EDQUOT: a limit is
	 * against it, and LEASE_REFUSED has said which; -EAGAIN: not now; -ESHUTDOWN: the worker is
	 * leaving; else the starter's.
	 */
	IPC_LEASED = 15,
	/* broker -> child: nothing of that VM runs any more, and why, as far as the kernel knows. */
	IPC_LEASE_GONE = 16,
	/*
	 * child -> broker: end everything of that VM, at once; LEASE_GONE follows. A lease that it
	 * does not have is none any more: no error.
	 */
	IPC_LEASE_STOP = 18,
	/* child -> broker: which of the user's leases comes after that id? 0: the first. */
	IPC_LEASE_NEXT = 20,
	IPC_LEASE_FOUND = 21, /* the ids rise; -ENOENT: there is no other */
	/* child -> broker, a worker's alone: a process for the network of one of its VMs. */
	IPC_NET = 22,
	/*
	 * broker -> child, 1 descriptor: the socket of that process, which runs in the VM's leaf, and
	 * ends with the VM and not with the worker. Of a relay it is the first connection of its
	 * control (worker/net/control.h), of a passt a seed's (worker/box/plan.h). -EACCES: there are
	 * none on this host (network in qemud.conf); -EPERM: policy gives the user none, and
	 * LEASE_REFUSED has said by which line; -ENOENT: no such VM of that user's runs; -EDQUOT:
	 * the VM has as many as it may have; -EAGAIN: not now; -ESHUTDOWN: the worker is leaving;
	 * -EOPNOTSUPP: passt could not have the namespaces here that it works in; else the
	 * starter's.
	 */
	IPC_NET_READY = 23,
	/*
	 * child -> broker, a worker's alone: are there VMs that start with the host? Said when it
	 * has opened what its user has (and those, if any, are being started) or could not, and
	 * again when the answer is another: never twice the same.
	 */
	IPC_AUTOSTART = 24,
	/*
	 * broker -> child: from now on that connection may do this, over the VMs of the child's user.
	 * Whatever its client asks for later is judged by it; streams that need what is lost end.
	 * Verbs 0: its client is told why, and it is closed.
	 */
	IPC_TICKET_CHANGE = 26,
	/* child -> broker: it is so. In the order of the asks, at once. -ENOENT: it has gone. */
	IPC_TICKET_CHANGED = 27,
	/*
	 * child -> broker, a worker's alone: one of its VMs, which runs, is to have as much as that. It
	 * may ask for less when QEMU has given the rest back.
	 */
	IPC_LEASE_CHANGE = 28,
	/*
	 * broker -> child: it has. -ENOENT: no such VM of that user's runs; -EDQUOT as above; -EBUSY:
	 * it uses more than that, or is being changed; else the starter's. With an error it has what
	 * it had.
	 */
	IPC_LEASE_CHANGED = 29,
	/*
	 * broker -> child: why the answer that follows is -EDQUOT, or -EPERM to NET, in words for the
	 * client.
	 */
	IPC_LEASE_REFUSED = 30,

	/* broker -> starter, 1 descriptor (the account, see account.h): start that user's worker.
	 */
	IPC_WORKER = 32,
	/* starter -> broker, 2 descriptors: the broker's end of the new child's link, its pidfd. */
	IPC_WORKER_STARTED = 33,
	/* broker -> starter: start qemud-view, as the refuser or as somebody's view of the host. */
	IPC_VIEW = 34,
	IPC_VIEW_STARTED = 35,
	/* broker -> starter: who is that? An account by uid or by name, or a group by name. */
	IPC_RESOLVE = 36,
	/*
	 * starter -> broker, 1 descriptor: a sealed memfd, see account.h and group.h. -ENOENT: there
	 * is no such account or group.
	 */
	IPC_RESOLVED = 37,
	/* broker -> starter, 1 descriptor (the account): the outer half of a box, qemud-box in it.
	 */
	IPC_BOX = 38,
	/* starter -> broker, 2 descriptors: the other end of the seed's socket, its pidfd. */
	IPC_BOXED = 39,
	/* broker -> starter: a VM's leaf that was populated when the starter started; each once. */
	IPC_LEAF_NEXT = 40,
	/*
	 * starter -> broker, 1 descriptor: a pidfd of its process; or, with pid 0 where nobody can
	 * tell which that is, a pipe that ends when the leaf is empty. -ENOENT: there is no other.
	 */
	IPC_LEAF_FOUND = 41,
	/* broker -> starter: kill whatever is in that VM's leaf, and remove it. */
	IPC_LEAF_END = 42,
	/* starter -> broker: it is gone, or never was. -EBUSY: not within a second. */
	IPC_LEAF_ENDED = 43,

	/*
	 * child -> broker, a worker's alone, which has had INVENTORY_PLACE: the inventory is another;
	 * it stands at the front of that place. One at a time. The broker reads it, and does not
	 * understand it, some time before it answers.
	 */
	IPC_INVENTORY = 44,
	/* broker -> child: it is kept, or (with an error) is not: the one before it stays. */
	IPC_INVENTORY_KEPT = 45,
	/*
	 * broker -> child, a view's alone: since your last INVENTORY_NEXT there is something newer. Not
	 * before the first of these, and once for each.
	 */
	IPC_INVENTORY_CHANGED = 46,
	/*
	 * child -> broker, a view's alone: which owner that your principal may see, or could until
	 * now, is the first to have changed after that generation? 0: the first of all.
	 */
	IPC_INVENTORY_NEXT = 48,
	/*
	 * broker -> child, 1 descriptor: a sealed memfd with the inventory, of at most INVENTORY_MAX
	 * bytes of the owner's making, and behind it what the broker knows: a struct ipc_running for
	 * each of her VMs that runs. What is not among them does not run, whatever her worker said
	 * last. -ENOENT: nothing is newer; -EAGAIN: it asks more than its share, and may ask again
	 * soon.
	 */
	IPC_INVENTORY_FOUND = 49,
	/*
	 * child -> broker, a view's alone: for this connection, which it serves, a way to the worker of
	 * an owner that it was told of by INVENTORY_FOUND, with verbs. Another connection, one that it
	 * said is gone, or another owner is a violation, as in VM_STOP and VM_FREEZE: what it was told once
	 * counts, though the verbs were lost since (-EACCES), so no race leads there.
	 */
	IPC_CHANNEL = 50,
	/*
	 * broker -> child, 1 descriptor: a stream socket, whose other end goes to that worker, started
	 * for it if need be, as a connection of the view's principal (CONN_PASS with
	 * IPC_ORIGIN_VIEW); or to the refuser, who says on it why there is none. It ends with the
	 * connection that it is for. -EACCES: the verbs were lost meanwhile; -EDQUOT: its
	 * principal has as many as there may be; -EAGAIN: she has had that many in this second;
	 * -ENFILE: the host has no room now.
	 */
	IPC_CHANNEL_OPEN = 51,
	/*
	 * child -> broker, a view's alone: for this connection, end that VM of an owner over whom it was
	 * told to have `power`, or have it stand still or go on, without her worker, which may not answer.
	 */
	IPC_VM_STOP = 52,
	/*
	 * broker -> child: it is being ended; INVENTORY_FOUND has it as such until it is over. -ENOENT: no
	 * such VM of hers runs; -EACCES: `power` was lost meanwhile.
	 */
	IPC_VM_STOPPED = 53,
	IPC_VM_FREEZE = 54,
	/*
	 * broker -> child: it is so. As above; -EBUSY: the last such ask is not answered yet;
	 * -EOPNOTSUPP: the host has no control groups; -ESRCH: it has ended meanwhile.
	 */
	IPC_VM_FROZEN = 55,

	/* broker -> qemud-audit: this has happened (audit.h). */
	IPC_AUDIT_RECORD = 56,
	/* qemud-audit -> broker: it is in the log. With an error: it is not, as with a full disk. */
	IPC_AUDIT_KEPT = 57,
	/* broker -> starter: start qemud-audit. */
	IPC_AUDIT = 58,
	IPC_AUDIT_STARTED = 59,

	/* broker -> starter: that is what the VM is granted from now on. */
	IPC_LEAF_LIMIT = 64,
	/* starter -> broker: it is written down, and holds. -ENOENT: there is no such leaf. */
	IPC_LEAF_LIMITED = 65,
	/* broker -> starter: nothing in that VM's leaf gets the processor any more, or it does again. */
	IPC_LEAF_FREEZE = 66,
	/* starter -> broker: so it is asked for. -ENOENT: there is no such leaf. */
	IPC_LEAF_FROZEN = 67,
	/* broker -> starter: that is the share of all that runs for that user from now on. */
	IPC_USER_LIMIT = 68,
	/* starter -> broker: it is, as far as there are controllers. */
	IPC_USER_LIMITED = 69,

	/*
	 * child -> broker, a view's alone that is for qemudctl (socket IPC_SOCKET_CTL), as the next three
	 * asks: how is the host?
	 */
	IPC_STATUS = 70,
	IPC_STATUS_TOLD = 71,
	/*
	 * The same of one user: the view's principal herself, or an owner that it was told of by
	 * INVENTORY_FOUND. Her worker, if it serves, is sent a PING: whether it reads that shows in the
	 * next answer.
	 */
	IPC_STATUS_USER = 72,
	IPC_STATUS_USER_TOLD = 73, /* -EACCES: she is shown no more; so the next two */
	/* One of her limits; or of the host's, for who sees all of it. */
	IPC_STATUS_LIMIT = 74,
	IPC_STATUS_LIMIT_TOLD = 75,
	/* Which of her leases comes after that id? 0: the first. */
	IPC_STATUS_VM = 76,
	IPC_STATUS_VM_TOLD = 77, /* -ENOENT: there is no other */
	/* broker -> child, a worker's: nothing is to be done but to read it. */
	IPC_PING = 78,

	/*
	 * broker -> worker, 1 descriptor, once, when it has said HELLO: a memfd of INVENTORY_MAX bytes
	 * (inventory.h) that neither grows nor shrinks, for the worker to write its user's inventory
	 * into. So no descriptor goes from a worker to root. Without it nobody wants an inventory.
	 */
	IPC_INVENTORY_PLACE = 90
};

enum ipc_socket {
	IPC_SOCKET_RW = 1,
	IPC_SOCKET_RO = 2,
	IPC_SOCKET_CTL = 3 /* qemudctl's, who speaks protocol/ctl/talk.h there, and looks only */
};
enum ipc_origin {
	IPC_ORIGIN_UNIX = 1,
	IPC_ORIGIN_VIEW /* a channel: what is said on it comes through a view */
};

/* Why a connection is refused; IPC_REFUSAL_NONE on connections that are served. */
enum ipc_refusal {
	IPC_REFUSAL_NONE = 0,
	IPC_REFUSAL_NOBODY,      /* the uid belongs to no account that may use this host */
	IPC_REFUSAL_POLICY,      /* policy gives this account nothing */
	IPC_REFUSAL_CONNECTIONS, /* the account has as many connections as it may have */
	IPC_REFUSAL_RATE,        /* the account connects more often than it may */
	IPC_REFUSAL_HOST,        /* the host has no room for one more connection */
	IPC_REFUSAL_WORKER       /* the account's worker cannot be started */
};

/* What a name (or a uid) is of. */
enum ipc_resolve_kind { IPC_RESOLVE_ACCOUNT = 1, IPC_RESOLVE_GROUP };

/* What a box of a tool is for. */
enum ipc_tool_kind {
	IPC_TOOL_PROBE = 1 /* what can this QEMU do? */
};

/* What a process for the network of a VM is. */
enum ipc_net_kind {
	IPC_NET_RELAY = 1, /* qemud-net, between QEMU and all others; one a VM */
	IPC_NET_PASST      /* a box that becomes passt; one a network interface */
};

/* Has a user VMs that start with the host? */
enum ipc_autostart_state {
	IPC_AUTOSTART_NONE = 1,
	IPC_AUTOSTART_SOME,
	IPC_AUTOSTART_UNKNOWN /* the user's home cannot be read, now */
};

enum ipc_box_kind {
	IPC_BOX_TOOL = 1, /* ends with the starter */
	IPC_BOX_VM,       /* ends with the starter only where no ledger would find it again */
	/* Those of enum ipc_net_kind, in the leaf of a VM that runs; ends as that does. */
	IPC_BOX_RELAY, /* no qemud-box: the program itself */
	IPC_BOX_PASST  /* in the host's network */
};

enum { IPC_UUID_SIZE = 16 };

enum {
	IPC_LABEL_MAX = 64,
	IPC_REASON_MAX = 240,
	IPC_NAME_MAX = 64,
	IPC_PATH_MAX = 96,
	IPC_RULE_MAX = 96
};

struct ipc_hello {
	uint32_t pid; /* as the child sees itself, for logs */
	uint32_t zero;
};

struct ipc_conn_pass {
	uint64_t conn_id; /* never 0, never used twice while the broker lives */
	uint32_t uid,
		gid;  /* SO_PEERCRED at accept; of a channel: of the connection that it is for */
	uint32_t pid; /* the same; for logs only */
	/*
	 * protocol/verb.h. For a worker: over its user's VMs; for a view: all that there are over
	 * anybody's, see INVENTORY_FOUND. 0 when refused.
	 */
	uint32_t verbs;
	uint8_t socket;  /* enum ipc_socket */
	uint8_t origin;  /* enum ipc_origin */
	uint8_t refusal; /* enum ipc_refusal */
	uint8_t zero[5];
	char label[IPC_LABEL_MAX]; /* the principal for people: account name or "uid N" */
	/*
	 * Of a channel to VMs that are not the principal's own: in front of their names, with a colon.
	 * "system" for those of the system account, else the owner's name. Empty: as they are.
	 */
	char owner[IPC_LABEL_MAX];
	/*
	 * Refused, or not all verbs because of policy: what, by which line, who can change it. Else
	 * empty.
	 */
	char reason[IPC_REASON_MAX];
};

struct ipc_conn_taken {
	uint64_t conn_id;
};

struct ipc_conn_gone {
	uint64_t conn_id;
};

struct ipc_idle_answer {
	uint8_t granted; /* 0: something is on its way to you; 1: end now */
	uint8_t zero[7];
};

struct ipc_tool {
	uint32_t kind; /* enum ipc_tool_kind */
	uint32_t zero;
};

/* Ids of VMs are positive and fit an int32_t, as libvirt's protocol has them. */
struct ipc_lease {
	uint8_t uuid[IPC_UUID_SIZE];
	uint64_t memory_kib;
	uint32_t vcpus;
	uint32_t code_mib; /* of translated code, that a QEMU without KVM keeps at most; else 0 */
};

/* Of all that runs for a user; 0: it stays as it is, as with the box of a tool. */
struct ipc_share {
	uint32_t tasks;      /* processes and threads; INT32_MAX: without a limit */
	uint32_t cpu_weight; /* 1 to 10000: cgroup v2's cpu.weight */
};

/* What a VM may take of the host. */
struct ipc_grant {
	uint64_t memory_kib;   /* of the guest's */
	uint64_t overhead_kib; /* of QEMU itself, and of what runs for it */
	uint32_t vcpus;
	uint32_t zero;
};

/* The most that a guest can have: what its definition is checked against (worker/domain). */
enum { IPC_VCPUS_MAX = 255, IPC_CODE_MAX_MIB = 2048, IPC_CPU_WEIGHT_MAX = 10000 };
#define IPC_MEMORY_MAX_KIB (UINT64_C(1) << 34)

struct ipc_lease_change {
	uint32_t id;
	uint32_t vcpus;
	uint64_t memory_kib;
};

struct ipc_lease_refused {
	char why[IPC_REASON_MAX];
};

struct ipc_leased {
	uint32_t id;  /* of this VM on this host, while it runs */
	uint32_t pid; /* of the seed, and of the QEMU that it becomes, as the host sees it */
};

/* How the last of a VM ended. */
enum ipc_gone {
	IPC_GONE_ENDED = 1,  /* by itself, or because somebody ended it */
	IPC_GONE_STOPPED,    /* the broker did, and not because its user's worker asked */
	IPC_GONE_MEMORY,     /* the kernel did: it had all that it was granted, and needed more */
	IPC_GONE_HOST_MEMORY /* the kernel did: the host, or a group above it, had no more */
};

struct ipc_lease_gone {
	uint32_t id;
	uint32_t how;       /* enum ipc_gone */
	uint64_t limit_kib; /* of memory, as it was granted; 0: not known */
};

struct ipc_lease_stop {
	uint32_t id;
	uint32_t zero;
};

struct ipc_lease_next {
	uint32_t after; /* an id, or 0 */
	uint32_t zero;
};

struct ipc_lease_found {
	uint8_t uuid[IPC_UUID_SIZE];
	uint32_t id;
	uint32_t pid;   /* 0: not known yet */
	uint32_t vcpus; /* that it was granted, and its guest's memory; both 0: nobody knows */
	uint32_t zero;
	uint64_t memory_kib;
};

struct ipc_net {
	uint32_t id;   /* of the VM */
	uint32_t kind; /* enum ipc_net_kind */
};

struct ipc_autostart {
	uint32_t state; /* enum ipc_autostart_state */
	uint32_t zero;
};

struct ipc_ticket_change {
	uint64_t conn_id;
	uint32_t verbs; /* protocol/verb.h */
	uint32_t zero;
	char reason[IPC_REASON_MAX]; /* as in CONN_PASS; never empty when verbs is 0 */
};

struct ipc_worker {
	uint32_t uid;
	uint32_t n_files;      /* RLIMIT_NOFILE of the worker */
	uint32_t idle_seconds; /* without clients and VMs before it asks to end */
	uint32_t log_level;    /* enum log_level */
	uint32_t port_min;     /* the lowest port of the host that a VM may be reached by */
	uint32_t wake;         /* 1: open what the user has without waiting for a client; or 0 */
	struct ipc_share share;
};

/* What qemud-view is started as. */
enum ipc_view_kind {
	IPC_VIEW_REFUSER = 1, /* --refuse */
	IPC_VIEW_HOST,        /* --host: of one principal on one kind of socket */
	IPC_VIEW_CTL          /* --ctl: the same, for qemudctl */
};

struct ipc_view {
	uint32_t uid, gid; /* of the account qemud-view */
	uint32_t n_files;
	uint32_t log_level;
	uint32_t kind;         /* enum ipc_view_kind */
	uint32_t idle_seconds; /* of all but the refuser: without clients before it asks to end */
};

struct ipc_audit {
	uint32_t uid, gid; /* of the account qemud-audit */
	uint32_t log_level;
	uint32_t file_mib; /* as large a file of the log becomes */
	uint32_t n_files;  /* that are kept beside the one that is written; 0: all */
	uint32_t zero;
	char dir[IPC_PATH_MAX]; /* absolute */
};

struct ipc_started {
	uint32_t pid; /* as the starter sees it, for logs */
	uint32_t zero;
};

struct ipc_resolve {
	uint32_t uid;            /* 0 when there is a name */
	uint32_t kind;           /* enum ipc_resolve_kind */
	char name[IPC_NAME_MAX]; /* see account_name_valid(); empty: an account, by uid */
};

struct ipc_box {
	uint32_t uid;
	uint32_t kind;    /* enum ipc_box_kind */
	uint32_t n_files; /* RLIMIT_NOFILE; the inner half goes further down, see plan.h */
	uint32_t id;      /* of a VM, 0 for a tool */
	uint8_t uuid[IPC_UUID_SIZE]; /* the same */
	struct ipc_grant grant;      /* of a VM, zero for all others */
	struct ipc_share share;
};

/* The leaf of a VM; see broker/launch/ledger.h for its name. */
struct ipc_leaf {
	uint32_t uid;
	uint32_t id;
	uint8_t uuid[IPC_UUID_SIZE];
};

struct ipc_leaf_ended {
	uint32_t how; /* enum ipc_gone, but for STOPPED */
	uint32_t zero;
};

struct ipc_leaf_limit {
	struct ipc_leaf leaf;
	struct ipc_grant grant;
};

struct ipc_user_limit {
	uint32_t uid;
	uint32_t zero;
	struct ipc_share share;
};

struct ipc_leaf_freeze {
	struct ipc_leaf leaf;
	uint32_t on; /* 0 or 1 */
	uint32_t zero;
};

struct ipc_leaf_found {
	struct ipc_leaf leaf;
	uint32_t pid;           /* 0: the descriptor is no pidfd */
	uint32_t frozen;        /* 1: it stands still, by LEAF_FREEZE */
	struct ipc_grant grant; /* zero: nobody has written down what it was granted */
};

struct ipc_inventory {
	uint32_t size; /* bytes, 1 to INVENTORY_MAX */
	uint32_t zero;
};

struct ipc_inventory_next {
	uint64_t after; /* a generation, or 0 */
};

/* A VM of which something runs. */
struct ipc_running {
	uint32_t id;
	uint16_t frozen; /* 1: it stands still, by VM_FREEZE */
	uint16_t ending; /* 1: it is being ended, and there until nothing of it runs */
	uint8_t uuid[IPC_UUID_SIZE];
};

struct ipc_inventory_found {
	uint64_t generation; /* never 0; higher with every change of any owner's */
	uint32_t uid;        /* the owner's */
	uint32_t verbs;      /* of the view's principal over the owner's VMs; 0: shown no more */
	uint8_t own;         /* 1: they are the principal's own (root's are the system account's) */
	uint8_t system;      /* 1: they are the system account's */
	uint8_t worker;      /* 1: the owner's worker runs, just now */
	uint8_t zero;
	uint32_t n_running;          /* struct ipc_running, behind the inventory */
	char name[IPC_NAME_MAX];     /* of the owner's account; "" where it is not known */
	char reason[IPC_REASON_MAX]; /* why not all verbs, as in CONN_PASS */
};

struct ipc_channel {
	uint64_t conn_id;
	uint32_t uid; /* the owner's */
	uint32_t zero;
};

struct ipc_vm_stop {
	uint64_t conn_id;
	uint32_t uid; /* the owner's */
	uint32_t id;  /* of the VM */
};

struct ipc_vm_freeze {
	struct ipc_vm_stop vm;
	uint32_t on; /* 1: it stands still; 0: it goes on */
	uint32_t zero;
};

/* What becomes of machines where the kernel does not hold them to what they were granted. */
enum ipc_limits { IPC_LIMITS_COUNT = 1, IPC_LIMITS_ENFORCE };

/* Does the kernel: are cpu, memory and pids given to the tree of control groups? */
enum ipc_controllers { IPC_CONTROLLERS_NONE = 1, IPC_CONTROLLERS_SOME, IPC_CONTROLLERS_ALL };

/* How the audit log is. */
enum ipc_audit_state {
	IPC_AUDIT_OFF = 1, /* there is to be none */
	IPC_AUDIT_WRITES,
	IPC_AUDIT_STUCK /* what happens waits, or is lost */
};

struct ipc_status {
	uint64_t since_s;  /* the broker runs; seconds of 1970 UTC, as the next */
	uint64_t policy_s; /* what holds was read then */
	uint32_t n_rules, n_files;
	uint32_t reload_failed; /* 1: what was read after that holds not */
	uint32_t limits;        /* enum ipc_limits */
	uint32_t controllers;   /* enum ipc_controllers */
	uint32_t all;           /* 1: the principal sees everybody; 0: all that follows is 0 */
	uint32_t n_workers, n_vms, n_connections;
	uint32_t audit; /* enum ipc_audit_state */
	uint32_t audit_waiting;
	uint32_t zero;
	uint64_t audit_lost; /* and not recorded as lost yet */
	uint64_t memory_kib; /* of the host */
};

struct ipc_status_user {
	uint32_t uid;
	uint32_t zero;
};

enum ipc_worker_state {
	IPC_WORKER_NONE = 1,
	IPC_WORKER_STARTS, /* or is to */
	IPC_WORKER_SERVES,
	IPC_WORKER_LEAVES /* it has been told to end, or does */
};

struct ipc_status_user_told {
	uint32_t worker;        /* enum ipc_worker_state */
	uint32_t reads;         /* 1: it serves, and has read all that it was told */
	uint32_t n_connections; /* of her own */
	uint32_t n_vms, vcpus;  /* as granted, as all that follows */
	uint32_t zero;
	uint64_t memory_kib, overhead_kib;
};

/* What a limit is of. */
enum ipc_limit {
	/* In the order in which they are looked at (broker/quota.h). */
	IPC_LIMIT_VM_VCPUS = 1,
	IPC_LIMIT_VM_MEMORY,
	IPC_LIMIT_VMS,
	IPC_LIMIT_VCPUS,
	IPC_LIMIT_MEMORY,
	IPC_LIMIT_HOST_VMS,
	IPC_LIMIT_HOST_VCPUS,
	IPC_LIMIT_HOST_MEMORY,
	IPC_LIMIT_PIDS,
	IPC_LIMIT_CPU_WEIGHT, /* which is a share */
	IPC_LIMIT_CONNECTIONS,
	IPC_LIMIT_HOST_CONNECTIONS
};

struct ipc_status_limit {
	uint32_t uid;   /* 0: of the host */
	uint32_t limit; /* enum ipc_limit */
};

struct ipc_status_limit_told {
	uint64_t used,
		max; /* memory in KiB; used UINT64_MAX: nobody counts; max UINT64_MAX: none */
	char rule[IPC_RULE_MAX]; /* where it says so, for people; empty: nowhere */
};

struct ipc_status_vm {
	uint32_t uid;
	uint32_t after; /* an id, or 0 */
};

enum ipc_vm_state { IPC_VM_STARTS = 1, IPC_VM_RUNS, IPC_VM_STANDS, IPC_VM_ENDS };

struct ipc_status_vm_told {
	uint8_t uuid[IPC_UUID_SIZE]; /* as her worker said */
	uint32_t id;
	uint32_t state;         /* enum ipc_vm_state */
	struct ipc_grant grant; /* zero: nobody knows what it was granted */
};

/* One message as it came out of ipc_check(): body points into the packet. */
struct ipc_message {
	enum ipc_type type;
	uint32_t serial;
	int err;          /* answers: 0 or a negative errno; of all: LINK_CUT (lib/link.h) */
	const void *body; /* of the type's struct, zero with an error; NULL when it has none */
	unsigned n_fds;
};

/* A checker says whether the fields of a body are in their ranges. */
typedef bool ipc_checker(const void *body);

struct ipc_rule {
	enum ipc_type type;
	const char *name;
	uint16_t size;  /* exact size of the body */
	uint8_t n_fds;  /* exact count, when err is 0 */
	uint8_t link;   /* enum ipc_link */
	uint8_t sender; /* enum ipc_side */
	uint8_t states; /* enum ipc_state, or'ed */
	uint8_t once;   /* at most once on a link: its bit in ipc_context.seen; or 0 */
	ipc_checker *check;
};

extern const struct ipc_rule ipc_rules[];
extern const size_t ipc_n_rules;

/** The rule of a type, or NULL. */
const struct ipc_rule *ipc_rule_find(uint16_t type);
/** "CONN_PASS" for IPC_CONN_PASS; "?" for what is not in the table. */
const char *ipc_type_name(uint16_t type);
static inline bool
ipc_is_answer(uint16_t type)
{
	return type & 1;
}
/** Does the table have an answer to this ask? */
bool ipc_wants_answer(uint16_t type);

/* Which rule a message breaks; ipc_fault_text() says it for people. */
enum ipc_fault {
	IPC_OK = 0,
	IPC_FAULT_PACKET,  /* truncated, or with other control data than a few descriptors */
	IPC_FAULT_SHORT,   /* no whole header */
	IPC_FAULT_VERSION, /* from another build */
	IPC_FAULT_TYPE,    /* not in the table, or not on this kind of link */
	IPC_FAULT_SENDER,  /* the other end's message */
	IPC_FAULT_SIZE,    /* the body's size, by header or by packet */
	IPC_FAULT_FDS,     /* the number of descriptors, by header or by packet */
	IPC_FAULT_STATE,   /* not allowed now */
	IPC_FAULT_AGAIN,   /* once only, and it was there already */
	IPC_FAULT_SERIAL,  /* an ask without one, a notice with one, an answer to no open ask */
	IPC_FAULT_ERR,     /* err that is no negative errno, or on what is not an answer */
	IPC_FAULT_BODY     /* a field outside its range, a string without its NUL, dirt behind it */
};

const char *ipc_fault_text(enum ipc_fault fault);

/* What a receiver knows of its link when it judges a message. */
struct ipc_context {
	enum ipc_link link;
	enum ipc_side sender; /* who sent what is being judged */
	enum ipc_state state;
	uint64_t *seen; /* of rules with `once`, those that were there; set by ipc_check() */
};

/**
 * Judge one packet of size bytes (aligned to 8) that came with n_fds descriptors. On IPC_OK, *ret
 * points into data; otherwise nothing is changed. That an answer belongs to an open ask is the
 * link's to check (lib/link.h).
 */
enum ipc_fault ipc_check(const struct ipc_context *ctx, const void *data, size_t size,
	unsigned n_fds, struct ipc_message *ret);
/** The state of a link after a message that passed in state, whichever end sent it. */
enum ipc_state ipc_state_after(enum ipc_state state, const struct ipc_message *message);

#endif
