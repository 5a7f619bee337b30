/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/api.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/own.h"
#include "daemon/http.h"

/* One reply, read from a connection. */
struct reply {
	int status;
	bool has_head, has_ended, is_cut_short, is_head_only;
	struct strbuf *body;        /* where the body goes, or NULL: to @fn when the status is good */
	struct strbuf error_body;
	api_chunk_fn fn;
	void *ctx;
};

const char *api_host(void)
{
	static const char *const names[] = { "KILN_HOST", "DOCKER_HOST" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *host = getenv(names[i]);

		if (!str_is_empty(host))
			return host;
	}
	return API_HOST_DEFAULT;
}

void api_escape(struct strbuf *out, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";

	for (const char *p = text; p && *p; p++) {
		if (strchr(plain, *p))
			strbuf_addc(out, *p);
		else
			strbuf_addf(out, "%%%02X", (unsigned char)*p);
	}
}

static int connect_to(const char *host, int *ret_fd, struct err *e)
{
	const char *path = host;

	if (str_starts(host, "unix://"))
		path = host + strlen("unix://");
	else if (strstr(host, "://"))
		return err_set(e, ERR_UNSUPPORTED, "host '%s': only unix:// sockets are known", host);
	if (fd_connect_unix(AT_FDCWD, path, SOCK_STREAM, ret_fd, e) == 0)
		return 0;
	if (e->sys == EACCES || e->sys == EPERM)
		return err_set(e, ERR_DENIED, "cannot use the socket '%s': permission denied; "
			       "be root or a member of the group 'kiln'", path);
	if (e->sys == ENOENT || e->sys == ECONNREFUSED)
		return err_set(e, ERR_NOT_FOUND, "no kilnd answers at '%s'; start it with 'sudo kilnd', "
			       "or say where it is with KILN_HOST", host);
	return -1;
}

static int send_request(int fd, const char *method, const char *path, const char *json, bool is_upgrade, struct err *e)
{
	AUTO_STRBUF struct strbuf out = {0};

	strbuf_addf(&out, "%s %s HTTP/1.1\r\nHost: kiln\r\nUser-Agent: kiln/" KILN_VERSION "\r\n", method, path);
	strbuf_adds(&out, is_upgrade ? "Connection: Upgrade\r\nUpgrade: tcp\r\n" : "Connection: close\r\n");
	if (json)
		strbuf_adds(&out, "Content-Type: application/json\r\n");
	if (json || !str_eq(method, "GET"))
		strbuf_addf(&out, "Content-Length: %zu\r\n", json ? strlen(json) : 0);
	strbuf_adds(&out, "\r\n");
	strbuf_adds(&out, json ? json : "");
	if (fd_write_all(fd, out.data, out.len, e) < 0)
		return err_wrap(e, "%s %s", method, path);
	return 0;
}

static bool on_head(void *ctx, const struct http_head *h)
{
	struct reply *r = ctx;

	r->status = h->status;
	r->has_head = true;
	return r->is_head_only && h->status < 400;
}

static void on_body(void *ctx, const char *data, size_t n)
{
	struct reply *r = ctx;
	struct strbuf *body = r->body ? r->body : &r->error_body;

	if (!r->body && r->fn && r->status < 400) {
		if (r->fn(r->ctx, data, n) < 0)
			r->is_cut_short = true;
		return;
	}
	if (body->len + n > API_REPLY_MAX)
		r->is_cut_short = true;
	else
		strbuf_add(body, data, n);
}

static void on_end(void *ctx, bool keep_alive)
{
	struct reply *r = ctx;

	(void)keep_alive;
	r->has_ended = true;
}

/* Reads until the reply has ended (or its head, when the rest is another protocol). @rest gets what was not used. */
static int read_reply(int fd, struct reply *r, struct strbuf *rest, struct err *e)
{
	static const struct http_parser_cb callbacks = { on_head, on_body, on_end };
	AUTO_FREE char *buf = xmalloc(64 << 10);
	struct http *h = http_new(HTTP_RESPONSES, &callbacks, r);
	bool is_too_large = false;
	int status = 0;

	while (status == 0 && !r->has_ended && !r->is_cut_short) {
		ssize_t n = read(fd, buf, 64 << 10);
		size_t used = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			status = err_sys(e, "read the reply");
			break;
		}
		status = http_feed(h, buf, (size_t)n, &used, &is_too_large, e);
		if (status == 0 && rest && used < (size_t)n)
			strbuf_add(rest, buf + used, (size_t)n - used);
		if (n == 0)
			break;
	}
	http_free(h);
	if (status == 0 && !r->has_head)
		return err_set(e, ERR_SYSTEM, "the daemon closed the connection without an answer");
	return status;
}

