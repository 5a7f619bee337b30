/* SPDX-License-Identifier: Apache-2.0 */
/* A program before and after is asked the same, at and beside all that it compares with; and the kernel takes it. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "oci/runtime_config.h"
#include "runtime/seccomp_parts.h"
#include "tests/unit/unit.h"

#define LOAD(what)         BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what))
#define IF(op, k, jt, jf)  BPF_JUMP(BPF_JMP | (op) | BPF_K, (k), (jt), (jf))
#define ANSWER(k)          BPF_STMT(BPF_RET | BPF_K, (k))
#define PROGRAM(code)      ((struct sock_fprog){ ARRAY_SIZE(code), (code) })

static const uint32_t arches[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 0, UINT32_MAX };

static uint32_t random_of(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* Arguments are mostly what the program compares with. */
static void fill_args(const struct sock_fprog *p, uint32_t *seed, struct seccomp_data *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(d->args); i++) {
		uint32_t low = p->filter[random_of(seed) % p->len].k + random_of(seed) % 3 - 1;

		d->args[i] = random_of(seed) % 4 != 0 ? low : (uint64_t)random_of(seed) << 32 | low;
	}
}

static void compare_at(const struct sock_fprog *before, const struct sock_fprog *after, uint32_t nr, uint32_t *seed)
{
	for (size_t i = 0; i < ARRAY_SIZE(arches); i++) {
		struct seccomp_data d = { .nr = (int)nr, .arch = arches[i] };

		fill_args(before, seed, &d);
		ck_assert_msg(seccomp_answer(before, &d) == seccomp_answer(after, &d), "arch %x, call %u: %x, was %x", d.arch, nr,
			      seccomp_answer(after, &d), seccomp_answer(before, &d));
	}
}

/* Return: the shrunken one, which says the same */
static struct sock_fprog shrunken(const struct sock_fprog *p, struct arena *a)
{
	struct sock_fprog after = { p->len, arena_new_array(a, struct sock_filter, p->len) };
	uint32_t seed = 1;

	memcpy(after.filter, p->filter, p->len * sizeof(*p->filter));
	seccomp_shrink(&after, a);
	for (size_t i = 0; i < p->len; i++)
		for (uint32_t k = 0; k < 3; k++)
			compare_at(p, &after, p->filter[i].k + k - 1, &seed);
	for (uint32_t nr = 0; nr < 1024; nr++) {
		compare_at(p, &after, nr, &seed);
		compare_at(p, &after, 0x40000000 + nr, &seed);
		compare_at(p, &after, random_of(&seed), &seed);
	}
	return after;
}

static void assert_kernel_takes(const struct sock_fprog *p)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, p) < 0)
			_exit(errno);
		/* What ends without a call, whatever the program says of calls */
		__builtin_trap();
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status), "the kernel says %s", strerror(WEXITSTATUS(status)));
}

static void build(const char *text, struct arena *a, struct sock_fprog *ret)
{
	static const struct seccomp_facts facts = { 1u << 21, "x86_64", 6, 1, "6.1.0", 6 };
	struct oci_seccomp *s = NULL;
	struct err e = { 0 };
	AUTO_CLOSE int scratch_fd = -1;

	ck_assert_msg(seccomp_profile_parse(text, &facts, a, &s, &e) == 0, "%s", e.msg);
	ck_assert_msg(seccomp_scratch(&scratch_fd, &e) == 0, "%s", e.msg);
	ck_assert_msg(seccomp_build(s, scratch_fd, a, ret, &e) == 0, "%s", e.msg);
}

START_TEST(the_default_profile_takes_a_third)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct sock_fprog before, after;

	build(seccomp_default_profile(), a, &before);
	after = shrunken(&before, a);
	ck_assert_msg(after.len * 3 < before.len, "%u of %u instructions", after.len, before.len);
	assert_kernel_takes(&after);
}
END_TEST

START_TEST(profiles_with_conditions_say_the_same)
{
	static const char *const texts[] = {
		"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['mkdir','chmod'],'action':'SCMP_ACT_ERRNO'}]}",
		"{'defaultAction':'SCMP_ACT_ERRNO','architectures':['SCMP_ARCH_X86_64','SCMP_ARCH_X86','SCMP_ARCH_X32','SCMP_ARCH_AARCH64'],'syscalls':["
		"{'names':['read','write','close'],'action':'SCMP_ACT_ALLOW'},"
		"{'names':['socket'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':40,'op':'SCMP_CMP_NE'}]},"
		"{'names':['clone'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':2114060288,'valueTwo':0,'op':'SCMP_CMP_MASKED_EQ'}]},"
		"{'names':['prctl'],'action':'SCMP_ACT_TRACE','args':[{'index':0,'value':4294967300,'op':'SCMP_CMP_GE'},{'index':2,'value':7,'op':'SCMP_CMP_LT'}]}]}",
		"{'defaultAction':'SCMP_ACT_KILL','syscalls':[{'names':['read'],'action':'SCMP_ACT_LOG'},{'names':['write'],'action':'SCMP_ACT_TRAP'}]}",
		"{'defaultAction':'SCMP_ACT_ALLOW'}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_ARENA struct arena *a = arena_new();
		char *text = arena_strdup(a, texts[i]);
		struct sock_fprog before, after;

		for (char *p = text; *p != '\0'; p++)
			*p = *p == '\'' ? '"' : *p;
		build(text, a, &before);
		after = shrunken(&before, a);
		ck_assert_uint_le(after.len, before.len);
		assert_kernel_takes(&after);
	}
}
END_TEST

