/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * libseccomp takes hours over some profiles that are small (rules with conditions multiply, for each architecture), and
 * libseccomp 2.5.4 writes behind its memory over others. Who launches a container has the powers of root then. So it works
 * in a child that has none, no descriptor and so many seconds, and leaves the filter in a page that both share. Filters are
 * cached: this happens once for each profile.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/own.h"
#include "runtime/confine.h"
#include "runtime/seccomp_parts.h"

#define CPU_SECONDS_MAX 2
#define SCRATCH_FD      3

struct outcome {
	bool is_told; /* the last that the child writes */
	int result;
	struct err err;
	size_t n;
	struct sock_filter code[BPF_MAXINSNS];
};

static void unmap(struct outcome **o)
{
	if (*o != NULL)
		munmap(*o, sizeof(**o));
}

/* What libseccomp asks the kernel it must have asked before: the filter of a monitor denies it. */
static int give_up_power(int *scratch_fd, struct err *e)
{
	struct rlimit cpu = { CPU_SECONDS_MAX, CPU_SECONDS_MAX };

	if (dup3(*scratch_fd, SCRATCH_FD, O_CLOEXEC) < 0 && errno != EINVAL)
		return err_sys(e, "place a descriptor");
	*scratch_fd = SCRATCH_FD;
	seccomp_api_get();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (DEFENCE(SECCOMP_BOUNDED, setrlimit(RLIMIT_CPU, &cpu), 0) < 0)
		return err_sys(e, "limit the time");
	close_range(SCRATCH_FD + 1, ~0U, 0);
	return confine(&(struct confine_needs){ .pidfd = -1 }, e);
}

static _Noreturn void build_and_tell(const struct oci_seccomp *s, int scratch_fd, struct outcome *o)
{
	struct arena *arena = arena_new();
	struct sock_fprog program = { 0 };

	o->result = give_up_power(&scratch_fd, &o->err);
	if (o->result == 0)
		o->result = seccomp_build(s, scratch_fd, arena, &program, &o->err);
	if (o->result == 0) {
		seccomp_shrink(&program, arena);
		o->n = program.len;
		memcpy(o->code, program.filter, program.len * sizeof(*o->code));
	}
	o->is_told = true;
	_exit(0);
}

/* The child's word: it may have been taken over by what it read, so nothing of it is believed but the filter. */
static int take(struct outcome *o, int status, struct arena *arena, struct sock_fprog *ret, struct err *e)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return err_set(e, ERR_INVALID, "seccomp: the profile takes more than %d seconds: too many rules with conditions",
			       CPU_SECONDS_MAX);
	if (!WIFEXITED(status) || !o->is_told)
		return err_set(e, ERR_INVALID, "seccomp: libseccomp cannot compile the profile (signal %d): too many rules with conditions",
			       WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	if (o->result != 0) {
		o->err.msg[sizeof(o->err.msg) - 1] = '\0';
		*e = o->err;
		return -1;
	}
	if (o->n == 0 || o->n > BPF_MAXINSNS)
		return err_set(e, ERR_INTERNAL, "seccomp: a filter of %zu instructions", o->n);
	ret->filter = arena_new_array(arena, struct sock_filter, o->n);
	memcpy(ret->filter, o->code, o->n * sizeof(*ret->filter));
	ret->len = (unsigned short)o->n;
	return 0;
}

int seccomp_build_apart(const struct oci_seccomp *s, struct arena *arena, struct sock_fprog *ret, struct err *e)
{
	AUTO(unmap) struct outcome *o = mmap(NULL, sizeof(*o), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	AUTO_CLOSE int scratch_fd = -1;
	int status = 0;
	pid_t pid;

	if (o == MAP_FAILED) {
		o = NULL;
		return err_sys(e, "seccomp: map memory");
	}
	if (seccomp_scratch(&scratch_fd, e) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		build_and_tell(s, scratch_fd, o);
	if (pid < 0)
		return err_sys(e, "seccomp: make a process to compile in");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return take(o, status, arena, ret, e);
}
