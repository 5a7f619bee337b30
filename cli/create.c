/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "cli/create_emit.h"
#include "cli/env_file.h"
#include "cli/reply.h"

/* ---- what can be told without the daemon ---- */

static bool wants_health_options(const struct create_options *o)
{
	return o->health_cmd || o->health_interval.set || o->health_timeout.set || o->health_start_period.set ||
	       o->health_start_interval.set || o->health_retries.set;
}

int create_check_pull(const char *pull, struct err *e)
{
	if (!pull[0] || str_eq(pull, "missing") || str_eq(pull, "never"))
		return 0;
	if (str_eq(pull, "always"))
		return err_set(e, ERR_UNSUPPORTED, "option '--pull always' is refused: Kiln speaks to no registry; bring images with "
			       "'kiln load' or 'kiln import'");
	return err_set(e, ERR_INVALID, "must be one of \"always\", \"missing\" or \"never\"");
}

int create_check_stream(const char *text, struct err *e)
{
	return strcasecmp(text, "stdin") == 0 || strcasecmp(text, "stdout") == 0 || strcasecmp(text, "stderr") == 0 ? 0 :
	       err_set(e, ERR_INVALID, "valid streams are STDIN, STDOUT and STDERR");
}

int create_check(const struct call *c, struct create_options *o, struct err *e)
{
	if (o->no_healthcheck && wants_health_options(o))
		return err_set(e, ERR_INVALID, "--no-healthcheck conflicts with --health-* options");
	if (o->content_trust_off.set && !o->content_trust_off.v)
		return err_set(e, ERR_UNSUPPORTED, "option '--disable-content-trust=false' is refused: Kiln checks no signatures of names");
	if (o->rm && o->restart && !str_eq(o->restart, "no") && o->restart[0])
		return err_set(e, ERR_INVALID, "conflicting options: cannot specify both --restart and --rm");
	return env_files_read(&o->env, &o->env_file, true, c->a, e) < 0 ? -1 : env_files_read(&o->label, &o->label_file, false, c->a, e);
}

bool create_attached(const struct create_options *o, const char *stream)
{
	for (size_t i = 0; i < o->attach.n; i++)
		if (strcasecmp(o->attach.v[i], stream) == 0)
			return true;
	if (o->is_detached || o->attach.n)
		return false;
	return o->interactive || !str_eq(stream, "stdin");
}

/* ---- the request ---- */

static bool is_unconfined(const struct create_options *o)
{
	for (size_t i = 0; i < o->security_opt.n; i++)
		if (str_eq(o->security_opt.v[i], "systempaths=unconfined"))
			return true;
	return false;
}

static int print_object(const struct call *c, const struct create_options *o, const char *object, struct jw *w, struct err *e)
{
	const char *dot = strrchr(object, '.');

	jw_obj(w, dot ? dot + 1 : object);
	if (opt_emit(&c->cmd->opts, o, object, w, e) < 0)
		return -1;
	jw_obj_end(w);
	return 0;
}

static int print_host(const struct call *c, const struct create_options *o, struct jw *w, struct err *e)
{
	static const struct str_list none;

	jw_obj(w, "HostConfig");
	if (opt_emit(&c->cmd->opts, o, "HostConfig", w, e) < 0)
		return -1;
	if ((o->log_driver || o->log_opt.n) && print_object(c, o, "HostConfig.LogConfig", w, e) < 0)
		return -1;
	if (!o->network)
		jw_str(w, "NetworkMode", "default");
	if (!o->restart)
		emit_restart(w, "RestartPolicy", &(const char *){ "no" }, e);
	if (!o->oom_kill_disable)
		jw_bool(w, "OomKillDisable", false);
	if (!o->pids_limit.set)
		jw_i64(w, "PidsLimit", 0);
	if (is_unconfined(o)) {
		jw_strs(w, "MaskedPaths", &none);
		jw_strs(w, "ReadonlyPaths", &none);
	}
	jw_arr(w, "ConsoleSize");
	jw_u64(w, NULL, o->console_height);
	jw_u64(w, NULL, o->console_width);
	jw_arr_end(w);
	jw_obj_end(w);
	return 0;
}

int create_print(const struct call *c, const struct create_options *o, const struct str_list *args, struct strbuf *out, struct err *e)
{
	struct str_list cmd = { args->v + 1, args->n - 1 };
	struct jw w;

	jw_init(&w, out);
	jw_obj(&w, NULL);
	jw_str(&w, "Image", args->v[0]);
	if (cmd.n)
		jw_strs(&w, "Cmd", &cmd);
	if (opt_emit(&c->cmd->opts, o, NULL, &w, e) < 0)
		return -1;
	jw_bool(&w, "AttachStdin", create_attached(o, "stdin"));
	jw_bool(&w, "AttachStdout", create_attached(o, "stdout"));
	jw_bool(&w, "AttachStderr", create_attached(o, "stderr"));
	jw_bool(&w, "StdinOnce", o->interactive && create_attached(o, "stdin"));
	emit_volumes(&w, "Volumes", &o->volume, e);
	if ((wants_health_options(o) || o->no_healthcheck) && print_object(c, o, "Healthcheck", &w, e) < 0)
		return -1;
	if (print_host(c, o, &w, e) < 0)
		return -1;
	jw_obj_end(&w);
	return 0;
}

struct created { char *id; struct str_list warnings; };
static const struct jfield created_fields[] = {
	J_STRING(struct created, id, "Id", J_REQUIRED),
	J_STRINGS(struct created, warnings, "Warnings", 0),
};
static const struct jschema created_schema = J_SCHEMA(struct created, "ContainerCreate", created_fields);

static int post(const struct call *c, const struct create_options *o, const struct strbuf *request, struct created **ret, struct err *e)
{
	AUTO_STRBUF struct strbuf body = {0};
	AUTO_STRBUF struct strbuf path = {0};

	strbuf_adds(&path, "/containers/create");
	path_query(&path, "name", o->name);
	path_query(&path, "platform", o->platform);
	if (reply_post(c, "POST", path.data, request->data, &body, e) < 0) {
		const struct err why = *e;

		return !strstr(why.msg, "No such image") ? -1 : err_set(e, why.kind, "%.400s; Kiln pulls no images: bring it with 'kiln load'", why.msg);
	}
	return reply_decode(c, &body, &created_schema, (void **)ret, e);
}

/* Made before the container, so that a name that is taken is told in time. */
static int open_cidfile(const char *name, int *ret_fd, struct err *e)
{
	if (!name)
		return 0;
	*ret_fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (*ret_fd < 0 && errno == EEXIST)
		return err_set(e, ERR_CONFLICT, "container ID file found, make sure the other container isn't running or delete %s", name);
	return *ret_fd < 0 ? err_sys(e, "failed to create the container ID file %s", name) : 0;
}

int create_container(const struct call *c, const struct create_options *o, const struct strbuf *request, const char **ret_id,
		     struct err *e)
{
	AUTO_CLOSE int cid_fd = -1;
	struct created *made = NULL;

	if (open_cidfile(o->cidfile, &cid_fd, e) < 0)
		return -1;
	if (post(c, o, request, &made, e) < 0) {
		if (cid_fd >= 0)
			unlink(o->cidfile);
		return -1;
	}
	if (cid_fd >= 0 && fd_write_all(cid_fd, made->id, strlen(made->id), e) < 0)
		return err_wrap(e, "write the container ID file %s", o->cidfile);
	for (size_t i = 0; i < made->warnings.n; i++)
		cmd_say(stderr, "WARNING: %s\n", made->warnings.v[i]);
	*ret_id = made->id;
	return 0;
}
