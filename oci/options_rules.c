/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/options_rules.h"

#include <string.h>

#include "base/defence.h"
#include "base/str.h"

#define RESERVED "kiln."

/* --- defaults ---------------------------------------------------------------------------------------- */

static void set_default(char **field, const char *value, struct arena *a)
{
	if (str_is_empty(*field))
		*field = arena_strdup(a, value);
}

static void normalize_host(struct opt_host_config *h, struct arena *a)
{
	if (!h->restart_policy)
		h->restart_policy = arena_new_obj(a, struct opt_restart_policy);
	if (!h->log_config)
		h->log_config = arena_new_obj(a, struct opt_log_config);
	set_default(&h->restart_policy->name, "no", a);
	set_default(&h->log_config->type, "json-file", a);
	set_default(&h->network_mode, "default", a);
	set_default(&h->ipc_mode, "private", a);
	set_default(&h->cgroupns_mode, "private", a);
	set_default(&h->pid_mode, "", a);
	set_default(&h->uts_mode, "", a);
	set_default(&h->userns_mode, "", a);
	set_default(&h->cpuset_cpus, "", a);
	set_default(&h->cgroup_parent, "", a);
	set_default(&h->cpuset_mems, "", a);
	if (h->memory_swappiness.set && h->memory_swappiness.v == -1)
		h->memory_swappiness = (struct opt_i64){0};
	/* Docker allows as much swap as memory when nothing else was said */
	if (h->memory_bytes > 0 && h->memory_swap_bytes == 0)
		h->memory_swap_bytes = h->memory_bytes > INT64_MAX / 2 ? -1 : h->memory_bytes * 2;
	if (h->shm_size_bytes == 0)
		h->shm_size_bytes = OPTIONS_SHM_BYTES;
}

void options_normalize(struct container_options *o, const char *id, const char *host_name, struct arena *a)
{
	if (!o->config)
		o->config = arena_new_obj(a, struct opt_config);
	if (!o->host)
		o->host = arena_new_obj(a, struct opt_host_config);
	normalize_host(o->host, a);
	if (str_is_empty(o->config->hostname))
		o->config->hostname = options_share(o->host, OPTIONS_NET, NULL) == SHARE_HOST ||
						      options_share(o->host, OPTIONS_UTS, NULL) == SHARE_HOST ?
					      arena_strdup(a, host_name) :
					      arena_strndup(a, id, 12);
	set_default(&o->config->domainname, "", a);
	set_default(&o->config->user, "", a);
	set_default(&o->config->image, "", a);
	set_default(&o->config->working_dir, "", a);
}

/* --- merge with the image ---------------------------------------------------------------------------- */

static struct str_list copy_list(const struct str_list *l, struct arena *a)
{
	struct str_list out = { arena_new_array(a, char *, l->n + 1), l->n };

	for (size_t i = 0; i < l->n; i++)
		out.v[i] = arena_strdup(a, l->v[i]);
	return out;
}

static size_t key_len(const char *env)
{
	return strcspn(env, "=");
}

static bool has_env_key(const struct str_list *env, size_t n, const char *like)
{
	size_t len = key_len(like);

	for (size_t i = 0; i < n; i++)
		if (key_len(env->v[i]) == len && strncmp(env->v[i], like, len) == 0)
			return true;
	return false;
}

/* The user's come first, then what the image sets beyond them */
static void merge_env(struct str_list *env, const struct str_list *image, struct arena *a)
{
	struct str_list out = { arena_new_array(a, char *, env->n + image->n + 1), env->n };
	size_t n_own = env->n;

	for (size_t i = 0; i < env->n; i++)
		out.v[i] = env->v[i];
	for (size_t i = 0; i < image->n; i++)
		if (n_own == 0 || !has_env_key(&out, n_own, image->v[i]))
			out.v[out.n++] = arena_strdup(a, image->v[i]);
	*env = out;
}

static void merge_labels(struct str_map *labels, const struct str_map *image, struct arena *a)
{
	struct str_map out = { arena_new_array(a, struct str_pair, labels->n + image->n + 1), labels->n };

	for (size_t i = 0; i < labels->n; i++)
		out.v[i] = labels->v[i];
	for (size_t i = 0; i < image->n; i++) {
		const struct str_pair *p = &image->v[i];

		if (DEFENCE(RESERVED_LABELS, str_starts(p->key, RESERVED), false) || str_map_get(labels, p->key))
			continue;
		out.v[out.n++] = (struct str_pair){ arena_strdup(a, p->key), arena_strdup(a, p->value) };
	}
	*labels = out;
}

