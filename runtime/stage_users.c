/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STAGE_USERS: "user[:group]" becomes numbers, by the /etc/passwd and /etc/group of the container's own root.
 *
 * Must: give what docker gives for the same files (moby/sys/user, GetExecUser), set HOME when env has none, and put
 * the primary group among the supplementary ones (CVE-2022-36109).
 * Must not: use NSS, believe in a file that is not regular, read more than PASSWD_MAX_BYTES of one, let a number
 * that does not fit become another (CVE-2024-40635), or look a number up as a name.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/defence.h"
#include "runtime/stages.h"

#define PASSWD_MAX_BYTES (1u << 20)
#define LINE_MAX_BYTES   8192u       /* a longer line is skipped */
#define ID_MAX           2147483647u /* as docker has it */
#define FIELDS_MAX       7

struct stage_lines {
	int fd; /* -1: there is no such file, or its end is reached */
	const char *path;
	size_t start, end, total;
	bool skips; /* inside a line that is too long */
	char buf[LINE_MAX_BYTES];
};

/* We read with more power than the container has: of /proc/kmsg that would take the host's messages away. */
static bool stage_is_kernels(const struct stage_ctx *c, const struct stage_lines *l)
{
	struct statfs fs;

	if (fstatfs(l->fd, &fs) < 0)
		stage_die(c, "look at '", l->path, "' in the container", NULL);
	return fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC;
}

