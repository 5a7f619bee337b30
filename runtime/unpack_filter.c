/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A list of what may be called, as classic BPF, written by hand: it is short, it never changes at run time, and
 * so this role does without a compiler of filters. Everything else gives EPERM; another architecture's calls
 * end the process. mmap and mprotect are asked for PROT_EXEC, so that no code is ever loaded behind this point.
 *
 *   load arch; not ours -> kill
 *   load nr;   x32 -> kill;  mmap or mprotect -> check arg 2;  in list -> allow;  else EPERM
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/own.h"
#include "runtime/unpack.h"

#if defined(__x86_64__)
#define ARCH_HERE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH_HERE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH_HERE AUDIT_ARCH_RISCV64
#else
#error "unpack_filter.c: name this architecture's AUDIT_ARCH"
#endif

#define X32_BIT 0x40000000u

/* By what they are for */
static const unsigned allowed[] = {
	/* bytes */
	SYS_read, SYS_write, SYS_pread64, SYS_pwrite64, SYS_readv, SYS_writev, SYS_lseek, SYS_ftruncate,
	SYS_sync_file_range,
	/* looking */
	SYS_openat, SYS_openat2, SYS_close, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_getdents64, SYS_fcntl,
	SYS_fstatfs,
	/* making */
	SYS_mkdirat, SYS_mknodat, SYS_linkat, SYS_symlinkat, SYS_unlinkat,
	/* metadata */
	SYS_fchown, SYS_fchownat, SYS_fchmod, SYS_fchmodat, SYS_utimensat, SYS_fsetxattr, SYS_fremovexattr,
	/* the process itself */
	SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_futex, SYS_getrandom, SYS_clock_gettime,
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_getpid, SYS_gettid, SYS_tgkill,
	SYS_exit, SYS_exit_group, SYS_restart_syscall,
};

#define N_ALLOWED ARRAY_SIZE(allowed)
#define LOAD(field)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define JUMP_EQ(k, t, f)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (t), (f))
#define JUMP_SET(k, t, f) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (k), (t), (f))
#define RETURN(what)  BPF_STMT(BPF_RET | BPF_K, (what))
#define DENY (SECCOMP_RET_ERRNO | EPERM)

int unpack_sandbox_filter(struct err *e)
{
	struct sock_filter code[N_ALLOWED + 16];
	struct sock_fprog prog = { .filter = code };
	unsigned short n = 0;

	_Static_assert(N_ALLOWED < 200, "jump offsets have 8 bits");
	code[n++] = (struct sock_filter)LOAD(arch);
	code[n++] = (struct sock_filter)JUMP_EQ(ARCH_HERE, 1, 0);
	code[n++] = (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)LOAD(nr);
	code[n++] = (struct sock_filter)JUMP_SET(X32_BIT, 0, 1);
	code[n++] = (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)JUMP_EQ(SYS_mmap, 1, 0);
	code[n++] = (struct sock_filter)JUMP_EQ(SYS_mprotect, 0, 4);
	code[n++] = (struct sock_filter)LOAD(args[2]);   /* the low half, on a little-endian machine */
	code[n++] = (struct sock_filter)JUMP_SET(PROT_EXEC, 1, 0);
	code[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)RETURN(DENY);
	for (size_t i = 0; i < N_ALLOWED; i++)
		code[n++] = (struct sock_filter)JUMP_EQ(allowed[i], (unsigned char)(N_ALLOWED - i), 0);
	code[n++] = (struct sock_filter)RETURN(DENY);
	code[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	prog.len = n;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "set no_new_privs");
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return err_sys(e, "load the system call filter");
	return 0;
}
