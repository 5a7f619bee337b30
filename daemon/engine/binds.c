/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/binds.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"

static int make_missing(const struct bundle_bind *b, struct err *e)
{
	struct stat st;

	if (stat(b->source, &st) == 0)
		return 0;
	if (errno == ENOENT && b->must_exist)
		return err_set(e, ERR_INVALID,
			       "invalid mount config for type \"bind\": bind source path does not exist: %.300s", b->source);
	if (errno != ENOENT)
		return err_sys(e, "bind source path '%s'", b->source);
	if (path_mkdirs(AT_FDCWD, b->source, 0755, e) < 0)
		return err_wrap(e, "make bind source path '%s'", b->source);
	return 0;
}

/* ---- propagation ---- */

#define MOUNTINFO_MAX (16u << 20)

/* The mount that a path lies on: "1 2 3:4 / /place options shared:5 - …"; from the fifth field on. Return: in @text, or NULL */
static char *find_mount(const char *path, char *text)
{
	struct statx st;
	char *rest = text;
	char id[24];

	if (statx(AT_FDCWD, path, 0, STATX_MNT_ID, &st) < 0 || (st.stx_mask & STATX_MNT_ID) == 0)
		return NULL;
	snprintf(id, sizeof id, "%llu ", (unsigned long long)st.stx_mnt_id);
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		if (!str_starts(line, id))
			continue;
		for (int field = 1; field < 5 && line; field++) {
			line = strchr(line, ' ');
			line += line != NULL;
		}
		return line;
	}
	return NULL;
}

/* In docker's words: what is not shared on the host cannot be shared with a container. */
static int check_propagation(const struct bundle_bind *b, struct err *e)
{
	bool is_shared = str_eq(b->propagation, "shared") || str_eq(b->propagation, "rshared");
	bool is_slave = str_eq(b->propagation, "slave") || str_eq(b->propagation, "rslave");
	AUTO_FREE char *text = NULL;
	const char *place, *fields;

	if (!is_shared && !is_slave)
		return 0;
	if (file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL, e) < 0)
		return -1;
	place = find_mount(b->source, text);
	if (!place)
		return err_set(e, ERR_SYSTEM, "bind source path '%s': its mount is not to be found", b->source);
	fields = strchr(place, ' ');
	if (fields && (strstr(fields, " shared:") || (is_slave && strstr(fields, " master:"))))
		return 0;
	return err_set(e, ERR_INVALID, "path %.200s is mounted on %.*s but it is not a shared %smount", b->source,
		       (int)strcspn(place, " "), place, is_slave ? "or slave " : "");
}

static int bind_open(const struct bundle_bind *b, int *ret_fd, struct err *e)
{
	unsigned recursive = b->is_recursive ? AT_RECURSIVE : 0;
	int fd;

	if (make_missing(b, e) < 0 || check_propagation(b, e) < 0)
		return -1;
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, b->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
	if (fd < 0)
		return err_sys(e, "bind source path '%s'", b->source);
	*ret_fd = fd;
	return 0;
}

int binds_check(const struct bundle_bind *binds, size_t n, struct err *e)
{
	struct stat st;

	for (size_t i = 0; i < n; i++)
		if (binds[i].must_exist && stat(binds[i].source, &st) < 0 && errno == ENOENT)
			return make_missing(&binds[i], e);
	return 0;
}

int binds_open(const struct bundle_bind *binds, size_t n, int *ret_fds, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		ret_fds[i] = -1;
	for (size_t i = 0; i < n; i++) {
		if (bind_open(&binds[i], &ret_fds[i], e) == 0)
			continue;
		while (i-- > 0)
			close_fd(&ret_fds[i]);
		return -1;
	}
	return 0;
}
