/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stddef.h>
#include <string.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/value.h"
#include "daemon/config_priv.h"
#include "oci/options_rules.h"
#include "runtime/proto.h"

#define PROFILE_MAX_BYTES (1024 * 1024)
#define GROUP_MAX_BYTES   120

/* ---- checks of single options ---- */

static int check_hosts(struct config *c, const struct config_row *row, struct arena *a, struct err *e)
{
	(void)row, (void)a;
	for (size_t i = 0; i < c->hosts.n; i++) {
		const char *h = c->hosts.v[i];

		if (str_starts(h, "tcp://") || str_starts(h, "npipe://") || str_starts(h, "ssh://"))
			return err_set(e, ERR_UNSUPPORTED, "'%.200s' is refused: kilnd serves unix sockets only", h);
		if (!str_eq(h, "fd://") && (!str_starts(h, "unix:///") || str_ends(h, "/")))
			return err_set(e, ERR_INVALID, "'%.200s' is neither unix:///absolute/path nor fd://", h);
		for (size_t k = 0; k < i; k++)
			if (str_eq(c->hosts.v[k], h))
				return err_set(e, ERR_INVALID, "'%.200s' is given twice", h);
	}
	return 0;
}

/* What is below it has an ID more, and the groups that containers ask for. */
static int check_group(struct config *c, const struct config_row *row, struct arena *a, struct err *e)
{
	(void)row, (void)a;
	if (strlen(c->cgroup_parent) > GROUP_MAX_BYTES)
		return err_set(e, ERR_INVALID, "'%.60s…' is longer than the %d bytes that are allowed", c->cgroup_parent, GROUP_MAX_BYTES);
	return 0;
}

static int check_labels(struct config *c, const struct config_row *row, struct arena *a, struct err *e)
{
	(void)row, (void)a;
	for (size_t i = 0; i < c->labels.n; i++) {
		if (!strchr(c->labels.v[i], '=') || c->labels.v[i][0] == '=')
			return err_set(e, ERR_INVALID, "'%.200s' is not key=value", c->labels.v[i]);
	}
	return 0;
}

static int check_shm(struct config *c, const struct config_row *row, struct arena *a, struct err *e)
{
	(void)row, (void)a;
	return c->default_shm_bytes > 0 ? 0 : err_set(e, ERR_INVALID, "must be greater than 0");
}

static int check_timeout(struct config *c, const struct config_row *row, struct arena *a, struct err *e)
{
	(void)row, (void)a;
	if (c->shutdown_timeout_sec < -1 || c->shutdown_timeout_sec > INT32_MAX)
		return err_set(e, ERR_INVALID, "%lld is no number of seconds, nor -1", (long long)c->shutdown_timeout_sec);
	return 0;
}

static int check_stems(struct config *c, const struct config_row *row, struct arena *a, struct err *e)
{
	(void)row, (void)a;
	if (c->stems < 0 || c->stems > PROTO_STEMS_MAX)
		return err_set(e, ERR_INVALID, "%lld is no number from 0 to %d", (long long)c->stems, PROTO_STEMS_MAX);
	return 0;
}

static int check_real_time(struct config *c, const struct config_row *row, struct arena *a, struct err *e)
{
	int64_t usec = *(const int64_t *)config_at(c, row);

	(void)a;
	return usec >= 0 ? 0 : err_set(e, ERR_INVALID, "%lld is no number of microseconds", (long long)usec);
}

static int check_ulimits(struct config *c, const struct config_row *row, struct arena *a, struct err *e)
{
	(void)row, (void)a;
	return options_check_ulimits(c->default_ulimits, c->n_default_ulimits, e);
}

static int check_log_opts(struct config *c, const struct config_row *row, struct arena *a, struct err *e)
{
	const struct opt_log_config log = { .type = (char *)"json-file", .config = c->log_opts };

	(void)row, (void)a;
	return options_check_log(&log, e);
}

