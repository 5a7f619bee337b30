/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/doors/docker_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "daemon/doors/docker_print.h"
#include "daemon/doors/docker_sizes.h"
#include "daemon/doors/door_util.h"
#include "daemon/doors/filters.h"
#include "daemon/engine/health.h"
#include "daemon/engine/image.h"
#include "oci/bundle.h"

static const char *const list_filters[] = { "ancestor", "before", "exited", "health", "id", "is-task", "isolation", "label",
					    "name", "network", "publish", "expose", "since", "status", "volume", NULL };
static const char *const states[] = { "created", "running", "paused", "restarting", "removing", "exited", "dead", NULL };
static const char *const healths[] = { "none", "starting", "healthy", "unhealthy", NULL };
static const char *const truths[] = { "true", "false", "1", "0", NULL };
static const char *const port_filters[] = { "publish", "expose" };

struct listing {
	struct engine *eng;
	struct filters f;
	bool wants_all;
	int64_t limit;                        /* <= 0: none */
	const struct container *before, *since;
};

static int check_values(const struct filters *f, const char *key, const char *const *allowed, struct err *e)
{
	const struct str_list *l = filters_get(f, key);

	for (size_t i = 0; l && i < l->n; i++) {
		bool is_known = false;

		for (size_t k = 0; allowed[k]; k++)
			is_known = is_known || str_eq(allowed[k], l->v[i]);
		if (!is_known)
			return err_set(e, ERR_INVALID, "invalid filter '%s=%.64s'", key, l->v[i]);
	}
	return 0;
}

static int check_codes(const struct filters *f, struct err *e)
{
	const struct str_list *l = filters_get(f, "exited");
	int64_t code;

	for (size_t i = 0; l && i < l->n; i++)
		if (!str_to_i64(l->v[i], &code))
			return err_set(e, ERR_INVALID, "invalid filter 'exited=%.64s'", l->v[i]);
	return 0;
}

static int check_ports(const struct filters *f, const char *key, struct err *e)
{
	const struct str_list *l = filters_get(f, key);
	struct port_range range;

	for (size_t i = 0; l && i < l->n; i++) {
		if (strchr(l->v[i], ':'))
			return err_set(e, ERR_INVALID, "filter for '%s' should not contain ':': %.64s", key, l->v[i]);
		if (!docker_port_range(l->v[i], &range))
			return err_set(e, ERR_INVALID, "error while looking up for %s %.64s: it is no port, as 80, 80/udp or 8000-8010/tcp",
				       key, l->v[i]);
	}
	return 0;
}

static int check_filters(const struct filters *f, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(port_filters); i++)
		if (check_ports(f, port_filters[i], e) < 0)
			return -1;
	if (check_values(f, "status", states, e) < 0 || check_values(f, "health", healths, e) < 0)
		return -1;
	return check_values(f, "is-task", truths, e) < 0 ? -1 : check_codes(f, e);
}

static int find_anchor(struct listing *l, const char *key, const struct container **ret, struct err *e)
{
	const struct str_list *names = filters_get(&l->f, key);
	struct container *c = NULL;

	if (!names || names->n == 0)
		return 0;
	if (container_find(l->eng, names->v[0], &c, e) < 0)
		return -1;
	*ret = c;
	return 0;
}

static int listing_parse(struct request *r, struct listing *l, struct err *e)
{
	l->eng = request_ctx(r);
	if (filters_parse(request_query(r, "filters"), list_filters, request_arena(r), &l->f, e) < 0)
		return -1;
	if (query_i64(r, "limit", -1, 1 << 30, 0, &l->limit, e) < 0)
		return -1;
	if (check_filters(&l->f, e) < 0)
		return -1;
	if (find_anchor(l, "before", &l->before, e) < 0 || find_anchor(l, "since", &l->since, e) < 0)
		return -1;
	/* docker: a filter on the state, a limit or an anchor asks for containers that do not run, too */
	l->wants_all = request_query_bool(r, "all") || l->limit > 0 || filters_get(&l->f, "status") ||
		       filters_get(&l->f, "exited") || l->before || l->since;
	return 0;
}

