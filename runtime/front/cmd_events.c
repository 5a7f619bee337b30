/* SPDX-License-Identifier: Apache-2.0 */
/* events: what a container's control group counts, now and again, and when the kernel has run out of memory for it. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/own.h"
#include "runtime/cgroup.h"
#include "runtime/front/front.h"
#include "runtime/front/groups.h"
#include "runtime/front/instance.h"
#include "runtime/front/stats.h"

#define INTERVAL_DEFAULT_NS (5 * CLOCK_NS_PER_SEC)

struct events_options {
	struct opt_i64 interval;
	bool stats;
};

static const struct opt rows[] = {
	OPT_TIME(struct events_options, interval, 0, "interval", "how long between two events of statistics (default 5s)"),
	OPT_FLAG(struct events_options, stats, 0, "stats", "show the statistics once, and nothing else"),
	OPT_END,
};

/* --- lines --------------------------------------------------------------------------------------------------------- */

/* Whoever reads them sees each when it happens. Return: 0, or -1 with @e set */
static int print_event(const struct instance *i, const char *type, struct err *e)
{
	AUTO_STRBUF struct strbuf out = { 0 };
	struct jw w;

	jw_init(&w, &out);
	jw_obj(&w, NULL);
	jw_str(&w, "type", type);
	jw_str(&w, "id", i->id);
	if (str_eq(type, "stats"))
		stats_write(&w, "data", i->record->cgroup_path);
	jw_obj_end(&w);
	puts(strbuf_cstr(&out));
	return fflush(stdout) == 0 ? 0 : err_sys(e, "write standard output");
}

/* --- waiting ------------------------------------------------------------------------------------------------------- */

static int until_ms(int64_t at_ns)
{
	int64_t left = (at_ns - clock_mono_ns() + 999999) / 1000000;

	return left < 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

/* Until the container ends. */
static int follow(const struct instance *i, int pidfd, int64_t interval_ns, struct err *e)
{
	__attribute__((cleanup(cgroup_oom_watch_done))) struct cgroup_oom_watch oom = CGROUP_OOM_WATCH_EMPTY;
	int64_t next = clock_mono_ns() + interval_ns;

	if (cgroup_oom_watch_init(&oom, i->record->cgroup_path, e) < 0)
		return -1;
	for (;;) {
		struct pollfd p[] = { { .fd = pidfd, .events = POLLIN }, { .fd = oom.fd, .events = POLLIN } };

		if (poll(p, ARRAY_SIZE(p), until_ms(next)) < 0 && errno != EINTR)
			return err_sys(e, "wait for events");
		if (p[1].revents != 0 && cgroup_oom_happened(&oom) && print_event(i, "oom", e) < 0)
			return -1;
		if (p[0].revents != 0)
			return 0;
		if (clock_mono_ns() < next)
			continue;
		next = clock_mono_ns() + interval_ns;
		if (print_event(i, "stats", e) < 0)
			return -1;
	}
}

static int events(const struct front_call *c, int *ret_status, struct err *e)
{
	const struct events_options *o = c->o;
	AUTO_INSTANCE struct instance i = INSTANCE_EMPTY;
	AUTO_CLOSE int pidfd = -1;
	enum instance_status s;
	const char *group;

	*ret_status = 0;
	if (o->interval.set && o->interval.v <= 0)
		return err_set(e, ERR_INVALID, "duration interval must be greater than 0");
	if (groups_setup(e) < 0 || instance_open(c->root, c->args.v[0], c->a, &i, e) < 0 || instance_status(&i, &s, &pidfd, e) < 0)
		return -1;
	if (pidfd < 0)
		return err_set(e, ERR_CONFLICT, "container with id %s is not running", i.id);
	if (groups_of(&i, &group, e) < 0)
		return -1;
	if (o->stats)
		return print_event(&i, "stats", e);
	return follow(&i, pidfd, o->interval.set ? o->interval.v : INTERVAL_DEFAULT_NS, e);
}

const struct front_command front_events = {
	.name = "events",
	.usage = "[OPTIONS] ID",
	.help = "show statistics of a container, and when it runs out of memory, until it ends",
	.more = "Each line is a JSON object: type (stats or oom), id, data.",
	.opts = { { rows } },
	.options_size = sizeof(struct events_options),
	.n_args_min = 1,
	.n_args_max = 1,
	.run = events,
};