/* The text is read now: a file that vanishes later must not keep containers from starting. */
static int check_profile(struct config *c, const struct config_row *row, struct arena *a, struct err *e)
{
	static const struct jschema anything = { .spec = "seccomp profile" };
	AUTO_FREE char *text = NULL;
	AUTO_CLOSE int fd = -1;
	void *ignored;
	size_t n;

	(void)row;
	c->seccomp_text = NULL;
	if (str_eq(c->seccomp_profile, "builtin") || str_eq(c->seccomp_profile, "unconfined"))
		return 0;
	if (c->seccomp_profile[0] != '/')
		return err_set(e, ERR_INVALID, "'%.200s' is not builtin, unconfined or an absolute path", c->seccomp_profile);
	if (config_open_file("profile", c->seccomp_profile, &fd, e) < 0)
		return -1;
	if (fd_read_all(fd, PROFILE_MAX_BYTES, &text, &n, e) < 0)
		return err_wrap(e, "profile '%s'", c->seccomp_profile);
	if (json_decode(text, n, &anything, a, NULL, NULL, &ignored, e) < 0)
		return err_wrap(e, "profile '%s'", c->seccomp_profile);
	c->seccomp_text = arena_strdup(a, text);
	return 0;
}

/* ---- the table ---- */

#define AT(field) offsetof(struct config, field)
#define RELOADS   true
#define STAYS     false