static bool match_prefix(const struct filters *f, const char *key, const char *id)
{
	const struct str_list *l = filters_get(f, key);

	for (size_t i = 0; l && i < l->n; i++)
		if (str_starts(id, l->v[i]))
			return true;
	return l == NULL || l->n == 0;
}

static bool match_exited(const struct listing *l, const struct container *c)
{
	const struct str_list *codes = filters_get(&l->f, "exited");

	if (!codes || codes->n == 0)
		return true;
	if (c->pid > 0 || !c->has_started_once)
		return false;
	for (size_t i = 0; i < codes->n; i++) {
		int64_t code;

		if (str_to_i64(codes->v[i], &code) && code == c->exit_code)
			return true;
	}
	return false;
}

static bool match_ancestor(const struct listing *l, const struct container *c)
{
	const struct str_list *names = filters_get(&l->f, "ancestor");

	for (size_t i = 0; names && i < names->n; i++) {
		struct image *img = NULL;

		if (str_eq(c->opt->config->image, names->v[i]))
			return true;
		if (image_find(l->eng, names->v[i], &img, ERR_IGNORED) == 0 && str_eq(img->id, c->image_id))
			return true;
	}
	return names == NULL || names->n == 0;
}

static const char *health_text(const struct container *c)
{
	return c->has_healthcheck ? health_state_name(c->health) : "none";
}

static bool match_network(const struct listing *l, const struct container *c)
{
	return filters_match_exact(&l->f, "network", docker_network_mode(c->opt));
}

/* By the ports that `ps` shows. None of them is published: that filter finds nothing. */
static bool match_ports(const struct listing *l, const struct container *c)
{
	const struct str_list *wanted = filters_get(&l->f, "expose");
	AUTO_ARENA struct arena *a = NULL;
	struct port_range *ports, range;
	size_t n;

	if (!wanted || wanted->n == 0)
		return !filters_get(&l->f, "publish") || filters_get(&l->f, "publish")->n == 0;
	a = arena_new();
	n = docker_shown_ports(c, a, &ports);
	for (size_t i = 0; i < wanted->n; i++)
		for (size_t k = 0; k < n && docker_port_range(wanted->v[i], &range); k++)
			if (ports[k].from >= range.from && ports[k].from <= range.to && str_eq(ports[k].proto, range.proto))
				return true;
	return false;
}

/* A mount by what is mounted, or where */
static bool match_volume(const struct listing *l, const struct container *c)
{
	const struct str_list *wanted = filters_get(&l->f, "volume");
	AUTO_ARENA struct arena *a = NULL;
	struct bundle_bind *binds = NULL;
	struct opt_mount *tmpfs;
	size_t n = 0, n_tmpfs;

	if (!wanted || wanted->n == 0)
		return true;
	a = arena_new();
	bundle_binds(c->opt, a, &binds, &n, ERR_IGNORED);
	for (size_t i = 0; i < n; i++)
		if (filters_match_exact(&l->f, "volume", binds[i].source) || filters_match_exact(&l->f, "volume", binds[i].target))
			return true;
	bundle_tmpfs_mounts(c->opt, a, &tmpfs, &n_tmpfs);
	for (size_t i = 0; i < n_tmpfs; i++)
		if (filters_match_exact(&l->f, "volume", tmpfs[i].target))
			return true;
	return false;
}

/* No container is a task of a swarm, and all have the one isolation that Linux has. */
static bool match_constants(const struct filters *f)
{
	return (filters_match_exact(f, "is-task", "false") || filters_match_exact(f, "is-task", "0")) &&
	       (filters_match_exact(f, "isolation", "default") || filters_match_exact(f, "isolation", ""));
}

