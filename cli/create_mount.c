/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --mount: a line of comma separated fields, "key=value", quoted where a value has a comma. One row for each key.
 *
 * Spec: docker/cli opts/mount.go
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/value.h"
#include "base/path.h"
#include "cli/create_emit.h"

enum mount_kind { M_TEXT, M_BOOL, M_BYTES, M_OCTAL, M_RECURSIVE, M_PAIR };

/* What an object of the request is called, in the order in which they are printed; "" is the mount itself */
static const char *const objects[] = { "", "BindOptions", "VolumeOptions", "ImageOptions", "TmpfsOptions" };

static const struct mount_key {
	const char *name, *object, *json;
	enum mount_kind kind;
} keys[] = {
	{ "type", "", "Type", M_TEXT },
	{ "source", "", "Source", M_TEXT }, { "src", "", "Source", M_TEXT },
	{ "target", "", "Target", M_TEXT }, { "dst", "", "Target", M_TEXT }, { "destination", "", "Target", M_TEXT },
	{ "readonly", "", "ReadOnly", M_BOOL }, { "ro", "", "ReadOnly", M_BOOL },
	{ "consistency", "", "Consistency", M_TEXT },
	{ "bind-propagation", "BindOptions", "Propagation", M_TEXT },
	{ "bind-nonrecursive", "BindOptions", "NonRecursive", M_BOOL },
	{ "bind-create-src", "BindOptions", "CreateMountpoint", M_BOOL },
	{ "bind-recursive", "BindOptions", "", M_RECURSIVE },
	{ "volume-nocopy", "VolumeOptions", "NoCopy", M_BOOL },
	{ "volume-subpath", "VolumeOptions", "Subpath", M_TEXT },
	{ "volume-label", "VolumeOptions", "Labels", M_PAIR },
	{ "image-subpath", "ImageOptions", "Subpath", M_TEXT },
	{ "tmpfs-size", "TmpfsOptions", "SizeBytes", M_BYTES },
	{ "tmpfs-mode", "TmpfsOptions", "Mode", M_OCTAL },
};

struct field { const struct mount_key *key; char *value; };   /* value NULL: the key alone */
struct mount { struct field fields[32]; size_t n; };

/* The next field of a line, without its quotes. Return: owned, NULL at the end */
static char *next_field(const char **line)
{
	AUTO_STRBUF struct strbuf out = {0};
	const char *p = *line;
	bool is_quoted = false;

	if (!p)
		return NULL;
	for (; *p && (*p != ',' || is_quoted); p++) {
		if (*p == '"' && is_quoted && p[1] == '"')
			strbuf_addc(&out, *p++);
		else if (*p == '"')
			is_quoted = !is_quoted;
		else
			strbuf_addc(&out, *p);
	}
	*line = *p ? p + 1 : NULL;
	return strbuf_take(&out);
}

static void mount_done(struct mount *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->fields[i].value);
}

static const struct mount_key *find_key(const char *name, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].name) == n && strncasecmp(keys[i].name, name, n) == 0)
			return &keys[i];
	return NULL;
}

static int read_field(struct mount *m, const char *text, struct err *e)
{
	const char *eq = strchr(text, '=');
	const struct mount_key *key = find_key(text, eq ? (size_t)(eq - text) : strlen(text));

	if (!key)
		return err_set(e, ERR_INVALID, eq ? "unexpected key '%.*s' in '%s'" : "invalid field '%.*s' must be a key=value pair",
			       (int)(eq ? eq - text : (ptrdiff_t)strlen(text)), text, text);
	if (!eq && key->kind != M_BOOL)
		return err_set(e, ERR_INVALID, "invalid field '%s' must be a key=value pair", text);
	if (m->n == ARRAY_SIZE(m->fields))
		return err_set(e, ERR_INVALID, "too many fields");
	m->fields[m->n++] = (struct field){ key, eq ? xstrdup(eq + 1) : NULL };
	return 0;
}

static const char *value_of(const struct mount *m, const char *json)
{
	const char *found = NULL;

	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->fields[i].key->json, json))
			found = m->fields[i].value;
	return found;
}