const struct config_row config_rows[] = {
	{ 0, "config-file", NULL, CONFIG_PATH, AT(config_file), STAYS, "/etc/kiln/kilnd.json", "FILE",
	  "options as JSON; may be missing unless it is named here", NULL },
	{ 0, "data-root", "data-root", CONFIG_PATH, AT(data_root), STAYS, "/var/lib/kiln", "DIR",
	  "images, containers and metadata", NULL },
	{ 0, "exec-root", "exec-root", CONFIG_PATH, AT(exec_root), STAYS, "/run/kiln", "DIR",
	  "sockets and other run-time state", NULL },
	{ 'H', "host", "hosts", CONFIG_TEXTS, AT(hosts), STAYS, NULL, "URL",
	  "where to serve: unix:///PATH, or fd:// for the sockets that systemd hands over; repeatable; without any it is fd:// when "
	  "there are such sockets, else unix://EXEC-ROOT/kiln.sock", check_hosts },
	{ 'G', "group", "group", CONFIG_TEXT, AT(group), STAYS, "kiln", "NAME",
	  "group that may use the sockets; where it does not exist, only root may", NULL },
	{ 'p', "pidfile", "pidfile", CONFIG_PATH, AT(pidfile), STAYS, NULL, "FILE", "file for kilnd's pid", NULL },
	{ 0, "cgroup-parent", "cgroup-parent", CONFIG_PATH, AT(cgroup_parent), STAYS, NULL, "PATH",
	  "control group above all containers (under systemd /system.slice/kiln.scope, else /kiln)", check_group },
	{ 0, "cpu-rt-period", "cpu-rt-period", CONFIG_NUMBER, AT(cpu_rt_period_usec), STAYS, NULL, "USEC",
	  "period of real time of all containers together; without it the kernel's", check_real_time },
	{ 0, "cpu-rt-runtime", "cpu-rt-runtime", CONFIG_NUMBER, AT(cpu_rt_runtime_usec), STAYS, "0", "USEC",
	  "real time of all containers together in a period", check_real_time },
	{ 0, "runtime", "runtime", CONFIG_PATH, AT(runtime_path), STAYS, NULL, "FILE",
	  "kiln-runtime; without it the one that lies beside kilnd, or in ../bin", NULL },
	{ 0, "stems", "stems", CONFIG_NUMBER, AT(stems), STAYS, "8", "N",
	  "how many starts, and how many execs, may be prepared ahead; 0: none", check_stems },
	{ 'l', "log-level", "log-level", CONFIG_TEXT, AT(log_level_name), RELOADS, "info", "error|warn|info|debug",
	  "how much is logged", NULL },
	{ 'D', "debug", "debug", CONFIG_BOOL, AT(is_debug), RELOADS, NULL, NULL, "the same as --log-level debug", NULL },
	{ 0, "log-format", "log-format", CONFIG_TEXT, AT(log_format), RELOADS, "text", "text|json",
	  "how lines of the log are written", NULL },
	{ 0, "audit-log", "audit-log", CONFIG_PATH, AT(audit_log), RELOADS, NULL, "FILE",
	  "where a JSON line for each changing request goes; without it to the log, whatever its level", NULL },
	{ 0, "shutdown-timeout", "shutdown-timeout", CONFIG_NUMBER, AT(shutdown_timeout_sec), RELOADS, "15", "SECONDS",
	  "how long --stop-all waits for containers that would be waited for without end; -1: for ever", check_timeout },
	{ 0, "label", "labels", CONFIG_TEXTS, AT(labels), RELOADS, NULL, "KEY=VALUE",
	  "label of this daemon, shown by docker info; repeatable", check_labels },
	{ 0, "log-driver", "log-driver", CONFIG_TEXT, AT(log_driver), RELOADS, "json-file", "json-file|none",
	  "log driver of containers that do not name one", NULL },
	{ 0, "log-opt", "log-opts", CONFIG_PAIRS, AT(log_opts), RELOADS, NULL, "KEY=VALUE",
	  "option of that log driver where the container does not set it; repeatable", check_log_opts },
	{ 0, "default-ulimit", "default-ulimits", CONFIG_ULIMITS, AT(default_ulimits), RELOADS, NULL, "NAME=SOFT[:HARD]",
	  "limit of containers that do not set it; repeatable", check_ulimits },
	{ 0, "default-shm-size", "default-shm-size", CONFIG_SIZE, AT(default_shm_bytes), RELOADS, "64m", "SIZE",
	  "size of /dev/shm in containers that do not say it", check_shm },
	{ 0, "init", "init", CONFIG_BOOL, AT(init), RELOADS, NULL, NULL,
	  "run an init in containers that do not say whether they want one", NULL },
	{ 0, "no-new-privileges", "no-new-privileges", CONFIG_BOOL, AT(no_new_privileges), RELOADS, NULL, NULL,
	  "set no-new-privileges in containers that do not say whether they want it", NULL },
	{ 0, "seccomp-profile", "seccomp-profile", CONFIG_TEXT, AT(seccomp_profile), RELOADS, "builtin", "FILE|builtin|unconfined",
	  "seccomp profile of containers that ask for none", check_profile },
	{ 0, "validate", NULL, CONFIG_BOOL, AT(wants_validate), STAYS, NULL, NULL,
	  "check options and configuration file, and end", NULL },
	{ 0, "stop-all", NULL, CONFIG_BOOL, AT(wants_stop_all), STAYS, NULL, NULL,
	  "tell the kilnd of this exec root to stop its containers and to end, and wait for it", NULL },
	{ 'v', "version", NULL, CONFIG_BOOL, AT(wants_version), STAYS, NULL, NULL, "print the version", NULL },
	{ 'h', "help", NULL, CONFIG_BOOL, AT(wants_help), STAYS, NULL, NULL, "print this", NULL },
};
const size_t config_n_rows = ARRAY_SIZE(config_rows);
_Static_assert(ARRAY_SIZE(config_rows) <= CONFIG_ROWS_MAX, "room for a mark of each row");

const struct config_row *config_row_by_flag(const char *flag, size_t n, char letter)
{
	for (size_t i = 0; i < config_n_rows; i++) {
		const struct config_row *row = &config_rows[i];

		if (n > 0 ? strlen(row->flag) == n && memcmp(row->flag, flag, n) == 0 : letter && row->letter == letter)
			return row;
	}
	return NULL;
}

