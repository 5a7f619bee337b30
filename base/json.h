/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON <-> struct by tables: one row per field, next to the struct (STYLE.md, section 6).
 *
 * One table drives decoding into an arena, emitting, the policy for unknown fields and the path in
 * errors ("process.args[2]: expected string, got number"). jansson is the parser; its integers are signed
 * 64-bit, so json.c scans the text first and keeps integers between 2^63 and 2^64-1 exact.
 * Bounded: text by the caller's max, nesting by JSON_MAX_DEPTH. Duplicate keys and NUL in strings are refused.
 * Pure; thread-safe; no I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define JSON_MAX_DEPTH 64

/* Absent is not zero. */
struct opt_u64  { bool set; uint64_t v; };
struct opt_i64  { bool set; int64_t v; };
struct opt_bool { bool set; bool v; };

struct str_list { char **v; size_t n; };                 /* a JSON array of strings */
struct opt_strs { bool set; struct str_list v; };        /* the same where none is not the same as an empty one */
struct str_pair { char *key; char *value; };
struct str_map  { struct str_pair *v; size_t n; };       /* a JSON object of strings, in order of arrival */
struct json_raw { char *text; size_t len; };             /* any value, kept as compact text (NULL: absent) */

enum jtype {
	J_T_BOOL,        /* bool */
	J_T_OPT_BOOL,    /* struct opt_bool */
	J_T_I64,         /* int64_t */
	J_T_U64,         /* uint64_t */
	J_T_U32,         /* uint32_t, range checked */
	J_T_OPT_I64,     /* struct opt_i64 */
	J_T_OPT_U64,     /* struct opt_u64 */
	J_T_DOUBLE,      /* double */
	J_T_STRING,      /* char *, NULL: absent */
	J_T_STRINGS,     /* struct str_list; JSON null is an empty list */
	J_T_OPT_STRINGS, /* struct opt_strs; JSON null is absent */
	J_T_MAP,         /* struct str_map; JSON null is an empty map */
	J_T_OBJECT,      /* pointer to a struct of another schema, NULL: absent */
	J_T_ARRAY,       /* pointer to an array of structs + count field */
	/* object whose values are structs: array of struct whose FIRST member is the `char *` key, + count field */
	J_T_OBJECT_MAP,
	J_T_RAW,         /* struct json_raw */
};

enum jflags {
	J_REQUIRED   = 1,   /* decode: absence is an error */
	J_OMIT_EMPTY = 2,   /* emit: leave out false, 0, NULL, "" and empty lists */
	J_NULLABLE   = 4,   /* emit: an empty list, map, object or string is null; decode takes null as absent anyway */
	J_OR_STRING  = 8,   /* decode, J_T_STRINGS: a string stands for a list of it alone, as in Go's strslice */
};

struct jschema;

struct jfield {
	const char *name;             /* JSON key */
	enum jtype type;
	unsigned flags;               /* enum jflags */
	size_t offset;
	size_t count_offset;          /* J_T_ARRAY and J_T_OBJECT_MAP: a size_t in the same struct */
	const struct jschema *schema; /* J_T_OBJECT, J_T_ARRAY, J_T_OBJECT_MAP */
};

struct jschema {
	const char *spec;             /* where it is specified, for docs: "config.md#process" */
	size_t size;                  /* sizeof the struct */
	const struct jfield *fields;
	size_t n_fields;
	bool fold_case;               /* keys match without regard to case, as Go's decoder does */
};

/* The macros check the member's type: a wrong row does not compile. */
#define J_CHECK_(T, m, type) (0 * sizeof(char[1 - 2 * !_Generic(((T *)0)->m, type: 1, default: 0)]))
#define J_ROW_(T, m, ctype, jt, key, fl, cnt, sch) \
	{ .name = (key), .type = (jt), .flags = (fl), .offset = offsetof(T, m) + J_CHECK_(T, m, ctype), \
	  .count_offset = (cnt), .schema = (sch) }
#define J_BOOLEAN(T, m, key, fl)   J_ROW_(T, m, bool, J_T_BOOL, key, fl, 0, NULL)
#define J_OPT_BOOL(T, m, key, fl)  J_ROW_(T, m, struct opt_bool, J_T_OPT_BOOL, key, fl, 0, NULL)
#define J_I64(T, m, key, fl)       J_ROW_(T, m, int64_t, J_T_I64, key, fl, 0, NULL)
#define J_U64(T, m, key, fl)       J_ROW_(T, m, uint64_t, J_T_U64, key, fl, 0, NULL)
#define J_U32(T, m, key, fl)       J_ROW_(T, m, uint32_t, J_T_U32, key, fl, 0, NULL)
#define J_OPT_I64(T, m, key, fl)   J_ROW_(T, m, struct opt_i64, J_T_OPT_I64, key, fl, 0, NULL)
#define J_OPT_U64(T, m, key, fl)   J_ROW_(T, m, struct opt_u64, J_T_OPT_U64, key, fl, 0, NULL)
#define J_DOUBLE(T, m, key, fl)    J_ROW_(T, m, double, J_T_DOUBLE, key, fl, 0, NULL)
#define J_STRING(T, m, key, fl)    J_ROW_(T, m, char *, J_T_STRING, key, fl, 0, NULL)
#define J_STRINGS(T, m, key, fl)   J_ROW_(T, m, struct str_list, J_T_STRINGS, key, fl, 0, NULL)
#define J_OPT_STRINGS(T, m, key, fl) J_ROW_(T, m, struct opt_strs, J_T_OPT_STRINGS, key, fl, 0, NULL)
#define J_MAP(T, m, key, fl)       J_ROW_(T, m, struct str_map, J_T_MAP, key, fl, 0, NULL)
#define J_RAW(T, m, key, fl)       J_ROW_(T, m, struct json_raw, J_T_RAW, key, fl, 0, NULL)
/* @sch is a pointer to the struct jschema of what the member points to; @n the size_t member that counts */
#define J_OBJECT(T, m, key, sch, fl) \
	{ .name = (key), .type = J_T_OBJECT, .flags = (fl), .offset = offsetof(T, m), .schema = (sch) }
