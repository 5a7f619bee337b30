/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/runtime_config.h"

#define IMAGE_FILE      "kiln.json"
#define PARENT_LINK     "parent" /* CRIU's name for the image that this one is based on */
#define PARENTS_MAX     64
#define TEXT_MAX_BYTES  (1u << 20)
#define N_FDS           3
#define MOUNTS_MAX      1024

static const struct jfield image_fields[] = {
	J_U32(struct checkpoint_image, version, "version", J_REQUIRED),
	J_STRING(struct checkpoint_image, id, "id", J_REQUIRED),
	J_STRINGS(struct checkpoint_image, fds, "descriptors", J_REQUIRED),
	J_STRINGS(struct checkpoint_image, mounts, "mounts", 0),
	J_STRING(struct checkpoint_image, net, "network", 0),
};
const struct jschema checkpoint_image_schema = J_SCHEMA(struct checkpoint_image, NULL, image_fields);

/* --- what can be written --------------------------------------------------------------------------------------------- */

static int check_namespaces(const struct oci_linux *l, struct err *e)
{
	bool has_pid = false;

	for (size_t i = 0; l != NULL && i < l->n_namespaces; i++) {
		const struct oci_namespace *n = &l->namespaces[i];

		if (str_eq(n->type, "user"))
			return err_set(e, ERR_UNSUPPORTED, "linux.namespaces[%zu]: checkpoints of user namespaces are not supported", i);
		if (!str_is_empty(n->path) && !str_eq(n->type, "network"))
			return err_set(e, ERR_UNSUPPORTED, "linux.namespaces[%zu]: checkpoints of what has joined a namespace (%s) are not supported", i, n->type);
		has_pid = has_pid || str_eq(n->type, "pid");
	}
	return has_pid ? 0 : err_set(e, ERR_UNSUPPORTED, "linux.namespaces: a checkpoint needs a pid namespace of the container's own");
}

int checkpoint_check(const struct oci_config *config, struct err *e)
{
	if (config->process != NULL && config->process->terminal)
		return err_set(e, ERR_UNSUPPORTED, "process.terminal: checkpoints of terminals are not supported");
	/* It would come back with more power than it had */
	if (config->process != NULL && config->process->no_new_privileges)
		return err_set(e, ERR_UNSUPPORTED, "process.noNewPrivileges: CRIU before 3.19 does not bring it back");
	return check_namespaces(config->linux_, e);
}

/* --- mounts ------------------------------------------------------------------------------------------------------------ */

static bool is_bind(const struct oci_mount *m)
{
	for (size_t i = 0; i < m->options.n; i++)
		if (str_eq(m->options.v[i], "bind") || str_eq(m->options.v[i], "rbind"))
			return true;
	return str_eq(m->type, "bind");
}

/* Old configurations have relative destinations. */
static bool is_at(const char *destination, const char *mount)
{
	AUTO_FREE char *full = path_join("/", destination);
	AUTO_FREE char *clean = path_clean(full);

	return str_eq(clean, mount);
}

static const struct oci_mount *bind_at(const struct oci_config *config, const char *mount)
{
	for (size_t i = config->n_mounts; i-- > 0;)
		if (is_at(config->mounts[i].destination, mount))
			return is_bind(&config->mounts[i]) ? &config->mounts[i] : NULL;
	return NULL;
}

static bool is_masked(const struct oci_config *config, const char *mount)
{
	const struct oci_linux *l = config->linux_;

	for (size_t i = 0; l != NULL && i < l->masked_paths.n; i++)
		if (is_at(l->masked_paths.v[i], mount))
			return true;
	return false;
}

/* "\040" is a space. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++, to++) {
		*to = *from;
		if (from[0] != '\\' || strspn(from + 1, "01234567") < 3)
			continue;
		*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
		from += 3;
	}
	*to = '\0';
}

/* "ID PARENT DEVICE ROOT MOUNT …": a masked file shows a node, a masked directory a file system of its own. */
static const char *host_mount(const struct oci_config *config, char *line)
{
	char *rest = line, *root, *mount;

	for (int i = 0; i < 3; i++)
		strsep(&rest, " ");
	root = strsep(&rest, " ");
	mount = strsep(&rest, " ");
	if (mount == NULL)
		return NULL;
	unescape(mount);
	return bind_at(config, mount) != NULL || (is_masked(config, mount) && !str_eq(root, "/")) ? mount : NULL;
}

