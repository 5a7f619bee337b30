/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/create_emit.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/value.h"
#include "base/path.h"
#include "base/jsontext.h"

enum { PROFILE_MAX = 4 << 20 };

/* Is a later one of the list for the same thing, up to @stop? Docker keeps the last. */
static bool is_overridden(const struct str_list *l, size_t i, char stop)
{
	size_t n = strcspn(l->v[i], (char[]){ stop, 0 });

	for (size_t k = i + 1; k < l->n; k++)
		if (strncmp(l->v[k], l->v[i], n) == 0 && (l->v[k][n] == stop || !l->v[k][n]))
			return true;
	return false;
}

/* "k=v" split at the first @stop. Return: the value, "" when there is none */
static const char *split(const char *text, char stop, char **ret_key)
{
	const char *at = strchr(text, stop);

	*ret_key = xstrndup(text, at ? (size_t)(at - text) : strlen(text));
	return at ? at + 1 : "";
}

static int emit_pairs(struct jw *w, const char *key, const struct str_list *l, char stop)
{
	jw_obj(w, key);
	for (size_t i = 0; i < l->n; i++) {
		AUTO_FREE char *name = NULL;
		const char *value = split(l->v[i], stop, &name);

		if (!is_overridden(l, i, stop))
			jw_str(w, name, value);
	}
	jw_obj_end(w);
	return 0;
}

int emit_map(struct jw *w, const char *key, const void *at, struct err *e)
{
	(void)e;
	return emit_pairs(w, key, at, '=');
}

int emit_tmpfs(struct jw *w, const char *key, const void *at, struct err *e)
{
	(void)e;
	return emit_pairs(w, key, at, ':');
}

int emit_check_env(const char *text, struct err *e)
{
	return text[0] && text[0] != '=' ? 0 : err_set(e, ERR_INVALID, "invalid environment variable: %.128s", text);
}

/* "K" alone takes ours; where we have none, the daemon removes the image's */
int emit_env(struct jw *w, const char *key, const void *at, struct err *e)
{
	const struct str_list *l = at;

	(void)e;
	jw_arr(w, key);
	for (size_t i = 0; i < l->n; i++) {
		const char *ours = strchr(l->v[i], '=') ? NULL : getenv(l->v[i]);
		AUTO_FREE char *pair = ours ? xasprintf("%s=%s", l->v[i], ours) : NULL;

		jw_str(w, NULL, pair ? pair : l->v[i]);
	}
	jw_arr_end(w);
	return 0;
}

int emit_one(struct jw *w, const char *key, const void *at, struct err *e)
{
	(void)e;
	jw_arr(w, key);
	jw_str(w, NULL, *(const char *const *)at);
	jw_arr_end(w);
	return 0;
}

int emit_restart(struct jw *w, const char *key, const void *at, struct err *e)
{
	const char *text = *(const char *const *)at;
	AUTO_FREE char *name = NULL;
	const char *count = split(text, ':', &name);
	int64_t n = 0;

	if (strchr(text, ':') && !str_to_i64(count, &n))
		return err_set(e, ERR_INVALID, "invalid restart policy format: maximum retry count must be an integer");
	jw_obj(w, key);
	jw_str(w, "Name", name);
	jw_i64(w, "MaximumRetryCount", n);
	jw_obj_end(w);
	return 0;
}

int emit_ulimits(struct jw *w, const char *key, const void *at, struct err *e)
{
	const struct str_list *l = at;

	jw_arr(w, key);
	for (size_t i = 0; i < l->n; i++) {
		AUTO_FREE char *name = NULL;
		AUTO_FREE char *first = NULL;
		const char *values = split(l->v[i], '=', &name), *second = split(values, ':', &first);
		int64_t soft, hard;

		if (!str_to_i64(first, &soft) || !str_to_i64(strchr(values, ':') ? second : first, &hard))
			return err_set(e, ERR_INVALID, "invalid ulimit argument: %s", l->v[i]);
		if (is_overridden(l, i, '='))
			continue;
		if (hard != -1 && (soft == -1 || soft > hard))
			return err_set(e, ERR_INVALID, "ulimit soft limit must be less than or equal to hard limit: %s", l->v[i]);
		jw_obj(w, NULL);
		jw_str(w, "Name", name);
		jw_i64(w, "Hard", hard);
		jw_i64(w, "Soft", soft);
		jw_obj_end(w);
	}
	jw_arr_end(w);
	return 0;
}

