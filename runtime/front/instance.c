/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/front/instance.h"

#define RECORD_MAX_BYTES (8u << 20)
#define STATE_FILE       "state.json"
#define START_FIFO       "start"
#define FILTERS_DIR      ".filters" /* no ID begins with a dot */
#define REPORT_FIFO      "report"
#define RESERVE_WAIT_MS  1000 /* for somebody who asks whether it is locked */

static const struct jfield record_fields[] = {
	J_U32(struct instance_record, version, "version", J_REQUIRED),
	J_STRING(struct instance_record, oci_version, "ociVersion", J_REQUIRED),
	J_STRING(struct instance_record, id, "id", J_REQUIRED),
	J_STRING(struct instance_record, bundle, "bundle", J_REQUIRED),
	J_STRING(struct instance_record, rootfs, "rootfs", J_REQUIRED),
	J_STRING(struct instance_record, created, "created", J_REQUIRED),
	J_STRING(struct instance_record, cgroup_path, "cgroupPath", 0),
	J_BOOLEAN(struct instance_record, is_scope, "systemdScope", J_OMIT_EMPTY),
	J_BOOLEAN(struct instance_record, has_group, "hasGroup", J_OMIT_EMPTY),
	J_BOOLEAN(struct instance_record, keeps_groups, "keepsGroups", J_OMIT_EMPTY),
	J_BOOLEAN(struct instance_record, own_pid_ns, "ownPidNamespace", 0),
	J_BOOLEAN(struct instance_record, has_hooks, "hasHooks", J_OMIT_EMPTY),
	J_I64(struct instance_record, pid, "pid", 0),
	J_U64(struct instance_record, start_ticks, "startTicks", 0),
	J_STRING(struct instance_record, boot, "boot", 0),
	J_MAP(struct instance_record, annotations, "annotations", 0),
};
const struct jschema instance_record_schema = J_SCHEMA(struct instance_record, NULL, record_fields);

int instance_check_id(const char *id, struct err *e)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-.";

	if (str_is_empty(id))
		return err_set(e, ERR_INVALID, "container id cannot be empty");
	/* A name with a dot in front is ours, beside the containers */
	if (id[0] == '.' || strspn(id, allowed) != strlen(id))
		return err_set(e, ERR_INVALID, "invalid container ID '%.128s': only letters, digits and '_+-.' are allowed, not first a dot", id);
	/* One component of a path */
	if (strlen(id) > 255)
		return err_set(e, ERR_INVALID, "invalid container ID '%.128s...': longer than 255 characters", id);
	return 0;
}

/* --- the directory ------------------------------------------------------------------------------------------- */

static int open_root(const char *root, int *ret_fd, struct err *e)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open '%s'", root);
	*ret_fd = fd;
	return 0;
}

