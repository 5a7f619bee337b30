/* SPDX-License-Identifier: Apache-2.0 */
/* How a container's log is kept, and what each of its lines tells. Spec: moby daemon/logger/loginfo.go, loggerutils/log_tag.go */
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/bundle_parts.h"

/* --- tag --------------------------------------------------------------------------------------------- */

enum tag_field { TAG_ID, TAG_FULL_ID, TAG_NAME, TAG_IMAGE_ID, TAG_IMAGE_FULL_ID, TAG_IMAGE_NAME, TAG_DAEMON_NAME };

static const struct {
	const char *text;
	enum tag_field field;
} tag_fields[] = {
	{ ".ID", TAG_ID }, { ".FullID", TAG_FULL_ID }, { ".Name", TAG_NAME }, { ".ImageID", TAG_IMAGE_ID },
	{ ".ImageFullID", TAG_IMAGE_FULL_ID }, { ".ImageName", TAG_IMAGE_NAME }, { ".DaemonName", TAG_DAEMON_NAME },
};

static void add_field(struct strbuf *out, enum tag_field field, const struct bundle_input *in)
{
	const char *image = in->image_id ? in->image_id : "", *hex = strchr(image, ':');

	switch (field) {
	case TAG_ID: strbuf_add(out, in->id, strnlen(in->id, 12)); break;
	case TAG_FULL_ID: strbuf_adds(out, in->id); break;
	case TAG_NAME: strbuf_adds(out, in->name ? in->name : ""); break;
	case TAG_IMAGE_ID: strbuf_add(out, hex ? hex + 1 : image, strnlen(hex ? hex + 1 : image, 12)); break;
	case TAG_IMAGE_FULL_ID: strbuf_adds(out, image); break;
	case TAG_IMAGE_NAME: strbuf_adds(out, in->options->config->image); break;
	case TAG_DAEMON_NAME: strbuf_adds(out, "kiln"); break;
	}
}

/* "{{.Name}}/{{.ID}}"; @in NULL: only looked at. Return: 0, or -1 with @e set */
static int tag_expand(const char *tag, const struct bundle_input *in, struct strbuf *out, struct err *e)
{
	while (*tag) {
		const char *open = strstr(tag, "{{"), *close = open ? strstr(open, "}}") : NULL, *name;
		size_t n_name, i = 0;

		if (!open) {
			strbuf_adds(out, tag);
			return 0;
		}
		strbuf_add(out, tag, (size_t)(open - tag));
		name = open + 2 + strspn(open + 2, " ");
		n_name = close ? strcspn(name, " }") : 0;
		while (i < ARRAY_SIZE(tag_fields) &&
		       (strlen(tag_fields[i].text) != n_name || strncmp(name, tag_fields[i].text, n_name) != 0))
			i++;
		if (i == ARRAY_SIZE(tag_fields) || name + n_name + strspn(name + n_name, " ") != close)
			return err_set(e, ERR_INVALID, "invalid log opt tag '%.100s': {{.ID}}, {{.FullID}}, {{.Name}}, {{.ImageID}}, "
				       "{{.ImageFullID}}, {{.ImageName}} and {{.DaemonName}} are known", open);
		if (in)
			add_field(out, tag_fields[i].field, in);
		tag = close + 2;
	}
	return 0;
}

int bundle_check_log(const struct opt_log_config *l, struct err *e)
{
	AUTO_STRBUF struct strbuf out = {0};
	struct options_log log;

	if (options_log(l, &log, e) < 0)
		return -1;
	return log.tag ? tag_expand(log.tag, NULL, &out, e) : 0;
}

/* --- attributes -------------------------------------------------------------------------------------- */

/* By key, each once */
static void put(struct str_map *m, char *key, char *value)
{
	size_t at = 0;

	while (at < m->n && strcmp(m->v[at].key, key) < 0)
		at++;
	if (at < m->n && str_eq(m->v[at].key, key)) {
		m->v[at].value = value;
		return;
	}
	memmove(&m->v[at + 1], &m->v[at], (m->n - at) * sizeof *m->v);
	m->v[at] = (struct str_pair){ key, value };
	m->n++;
}

static char *env_value(const struct str_list *env, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], key, n) == 0 && env->v[i][n] == '=')
			return env->v[i] + n + 1;
	return NULL;
}

static size_t count_names(const char *list)
{
	size_t n = list != NULL;

	for (; list && *list; list++)
		n += *list == ',';
	return n;
}

static void put_labels(struct str_map *m, const char *list, const struct opt_config *c, struct arena *a)
{
	char *rest = list ? arena_strdup(a, list) : NULL;

	for (char *name; (name = strsep(&rest, ",")) != NULL;) {
		const char *value = str_map_get(&c->labels, name);

		if (value)
			put(m, name, arena_strdup(a, value));
	}
}

static void put_env(struct str_map *m, const char *list, const struct opt_config *c, struct arena *a)
{
	char *rest = list ? arena_strdup(a, list) : NULL;

	for (char *name; (name = strsep(&rest, ",")) != NULL;) {
		char *value = env_value(&c->env, name);

		if (value)
			put(m, name, value);
	}
}

static char *attributes(const struct options_log *log, const struct bundle_input *in, struct arena *a)
{
	struct str_map m = { arena_new_array(a, struct str_pair, count_names(log->labels) + count_names(log->env) + 2), 0 };
	AUTO_STRBUF struct strbuf tag = {0}, text = {0};
	struct jw w;

	put_labels(&m, log->labels, in->options->config, a);
	put_env(&m, log->env, in->options->config, a);
	if (log->tag && tag_expand(log->tag, in, &tag, ERR_IGNORED) == 0 && tag.len > 0)
		put(&m, arena_strdup(a, "tag"), arena_strdup(a, tag.data));
	if (m.n == 0)
		return arena_strdup(a, "");
	jw_init(&w, &text);
	jw_obj(&w, NULL);
	for (size_t i = 0; i < m.n; i++)
		jw_str(&w, m.v[i].key, m.v[i].value);
	jw_obj_end(&w);
	return arena_strdup(a, text.data);
}

int bundle_log(const struct bundle_input *in, struct arena *a, struct launch_stdio *s, struct err *e)
{
	const struct opt_log_config *l = in->options->host->log_config;
	struct options_log log;

	s->log_path = arena_strdup(a, "");
	if (!in->log_path || str_eq(l->type, "none"))
		return 0;
	if (options_log(l, &log, e) < 0)
		return -1;
	s->log_path = arena_strdup(a, in->log_path);
	s->log_max_bytes = log.max_bytes;
	s->log_max_files = log.max_files;
	s->log_attrs = attributes(&log, in, a);
	return 0;
}