static bool is_device_mode(const char *text)
{
	return text[0] && strspn(text, "rwm") == strlen(text);
}

/* "/dev/a[:/dev/b][:rwm]" */
int emit_devices(struct jw *w, const char *key, const void *at, struct err *e)
{
	const struct str_list *l = at;

	(void)e;
	jw_arr(w, key);
	for (size_t i = 0; i < l->n; i++) {
		AUTO_FREE char *outside = NULL;
		AUTO_FREE char *inside = NULL;
		const char *mode = split(split(l->v[i], ':', &outside), ':', &inside);
		bool is_mode_second = !mode[0] && is_device_mode(inside);

		jw_obj(w, NULL);
		jw_str(w, "PathOnHost", outside);
		jw_str(w, "PathInContainer", inside[0] && !is_mode_second ? inside : outside);
		jw_str(w, "CgroupPermissions", mode[0] ? mode : is_mode_second ? inside : "rwm");
		jw_obj_end(w);
	}
	jw_arr_end(w);
	return 0;
}

static int emit_rates(struct jw *w, const char *key, const struct str_list *l, const char *what, bool is_bytes, struct err *e)
{
	jw_arr(w, key);
	for (size_t i = 0; i < l->n; i++) {
		AUTO_FREE char *path = NULL;
		const char *text = split(l->v[i], ':', &path);
		int64_t v = -1;

		if (path[0] != '/' || !text[0])
			return err_set(e, ERR_INVALID, "bad format: %s (as /dev/sda:%s)", l->v[i], is_bytes ? "1mb" : "500");
		if (!(is_bytes ? value_bytes(text, &v, ERR_IGNORED) == 0 : str_to_i64(text, &v)) || v < 0)
			return err_set(e, ERR_INVALID, "invalid %s for device: %s", what, l->v[i]);
		jw_obj(w, NULL);
		jw_str(w, "Path", path);
		jw_i64(w, what[0] == 'w' ? "Weight" : "Rate", v);
		jw_obj_end(w);
	}
	jw_arr_end(w);
	return 0;
}

int emit_weights(struct jw *w, const char *key, const void *at, struct err *e)
{
	return emit_rates(w, key, at, "weight", false, e);
}

int emit_bps(struct jw *w, const char *key, const void *at, struct err *e)
{
	return emit_rates(w, key, at, "rate", true, e);
}

int emit_iops(struct jw *w, const char *key, const void *at, struct err *e)
{
	return emit_rates(w, key, at, "rate", false, e);
}

/* A source that begins with "." is meant from where we are; the daemon is elsewhere. */
static char *from_here(const char *path)
{
	AUTO_FREE char *here = path[0] == '.' ? getcwd(NULL, 0) : NULL;
	AUTO_FREE char *joined = here ? xasprintf("%s/%s", here, path) : NULL;

	return joined ? path_clean(joined) : xstrdup(path);
}

int emit_binds(struct jw *w, const char *key, const void *at, struct err *e)
{
	const struct str_list *l = at;

	(void)e;
	jw_arr(w, key);
	for (size_t i = 0; i < l->n; i++) {
		AUTO_FREE char *source = NULL;
		const char *rest = split(l->v[i], ':', &source);
		AUTO_FREE char *there = from_here(source);
		AUTO_FREE char *bind = xasprintf("%s:%s", there, rest);

		if (strchr(l->v[i], ':'))
			jw_str(w, NULL, bind);
	}
	jw_arr_end(w);
	return 0;
}

int emit_volumes(struct jw *w, const char *key, const void *at, struct err *e)
{
	const struct str_list *l = at;

	(void)e;
	jw_obj(w, key);
	for (size_t i = 0; i < l->n; i++) {
		if (strchr(l->v[i], ':') || is_overridden(l, i, ':'))
			continue;
		jw_obj(w, l->v[i]);
		jw_obj_end(w);
	}
	jw_obj_end(w);
	return 0;
}

