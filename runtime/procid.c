/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/procid.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"

#define STAT_MAX_BYTES  4096
#define FIELDS_TO_START 19 /* from the state, field 3, to field 22 */

int procid_parse_start(const char *stat, uint64_t *ret)
{
	AUTO_FREE char *copy = xstrdup(stat);
	/* The name is whatever the process likes, but nothing behind it has a parenthesis */
	char *rest = strrchr(copy, ')'), *field;

	if (rest == NULL || rest[1] != ' ')
		return -1;
	rest += 2;
	for (size_t i = 0; (field = strsep(&rest, " ")) != NULL; i++)
		if (i == FIELDS_TO_START)
			return str_to_u64(field, ret) ? 0 : -1;
	return -1;
}

static int read_start(pid_t pid, uint64_t *ret, struct err *e)
{
	AUTO_FREE char *text = NULL;
	char file[48];

	snprintf(file, sizeof(file), "/proc/%d/stat", (int)pid);
	if (file_read(AT_FDCWD, file, STAT_MAX_BYTES, &text, NULL, e) < 0)
		return -1;
	if (procid_parse_start(text, ret) < 0)
		return err_set(e, ERR_INTERNAL, "'%s' is not what it should be", file);
	return 0;
}

static int read_boot(char ret[BOOT_ID_LEN + 1], struct err *e)
{
	static const char file[] = "/proc/sys/kernel/random/boot_id";
	AUTO_FREE char *text = NULL;

	if (file_read(AT_FDCWD, file, BOOT_ID_LEN + 8, &text, NULL, e) < 0)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	if (strlen(text) != BOOT_ID_LEN)
		return err_set(e, ERR_INTERNAL, "'%s' is not what it should be", file);
	memcpy(ret, text, BOOT_ID_LEN + 1);
	return 0;
}

int procid_of(pid_t pid, struct procid *ret, struct err *e)
{
	struct procid id = { .pid = pid };

	if (read_boot(id.boot, e) < 0 || read_start(pid, &id.start_ticks, e) < 0)
		return -1;
	*ret = id;
	return 0;
}

static int ended(const struct procid *id, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "process %d has ended", (int)id->pid);
}

/* Whoever cannot be asked has not ended for that. */
static int check_lives(const struct procid *id, int pidfd, struct err *e)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "look at process %d", (int)id->pid);
	return n == 0 ? 0 : ended(id, e);
}

int procid_open(const struct procid *id, int *ret_pidfd, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	struct procid now;
	struct err why = { 0 };
	int known;

	if (id->pid <= 0)
		return ended(id, e);
	fd = (int)syscall(SYS_pidfd_open, id->pid, 0);
	if (fd < 0)
		return errno == ESRCH || errno == EINVAL ? ended(id, e) : err_sys(e, "open process %d", (int)id->pid);
	/* What is read belongs to the process of the pidfd when that one is still there afterwards */
	known = procid_of(id->pid, &now, &why);
	if (check_lives(id, fd, e) < 0)
		return -1;
	if (known < 0) {
		*e = why;
		return err_wrap(e, "process %d", (int)id->pid);
	}
	if (now.start_ticks != id->start_ticks || !str_eq(now.boot, id->boot))
		return ended(id, e);
	*ret_pidfd = TAKE_FD(fd);
	return 0;
}
