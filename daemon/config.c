/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"

enum opt_type { OPT_BOOL, OPT_TEXT, OPT_TEXTS };

struct option_row {
	char letter;                 /* 0: none */
	const char *name;
	enum opt_type type;
	size_t offset;
	const char *arg;             /* its value's name in --help */
	const char *help;
};

#define AT(field) offsetof(struct config, field)

static const struct option_row options[] = {
	{ 0,   "data-root", OPT_TEXT, AT(data_root), "DIR", "images, containers and metadata (/var/lib/kiln)" },
	{ 0,   "exec-root", OPT_TEXT, AT(exec_root), "DIR", "sockets and other run-time state (/run/kiln)" },
	{ 'H', "host", OPT_TEXTS, AT(hosts), "unix://PATH", "where to serve; repeatable (unix://EXEC-ROOT/kiln.sock)" },
	{ 'G', "group", OPT_TEXT, AT(group), "NAME", "group that may use the socket (kiln, if it exists)" },
	{ 0,   "cgroup-parent", OPT_TEXT, AT(cgroup_parent), "PATH", "control group above all containers (/kiln)" },
	{ 0,   "runtime", OPT_TEXT, AT(runtime_path), "FILE", "kiln-runtime (the one that lies beside kilnd)" },
	{ 'l', "log-level", OPT_TEXT, AT(log_level_name), "LEVEL", "error, warn, info or debug (info)" },
	{ 0,   "log-format", OPT_TEXT, AT(log_format), "FORMAT", "text or json (text)" },
	{ 'D', "debug", OPT_BOOL, AT(is_debug), NULL, "the same as --log-level debug" },
	{ 0,   "stop-all", OPT_BOOL, AT(wants_stop_all), NULL, "tell the kilnd of this exec root to stop its containers and end" },
	{ 'v', "version", OPT_BOOL, AT(wants_version), NULL, "print the version" },
	{ 'h', "help", OPT_BOOL, AT(wants_help), NULL, "print this" },
};

static const struct option_row *find(const char *name, size_t n, char letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (name ? strlen(options[i].name) == n && memcmp(options[i].name, name, n) == 0 :
			   options[i].letter == letter)
			return &options[i];
	}
	return NULL;
}

static void *field(struct config *c, const struct option_row *o)
{
	return (char *)c + o->offset;
}

static void add_text(struct arena *a, struct str_list *l, const char *text)
{
	char **v = arena_new_array(a, char *, l->n + 1);

	if (l->n > 0)
		memcpy(v, l->v, l->n * sizeof(*v));
	v[l->n] = arena_strdup(a, text);
	l->v = v;
	l->n++;
}

static int set_bool(bool *ret, const struct option_row *o, const char *value, struct err *e)
{
	if (value && !str_eq(value, "true") && !str_eq(value, "false"))
		return err_set(e, ERR_INVALID, "option --%s: '%s' is neither true nor false", o->name, value);
	*ret = !value || str_eq(value, "true");
	return 0;
}

/* "--name", "--name=value", "-x", "-xvalue". @ret_value: NULL when the word holds none */
static const struct option_row *split_word(const char *word, const char **ret_value)
{
	const char *eq = strchr(word, '=');

	*ret_value = NULL;
	if (word[1] == '-') {
		size_t n = eq ? (size_t)(eq - word) - 2 : strlen(word + 2);

		*ret_value = eq ? eq + 1 : NULL;
		return find(word + 2, n, 0);
	}
	if (word[1] && word[2])
		*ret_value = word[2] == '=' ? word + 3 : word + 2;
	return word[1] ? find(NULL, 0, word[1]) : NULL;
}

