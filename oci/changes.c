/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/changes.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/signame.h"

#define BLANKS    " \t\r\n"
#define PORT_MAX  65535
#define PORTS_MAX 1024   /* of one range */

struct changes {
	struct arena *arena;
	struct oci_image_exec *exec;
	struct str_list ports, volumes;   /* each once; become objects at the end */
	const char *name;            /* of the instruction */
};

/* ---- words ---- */

static int add_word(struct changes *c, struct str_list *l, const char *text, struct err *e)
{
	if (l->n >= CHANGES_MAX_WORDS)
		return err_set(e, ERR_INVALID, "%s: more than %d words", c->name, CHANGES_MAX_WORDS);
	/* The room doubles: copies of long lists would fill the arena */
	if ((l->n & (l->n - 1)) == 0) {
		char **more = arena_new_array(c->arena, char *, l->n > 0 ? 2 * l->n : 1);

		if (l->n > 0)
			memcpy(more, l->v, l->n * sizeof(*more));
		l->v = more;
	}
	l->v[l->n++] = arena_strdup(c->arena, text);
	return 0;
}

static int add_once(struct changes *c, struct str_list *l, const char *text, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		if (str_eq(l->v[i], text))
			return 0;
	}
	return add_word(c, l, text, e);
}

/* One word with its quotes taken off. Return: 0 and *at behind it, or -1 with @e set */
static int read_word(const struct changes *c, const char **at, struct strbuf *out, struct err *e)
{
	const char *p = *at;
	char quote = 0;

	for (; *p && (quote || !strchr(BLANKS, *p)); p++) {
		if (quote ? *p == quote : *p == '"' || *p == '\'') {
			quote = quote ? 0 : *p;
			continue;
		}
		if (*p == '$' && quote != '\'')
			return err_set(e, ERR_INVALID, "%s: variables are not expanded: write \\$ for a dollar", c->name);
		if (*p == '\\' && quote != '\'' && p[1])
			p++;
		strbuf_addc(out, *p);
	}
	if (quote)
		return err_set(e, ERR_INVALID, "%s: a quote is not closed", c->name);
	*at = p;
	return 0;
}

static int read_words(struct changes *c, const char *text, struct str_list *ret, struct err *e)
{
	AUTO_STRBUF struct strbuf word = { 0 };

	for (text += strspn(text, BLANKS); *text; text += strspn(text, BLANKS)) {
		strbuf_reset(&word);
		if (read_word(c, &text, &word, e) < 0 || add_word(c, ret, strbuf_cstr(&word), e) < 0)
			return -1;
	}
	return 0;
}

static int read_one(struct changes *c, const char *text, char **ret, struct err *e)
{
	struct str_list words = { 0 };

	if (read_words(c, text, &words, e) < 0)
		return -1;
	if (words.n != 1 || !*words.v[0])
		return err_set(e, ERR_INVALID, "%s requires exactly one argument", c->name);
	*ret = words.v[0];
	return 0;
}

/* ---- JSON lists ---- */

struct list_doc {
	struct str_list words;
};
static const struct jfield list_fields[] = { J_STRINGS(struct list_doc, words, "words", J_REQUIRED) };
static const struct jschema list_schema = J_SCHEMA(struct list_doc, "Dockerfile: exec form", list_fields);

static int refuse_key(void *ctx, const char *path, const char *value, struct err *e)
{
	(void)ctx;
	(void)value;
	return err_set(e, ERR_INVALID, "'%.64s' is no list", path);
}

/* Return: true when the text is a JSON array of strings */
static bool read_json(const struct changes *c, const char *text, struct str_list *ret)
{
	void *doc = NULL;
	char *wrapped;

	if (text[0] != '[')
		return false;
	wrapped = arena_printf(c->arena, "{\"words\":%s}", text);
	if (json_decode(wrapped, strlen(wrapped), &list_schema, c->arena, refuse_key, NULL, &doc, ERR_IGNORED) < 0)
		return false;
	*ret = ((struct list_doc *)doc)->words;
	return true;
}

/* ---- the instructions ---- */

/* A JSON array as it is; other text is for the shell. */
static int read_command(struct changes *c, const char *text, struct str_list *ret, struct err *e)
{
	const char *const shell[] = { "/bin/sh", "-c", text };
	struct str_list command = { 0 };

	if (!read_json(c, text, &command)) {
		for (size_t i = 0; i < ARRAY_SIZE(shell); i++) {
			if (add_word(c, &command, shell[i], e) < 0)
				return -1;
		}
	}
	*ret = command;
	return 0;
}

