/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint: the processes of a container, as files. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/cgroup.h"
#include "runtime/front/bundle_config.h"
#include "runtime/front/checkpoint.h"
#include "runtime/front/checkpoint_options.h"
#include "runtime/front/criu.h"
#include "runtime/front/destroy.h"
#include "runtime/front/front.h"
#include "runtime/front/instance.h"

#define DEATH_TIMEOUT_MS 10000

static const struct opt rows[] = {
	OPT_TEXT(struct checkpoint_options, parent_path, 0, "parent-path", "DIR", "an image that --pre-dump has made, relative to the new one",
		 .kind = VALUE_DIR),
	OPT_FLAG(struct checkpoint_options, leave_running, 0, "leave-running", "the container goes on"),
	OPT_FLAG(struct checkpoint_options, pre_dump, 0, "pre-dump", "only its memory, and the container goes on: what changes after that is for the next one"),
	OPT_REFUSED_VALUE(0, "page-server", "memory goes to files only"),
	OPT_END,
};

static int read_config(const struct instance *i, struct arena *a, struct oci_config **ret, struct err *e)
{
	struct bundle_text text;

	if (bundle_config_read(i->dir_fd, ".", a, &text, e) < 0)
		return -1;
	return bundle_config_parse(&text, a, ret, e);
}

static int open_running(const struct front_call *c, struct instance *i, int *ret_pidfd, struct err *e)
{
	enum instance_status s;

	if (cgroup_setup(e) < 0 || instance_open(c->root, c->args.v[0], c->a, i, e) < 0 || instance_status(i, &s, ret_pidfd, e) < 0)
		return -1;
	if (s != INSTANCE_RUNNING)
		return err_set(e, ERR_CONFLICT, "container not running: it is %s", instance_status_name(s));
	return checkpoint_layout(e);
}

static void add_image(struct criu_args *args, const struct checkpoint_image *image)
{
	for (size_t i = 0; i < image->fds.n; i++)
		if (str_starts(image->fds.v[i], "file["))
			criu_add(args, "--external=%s", image->fds.v[i]);
	for (size_t i = 0; i < image->mounts.n; i++)
		criu_add(args, "--external=mnt[%s]:%s", image->mounts.v[i], image->mounts.v[i]);
	if (!str_is_empty(image->net))
		criu_add(args, "--external=%s:" CHECKPOINT_NET, image->net);
}

static int dump(const struct front_call *c, const struct instance *i, const struct checkpoint_image *image, const struct checkpoint_dirs *dirs, struct err *e)
{
	const struct checkpoint_options *o = c->o;
	struct criu_args args;

	criu_begin(&args, c->a, o->pre_dump ? "pre-dump" : "dump", dirs->image, dirs->work);
	criu_add(&args, "--tree=%lld", (long long)i->record->pid);
	criu_add(&args, "--root=%s", i->record->rootfs);
	criu_add(&args, "--evasive-devices");
	criu_add(&args, "--network-lock=%s", checkpoint_network_lock());
	checkpoint_add_common(&args, o);
	if (o->parent_path != NULL)
		criu_add(&args, "--prev-images-dir=%s", o->parent_path);
	if (o->pre_dump || o->parent_path != NULL)
		criu_add(&args, "--track-mem");
	if (o->leave_running)
		criu_add(&args, "--leave-running");
	add_image(&args, image);
	return criu_run(&args, dirs->work, NULL, e);
}

/* CRIU has killed them; their parent, whoever that is, may be slower. */
static int wait_death(int pidfd, struct err *e)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, DEATH_TIMEOUT_MS);
	while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : err_set(e, ERR_TIMEOUT, "container init still running");
}

static int checkpoint(const struct front_call *c, int *ret_status, struct err *e)
{
	const struct checkpoint_options *o = c->o;
	AUTO_INSTANCE struct instance i = INSTANCE_EMPTY;
	AUTO_CLOSE int pidfd = -1, dir = -1;
	struct checkpoint_image image;
	struct checkpoint_dirs dirs;
	struct oci_config *config;

	*ret_status = 0;
	if (open_running(c, &i, &pidfd, e) < 0 || read_config(&i, c->a, &config, e) < 0 || checkpoint_check(config, e) < 0 ||
	    checkpoint_dirs(o, true, c->a, &dirs, &dir, e) < 0)
		return -1;
	if (checkpoint_look(config, i.id, (pid_t)i.record->pid, c->a, &image, e) < 0 || checkpoint_save(dir, &image, e) < 0 ||
	    dump(c, &i, &image, &dirs, e) < 0)
		return -1;
	if (o->leave_running || o->pre_dump)
		return 0;
	return wait_death(pidfd, e) < 0 ? -1 : destroy_instance(&i, e);
}

const struct front_command front_checkpoint = {
	.name = "checkpoint",
	.usage = "[OPTIONS] ID",
	.help = "write the processes of a container to files, and delete it",
	.more = "By CRIU, which must be installed. The container goes on with --leave-running, and when it fails; else it is deleted as soon as its image "
		"is written. An image has the power of root: its directory, those above it and the image that it is based on must be ones that only root can write to.",
	.failed = "checkpoint failed",
	.opts = { { checkpoint_rows, rows } },
	.options_size = sizeof(struct checkpoint_options),
	.n_args_min = 1,
	.n_args_max = 1,
	.run = checkpoint,
};
