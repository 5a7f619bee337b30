/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "daemon/server_priv.h"

#define ACCEPT_AT_ONCE   64
#define BACKLOG          1024
#define ACCEPT_RETRY_MS  200
#define COMPLAIN_MS      10000

static void set_accepting(struct server *s, bool on)
{
	s->is_accepting = on;
	for (size_t i = 0; i < s->n_listeners; i++)
		loop_watch_set(s->listeners[i].watch, on ? LOOP_READ : 0);
}

/* The listener would be readable for ever while no descriptor is left: look away for a moment. */
static void pause_accepting(struct server *s)
{
	set_accepting(s, false);
	loop_timer_start(s->resume, ACCEPT_RETRY_MS, 0);
}

static void on_resume(void *ctx)
{
	set_accepting(ctx, true);
}

void server_may_accept(struct server *s)
{
	if (s->is_accepting)
		return;
	loop_timer_stop(s->resume);
	set_accepting(s, true);
}

void server_conn_closed(struct server *s)
{
	s->n_conns--;
	server_may_accept(s);
}

void server_complain(struct server *s)
{
	int64_t now_ms = loop_now_ms(s->l);

	if (s->complained_ms && now_ms - s->complained_ms < COMPLAIN_MS)
		return;
	s->complained_ms = now_ms;
	log_warn("%zu connections: more are taken only from processes that have few, or when others end", s->n_conns);
}

static void on_listener(void *ctx, unsigned events)
{
	struct listener *li = ctx;
	struct server *s = li->s;

	(void)events;
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		int fd;

		if (s->n_conns >= s->max_conns && !limits_close_idle(s)) {
			server_complain(s);
			pause_accepting(s);
			return;
		}
		fd = accept4(li->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			if (limits_admit(s, fd))
				conn_new(s, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_warn("accept a connection: %m, waiting");
			pause_accepting(s);
		}
		return;
	}
}

int server_new(struct loop *l, struct server **ret, struct err *e)
{
	struct server *s = xcalloc(1, sizeof(*s));
	struct rlimit nofile;

	if (getrlimit(RLIMIT_NOFILE, &nofile) < 0) {
		free(s);
		return err_sys(e, "read the limit of open files");
	}
	s->l = l;
	/* The other half of the descriptors is for what the requests ask for. */
	s->max_conns = nofile.rlim_cur / 2 < MAX_CONNS ? nofile.rlim_cur / 2 : MAX_CONNS;
	s->incoming_ms = INCOMING_MS;
	s->body_idle_ms = BODY_IDLE_MS;
	s->body_total_ms = BODY_TOTAL_MS;
	s->stall_ms = STALL_MS;
	s->idle_spared_ms = IDLE_SPARED_MS;
	s->max_out_bytes = OUT_MAX_BYTES;
	s->max_body_bytes = BODIES_MAX_BYTES;
	s->bodies = xcalloc(1, sizeof(*s->bodies));
	s->is_accepting = true;
	s->resume = loop_timer_new(l, "accept again", on_resume, s);
	*ret = s;
	return 0;
}

/* root:<group>; without such a group the socket is root's alone */
static int give_to_group(const char *path, const char *group, struct err *e)
{
	struct group *g = group && *group ? getgrnam(group) : NULL;

	if (!g)
		return 0;
	if (fchownat(AT_FDCWD, path, (uid_t)-1, g->gr_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "give socket '%s' to group '%s'", path, group);
	return 0;
}

/* @path: NULL when the file is not ours to remove */
static int add_listener(struct server *s, int fd, const char *path, struct err *e)
{
	struct listener *li = &s->listeners[s->n_listeners];

	if (s->n_listeners == MAX_LISTENERS) {
		close_fd(&fd);
		return err_set(e, ERR_INVALID, "more than %u sockets", MAX_LISTENERS);
	}
	*li = (struct listener){ .s = s, .fd = fd, .path = path ? xstrdup(path) : NULL };
	li->watch = loop_watch_new(s->l, "listener", fd, s->is_accepting ? LOOP_READ : 0, on_listener, li);
	s->n_listeners++;
	return 0;
}

int server_listen(struct server *s, const char *host_url, const char *group, struct err *e)
{
	const char *path = str_starts(host_url, "unix://") ? host_url + strlen("unix://") : NULL;
	int fd = -1;

	if (!path || path[0] != '/')
		return err_set(e, ERR_INVALID, "host '%s': only unix:///absolute/path is served", host_url);
	if (fd_listen_unix(AT_FDCWD, path, SOCK_STREAM | SOCK_NONBLOCK, 0660, &fd, e) < 0)
		return -1;
	listen(fd, BACKLOG);   /* more than the usual: a burst of clients that do not wait is not to fail */
	if (add_listener(s, fd, path, e) < 0) {
		unlink(path);
		return err_wrap(e, "host '%s'", host_url);
	}
	return give_to_group(path, group, e);
}

int server_listen_fd(struct server *s, int fd, struct err *e)
{
	return add_listener(s, fd, NULL, e);
}

void server_add_door(struct server *s, const struct door *d)
{
	BUG(s->n_doors == MAX_DOORS, "more than %u doors", MAX_DOORS);
	s->doors[s->n_doors++] = *d;
}

void server_set_advice(struct server *s, void (*fn)(void *ctx, const struct err *err, struct strbuf *ret), void *ctx)
{
	s->advise = fn;
	s->advise_ctx = ctx;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_listeners; i++) {
		struct listener *li = &s->listeners[i];

		loop_watch_free(li->watch);
		close_fd(&li->fd);
		if (li->path)
			unlink(li->path);
		free(li->path);
	}
	s->n_listeners = 0;
	while (s->conns)
		conn_close(s->conns);
	loop_timer_free(s->resume);
	body_slots_done(s->bodies);
	free(s);
}
