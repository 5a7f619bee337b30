/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "daemon/config_priv.h"

/* ---- flags ---- */

/* "--name", "--name=value", "-x", "-xvalue". @ret_value: NULL when the word holds none */
static const struct config_row *split_word(const char *word, const char **ret_value)
{
	const char *eq = strchr(word, '=');

	*ret_value = NULL;
	if (word[1] == '-') {
		size_t n = eq ? (size_t)(eq - word) - 2 : strlen(word + 2);

		*ret_value = eq ? eq + 1 : NULL;
		return n > 0 ? config_row_by_flag(word + 2, n, 0) : NULL;
	}
	if (word[1] && word[2])
		*ret_value = word[2] == '=' ? word + 3 : word + 2;
	return config_row_by_flag(NULL, 0, word[1]);
}

static int unknown_flag(const char *word, struct err *e)
{
	AUTO_FREE char *name = xstrdup(word);

	name[strcspn(name, "=")] = '\0';
	if (str_starts(name, "--") && config_refused(name + 2, NULL, e) < 0)
		return err_wrap(e, "option %s", name);
	return err_set(e, ERR_INVALID, "unknown option '%.200s'", word);
}

static int parse_flags(int argc, char *const *argv, struct arena *a, struct config *c, bool *is_given, struct err *e)
{
	for (int i = 1; i < argc; i++) {
		const struct config_row *row = NULL;
		const char *value = NULL;

		if (argv[i][0] != '-')
			return err_set(e, ERR_INVALID, "'%s' is no option; kilnd takes options only", argv[i]);
		row = split_word(argv[i], &value);
		if (!row)
			return unknown_flag(argv[i], e);
		if (row->type == CONFIG_BOOL)
			value = value ? value : "true";
		else if (!value && ++i < argc)
			value = argv[i];
		if (str_is_empty(value))
			return err_set(e, ERR_INVALID, "option --%s needs a value", row->flag);
		if (config_set_text(c, row, value, a, e) < 0)
			return err_wrap(e, "option --%s", row->flag);
		is_given[row - config_rows] = true;
	}
	return 0;
}

/* ---- what nobody said ---- */

/* Beside kilnd in the build tree; in ../bin when installed. */
static char *default_runtime(struct arena *a)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash, *beside, *in_bin;

	if (n <= 0)
		return arena_strdup(a, "/usr/bin/kiln-runtime");
	self[n] = 0;
	slash = strrchr(self, '/');
	*slash = 0;
	beside = arena_printf(a, "%s/kiln-runtime", self);
	if (access(beside, X_OK) == 0)
		return beside;
	slash = strrchr(self, '/');
	if (slash)
		*slash = 0;
	in_bin = arena_printf(a, "%s/bin/kiln-runtime", self);
	return access(in_bin, X_OK) == 0 ? in_bin : beside;
}

static int complete(struct config *c, const bool *is_set, struct arena *a, struct err *e)
{
	for (size_t i = 0; i < config_n_rows; i++) {
		const struct config_row *row = &config_rows[i];

		if (!is_set[i] && row->unset && config_set_text(c, row, row->unset, a, e) < 0)
			return err_wrap(e, "default of --%s", row->flag);
	}
	if (!c->runtime_path)
		c->runtime_path = default_runtime(a);
	BUG(!log_level_parse(c->is_debug ? "debug" : c->log_level_name, &c->log_level), "log level '%s'", c->log_level_name);
	return 0;
}

int config_parse(int argc, char *const *argv, struct arena *a, struct config *ret, struct err *e)
{
	const struct config_row *file = config_row_by_flag("config-file", strlen("config-file"), 0);
	bool is_given[CONFIG_ROWS_MAX] = { 0 }, is_set[CONFIG_ROWS_MAX];
	struct config c = { 0 };

	ret->wants_validate = false;
	if (parse_flags(argc, argv, a, &c, is_given, e) < 0)
		return -1;
	ret->wants_validate = c.wants_validate;
	if (!c.wants_help && !c.wants_version) {
		memcpy(is_set, is_given, sizeof(is_set));
		if (!c.config_file)
			c.config_file = arena_strdup(a, file->unset);
		if (config_file_read(&c, is_given, is_given[file - config_rows], is_set, a, e) < 0 ||
		    complete(&c, is_set, a, e) < 0)
			return -1;
	}
	*ret = c;
	return 0;
}

/* ---- reading it again ---- */

static bool is_same(const struct config *x, const struct config *y, const struct config_row *row)
{
	AUTO_STRBUF struct strbuf a = { 0 }, b = { 0 };

	config_text(x, row, &a);
	config_text(y, row, &b);
	return str_eq(strbuf_cstr(&a), strbuf_cstr(&b));
}

void config_reload(struct config *running, const struct config *fresh,
		   void (*said)(void *ctx, const char *name, bool needs_restart), void *ctx)
{
	struct config merged = *fresh;

	for (size_t i = 0; i < config_n_rows; i++) {
		const struct config_row *row = &config_rows[i];
		bool is_text = row->type == CONFIG_PATH || row->type == CONFIG_TEXT;

		if (!is_same(running, fresh, row))
			said(ctx, row->key ? row->key : row->flag, !row->can_reload);
		if (row->can_reload)
			continue;
		/* They are used since the start, and stay what they were. */
		if (is_text)
			*(char **)config_at(&merged, row) = *(char **)config_at(running, row);
	}
	merged.hosts = running->hosts;
	*running = merged;
}

struct str_map config_attributes(const struct config *c, struct arena *a)
{
	struct str_pair *v = arena_new_array(a, struct str_pair, CONFIG_ROWS_MAX);
	size_t n = 0;

	for (size_t i = 0; i < config_n_rows; i++) {
		AUTO_STRBUF struct strbuf text = { 0 };

		if (!config_rows[i].can_reload)
			continue;
		config_text(c, &config_rows[i], &text);
		v[n++] = (struct str_pair){ (char *)config_rows[i].key, arena_strdup(a, strbuf_cstr(&text)) };
	}
	return (struct str_map){ v, n };
}
