/* SPDX-License-Identifier: Apache-2.0 */
/* What a filter says to a call, without making it. Only what filters use: loads, jumps, AND, returns; else it says no. */
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>

#include "base/own.h"
#include "runtime/seccomp_parts.h"

#if defined(__x86_64__)
#define ARCH_HERE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH_HERE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH_HERE AUDIT_ARCH_RISCV64
#else
#error "seccomp_eval.c: name this architecture's AUDIT_ARCH"
#endif

struct machine {
	uint32_t a;
	size_t pc;
};

/* Return: whether it is a jump; then the machine has moved */
static bool jump(struct machine *m, const struct sock_filter *i)
{
	bool is_met;

	switch (i->code) {
	case BPF_JMP | BPF_JA:
		m->pc += i->k;
		return true;
	case BPF_JMP | BPF_JEQ | BPF_K: is_met = m->a == i->k; break;
	case BPF_JMP | BPF_JGT | BPF_K: is_met = m->a > i->k; break;
	case BPF_JMP | BPF_JGE | BPF_K: is_met = m->a >= i->k; break;
	case BPF_JMP | BPF_JSET | BPF_K: is_met = (m->a & i->k) != 0; break;
	default: return false;
	}
	m->pc += is_met ? i->jt : i->jf;
	return true;
}

static bool load(struct machine *m, const struct sock_filter *i, const struct seccomp_data *d)
{
	if (i->code != (BPF_LD | BPF_W | BPF_ABS) || i->k > sizeof(*d) - sizeof(m->a))
		return false;
	memcpy(&m->a, (const char *)d + i->k, sizeof(m->a));
	return true;
}

/* Jumps only lead forwards: it ends. */
uint32_t seccomp_answer(const struct sock_fprog *f, const struct seccomp_data *d)
{
	struct machine m = { 0 };

	while (m.pc < f->len) {
		const struct sock_filter *i = &f->filter[m.pc++];

		if (i->code == (BPF_RET | BPF_K))
			return i->k;
		if (i->code == (BPF_ALU | BPF_AND | BPF_K))
			m.a &= i->k;
		else if (!load(&m, i, d) && !jump(&m, i))
			break;
	}
	return SECCOMP_RET_KILL_PROCESS;
}

bool seccomp_allows(const struct sock_fprog *filter, const struct seccomp_call *call)
{
	struct seccomp_data d = { .nr = call->number, .arch = ARCH_HERE };
	uint32_t action;

	_Static_assert(sizeof(d.args) == sizeof(call->args), "six arguments");
	if (filter->len == 0)
		return true;
	memcpy(d.args, call->args, sizeof(d.args));
	action = seccomp_answer(filter, &d) & SECCOMP_RET_ACTION_FULL;
	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}
