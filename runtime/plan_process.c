/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <linux/seccomp.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/launch.h"
#include "oci/runtime_config.h"
#include "runtime/caps.h"
#include "runtime/plan_parts.h"
#include "runtime/sched.h"
#include "runtime/seccomp.h"

#define LABEL_MAX 4000 /* the kernel takes one page */

/* --- limits -------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int resource;
} rlimit_names[] = {
	{ "RLIMIT_AS", RLIMIT_AS },
	{ "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_CPU", RLIMIT_CPU },
	{ "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },
	{ "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
	{ "RLIMIT_RTTIME", RLIMIT_RTTIME },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_STACK", RLIMIT_STACK },
};

static int rlimit_plan(const struct oci_rlimit *l, struct stage_rlimit *ret, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(rlimit_names); i++) {
		if (!str_eq(l->type, rlimit_names[i].name))
			continue;
		if (l->soft > l->hard)
			return err_set(e, ERR_INVALID, "%s: soft is above hard", l->type);
		ret->name = rlimit_names[i].name;
		ret->resource = rlimit_names[i].resource;
		ret->limit.rlim_cur = l->soft;
		ret->limit.rlim_max = l->hard;
		return 0;
	}
	return err_set(e, ERR_INVALID, "unknown limit '%s'", l->type);
}

static int rlimits_plan(const struct oci_process *p, struct arena *a, struct process_plan *ret,
			struct err *e)
{
	if (p->n_rlimits > ARRAY_SIZE(rlimit_names))
		return err_set(e, ERR_INVALID, "process.rlimits: more than there are");
	ret->rlimits = arena_new_array(a, struct stage_rlimit, p->n_rlimits + 1);
	for (size_t i = 0; i < p->n_rlimits; i++) {
		if (rlimit_plan(&p->rlimits[i], &ret->rlimits[i], e) < 0)
			return err_wrap(e, "process.rlimits[%zu]", i);
		for (size_t k = 0; k < i; k++)
			if (ret->rlimits[k].resource == ret->rlimits[i].resource)
				return err_set(e, ERR_INVALID,
					       "process.rlimits[%zu]: %s comes twice", i,
					       ret->rlimits[i].name);
	}
	ret->n_rlimits = p->n_rlimits;
	return 0;
}

/* --- environment and user ------------------------------------------------------------------------------------- */

static void env_plan(const struct oci_process *p, struct arena *a, struct process_plan *ret)
{
	bool has_home = false;

	ret->env = arena_new_array(a, char *, p->env.n + 2);
	for (size_t i = 0; i < p->env.n; i++) {
		ret->env[i] = p->env.v[i];
		has_home = has_home || str_starts(p->env.v[i], "HOME=");
	}
	if (has_home)
		return;
	/* the stage that knows the user fills this one; an environment is passed on even if it does not */
	ret->identity.home = arena_alloc(a, strlen("HOME=") + IDENTITY_HOME_MAX);
	memcpy(ret->identity.home, "HOME=", strlen("HOME="));
	ret->env_home_slot = &ret->env[p->env.n];
}

static int identity_plan(const struct process_source *src, struct arena *a,
			 struct process_plan *ret, struct err *e)
{
	static const struct oci_user nobody_said;
	const struct oci_user *u = src->process->user != NULL ? src->process->user : &nobody_said;
	struct stage_identity *id = &ret->identity;
	uint32_t *gids = NULL;
	size_t n = 0;

	if (oci_user_gids(u, a, &gids, &n, e) < 0)
		return err_wrap(e, "process.user");
	if (n >= IDENTITY_GROUPS_MAX)
		return err_set(e, ERR_INVALID, "process.user.additionalGids: more than %d",
			       IDENTITY_GROUPS_MAX - 1);
	if (u->uid == UINT32_MAX || u->gid == UINT32_MAX)
		return err_set(e, ERR_INVALID, "process.user: 4294967295 is no user or group");
	if (u->umask.set && u->umask.v > 0777)
		return err_set(e, ERR_INVALID, "process.user.umask: above 0777");
	id->text = src->user;
	id->uid = u->uid;
	id->gid = u->gid;
	id->groups = arena_new_array(a, uint32_t, IDENTITY_GROUPS_MAX);
	if (n != 0)
		memcpy(id->groups, gids, n * sizeof(*gids));
	id->n_groups = n;
	id->extra = src->groups->v;
	id->n_extra = src->groups->n;
	ret->umask = u->umask.set ? (mode_t)u->umask.v : 022;
	return 0;
}

