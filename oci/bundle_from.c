/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --volumes-from: what a container has mounted, as --mount would say it. Spec: moby daemon/volumes.go registerMountPoints(),
 * volume/mounts/linux_parser.go ParseVolumesFrom()
 */
#include <string.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/bundle_parts.h"

int bundle_from_parse(const char *spec, struct arena *a, const char **ret_container, bool *ret_readonly, struct err *e)
{
	const char *colon = strchr(spec, ':');
	struct bundle_mode mode = {0};

	if (*spec == '\0' || colon == spec)
		return err_set(e, ERR_INVALID, "volumesfrom specification cannot be an empty string");
	if (colon && (bundle_mode_read(colon + 1, a, &mode, ERR_IGNORED) < 0 || mode.propagation))
		return err_set(e, ERR_INVALID, "invalid mode for volumes-from: %.100s", colon + 1);
	*ret_container = colon ? arena_strndup(a, spec, (size_t)(colon - spec)) : spec;
	*ret_readonly = mode.readonly;
	return 0;
}

static void add_bind(struct opt_mount *m, const struct bundle_bind *b, struct arena *a)
{
	struct opt_mount_bind *o = arena_new_obj(a, struct opt_mount_bind);

	*o = (struct opt_mount_bind){ .propagation = b->propagation, .non_recursive = !b->is_recursive,
				      .create_mountpoint = !b->must_exist, .read_only_non_recursive = b->is_top_readonly };
	*m = (struct opt_mount){ .type = arena_strdup(a, "bind"), .source = b->source, .target = b->target,
				 .readonly = b->readonly, .bind = o };
}

/* The later one counts */
static void put(struct bundle_from *f, const struct opt_mount *m, bool readonly)
{
	struct opt_mount *at = NULL;

	for (size_t i = 0; i < f->n && !at; i++)
		if (str_eq(f->v[i].target, m->target))
			at = &f->v[i];
	at = at ? at : &f->v[f->n++];
	*at = *m;
	at->readonly |= readonly;
}

int bundle_from_add(struct bundle_from *f, const struct container_options *of, bool readonly, struct arena *a, struct err *e)
{
	struct opt_mount *tmpfs, m, *v;
	struct bundle_bind *binds;
	size_t n, n_tmpfs;

	if (bundle_binds(of, a, &binds, &n, e) < 0)
		return -1;
	bundle_tmpfs_mounts(of, a, &tmpfs, &n_tmpfs);
	v = arena_new_array(a, struct opt_mount, f->n + n + n_tmpfs + 1);
	if (f->n > 0)
		memcpy(v, f->v, f->n * sizeof *v);
	f->v = v;
	for (size_t i = 0; i < n; i++) {
		add_bind(&m, &binds[i], a);
		put(f, &m, readonly);
	}
	for (size_t i = 0; i < n_tmpfs; i++)
		put(f, &tmpfs[i], readonly);
	return 0;
}

/* --- in the container that has them from others --------------------------------------------------------------- */

static bool is_place(const char *path, const char *clean_target)
{
	AUTO_FREE char *clean = path_clean(path);

	return str_eq(clean, clean_target);
}

/* Its own mounts count before what it has from others. Malformed ones are told elsewhere */
static bool has_own(const struct opt_host_config *h, const char *target, struct arena *a)
{
	struct bundle_bind b;

	for (size_t i = 0; i < h->binds.n; i++)
		if (bundle_parse_bind(h->binds.v[i], a, &b, ERR_IGNORED) == 0 && str_eq(b.target, target))
			return true;
	for (size_t i = 0; i < h->tmpfs.n; i++)
		if (is_place(h->tmpfs.v[i].key, target))
			return true;
	for (size_t i = 0; i < h->n_mounts; i++)
		if (h->mounts[i].target && is_place(h->mounts[i].target, target))
			return true;
	return false;
}

void bundle_inherited(const struct container_options *o, struct arena *a, struct opt_mount **ret, size_t *ret_n)
{
	struct opt_mount *v = arena_new_array(a, struct opt_mount, o->n_inherited + 1);
	size_t n = 0;

	for (size_t i = 0; i < o->n_inherited; i++)
		if (!has_own(o->host, o->inherited[i].target, a))
			v[n++] = o->inherited[i];
	*ret = v;
	*ret_n = n;
}

void bundle_tmpfs_mounts(const struct container_options *o, struct arena *a, struct opt_mount **ret, size_t *ret_n)
{
	const struct opt_host_config *h = o->host;
	struct opt_mount *v, *inherited;
	size_t n = 0, n_inherited;

	bundle_inherited(o, a, &inherited, &n_inherited);
	v = arena_new_array(a, struct opt_mount, h->n_mounts + n_inherited + 1);
	for (size_t i = 0; i < h->n_mounts; i++)
		if (str_eq(h->mounts[i].type, "tmpfs"))
			v[n++] = h->mounts[i];
	for (size_t i = 0; i < n_inherited; i++)
		if (str_eq(inherited[i].type, "tmpfs"))
			v[n++] = inherited[i];
	*ret = v;
	*ret_n = n;
}
