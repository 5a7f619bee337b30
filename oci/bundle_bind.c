/* SPDX-License-Identifier: Apache-2.0 */
/* Reading -v. Spec: moby volume/mounts/linux_parser.go */
#include <string.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/bundle.h"

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

static int check_duplicates(const struct bundle_bind *binds, size_t n, const struct str_map *tmpfs, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (str_eq(binds[i].target, binds[k].target))
				return err_set(e, ERR_INVALID, "Duplicate mount point: %.200s", binds[i].target);
	for (size_t i = 0; i < tmpfs->n; i++) {
		AUTO_FREE char *target = path_clean(tmpfs->v[i].key);

		if (target[0] != '/')
			return err_set(e, ERR_INVALID, "invalid mount path: '%.200s' mount path must be absolute",
				       tmpfs->v[i].key);
		if (str_eq(target, "/"))
			return err_set(e, ERR_INVALID, "invalid specification: destination can't be '/'");
		for (size_t k = 0; k < n; k++)
			if (str_eq(target, binds[k].target))
				return err_set(e, ERR_INVALID, "Duplicate mount point: %.200s", target);
	}
	return 0;
}

int bundle_binds(const struct container_options *o, struct arena *a, struct bundle_bind **ret,
		 size_t *ret_n, struct err *e)
{
	const struct str_list *texts = &o->host->binds;
	struct bundle_bind *binds = NULL;

	if (texts->n > BINDS_MAX || o->host->tmpfs.n > BINDS_MAX)
		return err_set(e, ERR_INVALID, "more than %d mounts", BINDS_MAX);
	if (texts->n > 0)
		binds = arena_new_array(a, struct bundle_bind, texts->n);
	for (size_t i = 0; i < texts->n; i++)
		if (bundle_parse_bind(texts->v[i], a, &binds[i], e) < 0)
			return -1;
	if (check_duplicates(binds, texts->n, &o->host->tmpfs, e) < 0)
		return -1;
	*ret = binds;
	*ret_n = texts->n;
	return 0;
}