/* --- the process ------------------------------------------------------------------------------------------------ */

static int args_plan(const struct oci_process *p, struct arena *a, struct process_plan *ret,
		     struct err *e)
{
	char **argv;

	if (p->args.n == 0)
		return err_set(e, ERR_INVALID, "process.args: no command specified");
	if (p->cwd == NULL || p->cwd[0] != '/')
		return err_set(e, ERR_INVALID, "process.cwd: '%s' is not an absolute path",
			       p->cwd != NULL ? p->cwd : "");
	argv = arena_new_array(a, char *, p->args.n + 1);
	memcpy(argv, p->args.v, p->args.n * sizeof(*argv));
	ret->argv = argv;
	ret->cwd = p->cwd;
	return 0;
}

static int oom_plan(const struct oci_process *p, struct arena *a, struct process_plan *ret,
		    struct err *e)
{
	if (!p->oom_score_adj.set)
		return 0;
	if (p->oom_score_adj.v < -1000 || p->oom_score_adj.v > 1000)
		return err_set(e, ERR_INVALID, "process.oomScoreAdj: not between -1000 and 1000");
	ret->oom_score_adj = arena_printf(a, "%" PRId64, p->oom_score_adj.v);
	return 0;
}

static int size_plan(uint32_t height, uint32_t width, struct process_plan *ret, struct err *e)
{
	if (height > UINT16_MAX || width > UINT16_MAX)
		return err_set(e, ERR_INVALID, "the terminal's size is out of range");
	ret->height = (uint16_t)height;
	ret->width = (uint16_t)width;
	return 0;
}

static int stdio_plan(const struct process_source *src, struct process_plan *ret, struct err *e)
{
	const struct launch_stdio *s = src->stdio;

	ret->tty = s != NULL ? s->tty : src->process->terminal;
	ret->in_fd = ret->out_fd = ret->err_fd = -1;
	if (ret->tty && s != NULL && size_plan(s->height, s->width, ret, e) < 0)
		return -1;
	if (ret->tty && s == NULL && src->process->console_size != NULL &&
	    size_plan(src->process->console_size->height, src->process->console_size->width, ret, e) < 0)
		return err_wrap(e, "process.consoleSize");
	if (ret->tty)
		return 0;
	BUG(src->fds == NULL, "neither a terminal nor descriptors");
	ret->in_fd = src->fds->in;
	ret->out_fd = src->fds->out;
	ret->err_fd = src->fds->err;
	return 0;
}

