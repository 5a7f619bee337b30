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
	if (m->bind && !m->readonly && m->bind->read_only_non_recursive)
		return err_set(e, ERR_INVALID, "mount options conflict: !ReadOnly && BindOptions.ReadOnlyNonRecursive");
	if (m->bind && !m->readonly && m->bind->read_only_force_recursive)
		return err_set(e, ERR_INVALID, "mount options conflict: !ReadOnly && BindOptions.ReadOnlyForceRecursive");
	if (m->bind && m->bind->read_only_non_recursive && m->bind->read_only_force_recursive)
		return err_set(e, ERR_INVALID, "mount options conflict: ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive");
	return 0;
}

static int check_tmpfs(const struct opt_mount *m, struct arena *a, struct err *e)
{
	struct str_list options;

	if (m->bind)
		return say(m, "field BindOptions must not be specified", e);
	if (!str_is_empty(m->source))
		return say(m, "field Source must not be specified", e);
	if (m->tmpfs && (m->tmpfs->size_bytes < 0 || m->tmpfs->mode > MODE_MAX))
		return say(m, "invalid size or mode", e);
	return bundle_mount_tmpfs(m, a, &options, e);
}

static int check(const struct opt_mount *m, struct arena *a, struct err *e)
{
	if (str_eq(m->type, "volume"))
		return err_set(e, ERR_UNSUPPORTED,
			       "HostConfig.Mounts of type 'volume' is refused: there are no volumes yet; use type=bind");
	if (!str_eq(m->type, "bind") && !str_eq(m->type, "tmpfs"))
		return err_set(e, ERR_INVALID, "invalid mount config for type \"%.20s\": mount type unknown", m->type);
	if (check_target(m, e) < 0)
		return -1;
	return str_eq(m->type, "bind") ? check_bind(m, e) : check_tmpfs(m, a, e);
}

static char *clean_copy(const char *path, struct arena *a)
{
	AUTO_FREE char *clean = path_clean(path);

	return arena_strdup(a, clean);
}

int bundle_mount_bind(const struct opt_mount *m, struct arena *a, struct bundle_bind *ret, bool *ret_is_bind, struct err *e)
{
	const struct opt_mount_bind *b = m->bind;

	if (check(m, a, e) < 0)
		return -1;
	*ret_is_bind = str_eq(m->type, "bind");
	if (!*ret_is_bind)
		return 0;
	*ret = (struct bundle_bind){
		.source = clean_copy(m->source, a),
		.target = clean_copy(m->target, a),
		.readonly = m->readonly,
		.is_top_readonly = b && b->read_only_non_recursive,
		.is_recursive = !(b && b->non_recursive),
		.propagation = arena_strdup(a, b && !str_is_empty(b->propagation) ? b->propagation : "rprivate"),
		.must_exist = !(b && b->create_mountpoint),
		.mode = arena_strdup(a, ""),
	};
	return 0;
}

struct tmpfs_option {
	struct str_list words;           /* "noexec"; "size", "1m" */
};
struct tmpfs_options {
	struct tmpfs_option *v;
	size_t n;
};

/* An array of arrays has no row of its own: each inner one is given a name. */
static int read_tmpfs_options(const struct json_raw *raw, struct arena *a, struct tmpfs_options *ret, struct err *e)
{
	static const struct jfield option_fields[] = { J_STRINGS(struct tmpfs_option, words, "w", J_REQUIRED) };
	static const struct jschema option_schema = J_SCHEMA(struct tmpfs_option, "TmpfsOptions.Options", option_fields);
	static const struct jfield options_fields[] = { J_ARRAY(struct tmpfs_options, v, n, "o", &option_schema, 0) };
	static const struct jschema options_schema = J_SCHEMA(struct tmpfs_options, "TmpfsOptions.Options", options_fields);
	AUTO_STRBUF struct strbuf text = {0};
	bool in_string = false;
	void *got;
	int depth = 0;

	strbuf_adds(&text, "{\"o\":");
	for (const char *p = raw->text; *p; p++) {
		if (*p == '"' && (p == raw->text || p[-1] != '\\'))
			in_string = !in_string;
		if (!in_string && *p == '[' && ++depth == 2)
			strbuf_adds(&text, "{\"w\":");
		strbuf_addc(&text, *p);
		if (!in_string && *p == ']' && depth-- == 2)
			strbuf_addc(&text, '}');
	}
	strbuf_addc(&text, '}');
	if (json_decode(text.data, text.len, &options_schema, a, NULL, NULL, &got, ERR_IGNORED) < 0)
		return err_set(e, ERR_INVALID, "invalid mount config for type \"tmpfs\": Options: expected [[\"flag\"],[\"key\",\"value\"]]");
	*ret = *(struct tmpfs_options *)got;
	return 0;
}

static int add_tmpfs_options(const struct json_raw *raw, struct arena *a, struct strbuf *text, struct err *e)
{
	struct tmpfs_options o = {0};

	if (!raw->text || str_eq(raw->text, "null"))
		return 0;
	if (read_tmpfs_options(raw, a, &o, e) < 0)
		return -1;
	for (size_t i = 0; i < o.n; i++) {
		const struct str_list *w = &o.v[i].words;

		for (size_t k = 0; k < w->n; k++)
			if (strchr(w->v[k], ','))
				return err_set(e, ERR_INVALID, "invalid tmpfs option [\"%.100s\"]", w->v[k]);
		if (w->n != 1 && w->n != 2)
			return err_set(e, ERR_INVALID, "invalid mount config for type \"tmpfs\": Options: expected a flag, or a key and a value");
		strbuf_addf(text, ",%s%s%s", w->v[0], w->n == 2 ? "=" : "", w->n == 2 ? w->v[1] : "");
	}
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
	if (m->tmpfs && add_tmpfs_options(&m->tmpfs->options, a, &text, e) < 0)
		return -1;
	return options_tmpfs_options(text.len ? text.data + 1 : "", a, ret, e);
}
