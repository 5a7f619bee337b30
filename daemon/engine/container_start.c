/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A start is: decide and commit (STARTING) → a worker opens what lies on the host's file systems
 * (bind sources, the exit record, /dev for privileged containers) → the launch document, sealed in
 * a memfd, goes to the launcher with all descriptors, and clients that attached early go to the
 * monitor-to-be right behind it → the monitor tells STARTED or FAILED over the control socket. That
 * socket is the only thing to watch: whatever dies on the way closes it.
 *
 * A stop or removal that is asked for meanwhile waits for STARTED; nothing else waits for anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "daemon/engine/binds.h"
#include "daemon/engine/container_impl.h"
#include "daemon/engine/container_share.h"
#include "daemon/engine/health.h"
#include "daemon/engine/host_facts.h"
#include "daemon/engine/image.h"
#include "daemon/engine/later.h"
#include "oci/options_rules.h"
#include "oci/store.h"
#include "daemon/engine/launcher.h"

#define FIXED_FDS 3 /* spec memfd, exit record, control socket */
#define BINDS_MAX (FD_MSG_MAX - FIXED_FDS - BUNDLE_SHARES_MAX)
#define SHM       "/dev/shm"

/* What the worker gets and gives; it never sees the container. */
struct opening {
	struct container *c;
	struct arena *arena; /* owned */
	int data_root_fd;    /* borrowed */
	char rel_record[CONTAINER_REL_MAX + 8];
	char *etc_dir; /* of the container whose network it joins; NULL */
	struct bundle_bind *binds;
	size_t n_binds;
	bool wants_apparmor; /* docker-default */
	bool wants_devices;
	struct oci_device *devices;
	size_t n_devices;
	struct opt_host_config wants; /* what it says of devices, copied for the worker */
	struct oci_block_io *block_io;
	struct bundle_device *asked;
	size_t n_asked;
	int record_fd;           /* owned */
	int bind_fds[BINDS_MAX]; /* owned, n_binds of them */
	struct shared shared;
	struct err err;
};

static void opening_free(struct opening *o)
{
	close_fd(&o->record_fd);
	for (size_t i = 0; i < o->n_binds; i++)
		close_fd(&o->bind_fds[i]);
	shared_close(&o->shared);
	arena_free(o->arena);
	free(o);
}

static void opening_drop(void *ctx)
{
	opening_free(ctx);
}

