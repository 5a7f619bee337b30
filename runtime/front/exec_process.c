/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/exec_process.h"

#include <fcntl.h>
#include <string.h>

#include "base/own.h"
#include "base/path.h"
#include "oci/runtime_config.h"
#include "runtime/front/bundle_config.h"

#define GIDS_MAX 65536

/* --- users ---------------------------------------------------------------------------------------------------------- */

/* CVE-2026-30892: what is no number must not become 0, and there is no user or group of the highest one. */
static int parse_id(const char *text, const char *what, uint32_t *ret, struct err *e)
{
	uint64_t n;

	if (!str_to_u64(text, &n) || n >= UINT32_MAX)
		return err_set(e, ERR_INVALID, "%s: '%s' is no ID: expected a number from 0 to %u", what, text, UINT32_MAX - 1);
	*ret = (uint32_t)n;
	return 0;
}

static int apply_user(const char *text, struct oci_user *u, struct arena *a, struct err *e)
{
	char *uid, *gid;

	if (text == NULL)
		return 0;
	uid = arena_strdup(a, text);
	gid = strchr(uid, ':');
	if (gid != NULL)
		*gid++ = '\0';
	if (parse_id(uid, "--user", &u->uid, e) < 0)
		return -1;
	return gid != NULL ? parse_id(gid, "--user", &u->gid, e) : 0;
}

/* Groups that are there already stay. */
static int apply_gids(const struct str_list *more, struct oci_user *u, struct arena *a, struct err *e)
{
	AUTO_STRBUF struct strbuf text = { 0 };
	uint32_t *gids, gid = 0;
	struct jw w;
	size_t n;

	if (more->n == 0)
		return 0;
	if (oci_user_gids(u, a, &gids, &n, e) < 0)
		return -1;
	if (more->n > GIDS_MAX)
		return err_set(e, ERR_INVALID, "--additional-gids: more than %d", GIDS_MAX);
	jw_init(&w, &text);
	jw_arr(&w, NULL);
	for (size_t i = 0; i < n; i++)
		jw_u64(&w, NULL, gids[i]);
	for (size_t i = 0; i < more->n; i++) {
		if (parse_id(more->v[i], "--additional-gids", &gid, e) < 0)
			return -1;
		jw_u64(&w, NULL, gid);
	}
	jw_arr_end(&w);
	u->additional_gids = (struct json_raw){ arena_strdup(a, text.data), text.len };
	return 0;
}

/* --- environment and capabilities --------------------------------------------------------------------------------- */

static void add(struct str_list *l, char *value, struct arena *a)
{
	char **v = arena_new_array(a, char *, l->n + 1);

	if (l->n != 0)
		memcpy(v, l->v, l->n * sizeof(*v));
	v[l->n++] = value;
	l->v = v;
}

/* The last one counts: programs look for the first. */
static void set_env(struct str_list *env, char *pair, struct arena *a)
{
	size_t n = strcspn(pair, "=") + 1;

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], pair, n) == 0) {
			env->v[i] = pair;
			return;
		}
	add(env, pair, a);
}

static int apply_env(const struct str_list *env, struct oci_process *p, struct arena *a, struct err *e)
{
	for (size_t i = 0; i < env->n; i++) {
		if (env->v[i][0] == '=' || strchr(env->v[i], '=') == NULL)
			return err_set(e, ERR_INVALID, "--env: '%s' is not NAME=VALUE", env->v[i]);
		set_env(&p->env, env->v[i], a);
	}
	return 0;
}

/* CVE-2022-29162: never inheritable; ambient only where the container has inheritable ones, as runc does it. */
static void apply_caps(const struct str_list *caps, struct oci_process *p, struct arena *a)
{
	struct oci_capabilities *c = p->capabilities;

	if (caps->n != 0 && c == NULL)
		c = p->capabilities = arena_new_obj(a, struct oci_capabilities);
	for (size_t i = 0; i < caps->n; i++) {
		add(&c->bounding, caps->v[i], a);
		add(&c->effective, caps->v[i], a);
		add(&c->permitted, caps->v[i], a);
		if (c->inheritable.n != 0)
			add(&c->ambient, caps->v[i], a);
	}
}

