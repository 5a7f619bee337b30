/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/checkpoint_options.h"

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/front/checkpoint.h"
#include "runtime/front/criu.h"
#include "runtime/rootless.h"

#define IMAGE_DEFAULT "checkpoint"

const struct opt checkpoint_rows[] = {
	OPT_TEXT(struct checkpoint_options, image_path, 0, "image-path", "DIR", "where the image is (default: " IMAGE_DEFAULT ")", .kind = VALUE_DIR),
	OPT_TEXT(struct checkpoint_options, work_path, 0, "work-path", "DIR", "where CRIU writes its logs (default: the image's directory)",
		 .kind = VALUE_DIR),
	OPT_FLAG(struct checkpoint_options, tcp_established, 0, "tcp-established", "open TCP connections, too"),
	OPT_FLAG(struct checkpoint_options, ext_unix_sk, 0, "ext-unix-sk", "Unix sockets whose other end is outside, too"),
	OPT_FLAG(struct checkpoint_options, shell_job, 0, "shell-job", "jobs of a shell, too: their session is led by somebody outside"),
	OPT_FLAG(struct checkpoint_options, file_locks, 0, "file-locks", "locks of files, too"),
	OPT_FLAG(struct checkpoint_options, link_remap, 0, "link-remap", "files that are open and removed, too"),
	OPT_FLAG(struct checkpoint_options, auto_dedup, 0, "auto-dedup", "memory that a later image has goes from the one before it"),
	OPT_TEXT(struct checkpoint_options, manage_cgroups, 0, "manage-cgroups-mode", "MODE", "soft, which is how it is done", .kind = VALUE_CHOICE,
		 .choices = "soft"),
	OPT_REFUSED_FLAG(0, "lazy-pages", "memory is there when a restore has ended"),
	OPT_REFUSED_VALUE(0, "status-fd", "it is for lazy pages"),
	OPT_REFUSED_VALUE(0, "empty-ns", "namespaces come back as they were"),
	OPT_REFUSED_FLAG(0, "tcp-skip-in-flight", "use --tcp-established"),
	OPT_END,
};

int checkpoint_layout(struct err *e)
{
	return cgroup_layout()->is_v2 ? 0 : err_set(e, ERR_UNSUPPORTED, "checkpoints need cgroup v2 alone, and hierarchies of v1 are mounted");
}

int checkpoint_dirs(const struct checkpoint_options *o, bool makes, struct arena *a, struct checkpoint_dirs *ret, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int work = -1;

	if (o->manage_cgroups != NULL && !str_eq(o->manage_cgroups, "soft"))
		return err_set(e, ERR_UNSUPPORTED, "--manage-cgroups-mode: '%s' is not supported, expected soft", o->manage_cgroups);
	if (rootless_is())
		return err_set(e, ERR_UNSUPPORTED, "checkpoints without root's powers are not supported");
	*ret_fd = checkpoint_open_dir(o->image_path != NULL ? o->image_path : IMAGE_DEFAULT, makes, a, &ret->image, e);
	if (*ret_fd < 0)
		return err_wrap(e, "--image-path");
	if (o->parent_path != NULL && checkpoint_check_parent(ret->image, o->parent_path, a, e) < 0)
		return err_wrap(e, "--parent-path");
	work = checkpoint_open_dir(o->work_path != NULL ? o->work_path : ret->image, true, a, &ret->work, e);
	return work >= 0 ? 0 : err_wrap(e, "--work-path");
}

void checkpoint_add_common(struct criu_args *args, const struct checkpoint_options *o)
{
	const struct {
		bool is_on;
		const char *option;
	} flags[] = {
		{ o->tcp_established, "--tcp-established" }, { o->ext_unix_sk, "--ext-unix-sk" }, { o->shell_job, "--shell-job" },
		{ o->file_locks, "--file-locks" }, { o->link_remap, "--link-remap" }, { o->auto_dedup, "--auto-dedup" },
	};

	criu_add(args, "--manage-cgroups=soft");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].is_on)
			criu_add(args, "%s", flags[i].option);
}

const char *checkpoint_network_lock(void)
{
	AUTO_FREE char *program = path_find_program("iptables-restore");

	return program != NULL ? "iptables" : "nftables";
}
