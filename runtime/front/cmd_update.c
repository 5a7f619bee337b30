/* SPDX-License-Identifier: Apache-2.0 */
/* update: other limits for a container that is there. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "oci/runtime_config.h"
#include "runtime/cgroup.h"
#include "runtime/cgroup_limits.h"
#include "runtime/front/bundle_config.h"
#include "runtime/front/front.h"
#include "runtime/front/groups.h"
#include "runtime/front/instance.h"
#include "runtime/front/unit.h"
#include "runtime/front/update_options.h"

static const struct opt rows[] = {
	OPT_TEXT(struct update_options, resources, 'r', "resources", "FILE",
		 "the limits as JSON, as linux.resources of a configuration; - is standard input. Other options do not count then", .kind = VALUE_FILE),
	OPT_NUMBER(struct update_options, blkio_weight, 0, "blkio-weight", "N", "the weight of its block I/O, 10 to 1000"),
	OPT_NUMBER(struct update_options, cpu_period, 0, "cpu-period", "USEC", "the period that the quota is about"),
	OPT_NUMBER(struct update_options, cpu_quota, 0, "cpu-quota", "USEC", "how long it may run in a period; -1 is for ever"),
	OPT_NUMBER(struct update_options, cpu_burst, 0, "cpu-burst", "USEC", "how much of the quota may be saved up"),
	OPT_NUMBER(struct update_options, cpu_share, 0, "cpu-share", "N", "its share of the processors beside others"),
	OPT_NUMBER(struct update_options, cpu_rt_period, 0, "cpu-rt-period", "USEC", "the period of its real time (cgroup v1)"),
	OPT_NUMBER(struct update_options, cpu_rt_runtime, 0, "cpu-rt-runtime", "USEC", "its real time in a period (cgroup v1)"),
	OPT_TEXT(struct update_options, cpus, 0, "cpuset-cpus", "LIST", "the processors it may use: 0-3,7"),
	OPT_TEXT(struct update_options, mems, 0, "cpuset-mems", "LIST", "the memory nodes it may use"),
	OPT_NUMBER(struct update_options, cpu_idle, 0, "cpu-idle", "N", "1: it runs when nobody else wants to, 0: as others do"),
	OPT_SIZE(struct update_options, memory, 0, "memory", "its limit of memory: 64m; -1 is none"),
	OPT_SIZE(struct update_options, memory_reservation, 0, "memory-reservation", "memory that is left to it when there is little"),
	OPT_SIZE(struct update_options, memory_swap, 0, "memory-swap", "memory and swap together; -1 is no limit of swap"),
	OPT_NUMBER(struct update_options, pids_limit, 0, "pids-limit", "N", "how many processes it may have; -1 is any number"),
	OPT_REFUSED_VALUE(0, "kernel-memory", "current kernels have no such limit"),
	OPT_REFUSED_VALUE(0, "kernel-memory-tcp", "current kernels have no such limit"),
	OPT_REFUSED_VALUE(0, "l3-cache-schema", "Intel RDT is not supported"),
	OPT_REFUSED_VALUE(0, "mem-bw-schema", "Intel RDT is not supported"),
	OPT_END,
};

static int read_stdin(struct arena *a, struct bundle_text *ret, struct err *e)
{
	AUTO_FREE char *text = NULL;

	if (fd_read_all(STDIN_FILENO, BUNDLE_FILE_MAX_BYTES, &text, &ret->n, e) < 0)
		return err_wrap(e, "standard input");
	ret->text = arena_strndup(a, text, ret->n);
	return 0;
}

static int read_resources(const struct front_call *c, const char *file, struct oci_resources **ret, struct err *e)
{
	struct bundle_text text;
	void *resources;

	if (str_eq(file, "-") ? read_stdin(c->a, &text, e) < 0 : bundle_file_read(AT_FDCWD, file, c->a, &text, e) < 0)
		return err_wrap(e, "--resources");
	if (json_decode(text.text, text.n, &oci_resources_schema, c->a, NULL, NULL, &resources, e) < 0)
		return err_wrap(e, "--resources '%s'", file);
	*ret = resources;
	return 0;
}

static int update(const struct front_call *c, int *ret_status, struct err *e)
{
	const struct update_options *o = c->o;
	AUTO_INSTANCE struct instance i = INSTANCE_EMPTY;
	AUTO_CLOSE int pidfd = -1;
	struct cgroup_values written;
	struct oci_resources *r;
	enum instance_status s;
	const char *group;

	*ret_status = 0;
	if ((o->resources != NULL ? read_resources(c, o->resources, &r, e) : update_resources(o, c->a, &r, e)) < 0)
		return -1;
	bundle_resources_warn(r);
	if (groups_setup(e) < 0 || instance_open(c->root, c->args.v[0], c->a, &i, e) < 0 || instance_status(&i, &s, &pidfd, e) < 0)
		return -1;
	if (pidfd < 0)
		return err_set(e, ERR_CONFLICT, "container not running: it is %s", instance_status_name(s));
	if (groups_of(&i, &group, e) < 0 || cgroup_update(group, r, c->a, &written, e) < 0)
		return -1;
	return i.record->is_scope ? unit_update(group, &written, e) : 0;
}

const struct front_command front_update = {
	.name = "update",
	.usage = "[OPTIONS] ID",
	.help = "change the limits of a container",
	.more = "What is not given stays as it is, and so do devices. When the kernel refuses one of them, none is changed.",
	.opts = { { rows } },
	.options_size = sizeof(struct update_options),
	.n_args_min = 1,
	.n_args_max = 1,
	.run = update,
};
