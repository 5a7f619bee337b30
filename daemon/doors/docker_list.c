/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/doors/docker_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "daemon/doors/docker_print.h"
#include "daemon/doors/door_util.h"
#include "daemon/doors/filters.h"
#include "daemon/engine/health.h"
#include "daemon/engine/image.h"

static const char *const list_filters[] = { "ancestor", "before", "exited", "health", "id", "is-task", "isolation", "label",
					    "name", "network", "publish", "expose", "since", "status", "volume", NULL };
static const char *const refused_filters[] = { "publish", "expose", "volume", NULL };
static const char *const states[] = { "created", "running", "paused", "restarting", "removing", "exited", "dead", NULL };
static const char *const healths[] = { "none", "starting", "healthy", "unhealthy", NULL };

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
	for (size_t i = 0; refused_filters[i]; i++)
		if (filters_get(&l->f, refused_filters[i]))
			return err_set(e, ERR_UNSUPPORTED, "filter '%s' is refused: there are no ports and volumes yet",
				       refused_filters[i]);
	if (request_query_bool(r, "size"))
		return err_set(e, ERR_UNSUPPORTED, "parameter 'size' is refused: sizes of containers are not computed yet");
	if (query_i64(r, "limit", -1, 1 << 30, 0, &l->limit, e) < 0)
		return -1;
	if (check_values(&l->f, "status", states, e) < 0 || check_values(&l->f, "health", healths, e) < 0)
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

static bool is_wanted(const struct listing *l, const struct container *c)
{
	AUTO_FREE char *slashed = xasprintf("/%s", c->name);
	const char *state = container_state_name(c);

	if (!l->wants_all && c->pid <= 0 && !str_eq(state, "restarting"))
		return false;
	if (!filters_match_name(&l->f, "name", c->name) && !filters_match_name(&l->f, "name", slashed))
		return false;
	if (l->before && (c == l->before || c->created_wall_ns >= l->before->created_wall_ns))
		return false;
	if (l->since && (c == l->since || c->created_wall_ns <= l->since->created_wall_ns))
		return false;
	return match_prefix(&l->f, "id", c->id) && filters_match_labels(&l->f, "label", &c->opt->config->labels) &&
	       filters_match_exact(&l->f, "status", state) && filters_match_exact(&l->f, "health", health_text(c)) &&
	       filters_match_exact(&l->f, "is-task", "false") && match_exited(l, c) && match_ancestor(l, c) &&
	       match_network(l, c);
}

static int newest_first(const void *a, const void *b)
{
	const struct container *x = *(struct container *const *)a, *y = *(struct container *const *)b;

	return (x->created_wall_ns < y->created_wall_ns) - (x->created_wall_ns > y->created_wall_ns);
}

static void print_listing(const struct listing *l, struct strbuf *out)
{
	AUTO_FREE struct container **found = NULL;
	size_t n = 0, cap = 0;
	struct jw w;

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
	if (l->limit > 0 && (int64_t)n > l->limit)
		n = (size_t)l->limit;
	jw_init(&w, out);
	jw_arr(&w, NULL);
	for (size_t i = 0; i < n; i++)
		docker_print_summary(&w, found[i]);
	jw_arr_end(&w);
}

void docker_list(struct request *r)
{
	AUTO_STRBUF struct strbuf out = {0};
	struct listing l = {0};
	struct err e = {0};

	if (listing_parse(r, &l, &e) < 0) {
		reply_error(r, &e);
		return;
	}
	print_listing(&l, &out);
	reply_json(r, 200, &out);
}