struct message { char *message; };
static const struct jfield message_fields[] = { J_STRING(struct message, message, "message", 0) };
static const struct jschema message_schema = J_SCHEMA(struct message, "ErrorResponse", message_fields);

static int reply_error(int status, const struct strbuf *body, struct err *e)
{
	static const struct { int status; enum err_kind kind; } kinds[] = {
		{ 400, ERR_INVALID }, { 403, ERR_DENIED }, { 404, ERR_NOT_FOUND }, { 409, ERR_CONFLICT },
		{ 501, ERR_UNSUPPORTED }, { 504, ERR_TIMEOUT },
	};
	AUTO_ARENA struct arena *a = arena_new();
	enum err_kind kind = ERR_SYSTEM;
	struct message *m = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].status == status)
			kind = kinds[i].kind;
	if (json_decode(strbuf_cstr(body), body->len, &message_schema, a, NULL, NULL, (void **)&m, ERR_IGNORED) == 0 && m->message)
		return err_set(e, kind, "%s", m->message);
	return err_set(e, kind, "the daemon answered with status %d", status);
}

int api_send(const char *host, const char *method, const char *path, const char *json, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int fd = -1;

	if (connect_to(host, &fd, e) < 0 || send_request(fd, method, path, json, false, e) < 0)
		return -1;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int api_request(const char *host, const char *method, const char *path, const char *json, int *ret_status,
		struct strbuf *ret_body, struct err *e)
{
	struct reply r = { .body = ret_body };
	AUTO_CLOSE int fd = -1;

	if (api_send(host, method, path, json, &fd, e) < 0 || read_reply(fd, &r, NULL, e) < 0)
		return -1;
	if (!r.has_ended)
		return err_set(e, ERR_SYSTEM, "%s %s: the reply is cut off", method, path);
	*ret_status = r.status;
	return 0;
}

int api_call(const char *host, const char *method, const char *path, const char *json, int *ret_status,
	     struct strbuf *ret_body, struct err *e)
{
	if (api_request(host, method, path, json, ret_status, ret_body, e) < 0)
		return -1;
	return *ret_status >= 400 ? reply_error(*ret_status, ret_body, e) : 0;
}

int api_receive(int fd, const char *what, int *ret_status, struct strbuf *ret_body, struct err *e)
{
	struct reply r = { .body = ret_body };
	AUTO_CLOSE int owned = fd;

	if (read_reply(owned, &r, NULL, e) < 0)
		return -1;
	if (!r.has_ended)
		return err_set(e, ERR_SYSTEM, "%s: the reply is cut off", what);
	*ret_status = r.status;
	return r.status >= 400 ? reply_error(r.status, ret_body, e) : 0;
}

int api_stream(const char *host, const char *path, api_chunk_fn fn, void *ctx, struct err *e)
{
	struct reply r = { .fn = fn, .ctx = ctx };
	AUTO_CLOSE int fd = -1;
	int status;

	if (api_send(host, "GET", path, NULL, &fd, e) < 0)
		return -1;
	status = read_reply(fd, &r, NULL, e);
	if (status == 0 && r.status >= 400)
		status = reply_error(r.status, &r.error_body, e);
	else if (status == 0 && !r.has_ended && !r.is_cut_short)
		status = err_set(e, ERR_SYSTEM, "the stream is cut off");
	strbuf_done(&r.error_body);
	return status;
}

int api_hijack(const char *host, const char *path, const char *json, int *ret_fd, struct strbuf *ret_prefix, struct err *e)
{
	AUTO_STRBUF struct strbuf body = {0};
	struct reply r = { .body = &body, .is_head_only = true };
	AUTO_CLOSE int fd = -1;

	if (connect_to(host, &fd, e) < 0 || send_request(fd, "POST", path, json, true, e) < 0 ||
	    read_reply(fd, &r, ret_prefix, e) < 0)
		return -1;
	if (r.status >= 400)
		return reply_error(r.status, &body, e);
	*ret_fd = TAKE_FD(fd);
	return 0;
}
