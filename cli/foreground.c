/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/foreground.h"

#include <poll.h>
#include <string.h>

#include "base/own.h"
#include "cli/reply.h"
#include "cli/session.h"
#include "cli/tty.h"

enum { WAIT_HEAD_MS = 10000, ASK_AGAIN_MS = 500, ASK_AGAIN_TIMES = 10 };

struct waited_error { char *message; };
static const struct jfield waited_error_fields[] = { J_STRING(struct waited_error, message, "Message", 0) };
static const struct jschema waited_error_schema = J_SCHEMA(struct waited_error, "ContainerWaitExitError", waited_error_fields);

struct waited { int64_t code; struct waited_error *error; };
static const struct jfield waited_fields[] = {
	J_I64(struct waited, code, "StatusCode", J_REQUIRED),
	J_OBJECT(struct waited, error, "Error", &waited_error_schema, 0),
};
static const struct jschema waited_schema = J_SCHEMA(struct waited, "ContainerWait", waited_fields);

int foreground_check_tty(bool wants_stdin, bool wants_tty, struct err *e)
{
	if (wants_stdin && wants_tty && !tty_is_here())
		return err_set(e, ERR_INVALID, "the input device is not a TTY");
	return 0;
}

/* The daemon went away while we waited; the container did not, and the next kilnd knows how it ended */
static int ask_again(const struct call *c, const char *id, struct strbuf *body, struct err *e)
{
	int status;

	for (int i = 0; i < ASK_AGAIN_TIMES; i++) {
		*e = (struct err){0};
		strbuf_reset(body);
		if (api_call(c->host, "POST", path_of(c->a, "containers", id, "wait"), NULL, &status, body, e) == 0)
			return 0;
		if (strstr(e->msg, "Error response from daemon"))
			break;
		poll(NULL, 0, ASK_AGAIN_MS);
	}
	return err_wrap(e, "the daemon went away before it told how the container ended");
}

static int read_status(const struct call *c, const char *id, int wait_fd, int *ret, struct err *e)
{
	AUTO_STRBUF struct strbuf body = {0};
	struct waited *w = NULL;
	int status = 0;

	if (api_receive(wait_fd, "wait", &status, &body, e) < 0 && (status >= 400 || ask_again(c, id, &body, e) < 0))
		return -1;
	if (reply_decode(c, &body, &waited_schema, (void **)&w, e) < 0)
		return -1;
	if (w->error && !str_is_empty(w->error->message))
		return err_set(e, ERR_SYSTEM, "Error waiting for container: %s", w->error->message);
	*ret = (int)w->code;
	return 0;
}

static char *attach_path(const struct call *c, const struct foreground *f)
{
	AUTO_STRBUF struct strbuf path = {0};

	strbuf_adds(&path, path_of(c->a, "containers", f->id, "attach?stream=1"));
	path_flag(&path, "stdin", f->wants_stdin);
	path_flag(&path, "stdout", f->wants_stdout);
	path_flag(&path, "stderr", f->wants_stderr);
	path_query(&path, "detachKeys", f->detach_keys);
	return arena_strdup(c->a, path.data);
}

/* The attached connection and the wait, both registered before the start can overtake them */
static int open_both(const struct call *c, const struct foreground *f, int *ret_fd, int *ret_wait_fd, struct strbuf *prefix, struct err *e)
{
	const char *wait = f->is_removed_at_end ? "wait?condition=removed" : f->is_running ? "wait" : "wait?condition=next-exit";
	bool wants_any = f->wants_stdin || f->wants_stdout || f->wants_stderr;

	if (wants_any && api_hijack(c->host, attach_path(c, f), NULL, ret_fd, prefix, e) < 0)
		return -1;
	if (api_send(c->host, "POST", path_of(c->a, "containers", f->id, wait), NULL, ret_wait_fd, e) < 0)
		return -1;
	/* its headers come at once: now the wait is registered */
	poll(&(struct pollfd){ *ret_wait_fd, POLLIN, 0 }, 1, WAIT_HEAD_MS);
	return 0;
}

static int pump(const struct foreground *f, struct session *s, const struct strbuf *prefix, struct err *e)
{
	int status;

	if (s->fd < 0)
		return 0;
	if (f->is_tty && f->wants_stdin && tty_is_here() && tty_raw() < 0)
		return err_sys(e, "set the terminal up");
	status = session_pump(s, prefix, e);
	tty_restore();
	return status;
}

int foreground_run(const struct call *c, const struct foreground *f, int *ret_status, struct err *e)
{
	struct session s = { .host = c->host, .fd = -1, .signal_fd = -1, .is_tty = f->is_tty, .wants_stdin = f->wants_stdin };
	AUTO_STRBUF struct strbuf prefix = {0};
	AUTO_CLOSE int fd = -1, wait_fd = -1, signal_fd = -1;

	s.path = path_of(c->a, "containers", f->id, "");
	if (detach_keys_set(&s.keys, f->detach_keys, e) < 0 || open_both(c, f, &fd, &wait_fd, &prefix, e) < 0)
		return -1;
	signal_fd = tty_signals(f->passes_signals);
	if (!f->is_running && reply_post(c, "POST", path_of(c->a, "containers", f->id, "start"), NULL, NULL, e) < 0)
		return -1;
	s.fd = fd;
	s.signal_fd = signal_fd;
	session_resize(&s);
	if (pump(f, &s, &prefix, e) < 0)
		return -1;
	*ret_status = 0;
	if (s.is_detached)
		return 0;
	*ret_status = stream_ended(&s.out);
	return *ret_status ? 0 : read_status(c, f->id, TAKE_FD(wait_fd), ret_status, e);
}