/* A word of more than one line, or with blanks at its ends, would be another word to the kernel. */
static int check_label(const char *label, const char *field, struct err *e)
{
	size_t n = strlen(label);

	for (const char *c = label; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return err_set(e, ERR_INVALID, "%s: a control character is in it", field);
	if (n > LABEL_MAX || label[0] == ' ' || label[n - 1] == ' ')
		return err_set(e, ERR_INVALID, "%s: '%.100s' is no name", field, label);
	return 0;
}

static int lsm_plan(const struct oci_process *p, struct arena *a, struct process_plan *ret, struct err *e)
{
	struct lsm_op *ops = arena_new_array(a, struct lsm_op, 2);

	ret->lsm = ops;
	if (!str_is_empty(p->apparmor_profile) && !str_eq(p->apparmor_profile, "unconfined")) {
		if (check_label(p->apparmor_profile, "process.apparmorProfile", e) < 0)
			return -1;
		ops[ret->n_lsm++] = (struct lsm_op){
			.what = "AppArmor profile", .name = p->apparmor_profile,
			.files = { "self/attr/apparmor/exec", "self/attr/exec" },
			.text = arena_printf(a, "exec %s", p->apparmor_profile),
			.init_files = { "self/attr/apparmor/current", "self/attr/current" },
			.init_text = arena_printf(a, "changeprofile %s", p->apparmor_profile),
		};
	}
	if (!str_is_empty(p->selinux_label)) {
		if (check_label(p->selinux_label, "process.selinuxLabel", e) < 0)
			return -1;
		ops[ret->n_lsm++] = (struct lsm_op){ .what = "SELinux label", .name = p->selinux_label,
						     .files = { "self/attr/exec" }, .text = p->selinux_label };
	}
	return 0;
}

static int listener_plan(struct process_plan *ret, struct err *e)
{
	enum seccomp_way way;

	ret->has_listener = (ret->filter_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0;
	if (!ret->has_listener)
		return 0;
	if (seccomp_listener_way(&ret->filter, &way, e) < 0)
		return -1;
	ret->tells_listener = way == SECCOMP_WAY_WRITE;
	return 0;
}

static int filter_plan(const struct process_source *src, struct arena *a, struct process_plan *ret,
		       struct err *e)
{
	struct seccomp_source seccomp = {
		.profile = src->seccomp_profile,
		.oci = src->oci_seccomp,
		.caps = ret->caps.bounding,
		.cache_dir = src->filters_dir,
	};
	bool is_bundle = src->data_root == NULL && src->seccomp_profile == NULL;

	if (seccomp_flags(is_bundle ? src->oci_seccomp : NULL, &ret->filter_flags, e) < 0)
		return -1;
	if (src->data_root != NULL) {
		seccomp.cache_dir = arena_printf(a, "%s/seccomp", src->data_root);
		/* a document of ours that says nothing does not mean none */
		if (seccomp.profile == NULL)
			seccomp.profile = "default";
	}
	return seccomp_filter(&seccomp, a, &ret->filter, e) < 0 ? -1 : listener_plan(ret, e);
}

int process_plan_groups(struct process_plan *p, bool keeps, struct err *e)
{
	struct stage_identity *id = &p->identity;

	id->keeps_groups = keeps;
	for (size_t i = 0; keeps && i < id->n_groups; i++)
		if (id->groups[i] != id->gid)
			return err_set(e, ERR_INVALID, "process.user.additionalGids: a user namespace made without privileges, and without newgidmap, lets nobody have any");
	return 0;
}

void process_plan_extend(struct process_plan *p, const struct launch_extras *extras)
{
	p->wait.start_fd = extras->start_fd;
	p->wait.report_fd = extras->report_fd;
	p->n_preserve = extras->n_preserve;
	p->keeps_keyring = extras->no_new_keyring;
	p->identity.keeps_groups = p->identity.keeps_groups || extras->keeps_groups;
	if (extras->start_hooks != NULL)
		p->start_hooks = *extras->start_hooks;
}

int process_plan_build(const struct process_source *src, struct arena *arena,
		       struct process_plan *ret, struct err *e)
{
	const struct oci_process *p = src->process;

	if (p == NULL)
		return err_set(e, ERR_INVALID, "process: it is missing");
	if (args_plan(p, arena, ret, e) < 0 ||
	    rlimits_plan(p, arena, ret, e) < 0 || identity_plan(src, arena, ret, e) < 0 ||
	    oom_plan(p, arena, ret, e) < 0 || stdio_plan(src, ret, e) < 0 ||
	    lsm_plan(p, arena, ret, e) < 0)
		return -1;
	if (sched_plan(p, src->lin, src->is_exec, arena, &ret->sched, e) < 0)
		return -1;
	env_plan(p, arena, ret);
	if (caps_plan(p->capabilities, &ret->caps, e) < 0)
		return err_wrap(e, "process");
	ret->wait = (struct stage_wait){ .start_fd = -1, .report_fd = -1 };
	ret->no_new_privs = p->no_new_privileges;
	ret->wants_init = src->wants_init;
	ret->makes_cwd = src->makes_cwd;
	return filter_plan(src, arena, ret, e);
}
