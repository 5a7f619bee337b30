/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/doors/docker_image_upload.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/own.h"
#include "daemon/doors/door_util.h"

#define PIPE_BYTES  (1024 * 1024)
#define BACKLOG_MAX 65536   /* who does not read is told less */

struct upload {
	struct pending *p;
	const struct upload_kind *kind;
	struct load_op *op;          /* until the body has ended */
	struct strbuf lines;         /* that wait for the reply to begin */
	bool is_begun;
};

static void send_line(struct upload *u, struct strbuf *line)
{
	struct request *r = pending_request(u->p);

	strbuf_adds(line, "\r\n");
	if (!u->is_begun)
		strbuf_add(&u->lines, line->data, line->len);
	else if (r)
		reply_stream_write(r, line->data, line->len);
}

static void begin_reply(struct upload *u, struct request *r)
{
	if (u->is_begun)
		return;
	u->is_begun = true;
	/* A stream also for one line: clients take a reply without chunks for one object. */
	reply_stream_begin(r, 200, "application/json");
	reply_stream_write(r, u->lines.data, u->lines.len);
}

static void on_line(void *ctx, const char *text)
{
	struct upload *u = ctx;
	AUTO_FREE char *whole = xasprintf("%s%s", text, u->kind->line_end);
	AUTO_STRBUF struct strbuf line = { 0 };
	struct jw w;

	jw_init(&w, &line);
	jw_obj(&w, NULL);
	jw_str(&w, u->kind->key, whole);
	jw_obj_end(&w);
	send_line(u, &line);
}

static void on_progress(void *ctx, const struct image_progress *p)
{
	struct upload *u = ctx;
	struct request *r = pending_request(u->p);
	AUTO_STRBUF struct strbuf line = { 0 };
	struct jw w;

	if (!r || reply_stream_backlog(r) > BACKLOG_MAX)
		return;
	begin_reply(u, r);
	jw_init(&w, &line);
	jw_obj(&w, NULL);
	jw_str(&w, "status", p->status);
	jw_obj(&w, "progressDetail");
	jw_u64(&w, "current", p->n_bytes);
	jw_u64(&w, "total", p->n_all);
	jw_obj_end(&w);
	if (p->id)
		jw_str(&w, "id", p->id);
	jw_obj_end(&w);
	send_line(u, &line);
}

static void send_error(struct upload *u, const struct err *err)
{
	AUTO_STRBUF struct strbuf line = { 0 };
	const char *text = reply_error_text(pending_request(u->p), err);
	struct jw w;

	jw_init(&w, &line);
	jw_obj(&w, NULL);
	jw_obj(&w, "errorDetail");
	jw_str(&w, "message", text);
	jw_obj_end(&w);
	jw_str(&w, "error", text);
	jw_obj_end(&w);
	send_line(u, &line);
}

static void on_done(void *ctx, const struct err *err)
{
	struct upload *u = ctx;
	struct request *r = pending_request(u->p);

	if (r && err->kind != ERR_NONE && !u->is_begun) {
		pending_take(TAKE_PTR(u->p));
		if (err->kind == ERR_TIMEOUT)
			reply_error_status(r, 408, "%s", err->msg);
		else
			reply_error(r, err);
	} else if (r) {
		begin_reply(u, r);
		if (err->kind != ERR_NONE)
			send_error(u, err);
		pending_take(TAKE_PTR(u->p));
		reply_stream_end(r);
	} else {
		pending_take(TAKE_PTR(u->p));
	}
	strbuf_done(&u->lines);
	free(u);
}

static void body_ended(void *ctx, const struct err *err)
{
	struct upload *u = ctx;

	image_upload_ended(TAKE_PTR(u->op), err);
}

static int open_pipe(int fds[2], struct err *e)
{
	if (fd_pipe(fds, 0) < 0)
		return err_sys(e, "make a pipe for the upload");
	if (fd_set_nonblock(fds[1], true) < 0) {
		err_sys(e, "make a pipe for the upload");
		close_fd(&fds[0]);
		close_fd(&fds[1]);
		return -1;
	}
	fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES);   /* a smaller one works, too */
	return 0;
}

void upload_run(struct request *r, const struct upload_kind *kind, bool wants_progress, void *ctx)
{
	struct upload *u;
	struct err e = { 0 };
	int fds[2];

	if (open_pipe(fds, &e) < 0) {
		reply_error(r, &e);
		return;
	}
	u = xcalloc(1, sizeof(*u));
	u->p = pending_new(r);
	u->kind = kind;
	u->op = kind->begin(request_ctx(r), fds[0],
			    &(struct image_watch){ on_line, wants_progress ? on_progress : NULL, on_done, u }, ctx);
	request_body_to_fd(r, fds[1], body_ended, u);
}
