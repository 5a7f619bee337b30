/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The filter is a short hand-made program, so that monitors need neither libseccomp's memory nor its time:
 * architecture, then one comparison for each allowed call; the calls with conditions on their arguments have a
 * block of their own at the end. Arguments are compared by their low and high halves, little-endian (x86-64,
 * AArch64).
 */
#include "runtime/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "runtime/jsonlog.h"

#if defined(__x86_64__)
#define CONFINE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define CONFINE_ARCH AUDIT_ARCH_AARCH64
#else
#error "runtime/confine.c: this architecture's AUDIT_ARCH is missing"
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONFINE_HAS_FILTER 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CONFINE_HAS_FILTER 0
#endif
#endif
#ifndef CONFINE_HAS_FILTER
#define CONFINE_HAS_FILTER 1
#endif

static const int allowed[] = {
	/* bytes and descriptors that are open */
	SYS_read, SYS_write, SYS_writev, SYS_recvmsg, SYS_sendmsg, SYS_pread64, SYS_pwrite64, SYS_close,
	SYS_shutdown, SYS_accept4, SYS_getsockopt, SYS_ftruncate, SYS_fstat, SYS_lseek, SYS_fcntl,
#ifdef SYS_poll
	SYS_poll,
#endif
	SYS_ppoll,
	/* the child, time, memory, the end */
	SYS_waitid, SYS_clock_gettime, SYS_munmap, SYS_madvise, SYS_brk, SYS_mremap,
	SYS_rt_sigreturn, SYS_restart_syscall, SYS_exit, SYS_exit_group,
	/* abort(3): a broken invariant must end the monitor, with its message */
	SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_getpid, SYS_gettid, SYS_tgkill,
};

/* A call that is allowed only when an argument has a value. */
struct condition {
	int call;
	unsigned arg;        /* index */
	uint32_t low;        /* of the argument, after masking */
	uint32_t mask;
	unsigned arg2;       /* a second one, all of its low half; the same as the first: none */
	uint32_t low2;
};

#define FILTER_MAX 160

struct filter {
	struct sock_filter code[FILTER_MAX];
	unsigned short n;
};

static void add(struct filter *f, struct sock_filter line)
{
	BUG(f->n >= FILTER_MAX, "the monitor's filter is too long");
	f->code[f->n++] = line;
}

static void load(struct filter *f, size_t offset)
{
	add(f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void allow_call(struct filter *f, int call)
{
	add(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1));
	add(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

static size_t arg_offset(unsigned arg)
{
	return offsetof(struct seccomp_data, args) + arg * sizeof(__u64);
}

/* The block skips itself for other calls, and leaves the call's number loaded again behind it. */
static void allow_condition(struct filter *f, const struct condition *c)
{
	bool has_second = c->arg2 != c->arg;

	add(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)c->call, 0,
					    has_second ? 7 : 5));
	load(f, arg_offset(c->arg));
	add(f, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, c->mask));
	add(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, c->low, 0, has_second ? 3 : 1));
	if (has_second) {
		load(f, arg_offset(c->arg2));
		add(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, c->low2, 0, 1));
	}
	add(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	load(f, offsetof(struct seccomp_data, nr));
}

static void build_filter(struct filter *f, const struct confine_needs *needs)
{
	const struct {
		bool is_wanted;
		struct condition is;
	} conditions[] = {
		{ true, { SYS_mmap, 2, 0, PROT_EXEC, 2, 0 } },
		{ true, { SYS_ioctl, 1, TIOCSWINSZ, ~0u, 1, 0 } },
		/* glibc's fstat(3); a path besides tells a size at most */
		{ true, { SYS_newfstatat, 3, 0x1000 /* AT_EMPTY_PATH */, 0x1000, 3, 0 } },
		{ needs->kills > 0, { SYS_kill, 0, (uint32_t)-needs->kills, ~0u, 1, SIGKILL } },
		{ needs->kills > 0, { SYS_kill, 0, (uint32_t)needs->kills, ~0u, 1, SIGKILL } },
		{ needs->kills > 0, { SYS_pidfd_send_signal, 0, (uint32_t)needs->pidfd, ~0u, 1, SIGKILL } },
		/* Its root is the log's directory: new files there, other names for them, and their end */
		{ needs->makes_files, { SYS_openat, 2, JSONLOG_NEW_FLAGS, ~0u, 2, 0 } },
		{ needs->makes_files, { SYS_renameat2, 4, 0, ~0u, 4, 0 } },
		{ needs->makes_files, { SYS_unlinkat, 2, 0, ~0u, 2, 0 } },
	};

	f->n = 0;
	load(f, offsetof(struct seccomp_data, arch));
	add(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CONFINE_ARCH, 1, 0));
	add(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	load(f, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		allow_call(f, allowed[i]);
	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++)
		if (conditions[i].is_wanted)
			allow_condition(f, &conditions[i].is);
	add(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
}

static int drop_capabilities(bool keeps_kill, struct err *e)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { 0 };

	/* The bounding set too, while CAP_SETPCAP is there; EINVAL is the end of the kernel's list. */
	for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (keeps_kill)
		sets[0].permitted = sets[0].effective = 1u << CAP_KILL;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 || syscall(SYS_capset, &head, sets) < 0)
		return err_sys(e, "monitor: drop the capabilities");
	return 0;
}

int confine(const struct confine_needs *needs, struct err *e)
{
	struct filter f;
	struct sock_fprog program = { .filter = f.code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "monitor: no_new_privs");
	if (drop_capabilities(needs->kills > 0, e) < 0)
		return -1;
	build_filter(&f, needs);
	program.len = f.n;
	if (CONFINE_HAS_FILTER && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return err_sys(e, "monitor: load the seccomp filter");
	return 0;
}
