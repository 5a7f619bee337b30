/* SPDX-License-Identifier: Apache-2.0 */
/* pause and resume. */
#include "base/own.h"
#include "runtime/cgroup.h"
#include "runtime/front/front.h"
#include "runtime/front/groups.h"
#include "runtime/front/instance.h"

static int open_container(const struct front_call *c, struct instance *ret, enum instance_status *ret_status, struct err *e)
{
	if (groups_setup(e) < 0 || instance_open(c->root, c->args.v[0], c->a, ret, e) < 0)
		return -1;
	return instance_status(ret, ret_status, NULL, e);
}

static int pause_container(const struct front_call *c, int *ret_status, struct err *e)
{
	AUTO_INSTANCE struct instance i = INSTANCE_EMPTY;
	enum instance_status s;
	const char *group;

	*ret_status = 0;
	if (open_container(c, &i, &s, e) < 0)
		return -1;
	if (s != INSTANCE_RUNNING && s != INSTANCE_CREATED)
		return err_set(e, ERR_CONFLICT, "container not running: it is %s", instance_status_name(s));
	return groups_of(&i, &group, e) < 0 ? -1 : cgroup_freeze(group, true, e);
}

static int resume_container(const struct front_call *c, int *ret_status, struct err *e)
{
	AUTO_INSTANCE struct instance i = INSTANCE_EMPTY;
	enum instance_status s;
	const char *group;

	*ret_status = 0;
	if (open_container(c, &i, &s, e) < 0)
		return -1;
	if (s != INSTANCE_PAUSED)
		return err_set(e, ERR_CONFLICT, "container not paused: it is %s", instance_status_name(s));
	return groups_of(&i, &group, e) < 0 ? -1 : cgroup_freeze(group, false, e);
}

const struct front_command front_pause = {
	.name = "pause",
	.usage = "ID",
	.help = "freeze all processes of a container",
	.n_args_min = 1,
	.n_args_max = 1,
	.run = pause_container,
};

const struct front_command front_resume = {
	.name = "resume",
	.usage = "ID",
	.help = "let the processes of a paused container go on",
	.n_args_min = 1,
	.n_args_max = 1,
	.run = resume_container,
};
