/* SPDX-License-Identifier: Apache-2.0 */
/* Reading -v. Spec: moby volume/mounts/linux_parser.go */
#include <string.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/bundle_parts.h"

#define BINDS_MAX     60     /* descriptors that travel in one message, less the launch's own */
#define BIND_TEXT_MAX 8192

/* Options that mean something on other systems, or with labels that Kiln does not set: taken, without effect */
static const char *const ignored[] = { "rw", "z", "Z", "consistent", "cached", "delegated" };
static const char *const propagations[] = { "private", "rprivate", "slave", "rslave", "shared", "rshared" };

static bool is_one_of(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(s, list[i]))
			return true;
	return false;
}

static int parse_mode(char *mode, struct bundle_bind *b, struct arena *a, struct err *e)
{
	char *shown = arena_strdup(a, mode), *propagation = NULL;
	unsigned n_rw = 0;

	for (char *o; (o = strsep(&mode, ",")) != NULL;) {
		n_rw += str_eq(o, "ro") || str_eq(o, "rw");
		if (str_eq(o, "ro")) {
			b->readonly = true;
		} else if (is_one_of(o, propagations, ARRAY_SIZE(propagations)) && !propagation) {
			propagation = o;
		} else if (!is_one_of(o, ignored, ARRAY_SIZE(ignored))) {
			return err_set(e, ERR_INVALID, "invalid mode: %.100s", shown);
		}
	}
	if (n_rw > 1)
		return err_set(e, ERR_INVALID, "invalid mode: %.100s", shown);
	if (propagation)
		b->propagation = propagation;
	return 0;
}

static char *clean_copy(const char *path, struct arena *a)
{
	AUTO_FREE char *clean = path_clean(path);

	return arena_strdup(a, clean);
}

static int check_source(const char *source, const char *target, struct err *e)
{
	if (!target)
		return err_set(e, ERR_UNSUPPORTED, "anonymous volumes are not supported");
	if (source[0] == '\0')
		return err_set(e, ERR_INVALID, "invalid empty volume spec");
	if (source[0] != '/')
		return err_set(e, ERR_UNSUPPORTED, "named volumes are not supported: '%.60s' is no absolute path", source);
	return 0;
}

static int parse(char *text, struct arena *a, struct bundle_bind *ret, struct err *e)
{
	struct bundle_bind b = { .is_recursive = true, .propagation = arena_strdup(a, "rprivate") };
	char *source = strsep(&text, ":"), *target = strsep(&text, ":"), *mode = strsep(&text, ":");

	if (check_source(source, target, e) < 0)
		return -1;
	if (text)
		return err_set(e, ERR_INVALID, "too many colons");
	if (target[0] != '/')
		return err_set(e, ERR_INVALID, "invalid mount path: '%.200s' mount path must be absolute", target);
	b.source = clean_copy(source, a);
	b.target = clean_copy(target, a);
	if (str_eq(b.target, "/"))
		return err_set(e, ERR_INVALID, "invalid specification: destination can't be '/'");
	if (mode && parse_mode(mode, &b, a, e) < 0)
		return -1;
	*ret = b;
	return 0;
}

int bundle_parse_bind(const char *text, struct arena *a, struct bundle_bind *ret, struct err *e)
{
	if (strlen(text) > BIND_TEXT_MAX)
		return err_set(e, ERR_INVALID, "invalid volume specification: longer than %d bytes", BIND_TEXT_MAX);
	if (parse(arena_strdup(a, text), a, ret, e) < 0)
		return err_wrap(e, "invalid volume specification: '%.200s'", text);
	return 0;
}

/* Where everything of the user's goes, binds first */
static int collect_targets(const struct opt_host_config *h, const struct bundle_bind *binds, size_t n, struct arena *a,
			   struct str_list *ret, struct err *e)
{
	struct str_list l = { arena_new_array(a, char *, n + h->tmpfs.n + h->n_mounts + 1), 0 };

	for (size_t i = 0; i < n; i++)
		l.v[l.n++] = binds[i].target;
	for (size_t i = 0; i < h->tmpfs.n; i++) {
		char *target = clean_copy(h->tmpfs.v[i].key, a);

		if (target[0] != '/')
			return err_set(e, ERR_INVALID, "invalid mount path: '%.200s' mount path must be absolute",
				       h->tmpfs.v[i].key);
		if (str_eq(target, "/"))
			return err_set(e, ERR_INVALID, "invalid specification: destination can't be '/'");
		l.v[l.n++] = target;
	}
	for (size_t i = 0; i < h->n_mounts; i++)
		if (str_eq(h->mounts[i].type, "tmpfs"))
			l.v[l.n++] = clean_copy(h->mounts[i].target, a);
	*ret = l;
	return 0;
}

static int check_duplicates(const struct str_list *targets, struct err *e)
{
	for (size_t i = 0; i < targets->n; i++)
		for (size_t k = 0; k < i; k++)
			if (str_eq(targets->v[i], targets->v[k]))
				return err_set(e, ERR_INVALID, "Duplicate mount point: %.200s", targets->v[i]);
	return 0;
}

int bundle_binds(const struct container_options *o, struct arena *a, struct bundle_bind **ret,
		 size_t *ret_n, struct err *e)
{
	const struct opt_host_config *h = o->host;
	struct bundle_bind *binds = NULL;
	struct str_list targets = {0};
	size_t n = 0;
	bool is_bind;

	if (h->binds.n > BINDS_MAX || h->tmpfs.n > BINDS_MAX || h->n_mounts > BINDS_MAX - h->binds.n)
		return err_set(e, ERR_INVALID, "more than %d mounts", BINDS_MAX);
	if (h->binds.n + h->n_mounts > 0)
		binds = arena_new_array(a, struct bundle_bind, h->binds.n + h->n_mounts);
	for (; n < h->binds.n; n++)
		if (bundle_parse_bind(h->binds.v[n], a, &binds[n], e) < 0)
			return -1;
	for (size_t i = 0; i < h->n_mounts; i++) {
		if (bundle_mount_bind(&h->mounts[i], a, &binds[n], &is_bind, e) < 0)
			return -1;
		n += is_bind;
	}
	if (collect_targets(h, binds, n, a, &targets, e) < 0 || check_duplicates(&targets, e) < 0)
		return -1;
	*ret = n > 0 ? binds : NULL;
	*ret_n = n;
	return 0;
}
