/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaching clients to a container's stdio. The monitor serves them; kilnd only hands over their
 * connections. One that comes before the start waits here and is handed over right behind the
 * launch, so that it misses nothing.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	return 0;
}

/* Not only half closed: nobody reads what the program will say. */
static bool is_gone(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

/* Clients do not say good-bye. Without this, those that came and went would fill the list of one that is never started. */
static void drop_gone(struct container *c)
{
	struct attach_waiting **at = &c->priv->attaches;

	while (*at) {
		struct attach_waiting *w = *at;

		if (!is_gone(w->fd)) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		close_fd(&w->fd);
		free(w);
		c->priv->n_attaches--;
	}
}

static void keep(struct container *c, int fd, unsigned flags, const char *detach_keys,
		 const void *prefix, size_t n_prefix)
{
	struct attach_waiting *w = xmalloc(sizeof *w + n_prefix);
	struct attach_waiting **at = &c->priv->attaches;

	drop_gone(c);
	*w = (struct attach_waiting){ .fd = fd, .flags = flags, .n_prefix = n_prefix };
	snprintf(w->detach_keys, sizeof w->detach_keys, "%s", detach_keys ? detach_keys : "");
	if (n_prefix)
		memcpy(w->prefix, prefix, n_prefix);
	while (*at)
		at = &(*at)->next;
	*at = w;
	c->priv->n_attaches++;
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
		keep(c, fd, flags, detach_keys, prefix, n_prefix);
	else
		close(fd);
	container_event(c, "attach", NULL, NULL);
}

void container_attach_flush(struct container *c)
{
	while (c->priv->attaches) {
		struct attach_waiting *w = c->priv->attaches;
		const struct monitor_attach what = { .fd = w->fd,
						     .flags = w->flags,
						     .detach_keys = w->detach_keys,
						     .prefix = w->prefix,
						     .n_prefix = w->n_prefix };

		c->priv->attaches = w->next;
		monitor_attach(c->priv->monitor, &what);
		free(w);
	}
	c->priv->n_attaches = 0;
}

void container_attach_drop(struct container *c)
{
	while (c->priv->attaches) {
		struct attach_waiting *w = c->priv->attaches;

		c->priv->attaches = w->next;
		close_fd(&w->fd);
		free(w);
	}
	c->priv->n_attaches = 0;
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
