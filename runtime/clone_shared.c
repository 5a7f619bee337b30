/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/clone_shared.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"

#define STACK_BYTES (1024 * 1024) /* only what is touched costs anything; copies of directories go deepest (stage_copy.c) */
#define GUARD_BYTES (64 * 1024)   /* more than any frame */

/* AddressSanitizer would remember what the child's frames were after its stack is gone. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_WATCHED 1
#endif
#endif
#if !defined(__x86_64__) || defined(__SANITIZE_ADDRESS__) || defined(IS_WATCHED)

bool clone_shared_works(void)
{
	return false;
}

pid_t clone_shared(struct clone_args *args, void (*fn)(void *), void *ctx)
{
	(void)args;
	(void)fn;
	(void)ctx;
	errno = ENOSYS;
	return -1;
}

#else

/* With 1 a change of user makes a process dumpable: any process of that user could look into it, and into its parent. */
static bool keeps_secrets(void)
{
	char value = '1';
	AUTO_CLOSE int fd = open("/proc/sys/fs/suid_dumpable", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &value, 1) == 1 && value != '1';
}

bool clone_shared_works(void)
{
	static int works = -1;

	if (works < 0)
		works = keeps_secrets();
	return works;
}

/* Return: as the kernel has it, in the parent only */
static long clone3_and_call(struct clone_args *args, void (*fn)(void *), void *ctx)
{
	register void (*fn_reg)(void *) __asm__("r12") = fn;
	register void *ctx_reg __asm__("r13") = ctx;
	long ret;

	/* The child has the registers of the parent (rbp too: whoever walks its frames comes to ours) but for rsp, which is at the
	 * end of its own stack. */
	__asm__ volatile("syscall\n\t"
			 "testq %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "movq %%r13, %%rdi\n\t"
			 "callq *%%r12\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(ret)
			 : "a"(SYS_clone3), "D"(args), "S"(sizeof *args), "r"(fn_reg), "r"(ctx_reg)
			 : "rcx", "r11", "memory", "cc");
	return ret;
}

pid_t clone_shared(struct clone_args *args, void (*fn)(void *), void *ctx)
{
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	long pid;

	if (stack == MAP_FAILED)
		return -1;
	if (mprotect(stack, GUARD_BYTES, PROT_NONE) < 0) {
		munmap(stack, STACK_BYTES);
		return -1;
	}
	args->flags |= CLONE_VM | CLONE_VFORK;
	args->stack = (uintptr_t)stack;
	args->stack_size = STACK_BYTES;
	pid = clone3_and_call(args, fn, ctx);
	munmap(stack, STACK_BYTES);
	if (pid >= 0)
		return (pid_t)pid;
	errno = (int)-pid;
	return -1;
}

#endif
