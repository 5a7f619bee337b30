/* SPDX-License-Identifier: Apache-2.0 */
/* libs: -lseccomp -lcap */
/*
 * In which order seccomp filter, identity and capabilities can be set, with no_new_privs and without; and
 * what a filter costs to compile, to load and to run.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <grp.h>
#include <sys/prctl.h>

#include "tests/spikes/spike.h"

enum { REPEATS = 21, CALLS = 200000 };

static int load(const struct sock_fprog *prog)
{
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog);
}

static int load_allow_all(void)
{
	struct sock_filter f[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog prog = { .len = 1, .filter = f };

	return load(&prog);
}

static int only_caps(const cap_value_t *caps, int n)
{
	cap_t c = cap_init();
	int rc;

	cap_set_flag(c, CAP_PERMITTED, n, caps, CAP_SET);
	cap_set_flag(c, CAP_EFFECTIVE, n, caps, CAP_SET);
	rc = cap_set_proc(c);
	cap_free(c);
	return rc;
}

static void caps_then_filter(void *arg)
{
	cap_value_t keep[] = { CAP_CHOWN, CAP_SETUID };

	if (arg)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	only_caps(keep, 2);
	spike_result(arg ? "no_new_privs on: capabilities dropped, then the filter" :
		     "no_new_privs off: capabilities dropped, then the filter", load_allow_all());
}

static void filter_then_caps(void *arg)
{
	cap_value_t keep[] = { CAP_CHOWN };

	(void)arg;
	spike_result("no_new_privs off: filter first", load_allow_all());
	spike_result("  then the bounding set", cap_drop_bound(CAP_SYS_BOOT));
	spike_result("  then groups and user", setgroups(0, NULL) < 0 || setresuid(1000, 1000, 1000) < 0 ? -1 : 0);
	only_caps(keep, 0);
	spike_say("  no_new_privs in the end", "%d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

/* Everything but the last capset before the filter, so that a profile may forbid the calls of the stages. */
static void ids_then_filter(void *arg)
{
	cap_value_t admin[] = { CAP_SYS_ADMIN }, final[] = { CAP_CHOWN, CAP_SYS_ADMIN };
	cap_t c;

	(void)arg;
	cap_drop_bound(CAP_SYS_BOOT);
	prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (setgroups(0, NULL) < 0 || setresuid(1000, 1000, 1000) < 0)
		spike_die("ids");
	spike_result("no_new_privs off: user changed with KEEPCAPS, then the filter at once", load_allow_all());
	only_caps(final, 2);
	spike_result("  CAP_SYS_ADMIN made effective again, then the filter", load_allow_all());
	c = cap_get_proc();
	cap_set_flag(c, CAP_EFFECTIVE, 1, admin, CAP_CLEAR);
	cap_set_flag(c, CAP_PERMITTED, 1, admin, CAP_CLEAR);
	spike_result("  then one capset, the only call behind the filter but execve", cap_set_proc(c));
	spike_result("  a further filter is refused", load_allow_all());
}

static void bounding_needs_setpcap(void *arg)
{
	cap_value_t keep[] = { CAP_CHOWN };

	(void)arg;
	only_caps(keep, 1);
	spike_result("bounding set after capabilities were dropped", cap_drop_bound(CAP_SYS_BOOT));
}

static void ambient_and_user(void *arg)
{
	cap_value_t net[] = { CAP_NET_BIND_SERVICE };
	cap_t c;

	(void)arg;
	prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (setresuid(1000, 1000, 1000) < 0)
		spike_die("setresuid");
	c = cap_init();
	cap_set_flag(c, CAP_PERMITTED, 1, net, CAP_SET);
	cap_set_flag(c, CAP_INHERITABLE, 1, net, CAP_SET);
	cap_set_flag(c, CAP_EFFECTIVE, 1, net, CAP_SET);
	cap_set_proc(c);
	spike_result("ambient capability for a user that is not root", cap_set_ambient(CAP_NET_BIND_SERVICE, CAP_SET));
	fflush(stdout);
	execl("/bin/sh", "sh", "-c", "printf '    after execve: '; grep CapEff /proc/self/status", NULL);
}

static scmp_filter_ctx big_filter(uint32_t optimize)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, optimize);
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
	seccomp_arch_add(ctx, SCMP_ARCH_X86);
	seccomp_arch_add(ctx, SCMP_ARCH_X32);
	/* About what Docker's default profile allows: all but a few. */
	for (int nr = 0; nr < 450; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);

		if (name && nr % 9 != 8)
			seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
		free(name);
	}
	return ctx;
}

static double call_ns(void)
{
	double from = spike_now_us();

	for (int i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	return (spike_now_us() - from) * 1000 / CALLS;
}

static void cost(void *arg)
{
	uint32_t optimize = *(uint32_t *)arg;
	double compile[REPEATS], loads[REPEATS], before, after, from;
	struct sock_filter *code;
	struct sock_fprog prog;
	char path[] = "/tmp/kiln-spike.XXXXXX", what[96];
	int fd = mkstemp(path);
	off_t bytes;

	unlink(path);
	for (int i = 0; i < REPEATS; i++) {
		scmp_filter_ctx ctx;

		from = spike_now_us();
		ctx = big_filter(optimize);
		if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0 || seccomp_export_bpf(ctx, fd) < 0)
			spike_die("export");
		compile[i] = spike_now_us() - from;
		seccomp_release(ctx);
	}
	bytes = lseek(fd, 0, SEEK_END);
	code = malloc((size_t)bytes);
	if (pread(fd, code, (size_t)bytes, 0) != bytes)
		spike_die("read back");
	prog = (struct sock_fprog){ .len = (unsigned short)((size_t)bytes / sizeof(*code)), .filter = code };
	before = call_ns();
	for (int i = 0; i < REPEATS; i++) {
		pid_t pid;
		int out[2];

		if (pipe(out) < 0)
			spike_die("pipe");
		pid = fork();
		if (pid == 0) {
			from = spike_now_us();
			if (load(&prog) < 0)
				_exit(1);
			from = spike_now_us() - from;
			_exit(write(out[1], &from, sizeof(from)) < 0);
		}
		if (read(out[0], &loads[i], sizeof(double)) != sizeof(double))
			spike_die("load");
		waitpid(pid, NULL, 0);
		close(out[0]), close(out[1]);
	}
	load(&prog);
	after = call_ns();
	snprintf(what, sizeof(what), "%s, %u instructions", optimize == 2 ? "binary tree" : "list", prog.len);
	spike_say(what, "compile %.0f us, load %.0f us, a call %.0f ns (without %.0f)",
		  spike_median(compile, REPEATS), spike_median(loads, REPEATS), after, before);
	free(code);
	close(fd);
}

int main(void)
{
	uint32_t list = 1, tree = 2;

	spike_title("privileges");
	spike_in_child(caps_then_filter, NULL);
	spike_in_child(caps_then_filter, "nnp");
	spike_in_child(filter_then_caps, NULL);
	spike_in_child(ids_then_filter, NULL);
	spike_in_child(bounding_needs_setpcap, NULL);
	spike_in_child(ambient_and_user, NULL);
	spike_in_child(cost, &list);
	spike_in_child(cost, &tree);
	return 0;
}