static int do_cmd(struct changes *c, const char *text, struct err *e)
{
	return read_command(c, text, &c->exec->cmd, e);
}

static int do_entrypoint(struct changes *c, const char *text, struct err *e)
{
	return read_command(c, text, &c->exec->entrypoint, e);
}

static int read_pairs(struct changes *c, const char *text, struct str_list *ret, struct err *e)
{
	if (read_words(c, text, ret, e) < 0)
		return -1;
	for (size_t i = 0; i < ret->n; i++) {
		const char *equals = strchr(ret->v[i], '=');

		if (!equals || equals == ret->v[i])
			return err_set(e, ERR_INVALID, "%s: expected name=value, got '%.64s'", c->name, ret->v[i]);
	}
	return 0;
}

static int do_env(struct changes *c, const char *text, struct err *e)
{
	struct str_list pairs = { 0 };
	struct str_list *env = &c->exec->env;

	if (read_pairs(c, text, &pairs, e) < 0)
		return -1;
	for (size_t i = 0; i < pairs.n; i++) {
		size_t n = (size_t)(strchr(pairs.v[i], '=') - pairs.v[i]) + 1, k = 0;

		while (k < env->n && strncmp(env->v[k], pairs.v[i], n) != 0)
			k++;
		if (k < env->n)
			env->v[k] = pairs.v[i];
		else if (add_word(c, env, pairs.v[i], e) < 0)
			return -1;
	}
	return 0;
}

static void put_label(struct changes *c, char *key, char *value)
{
	struct str_map *labels = &c->exec->labels, more;

	for (size_t i = 0; i < labels->n; i++) {
		if (str_eq(labels->v[i].key, key)) {
			labels->v[i].value = value;
			return;
		}
	}
	more = (struct str_map){ arena_new_array(c->arena, struct str_pair, labels->n + 1), labels->n + 1 };
	if (labels->n > 0)
		memcpy(more.v, labels->v, labels->n * sizeof(*more.v));
	more.v[labels->n] = (struct str_pair){ key, value };
	*labels = more;
}

static int do_label(struct changes *c, const char *text, struct err *e)
{
	struct str_list pairs = { 0 };

	if (read_pairs(c, text, &pairs, e) < 0)
		return -1;
	if (c->exec->labels.n + pairs.n > CHANGES_MAX_WORDS)
		return err_set(e, ERR_INVALID, "%s: more than %d words", c->name, CHANGES_MAX_WORDS);
	for (size_t i = 0; i < pairs.n; i++) {
		char *equals = strchr(pairs.v[i], '=');

		*equals = 0;
		put_label(c, pairs.v[i], equals + 1);
	}
	return 0;
}

static bool read_port(const char *text, uint64_t *ret)
{
	return str_to_u64(text, ret) && *ret >= 1 && *ret <= PORT_MAX;
}

/* "80", "80/udp" or "8000-8010/tcp" */
static int expose_one(struct changes *c, const char *word, struct err *e)
{
	char *range = arena_strdup(c->arena, word), *proto = strchr(range, '/'), *dash;
	uint64_t first = 0, last = 0;

	if (proto)
		*proto++ = 0;
	dash = strchr(range, '-');
	if (dash)
		*dash++ = 0;
	if (!read_port(range, &first) || !read_port(dash ? dash : range, &last) || last < first || last - first >= PORTS_MAX ||
	    (proto && !str_eq(proto, "tcp") && !str_eq(proto, "udp") && !str_eq(proto, "sctp")))
		return err_set(e, ERR_INVALID, "%s: expected port[-port][/tcp|udp|sctp], got '%.64s'", c->name, word);
	for (uint64_t p = first; p <= last; p++) {
		if (add_once(c, &c->ports, arena_printf(c->arena, "%u/%s", (unsigned)p, proto ? proto : "tcp"), e) < 0)
			return -1;
	}
	return 0;
}

static int do_expose(struct changes *c, const char *text, struct err *e)
{
	struct str_list words = { 0 };

	if (read_words(c, text, &words, e) < 0)
		return -1;
	for (size_t i = 0; i < words.n; i++) {
		if (expose_one(c, words.v[i], e) < 0)
			return -1;
	}
	return 0;
}

