/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * libcgroup 2.0.2 has traps that this file walks around: it wants the empty cpuset files of v1 filled by somebody;
 * it prints errors to stdout; its error codes do not tell which file was refused (the values are written once more
 * by hand to find out); a value appears once for each name in a group (a second run of device rules is a second
 * call). And it makes a group by a mkdir for each part of its path and reads /proc/mounts twice for each controller,
 * which is a tenth of the time of a monitor: where the group above is there, and has its controllers, directories are made by hand
 * (cgroup_make_dirs()), and libcgroup writes the values. A group of libcgroup's takes 100 KiB of memory that is cleared first:
 * a container without limits has none. Rules for devices, which each container has, are lines and written by hand, as v2's are a program.
 */
#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/cgroup_limits.h"
#include "runtime/cgroup_parts.h"

/* --- filling, by libcgroup ------------------------------------------------------------------------------------ */

/* A group in the making: flushed when it is complete or a name would come twice. */
struct filler {
	const char *path;
	struct cgroup *cg; /* NULL: nothing to flush */
	bool is_made, is_empty;
};

static void filler_begin(struct filler *f)
{
	/* libcgroup's names have no slash in front */
	f->cg = cgroup_new_cgroup(f->path + 1);
	BUG(f->cg == NULL, "out of memory");
	f->is_empty = true;
}

static int filler_flush(struct filler *f)
{
	int code = 0;

	if (f->cg == NULL)
		return 0;
	if (!f->is_made)
		code = cgroup_create_cgroup(f->cg, 1);
	else if (!f->is_empty)
		code = cgroup_modify_cgroup(f->cg);
	cgroup_free(&f->cg);
	f->is_made = true;
	return code;
}

static struct cgroup_controller *filler_controller(struct filler *f, const char *name)
{
	struct cgroup_controller *c;

	if (f->cg == NULL)
		filler_begin(f);
	c = cgroup_get_controller(f->cg, name);
	f->is_empty = false;
	return c != NULL ? c : cgroup_add_controller(f->cg, name);
}

static int filler_add(struct filler *f, const struct cgroup_value *v)
{
	struct cgroup_controller *c = filler_controller(f, v->controller);
	int code = c != NULL ? cgroup_add_value_string(c, v->file, v->value) : ECGFAIL;

	if (code != ECGVALUEEXISTS)
		return code;
	code = filler_flush(f);
	c = filler_controller(f, v->controller);
	return code != 0   ? code
	       : c != NULL ? cgroup_add_value_string(c, v->file, v->value)
			   : ECGFAIL;
}

static void filler_add_controllers(struct filler *f, const char *list)
{
	AUTO_FREE char *copy = xstrdup(list);
	char *rest = copy;

	for (char *name; (name = strsep(&rest, ",")) != NULL;)
		if (name[0] != '\0')
			filler_controller(f, name);
}

/* Is the group's directory of this controller there? libcgroup stops at the first that fails. */
static bool is_made(const char *file)
{
	char dir[512];

	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(file, '/') - file), file);
	return access(dir, F_OK) == 0;
}

/* libcgroup's own words are about what it was doing, not about what the kernel said: for want of something they mislead. */
static int say(struct err *e, int code, int sys, const char *what, const char *path)
{
	if (sys != ENOMEM && sys != EMFILE && sys != ENFILE && sys != ENOSPC && sys != EIO)
		return err_set(e, ERR_SYSTEM, "%s '%s': %s", what, path, cgroup_strerror(code));
	errno = sys;
	return err_sys(e, "%s '%s'", what, path);
}

/* The kernel has refused a value. Return: -1 */
static int refused(const char *path, struct err *e)
{
	e->kind = e->sys == EINVAL || e->sys == ERANGE ? ERR_INVALID : e->kind;
	return err_wrap(e, "control group '%s'", path);
}

/* libcgroup has failed and does not tell where: find out by writing the values by hand. */
static int explain(const char *path, const struct cgroup_values *values, int code, struct err *e)
{
	int sys = errno;
	char file[512], dir[512];

	for (size_t i = 0; i < values->n; i++) {
		const struct cgroup_value *v = &values->v[i];

		if (v->or_file != NULL || !cgroup_value_file(path, v, file) || !is_made(file) ||
		    cgroup_write_lines(file, v->value, e) == 0)
			continue;
		return refused(path, e);
	}
	for (size_t i = 0; cgroup_dir(i, path, dir); i++)
		if (access(dir, F_OK) < 0)
			return say(e, code, sys, "make control group", dir);
	return say(e, code, sys, "control group", path);
}