void checkpoint_mounts(const struct oci_config *config, const char *mountinfo, struct arena *a, struct str_list *ret)
{
	AUTO_FREE char *copy = xstrdup(mountinfo);
	char *rest = copy;

	ret->v = arena_new_array(a, char *, MOUNTS_MAX + 1);
	ret->n = 0;
	for (char *line; (line = strsep(&rest, "\n")) != NULL && ret->n < MOUNTS_MAX;) {
		const char *mount = host_mount(config, line);

		if (mount != NULL)
			ret->v[ret->n++] = arena_strdup(a, mount);
	}
}

const char *checkpoint_source(const struct oci_config *config, const char *bundle, const char *mount, struct arena *a, struct err *e)
{
	const struct oci_mount *m = bind_at(config, mount);

	if (m != NULL && !str_is_empty(m->source))
		return m->source[0] == '/' ? m->source : arena_printf(a, "%s/%s", bundle, m->source);
	if (m == NULL && is_masked(config, mount))
		return "/dev/null";
	err_set(e, ERR_INVALID, "mounts: nothing is bound to '%.256s', as it was when the checkpoint was made", mount);
	return NULL;
}

/* --- looking ----------------------------------------------------------------------------------------------------------- */

static int read_proc(pid_t pid, const char *file, char **ret, struct err *e)
{
	AUTO_FREE char *path = xasprintf("/proc/%d/%s", pid, file);

	return file_read(AT_FDCWD, path, TEXT_MAX_BYTES, ret, NULL, e);
}

static bool has_mount_id(const char *mountinfo, uint64_t id)
{
	AUTO_FREE char *first = xasprintf("%" PRIu64 " ", id);
	AUTO_FREE char *later = xasprintf("\n%s", first);

	return str_starts(mountinfo, first) || strstr(mountinfo, later) != NULL;
}

/* "mnt_id:\t27" */
static bool read_mount_id(char *info, uint64_t *ret)
{
	char *id = strstr(info, "mnt_id:");

	if (id == NULL)
		return false;
	id += strlen("mnt_id:");
	id += strspn(id, "\t ");
	id[strcspn(id, "\n")] = '\0';
	return str_to_u64(id, ret);
}

/* Of a pipe its name, of a file that is not the container's the number of its mount and its own. */
static int look_at_fd(pid_t pid, int fd, const char *mountinfo, struct arena *a, char **ret, struct err *e)
{
	AUTO_FREE char *path = xasprintf("/proc/%d/fd/%d", pid, fd);
	AUTO_FREE char *file = xasprintf("fdinfo/%d", fd);
	AUTO_FREE char *info = NULL;
	char name[64];
	ssize_t n = readlink(path, name, sizeof(name) - 1);
	uint64_t mount;
	struct stat st;

	*ret = arena_strdup(a, "");
	if (n < 0)
		return 0;   /* it is closed */
	name[n] = '\0';
	if (str_starts(name, "pipe:["))
		*ret = arena_strdup(a, name);
	if (name[0] != '/')
		return 0;
	if (stat(path, &st) < 0)
		return err_sys(e, "look at descriptor %d of the container", fd);
	if (read_proc(pid, file, &info, e) < 0)
		return -1;
	if (!read_mount_id(info, &mount))
		return err_set(e, ERR_INTERNAL, "the kernel does not tell the mount of descriptor %d", fd);
	if (!has_mount_id(mountinfo, mount))
		*ret = arena_printf(a, "file[%" PRIx64 ":%jx]", mount, (uintmax_t)st.st_ino);
	return 0;
}

static int look_at_net(const struct oci_config *config, pid_t pid, struct arena *a, char **ret, struct err *e)
{
	const struct oci_linux *l = config->linux_;
	AUTO_FREE char *path = xasprintf("/proc/%d/ns/net", pid);
	struct stat st;

	*ret = arena_strdup(a, "");
	for (size_t i = 0; l != NULL && i < l->n_namespaces; i++) {
		if (!str_eq(l->namespaces[i].type, "network") || str_is_empty(l->namespaces[i].path))
			continue;
		if (stat(path, &st) < 0)
			return err_sys(e, "look at the network namespace");
		*ret = arena_printf(a, "net[%ju]", (uintmax_t)st.st_ino);
	}
	return 0;
}

