/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaching clients to a container's stdio. The monitor serves them; kilnd only hands over their
 * connections. One that comes before the start waits here and is put into the monitor's
 * control socket before the launch, so that it misses nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "daemon/engine/container_impl.h"

#define WAITING_MAX 256

int container_can_attach(const struct container *c, struct err *e)
{
	if (c->is_paused)
		return err_set(e, ERR_CONFLICT,
			       "container %s is paused, unpause the container before attach", c->id);
	if (c->is_restarting)
		return err_set(e, ERR_CONFLICT,
			       "container %s is restarting, wait until the container is running",
			       c->id);
	if (c->is_removing || c->is_dead)
		return err_set(e, ERR_CONFLICT, "container %s is marked for removal", c->id);
	if (c->is_degraded)
		return err_set(e, ERR_CONFLICT,
			       "container %s runs without its monitor: nothing can be attached",
			       c->id);
	if (c->priv->n_attaches >= WAITING_MAX)
		return err_set(e, ERR_CONFLICT,
			       "container %s has %d clients waiting for its start already", c->id,
			       WAITING_MAX);
	return fd_check_spare(e);
}

/* Clients do not say good-bye. Those that came and went must not fill the list of one that never starts. */
static void waiting_free(struct attach_waiting *w)
{
	struct container_priv *p = w->c->priv;

	for (struct attach_waiting **at = &p->attaches; *at; at = &(*at)->next) {
		if (*at != w)
			continue;
		*at = w->next;
		p->n_attaches--;
		break;
	}
	loop_watch_free(TAKE_PTR(w->watch));
	close_fd(&w->fd);
	free(w);
}

static void on_hang_up(void *ctx, unsigned events)
{
	(void)events;
	waiting_free(ctx);
}

static void keep(struct container *c, const struct monitor_attach *a)
{
	struct attach_waiting *w = xmalloc(sizeof *w + a->n_prefix);
	struct attach_waiting **at = &c->priv->attaches;

	*w = (struct attach_waiting){
		.c = c, .fd = a->fd, .flags = a->flags, .n_prefix = a->n_prefix
	};
	snprintf(w->detach_keys, sizeof w->detach_keys, "%s", a->detach_keys ? a->detach_keys : "");
	if (a->n_prefix)
		memcpy(w->prefix, a->prefix, a->n_prefix);
	while (*at)
		at = &(*at)->next;
	*at = w;
	c->priv->n_attaches++;
	w->watch = loop_watch_new(c->eng->loop, "client that waits for a start", w->fd, LOOP_HUP,
				  on_hang_up, w);
}

void container_attach(struct container *c, int fd, unsigned flags, const char *detach_keys,
		      const void *prefix, size_t n_prefix)
{
	const struct monitor_attach what = { .fd = fd,
					     .flags = flags,
					     .detach_keys = detach_keys,
					     .prefix = prefix,
					     .n_prefix = n_prefix };

	if (c->priv->monitor && !c->priv->is_settling)
		monitor_attach(c->priv->monitor, &what);
	else if (container_can_attach(c, ERR_IGNORED) == 0)
		keep(c, &what);
	else
		close(fd);
	container_event(c, "attach", NULL, NULL);
}

void container_attach_flush(struct container *c)
{
	while (c->priv->attaches) {
		struct attach_waiting *w = c->priv->attaches;
		const struct monitor_attach what = { .fd = TAKE_FD(w->fd),
						     .flags = w->flags,
						     .detach_keys = w->detach_keys,
						     .prefix = w->prefix,
						     .n_prefix = w->n_prefix };

		loop_watch_free(TAKE_PTR(w->watch));
		monitor_attach(c->priv->monitor, &what);
		c->priv->has_lost_clients = true;   /* should this launch come to nothing */
		waiting_free(w);
	}
}

void container_attach_drop(struct container *c)
{
	while (c->priv->attaches)
		waiting_free(c->priv->attaches);
}

int container_resize(struct container *c, uint16_t height, uint16_t width, struct err *e)
{
	char h[8], w[8];

	if (!ct_is_live(c->state) || c->state == CT_STARTING)
		return err_set(e, ERR_CONFLICT, "Container %s is not running", c->id);
	if (!c->priv->monitor)
		return err_set(e, ERR_CONFLICT,
			       "container %s runs without its monitor: it cannot be resized", c->id);
	monitor_resize(c->priv->monitor, height, width);
	snprintf(h, sizeof h, "%u", height);
	snprintf(w, sizeof w, "%u", width);
	container_event2(c, "resize", "height", h, "width", w);
	return 0;
}