/* By the name with or without the slash that docker puts before it */
static bool match_name(const struct filters *f, const char *name)
{
	AUTO_FREE char *slashed = NULL;

	if (filters_match_name(f, "name", name))
		return true;
	slashed = xasprintf("/%s", name);
	return filters_match_name(f, "name", slashed);
}

static bool is_wanted(const struct listing *l, const struct container *c)
{
	const char *state = container_state_name(c);

	if (!l->wants_all && c->pid <= 0 && !str_eq(state, "restarting"))
		return false;
	if (!match_name(&l->f, c->name))
		return false;
	if (l->before && (c == l->before || c->created_wall_ns >= l->before->created_wall_ns))
		return false;
	if (l->since && (c == l->since || c->created_wall_ns <= l->since->created_wall_ns))
		return false;
	return match_prefix(&l->f, "id", c->id) && filters_match_labels(&l->f, "label", &c->opt->config->labels) &&
	       filters_match_exact(&l->f, "status", state) && filters_match_exact(&l->f, "health", health_text(c)) &&
	       match_constants(&l->f) && match_exited(l, c) && match_ancestor(l, c) && match_network(l, c) &&
	       match_ports(l, c) && match_volume(l, c);
}

static int newest_first(const void *a, const void *b)
{
	const struct container *x = *(struct container *const *)a, *y = *(struct container *const *)b;

	return (x->created_wall_ns < y->created_wall_ns) - (x->created_wall_ns > y->created_wall_ns);
}

/* Those that are wanted, the newest first. Return: how many are in *ret, which the caller frees */
static size_t collect(const struct listing *l, struct container ***ret)
{
	struct container **found = NULL;
	size_t n = 0, cap = 0;

	for (struct container *c = container_first(l->eng); c; c = container_next(l->eng, c)) {
		if (!is_wanted(l, c))
			continue;
		if (n == cap) {
			cap = cap ? cap * 2 : 64;
			found = xrealloc(found, cap * sizeof(struct container *));
		}
		found[n++] = c;
	}
	if (n)
		qsort(found, n, sizeof(struct container *), newest_first);
	*ret = found;
	return l->limit > 0 && (int64_t)n > l->limit ? (size_t)l->limit : n;
}

static void reply_listing(struct request *r, struct container *const *v, size_t n)
{
	AUTO_STRBUF struct strbuf out = {0};
	struct shown_image last = {0};
	struct jw w;

	jw_init(&w, &out);
	jw_arr(&w, NULL);
	for (size_t i = 0; i < n; i++)
		docker_print_summary(&w, v[i], NULL, &last);
	jw_arr_end(&w);
	reply_json(r, 200, &out);
}

static void measured(void *ctx, const struct err *err, const struct container_size *v, size_t n)
{
	AUTO_STRBUF struct strbuf out = {0};
	struct request *r = pending_take(ctx);
	struct shown_image last = {0};
	struct jw w;

	if (!r)
		return;
	/* One container keeps nobody from seeing the others. */
	if (err->kind != ERR_NONE)
		log_warn("%s, not shown", err->msg);
	jw_init(&w, &out);
	jw_arr(&w, NULL);
	for (size_t i = 0; i < n; i++) {
		struct container *c = NULL;

		if (container_find(request_ctx(r), v[i].id, &c, ERR_IGNORED) == 0)
			docker_print_summary(&w, c, v[i].rw_bytes < 0 ? NULL : &v[i].rw_bytes, &last);
	}
	jw_arr_end(&w);
	reply_json(r, 200, &out);
}

void docker_list(struct request *r)
{
	AUTO_FREE struct container **found = NULL;
	struct listing l = {0};
	struct err e = {0};
	size_t n;

	if (listing_parse(r, &l, &e) < 0) {
		reply_error(r, &e);
		return;
	}
	n = collect(&l, &found);
	if (request_query_bool(r, "size"))
		docker_sizes(l.eng, found, n, measured, pending_new(r));
	else
		reply_listing(r, found, n);
}