static int open_dir(struct instance *i, int root, struct err *e)
{
	i->dir_fd = openat(root, i->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return i->dir_fd >= 0 ? 0 : err_sys(e, "open '%s/%s'", i->root, i->id);
}

int instance_reserve(const char *root, const char *id, struct arena *arena, struct instance *ret, struct err *e)
{
	AUTO_INSTANCE struct instance i = { .root = root, .id = id, .arena = arena, .dir_fd = -1 };
	AUTO_CLOSE int root_fd = -1;

	if (instance_check_id(id, e) < 0 || path_mkdirs(AT_FDCWD, root, 0700, e) < 0 || open_root(root, &root_fd, e) < 0)
		return -1;
	if (mkdirat(root_fd, id, 0700) < 0) {
		if (errno == EEXIST)
			return err_set(e, ERR_CONFLICT, "container with given ID already exists: '%s'", id);
		return err_sys(e, "make '%s/%s'", root, id);
	}
	/* Somebody who deletes it between these lines finds it empty: then it is gone, and we with it */
	if (open_dir(&i, root_fd, e) < 0 || instance_lock(&i, RESERVE_WAIT_MS, e) < 0) {
		/* it is empty, or somebody else's already */
		if (e->kind != ERR_NOT_FOUND && e->kind != ERR_TIMEOUT)
			unlinkat(root_fd, id, AT_REMOVEDIR);
		return err_wrap(e, "container '%s'", id);
	}
	*ret = i;
	i.dir_fd = -1;
	return 0;
}

const char *instance_filters_dir(const char *root, struct arena *arena)
{
	struct stat st;

	if (stat(root, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022) != 0)
		return NULL;
	return arena_printf(arena, "%s/" FILTERS_DIR, root);
}

int instance_load(struct instance *i, struct err *e)
{
	AUTO_FREE char *text = NULL;
	struct err why = { 0 };
	void *record;
	size_t n;

	if (file_read(i->dir_fd, STATE_FILE, RECORD_MAX_BYTES, &text, &n, &why) < 0) {
		if (why.kind == ERR_NOT_FOUND)
			return 0;
		*e = why;
		return -1;
	}
	if (json_decode(text, n, &instance_record_schema, i->arena, NULL, NULL, &record, e) < 0)
		return err_wrap(e, "'%s/%s/" STATE_FILE "'", i->root, i->id);
	i->record = record;
	if (i->record->version != INSTANCE_VERSION)
		return err_set(e, ERR_UNSUPPORTED, "'%s/%s/" STATE_FILE "' is of version %u, and this is for version %d", i->root,
			       i->id, i->record->version, INSTANCE_VERSION);
	return 0;
}

static int find_any(const char *root, const char *id, struct arena *arena, struct instance *ret, struct err *e)
{
	AUTO_INSTANCE struct instance i = { .root = root, .id = id, .arena = arena, .dir_fd = -1 };
	AUTO_CLOSE int root_fd = -1;

	if (instance_check_id(id, e) < 0)
		return -1;
	if (open_root(root, &root_fd, e) < 0 || open_dir(&i, root_fd, e) < 0) {
		if (e->kind == ERR_NOT_FOUND)
			err_set(e, ERR_NOT_FOUND, "container does not exist: '%s'", id);
		return -1;
	}
	*ret = i;
	i.dir_fd = -1;
	return 0;
}

/* Hooks, processes and control groups are what is written in there: by who can write there. */
static int check_owner(const struct instance *i, struct err *e)
{
	struct stat st;

	if (fstat(i->dir_fd, &st) < 0)
		return err_sys(e, "look at '%s/%s'", i->root, i->id);
	if (st.st_uid == geteuid())
		return 0;
	return err_set(e, ERR_DENIED, "container '%s' is of user %u, whose word this one does not act on", i->id, (unsigned)st.st_uid);
}

int instance_find(const char *root, const char *id, struct arena *arena, struct instance *ret, struct err *e)
{
	AUTO_INSTANCE struct instance i = INSTANCE_EMPTY;

	if (find_any(root, id, arena, &i, e) < 0 || check_owner(&i, e) < 0)
		return -1;
	*ret = i;
	i.dir_fd = -1;
	return 0;
}

int instance_open(const char *root, const char *id, struct arena *arena, struct instance *ret, struct err *e)
{
	AUTO_INSTANCE struct instance i = INSTANCE_EMPTY;

	if (instance_find(root, id, arena, &i, e) < 0 || instance_load(&i, e) < 0)
		return -1;
	*ret = i;
	i.dir_fd = -1;
	return 0;
}

int instance_look(const char *root, const char *id, struct arena *arena, struct instance *ret, struct err *e)
{
	AUTO_INSTANCE struct instance i = INSTANCE_EMPTY;

	if (find_any(root, id, arena, &i, e) < 0 || instance_load(&i, e) < 0)
		return -1;
	*ret = i;
	i.dir_fd = -1;
	return 0;
}

void instance_close(struct instance *i)
{
	close_fd(&i->dir_fd);
}

/* --- the lock ---------------------------------------------------------------------------------------------------- */

static int check_not_removed(const struct instance *i, struct err *e)
{
	struct stat st;

	if (fstat(i->dir_fd, &st) < 0)
		return err_sys(e, "look at '%s/%s'", i->root, i->id);
	return st.st_nlink != 0 ? 0 : err_set(e, ERR_NOT_FOUND, "container does not exist: '%s'", i->id);
}

int instance_lock(struct instance *i, unsigned timeout_ms, struct err *e)
{
	int64_t end = clock_mono_ns() + (int64_t)timeout_ms * 1000000;
	struct timespec nap = { .tv_nsec = 1000000 };

	while (flock(i->dir_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return err_sys(e, "lock '%s/%s'", i->root, i->id);
		if (clock_mono_ns() >= end)
			return err_set(e, ERR_TIMEOUT, "container '%s' is being created or removed by somebody", i->id);
		nanosleep(&nap, NULL);
	}
	return check_not_removed(i, e);
}

void instance_unlock(struct instance *i)
{
	flock(i->dir_fd, LOCK_UN);
}

/* A shared lock tells, and is gone at once. */
static int is_locked(const struct instance *i, bool *ret, struct err *e)
{
	AUTO_CLOSE int fd = openat(i->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* ENOENT: it was removed meanwhile, and nobody holds it any more */
	if (fd < 0 && errno != ENOENT)
		return err_sys(e, "open '%s/%s'", i->root, i->id);
	*ret = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
	if (*ret && errno != EWOULDBLOCK)
		return err_sys(e, "lock '%s/%s'", i->root, i->id);
	return 0;
}

/* --- the record -------------------------------------------------------------------------------------------------- */

int instance_save(struct instance *i, struct err *e)
{
	AUTO_STRBUF struct strbuf text = { 0 };

	json_emit(&instance_record_schema, i->record, &text);
	if (file_replace(i->dir_fd, STATE_FILE, text.data, text.len, 0600, e) < 0)
		return err_wrap(e, "'%s/%s'", i->root, i->id);
	return 0;
}

int instance_remove(struct instance *i, struct err *e)
{
	AUTO_CLOSE int root_fd = -1;

	if (open_root(i->root, &root_fd, e) < 0 || path_remove_tree(root_fd, i->id, e) < 0)
		return err_wrap(e, "remove container '%s'", i->id);
	return 0;
}

/* --- waiting for the start ---------------------------------------------------------------------------------------- */

static int make_fifo(const struct instance *i, const char *name, int *ret_fd, struct err *e)
{
	int fd;

	if (mkfifoat(i->dir_fd, name, 0600) < 0)
		return err_sys(e, "make '%s/%s/%s'", i->root, i->id, name);
	fd = openat(i->dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(e, "open '%s/%s/%s'", i->root, i->id, name);
	*ret_fd = fd;
	return 0;
}

int instance_make_fifos(const struct instance *i, int *ret_start_fd, int *ret_report_fd, struct err *e)
{
	AUTO_CLOSE int start = -1;

	if (make_fifo(i, START_FIFO, &start, e) < 0 || make_fifo(i, REPORT_FIFO, ret_report_fd, e) < 0)
		return -1;
	*ret_start_fd = TAKE_FD(start);
	return 0;
}

static int open_start(const struct instance *i)
{
	return openat(i->dir_fd, START_FIFO, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
}

int instance_open_fifos(const struct instance *i, int *ret_start_fd, int *ret_report_fd, struct err *e)
{
	AUTO_CLOSE int start = open_start(i);

	if (start < 0 && (errno == ENXIO || errno == ENOENT))
		return err_set(e, ERR_CONFLICT, "cannot start an already running container");
	if (start < 0)
		return err_sys(e, "open '%s/%s/" START_FIFO "'", i->root, i->id);
	*ret_report_fd = openat(i->dir_fd, REPORT_FIFO, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (*ret_report_fd < 0)
		return err_sys(e, "open '%s/%s/" REPORT_FIFO "'", i->root, i->id);
	*ret_start_fd = TAKE_FD(start);
	return 0;
}

/* --- the status -------------------------------------------------------------------------------------------------- */

static const char *const status_names[] = {
	[INSTANCE_CREATING] = "creating", [INSTANCE_CREATED] = "created", [INSTANCE_RUNNING] = "running",
	[INSTANCE_PAUSED] = "paused",     [INSTANCE_STOPPED] = "stopped",
};

const char *instance_status_name(enum instance_status s)
{
	return status_names[s];
}

static struct procid process_of(const struct instance_record *r)
{
	struct procid id = { .pid = (pid_t)r->pid, .start_ticks = r->start_ticks };

	if (r->boot != NULL && strlen(r->boot) == BOOT_ID_LEN)
		memcpy(id.boot, r->boot, sizeof(id.boot));
	return id;
}

static int is_waiting(const struct instance *i, bool *ret, struct err *e)
{
	AUTO_CLOSE int fd = open_start(i);

	if (fd < 0 && errno != ENXIO && errno != ENOENT)
		return err_sys(e, "open '%s/%s/" START_FIFO "'", i->root, i->id);
	*ret = fd >= 0;
	return 0;
}

static int status_of_living(const struct instance *i, enum instance_status *ret, struct err *e)
{
	bool locked = false, waiting = false;

	if (is_locked(i, &locked, e) < 0)
		return -1;
	*ret = INSTANCE_CREATING;
	if (locked)
		return 0;
	*ret = INSTANCE_PAUSED;
	if (!str_is_empty(i->record->cgroup_path) && cgroup_is_frozen(i->record->cgroup_path))
		return 0;
	if (is_waiting(i, &waiting, e) < 0)
		return -1;
	*ret = waiting ? INSTANCE_CREATED : INSTANCE_RUNNING;
	return 0;
}

/* Whoever holds the lock is making it. */
static int status_without_process(const struct instance *i, enum instance_status *ret, struct err *e)
{
	bool locked = false;

	if (is_locked(i, &locked, e) < 0)
		return -1;
	*ret = locked ? INSTANCE_CREATING : INSTANCE_STOPPED;
	return 0;
}

int instance_status(const struct instance *i, enum instance_status *ret, int *ret_pidfd, struct err *e)
{
	AUTO_CLOSE int pidfd = -1;
	struct procid id;

	if (ret_pidfd != NULL)
		*ret_pidfd = -1;
	if (i->record == NULL || i->record->pid == 0)
		return status_without_process(i, ret, e);
	*ret = INSTANCE_STOPPED;
	id = process_of(i->record);
	if (procid_open(&id, &pidfd, e) < 0)
		return e->kind == ERR_NOT_FOUND ? 0 : -1;
	if (status_of_living(i, ret, e) < 0)
		return -1;
	if (ret_pidfd != NULL)
		*ret_pidfd = TAKE_FD(pidfd);
	return 0;
}

void instance_put_state(struct jw *w, const struct instance_record *rec, const char *status)
{
	jw_str(w, "ociVersion", rec->oci_version);
	jw_str(w, "id", rec->id);
	jw_str(w, "status", status);
	jw_str(w, "bundle", rec->bundle);
	if (rec->annotations.n != 0)
		jw_map(w, "annotations", &rec->annotations);
}
