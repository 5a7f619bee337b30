/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/idhelper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/idmap.h"
#include "runtime/stages.h"

#define TIMEOUT_MS 10000

/* One of both lists, and who writes it. */
struct half {
	const char *field, *program, *ranges;
	const struct oci_id_mapping *v;
	size_t n;
	unsigned own; /* the caller's ID */
};

static void halves(const struct idhelper *h, const struct idmap *map, struct half ret[2])
{
	ret[0] = (struct half){ "uidMappings", "newuidmap", "/etc/subuid", map->uids, map->n_uids, (unsigned)h->uid };
	ret[1] = (struct half){ "gidMappings", "newgidmap", "/etc/subgid", map->gids, map->n_gids, (unsigned)h->gid };
}

/* One ID that is the caller's own: the kernel lets us write that. */
static bool is_direct(const struct half *h)
{
	return h->n == 1 && h->v[0].n_ids == 1 && h->v[0].host_id == h->own;
}

/* --- the programs --------------------------------------------------------------------------------------------------- */

static int check_program(const struct half *h, struct err *e)
{
	AUTO_FREE char *file = path_find_program(h->program);

	if (file != NULL)
		return 0;
	return err_set(e, ERR_NOT_FOUND, "linux.%s: more than the caller's own ID takes %s, which is not in $PATH (package uidmap), and a range of IDs in %s",
		       h->field, h->program, h->ranges);
}

/* "newuidmap PID inside outside count ..." */
static char **arguments(const struct half *h, pid_t target)
{
	char **argv = xcalloc(h->n * 3 + 3, sizeof(*argv));
	size_t n = 0;

	argv[n++] = xstrdup(h->program);
	argv[n++] = xasprintf("%d", (int)target);
	for (size_t i = 0; i < h->n; i++) {
		argv[n++] = xasprintf("%u", h->v[i].container_id);
		argv[n++] = xasprintf("%u", h->v[i].host_id);
		argv[n++] = xasprintf("%u", h->v[i].n_ids);
	}
	return argv;
}

static int run_program(const struct half *h, pid_t target, struct err *e)
{
	static const struct hook_plan no_state = { .what = "newuidmap" };
	static char *const no_env[] = { NULL };
	AUTO_FREE char *file = path_find_program(h->program);
	/* lives as long as the child */
	const struct hook_op op = { .path = file, .argv = arguments(h, target), .envp = no_env, .timeout_ms = TIMEOUT_MS };
	struct stage_hook_end end = { 0 };
	char how[HOOK_END_MAX];

	if (file == NULL || stage_run_hook(&no_state, &op, 0, &end) < 0)
		return err_sys(e, "linux.%s: run %s", h->field, h->program);
	if (!stage_hook_failed(&end, how))
		return 0;
	return err_set(e, ERR_DENIED, "linux.%s: %s has refused them (%s: %s); %s says which IDs user %u may have", h->field, h->program, how,
		       end.output[0] != '\0' ? end.output : "it said nothing", h->ranges, (unsigned)getuid());
}

/* --- the child ------------------------------------------------------------------------------------------------------ */

static int map_from_outside(const struct idhelper *h, const struct idmap *map, pid_t target, struct err *e)
{
	struct half both[2];

	halves(h, map, both);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++)
		if (!is_direct(&both[i]) && run_program(&both[i], target, e) < 0)
			return -1;
	return 0;
}

static _Noreturn void serve(int fd, const struct idhelper *h, const struct idmap *map, pid_t target)
{
	struct err e = { 0 };
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* the parent may have died before that line: then this ends */
	if (recv(fd, &byte, 1, 0) != 1)
		_exit(EXIT_FAILURE);
	map_from_outside(h, map, target, &e);
	_exit(send(fd, &e, sizeof(e), MSG_NOSIGNAL) == sizeof(e) ? EXIT_SUCCESS : EXIT_FAILURE);
}

static int fork_child(struct idhelper *h, const struct idmap *map, struct err *e)
{
	AUTO_CLOSE int theirs = -1;
	pid_t us = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "make a socket pair");
	h->fd = pair[0];
	theirs = pair[1];
	h->pid = (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, NULL, NULL, NULL, 0ul);
	if (h->pid < 0) {
		h->pid = 0;
		return err_sys(e, "fork who has the mappings written");
	}
	if (h->pid == 0) {
		close(h->fd);
		serve(theirs, h, map, us);
	}
	return 0;
}

int idhelper_begin(struct idhelper *h, const struct idmap *map, struct err *e)
{
	struct half both[2];
	bool is_needed = false;

	h->uid = geteuid();
	h->gid = getegid();
	halves(h, map, both);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		if (!is_direct(&both[i]) && check_program(&both[i], e) < 0)
			return -1;
		is_needed = is_needed || !is_direct(&both[i]);
	}
	return is_needed ? fork_child(h, map, e) : 0;
}

/* --- we ------------------------------------------------------------------------------------------------------------- */

static int write_own(const char *file, const char *text, struct err *e)
{
	AUTO_CLOSE int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_sys(e, "write '%s'", file);
	return 0;
}

/* A group of one's own could otherwise be dropped that is there to keep somebody out of something: user_namespaces(7). */
static int map_directly(const struct half *h, bool is_groups, struct err *e)
{
	AUTO_FREE char *line = xasprintf("%u %u 1\n", h->v[0].container_id, h->v[0].host_id);

	if (is_groups && write_own("/proc/self/setgroups", "deny", e) < 0)
		return -1;
	return write_own(is_groups ? "/proc/self/gid_map" : "/proc/self/uid_map", line, e);
}

static int ask(const struct idhelper *h, struct err *e)
{
	struct err theirs = { 0 };
	ssize_t n;

	if (send(h->fd, "", 1, MSG_NOSIGNAL) < 0)
		return err_sys(e, "ask for the mappings");
	do
		n = recv(h->fd, &theirs, sizeof(theirs), 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(theirs))
		return err_set(e, ERR_INTERNAL, "who has the mappings written has ended");
	if (theirs.kind == ERR_NONE)
		return 0;
	*e = theirs;
	return -1;
}

int idhelper_map(struct idhelper *h, const struct idmap *map, struct err *e)
{
	struct half both[2];

	halves(h, map, both);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++)
		if (is_direct(&both[i]) && map_directly(&both[i], i == 1, e) < 0)
			return -1;
	return h->pid != 0 ? ask(h, e) : 0;
}

void idhelper_done(struct idhelper *h)
{
	close_fd(&h->fd);
	if (h->pid > 0) {
		kill(h->pid, SIGKILL);
		while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	h->pid = 0;
}