static void stage_lines_open(const struct stage_ctx *c, struct stage_lines *l, const char *path)
{
	struct stat st;

	l->path = path;
	l->start = l->end = l->total = 0;
	l->skips = false;
	l->fd = stage_open_in_root(c->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (l->fd < 0 && errno != ENOENT && errno != ENOTDIR)
		stage_die(c, "open '", path, "' in the container", NULL);
	if (l->fd >= 0 && fstat(l->fd, &st) < 0)
		stage_die(c, "look at '", path, "' in the container", NULL);
	if (l->fd >= 0 && DEFENCE(PASSWD_REGULAR, !S_ISREG(st.st_mode), false))
		stage_refuse(c, ERR_INVALID, 125, 0, "'", path,
			     "' in the container is not a regular file", NULL);
	if (l->fd >= 0 && DEFENCE(PASSWD_ON_DISK, stage_is_kernels(c, l), false))
		stage_refuse(c, ERR_INVALID, 125, 0, "'", path,
			     "' in the container is a file of the kernel", NULL);
}

/* Read on. Return: false at the end */
static bool stage_lines_fill(const struct stage_ctx *c, struct stage_lines *l)
{
	ssize_t n;

	memmove(l->buf, l->buf + l->start, l->end - l->start);
	l->end -= l->start;
	l->start = 0;
	if (l->end == sizeof(l->buf) - 1) {
		l->end = 0;
		l->skips = true;
	}
	if (l->fd < 0)
		return false;
	n = read(l->fd, l->buf + l->end, sizeof(l->buf) - 1 - l->end);
	if (n < 0)
		stage_die(c, "read '", l->path, "' in the container", NULL);
	l->end += (size_t)n;
	l->total += (size_t)n;
	if (DEFENCE(PASSWD_BOUNDED, l->total > PASSWD_MAX_BYTES, false))
		stage_refuse(c, ERR_INVALID, 125, 0, "'", l->path,
			     "' in the container is larger than 1 MiB", NULL);
	return n > 0;
}

/* The next line, NUL-terminated in the buffer. Return: it, or NULL at the end */
static char *stage_lines_next(const struct stage_ctx *c, struct stage_lines *l)
{
	for (;;) {
		char *line = l->buf + l->start;
		char *nl = NULL;

		for (char *p = line; p < l->buf + l->end && nl == NULL; p++)
			nl = *p == '\n' ? p : NULL;
		if (nl != NULL) {
			*nl = '\0';
			l->start = (size_t)(nl + 1 - l->buf);
			if (!l->skips)
				return line;
			l->skips = false;
			continue;
		}
		if (stage_lines_fill(c, l))
			continue;
		stage_close(l->fd);
		l->fd = -1;
		if (l->start == l->end || l->skips)
			return NULL;
		l->buf[l->end] = '\0';
		line = l->buf + l->start;
		l->start = l->end;
		return line;
	}
}

/* Cut a line at its colons. Return: the number of fields */
static size_t stage_split(char *line, char *fields[FIELDS_MAX])
{
	size_t n = 0;

	for (char *p = line; n < FIELDS_MAX; p++) {
		fields[n++] = p;
		while (*p != '\0' && *p != ':')
			p++;
		if (*p == '\0')
			break;
		*p = '\0';
	}
	return n;
}

enum stage_number { STAGE_NO_NUMBER, STAGE_NUMBER, STAGE_NUMBER_TOO_LARGE };

static enum stage_number stage_parse_id(const char *s, uint32_t *ret)
{
	uint64_t v = 0;

	if (*s == '\0')
		return STAGE_NO_NUMBER;
	for (const char *p = s; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			return STAGE_NO_NUMBER;
		if (v <= ID_MAX)
			v = v * 10 + (uint64_t)(*p - '0');
	}
	if (v > ID_MAX)
		return STAGE_NUMBER_TOO_LARGE;
	*ret = (uint32_t)v;
	return STAGE_NUMBER;
}

/* What is wanted of /etc/passwd or /etc/group: a name, or a number. */
struct stage_wanted {
	const char *name;
	bool is_number;
	uint32_t number;
};

static void stage_want(const struct stage_ctx *c, const char *name, struct stage_wanted *ret)
{
	enum stage_number kind = stage_parse_id(name, &ret->number);

	if (DEFENCE(ID_RANGE, kind == STAGE_NUMBER_TOO_LARGE, false))
		stage_refuse(c, ERR_INVALID, 125, 0,
			     "uids and gids must be in range 0-2147483647: ", name, NULL);
	ret->name = name;
	ret->is_number = kind == STAGE_NUMBER;
}

static bool stage_matches(const struct stage_wanted *w, const char *name, uint32_t number)
{
	return w->is_number ? w->number == number : strcmp(w->name, name) == 0;
}

static void stage_copy(char *to, size_t size, const char *text)
{
	size_t n = strnlen(text, size - 1);

	memcpy(to, text, n);
	to[n] = '\0';
}

struct stage_user {
	bool is_found;
	char name[IDENTITY_NAME_MAX];
	char home[IDENTITY_HOME_MAX];
	uint32_t uid, gid;
};

static void stage_find_user(const struct stage_ctx *c, const struct stage_wanted *w,
			    struct stage_user *ret)
{
	struct stage_lines l;
	char *line, *f[FIELDS_MAX];

	ret->is_found = false;
	ret->name[0] = '\0';
	stage_copy(ret->home, sizeof(ret->home), "/");
	stage_lines_open(c, &l, "/etc/passwd");
	while (!ret->is_found && (line = stage_lines_next(c, &l)) != NULL) {
		if (stage_split(line, f) < 6)
			continue;
		if (stage_parse_id(f[2], &ret->uid) != STAGE_NUMBER ||
		    stage_parse_id(f[3], &ret->gid) != STAGE_NUMBER)
			continue;
		if (!stage_matches(w, f[0], ret->uid) || strlen(f[0]) >= sizeof(ret->name))
			continue;
		ret->is_found = true;
		stage_copy(ret->name, sizeof(ret->name), f[0]);
		if (f[5][0] != '\0')
			stage_copy(ret->home, sizeof(ret->home), f[5]);
	}
	stage_close(l.fd);
}

static bool stage_is_member(char *members, const char *name)
{
	while (*members != '\0') {
		char *end = members;

		while (*end != '\0' && *end != ',')
			end++;
		if ((size_t)(end - members) == strlen(name) &&
		    memcmp(members, name, strlen(name)) == 0)
			return true;
		members = *end == ',' ? end + 1 : end;
	}
	return false;
}

static void stage_add_group(const struct stage_ctx *c, struct stage_identity *id, uint32_t gid)
{
	for (size_t i = 0; i < id->n_groups; i++)
		if (id->groups[i] == gid)
			return;
	if (id->n_groups == IDENTITY_GROUPS_MAX)
		stage_refuse(c, ERR_INVALID, 125, 0, "the user is in more than 4096 groups", NULL);
	id->groups[id->n_groups++] = gid;
}

/* Without a group of its own in the text, the user is in every group that lists it. */
static void stage_member_groups(const struct stage_ctx *c, struct stage_identity *id,
				const char *user)
{
	struct stage_lines l;
	char *line, *f[FIELDS_MAX];
	uint32_t gid;

	if (user[0] == '\0')
		return;
	stage_lines_open(c, &l, "/etc/group");
	while ((line = stage_lines_next(c, &l)) != NULL)
		if (stage_split(line, f) >= 4 && stage_parse_id(f[2], &gid) == STAGE_NUMBER &&
		    stage_is_member(f[3], user))
			stage_add_group(c, id, gid);
}

static uint32_t stage_find_group(const struct stage_ctx *c, const struct stage_wanted *w)
{
	struct stage_lines l;
	char *line, *f[FIELDS_MAX];
	uint32_t gid;

	if (w->is_number)
		return w->number;
	stage_lines_open(c, &l, "/etc/group");
	while ((line = stage_lines_next(c, &l)) != NULL) {
		if (stage_split(line, f) < 3 || stage_parse_id(f[2], &gid) != STAGE_NUMBER)
			continue;
		if (stage_matches(w, f[0], gid)) {
			stage_close(l.fd);
			return gid;
		}
	}
	stage_refuse(c, ERR_INVALID, 125, 0, "unable to find group ", w->name,
		     ": no matching entries in group file", NULL);
}

static void stage_resolve_text(const struct stage_ctx *c, struct stage_identity *id,
			       struct stage_user *user)
{
	char text[2 * IDENTITY_NAME_MAX];
	char *group;
	struct stage_wanted w;

	if (strlen(id->text) >= sizeof(text))
		stage_refuse(c, ERR_INVALID, 125, 0, "the user's name is too long", NULL);
	stage_copy(text, sizeof(text), id->text);
	group = strchr(text, ':');
	if (group != NULL)
		*group++ = '\0';

	stage_want(c, text[0] != '\0' ? text : "0", &w);
	stage_find_user(c, &w, user);
	if (!user->is_found && !w.is_number)
		stage_refuse(c, ERR_INVALID, 125, 0, "unable to find user ", w.name,
			     ": no matching entries in passwd file", NULL);
	id->uid = user->is_found ? user->uid : w.number;
	id->gid = user->is_found ? user->gid : 0;
	if (group != NULL && group[0] != '\0') {
		stage_want(c, group, &w);
		id->gid = stage_find_group(c, &w);
	} else {
		stage_member_groups(c, id, user->name);
	}
}

static void stage_set_home(struct process_plan *p, const char *home)
{
	char *to = p->identity.home + strlen("HOME=");

	if (p->env_home_slot == NULL)
		return;
	stage_copy(to, IDENTITY_HOME_MAX, home);
	*p->env_home_slot = p->identity.home;
}

/* Names are the container's own; numbers need not be in its file */
static void stage_extra_groups(const struct stage_ctx *c, struct stage_identity *id)
{
	struct stage_wanted w;

	for (size_t i = 0; i < id->n_extra; i++) {
		stage_want(c, id->extra[i], &w);
		stage_add_group(c, id, stage_find_group(c, &w));
	}
}

void stage_users(struct stage_ctx *c, struct process_plan *p)
{
	struct stage_identity *id = &p->identity;
	struct stage_user user;
	struct stage_wanted by_uid = { .is_number = true, .number = id->uid };

	stage_enter(c, STAGE_USERS);
	if (id->text != NULL)
		stage_resolve_text(c, id, &user);
	else if (p->env_home_slot != NULL)
		stage_find_user(c, &by_uid, &user);
	DEFENCE(PRIMARY_GROUP, stage_add_group(c, id, id->gid), (void)0);
	stage_extra_groups(c, id);
	if (p->env_home_slot != NULL)
		stage_set_home(p, user.home);
}
