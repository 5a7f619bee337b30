/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/api.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/own.h"
#include "daemon/http.h"

/* One reply, read from a connection. */
struct reply {
	int status;
	bool has_ended, is_cut_short, is_head_only;
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

/* ", as KILN_HOST says": where the host comes from, when it is the environment */
static const char *origin(const char *host)
{
	static const struct { const char *name, *words; } known[] = {
		{ "KILN_HOST", ", as KILN_HOST says" }, { "DOCKER_HOST", ", as DOCKER_HOST says" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (getenv(known[i].name) == host)
			return known[i].words;
	return "";
}

/* The socket is there, and not for us: whose it is, and how one becomes one of them */
static int explain_denied(const char *host, const char *path, const struct stat *st, struct err *e)
{
	struct passwd *user = getpwuid(st->st_uid);
	struct group *group = getgrgid(st->st_gid);
	const char *user_name = user ? user->pw_name : "?", *group_name = group ? group->gr_name : "?";

	if (st->st_mode & S_IWGRP && st->st_gid != 0 && group)
		return err_set(e, ERR_DENIED, "cannot use the socket '%.120s'%s: permission denied: it is %.32s:%.32s, mode %04o; be a member of group '%.32s' "
			       "('sudo usermod -aG %.32s $USER', then log in again), or root", path, origin(host), user_name, group_name,
			       st->st_mode & 07777, group_name, group_name);
	return err_set(e, ERR_DENIED, "cannot use the socket '%.120s'%s: permission denied: it is %.32s:%.32s, mode %04o; be root, or let kilnd have a group "
		       "for it ('groupadd --system kiln', or kilnd's --group)", path, origin(host), user_name, group_name, st->st_mode & 07777);
}

/* Why there is no connection, and what to do. */
static int explain(const char *host, const char *path, struct err *e)
{
	static const char start[] = "start kilnd ('sudo systemctl start kilnd', or 'sudo kilnd')";
	int sys = e->sys;
	struct stat st;

	if (sys == EACCES || sys == EPERM) {
		if (stat(path, &st) < 0)
			return err_set(e, ERR_DENIED, "cannot use the socket '%.160s'%s: permission denied to search its directory; be root, or say "
				       "where it is with --host or KILN_HOST", path, origin(host));
		return explain_denied(host, path, &st, e);
	}
	if (sys != ENOENT && sys != ECONNREFUSED && sys != ENOTDIR)
		return -1;
	if (stat(path, &st) < 0)
		return err_set(e, ERR_NOT_FOUND, "no kilnd answers at '%.160s'%s: there is no such socket; %s, or say where it listens with --host or "
			       "KILN_HOST", host, origin(host), start);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_NOT_FOUND, "no kilnd answers at '%.160s'%s: that is no socket; say where it listens with --host or KILN_HOST",
			       host, origin(host));
	return err_set(e, ERR_NOT_FOUND, "no kilnd answers at '%.160s'%s: the socket is there, but nobody listens; %s", host, origin(host), start);
}

static int connect_to(const char *host, int *ret_fd, struct err *e)
{
	const char *path = host;

	if (str_starts(host, "unix://"))
		path = host + strlen("unix://");
	else if (strstr(host, "://"))
		return err_set(e, ERR_UNSUPPORTED, "host '%.160s'%s: only unix:// sockets are known; say where kilnd listens with --host or KILN_HOST",
			       host, origin(host));
	if (fd_connect_unix(AT_FDCWD, path, SOCK_STREAM, ret_fd, e) == 0)
		return 0;
	return explain(host, path, e);
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

/* Where an answer, or the rest of it, should be. What it was asked may be done all the same. */
static int went_away(struct err *e)
{
	return err_set(e, ERR_SYSTEM, "kilnd closed the connection before its answer was complete: it was stopped, or restarts; containers run "
		       "on. Ask again when it is back, 'kiln system check' tells");
}

static int receive_failed(struct err *e)
{
	return errno == ECONNRESET || errno == EPIPE ? went_away(e) : err_sys(e, "read the reply");
}

/* @n: 0 for the end of the connection, which may be the end of the reply, too */
static int feed(struct http *h, const struct reply *r, const char *buf, size_t n, size_t *ret_used, struct err *e)
{
	bool is_too_large = false;
	int status = http_feed(h, buf, n, ret_used, &is_too_large, e);

	return n == 0 && !r->has_ended && !r->is_cut_short ? went_away(e) : status;
}

/* Reads until the reply has ended (or its head, when the rest is another protocol). @rest gets what was not used. */
static int read_reply(int fd, struct reply *r, struct strbuf *rest, struct err *e)
{
	static const struct http_parser_cb callbacks = { on_head, on_body, on_end };
	AUTO_FREE char *buf = xmalloc(64 << 10);
	struct http *h = http_new(HTTP_RESPONSES, &callbacks, r);
	int status = 0;

	while (status == 0 && !r->has_ended && !r->is_cut_short) {
		ssize_t n = read(fd, buf, 64 << 10);
		size_t used = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			status = receive_failed(e);
			break;
		}
		status = feed(h, r, buf, (size_t)n, &used, e);
		if (status == 0 && rest && used < (size_t)n)
			strbuf_add(rest, buf + used, (size_t)n - used);
		if (n == 0)
			break;
	}
	http_free(h);
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
		return err_set(e, kind, "Error response from daemon: %s", m->message);
	return err_set(e, kind, "Error response from daemon: status %d", status);
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
	strbuf_done(&r.error_body);
	return status;
}

/* ---- a body from a descriptor ---- */

enum { PIECE_BYTES = 64 << 10, SENDFILE_BYTES = 1 << 20 };

/* What goes up: a file as it is, by the kernel; else a piece, framed as a chunk when the length was not told. */
struct sending {
	const struct api_upload *u;
	struct strbuf out;           /* read, not yet written */
	char *piece;
	int64_t n_read;
	bool is_file;                /* of known length, and such that the kernel can send it */
	bool is_over;                /* all was read */
};

static int length_changed(struct err *e)
{
	return err_set(e, ERR_SYSTEM, "read what is sent: the file's length has changed meanwhile");
}

/* Like send(MSG_NOSIGNAL), which sendfile(2) does not know */
static ssize_t sendfile_quietly(int out, int in, size_t n)
{
	const struct timespec now = {0};
	sigset_t pipe_only, old;
	ssize_t done;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	sigprocmask(SIG_BLOCK, &pipe_only, &old);
	done = sendfile(out, in, NULL, n);
	if (done < 0 && errno == EPIPE && !sigismember(&old, SIGPIPE)) {
		sigtimedwait(&pipe_only, NULL, &now);
		errno = EPIPE;
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return done;
}

/* As write_piece(); the error is that of the file */
static int send_file(struct sending *s, int fd, bool *ret_goes_on, struct err *e)
{
	int64_t left = s->u->n_bytes - s->n_read;
	ssize_t n = sendfile_quietly(fd, s->u->fd, left < SENDFILE_BYTES ? (size_t)left : SENDFILE_BYTES);

	*ret_goes_on = true;
	if (n == 0)
		return length_changed(e);
	if (n < 0) {
		s->is_file = errno != EINVAL;   /* a file system that cannot: by hand, then */
		*ret_goes_on = !s->is_file || errno == EINTR || errno == EAGAIN;
		return 0;
	}
	s->n_read += n;
	s->is_over = s->n_read == s->u->n_bytes;
	if (s->u->on_sent)
		s->u->on_sent(s->u->ctx, NULL, (size_t)n);
	return 0;
}

static int read_piece(struct sending *s, struct err *e)
{
	ssize_t n = read(s->u->fd, s->piece, PIECE_BYTES);

	if (n < 0)
		return errno == EINTR ? 0 : err_sys(e, "read what is sent");
	if (s->u->n_bytes < 0)
		strbuf_addf(&s->out, "%zx\r\n", (size_t)n);
	strbuf_add(&s->out, s->piece, (size_t)n);
	if (s->u->n_bytes < 0)
		strbuf_adds(&s->out, "\r\n");
	s->n_read += n;
	s->is_over = n == 0 || s->n_read == s->u->n_bytes;
	if (s->u->n_bytes >= 0 && (s->n_read > s->u->n_bytes || (n == 0 && s->n_read < s->u->n_bytes)))
		return length_changed(e);
	return 0;
}

/* Returns false when the daemon takes no more: its answer says why. */
static bool write_piece(struct sending *s, int fd)
{
	ssize_t n = send(fd, s->out.data, s->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	strbuf_drop_front(&s->out, (size_t)n);
	if (s->u->on_sent)
		s->u->on_sent(s->u->ctx, NULL, (size_t)n);
	return true;
}

/* Return: whether there is something that could be sent, or -1 with @e set */
static int has_more(struct sending *s, struct err *e)
{
	while (!s->is_file && s->out.len == 0 && !s->is_over)
		if (read_piece(s, e) < 0)
			return -1;
	return s->is_file ? !s->is_over : s->out.len > 0;
}

/* Sends until all is sent or an answer comes before that: an error, or lines about how far it is, which are read meanwhile. */
static int exchange(struct sending *s, int fd, struct http *h, struct reply *r, struct err *e)
{
	AUTO_FREE char *buf = xmalloc(PIECE_BYTES);
	bool is_sending = true;

	while (!r->has_ended) {
		struct pollfd p = { fd, POLLIN, 0 };
		int more = is_sending ? has_more(s, e) : 0;
		size_t used = 0;
		ssize_t n;

		if (more < 0)
			return -1;
		p.events |= more ? POLLOUT : 0;
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return err_sys(e, "wait for the daemon");
		if ((p.revents & POLLOUT) && s->is_file) {
			if (send_file(s, fd, &is_sending, e) < 0)
				return -1;
		} else if (p.revents & POLLOUT) {
			is_sending = write_piece(s, fd);
		}
		if (!(p.revents & ~POLLOUT))
			continue;
		n = recv(fd, buf, PIECE_BYTES, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return receive_failed(e);
		if (feed(h, r, buf, (size_t)n, &used, e) < 0)
			return -1;
		if (n == 0)
			break;
	}
	return 0;
}

static int send_upload_head(int fd, const struct api_upload *u, struct err *e)
{
	AUTO_STRBUF struct strbuf out = {0};

	strbuf_addf(&out, "POST %s HTTP/1.1\r\nHost: kiln\r\nUser-Agent: kiln/" KILN_VERSION "\r\nConnection: close\r\nContent-Type: %s\r\n",
		    u->path, u->type);
	if (u->n_bytes < 0)
		strbuf_adds(&out, "Transfer-Encoding: chunked\r\n\r\n");
	else
		strbuf_addf(&out, "Content-Length: %lld\r\n\r\n", (long long)u->n_bytes);
	return fd_write_all(fd, out.data, out.len, e);
}

int api_upload(const char *host, const struct api_upload *u, struct err *e)
{
	static const struct http_parser_cb callbacks = { on_head, on_body, on_end };
	AUTO_FREE char *piece = xmalloc(PIECE_BYTES);
	struct reply r = { .fn = u->on_chunk, .ctx = u->ctx };
	struct sending s = { .u = u, .piece = piece, .is_file = u->n_bytes >= 0, .is_over = u->n_bytes == 0 };
	AUTO_CLOSE int fd = -1;
	struct http *h;
	int status;

	if (connect_to(host, &fd, e) < 0 || send_upload_head(fd, u, e) < 0)
		return -1;
	if (fd_set_nonblock(fd, true) < 0)
		return err_sys(e, "send to the daemon");
	h = http_new(HTTP_RESPONSES, &callbacks, &r);
	status = exchange(&s, fd, h, &r, e);
	http_free(h);
	strbuf_done(&s.out);
	if (status == 0 && r.status >= 400)
		status = reply_error(r.status, &r.error_body, e);
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