const struct config_row *config_row_by_key(const char *key)
{
	for (size_t i = 0; i < config_n_rows; i++) {
		if (str_eq(config_rows[i].key, key))
			return &config_rows[i];
	}
	return NULL;
}

void *config_at(const struct config *c, const struct config_row *row)
{
	return (char *)c + row->offset;
}

/* ---- values ---- */

static void add_text(struct arena *a, struct str_list *l, const char *text)
{
	char **v = arena_new_array(a, char *, l->n + 1);

	if (l->n > 0)
		memcpy(v, l->v, l->n * sizeof(*v));
	v[l->n] = arena_strdup(a, text);
	l->v = v;
	l->n++;
}

static int add_pair(struct str_map *m, const char *text, struct arena *a, struct err *e)
{
	struct str_pair *v = arena_new_array(a, struct str_pair, m->n + 1);
	const char *eq = strchr(text, '=');

	if (!eq || eq == text)
		return err_set(e, ERR_INVALID, "'%.100s' is not key=value", text);
	if (m->n > 0)
		memcpy(v, m->v, m->n * sizeof(*v));
	v[m->n] = (struct str_pair){ arena_strndup(a, text, (size_t)(eq - text)), arena_strdup(a, eq + 1) };
	*m = (struct str_map){ v, m->n + 1 };
	return 0;
}

static int limit_number(const char *text, int64_t *ret)
{
	if (str_eq(text, "unlimited")) {
		*ret = -1;
		return 0;
	}
	return str_to_i64(text, ret) ? 0 : -1;
}

/* "nofile=1024:4096", "nofile=1024" */
static int add_ulimit(struct config *c, const char *text, struct arena *a, struct err *e)
{
	struct opt_ulimit *v = arena_new_array(a, struct opt_ulimit, c->n_default_ulimits + 1);
	struct opt_ulimit *u = &v[c->n_default_ulimits];
	char *soft, *hard;

	u->name = arena_strdup(a, text);
	soft = strchr(u->name, '=');
	if (!soft || soft == u->name)
		return err_set(e, ERR_INVALID, "'%.100s' is not NAME=SOFT[:HARD]", text);
	*soft++ = '\0';
	hard = strchr(soft, ':');
	if (hard)
		*hard++ = '\0';
	if (limit_number(soft, &u->soft) < 0 || limit_number(hard ? hard : soft, &u->hard) < 0)
		return err_set(e, ERR_INVALID, "'%.100s' is not NAME=SOFT[:HARD]", text);
	if (c->n_default_ulimits > 0)
		memcpy(v, c->default_ulimits, c->n_default_ulimits * sizeof(*v));
	c->default_ulimits = v;
	c->n_default_ulimits++;
	return 0;
}

static int set_bool(bool *ret, const char *text, struct err *e)
{
	if (!str_eq(text, "true") && !str_eq(text, "false"))
		return err_set(e, ERR_INVALID, "'%.100s' is neither true nor false", text);
	*ret = str_eq(text, "true");
	return 0;
}

int config_set_text(struct config *c, const struct config_row *row, const char *text, struct arena *a, struct err *e)
{
	void *at = config_at(c, row);

	switch (row->type) {
	case CONFIG_BOOL:
		if (set_bool(at, text, e) < 0)
			return -1;
		break;
	case CONFIG_TEXT:
	case CONFIG_PATH:
		*(char **)at = arena_strdup(a, text);
		break;
	case CONFIG_TEXTS:
		add_text(a, at, text);
		break;
	case CONFIG_PAIRS:
		if (add_pair(at, text, a, e) < 0)
			return -1;
		break;
	case CONFIG_SIZE:
		if (value_bytes(text, at, ERR_IGNORED) < 0)
			return err_set(e, ERR_INVALID, "'%.100s' is no size such as 64m", text);
		break;
	case CONFIG_NUMBER:
		if (!str_to_i64(text, at))
			return err_set(e, ERR_INVALID, "'%.100s' is no number", text);
		break;
	case CONFIG_ULIMITS:
		if (add_ulimit(c, text, a, e) < 0)
			return -1;
		break;
	}
	return config_check(c, row, a, e);
}

