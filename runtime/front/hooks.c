/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/hooks.h"

#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "oci/runtime_config.h"
#include "runtime/front/bundle_config.h"
#include "runtime/front/crun_annotations.h"
#include "runtime/front/instance.h"

#define TIMEOUT_MAX_SEC (1 << 20)

static const struct {
	const char *name;
	size_t hooks, n;    /* in struct oci_hooks */
	const char *status; /* of the container, then */
} kinds[] = {
#define KIND(m, status) offsetof(struct oci_hooks, m), offsetof(struct oci_hooks, n_##m), status
	[HOOK_PRESTART] = { "prestart", KIND(prestart, "creating") },
	[HOOK_CREATE_RUNTIME] = { "createRuntime", KIND(create_runtime, "creating") },
	[HOOK_CREATE_CONTAINER] = { "createContainer", KIND(create_container, "creating") },
	[HOOK_START_CONTAINER] = { "startContainer", KIND(start_container, "created") },
	[HOOK_POSTSTART] = { "poststart", KIND(poststart, "running") },
	[HOOK_POSTSTOP] = { "poststop", KIND(poststop, "stopped") },
#undef KIND
};
_Static_assert(ARRAY_SIZE(kinds) == HOOK_KINDS_, "each kind has a row");

const char *hooks_name(enum hook_kind kind)
{
	return kinds[kind].name;
}

static size_t list_of(const struct oci_config *config, enum hook_kind kind, const struct oci_hook **ret)
{
	const char *hooks = (const char *)config->hooks;

	if (hooks == NULL)
		return 0;
	memcpy(ret, hooks + kinds[kind].hooks, sizeof(*ret));
	return *(const size_t *)(const void *)(hooks + kinds[kind].n);
}

/* --- checking ------------------------------------------------------------------------------------------------------ */

static int check_hook(const struct oci_hook *h, struct err *e)
{
	if (h->path[0] != '/')
		return err_set(e, ERR_INVALID, "path: '%s' is not absolute", h->path);
	if (h->timeout.set && (h->timeout.v <= 0 || h->timeout.v > TIMEOUT_MAX_SEC))
		return err_set(e, ERR_INVALID, "timeout: %lld is not between 1 and %d seconds", (long long)h->timeout.v, TIMEOUT_MAX_SEC);
	return 0;
}

int hooks_check(const struct oci_config *config, bool *ret_any, struct err *e)
{
	const struct oci_hook *v = NULL;

	*ret_any = false;
	for (enum hook_kind k = 0; k < HOOK_KINDS_; k++) {
		size_t n = list_of(config, k, &v);

		*ret_any = *ret_any || n != 0;
		for (size_t i = 0; i < n; i++)
			if (check_hook(&v[i], e) < 0)
				return err_wrap(e, "hooks.%s[%zu]", kinds[k].name, i);
	}
	return 0;
}

/* --- planning ------------------------------------------------------------------------------------------------------ */

/* The specification's state, up to the number of its process. */
static void plan_state(const struct instance_record *rec, enum hook_kind kind, struct arena *a, struct hook_plan *ret)
{
	AUTO_STRBUF struct strbuf b = { 0 };
	struct jw w;

	jw_init(&w, &b);
	jw_obj(&w, NULL);
	instance_put_state(&w, rec, kinds[kind].status);
	strbuf_adds(&b, ",\"pid\":");
	ret->state = arena_strndup(a, b.data, b.len);
	ret->n_state = b.len;
}

static char *const *words(const struct str_list *l, const char *first, struct arena *a)
{
	char **v = arena_new_array(a, char *, l->n + 2);

	if (l->n != 0)
		memcpy(v, l->v, l->n * sizeof(*v));
	else if (first != NULL)
		v[0] = arena_strdup(a, first);
	return v;
}

void hooks_plan(const struct oci_config *config, const struct instance_record *rec, enum hook_kind kind, struct arena *a,
		struct hook_plan *ret)
{
	const struct oci_hook *v = NULL;
	size_t n = list_of(config, kind, &v);
	struct crun_annotations more = { 0 };
	struct hook_op *ops;

	*ret = (struct hook_plan){ .what = kinds[kind].name, .n = n };
	if (n == 0)
		return;
	ret->ops = ops = arena_new_array(a, struct hook_op, n);
	for (size_t i = 0; i < n; i++)
		ops[i] = (struct hook_op){ .path = v[i].path,
					   .argv = words(&v[i].args, v[i].path, a),
					   .envp = words(&v[i].env, NULL, a),
					   .timeout_ms = v[i].timeout.set ? v[i].timeout.v * 1000 : 0 };
	/* The bundle, as runc and crun have it; of the container's own the program's directory */
	ret->cwd = kind == HOOK_START_CONTAINER ? NULL : rec->bundle;
	plan_state(rec, kind, a, ret);
	/* Below that root such a path would be another file */
	if (kind == HOOK_START_CONTAINER || crun_annotations_read(config, &more, ERR_IGNORED) < 0)
		return;
	ret->files[0] = more.hooks_stdout;
	ret->files[1] = more.hooks_stderr;
}

/* --- running ------------------------------------------------------------------------------------------------------- */

static int run_one(const struct hook_plan *plan, const struct hook_op *op, pid_t pid, struct err *e)
{
	struct stage_hook_end end;
	char how[HOOK_END_MAX];

	if (stage_run_hook(plan, op, pid, &end) < 0)
		return err_sys(e, "%s hook '%s'", plan->what, op->path);
	if (!stage_hook_failed(&end, how))
		return 0;
	return err_set(e, ERR_SYSTEM, "%s hook '%s': %s%s%s", plan->what, op->path, how, end.output[0] != '\0' ? ": " : "", end.output);
}

int hooks_run(const struct hook_plan *plan, pid_t pid, struct err *e)
{
	for (size_t i = 0; i < plan->n; i++)
		if (run_one(plan, &plan->ops[i], pid, e) < 0)
			return -1;
	return 0;
}

static void run_each(const struct hook_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		struct err e = { 0 };

		if (run_one(plan, &plan->ops[i], 0, &e) < 0)
			log_warn("%s, going on", e.msg);
	}
}

int hooks_run_saved(const struct instance *i, enum hook_kind kind, struct err *e)
{
	struct oci_config *config;
	struct bundle_text text;
	struct hook_plan plan;

	if (i->record == NULL || !i->record->has_hooks)
		return 0;
	if (bundle_config_read(i->dir_fd, ".", i->arena, &text, e) < 0 || bundle_config_parse(&text, i->arena, &config, e) < 0)
		return -1;
	hooks_plan(config, i->record, kind, i->arena, &plan);
	if (kind != HOOK_POSTSTOP)
		return hooks_run(&plan, (pid_t)i->record->pid, e);
	run_each(&plan);
	return 0;
}
