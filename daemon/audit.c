/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"

#define PATH_MAX_SHOWN  512
#define VALUE_MAX_SHOWN 128
#define QUERY_MAX_SHOWN 1024
#define PAIRS_MAX       12

static int audit_fd = -1;   /* -1: the log */
static bool is_failing;     /* the log was told */

int audit_open(const char *path, struct err *e)
{
	int fd = -1;

	if (path) {
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
		if (fd < 0)
			return err_sys(e, "open audit log '%s'", path);
	}
	close_fd(&audit_fd);
	audit_fd = fd;
	is_failing = false;
	return 0;
}

void audit_close(void)
{
	close_fd(&audit_fd);
}

bool audit_is_wanted(const char *method)
{
	return !str_eq(method, "GET") && !str_eq(method, "HEAD") && !str_eq(method, "OPTIONS");
}

/* Values of other keys may hold secrets: build arguments, URLs with passwords, what a later client invents. */
static bool is_harmless(const char *key)
{
	static const char *const keys[] = {
		"name", "names", "id", "signal", "t", "force", "v", "link", "noprune", "fromImage", "repo", "tag", "reference", "platform",
		"h", "w", "stream", "logs", "stdin", "stdout", "stderr", "detachKeys", "condition", "quiet", "filters",
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (str_eq(keys[i], key))
			return true;
	}
	return false;
}

static void add_query(const struct audit_entry *a, struct strbuf *out)
{
	for (size_t i = 0; i < a->n_query; i++) {
		if (out->len > QUERY_MAX_SHOWN) {
			strbuf_adds(out, "&...");
			return;
		}
		if (i > 0)
			strbuf_addc(out, '&');
		log_printable(out, a->query[i].key, VALUE_MAX_SHOWN);
		strbuf_addc(out, '=');
		if (is_harmless(a->query[i].key))
			log_printable(out, a->query[i].value, VALUE_MAX_SHOWN);
		else if (a->query[i].value[0])
			strbuf_adds(out, "(not shown)");
	}
}

static bool write_file(const struct log_pair *pairs, size_t n)
{
	AUTO_STRBUF struct strbuf line = { 0 };
	struct err e = { 0 };

	if (audit_fd < 0)
		return false;
	log_pairs_json(&line, LOG_LVL_INFO, "audit", pairs, n);
	if (fd_write_all(audit_fd, line.data, line.len, &e) == 0) {
		is_failing = false;
		return true;
	}
	if (!is_failing)
		log_err("the audit log cannot be written: %s; its lines go here", e.msg);
	is_failing = true;
	return false;
}

void audit_write(const struct audit_entry *a)
{
	AUTO_STRBUF struct strbuf method = { 0 }, path = { 0 }, query = { 0 }, comm = { 0 };
	struct log_pair pairs[PAIRS_MAX];
	size_t n = 0;

	log_printable(&method, a->method, VALUE_MAX_SHOWN);
	log_printable(&path, a->path, PATH_MAX_SHOWN);
	log_printable(&comm, a->comm, VALUE_MAX_SHOWN);
	add_query(a, &query);
	pairs[n++] = (struct log_pair){ .key = "uid", .number = (int64_t)(int32_t)a->peer.uid };
	pairs[n++] = (struct log_pair){ .key = "gid", .number = (int64_t)(int32_t)a->peer.gid };
	pairs[n++] = (struct log_pair){ .key = "pid", .number = a->peer.pid };
	pairs[n++] = (struct log_pair){ .key = "comm", .text = strbuf_cstr(&comm) };
	pairs[n++] = (struct log_pair){ .key = "method", .text = strbuf_cstr(&method) };
	pairs[n++] = (struct log_pair){ .key = "path", .text = strbuf_cstr(&path) };
	if (query.len > 0)
		pairs[n++] = (struct log_pair){ .key = "query", .text = strbuf_cstr(&query) };
	if (a->object)
		pairs[n++] = (struct log_pair){ .key = "object", .text = a->object };
	pairs[n++] = (struct log_pair){ .key = "status", .number = a->status };
	if (a->status == 0)
		pairs[n++] = (struct log_pair){ .key = "client", .text = "gone" };
	pairs[n++] = (struct log_pair){ .key = "duration_ms", .number = a->duration_ms };
	if (!write_file(pairs, n))
		log_pairs(LOG_LVL_INFO, "audit", pairs, n);
}