/* ---- checks by type ---- */

static int check_path(char **path, struct arena *a, struct err *e)
{
	AUTO_FREE char *clean = NULL, *whole = xasprintf("%s/", *path);

	if ((*path)[0] != '/')
		return err_set(e, ERR_INVALID, "'%.200s' is not an absolute path", *path);
	/* Of a link it would be another directory; as a name of a group it is none */
	if (strstr(whole, "/../"))
		return err_set(e, ERR_INVALID, "'%.200s': '..' is not taken", *path);
	clean = path_clean(*path);
	if (str_eq(clean, "/"))
		return err_set(e, ERR_INVALID, "'%.200s' is the root directory", *path);
	*path = arena_strdup(a, clean);
	return 0;
}

/* @words: "a|b"; a word in capitals stands for whatever one writes */
static int check_word(const char *text, const char *words, struct err *e)
{
	for (const char *p = words; *p;) {
		size_t n = strcspn(p, "|");

		if ((*p >= 'A' && *p <= 'Z') || (strlen(text) == n && memcmp(p, text, n) == 0))
			return 0;
		p += n + (p[n] == '|');
	}
	return err_set(e, ERR_INVALID, "'%.100s' is not one of %s", text, words);
}

int config_check(struct config *c, const struct config_row *row, struct arena *a, struct err *e)
{
	void *at = config_at(c, row);

	if ((row->type == CONFIG_PATH || row->type == CONFIG_TEXT) && str_is_empty(*(char **)at))
		return err_set(e, ERR_INVALID, "is empty");
	if (row->type == CONFIG_PATH && check_path(at, a, e) < 0)
		return -1;
	if (row->type == CONFIG_TEXT && check_word(*(char **)at, row->arg, e) < 0)
		return -1;
	return row->check ? row->check(c, row, a, e) : 0;
}

/* ---- values as text ---- */

static void add_list(const struct str_list *l, struct strbuf *out)
{
	for (size_t i = 0; i < l->n; i++)
		strbuf_addf(out, "%s%s", i > 0 ? "," : "", l->v[i]);
}

static void add_pairs(const struct str_map *m, struct strbuf *out)
{
	for (size_t i = 0; i < m->n; i++)
		strbuf_addf(out, "%s%s=%s", i > 0 ? "," : "", m->v[i].key, m->v[i].value);
}

static void add_ulimits(const struct config *c, struct strbuf *out)
{
	for (size_t i = 0; i < c->n_default_ulimits; i++) {
		const struct opt_ulimit *u = &c->default_ulimits[i];

		strbuf_addf(out, "%s%s=%lld:%lld", i > 0 ? "," : "", u->name, (long long)u->soft, (long long)u->hard);
	}
}

void config_text(const struct config *c, const struct config_row *row, struct strbuf *out)
{
	const void *at = config_at(c, row);

	switch (row->type) {
	case CONFIG_BOOL:
		strbuf_adds(out, *(const bool *)at ? "true" : "false");
		break;
	case CONFIG_TEXT:
	case CONFIG_PATH:
		strbuf_adds(out, *(char *const *)at ? *(char *const *)at : "");
		break;
	case CONFIG_TEXTS:
		add_list(at, out);
		break;
	case CONFIG_PAIRS:
		add_pairs(at, out);
		break;
	case CONFIG_SIZE:
	case CONFIG_NUMBER:
		strbuf_addf(out, "%lld", (long long)*(const int64_t *)at);
		break;
	case CONFIG_ULIMITS:
		add_ulimits(c, out);
		break;
	}
}
