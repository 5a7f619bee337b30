/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/groups.h"

#include "base/own.h"
#include "base/str.h"
#include "oci/launch.h"
#include "oci/runtime_config.h"
#include "runtime/cgroup.h"
#include "runtime/cgroup_limits.h"
#include "runtime/front/front.h"
#include "runtime/front/instance.h"
#include "runtime/rootless.h"

int groups_setup(struct err *e)
{
	struct err why = { 0 };

	if (cgroup_setup(&why) < 0 && !(rootless_is() && why.kind == ERR_UNSUPPORTED)) {
		*e = why;
		return -1;
	}
	if (rootless_is())
		cgroup_set_rootless();
	return 0;
}

/* Are errors of control groups passed over? As runc has it: by itself for who is not the host's root. */
static int passes_over(const char *text, bool *ret, struct err *e)
{
	*ret = rootless_is();
	if (text == NULL || str_eq(text, "auto"))
		return 0;
	*ret = str_eq(text, "true");
	return *ret || str_eq(text, "false") ? 0 : err_set(e, ERR_INVALID, "--rootless: '%s' is none of true, false and auto", text);
}

/* One of our own choice goes where something is delegated. */
static void choose_place(const struct front_call *c, struct launch_spec *spec)
{
	const char *given = spec->config->linux_ != NULL ? spec->config->linux_->cgroups_path : NULL;
	char top[512];

	if (!rootless_is() || (given != NULL && given[0] == '/') || !cgroup_delegated(top))
		return;
	spec->cgroup_path = arena_printf(c->a, "%s%s", top, spec->cgroup_path);
	spec->cgroup_root = arena_printf(c->a, "%s%s", top, spec->cgroup_root);
}

/* Rules of devices are none here: cgroup_set_rootless(). */
static int check_no_limits(const struct launch_spec *spec, struct arena *a, struct err *e)
{
	const struct oci_linux *lin = spec->config->linux_;
	struct cgroup_values values;

	if (lin == NULL)
		return 0;
	if (cgroup_limits(lin->resources, cgroup_layout()->is_v2, a, &values, e) < 0)
		return -1;
	for (size_t i = 0; i < values.n; i++)
		if (!str_eq(values.v[i].controller, "devices"))
			return err_set(e, ERR_DENIED, "linux.resources: %s takes a control group, and this user may not make '%s': %s", values.v[i].file,
				       spec->cgroup_path,
				       cgroup_layout()->is_v2 ? "no part of cgroup2 that we are in is delegated (systemd: Delegate=yes)" :
								"control groups of version 1 are not delegated");
	return 0;
}

int groups_choose(const struct front_call *c, struct launch_spec *spec, struct err *e)
{
	bool is_passed_over;

	if (passes_over(c->globals->rootless, &is_passed_over, e) < 0)
		return -1;
	choose_place(c, spec);
	if (!is_passed_over || cgroup_may_make(spec->cgroup_path))
		return 0;
	if (check_no_limits(spec, c->a, e) < 0)
		return -1;
	spec->cgroup_path = NULL;
	return 0;
}

int groups_of(const struct instance *i, const char **ret, struct err *e)
{
	*ret = i->record != NULL ? i->record->cgroup_path : NULL;
	return !str_is_empty(*ret) ? 0 : err_set(e, ERR_CONFLICT, "container '%s' has no control group: it was made without the power to make one", i->id);
}

int groups_check_join(const char *path, struct err *e)
{
	if (!rootless_is() || str_is_empty(path) || cgroup_may_make(path))
		return 0;
	return err_set(e, ERR_DENIED, "control group '%s': this user may not move a process from its own group into it", path);
}
