/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kilnd.json. Each key is decoded by a schema of one row, made from the table's, so that what is wrong is told with the path
 * within it; then the place in the file is looked up.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/own.h"
#include "daemon/config_priv.h"

#define FILE_MAX_BYTES (256 * 1024)

struct reading {
	struct config *c;
	struct arena *a;
	const bool *is_given;
	bool *is_set;
	const char *text;
	size_t n;
};

static const struct jfield ulimit_fields[] = {
	J_STRING(struct opt_ulimit, name, "Name", 0),   /* first: the key of the map takes its place */
	J_I64(struct opt_ulimit, soft, "Soft", J_REQUIRED),
	J_I64(struct opt_ulimit, hard, "Hard", J_REQUIRED),
};
static const struct jschema ulimit_schema = J_SCHEMA(struct opt_ulimit, "default-ulimits", ulimit_fields);

static enum jtype json_type(enum config_type type)
{
	static const enum jtype types[] = {
		[CONFIG_BOOL] = J_T_BOOL,      [CONFIG_TEXT] = J_T_STRING,   [CONFIG_PATH] = J_T_STRING,
		[CONFIG_TEXTS] = J_T_STRINGS,  [CONFIG_PAIRS] = J_T_MAP,     [CONFIG_SIZE] = J_T_RAW,
		[CONFIG_NUMBER] = J_T_I64,     [CONFIG_ULIMITS] = J_T_OBJECT_MAP,
	};

	return types[type];
}

struct one_value {
	union {
		bool b;
		char *text;
		int64_t number;
		struct str_list texts;
		struct str_map pairs;
		struct json_raw raw;
		struct opt_ulimit *ulimits;
	};
	size_t n;
};

static int no_more_keys(void *ctx, const char *path, const char *value, struct err *e)
{
	(void)ctx, (void)value;
	return err_set(e, ERR_INVALID, "%.200s: unknown key", path);
}

static int decode_value(const struct config_row *row, const char *value, struct arena *a, struct one_value **ret, struct err *e)
{
	const struct jfield field = { .name = row->key, .type = json_type(row->type), .schema = &ulimit_schema,
				      .count_offset = offsetof(struct one_value, n) };
	const struct jschema schema = { .size = sizeof(struct one_value), .fields = &field, .n_fields = 1 };
	AUTO_STRBUF struct strbuf text = { 0 };

	strbuf_addf(&text, "{\"%s\":%s}", row->key, value);
	return json_decode(strbuf_cstr(&text), text.len, &schema, a, no_more_keys, NULL, (void **)ret, e);
}

/* 67108864, "64m" */
static int take_size(struct config *c, const struct config_row *row, const struct json_raw *raw, struct arena *a, struct err *e)
{
	bool is_text = raw->len >= 2 && raw->text[0] == '"';

	return config_set_text(c, row, is_text ? arena_strndup(a, raw->text + 1, raw->len - 2) : raw->text, a, e);
}

static int take_value(struct reading *r, const struct config_row *row, const char *value, struct err *e)
{
	void *at = config_at(r->c, row);
	struct one_value *v = NULL;

	if (decode_value(row, value, r->a, &v, e) < 0)
		return -1;
	switch (row->type) {
	case CONFIG_BOOL:
		*(bool *)at = v->b;
		break;
	case CONFIG_TEXT:
	case CONFIG_PATH:
		*(char **)at = v->text;
		break;
	case CONFIG_TEXTS:
		*(struct str_list *)at = v->texts;
		break;
	case CONFIG_PAIRS:
		*(struct str_map *)at = v->pairs;
		break;
	case CONFIG_SIZE:
		return take_size(r->c, row, &v->raw, r->a, e);
	case CONFIG_NUMBER:
		*(int64_t *)at = v->number;
		break;
	case CONFIG_ULIMITS:
		r->c->default_ulimits = v->ulimits;
		r->c->n_default_ulimits = v->n;
		break;
	}
	return config_check(r->c, row, r->a, e);
}

/* @e tells what is wrong with a key, maybe with a longer path in front of it: put the place there instead */
static int tell_place(const struct reading *r, const char *key, struct err *e)
{
	const struct err inner = *e;
	AUTO_FREE char *path = NULL;
	size_t n = strlen(key);

	if (strncmp(inner.msg, key, n) == 0 && inner.msg[n] && strchr(".[:", inner.msg[n])) {
		const char *colon = strstr(inner.msg, ": ");

		if (colon) {
			path = xstrndup(inner.msg, (size_t)(colon - inner.msg));
			return json_err_in(r->text, r->n, path, colon + 2, e);
		}
	}
	json_err_in(r->text, r->n, key, inner.msg, e);
	e->kind = inner.kind;
	return -1;
}

static int on_key(void *ctx, const char *key, const char *value, struct err *e)
{
	const struct config_row *row = config_row_by_key(key);
	struct reading *r = ctx;
	int rc;

	if (!row) {
		rc = config_refused(key, value, e);
		if (rc == 0)
			rc = err_set(e, ERR_INVALID, "unknown key");
		return rc < 0 ? tell_place(r, key, e) : 0;
	}
	if (str_eq(value, "null"))
		return 0;
	if (r->is_given[row - config_rows]) {
		err_set(e, ERR_INVALID, "is given by the flag --%s, too: one of them must go", row->flag);
		return tell_place(r, key, e);
	}
	if (take_value(r, row, value, e) < 0)
		return tell_place(r, key, e);
	r->is_set[row - config_rows] = true;
	return 0;
}

int config_open_file(const char *what, const char *path, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open %s '%s'", what, path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "open %s '%s': it is no regular file", what, path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int config_file_read(struct config *c, const bool *is_given, bool must_exist, bool *is_set, struct arena *a, struct err *e)
{
	static const struct jschema top = { .spec = "kilnd.json" };
	AUTO_CLOSE int fd = -1;
	AUTO_FREE char *text = NULL;
	struct reading r = { .c = c, .a = a, .is_given = is_given, .is_set = is_set };
	void *ignored;

	if (config_open_file("configuration file", c->config_file, &fd, e) < 0) {
		if (e->sys != ENOENT || must_exist)
			return -1;
		*e = (struct err){ 0 };
		return 0;
	}
	if (fd_read_all(fd, FILE_MAX_BYTES, &text, &r.n, e) < 0)
		return err_wrap(e, "configuration file '%s'", c->config_file);
	r.text = text;
	if (r.n == strspn(text, " \t\r\n"))   /* as dockerd: an empty file says nothing */
		return 0;
	if (json_decode(text, r.n, &top, a, on_key, &r, &ignored, e) < 0)
		return err_wrap(e, "configuration file '%s'", c->config_file);
	return 0;
}
