/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/make.h"

static int create(const struct front_call *c, int *ret_status, struct err *e)
{
	struct make_request r = { .call = c, .o = c->o, .waits = true, .is_detached = true };
	AUTO_MADE struct made m = MADE_EMPTY;

	if (make_container(&r, &m, e) < 0)
		return -1;
	*ret_status = 0;
	return 0;
}

const struct front_command front_create = {
	.name = "create",
	.usage = "[OPTIONS] ID",
	.help = "make a container, whose process waits for start",
	.more = "The process is in its namespaces and control group, with its user, capabilities and seccomp filter, and executes its "
		"program when start says so. It is a child of whoever adopts orphans here: the nearest subreaper.",
	.failed = "create failed",
	.opts = { { make_rows } },
	.options_size = sizeof(struct make_options),
	.n_args_min = 1,
	.n_args_max = 1,
	.enters = true,
	.before = make_enter_users,
	.takes_listen = true,
	.preserve_offset = offsetof(struct make_options, preserve_fds),
	.run = create,
};