/* "80", "80/udp", "8000-8010/tcp" */
int emit_ports(struct jw *w, const char *key, const void *at, struct err *e)
{
	const struct str_list *l = at;

	jw_obj(w, key);
	for (size_t i = 0; i < l->n; i++) {
		AUTO_FREE char *range = NULL;
		AUTO_FREE char *first = NULL;
		const char *proto = split(l->v[i], '/', &range), *last = split(range, '-', &first);
		uint64_t from, to;

		if (!str_to_u64(first, &from) || !str_to_u64(last[0] ? last : first, &to) || from > to || to > UINT16_MAX)
			return err_set(e, ERR_INVALID, "invalid range format for --expose: %s", l->v[i]);
		if (is_overridden(l, i, '\n'))
			continue;
		for (; from <= to; from++) {
			AUTO_FREE char *port = xasprintf("%d/%s", (int)from, proto[0] ? proto : "tcp");

			jw_obj(w, port);
			jw_obj_end(w);
		}
	}
	jw_obj_end(w);
	return 0;
}

static int by_name(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* As docker's client: upper case with "CAP_", sorted, each once; ALL says all */
int emit_caps(struct jw *w, const char *key, const void *at, struct err *e)
{
	const struct str_list *l = at;
	AUTO_FREE char **names = xcalloc(l->n, sizeof(*names));
	bool has_all = false;

	(void)e;
	for (size_t i = 0; i < l->n; i++) {
		bool is_bare = strcasecmp(l->v[i], "ALL") == 0 || strncasecmp(l->v[i], "CAP_", 4) == 0;

		names[i] = xasprintf("%s%s", is_bare ? "" : "CAP_", l->v[i]);
		for (char *p = names[i]; *p; p++)
			*p = (char)toupper((unsigned char)*p);
		has_all = has_all || str_eq(names[i], "ALL");
	}
	qsort(names, l->n, sizeof(*names), by_name);
	jw_arr(w, key);
	if (has_all)
		jw_str(w, NULL, "ALL");
	for (size_t i = 0; i < l->n; i++)
		if (!has_all && (i == 0 || !str_eq(names[i], names[i - 1])))
			jw_str(w, NULL, names[i]);
	for (size_t i = 0; i < l->n; i++)
		free(names[i]);
	jw_arr_end(w);
	return 0;
}

/* The profile itself goes to the daemon, compact as docker sends it: the file is ours */
static int emit_profile(struct jw *w, const char *file, struct err *e)
{
	AUTO_STRBUF struct strbuf option = {0};
	AUTO_FREE char *text = NULL;
	AUTO_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct jsontext profile;
	size_t n = 0;

	if (fd < 0)
		return err_sys(e, "opening seccomp profile (%s) failed", file);
	if (fd_read_all(fd, PROFILE_MAX, &text, &n, e) < 0)
		return err_wrap(e, "opening seccomp profile (%s) failed", file);
	if (jsontext_check(text, n, &profile, e) < 0)
		return err_wrap(e, "seccomp profile (%s)", file);
	strbuf_adds(&option, "seccomp=");
	jsontext_compact(&option, profile);
	jw_str(w, NULL, option.data);
	return 0;
}

int emit_security(struct jw *w, const char *key, const void *at, struct err *e)
{
	const struct str_list *l = at;

	jw_arr(w, key);
	for (size_t i = 0; i < l->n; i++) {
		const char *text = l->v[i], *value = strchr(text, '=') ? strchr(text, '=') + 1 : "";

		if (str_eq(text, "systempaths=unconfined"))   /* told as empty lists of paths */
			continue;
		if (!str_starts(text, "seccomp=") || str_eq(value, "unconfined") || str_eq(value, "builtin"))
			jw_str(w, NULL, text);
		else if (emit_profile(w, value, e) < 0)
			return -1;
	}
	jw_arr_end(w);
	return 0;
}

int emit_health_cmd(struct jw *w, const char *key, const void *at, struct err *e)
{
	(void)e;
	jw_arr(w, key);
	jw_str(w, NULL, "CMD-SHELL");
	jw_str(w, NULL, *(const char *const *)at);
	jw_arr_end(w);
	return 0;
}

int emit_health_none(struct jw *w, const char *key, const void *at, struct err *e)
{
	(void)at;
	(void)e;
	jw_arr(w, key);
	jw_str(w, NULL, "NONE");
	jw_arr_end(w);
	return 0;
}