static int do_volume(struct changes *c, const char *text, struct err *e)
{
	struct str_list words = { 0 };

	if (!read_json(c, text, &words) && read_words(c, text, &words, e) < 0)
		return -1;
	for (size_t i = 0; i < words.n; i++) {
		if (!*words.v[i])
			return err_set(e, ERR_INVALID, "%s: a path is empty", c->name);
		if (add_once(c, &c->volumes, words.v[i], e) < 0)
			return -1;
	}
	return 0;
}

static int do_user(struct changes *c, const char *text, struct err *e)
{
	return read_one(c, text, &c->exec->user, e);
}

/* Kept as it is, for who builds on the image; as docker's builder it looks at the first word only */
static int do_onbuild(struct changes *c, const char *text, struct err *e)
{
	static const char *const no_triggers[] = { "ONBUILD", "MAINTAINER", "FROM" };
	size_t n = strcspn(text, BLANKS);

	for (size_t i = 0; i < ARRAY_SIZE(no_triggers); i++)
		if (strlen(no_triggers[i]) == n && strncasecmp(no_triggers[i], text, n) == 0)
			return err_set(e, ERR_INVALID, "%s isn't allowed as an ONBUILD trigger", no_triggers[i]);
	return add_word(c, &c->exec->on_build, text, e);
}

/* Relative to the one before, as in a Dockerfile */
static int do_workdir(struct changes *c, const char *text, struct err *e)
{
	const char *before = str_is_empty(c->exec->working_dir) ? "" : c->exec->working_dir;
	char *dir = NULL;

	if (read_one(c, text, &dir, e) < 0)
		return -1;
	c->exec->working_dir = dir[0] == '/' ? dir : arena_printf(c->arena, "%s%s%s", before, str_ends(before, "/") ? "" : "/", dir);
	return 0;
}

static int do_stopsignal(struct changes *c, const char *text, struct err *e)
{
	char *word = NULL;

	if (read_one(c, text, &word, e) < 0)
		return -1;
	if (signame_parse(word) <= 0)
		return err_set(e, ERR_INVALID, "%s: '%.64s' is no signal", c->name, word);
	c->exec->stop_signal = word;
	return 0;
}

/* ---- HEALTHCHECK ---- */

/* "1m30s", "500ms": whole numbers with their units, as Go prints them */
static bool read_duration(const char *text, int64_t *ret_ns)
{
	static const struct {
		const char *unit;
		int64_t ns;
	} units[] = { { "ms", 1000000 }, { "h", 3600 * CLOCK_NS_PER_SEC }, { "m", 60 * CLOCK_NS_PER_SEC }, { "s", CLOCK_NS_PER_SEC } };
	int64_t sum = 0;

	if (!*text)
		return false;
	while (*text) {
		size_t n = strspn(text, "0123456789"), u = 0;
		int64_t v = 0;

		if (n == 0 || n > 6)
			return false;
		for (size_t i = 0; i < n; i++)
			v = v * 10 + (text[i] - '0');
		text += n;
		while (u < ARRAY_SIZE(units) && !str_starts(text, units[u].unit))
			u++;
		if (u == ARRAY_SIZE(units))
			return false;
		text += strlen(units[u].unit);
		sum += v * units[u].ns;
		if (sum > 365 * 24 * 3600 * CLOCK_NS_PER_SEC)
			return false;
	}
	*ret_ns = sum;
	return true;
}

static int health_flag(const struct changes *c, struct opt_healthcheck *h, const char *flag, struct err *e)
{
	const struct {
		const char *name;
		int64_t *ns;
	} flags[] = {
		{ "--interval=", &h->interval_ns }, { "--timeout=", &h->timeout_ns },
		{ "--start-period=", &h->start_period_ns }, { "--start-interval=", &h->start_interval_ns },
	};
	const char *retries = "--retries=";

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (str_starts(flag, flags[i].name) && read_duration(flag + strlen(flags[i].name), flags[i].ns))
			return 0;
	}
	if (str_starts(flag, retries) && str_to_i64(flag + strlen(retries), &h->retries) && h->retries > 0 && h->retries <= 1000000)
		return 0;
	return err_set(e, ERR_INVALID, "%s: flag '%.64s'", c->name, flag);
}

