/* SPDX-License-Identifier: Apache-2.0 */
/* Reading --mount. Spec: moby volume/mounts/linux_parser.go validateMountConfigImpl() */
#include <string.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/bundle_parts.h"

#define MODE_MAX 07777

static int say(const struct opt_mount *m, const char *what, struct err *e)
{
	return err_set(e, ERR_INVALID, "invalid mount config for type \"%.20s\": %.300s", m->type, what);
}

static int check_target(const struct opt_mount *m, struct err *e)
{
	AUTO_FREE char *clean = NULL;

	if (str_is_empty(m->target))
		return say(m, "field Target must not be empty", e);
	if (m->target[0] != '/')
		return err_set(e, ERR_INVALID,
			       "invalid mount config for type \"%.20s\": invalid mount path: '%.200s' mount path must be absolute",
			       m->type, m->target);
	clean = path_clean(m->target);
	return str_eq(clean, "/") ? say(m, "invalid specification: destination can't be '/'", e) : 0;
}

static int check_bind(const struct opt_mount *m, struct err *e)
{
	static const char *const modes[] = { "", "private", "rprivate", "slave", "rslave", "shared", "rshared" };
	const char *mode = m->bind && m->bind->propagation ? m->bind->propagation : "";
	bool is_known = false;

	if (m->tmpfs)
		return say(m, "field TmpfsOptions must not be specified", e);
	if (str_is_empty(m->source))
		return say(m, "field Source must not be empty", e);
	if (m->source[0] != '/')
		return err_set(e, ERR_INVALID,
			       "invalid mount config for type \"bind\": invalid mount path: '%.200s' mount path must be absolute",
			       m->source);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		is_known = is_known || str_eq(mode, modes[i]);
	if (!is_known)
		return err_set(e, ERR_INVALID, "invalid mount config for type \"bind\": invalid propagation mode: %.60s", mode);
	if (m->bind && m->bind->read_only_non_recursive)
		return err_set(e, ERR_UNSUPPORTED,
			       "HostConfig.Mounts.BindOptions.ReadOnlyNonRecursive is refused: read-only holds for all below");
	return 0;
}

static int check_tmpfs(const struct opt_mount *m, struct err *e)
{
	if (m->bind)
		return say(m, "field BindOptions must not be specified", e);
	if (!str_is_empty(m->source))
		return say(m, "field Source must not be specified", e);
	if (m->tmpfs && (m->tmpfs->size_bytes < 0 || m->tmpfs->mode > MODE_MAX))
		return say(m, "invalid size or mode", e);
	return 0;
}

static int check(const struct opt_mount *m, struct err *e)
{
	if (str_eq(m->type, "volume"))
		return err_set(e, ERR_UNSUPPORTED,
			       "HostConfig.Mounts of type 'volume' is refused: there are no volumes yet; use type=bind");
	if (!str_eq(m->type, "bind") && !str_eq(m->type, "tmpfs"))
		return err_set(e, ERR_INVALID, "invalid mount config for type \"%.20s\": mount type unknown", m->type);
	if (check_target(m, e) < 0)
		return -1;
	return str_eq(m->type, "bind") ? check_bind(m, e) : check_tmpfs(m, e);
}

static char *clean_copy(const char *path, struct arena *a)
{
	AUTO_FREE char *clean = path_clean(path);

	return arena_strdup(a, clean);
}

int bundle_mount_bind(const struct opt_mount *m, struct arena *a, struct bundle_bind *ret, bool *ret_is_bind, struct err *e)
{
	const struct opt_mount_bind *b = m->bind;

	if (check(m, e) < 0)
		return -1;
	*ret_is_bind = str_eq(m->type, "bind");
	if (!*ret_is_bind)
		return 0;
	*ret = (struct bundle_bind){
		.source = clean_copy(m->source, a),
		.target = clean_copy(m->target, a),
		.readonly = m->readonly,
		.is_recursive = !(b && b->non_recursive),
		.propagation = arena_strdup(a, b && !str_is_empty(b->propagation) ? b->propagation : "rprivate"),
		.must_exist = !(b && b->create_mountpoint),
	};
	return 0;
}

int bundle_mount_tmpfs(const struct opt_mount *m, struct arena *a, struct str_list *ret, struct err *e)
{
	AUTO_STRBUF struct strbuf text = {0};

	if (m->readonly)
		strbuf_adds(&text, ",ro");
	if (m->tmpfs && m->tmpfs->size_bytes > 0)
		strbuf_addf(&text, ",size=%lld", (long long)m->tmpfs->size_bytes);
	if (m->tmpfs && m->tmpfs->mode != 0)
		strbuf_addf(&text, ",mode=%o", m->tmpfs->mode);
	return options_tmpfs_options(text.len ? text.data + 1 : "", a, ret, e);
}