static bool is_device_rule(const struct cgroup_value *v)
{
	return str_eq(v->controller, "devices");
}

/* Is a value to be written? Return: 1, 0 when it is left out, or -1 with @e set */
static int wants_value(const struct cgroup_value *v, struct err *e)
{
	char file[512];

	if (!cgroup_has_controller(v->controller)) {
		if (v->is_optional || is_device_rule(v))
			return 0;
		return err_set(e, ERR_UNSUPPORTED, "%s: this host has no controller '%s'", v->file,
			       v->controller);
	}
	/* v1's root has the file when the kernel has it; the root of v2 has no limits, so there the group is looked at */
	if (v->is_optional && !cgroup_host()->layout.is_v2)
		return cgroup_value_file("", v, file) && access(file, F_OK) == 0;
	return 1;
}

static int fill_all(const char *path, bool is_made, const struct cgroup_values *values, struct err *e)
{
	struct filler f = { .path = path, .is_made = is_made };
	int code = 0, wanted;

	if (!is_made)
		filler_begin(&f);
	if (!is_made && cgroup_host()->layout.is_v2)
		filler_add_controllers(&f, cgroup_host()->v2.controllers);
	for (size_t i = 0; !is_made && i < cgroup_host()->layout.n_v1; i++)
		filler_add_controllers(&f, cgroup_host()->v1[i].controllers);
	for (size_t i = 0; i < values->n && code == 0; i++) {
		wanted = wants_value(&values->v[i], e);
		if (wanted < 0) {
			cgroup_free(&f.cg);
			return -1;
		}
		if (wanted == 1 && values->v[i].or_file == NULL && !is_device_rule(&values->v[i]) && !(cgroup_host()->layout.is_v2 && values->v[i].is_optional))
			code = filler_add(&f, &values->v[i]);
	}
	if (code == 0)
		code = filler_flush(&f);
	else
		cgroup_free(&f.cg);
	return code == 0 ? 0 : explain(path, values, code, e);
}

static int write_device_rules(const char *path, const struct cgroup_values *values, struct err *e)
{
	char file[512];

	for (size_t i = 0; i < values->n; i++) {
		if (!is_device_rule(&values->v[i]) || !cgroup_value_file(path, &values->v[i], file))
			continue;
		if (cgroup_write_lines(file, values->v[i].value, e) < 0)
			return refused(path, e);
	}
	return 0;
}

/* Which of two files a group has is seen when it is there. */
static int fill_one_of_two(const char *path, const struct cgroup_value *v, struct err *e)
{
	const struct cgroup_value other = { .controller = v->controller, .file = v->or_file };
	char file[512];

	if (cgroup_value_file(path, v, file) && access(file, F_OK) == 0)
		return cgroup_write_lines(file, v->value, e);
	if (cgroup_value_file(path, &other, file) && access(file, F_OK) == 0)
		return cgroup_write_lines(file, v->or_value, e);
	return err_set(e, ERR_UNSUPPORTED, "this kernel has neither %s nor %s", v->file, v->or_file);
}

/* v2's swap files exist in the group itself, or not at all. */
static int fill_optional(const char *path, const struct cgroup_values *values, struct err *e)
{
	char file[512];

	for (size_t i = 0; i < values->n; i++) {
		const struct cgroup_value *v = &values->v[i];

		if (v->or_file != NULL && fill_one_of_two(path, v, e) < 0)
			return err_wrap(e, "control group '%s'", path);
		if (!cgroup_host()->layout.is_v2 || !v->is_optional || !cgroup_value_file(path, v, file) || access(file, F_OK) < 0)
			continue;
		if (cgroup_write_lines(file, v->value, e) < 0)
			return err_wrap(e, "control group '%s'", path);
	}
	return 0;
}

/* --- what the groups above need ------------------------------------------------------------------------------- */

static const char *const cpuset_files[] = { "cpuset.mems", "cpuset.cpus" };

static int read_line(const char *file, char out[1024], struct err *e)
{
	AUTO_FREE char *text = NULL;

	if (file_read(AT_FDCWD, file, 1023, &text, NULL, e) < 0)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	snprintf(out, 1024, "%s", text);
	return 0;
}

