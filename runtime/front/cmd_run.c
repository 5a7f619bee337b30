/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own.h"
#include "runtime/front/attend.h"
#include "runtime/front/hooks.h"
#include "runtime/front/make.h"

static const struct opt rows[] = {
	OPT_FLAG(struct make_options, detach, 'd', "detach", "do not wait for its end"),
	OPT_FLAG(struct make_options, keep, 0, "keep", "do not delete it when its program has ended"),
	OPT_FLAG(struct make_options, no_subreaper, 0, "no-subreaper", "do not adopt what the container leaves behind"),
	OPT_END,
};

static int run(const struct front_call *c, int *ret_status, struct err *e)
{
	const struct make_options *o = c->o;
	struct make_request r = { .call = c, .o = o, .is_detached = o->detach };
	AUTO_MADE struct made m = MADE_EMPTY;

	*ret_status = 0;
	if (!o->detach)
		attend_prepare(!o->no_subreaper);
	if (make_container(&r, &m, e) < 0)
		return -1;
	if (hooks_run_saved(&m.instance, HOOK_POSTSTART, e) < 0) {
		made_undo(&m);
		return -1;
	}
	return o->detach ? 0 : made_attend(&m, o->keep, ret_status, e);
}

const struct front_command front_run = {
	.name = "run",
	.usage = "[OPTIONS] ID",
	.help = "create and start a container, wait for its end and delete it",
	.more = "In the foreground, its standard streams are the caller's, signals are passed on to it, and its exit status is the program's, "
		"or 128 and the number of the signal that ended it. With process.terminal the caller's terminal is in raw mode meanwhile.",
	.failed = "run failed",
	.opts = { { make_rows, rows } },
	.options_size = sizeof(struct make_options),
	.n_args_min = 1,
	.n_args_max = 1,
	.enters = true,
	.before = make_enter_users,
	.takes_listen = true,
	.preserve_offset = offsetof(struct make_options, preserve_fds),
	.run = run,
};
