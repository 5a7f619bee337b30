/* SPDX-License-Identifier: Apache-2.0 */
/* kiln logs: a container's output, with docker's options. */
#include <stdio.h>

#include "base/own.h"
#include "cli/cmd.h"
#include "cli/container.h"
#include "cli/stream.h"

struct options { bool follow, timestamps; const char *tail, *since, *until; };
static const struct opt options[] = {
	{ 'f', "follow", OPT_BOOL, offsetof(struct options, follow), NULL, "go on with what is written from now on" },
	{ 't', "timestamps", OPT_BOOL, offsetof(struct options, timestamps), NULL, "show when each line was written" },
	{ 'n', "tail", OPT_STRING, offsetof(struct options, tail), "N", "the last N lines only" },
	{ 0, "since", OPT_STRING, offsetof(struct options, since), "TIME", "from this time on (RFC 3339 or unix seconds)" },
	{ 0, "until", OPT_STRING, offsetof(struct options, until), "TIME", "up to this time" },
	{ 0 },
};

static int on_chunk(void *ctx, const char *data, size_t n)
{
	return stream_feed(ctx, data, n);
}

static void add_query(struct strbuf *path, const char *key, const char *value)
{
	if (!value)
		return;
	strbuf_addf(path, "&%s=", key);
	api_escape(path, value);
}

static int run(int argc, char **argv, struct arena *a)
{
	AUTO_STRBUF struct strbuf path = {0};
	struct options o = {0};
	struct stream s = {0};
	int first, status;
	struct err e = {0};

	if (!cmd_options(&cmd_logs, argc, argv, a, &o, &first, &status))
		return status;
	if (first + 1 != argc) {
		err_set(&e, ERR_INVALID, "expected one container");
		return cmd_fail(&cmd_logs, &e);
	}
	if (container_is_tty(argv[first], a, &s.is_raw, &e) < 0)
		return cmd_fail(&cmd_logs, &e);
	strbuf_adds(&path, "/containers/");
	api_escape(&path, argv[first]);
	strbuf_addf(&path, "/logs?stdout=1&stderr=1&follow=%d&timestamps=%d", o.follow, o.timestamps);
	add_query(&path, "tail", o.tail);
	add_query(&path, "since", o.since);
	add_query(&path, "until", o.until);
	if (api_stream(api_host(), path.data, on_chunk, &s, &e) < 0)
		return cmd_fail(&cmd_logs, &e);
	return 0;
}

const struct command cmd_logs = { "logs", "[OPTIONS] CONTAINER", "Show a container's output", options, run };
