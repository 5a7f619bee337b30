/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/doors/docker_attach.h"

#include <string.h>
#include <strings.h>

#include "daemon/doors/door_util.h"
#include "daemon/engine/monitor.h"
#include "runtime/proto.h"

_Static_assert(HIJACK_PREFIX_MAX == ATTACH_PREFIX_MAX, "a prefix fits into one message");

bool docker_wants_upgrade(const struct request *r)
{
	const char *connection = request_header(r, "Connection");

	return connection && strcasestr(connection, "upgrade") && request_header(r, "Upgrade");
}

const char *docker_stream_type(const struct request *r, bool is_tty, bool is_upgrade)
{
	if (is_tty || !is_upgrade || request_api(r) < 142)
		return "application/vnd.docker.raw-stream";
	return "application/vnd.docker.multiplexed-stream";
}

static unsigned attach_streams(const struct request *r)
{
	return (request_query_bool(r, "stdin") ? ATTACH_STDIN : 0) |
	       (request_query_bool(r, "stdout") ? ATTACH_STDOUT : 0) |
	       (request_query_bool(r, "stderr") ? ATTACH_STDERR : 0);
}

static int attach_check(struct request *r, struct container *c, unsigned flags, char *keys, size_t room, struct err *e)
{
	if (!(flags & (ATTACH_STDIN | ATTACH_STDOUT | ATTACH_STDERR)))
		return err_set(e, ERR_INVALID, "Bad parameters: you must choose at least one stream");
	if (!request_query_bool(r, "stream") && !request_query_bool(r, "logs"))
		return err_set(e, ERR_INVALID, "Bad parameters: attach without 'stream' and 'logs' gives nothing");
	if (detach_keys_parse(request_query(r, "detachKeys"), keys, room, e) < 0)
		return -1;
	if (request_query_bool(r, "logs") && container_can_replay(c, e) < 0)
		return -1;
	return request_query_bool(r, "stream") ? container_can_attach(c, e) : 0;
}

void docker_attach(struct request *r)
{
	char keys[sizeof(((struct msg_attach *)0)->detach_keys)];
	struct container *c = door_container(r);
	char prefix[HIJACK_PREFIX_MAX];
	unsigned flags = attach_streams(r);
	struct err e = {0};
	size_t n_prefix = 0;
	bool is_tty, is_stream, wants_logs;
	int fd = -1;

	if (!c)
		return;
	if (attach_check(r, c, flags, keys, sizeof(keys), &e) < 0) {
		reply_error(r, &e);
		return;
	}
	is_tty = c->opt->config->tty;
	is_stream = request_query_bool(r, "stream");
	wants_logs = request_query_bool(r, "logs");
	if (!c->opt->config->open_stdin)
		flags &= ~(unsigned)ATTACH_STDIN;
	if (!is_tty)
		flags |= ATTACH_MUX;
	if (reply_hijack(r, docker_stream_type(r, is_tty, docker_wants_upgrade(r)), false, &fd, prefix, sizeof(prefix),
			 &n_prefix, &e) < 0) {
		reply_error(r, &e);
		return;
	}
	if (wants_logs)
		container_attach_logs(c, &(struct monitor_attach){ fd, flags, keys, prefix, n_prefix }, is_stream);
	else
		container_attach(c, fd, flags, keys, prefix, n_prefix);
}