static void merge_command(struct opt_config *c, const struct oci_image_exec *x, struct arena *a)
{
	if (c->entrypoint.n > 0)
		return;
	if (c->cmd.n == 0)
		c->cmd = copy_list(&x->cmd, a);
	c->entrypoint = copy_list(&x->entrypoint, a);
}

static void merge_health(struct opt_config *c, const struct opt_healthcheck *image, struct arena *a)
{
	struct opt_healthcheck *h = c->healthcheck;

	if (!image)
		return;
	if (!h)
		h = c->healthcheck = arena_new_obj(a, struct opt_healthcheck);
	if (h->test.n == 0)
		h->test = copy_list(&image->test, a);
	h->interval_ns = h->interval_ns ? h->interval_ns : image->interval_ns;
	h->timeout_ns = h->timeout_ns ? h->timeout_ns : image->timeout_ns;
	h->start_period_ns = h->start_period_ns ? h->start_period_ns : image->start_period_ns;
	h->start_interval_ns = h->start_interval_ns ? h->start_interval_ns : image->start_interval_ns;
	h->retries = h->retries ? h->retries : image->retries;
}

static bool raw_is_empty(const struct json_raw *r)
{
	return !r->text || str_eq(r->text, "null") || str_eq(r->text, "{}");
}

/* {"a":{}} and {"b":{}}: the image's keys are added behind the user's where new. Both are objects of objects */
struct raw_key {
	char *key;
};
struct raw_keys {
	struct raw_key *keys;
	size_t n_keys;
};
static const struct jschema raw_key_schema = { .size = sizeof(struct raw_key) };
static const struct jfield raw_keys_fields[] = {
	J_OBJECT_MAP(struct raw_keys, keys, n_keys, "m", &raw_key_schema, 0),
};
static const struct jschema raw_keys_schema =
	J_SCHEMA(struct raw_keys, "a set, as Go writes it: {\"key\":{}}", raw_keys_fields);

static struct raw_keys *read_keys(const struct json_raw *r, struct arena *a)
{
	char *text;
	void *ret = NULL;

	if (raw_is_empty(r))
		return arena_new_obj(a, struct raw_keys);
	text = arena_printf(a, "{\"m\":%s}", r->text);
	if (json_decode(text, strlen(text), &raw_keys_schema, a, NULL, NULL, &ret, ERR_IGNORED) < 0)
		return NULL;
	return ret;
}

static void merge_keys(struct json_raw *own, const struct json_raw *image, struct arena *a)
{
	struct raw_keys *have = read_keys(own, a), *more = read_keys(image, a);
	AUTO_STRBUF struct strbuf out = {0};
	struct jw w;

	if (!have || !more || more->n_keys == 0)
		return;
	jw_init(&w, &out);
	jw_obj(&w, NULL);
	for (size_t i = 0; i < have->n_keys; i++)
		jw_raw(&w, have->keys[i].key, "{}");
	for (size_t i = 0; i < more->n_keys; i++) {
		bool is_new = true;

		for (size_t k = 0; k < have->n_keys && is_new; k++)
			is_new = !str_eq(have->keys[k].key, more->keys[i].key);
		if (is_new)
			jw_raw(&w, more->keys[i].key, "{}");
	}
	jw_obj_end(&w);
	*own = (struct json_raw){ arena_strndup(a, out.data, out.len), out.len };
}

void options_merge_image(struct opt_config *c, const struct oci_image_config *image, struct arena *a)
{
	const struct oci_image_exec *x = image->config;

	if (str_is_empty(c->user))
		c->user = arena_strdup(a, x->user ? x->user : "");
	if (str_is_empty(c->working_dir))
		c->working_dir = arena_strdup(a, x->working_dir ? x->working_dir : "");
	if (str_is_empty(c->stop_signal) && !str_is_empty(x->stop_signal))
		c->stop_signal = arena_strdup(a, x->stop_signal);
	if (c->shell.n == 0)
		c->shell = copy_list(&x->shell, a);
	merge_env(&c->env, &x->env, a);
	merge_labels(&c->labels, &x->labels, a);
	merge_command(c, x, a);
	merge_health(c, x->healthcheck, a);
	merge_keys(&c->exposed_ports, &x->exposed_ports, a);
	merge_keys(&c->volumes, &x->volumes, a);
}
