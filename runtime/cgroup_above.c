/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The groups between Kiln's own and a container's (--cgroup-parent). Those that we make bear a mark in the kernel, so
 * that the last container that goes takes them with it, whoever removes it and whatever was killed meanwhile; a group
 * that somebody else made is never removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/cgroup_limits.h"
#include "runtime/cgroup_parts.h"

/* Without power over the host there are no trusted ones. */
static const char *mark_name(void)
{
	return cgroup_host()->is_rootless ? "user.kiln.made" : "trusted.kiln.made";
}

static bool is_at_or_above(const char *part, const char *root)
{
	size_t n = strlen(part);

	return str_starts(root, part) && (root[n] == '/' || root[n] == '\0');
}

static int make_one(const char *part, const char *root, struct err *e)
{
	char dir[512];

	for (size_t i = 0; cgroup_dir(i, part, dir); i++) {
		if (mkdir(dir, 0755) < 0) {
			if (errno != EEXIST)
				return err_sys(e, "make control group '%s'", dir);
			continue;
		}
		if (!is_at_or_above(part, root) && setxattr(dir, mark_name(), "1", 1, 0) < 0)
			return err_sys(e, "mark control group '%s'", dir);
	}
	return 0;
}

int cgroup_make_above(const char *path, const char *root, struct err *e)
{
	if (cgroup_check_path(path, e) < 0)
		return -1;
	for (const char *end = strchr(path + 1, '/'); end != NULL; end = strchr(end + 1, '/')) {
		char part[CGROUP_PATH_MAX + 1];

		snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
		if (make_one(part, root, e) < 0)
			return -1;
	}
	return 0;
}

static int write_number(const char *part, const char *name, uint64_t number, struct err *e)
{
	const struct cgroup_value v = { .controller = "cpu", .file = name };
	AUTO_FREE char *text = xasprintf("%" PRIu64, number);
	char file[512];

	if (!cgroup_value_file(part, &v, file))
		return 0;
	if (cgroup_write_lines(file, text, e) < 0)
		return err_wrap(e, "control group '%s'", part);
	return 0;
}

static bool has_real_time(const char *part, uint64_t runtime_usec)
{
	const struct cgroup_value v = { .controller = "cpu", .file = "cpu.rt_runtime_us" };
	AUTO_FREE char *text = NULL;
	char file[512];
	uint64_t has;

	if (!cgroup_value_file(part, &v, file) || file_read(AT_FDCWD, file, 64, &text, NULL, ERR_IGNORED) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return str_eq(text, "-1") || (str_to_u64(text, &has) && has >= runtime_usec);
}

int cgroup_give_real_time(const char *path, uint64_t period_usec, uint64_t runtime_usec, struct err *e)
{
	if (runtime_usec == 0 || cgroup_layout()->is_v2)
		return 0;
	if (cgroup_check_path(path, e) < 0)
		return -1;
	for (const char *end = strchr(path + 1, '/'); end != NULL; end = strchr(end + 1, '/')) {
		char part[CGROUP_PATH_MAX + 1];

		snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
		if (make_one(part, part, e) < 0)
			return -1;
		if (has_real_time(part, runtime_usec))
			continue;
		if ((period_usec != 0 && write_number(part, "cpu.rt_period_us", period_usec, e) < 0) ||
		    write_number(part, "cpu.rt_runtime_us", runtime_usec, e) < 0)
			return -1;
	}
	return 0;
}

/* rmdir(2) fails while anything is in it: groups of others, or processes. */
static bool remove_one(const char *dir)
{
	char mark;

	return getxattr(dir, mark_name(), &mark, sizeof(mark)) >= 0 && rmdir(dir) == 0;
}

void cgroup_remove_above(const char *path)
{
	char dir[512];

	if (cgroup_check_path(path, ERR_IGNORED) < 0)
		return;
	for (size_t i = 0; cgroup_dir(i, path, dir); i++)
		do
			*strrchr(dir, '/') = '\0';
		while (remove_one(dir));
}