/* The record of the run before must not be taken for this one's. */
static int open_record(struct opening *o, struct err *e)
{
	static const char empty[EXIT_RECORD_BYTES];

	o->record_fd = openat(o->data_root_fd, o->rel_record,
			      O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (o->record_fd < 0)
		return err_sys(e, "open '%s'", o->rel_record);
	if (pwrite(o->record_fd, empty, sizeof empty, 0) != sizeof empty)
		return err_sys(e, "clear '%s'", o->rel_record);
	return 0;
}

static void opening_work(void *ctx)
{
	struct opening *o = ctx;

	if (open_record(o, &o->err) < 0 || (o->wants_apparmor && apparmor_ensure(&o->err) < 0))
		return;
	if (o->wants_devices)
		host_devices(o->arena, &o->devices, &o->n_devices);
	if (!o->wants_devices &&
	    host_devices_asked(&o->wants, o->arena, &o->asked, &o->n_asked, &o->err) < 0)
		return;
	if (options_asks_blkio(&o->wants) && host_blkio_asked(&o->wants, o->arena, &o->block_io, &o->err) < 0)
		return;
	binds_open(o->binds, o->n_binds, o->bind_fds, &o->err);
}

/* ---- the launch ---- */

static struct str_list lowers_of(const struct image *image, struct arena *a)
{
	struct str_list l = { .v = arena_new_array(a, char *, image->n_layers + 1), .n = 0 };

	for (size_t i = image->n_layers; i > 0; i--)
		l.v[l.n++] = arena_strdup(a, image->layers[i - 1].dir);
	l.v[l.n++] = arena_strdup(a, STORE_MOUNT_POINTS);
	return l;
}

static int make_document(struct container *c, struct opening *o, int *ret_fd, struct err *e)
{
	const struct engine *eng = c->eng;
	const struct options_host facts = host_options(eng);
	const struct bundle_host host = { .hostname = eng->host.hostname,
					  .caps = eng->host.caps,
					  .devices = o->devices,
					  .n_devices = o->n_devices,
					  .asked = o->asked,
					  .n_asked = o->n_asked,
					  .block_io = o->block_io,
					  .facts = &facts,
					  .seccomp = eng->set.seccomp };
	char rel[CONTAINER_REL_MAX];
	struct bundle_input in = { .id = c->id,
				   .name = c->name,
				   .image_id = c->image_id,
				   .options = c->opt,
				   .host = &host,
				   .data_root = eng->cfg.data_root,
				   .container_dir = c->dir,
				   .cgroup_parent = container_cgroup_base(c),
				   .cgroup_owner = eng->group_owner,
				   .rt_period_usec = eng->cfg.cpu_rt_period_usec,
				   .rt_runtime_usec = eng->cfg.cpu_rt_runtime_usec,
				   .log_path = c->log_path,
				   .etc_dir = o->etc_dir,
				   .shares = o->shared.numbers };
	AUTO_STRBUF struct strbuf text = { 0 };
	struct launch_spec *spec;
	struct str_list lowers;

	if (!c->image)
		return err_set(e, ERR_CONFLICT, "its image %s was removed", c->image_id);
	lowers = lowers_of(c->image, o->arena);
	in.lowers = &lowers;
	container_rel_socket(c->id, rel);
	in.socket_path = arena_printf(o->arena, "%s/%s", eng->cfg.exec_root, rel);
	if (bundle_launch(&in, o->arena, &spec, e) < 0)
		return -1;
	json_emit(&launch_spec_schema, spec, &text);
	if (text.len > LAUNCH_MAX_BYTES)
		return err_set(e, ERR_INVALID, "the launch document is larger than %u bytes",
			       LAUNCH_MAX_BYTES);
	return fd_memfd_sealed("launch", text.data, text.len, ret_fd, e);
}

static int launch(struct container *c, struct opening *o, struct err *e)
{
	AUTO_CLOSE int spec_fd = -1;
	int pair[2] = { -1, -1 };
	int fds[FD_MSG_MAX];
	size_t n = 0;

	if (fd_check_spare(e) < 0 || make_document(c, o, &spec_fd, e) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "make a control socket");
	fds[n++] = TAKE_FD(spec_fd);
	fds[n++] = TAKE_FD(o->record_fd);
	fds[n++] = pair[1];
	for (size_t i = 0; i < o->n_binds; i++)
		fds[n++] = TAKE_FD(o->bind_fds[i]);
	for (size_t i = 0; i < o->shared.n_fds; i++)
		fds[n++] = TAKE_FD(o->shared.fds[i]);
	c->priv->monitor = monitor_new(c->eng->loop, pair[0], &container_monitor_handlers, c);
	c->priv->n_reconnects = 0;
	c->priv->launcher_generation = launcher_generation(c->eng->launcher);
	/* First: what lies in the control socket when the monitor begins is read before any output. */
	container_attach_flush(c);
	launcher_send(c->eng->launcher, MSG_LAUNCH, c->id, fds, n);
	return 0;
}

static void opening_done(void *ctx)
{
	struct opening *o = ctx;
	struct container *c = o->c;
	struct err e = o->err;

	c->priv->is_opening = false;
	BUG(c->state != CT_STARTING, "container '%s' is %s while its start is made ready", c->name, ct_state_name(c->state));
	if (e.kind == ERR_NONE && launch(c, o, &e) == 0) {
		opening_free(o);
		return;
	}
	opening_free(o);
	container_on_failed(c, 125, &e);
}

static void copy_devices(struct opening *o, const struct opt_host_config *h)
{
	o->wants.devices = arena_new_array(o->arena, struct opt_device, h->n_devices + 1);
	for (size_t i = 0; i < h->n_devices; i++) {
		const struct opt_device *d = &h->devices[i];
		const char *in = d->path_in_container, *access = d->cgroup_permissions;

		o->wants.devices[o->wants.n_devices++] = (struct opt_device){
			.path_on_host = arena_strdup(o->arena, d->path_on_host),
			.path_in_container = arena_strdup(o->arena, in ? in : ""),
			.cgroup_permissions = arena_strdup(o->arena, access ? access : ""),
		};
	}
}

static void copy_blkio(struct opening *o, const struct opt_host_config *h)
{
	o->wants.blkio_weight = h->blkio_weight;
	for (int kind = 0; kind < OPT_BLKIO_KINDS_; kind++) {
		const struct opt_blkio_list *from = &h->blkio[kind];
		struct opt_blkio_list *to = &o->wants.blkio[kind];

		if (from->n > 0)
			to->v = arena_new_array(o->arena, struct opt_blkio, from->n);
		for (size_t i = 0; i < from->n; i++)
			to->v[to->n++] = (struct opt_blkio){ arena_strdup(o->arena, from->v[i].path), from->v[i].amount };
	}
}

/* Its binds, and with the host's IPC namespace its shared memory behind them */
static int find_mounts(struct container *c, struct opening *o, struct err *e)
{
	static const struct bundle_bind shm = { .source = (char *)SHM, .target = (char *)SHM, .is_recursive = true,
						.propagation = (char *)"rprivate", .must_exist = true };
	struct bundle_bind *binds;
	size_t n;

	if (bundle_binds(c->opt, o->arena, &binds, &n, e) < 0)
		return -1;
	if (n + 1 > BINDS_MAX)
		return err_set(e, ERR_UNSUPPORTED, "%zu binds: at most %d", n, BINDS_MAX - 1);
	o->binds = arena_new_array(o->arena, struct bundle_bind, n + 1);
	if (n > 0)
		memcpy(o->binds, binds, n * sizeof *binds);
	o->n_binds = n;
	for (size_t i = 0; i < BINDS_MAX; i++)
		o->bind_fds[i] = -1;   /* until the worker has opened them */
	if (options_share(c->opt->host, OPTIONS_IPC, NULL) == SHARE_HOST)
		o->binds[o->n_binds++] = shm;
	return 0;
}

/* Who joins a network is called as whom it belongs to, and has the files that say so. */
static void take_shared(struct container *c, struct opening *o)
{
	const struct container *x = o->shared.net_of;

	if (options_share(c->opt->host, OPTIONS_IPC, NULL) == SHARE_HOST)
		o->shared.numbers.shm = (int)o->n_binds - 1;
	if (!x)
		return;
	o->etc_dir = arena_strdup(o->arena, x->dir);
	container_take_names(c->opt->config, x, c->priv->arena);
}

static int opening_begin(struct container *c, struct err *e)
{
	struct opening *o = xcalloc(1, sizeof *o);
	char rel[CONTAINER_REL_MAX];
	int rc;

	*o = (struct opening){ .c = c,
			       .arena = arena_new(),
			       .data_root_fd = c->eng->cfg.data_root_fd,
			       .record_fd = -1 };
	container_rel_dir(c->id, rel);
	snprintf(o->rel_record, sizeof o->rel_record, "%s/exit", rel);
	o->wants_apparmor = str_eq(container_apparmor(c), OPTIONS_APPARMOR_DEFAULT);
	o->wants_devices = c->opt->host->privileged;
	copy_devices(o, c->opt->host);
	copy_blkio(o, c->opt->host);
	container_move_log(c);
	rc = find_mounts(c, o, e);
	if (rc == 0)
		rc = shared_find(c, o->n_binds, &o->shared, e);
	if (rc == 0)
		take_shared(c, o);
	if (rc < 0) {
		o->n_binds = 0;
		opening_free(o);
		return -1;
	}
	c->priv->is_opening = true;
	later_work(c->eng, LOOP_JOB_SHORT, opening_work, opening_done, opening_drop, o);
	return 0;
}

static void start_committed(void *ctx, const struct err *err)
{
	struct container *c = ctx;
	struct err e = *err;

	if (e.kind != ERR_NONE || opening_begin(c, &e) < 0)
		container_on_failed(c, 125, &e);
}

bool container_launch_again(struct container *c)
{
	struct container_priv *p = c->priv;

	if (p->is_second_launch || p->has_lost_clients || p->is_stopping || p->wants_removal)
		return false;
	p->is_second_launch = true;
	log_warn("container '%s': its launcher or monitor died before the start; launching it again", c->name);
	return opening_begin(c, ERR_IGNORED) == 0;
}

static void policy_start_over(struct container *c)
{
	if (!c->priv->is_counted_start)
		return;
	c->priv->is_counted_start = false;
	c->eng->n_policy_starts--;
}

void container_begin(struct container *c, bool is_policy)
{
	struct container_priv *p = c->priv;
	struct err e = { 0 };

	BUG(p->is_settling || p->monitor, "container '%s' begins before its last run has settled",
	    c->name);
	p->wants_start = false;
	p->is_second_launch = p->has_lost_clients = false;
	p->is_policy_start = is_policy;
	if (p->is_health_restart) {
		c->restart_count++;
	} else if (!is_policy) {
		c->restart_count = 0;
		p->backoff_ms = 0;
		c->was_stopped_by_hand = false;
	}
	p->is_health_restart = false;
	p->is_counted_start = is_policy;
	c->eng->n_policy_starts += is_policy;
	c->wants_running = true;
	free(p->cgroup_base);
	p->cgroup_base = xstrdup(c->eng->cfg.cgroup_parent);
	c->is_oom_killed = false;
	c->error[0] = '\0';
	if (container_apply(c, EV_START, start_committed, &e) < 0) {
		log_err("container '%s': %s", c->name, e.msg);
		policy_start_over(c);
		call_answer(&p->starts, &e, false);
		call_answer(&p->restarts, &e, false);
	}
}

/* ---- how it went ---- */

static const struct err no_error;

static void started_committed(void *ctx, const struct err *err)
{
	struct container *c = ctx;
	/* A restart that was asked for during this start has still to stop it, and is answered by the next one. */
	bool is_restart = c->priv->restarts != NULL && !c->priv->wants_start;

	container_event(c, "start", NULL, NULL);
	if (is_restart)
		container_event(c, "restart", NULL, NULL);
	call_answer(&c->priv->starts, err, true);
	if (is_restart)
		call_answer(&c->priv->restarts, err, true);
	policy_start_over(c);
}

void container_on_started(struct container *c, const struct exit_record *rec, int pidfd)
{
	struct err e = { 0 };

	if (c->state != CT_STARTING) { /* adopted: known already */
		close_fd(&pidfd);
		container_watch_over(c);
		return;
	}
	c->pid = rec->pid;
	close_fd(&c->pidfd);
	c->pidfd = pidfd;
	c->started_wall_ns = rec->started_wall_ns;
	c->has_started_once = true;
	c->exit_code = 0;
	if (container_apply(c, EV_STARTED, started_committed, &e) < 0)
		log_err("container '%s': %s", c->name, e.msg);
	health_begin(c, false);
	container_stop_resume(c);
}

static void failed_committed(void *ctx, const struct err *err)
{
	struct container *c = ctx;
	char code[16];
	struct err why = { .kind = ERR_SYSTEM, .sys = c->priv->start_errno };

	(void)err;
	snprintf(code, sizeof code, "%d", c->exit_code);
	container_event(c, "die", "exitCode", code);
	/* As dockerd: 400 when the program cannot be executed. The client maps the words to 127 and 126. */
	if (c->exit_code == 127 || c->exit_code == 126)
		why.kind = ERR_INVALID;
	else if (c->priv->is_refused_start)
		why.kind = ERR_CONFLICT;
	memcpy(why.msg, c->error, sizeof why.msg);
	why.msg[sizeof why.msg - 1] = '\0';
	if (c->priv->is_policy_start)
		log_warn("container '%s': %s", c->name, why.msg);
	/* A restart that found it starting wanted that start to end, and has its own still before it. */
	if (!c->priv->wants_start) {
		call_answer(&c->priv->starts, &why, false);
		call_answer(&c->priv->restarts, &why, false);
	}
	container_wake(c, false);
	policy_start_over(c);
	container_end_committed(c);
}

/* The words by which clients know 127 and 126. For what docker calls "not a directory" they know none. */
static const char *exit_code_words(int32_t exit_code, const char *msg)
{
	if (strstr(msg, "not a directory"))
		return "";
	if (exit_code == 127 && !strstr(msg, "executable file not found") &&
	    !strstr(msg, "no such file or directory"))
		return ": executable file not found in $PATH";
	if (exit_code == 126 && !strstr(msg, "permission denied"))
		return ": permission denied";
	return "";
}

void container_on_failed(struct container *c, int32_t exit_code, const struct err *why)
{
	struct container_priv *p = c->priv;
	struct err e = { 0 };
	bool wants_restart;

	if (c->state != CT_STARTING)
		return;
	c->exit_code = exit_code == 125 ? 128 : exit_code; /* 125 is what the client makes of it */
	snprintf(c->error, sizeof c->error, "failed to start container '%s': %.380s%s", c->name,
		 why->msg, exit_code_words(exit_code, why->msg));
	p->is_settling = true;
	p->is_end_committed = false;
	p->is_refused_start = why->kind == ERR_CONFLICT;
	p->start_errno = why->sys;
	container_stop_over(c);
	container_attach_drop(c);
	/* As docker: a start that somebody asked for is answered, not tried again. */
	c->wants_running = p->is_policy_start;
	wants_restart = p->is_policy_start && container_policy_decide(c);
	if (container_apply(c, EV_START_FAILED, failed_committed, &e) < 0)
		log_err("container '%s': %s", c->name, e.msg);
	if (wants_restart)
		container_policy_restart(c, 0);
}

/* ---- what the monitor tells ---- */

static void on_started(void *ctx, const struct exit_record *rec, int pidfd)
{
	container_on_started(ctx, rec, pidfd);
}

static void on_failed(void *ctx, const struct msg_failed *m)
{
	container_on_failed(ctx, m->exit_code, &m->err);
}

static void on_exited(void *ctx, const struct msg_exited *m)
{
	struct container *c = ctx;

	if (ct_is_live(c->state))
		container_on_exited(c, &m->record);
	else
		monitor_release(
			c->priv->monitor); /* known already: its release was lost with an earlier kilnd */
}

static void on_detached(void *ctx)
{
	container_event(ctx, "detach", NULL, NULL);
}

static void on_gone(void *ctx)
{
	container_on_monitor_gone(ctx);
}

const struct monitor_handlers container_monitor_handlers = {
	.started = on_started,
	.failed = on_failed,
	.exited = on_exited,
	.detached = on_detached,
	.gone = on_gone,
};

/* ---- the request ---- */

static int can_start(const struct container *c, struct err *e)
{
	if (c->is_paused)
		return err_set(e, ERR_CONFLICT,
			       "cannot start a paused container, try unpause instead");
	if (c->is_removing || c->is_dead || c->priv->wants_removal)
		return err_set(e, ERR_CONFLICT,
			       "container is marked for removal and cannot be started");
	return 0;
}

void container_start(struct container *c, container_changed_fn done, void *ctx)
{
	struct container_priv *p = c->priv;
	struct err e = { 0 };

	if (can_start(c, &e) < 0) {
		done(ctx, &e, false);
		return;
	}
	if (c->state == CT_RUNNING || c->state == CT_RESTARTING) {
		done(ctx, &no_error, false);
		return;
	}
	call_add_changed(&p->starts, done, ctx);
	if (c->state == CT_STARTING)
		return;
	if (p->is_settling)
		p->wants_start = true;
	else
		container_begin(c, false);
}