/* NONE, or flags, CMD and a command */
static int do_healthcheck(struct changes *c, const char *text, struct err *e)
{
	struct opt_healthcheck *h = arena_new_obj(c->arena, struct opt_healthcheck);
	struct str_list command = { 0 };

	while (str_starts(text, "--")) {
		size_t n = strcspn(text, BLANKS);

		if (health_flag(c, h, arena_strndup(c->arena, text, n), e) < 0)
			return -1;
		text += n;
		text += strspn(text, BLANKS);
	}
	c->exec->healthcheck = h;
	if (strcasecmp(text, "NONE") == 0)
		return add_word(c, &h->test, "NONE", e);
	if (strncasecmp(text, "CMD", 3) != 0 || !text[3] || !strchr(BLANKS, text[3]))
		return err_set(e, ERR_INVALID, "%s: expected NONE or CMD and a command", c->name);
	text += 3 + strspn(text + 3, BLANKS);
	if (!read_json(c, text, &command))
		return add_word(c, &h->test, "CMD-SHELL", e) < 0 ? -1 : add_word(c, &h->test, text, e);
	if (add_word(c, &h->test, "CMD", e) < 0)
		return -1;
	for (size_t i = 0; i < command.n; i++) {
		if (add_word(c, &h->test, command.v[i], e) < 0)
			return -1;
	}
	return 0;
}

/* ---- all of them ---- */

static const struct instruction {
	const char *name;
	int (*apply)(struct changes *c, const char *text, struct err *e);
} instructions[] = {
	{ "CMD", do_cmd },
	{ "ENTRYPOINT", do_entrypoint },
	{ "ENV", do_env },
	{ "EXPOSE", do_expose },
	{ "HEALTHCHECK", do_healthcheck },
	{ "LABEL", do_label },
	{ "ONBUILD", do_onbuild },
	{ "STOPSIGNAL", do_stopsignal },
	{ "USER", do_user },
	{ "VOLUME", do_volume },
	{ "WORKDIR", do_workdir },
};

/* A configuration is JSON, which cannot hold other bytes */
static bool is_utf8(const char *text, size_t n)
{
	for (size_t at = 0, len; at < n; at += len) {
		len = str_utf8_length((const unsigned char *)text + at, n - at);
		if (len == 0)
			return false;
	}
	return true;
}

static int apply_line(struct changes *c, const char *line, struct err *e)
{
	size_t n, n_line = strlen(line);
	char *text;

	if (n_line > CHANGES_MAX_BYTES)
		return err_set(e, ERR_INVALID, "change: longer than %d bytes", CHANGES_MAX_BYTES);
	if (!is_utf8(line, n_line))
		return err_set(e, ERR_INVALID, "change: is not UTF-8 text");
	line += strspn(line, BLANKS);
	n = strcspn(line, BLANKS);
	text = arena_strdup(c->arena, line + n + strspn(line + n, BLANKS));
	for (size_t k = strlen(text); k > 0 && strchr(BLANKS, text[k - 1]); k--)
		text[k - 1] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(instructions); i++) {
		if (strlen(instructions[i].name) != n || strncasecmp(instructions[i].name, line, n) != 0)
			continue;
		c->name = instructions[i].name;
		if (!*text)
			return err_set(e, ERR_INVALID, "%s requires at least one argument", c->name);
		return instructions[i].apply(c, text, e);
	}
	return err_set(e, ERR_UNSUPPORTED, "%.*s is not a valid change command", n > 32 ? 32 : (int)n, line);
}

/* {"80/tcp":{}} */
static struct json_raw print_set(struct changes *c, const struct str_list *names)
{
	AUTO_STRBUF struct strbuf out = { 0 };
	struct jw w;

	if (names->n == 0)
		return (struct json_raw){ NULL, 0 };
	jw_init(&w, &out);
	jw_obj(&w, NULL);
	for (size_t i = 0; i < names->n; i++) {
		jw_obj(&w, names->v[i]);
		jw_obj_end(&w);
	}
	jw_obj_end(&w);
	return (struct json_raw){ arena_strndup(c->arena, out.data, out.len), out.len };
}

int changes_apply(const struct str_list *lines, struct arena *a, struct oci_image_exec *exec, struct err *e)
{
	struct changes c = { .arena = a, .exec = exec };

	for (size_t i = 0; i < lines->n; i++) {
		if (apply_line(&c, lines->v[i], e) < 0)
			return -1;
	}
	exec->exposed_ports = print_set(&c, &c.ports);
	exec->volumes = print_set(&c, &c.volumes);
	return 0;
}
