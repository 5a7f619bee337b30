/* SPDX-License-Identifier: Apache-2.0 */
/* Reading -v. Spec: moby volume/mounts/linux_parser.go */
#include <string.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/bundle_parts.h"

#define BINDS_MAX     60     /* descriptors that travel in one message, less the launch's own */
#define BIND_TEXT_MAX 8192

/*
 * One of each kind at most. Labels are for SELinux, which Kiln leaves alone; the last kind means something on other systems.
 */
enum mode_kind { MODE_ACCESS, MODE_LABEL, MODE_PROPAGATION, MODE_CONSISTENCY, MODE_KINDS_ };
static const struct {
	const char *name;
	enum mode_kind kind;
} modes[] = {
	{ "rw", MODE_ACCESS },           { "ro", MODE_ACCESS },
	{ "z", MODE_LABEL },             { "Z", MODE_LABEL },
	{ "private", MODE_PROPAGATION }, { "rprivate", MODE_PROPAGATION },
	{ "slave", MODE_PROPAGATION },   { "rslave", MODE_PROPAGATION },
	{ "shared", MODE_PROPAGATION },  { "rshared", MODE_PROPAGATION },
	{ "consistent", MODE_CONSISTENCY }, { "cached", MODE_CONSISTENCY }, { "delegated", MODE_CONSISTENCY },
};

static int mode_kind(const char *name, enum mode_kind *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!str_eq(name, modes[i].name))
			continue;
		*ret = modes[i].kind;
		return 0;
	}
	return -1;
}

int bundle_mode_read(const char *text, struct arena *a, struct bundle_mode *ret, struct err *e)
{
	char *rest = arena_strdup(a, text);
	const char *of[MODE_KINDS_] = {0};
	enum mode_kind kind;

	for (char *o; (o = strsep(&rest, ",")) != NULL;) {
		if (mode_kind(o, &kind) < 0 || of[kind])
			return err_set(e, ERR_INVALID, "invalid mode: %.100s", text);
		of[kind] = o;
	}
	ret->readonly = str_eq(of[MODE_ACCESS], "ro");
	ret->propagation = of[MODE_PROPAGATION];
	return 0;
}

static int parse_mode(const char *text, struct bundle_bind *b, struct arena *a, struct err *e)
{
	struct bundle_mode mode;

	if (str_eq(text, "nocopy"))
		return err_set(e, ERR_INVALID, "invalid mount config for type \"bind\": field VolumeOptions must not be specified");
	if (bundle_mode_read(text, a, &mode, e) < 0)
		return -1;
	b->readonly = mode.readonly;
	b->mode = arena_strdup(a, text);
	if (mode.propagation)
		b->propagation = arena_strdup(a, mode.propagation);
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
	struct bundle_bind b = { .is_recursive = true, .propagation = arena_strdup(a, "rprivate"), .mode = arena_strdup(a, "") };
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
	struct opt_mount *inherited;
	struct str_list targets = {0};
	size_t n = 0, n_inherited;
	bool is_bind;

	if (h->binds.n > BINDS_MAX || h->tmpfs.n > BINDS_MAX || h->n_mounts > BINDS_MAX - h->binds.n ||
	    o->n_inherited > BINDS_MAX - h->binds.n - h->n_mounts)
		return err_set(e, ERR_INVALID, "more than %d mounts", BINDS_MAX);
	binds = arena_new_array(a, struct bundle_bind, h->binds.n + h->n_mounts + o->n_inherited + 1);
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
	bundle_inherited(o, a, &inherited, &n_inherited);
	for (size_t i = 0; i < n_inherited; i++) {
		if (bundle_mount_bind(&inherited[i], a, &binds[n], &is_bind, e) < 0)
			return -1;
		n += is_bind;
	}
	*ret = n > 0 ? binds : NULL;
	*ret_n = n;
	return 0;
}