/* Each number has an answer that none of its neighbours has, so the tree is as large as it can be, and its jumps reach far. */
START_TEST(large_trees_have_bridges)
{
	enum { N = 1300 };
	static struct sock_filter code[2 * N + 4];
	AUTO_ARENA struct arena *a = arena_new();
	struct sock_fprog p = { 0, code }, after;

	code[p.len++] = (struct sock_filter)LOAD(arch);
	code[p.len++] = (struct sock_filter)IF(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
	code[p.len++] = (struct sock_filter)ANSWER(SECCOMP_RET_KILL_PROCESS);
	code[p.len++] = (struct sock_filter)LOAD(nr);
	for (uint32_t i = 0; i + 1 < N; i++) {
		code[p.len++] = (struct sock_filter)IF(BPF_JEQ, i * 3, 0, 1);
		code[p.len++] = (struct sock_filter)ANSWER(SECCOMP_RET_ERRNO | i % 997);
	}
	code[p.len++] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
	after = shrunken(&p, a);
	assert_kernel_takes(&after);
}
END_TEST

START_TEST(bridges_lead_to_far_architectures_and_arguments)
{
	enum { N = 600 };
	static struct sock_filter code[N + 32];
	AUTO_ARENA struct arena *a = arena_new();
	struct sock_fprog p = { 0, code }, after;
	const uint32_t named[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64 };

	for (size_t k = 0; k < ARRAY_SIZE(named); k++) {
		size_t n = N / ARRAY_SIZE(named);

		code[p.len++] = (struct sock_filter)LOAD(arch);
		code[p.len++] = (struct sock_filter)IF(BPF_JEQ, named[k], 1, 0);
		code[p.len++] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)n + 4);
		code[p.len++] = (struct sock_filter)LOAD(nr);
		for (size_t i = 0; i < n; i++)
			code[p.len + i] = (struct sock_filter)IF(BPF_JEQ, (uint32_t)(i * 2 + k), (uint8_t)(n - i), 0);
		p.len = (unsigned short)(p.len + n);
		code[p.len++] = (struct sock_filter)ANSWER(SECCOMP_RET_ERRNO | (uint32_t)k);
		code[p.len++] = (struct sock_filter)LOAD(args[2]);
		code[p.len++] = (struct sock_filter)ANSWER(SECCOMP_RET_LOG);
	}
	code[p.len++] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
	after = shrunken(&p, a);
	assert_kernel_takes(&after);
}
END_TEST

START_TEST(what_libseccomp_does_not_make_stays_as_it_is)
{
	struct sock_filter bits[] = { LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 8, 0, 1), ANSWER(1), ANSWER(2) };
	struct sock_filter ranges[] = { LOAD(arch), IF(BPF_JGT, 7, 0, 1), ANSWER(1), ANSWER(2) };
	struct sock_filter again[] = { LOAD(args[0]), IF(BPF_JEQ, 7, 0, 1), ANSWER(1), LOAD(nr), IF(BPF_JEQ, 3, 0, 1), ANSWER(3), ANSWER(2) };
	struct sock_filter masked[] = { LOAD(arch), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 7), IF(BPF_JEQ, 7, 0, 1), ANSWER(1), ANSWER(2) };
	struct sock_filter wild[] = { LOAD(nr), BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), ANSWER(1) };
	struct sock_filter open_end[] = { LOAD(args[0]), IF(BPF_JEQ, 1, 200, 0), ANSWER(1) };
	struct sock_filter many[20];
	struct sock_fprog all[] = { PROGRAM(bits), PROGRAM(ranges), PROGRAM(again), PROGRAM(masked), PROGRAM(wild), PROGRAM(open_end), PROGRAM(many) };

	many[0] = (struct sock_filter)LOAD(arch);
	for (uint32_t i = 1; i < 19; i++)
		many[i] = (struct sock_filter)IF(BPF_JEQ, i, (uint8_t)(18 - i), 0);
	many[19] = (struct sock_filter)ANSWER(1);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		AUTO_ARENA struct arena *a = arena_new();
		struct sock_filter was[20];
		unsigned short n = all[i].len;

		memcpy(was, all[i].filter, n * sizeof(*was));
		seccomp_shrink(&all[i], a);
		ck_assert_msg(all[i].len == n && memcmp(was, all[i].filter, n * sizeof(*was)) == 0, "%zu", i);
	}
}
END_TEST

UNIT_MAIN("seccomp_shrink", the_default_profile_takes_a_third, profiles_with_conditions_say_the_same, large_trees_have_bridges,
	  bridges_lead_to_far_architectures_and_arguments, what_libseccomp_does_not_make_stays_as_it_is)
