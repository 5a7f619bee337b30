/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "runtime/cgroup.h"
#include "runtime/front/destroy.h"
#include "runtime/front/front.h"
#include "runtime/front/groups.h"

#define DEATH_TIMEOUT_MS 10000

struct delete_options {
	bool force;
};

static const struct opt rows[] = {
	OPT_FLAG(struct delete_options, force, 'f', "force", "kill it if it runs; one that is not there is deleted already"),
	OPT_END,
};

static int kill_process(const struct instance *i, int pidfd, struct err *e)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int n;

	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(e, "kill the process of container '%s'", i->id);
	/* On v1 what is frozen does not die */
	if (cgroup_is_frozen(i->record->cgroup_path))
		cgroup_freeze(i->record->cgroup_path, false, ERR_IGNORED);
	do
		n = poll(&p, 1, DEATH_TIMEOUT_MS);
	while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : err_set(e, ERR_TIMEOUT, "container init still running");
}

/* Created is not running yet: deleting it ends it, as runc does. */
static int end_process(const struct instance *i, bool force, struct err *e)
{
	AUTO_CLOSE int pidfd = -1;
	enum instance_status s;

	if (instance_status(i, &s, &pidfd, e) < 0)
		return -1;
	if (s == INSTANCE_STOPPED)
		return 0;
	if (s != INSTANCE_CREATED && !force)
		return err_set(e, ERR_CONFLICT, "cannot delete container '%s' that is not stopped: %s", i->id,
			       instance_status_name(s));
	return pidfd >= 0 ? kill_process(i, pidfd, e) : 0;
}

/* A record that nobody can read keeps its container from being deleted only for those who do not insist. */
static int find(const struct front_call *c, bool force, struct instance *ret, struct err *e)
{
	if (instance_find(c->root, c->args.v[0], c->a, ret, e) < 0)
		return -1;
	if (instance_load(ret, e) == 0)
		return 0;
	if (!force || (e->kind != ERR_INVALID && e->kind != ERR_UNSUPPORTED))
		return -1;
	log_warn("%s, deleting it nevertheless", e->msg);
	ret->record = NULL;
	return 0;
}

static int delete_container(const struct front_call *c, int *ret_status, struct err *e)
{
	const struct delete_options *o = c->o;
	AUTO_INSTANCE struct instance i = INSTANCE_EMPTY;

	*ret_status = 0;
	if (groups_setup(e) < 0)
		return -1;
	if (find(c, o->force, &i, e) == 0 && end_process(&i, o->force, e) == 0 && destroy_instance(&i, e) == 0)
		return 0;
	return o->force && e->kind == ERR_NOT_FOUND ? 0 : -1;
}

const struct front_command front_delete = {
	.name = "delete",
	.usage = "[OPTIONS] ID",
	.help = "take away all that belongs to a container that has stopped",
	.opts = { { rows } },
	.options_size = sizeof(struct delete_options),
	.n_args_min = 1,
	.n_args_max = 1,
	.run = delete_container,
};