/* A group that is not there yet, made and given its cpuset by libcgroup. */
static int create_cpuset(const char *path, char values[][1024], struct err *e)
{
	struct cgroup *cg = cgroup_new_cgroup(path + 1);
	struct cgroup_controller *c = cg != NULL ? cgroup_add_controller(cg, "cpuset") : NULL;
	int code = 0;

	BUG(c == NULL, "out of memory");
	for (size_t i = 0; i < ARRAY_SIZE(cpuset_files) && code == 0; i++)
		code = cgroup_add_value_string(c, cpuset_files[i], values[i]);
	if (code == 0)
		code = cgroup_create_cgroup(cg, 1);
	cgroup_free(&cg);
	return code == 0 ? 0
			 : err_set(e, ERR_SYSTEM, "control group '%s': cpuset: %s", path,
				   cgroup_strerror(code));
}

/* A v1 cpuset takes no process until it has processors and memory: it gets those of the group above. */
static int inherit_cpuset(const char *mount, const char *above, const char *path, struct err *e)
{
	char file[512], values[ARRAY_SIZE(cpuset_files)][1024];
	bool is_there;

	snprintf(file, sizeof(file), "%s%s/cpuset.cpus", mount, path);
	is_there = read_line(file, values[0], ERR_IGNORED) == 0;
	if (is_there && values[0][0] != '\0')
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(cpuset_files); i++) {
		snprintf(file, sizeof(file), "%s%s/%s", mount, above, cpuset_files[i]);
		if (read_line(file, values[i], e) < 0)
			return -1;
	}
	if (!is_there)
		return create_cpuset(path, values, e);
	for (size_t i = 0; i < ARRAY_SIZE(cpuset_files); i++) {
		snprintf(file, sizeof(file), "%s%s/%s", mount, path, cpuset_files[i]);
		if (cgroup_write_lines(file, values[i], e) < 0)
			return err_wrap(e, "control group '%s'", path);
	}
	return 0;
}

/* A group that was made by hand has one above it, which has had its share since its first child. */
static bool has_cpuset(const char *mount, const char *path)
{
	char file[512], value[1024];

	snprintf(file, sizeof(file), "%s%s/cpuset.cpus", mount, path);
	return read_line(file, value, ERR_IGNORED) == 0 && value[0] != '\0';
}

int cgroup_prepare_cpuset(const char *path, struct err *e)
{
	const struct cgroup_value probe = { .controller = "cpuset", .file = "" };
	char mount[512], above[CGROUP_PATH_MAX + 1] = "", part[CGROUP_PATH_MAX + 1];

	if (cgroup_host()->layout.is_v2 || !cgroup_value_file("", &probe, mount))
		return 0;
	mount[strlen(mount) - 1] = '\0';
	snprintf(above, sizeof(above), "%.*s", (int)(strrchr(path, '/') - path), path);
	if (has_cpuset(mount, above))
		return inherit_cpuset(mount, above, path, e);
	above[0] = '\0';
	for (const char *end = path; end != NULL && *end != '\0';) {
		end = strchr(end + 1, '/');
		snprintf(part, sizeof(part), "%.*s",
			 end != NULL ? (int)(end - path) : (int)strlen(path), path);
		if (inherit_cpuset(mount, above, part, e) < 0)
			return -1;
		snprintf(above, sizeof(above), "%s", part);
	}
	return 0;
}

/* v2: who has been given its controllers hands them on to all groups that are made in it. */
static bool is_enabled_above(const char *path)
{
	const struct cgroup_hierarchy *v2 = &cgroup_host()->v2;
	AUTO_FREE char *wanted = xstrdup(v2->controllers);
	char file[512], enabled[1024], *rest = wanted;

	snprintf(file, sizeof(file), "%s%.*s/cgroup.subtree_control", v2->mount, (int)(strrchr(path, '/') - path), path);
	if (read_line(file, enabled, ERR_IGNORED) < 0)
		return false;
	for (char *name; (name = strsep(&rest, ",")) != NULL;)
		if (name[0] != '\0' && !str_has_word(enabled, " ", name))
			return false;
	return true;
}

bool cgroup_make_dirs(const char *path)
{
	char dir[512];

	if (cgroup_host()->layout.is_v2 && !is_enabled_above(path))
		return false;
	for (size_t i = 0; cgroup_dir(i, path, dir); i++)
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			return false;
	return true;
}

int cgroup_fill(const char *path, bool is_made, const struct cgroup_values *values, struct err *e)
{
	if (fill_all(path, is_made, values, e) < 0 || write_device_rules(path, values, e) < 0)
		return -1;
	return fill_optional(path, values, e);
}
