/* SPDX-License-Identifier: Apache-2.0 */
/* What Kiln itself needs and does: the group, the socket, the data root, the daemon behind them. */
#include <errno.h>
#include <grp.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/own.h"
#include "cli/check.h"
#include "cli/human.h"
#include "base/jsontext.h"
#include "daemon/api.h"

#define SOCKET_GROUP "kiln"
#define SPACE_WARN   (2LL << 30)
#define SPACE_FAIL   (100LL << 20)

static const char *socket_path(const struct check_places *p)
{
	return str_starts(p->host, "unix://") ? p->host + strlen("unix://") : p->host;
}

/* The group that the socket has; before there is one, kilnd's default */
void check_group(const struct check_places *p, struct check_result *r)
{
	struct stat st;
	struct group *group = stat(socket_path(p), &st) == 0 && st.st_gid != 0 && st.st_mode & S_IWGRP ? getgrgid(st.st_gid) : NULL;

	if (group)
		check_set(r, CHECK_OK, "", "members of '%.64s' may use the socket", group->gr_name);
	else if (getgrnam(SOCKET_GROUP))
		check_set(r, CHECK_OK, "", "'" SOCKET_GROUP "' is there");
	else
		check_set(r, CHECK_WARN, "groupadd --system " SOCKET_GROUP "; usermod -aG " SOCKET_GROUP " USER; then restart kilnd",
			  "there is no group '" SOCKET_GROUP "': only root can use the socket");
}

void check_socket(const struct check_places *p, struct check_result *r)
{
	const char *path = socket_path(p);
	struct group *group;
	struct passwd *user;
	char owner[64], members[64];
	struct stat st;

	if (stat(path, &st) < 0) {
		check_set(r, CHECK_FAIL, errno == EACCES ? "be root, or let others search the directory" :
			  "start kilnd ('systemctl start kilnd' or 'sudo kilnd'), or say where it is with --host",
			  "%.150s: %s", path, strerror(errno));
		return;
	}
	user = getpwuid(st.st_uid);
	snprintf(owner, sizeof(owner), user ? "%.60s" : "%.0s%u", user ? user->pw_name : "", st.st_uid);
	group = getgrgid(st.st_gid);
	snprintf(members, sizeof(members), group ? "%.60s" : "%.0s%u", group ? group->gr_name : "", st.st_gid);
	if (!S_ISSOCK(st.st_mode))
		check_set(r, CHECK_FAIL, "say where the socket is with --host", "%.150s is no socket", path);
	else if (access(path, R_OK | W_OK) < 0)
		check_set(r, CHECK_FAIL, "be root or a member of that group: usermod -aG GROUP USER, then log in again",
			  "%.150s belongs to %s:%s, mode %04o: you may not use it", path, owner, members, st.st_mode & 07777);
	else if (st.st_mode & S_IWOTH)
		check_set(r, CHECK_WARN, "who may use it is as good as root: restart kilnd, which sets its mode", "%.150s may be used by everybody", path);
	else
		check_set(r, CHECK_OK, "", "%.150s, %s:%s, mode %04o", path, owner, members, st.st_mode & 07777);
}

static const char *file_system(const char *path)
{
	static const struct { unsigned long magic; const char *name; } known[] = {
		{ EXT4_SUPER_MAGIC, "ext4" }, { XFS_SUPER_MAGIC, "xfs" }, { BTRFS_SUPER_MAGIC, "btrfs" }, { TMPFS_MAGIC, "tmpfs" },
		{ OVERLAYFS_SUPER_MAGIC, "overlay" }, { NFS_SUPER_MAGIC, "nfs" }, { 0x2fc12fc1, "zfs" }, { MSDOS_SUPER_MAGIC, "fat" },
	};
	struct statfs fs;

	for (size_t i = 0; statfs(path, &fs) == 0 && i < ARRAY_SIZE(known); i++)
		if ((unsigned long)fs.f_type == known[i].magic)
			return known[i].name;
	return "unknown file system";
}

/* The nearest directory above that there is: a first start makes the rest */
static char *existing(const char *path)
{
	char *at = xstrdup(path);

	while (access(at, F_OK) < 0 && strrchr(at, '/') && at[1])
		strrchr(at, '/')[strrchr(at, '/') == at] = 0;
	return at;
}

void check_data_root(const struct check_places *p, struct check_result *r)
{
	static const char *const bad[] = { "overlay", "nfs", "fat" };
	AUTO_FREE char *path = existing(p->data_root);
	const char *name = file_system(path);
	struct statvfs space;
	char left[HUMAN_MAX];
	double bytes;

	if (statvfs(path, &space) < 0) {
		check_set(r, CHECK_WARN, "run the check as root", "%.150s: %s", p->data_root, strerror(errno));
		return;
	}
	bytes = (double)space.f_bavail * (double)space.f_frsize;
	human_bytes(bytes, left);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (str_eq(bad[i], name)) {
			check_set(r, CHECK_FAIL, "put --data-root on ext4 or xfs", "%.150s is on %s, which cannot be overlay's upper layer", p->data_root, name);
			return;
		}
	if (bytes < SPACE_FAIL)
		check_set(r, CHECK_FAIL, "free some space: 'kiln system df', 'kiln rmi'", "%.150s, %s, %s left", p->data_root, name, left);
	else if (bytes < SPACE_WARN)
		check_set(r, CHECK_WARN, "free some space: 'kiln system df', 'kiln rmi'", "%.150s, %s, %s left", p->data_root, name, left);
	else
		check_set(r, CHECK_OK, "", "%.150s, %s, %s left", p->data_root, name, left);
}

void check_daemon(const struct check_places *p, struct check_result *r)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf body = {0};
	struct err e = {0};
	const char *version;
	struct jsontext v;
	int status;

	if (api_call(p->host, "GET", "/version", NULL, &status, &body, &e) < 0 ||
	    jsontext_check(strbuf_cstr(&body), body.len, &v, &e) < 0) {
		check_set(r, CHECK_FAIL, "see the line about the socket; then the daemon's log ('journalctl -u kilnd')", "%.250s", e.msg);
		return;
	}
	version = jsontext_string(jsontext_member(v, "Version"), a);
	if (!str_eq(version, KILN_VERSION))
		check_set(r, CHECK_WARN, "restart kilnd after an upgrade; containers run on", "kilnd is %.64s, this kiln " KILN_VERSION, version);
	else
		check_set(r, CHECK_OK, "", "kilnd %.64s answers", version);
}

void check_warm(const struct check_places *p, struct check_result *r)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf body = {0};
	struct jsontext v, reason;
	size_t pos = 0;
	char *key;
	int status = 0;

	if (api_request(p->host, "GET", "/kiln/v1/health", NULL, &status, &body, ERR_IGNORED) < 0 ||
	    jsontext_check(strbuf_cstr(&body), body.len, &v, ERR_IGNORED) < 0)
		check_set(r, CHECK_WARN, "start kilnd first", "not known: the daemon does not answer");
	else if (status == 200)
		check_set(r, CHECK_OK, "", "all that should be warm is warm");
	else if (jsontext_next(jsontext_member(v, "reasons"), &pos, a, &key, &reason))
		check_set(r, CHECK_WARN, "'kiln health' tells all", "%.200s", jsontext_string(reason, a));
	else
		check_set(r, CHECK_WARN, "'kiln health' tells all", "the daemon's answer has status %d", status);
}
