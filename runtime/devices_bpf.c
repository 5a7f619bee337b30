/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The kernel calls the program with struct bpf_cgroup_dev_ctx for every open and mknod of a device by a process of
 * the group: R2 = type, R3 = wanted access, R4 = major, R5 = minor. The last rule that matches decides, so blocks
 * are laid out from the last rule to the first; a block that does not match jumps behind itself. An allowing rule
 * matches when it grants all that is wanted, a denying one when it forbids any of it. What no rule matches is
 * denied. A rule for everything ends the program: the blocks before it can decide nothing more.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "runtime/devices.h"

#define BLOCK_MAX 9 /* instructions of one rule */
#define HEAD_LEN  6

#define INSN(c, d, s, o, i) \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define LOAD_CTX(reg, field)                            \
	INSN(BPF_LDX | BPF_MEM | BPF_W, reg, BPF_REG_1, \
	     offsetof(struct bpf_cgroup_dev_ctx, field), 0)
#define MOV_REG(d, s) INSN(BPF_ALU | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOV_IMM(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define AND_IMM(d, i) INSN(BPF_ALU | BPF_AND | BPF_K, d, 0, 0, i)
#define SHR_IMM(d, i) INSN(BPF_ALU | BPF_RSH | BPF_K, d, 0, 0, i)
#define JNE_IMM(d, i) \
	INSN(BPF_JMP | BPF_JNE | BPF_K, d, 0, 0, i) /* jump targets are set by the caller */
#define JNE32_IMM(d, i) INSN(BPF_JMP32 | BPF_JNE | BPF_K, d, 0, 0, i)
#define JEQ_IMM(d, i)   INSN(BPF_JMP | BPF_JEQ | BPF_K, d, 0, 0, i)
#define EXIT_INSN       INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static size_t put_head(struct bpf_insn *p)
{
	size_t n = 0;

	p[n++] = LOAD_CTX(BPF_REG_2, access_type);
	p[n++] = MOV_REG(BPF_REG_3, BPF_REG_2);
	p[n++] = AND_IMM(BPF_REG_2, 0xffff); /* low half: type, high half: access */
	p[n++] = SHR_IMM(BPF_REG_3, 16);
	p[n++] = LOAD_CTX(BPF_REG_4, major);
	p[n++] = LOAD_CTX(BPF_REG_5, minor);
	BUG(n != HEAD_LEN, "%zu instructions", n);
	return n;
}

static size_t put_rule(struct bpf_insn *p, const struct device_rule *r)
{
	size_t n = 0;

	if (r->type != 'a')
		p[n++] = JNE_IMM(BPF_REG_2,
				 r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (r->access != DEVICE_ALL) {
		p[n++] = MOV_REG(BPF_REG_1, BPF_REG_3);
		/* allow: nothing is wanted beyond what is granted; deny: something forbidden is wanted */
		p[n++] = AND_IMM(BPF_REG_1, (int)(r->allow ? DEVICE_ALL & ~r->access : r->access));
		p[n++] = r->allow ? JNE_IMM(BPF_REG_1, 0) : JEQ_IMM(BPF_REG_1, 0);
	}
	if (r->major != DEVICE_ANY)
		p[n++] = JNE32_IMM(BPF_REG_4, (int)r->major);
	if (r->minor != DEVICE_ANY)
		p[n++] = JNE32_IMM(BPF_REG_5, (int)r->minor);
	p[n++] = MOV_IMM(BPF_REG_0, r->allow);
	p[n++] = EXIT_INSN;
	BUG(n > BLOCK_MAX, "%zu instructions", n);

	for (size_t i = 0; i + 2 < n; i++)
		if (BPF_CLASS(p[i].code) == BPF_JMP || BPF_CLASS(p[i].code) == BPF_JMP32)
			p[i].off = (short)(n - i - 1);
	return n;
}

static bool decides_all(const struct device_rule *r)
{
	return r->type == 'a' && r->access == DEVICE_ALL && r->major == DEVICE_ANY &&
	       r->minor == DEVICE_ANY;
}

void devices_bpf_build(const struct device_rule *rules, size_t n, struct arena *arena,
		       struct bpf_insn **ret, size_t *ret_n)
{
	struct bpf_insn *p = arena_new_array(arena, struct bpf_insn, HEAD_LEN + n * BLOCK_MAX + 2);
	size_t len = put_head(p);
	bool is_decided = false;

	for (size_t i = n; i > 0 && !is_decided; i--) {
		len += put_rule(p + len, &rules[i - 1]);
		is_decided = decides_all(&rules[i - 1]);
	}
	/* the verifier refuses what cannot be reached */
	if (!is_decided) {
		p[len++] = MOV_IMM(BPF_REG_0, 0);
		p[len++] = EXIT_INSN;
	}
	*ret = p;
	*ret_n = len;
}

static int bpf_call(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

int devices_bpf_attach(int cgroup_dir_fd, const struct bpf_insn *program, size_t n, struct err *e)
{
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uintptr_t)program,
		.insn_cnt = (unsigned)n,
		.license = (uintptr_t) "Apache-2.0",
	};
	union bpf_attr attach = {
		.target_fd = (unsigned)cgroup_dir_fd,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI,
	};
	AUTO_CLOSE int fd = bpf_call(BPF_PROG_LOAD, &load);

	if (fd < 0)
		return err_sys(e, "load the device program");
	attach.attach_bpf_fd = (unsigned)fd;
	if (bpf_call(BPF_PROG_ATTACH, &attach) < 0)
		return err_sys(e, "attach the device program");
	return 0;
}