static int print_recursive(struct jw *w, const char *value, struct err *e)
{
	static const struct { const char *value, *json; } known[] = {
		{ "enabled", NULL }, { "disabled", "NonRecursive" }, { "writable", "ReadOnlyNonRecursive" }, { "readonly", "ReadOnlyForceRecursive" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_eq(known[i].value, value)) {
			if (known[i].json)
				jw_bool(w, known[i].json, true);
			return 0;
		}
	return err_set(e, ERR_INVALID, "invalid value for bind-recursive: %s (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")", value);
}

static int print_pairs(struct jw *w, const struct mount *m, const struct mount_key *key)
{
	jw_obj(w, key->json);
	for (size_t i = 0; i < m->n; i++)
		if (m->fields[i].key == key) {
			AUTO_FREE char *name = xstrndup(m->fields[i].value, strcspn(m->fields[i].value, "="));
			const char *eq = strchr(m->fields[i].value, '=');

			jw_str(w, name, eq ? eq + 1 : "");
		}
	jw_obj_end(w);
	return 0;
}

static int print_bool(struct jw *w, const struct field *f, struct err *e)
{
	bool is_true = !f->value || str_eq(f->value, "true") || str_eq(f->value, "1");

	if (!is_true && !str_eq(f->value, "false") && !str_eq(f->value, "0"))
		return err_set(e, ERR_INVALID, "invalid value for %s: %s", f->key->name, f->value);
	jw_bool(w, f->key->json, is_true);
	return 0;
}

static int print_octal(struct jw *w, const struct field *f, struct err *e)
{
	char *end;
	unsigned long v = strtoul(f->value, &end, 8);

	if (*end || end == f->value || v > 07777)
		return err_set(e, ERR_INVALID, "invalid value for %s: %s", f->key->name, f->value);
	jw_u64(w, f->key->json, v);
	return 0;
}

/* A bind's source that begins with "." is meant from where we are. */
static void print_text(struct jw *w, const struct mount *m, const struct field *f)
{
	AUTO_FREE char *here = str_eq(f->key->json, "Source") && f->value[0] == '.' && str_eq(value_of(m, "Type"), "bind") ? getcwd(NULL, 0) : NULL;
	AUTO_FREE char *joined = here ? xasprintf("%s/%s", here, f->value) : NULL;
	AUTO_FREE char *clean = joined ? path_clean(joined) : NULL;

	jw_str(w, f->key->json, clean ? clean : f->value);
}

static int print_field(struct jw *w, const struct mount *m, const struct field *f, struct err *e)
{
	int64_t bytes;

	switch (f->key->kind) {
	case M_TEXT:
		print_text(w, m, f);
		return 0;
	case M_BOOL:
		return print_bool(w, f, e);
	case M_OCTAL:
		return print_octal(w, f, e);
	case M_RECURSIVE:
		return print_recursive(w, f->value, e);
	case M_PAIR:
		return print_pairs(w, m, f->key);
	case M_BYTES:
		if (value_bytes(f->value, &bytes, e) < 0 || bytes < 0)
			return err_set(e, ERR_INVALID, "invalid value for %s: %s", f->key->name, f->value);
		jw_i64(w, f->key->json, bytes);
		return 0;
	}
	return 0;
}

/* The last field that says the same, as docker has it */
static bool is_last(const struct mount *m, size_t i)
{
	for (size_t k = i + 1; k < m->n; k++)
		if (str_eq(m->fields[k].key->json, m->fields[i].key->json) && str_eq(m->fields[k].key->object, m->fields[i].key->object))
			return false;
	return true;
}

static int print_object(struct jw *w, const struct mount *m, const char *object, struct err *e)
{
	bool is_open = !object[0];

	for (size_t i = 0; i < m->n; i++) {
		if (!str_eq(m->fields[i].key->object, object) || !is_last(m, i))
			continue;
		if (!is_open)
			jw_obj(w, object);
		is_open = true;
		if (print_field(w, m, &m->fields[i], e) < 0)
			return -1;
	}
	if (is_open && object[0])
		jw_obj_end(w);
	return 0;
}

static int print_mount(struct jw *w, const struct mount *m, struct err *e)
{
	if (str_is_empty(value_of(m, "Target")))
		return err_set(e, ERR_INVALID, "target is required");
	jw_obj(w, NULL);
	if (!value_of(m, "Type"))
		jw_str(w, "Type", "volume");
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		if (print_object(w, m, objects[i], e) < 0)
			return -1;
	jw_obj_end(w);
	return 0;
}

static int emit_mount(struct jw *w, const char *text, struct err *e)
{
	__attribute__((cleanup(mount_done))) struct mount m = {0};
	const char *line = text;

	for (;;) {
		AUTO_FREE char *field = next_field(&line);

		if (!field)
			break;
		if (read_field(&m, field, e) < 0)
			return -1;
	}
	return print_mount(w, &m, e);
}

int emit_mounts(struct jw *w, const char *key, const void *at, struct err *e)
{
	const struct str_list *l = at;

	jw_arr(w, key);
	for (size_t i = 0; i < l->n; i++)
		if (emit_mount(w, l->v[i], e) < 0)
			return err_wrap(e, "'%.200s'", l->v[i]);
	jw_arr_end(w);
	return 0;
}