int checkpoint_look(const struct oci_config *config, const char *id, pid_t pid, struct arena *a, struct checkpoint_image *ret, struct err *e)
{
	AUTO_FREE char *mountinfo = NULL;

	if (read_proc(pid, "mountinfo", &mountinfo, e) < 0)
		return -1;
	ret->version = CHECKPOINT_VERSION;
	ret->id = arena_strdup(a, id);
	ret->fds.v = arena_new_array(a, char *, N_FDS);
	for (ret->fds.n = 0; ret->fds.n < N_FDS; ret->fds.n++)
		if (look_at_fd(pid, (int)ret->fds.n, mountinfo, a, &ret->fds.v[ret->fds.n], e) < 0)
			return -1;
	checkpoint_mounts(config, mountinfo, a, &ret->mounts);
	return look_at_net(config, pid, a, &ret->net, e);
}

/* --- the directory ------------------------------------------------------------------------------------------------------ */

/* Nobody else can put something in its place: in a sticky directory not even who may write there. */
static int check_one(const char *path, bool is_last, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_sys(e, "open '%s'", path);
	if (S_ISDIR(st.st_mode) && st.st_uid == 0 && ((st.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (!is_last && (st.st_mode & S_ISVTX) != 0)))
		return 0;
	return err_set(e, ERR_DENIED, "'%s' is not a directory of root's alone to write to, and who can write an image has the power of what is restored from it", path);
}

/* From the top, so that what has been looked at stays what it is. */
static int check_path(const char *path, struct err *e)
{
	AUTO_FREE char *part = xstrdup(path);

	if (check_one("/", part[1] == '\0', e) < 0)
		return -1;
	for (char *end = part; end != NULL && end[1] != '\0';) {
		end = strchr(end + 1, '/');
		if (end != NULL)
			*end = '\0';
		if (check_one(part, end == NULL || end[1] == '\0', e) < 0)
			return -1;
		if (end != NULL)
			*end = '/';
	}
	return 0;
}

int checkpoint_open_dir(const char *dir, bool makes, struct arena *a, const char **ret_path, struct err *e)
{
	char path[PATH_MAX];
	int fd;

	if (makes && path_mkdirs(AT_FDCWD, dir, 0700, e) < 0)
		return -1;
	if (realpath(dir, path) == NULL)
		return err_sys(e, "open '%s'", dir);
	if (check_path(path, e) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(e, "open '%s'", path);
	*ret_path = arena_strdup(a, path);
	return fd;
}

static const char *below(const char *dir, const char *path, struct arena *a)
{
	return path[0] == '/' ? path : arena_printf(a, "%s/%s", dir, path);
}

int checkpoint_check_parent(const char *image, const char *parent, struct arena *a, struct err *e)
{
	return check_path(below(image, parent, a), e);
}

int checkpoint_check_parents(const char *image, struct arena *a, struct err *e)
{
	const char *dir = image;

	for (int i = 0; i < PARENTS_MAX; i++) {
		char to[PATH_MAX];
		ssize_t n = readlink(arena_printf(a, "%s/" PARENT_LINK, dir), to, sizeof(to) - 1);

		if (n < 0)
			return errno == ENOENT ? 0 : err_sys(e, "read '%s/" PARENT_LINK "'", dir);
		to[n] = '\0';
		dir = below(dir, to, a);
		if (check_path(dir, e) < 0)
			return -1;
	}
	return err_set(e, ERR_INVALID, "'%s': more than %d images, one based on the other", image, PARENTS_MAX);
}

int checkpoint_save(int dir_fd, const struct checkpoint_image *image, struct err *e)
{
	AUTO_STRBUF struct strbuf text = { 0 };

	json_emit(&checkpoint_image_schema, image, &text);
	return file_replace(dir_fd, IMAGE_FILE, text.data, text.len, 0600, e);
}

int checkpoint_load(int dir_fd, struct arena *a, struct checkpoint_image **ret, struct err *e)
{
	AUTO_FREE char *text = NULL;
	void *image;
	size_t n;

	if (file_read(dir_fd, IMAGE_FILE, TEXT_MAX_BYTES, &text, &n, e) < 0)
		return -1;
	if (json_decode(text, n, &checkpoint_image_schema, a, NULL, NULL, &image, e) < 0)
		return err_wrap(e, IMAGE_FILE);
	*ret = image;
	if ((*ret)->version != CHECKPOINT_VERSION)
		return err_set(e, ERR_UNSUPPORTED, IMAGE_FILE ": it is of version %u, and this is for version %d", (*ret)->version, CHECKPOINT_VERSION);
	return (*ret)->fds.n == N_FDS ? 0 : err_set(e, ERR_INVALID, IMAGE_FILE ": descriptors: expected %d of them", N_FDS);
}