/* --- the process ---------------------------------------------------------------------------------------------------- */

static int read_process(const char *file, struct arena *a, struct oci_process **ret, struct err *e)
{
	struct bundle_text text;
	void *process;

	if (bundle_file_read(AT_FDCWD, file, a, &text, e) < 0)
		return err_wrap(e, "--process");
	if (json_decode(text.text, text.n, &oci_process_schema, a, NULL, NULL, &process, e) < 0)
		return err_wrap(e, "--process '%s'", file);
	*ret = process;
	return 0;
}

static int change_process(const struct exec_options *o, const struct str_list *args, struct oci_process *p, struct arena *a,
			  struct err *e)
{
	if (args->n == 0)
		return err_set(e, ERR_INVALID, "process args cannot be empty");
	p->args = *args;
	p->terminal = o->tty;
	p->console_size = NULL;
	if (o->cwd != NULL)
		p->cwd = arena_strdup(a, o->cwd);
	if (o->apparmor != NULL)
		p->apparmor_profile = arena_strdup(a, o->apparmor);
	if (o->process_label != NULL)
		p->selinux_label = arena_strdup(a, o->process_label);
	if (o->no_new_privs.set)
		p->no_new_privileges = o->no_new_privs.v;
	if (p->user == NULL)
		p->user = arena_new_obj(a, struct oci_user);
	if (apply_user(o->user, p->user, a, e) < 0 || apply_gids(&o->additional_gids, p->user, a, e) < 0)
		return -1;
	apply_caps(&o->caps, p, a);
	return apply_env(&o->env, p, a, e);
}

int exec_process(const struct exec_options *o, const struct str_list *args, struct oci_config *config, struct arena *a,
		 struct oci_process **ret, struct err *e)
{
	if (o->process != NULL) {
		if (args->n != 0)
			return err_set(e, ERR_INVALID, "--process says what is executed: there is no place for '%s'", args->v[0]);
		return read_process(o->process, a, ret, e);
	}
	if (config->process == NULL)
		return err_set(e, ERR_INVALID, "process: it is missing in the container's configuration");
	*ret = config->process;
	return change_process(o, args, config->process, a, e);
}

/* --- control groups ------------------------------------------------------------------------------------------------ */

static int one_cgroup(const char *text, struct arena *a, struct cgroup_below *ret, struct err *e)
{
	const char *colon = strchr(text, ':');
	const char *path = colon != NULL ? colon + 1 : text;
	AUTO_FREE char *clean = NULL, *rooted = xasprintf("/%s", path);

	/* Whoever writes ".." means something else than what would come out */
	for (const char *p = path; p != NULL; p = strchr(p, '/')) {
		p += *p == '/';
		if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
			return err_set(e, ERR_INVALID, "--cgroup: '%s' leads out of the container's group", text);
		if (*p == '\0')
			break;
	}
	clean = path_clean(rooted);
	ret->controllers = colon != NULL ? arena_strndup(a, text, (size_t)(colon - text)) : NULL;
	ret->path = arena_strdup(a, clean);
	if (ret->controllers != NULL && ret->controllers[0] == '\0')
		return err_set(e, ERR_INVALID, "--cgroup: '%s' names no controller", text);
	return 0;
}

int exec_cgroups(const struct str_list *cgroups, struct arena *a, struct cgroup_below **ret, size_t *ret_n, struct err *e)
{
	*ret = arena_new_array(a, struct cgroup_below, cgroups->n + 1);
	*ret_n = cgroups->n;
	for (size_t i = 0; i < cgroups->n; i++)
		if (one_cgroup(cgroups->v[i], a, &(*ret)[i], e) < 0)
			return -1;
	return 0;
}
