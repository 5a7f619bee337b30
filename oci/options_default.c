/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "oci/options_rules.h"

static bool has_ulimit(const struct opt_host_config *h, const char *name)
{
	for (size_t i = 0; i < h->n_ulimits; i++)
		if (str_eq(h->ulimits[i].name, name))
			return true;
	return false;
}

static void default_ulimits(struct opt_host_config *h, const struct options_defaults *d, struct arena *a)
{
	struct opt_ulimit *v;

	if (d->n_ulimits == 0)
		return;
	v = arena_new_array(a, struct opt_ulimit, h->n_ulimits + d->n_ulimits);
	if (h->n_ulimits > 0)
		memcpy(v, h->ulimits, h->n_ulimits * sizeof(*v));
	h->ulimits = v;
	for (size_t i = 0; i < d->n_ulimits; i++) {
		const struct opt_ulimit *u = &d->ulimits[i];

		if (!has_ulimit(h, u->name))
			v[h->n_ulimits++] = (struct opt_ulimit){ arena_strdup(a, u->name), u->soft, u->hard };
	}
}

/* Options are those of one driver: who names another gets none of them */
static void default_log(struct opt_host_config *h, const struct options_defaults *d, struct arena *a)
{
	const char *driver = d->log_driver ? d->log_driver : "json-file";
	struct opt_log_config *l = h->log_config;
	struct str_pair *v;

	if (!l)
		l = h->log_config = arena_new_obj(a, struct opt_log_config);
	if (str_is_empty(l->type))
		l->type = arena_strdup(a, driver);
	if (!str_eq(l->type, driver) || str_eq(driver, "none") || d->log_opts.n == 0)
		return;
	v = arena_new_array(a, struct str_pair, l->config.n + d->log_opts.n);
	if (l->config.n > 0)
		memcpy(v, l->config.v, l->config.n * sizeof(*v));
	l->config.v = v;
	for (size_t i = 0; i < d->log_opts.n; i++) {
		const struct str_pair *opt = &d->log_opts.v[i];

		if (!str_map_get(&l->config, opt->key))
			v[l->config.n++] = (struct str_pair){ arena_strdup(a, opt->key), arena_strdup(a, opt->value) };
	}
}

static void default_no_new_privileges(struct opt_host_config *h, struct arena *a)
{
	static const char option[] = "no-new-privileges";
	char **v = arena_new_array(a, char *, h->security_opt.n + 1);

	for (size_t i = 0; i < h->security_opt.n; i++) {
		if (str_starts(h->security_opt.v[i], option))
			return;
		v[i] = h->security_opt.v[i];
	}
	v[h->security_opt.n] = arena_strdup(a, option);
	h->security_opt = (struct str_list){ v, h->security_opt.n + 1 };
}

void options_default(struct container_options *o, const struct options_defaults *d, struct arena *a)
{
	if (!o->host)
		o->host = arena_new_obj(a, struct opt_host_config);
	default_ulimits(o->host, d, a);
	default_log(o->host, d, a);
	if (o->host->shm_size_bytes == 0)
		o->host->shm_size_bytes = d->shm_size_bytes;
	if (!o->host->init.set && d->init)
		o->host->init = (struct opt_bool){ .set = true, .v = true };
	if (d->no_new_privileges)
		default_no_new_privileges(o->host, a);
}