static int parse_words(int argc, char *const *argv, struct arena *a, struct config *c, struct err *e)
{
	for (int i = 1; i < argc; i++) {
		const struct option_row *o = NULL;
		const char *value = NULL;

		if (argv[i][0] != '-')
			return err_set(e, ERR_INVALID, "'%s' is no option; kilnd takes options only", argv[i]);
		o = split_word(argv[i], &value);
		if (!o)
			return err_set(e, ERR_INVALID, "unknown option '%s'", argv[i]);
		if (o->type == OPT_BOOL) {
			if (set_bool(field(c, o), o, value, e) < 0)
				return -1;
			continue;
		}
		if (!value && ++i < argc)
			value = argv[i];
		if (str_is_empty(value))
			return err_set(e, ERR_INVALID, "option --%s needs a value", o->name);
		if (o->type == OPT_TEXTS)
			add_text(a, field(c, o), value);
		else
			*(char **)field(c, o) = arena_strdup(a, value);
	}
	return 0;
}

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

static void set_default(char **field_at, struct arena *a, const char *value)
{
	if (!*field_at)
		*field_at = arena_strdup(a, value);
}

static int clean_absolute(char **path, struct arena *a, const char *option, struct err *e)
{
	AUTO_FREE char *clean = NULL;

	if ((*path)[0] != '/')
		return err_set(e, ERR_INVALID, "option --%s: '%s' is not an absolute path", option, *path);
	clean = path_clean(*path);
	if (str_eq(clean, "/"))
		return err_set(e, ERR_INVALID, "option --%s: '%s' is the root directory", option, *path);
	*path = arena_strdup(a, clean);
	return 0;
}

static int check(struct config *c, struct arena *a, struct err *e)
{
	if (c->is_debug)
		c->log_level_name = arena_strdup(a, "debug");
	if (!log_level_parse(c->log_level_name, &c->log_level))
		return err_set(e, ERR_INVALID, "option --log-level: '%s' is not error, warn, info or debug",
			       c->log_level_name);
	if (!str_eq(c->log_format, "text") && !str_eq(c->log_format, "json"))
		return err_set(e, ERR_INVALID, "option --log-format: '%s' is neither text nor json", c->log_format);
	if (clean_absolute(&c->data_root, a, "data-root", e) < 0 ||
	    clean_absolute(&c->exec_root, a, "exec-root", e) < 0 ||
	    clean_absolute(&c->cgroup_parent, a, "cgroup-parent", e) < 0 ||
	    clean_absolute(&c->runtime_path, a, "runtime", e) < 0)
		return -1;
	if (c->hosts.n == 0)
		add_text(a, &c->hosts, arena_printf(a, "unix://%s/kiln.sock", c->exec_root));
	return 0;
}

int config_parse(int argc, char *const *argv, struct arena *a, struct config *ret, struct err *e)
{
	struct config c = { 0 };

	if (parse_words(argc, argv, a, &c, e) < 0)
		return -1;
	if (!c.wants_help && !c.wants_version) {
		set_default(&c.data_root, a, "/var/lib/kiln");
		set_default(&c.exec_root, a, "/run/kiln");
		set_default(&c.cgroup_parent, a, "/kiln");
		set_default(&c.group, a, "kiln");
		set_default(&c.log_level_name, a, "info");
		set_default(&c.log_format, a, "text");
		if (!c.runtime_path)
			c.runtime_path = default_runtime(a);
		if (check(&c, a, e) < 0)
			return -1;
	}
	*ret = c;
	return 0;
}

void config_help(struct strbuf *out)
{
	strbuf_adds(out, "usage: kilnd [options]\n\nThe container daemon. SIGTERM ends it and leaves containers running.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option_row *o = &options[i];
		AUTO_STRBUF struct strbuf left = { 0 };

		if (o->letter)
			strbuf_addf(&left, "-%c, ", o->letter);
		else
			strbuf_adds(&left, "    ");
		strbuf_addf(&left, "--%s", o->name);
		if (o->arg)
			strbuf_addf(&left, " %s", o->arg);
		strbuf_addf(out, "  %-26s %s\n", strbuf_cstr(&left), o->help);
	}
}
