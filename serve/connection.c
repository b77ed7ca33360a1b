/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connection.c: what every program answers about a connection itself; see connection.h.
 *
 * Runs in worker and view.
 */
#include "serve/connection.h"

#include <stdio.h>
#include <string.h>

#include "lib/take.h"
#include "protocol/rpc/handlers.h"
#include "serve/client.h"
#include "serve/uri.h"

enum {
	LIBVIRT_VERSION = 9000000, /* whose behaviour is kept: major * 1000000 + minor * 1000 */
	CONNECT_READ_ONLY = 1,     /* the one flag of CONNECT_OPEN that means anything here */
	URI_MAX = 4096
};

enum vir_feature {
	VIR_DRV_FEATURE_FD_PASSING = 8, /* asked before each call that takes or returns one */
	VIR_DRV_FEATURE_TYPED_PARAM_STRING = 9,
	VIR_DRV_FEATURE_PROGRAM_KEEPALIVE = 10,
	VIR_DRV_FEATURE_REMOTE_EVENT_CALLBACK = 14,
	VIR_DRV_FEATURE_REMOTE_CLOSE_CALLBACK = 15
};

/* A driver that is not here, in libvirt's words. */
static int
no_driver(struct rpc_call *call, const struct uri *uri, const char *name)
{
	return rpc_error_set(&call->error, VIR_ERR_NO_CONNECT, VIR_FROM_NONE,
		uri->scheme ? "no connection driver available for %s"
			    : "no connection driver available for URI '%s' does not include a "
			      "driver name",
		name);
}

/* Read the name; RPC_DONE when it means what is served here. */
static int
read_name(struct rpc_call *call, const char *name, struct uri *ret, bool *ret_session)
{
	int r;

	if (strlen(name) > URI_MAX)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_URI,
			"internal error: a URI has at most %d bytes, this one has %zu", URI_MAX,
			strlen(name));
	r = uri_read(name, &call->arena, ret);
	if (r < 0)
		return call_out_of_memory(call);
	if (r == URI_E_BAD)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_URI,
			"internal error: Unable to parse URI %s", name);
	if (!ret->scheme || strcmp(ret->scheme, "qemu") != 0 || ret->host[0] != '\0')
		return no_driver(call, ret, name);
	if (strcmp(ret->path, "/system") != 0 && strcmp(ret->path, "/session") != 0)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_NONE,
			"internal error: unexpected qemu URI path '%s', try qemu:///system",
			ret->path);
	*ret_session = strcmp(ret->path, "/session") == 0;
	return RPC_DONE;
}

int
connection_begin(struct rpc_call *call, const struct rpc_connect_open_args *args, bool *ret_session)
{
	struct client *client = call->client;
	const char *name = args->name;
	struct uri uri = {.scheme = NULL};
	int r;

	if (client->uri || client->opening || !name)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
			"internal error: connection %s", name ? "already open" : "not open");
	/* Nothing was named: what libvirt takes then. */
	if (name[0] == '\0')
		name = client->uid == 0 ? "qemu:///system" : "qemu:///session";
	r = read_name(call, name, &uri, ret_session);
	if (r != RPC_DONE)
		return r;
	/* What GET_URI returns; the client has taken the transport out. */
	if (asprintf(&client->opening, "qemu://%s%s%s", uri.authority, uri.path, uri.rest) < 0) {
		client->opening = NULL;
		return call_out_of_memory(call);
	}
	if (args->flags & CONNECT_READ_ONLY)
		rights_open_read_only(&client->rights);
	return RPC_DONE;
}

void
connection_end(struct client *client, bool ok)
{
	if (ok)
		client->uri = take_ptr(client->opening);
	else
		free(take_ptr(client->opening));
}

int
rpc_connect_get_uri(struct rpc_call *call, struct rpc_connect_get_uri_ret *ret)
{
	if (!call->client->uri)
		return call_not_open(call);
	return call_return_string(call, call->client->uri, &ret->uri);
}

int
rpc_connect_get_type(struct rpc_call *call, struct rpc_connect_get_type_ret *ret)
{
	return call_return_string(call, "QEMU", &ret->type);
}

int
rpc_connect_get_lib_version(struct rpc_call *call, struct rpc_connect_get_lib_version_ret *ret)
{
	(void)call;
	ret->lib_ver = LIBVIRT_VERSION;
	return RPC_DONE;
}

/* What comes here came through a local socket. */
int
rpc_connect_is_secure(struct rpc_call *call, struct rpc_connect_is_secure_ret *ret)
{
	(void)call;
	ret->secure = 1;
	return RPC_DONE;
}

int
rpc_connect_supports_feature(struct rpc_call *call,
	const struct rpc_connect_supports_feature_args *args,
	struct rpc_connect_supports_feature_ret *ret)
{
	/* Asked before CONNECT_OPEN by clients with an event loop; all others come after. */
	if (args->feature == VIR_DRV_FEATURE_PROGRAM_KEEPALIVE)
		client_arm_keepalive(call->client);
	else if (!call->client->uri)
		return call_not_open(call);
	/* What is not named, known or not, is not supported: that is no error. */
	ret->supported = args->feature == VIR_DRV_FEATURE_FD_PASSING ||
			 args->feature == VIR_DRV_FEATURE_TYPED_PARAM_STRING ||
			 args->feature == VIR_DRV_FEATURE_PROGRAM_KEEPALIVE ||
			 args->feature == VIR_DRV_FEATURE_REMOTE_EVENT_CALLBACK ||
			 args->feature == VIR_DRV_FEATURE_REMOTE_CLOSE_CALLBACK;
	return RPC_DONE;
}

/*
 * Feature 15. The event that could follow says that the server lost its own hypervisor, which is
 * never so here; libvirt's QEMU driver does not send it either. So there is nothing to remember.
 */
int
rpc_connect_register_close_callback(struct rpc_call *call)
{
	return call->client->uri ? RPC_DONE : call_not_open(call);
}

int
rpc_connect_unregister_close_callback(struct rpc_call *call)
{
	return call->client->uri ? RPC_DONE : call_not_open(call);
}
