/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/own.h"
#include "base/str.h"

/* The kernel answers EAGAIN when somebody renames above us at the wrong moment. */
#define OPENAT2_TRIES 64

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int openat2_retry(int dirfd, const char *path, const struct open_how *how)
{
	int fd = -1;

	for (int i = 0; i < OPENAT2_TRIES; i++) {
		fd = (int)syscall(SYS_openat2, dirfd, path, how, sizeof(*how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd;
}

int path_open_in_root(int root_fd, const char *path, int flags, mode_t mode, int *ret_fd,
		      struct err *e)
{
	bool creates = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.mode = creates ? mode : 0,
		.resolve = DEFENCE(OPEN_IN_ROOT, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, 0),
	};
	int fd = openat2_retry(root_fd, path, &how);

	if (fd < 0)
		return err_sys(e, "open '%s'", path);
	*ret_fd = fd;
	return 0;
}

int path_mkdirs(int dirfd, const char *path, mode_t mode, struct err *e)
{
	AUTO_FREE char *prefix = xstrdup(path);
	struct stat st;

	for (char *p = prefix; *p != '\0';) {
		char saved;

		p += strspn(p, "/");
		p += strcspn(p, "/");
		saved = *p;
		*p = '\0';
		if (mkdirat(dirfd, prefix, mode) < 0 && errno != EEXIST)
			return err_sys(e, "create directory '%s'", prefix);
		*p = saved;
	}
	if (fstatat(dirfd, path, &st, 0) < 0)
		return err_sys(e, "create directory '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_CONFLICT,
			       "create directory '%s': exists and is not a directory", path);
	return 0;
}

int path_open_dir(int dirfd, const char *name, int flags, int *ret_fd, struct err *e)
{
	int fd = openat(dirfd, name, flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open directory '%s'", name);
	*ret_fd = fd;
	return 0;
}

char *path_join(const char *a, const char *b)
{
	size_t n = strlen(a);

	if (n == 0)
		return xstrdup(b);
	b += strspn(b, "/");
	if (*b == '\0')
		return xstrdup(a);
	return xasprintf(a[n - 1] == '/' ? "%s%s" : "%s/%s", a, b);
}

/* Take the last element off "a/b" or "/a/b"; nothing to take from "/", "" and what ends in "..". */
static bool drop_last(struct strbuf *out, bool is_absolute)
{
	size_t floor = is_absolute ? 1 : 0;
	size_t n = out->len;

	if (n == floor)
		return is_absolute;
	while (n > floor && out->data[n - 1] != '/')
		n--;
	if (strcmp(out->data + n, "..") == 0)
		return false;
	out->len = n > floor ? n - 1 : floor;
	out->data[out->len] = '\0';
	return true;
}

char *path_clean(const char *path)
{
	bool is_absolute = path[0] == '/';
	struct strbuf out = { 0 };

	strbuf_reserve(&out, strlen(path) + 1);
	if (is_absolute)
		strbuf_addc(&out, '/');
	while (*path != '\0') {
		size_t n;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 2 && path[0] == '.' && path[1] == '.' && drop_last(&out, is_absolute)) {
			path += n;
			continue;
		}
		if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (out.len > (is_absolute ? 1U : 0U))
				strbuf_addc(&out, '/');
			strbuf_add(&out, path, n);
		}
		path += n;
	}
	if (out.len == 0)
		strbuf_addc(&out, '.');
	return strbuf_take(&out);
}

bool path_is_name(const char *name)
{
	return !str_is_empty(name) && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

char *path_find_program(const char *name)
{
	const char *path = getenv("PATH");

	for (const char *dir = str_is_empty(path) ? PATH_DEFAULT : path; *dir != '\0';) {
		size_t n = strcspn(dir, ":");
		AUTO_FREE char *one = xstrndup(dir, n), *file = path_join(one, name);

		if (one[0] == '/' && access(file, X_OK) == 0)
			return TAKE_PTR(file);
		dir += n + (dir[n] == ':');
	}
	return NULL;
}
