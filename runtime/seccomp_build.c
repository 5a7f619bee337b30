/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules to BPF, by libseccomp, as a binary tree. In front of it stands a short head of our own: system calls that
 * are newer than all that the profile names get ENOSYS, not EPERM, so that C libraries fall back (as runc does).
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1ul << 5)
#endif

#include "base/fd.h"
#include "base/own.h"
#include "oci/runtime_config.h"
#include "runtime/seccomp_parts.h"

#define ARCHES_MAX 8
#define ARGS_MAX   6
#define X32_BIT    0x40000000u

static void release(scmp_filter_ctx *ctx)
{
	if (*ctx != NULL)
		seccomp_release(*ctx);
}

void seccomp_library_version(char out[32])
{
	const struct scmp_version *v = seccomp_version();

	snprintf(out, 32, "%u.%u.%u", v->major, v->minor, v->micro);
}

unsigned seccomp_kernel_level(void)
{
	return seccomp_api_get();
}

/* --- words ------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint32_t action;
	bool has_number; /* goes into the lower half */
} actions[] = {
	{ "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW, false },
	{ "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), true },
	{ "SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD, false },
	{ "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, false },
	{ "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD, false },
	{ "SCMP_ACT_LOG", SCMP_ACT_LOG, false },
	{ "SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY, false },
	{ "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), true },
	{ "SCMP_ACT_TRAP", SCMP_ACT_TRAP, false },
};

static const struct {
	const char *name;
	enum scmp_compare op;
} operators[] = {
	{ "SCMP_CMP_EQ", SCMP_CMP_EQ }, { "SCMP_CMP_GE", SCMP_CMP_GE }, { "SCMP_CMP_GT", SCMP_CMP_GT },
	{ "SCMP_CMP_LE", SCMP_CMP_LE }, { "SCMP_CMP_LT", SCMP_CMP_LT }, { "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
	{ "SCMP_CMP_NE", SCMP_CMP_NE },
};

/* Of the call that loads the filter. */
static const struct {
	const char *name;
	uint32_t flag;
} flags[] = {
	{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	/* there is one thread only */
	{ "SECCOMP_FILTER_FLAG_TSYNC", 0 },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
};

int seccomp_flags(const struct oci_seccomp *s, uint32_t *ret, struct err *e)
{
	bool listens = false;

	*ret = 0;
	if (seccomp_wants_listener(s, &listens, e) < 0)
		return -1;
	for (size_t i = 0; s != NULL && i < s->flags.n; i++) {
		size_t k = 0;

		while (k < ARRAY_SIZE(flags) && !str_eq(flags[k].name, s->flags.v[i]))
			k++;
		if (k == ARRAY_SIZE(flags))
			return err_set(e, ERR_UNSUPPORTED, "linux.seccomp.flags[%zu]: '%.64s' is not supported", i, s->flags.v[i]);
		*ret |= flags[k].flag;
	}
	if (listens)
		*ret |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	else if ((*ret & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) != 0)
		return err_set(e, ERR_INVALID, "linux.seccomp.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is about SCMP_ACT_NOTIFY, which no system call has");
	return 0;
}

static int parse_action(const char *name, const struct opt_u64 *errno_ret, uint32_t *ret,
			struct err *e)
{
	uint64_t number = errno_ret->set ? errno_ret->v : EPERM;

	if (number > 4095)
		return err_set(e, ERR_INVALID, "errnoRet is out of range");
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (str_eq(name, actions[i].name)) {
			*ret = actions[i].action | (actions[i].has_number ? (uint32_t)number : 0);
			return 0;
		}
	return err_set(e, ERR_UNSUPPORTED, "action '%s' is not supported", name);
}

static int parse_op(const char *name, enum scmp_compare *ret, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
		if (str_eq(name, operators[i].name)) {
			*ret = operators[i].op;
			return 0;
		}
	return err_set(e, ERR_INVALID, "unknown comparison '%s'", name);
}

/* "SCMP_ARCH_X86_64" is libseccomp's "x86_64" */
static uint32_t parse_arch(const char *name)
{
	char lower[32];
	size_t n = 0;

	if (!str_starts(name, "SCMP_ARCH_"))
		return 0;
	for (const char *p = name + strlen("SCMP_ARCH_"); *p != '\0' && n + 1 < sizeof(lower); p++)
		lower[n++] = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
	lower[n] = '\0';
	return seccomp_arch_resolve_name(lower);
}

const char *seccomp_word(enum seccomp_word kind, size_t i)
{
	static const char *const arches[] = {
		"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL",
		"SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64",
		"SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64",
	};

	if (kind == SECCOMP_ACTION)
		return i < ARRAY_SIZE(actions) ? actions[i].name : NULL;
	if (kind == SECCOMP_FLAG)
		return i < ARRAY_SIZE(flags) ? flags[i].name : NULL;
	if (kind == SECCOMP_OPERATOR)
		return i < ARRAY_SIZE(operators) ? operators[i].name : NULL;
	return i < ARRAY_SIZE(arches) ? arches[i] : NULL;
}

/* --- rules -------------------------------------------------------------------------------------------------- */

static int convert_args(const struct oci_seccomp_rule *r, struct scmp_arg_cmp out[ARGS_MAX],
			bool *ret_repeats, struct err *e)
{
	unsigned seen = 0;

	if (r->n_args > ARGS_MAX)
		return err_set(e, ERR_INVALID, "args: more than %d", ARGS_MAX);
	*ret_repeats = false;
	for (size_t i = 0; i < r->n_args; i++) {
		const struct oci_seccomp_arg *arg = &r->args[i];

		if (arg->index >= ARGS_MAX)
			return err_set(e, ERR_INVALID, "args[%zu]: index is above %d", i,
				       ARGS_MAX - 1);
		out[i] = (struct scmp_arg_cmp){ .arg = arg->index,
						.datum_a = arg->value,
						.datum_b = arg->value_two };
		if (parse_op(arg->op, &out[i].op, e) < 0)
			return err_wrap(e, "args[%zu]", i);
		*ret_repeats = *ret_repeats || (seen >> arg->index & 1) != 0;
		seen |= 1u << arg->index;
	}
	return 0;
}

/* libseccomp compares an argument once in a rule; several comparisons of one argument are several rules (as runc). */
static int add_syscall(scmp_filter_ctx ctx, uint32_t action, int number,
		       const struct scmp_arg_cmp *args, unsigned n, bool repeats)
{
	int code = 0;

	if (!repeats)
		return seccomp_rule_add_array(ctx, action, number, n, args);
	for (unsigned i = 0; i < n && code == 0; i++)
		code = seccomp_rule_add_array(ctx, action, number, 1, &args[i]);
	return code;
}

static int add_rule(scmp_filter_ctx ctx, const struct oci_seccomp_rule *r, uint32_t default_action,
		    struct err *e)
{
	struct scmp_arg_cmp args[ARGS_MAX];
	uint32_t action;
	bool repeats = false;

	if (parse_action(r->action, &r->errno_ret, &action, e) < 0 ||
	    convert_args(r, args, &repeats, e) < 0)
		return -1;
	if (action == default_action)
		return 0;
	for (size_t i = 0; i < r->names.n; i++) {
		int number = seccomp_syscall_resolve_name(r->names.v[i]);
		int code;

		/* newer or older than this libseccomp */
		if (number == __NR_SCMP_ERROR)
			continue;
		code = add_syscall(ctx, action, number, args, (unsigned)r->n_args, repeats);
		if (code < 0) {
			errno = -code;
			return err_sys(e, "rule for '%s'", r->names.v[i]);
		}
	}
	return 0;
}

int seccomp_check_names(const struct oci_seccomp *s, struct err *e)
{
	for (size_t i = 0; i < s->n_syscalls; i++)
		for (size_t k = 0; k < s->syscalls[i].names.n; k++)
			if (seccomp_syscall_resolve_name(s->syscalls[i].names.v[k]) == __NR_SCMP_ERROR)
				return err_set(e, ERR_INVALID, "linux.seccomp.syscalls[%zu].names[%zu]: libseccomp knows no '%.64s'", i, k,
					       s->syscalls[i].names.v[k]);
	return 0;
}

static int add_arches(scmp_filter_ctx ctx, const struct oci_seccomp *s, uint32_t arches[ARCHES_MAX],
		      size_t *ret_n, struct err *e)
{
	size_t n = 0;

	arches[n++] = seccomp_arch_native();
	for (size_t i = 0; i < s->architectures.n; i++) {
		uint32_t arch = parse_arch(s->architectures.v[i]);
		int code;

		if (arch == 0)
			return err_set(e, ERR_INVALID, "unknown architecture '%s'",
				       s->architectures.v[i]);
		if (arch == arches[0])
			continue;
		code = seccomp_arch_add(ctx, arch);
		if (code == -EEXIST)
			continue;
		if (code < 0) {
			errno = -code;
			return err_sys(e, "architecture '%s'", s->architectures.v[i]);
		}
		if (n < ARCHES_MAX)
			arches[n++] = arch;
	}
	*ret_n = n;
	return 0;
}

/* --- the head ------------------------------------------------------------------------------------------------- */

static uint32_t highest_syscall(const struct oci_seccomp *s, uint32_t arch)
{
	int highest = 0;

	for (size_t i = 0; i < s->n_syscalls; i++)
		for (size_t k = 0; k < s->syscalls[i].names.n; k++) {
			int number =
				seccomp_syscall_resolve_name_arch(arch, s->syscalls[i].names.v[k]);

			highest = number > highest ? number : highest;
		}
	return (uint32_t)highest;
}

/* Six instructions for each architecture; one that does not match skips them. x32 shares the 64-bit one's number. */
static size_t put_head(struct sock_filter *p, const struct oci_seccomp *s, const uint32_t *arches,
		       size_t n_arches)
{
	size_t n = 0;

	for (size_t i = 0; i < n_arches; i++) {
		uint32_t highest = arches[i] != SCMP_ARCH_X32 ? highest_syscall(s, arches[i]) : 0;

		if (highest == 0)
			continue;
		p[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						      offsetof(struct seccomp_data, arch));
		p[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arches[i], 0, 4);
		p[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						      offsetof(struct seccomp_data, nr));
		p[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0);
		p[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, highest, 0, 1);
		p[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	}
	return n;
}
#define HEAD_PER_ARCH 6

/* --- the program ------------------------------------------------------------------------------------------------ */

/* libseccomp before 2.6 exports to a descriptor only. */
static int export_program(scmp_filter_ctx ctx, int fd, char **ret_data, size_t *ret_n, struct err *e)
{
	int code = seccomp_export_bpf(ctx, fd);

	if (code < 0) {
		errno = -code;
		return err_sys(e, "compile");
	}
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "compile");
	return fd_read_all(fd, BPF_MAXINSNS * sizeof(struct sock_filter), ret_data, ret_n, e);
}

static int fill(scmp_filter_ctx ctx, const struct oci_seccomp *s, uint32_t default_action,
		uint32_t arches[ARCHES_MAX], size_t *ret_n_arches, struct err *e)
{
	if (seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0)
		return err_set(e, ERR_UNSUPPORTED, "libseccomp makes no binary trees");
	if (add_arches(ctx, s, arches, ret_n_arches, e) < 0)
		return -1;
	for (size_t i = 0; i < s->n_syscalls; i++)
		if (add_rule(ctx, &s->syscalls[i], default_action, e) < 0)
			return err_wrap(e, "syscalls[%zu]", i);
	return 0;
}

static int compile(const struct oci_seccomp *s, int scratch_fd, struct arena *arena, struct sock_fprog *ret,
		   struct err *e)
{
	AUTO(release) scmp_filter_ctx ctx = NULL;
	AUTO_FREE char *data = NULL;
	uint32_t default_action, arches[ARCHES_MAX];
	size_t n_arches = 0, bytes = 0, head = 0;
	struct sock_filter *p;

	if (parse_action(s->default_action, &s->default_errno_ret, &default_action, e) < 0)
		return -1;
	ctx = seccomp_init(default_action);
	if (ctx == NULL)
		return err_set(e, ERR_INVALID, "default action '%s' is not possible",
			       s->default_action);
	if (fill(ctx, s, default_action, arches, &n_arches, e) < 0 ||
	    export_program(ctx, scratch_fd, &data, &bytes, e) < 0)
		return -1;
	p = arena_new_array(arena, struct sock_filter,
			    bytes / sizeof(*p) + HEAD_PER_ARCH * n_arches);
	if (default_action == SCMP_ACT_ERRNO(EPERM))
		head = put_head(p, s, arches, n_arches);
	memcpy(p + head, data, bytes);
	if (head + bytes / sizeof(*p) > BPF_MAXINSNS)
		return err_set(e, ERR_INVALID, "the filter is longer than the kernel takes");
	ret->filter = p;
	ret->len = (unsigned short)(head + bytes / sizeof(*p));
	return 0;
}

int seccomp_scratch(int *ret_fd, struct err *e)
{
	*ret_fd = memfd_create("seccomp", MFD_CLOEXEC);
	return *ret_fd < 0 ? err_sys(e, "seccomp: make a memory file") : 0;
}

int seccomp_build(const struct oci_seccomp *s, int scratch_fd, struct arena *arena, struct sock_fprog *ret,
		  struct err *e)
{
	return compile(s, scratch_fd, arena, ret, e) < 0 ? err_wrap(e, "seccomp") : 0;
}
