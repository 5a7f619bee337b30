/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/messages.h"

#include <stdio.h>
#include <string.h>

enum { LINE_MAX = 1 << 20 };

struct detail { uint64_t current, total; };
static const struct jfield detail_fields[] = {
	J_U64(struct detail, current, "current", 0),
	J_U64(struct detail, total, "total", 0),
};
static const struct jschema detail_schema = J_SCHEMA(struct detail, "progressDetail", detail_fields);

struct message { char *stream, *status, *error; struct detail *detail; };
static const struct jfield message_fields[] = {
	J_STRING(struct message, stream, "stream", 0),
	J_STRING(struct message, status, "status", 0),
	J_STRING(struct message, error, "error", 0),
	J_OBJECT(struct message, detail, "progressDetail", &detail_schema, 0),
};
static const struct jschema message_schema = J_SCHEMA(struct message, "JSONMessage", message_fields);

/* The daemon goes on with what it was sent: its own words from here on */
static void tell_progress(struct messages *m, const struct message *msg)
{
	static char what[64];

	if (!msg->status || msg->detail->current < m->progress.done)
		return;
	snprintf(what, sizeof(what), "%.60s", msg->status);
	m->progress.what = what;
	m->progress.total = msg->detail->total;
	progress_add(&m->progress, msg->detail->current - m->progress.done);
}

static int take_line(struct messages *m)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct message *msg = NULL;

	if (json_decode(m->line.data, m->line.len, &message_schema, a, NULL, NULL, (void **)&msg, &m->e) < 0)
		return err_wrap(&m->e, "the daemon's answer");
	if (msg->error)
		return err_set(&m->e, ERR_SYSTEM, "%s", msg->error);
	if (msg->detail) {
		tell_progress(m, msg);
		return 0;
	}
	progress_hide(&m->progress);
	if (msg->stream)
		cmd_say(stdout, "%s", msg->stream);
	else if (msg->status)
		cmd_say(stdout, "%s\n", msg->status);
	fflush(stdout);
	return 0;
}

int messages_feed(struct messages *m, const char *data, size_t n)
{
	while (n > 0) {
		const char *end = memchr(data, '\n', n);
		size_t take = end ? (size_t)(end - data) : n;

		if (m->line.len + take > LINE_MAX)
			return err_set(&m->e, ERR_INVALID, "the daemon's answer has a line that does not end");
		strbuf_add(&m->line, data, take);
		if (end && m->line.len > 1 && take_line(m) < 0)
			return -1;
		if (end)
			strbuf_reset(&m->line);
		take += end != NULL;
		data += take;
		n -= take;
	}
	return 0;
}

int messages_end(struct messages *m)
{
	int status = m->line.len ? take_line(m) : 0;

	strbuf_reset(&m->line);
	return status;
}

void messages_done(struct messages *m)
{
	progress_hide(&m->progress);
	strbuf_done(&m->line);
}