#define J_ARRAY(T, m, n, key, sch, fl) \
	{ .name = (key), .type = J_T_ARRAY, .flags = (fl), .offset = offsetof(T, m), \
	  .count_offset = offsetof(T, n) + J_CHECK_(T, n, size_t), .schema = (sch) }
#define J_OBJECT_MAP(T, m, n, key, sch, fl) \
	{ .name = (key), .type = J_T_OBJECT_MAP, .flags = (fl), .offset = offsetof(T, m), \
	  .count_offset = offsetof(T, n) + J_CHECK_(T, n, size_t), .schema = (sch) }

#define J_SCHEMA(T, where, rows) \
	{ .spec = (where), .size = sizeof(T), .fields = (rows), .n_fields = sizeof(rows) / sizeof((rows)[0]) }
#define J_SCHEMA_FOLD(T, where, rows) \
	{ .spec = (where), .size = sizeof(T), .fields = (rows), .n_fields = sizeof(rows) / sizeof((rows)[0]), \
	  .fold_case = true }

/* Called for each key that no row names. @path is the full path ("HostConfig.Foo"), @value the compact JSON text.
 * Return: 0 to go on, -1 with @e set to refuse. */
typedef int (*json_unknown_fn)(void *ctx, const char *path, const char *value, struct err *e);

/**
 * json_count_values() - About how many values a text holds, to be asked before it is decoded: "{}," takes a hundred times its
 * size in memory
 * Return: at least as many as there are objects, arrays and their members
 */
size_t json_count_values(const char *text, size_t n);

/**
 * json_decode() - Parse text by a schema into an arena
 * @text, @n:  borrows; at most what the caller's own limit allowed
 * @unknown:   NULL: unknown keys are ignored
 * @ret:       a struct of the schema, zeroed where absent, owned by @arena
 * @e:         ERR_INVALID with the path to the value, what was expected and what came; or line and column
 * Return: 0, or -1 with @e set
 */
int json_decode(const char *text, size_t n, const struct jschema *schema, struct arena *arena,
		json_unknown_fn unknown, void *ctx, void **ret, struct err *e);

/**
 * json_err_in() - Say that the value at a path is wrong, with its place in the text
 * @text: borrows; valid JSON
 * @path: "log-opts.max-size", "hosts[1]"; where there is no such value only the path is told
 * @e:    ERR_INVALID "line 3, column 7, at hosts[1]: <what>"
 * Return: -1, always
 */
int json_err_in(const char *text, size_t n, const char *path, const char *what, struct err *e);

/* Emit a struct by its schema, compact, appended to @out; every string is made valid UTF-8. */
void json_emit(const struct jschema *schema, const void *obj, struct strbuf *out);

/* A writer for what no struct holds (lists, streams). Commas are its business; nesting at most JSON_MAX_DEPTH. */
struct jw { struct strbuf *out; unsigned depth; bool comma[JSON_MAX_DEPTH + 1]; };
void jw_init(struct jw *w, struct strbuf *out);
void jw_obj(struct jw *w, const char *key);              /* key NULL inside arrays and at the top */
void jw_obj_end(struct jw *w);
void jw_arr(struct jw *w, const char *key);
void jw_arr_end(struct jw *w);
void jw_str(struct jw *w, const char *key, const char *v);   /* NULL v gives "" */
void jw_strn(struct jw *w, const char *key, const char *v, size_t n);
void jw_i64(struct jw *w, const char *key, int64_t v);
void jw_u64(struct jw *w, const char *key, uint64_t v);
void jw_dbl(struct jw *w, const char *key, double v);
void jw_bool(struct jw *w, const char *key, bool v);
void jw_null(struct jw *w, const char *key);
void jw_raw(struct jw *w, const char *key, const char *json);    /* text that is JSON already; NULL gives null */
void jw_struct(struct jw *w, const char *key, const struct jschema *schema, const void *obj);  /* NULL obj: null */
void jw_strs(struct jw *w, const char *key, const struct str_list *l);
void jw_map(struct jw *w, const char *key, const struct str_map *m);

const char *str_map_get(const struct str_map *m, const char *key);   /* NULL when absent */
