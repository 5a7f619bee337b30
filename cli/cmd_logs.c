/* SPDX-License-Identifier: Apache-2.0 */
/* kiln logs: a container's output, with docker's options. */
#include "base/clock.h"
#include "base/own.h"
#include "cli/commands.h"
#include "cli/container.h"
#include "cli/reply.h"
#include "cli/since.h"
#include "cli/stream.h"

struct options { bool follow, timestamps, details; const char *tail, *since, *until; };
static const struct opt rows[] = {
	OPT_FLAG(struct options, details, 0, "details", "Show the attributes that --log-opt labels and env gave"),
	OPT_FLAG(struct options, follow, 'f', "follow", "Go on with what is written from now on"),
	OPT_TEXT(struct options, since, 0, "since", "TIME", "From this time on: 2026-01-02T03:04:05Z, unix seconds, or 42m ago"),
	OPT_TEXT(struct options, tail, 'n', "tail", "N", "The last N lines only", .choices = "all"),
	OPT_FLAG(struct options, timestamps, 't', "timestamps", "Show when each line was written"),
	OPT_TEXT(struct options, until, 0, "until", "TIME", "Up to this time"),
	OPT_END,
};

static int on_chunk(void *ctx, const char *data, size_t n)
{
	return stream_feed(ctx, data, n);
}

static int run(const struct call *c)
{
	AUTO_STRBUF struct strbuf path = {0};
	const struct options *o = c->o;
	AUTO_STRBUF struct strbuf since = {0};
	AUTO_STRBUF struct strbuf until = {0};
	struct stream s = {0};
	struct err e = {0};

	if (since_read("since", o->since, clock_wall_ns(), &since, &e) < 0 || since_read("until", o->until, clock_wall_ns(), &until, &e) < 0 ||
	    container_is_tty(c, c->args.v[0], &s.is_raw, &e) < 0)
		return cmd_fail(&e);
	strbuf_adds(&path, path_of(c->a, "containers", c->args.v[0], "logs?stdout=1&stderr=1"));
	path_flag(&path, "follow", o->follow);
	path_flag(&path, "timestamps", o->timestamps);
	path_flag(&path, "details", o->details);
	path_query(&path, "tail", o->tail);
	path_query(&path, "since", since.data);
	path_query(&path, "until", until.data);
	if (api_stream(c->host, path.data, on_chunk, &s, &e) < 0)
		return cmd_fail(&e);
	return stream_ended(&s);
}

const struct command cmd_logs = {
	.name = "logs", .group = "container", .member = "logs", .usage = "[OPTIONS] CONTAINER", .help = "Show a container's output",
	.opts = { { rows } }, .options_size = sizeof(struct options),
	.args = VALUE_CONTAINER, .n_args_min = 1, .n_args_max = 1, .run = run,
};
