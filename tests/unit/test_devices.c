/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The eBPF program is run here by a small interpreter of the instructions that it is made of, and compared with
 * the plain meaning of the rules: the last one that matches decides.
 */
#include <linux/bpf.h>

#include "oci/runtime_config.h"
#include "runtime/devices.h"
#include "tests/unit/unit.h"

static uint64_t load(const struct bpf_cgroup_dev_ctx *ctx, short off)
{
	return off == 0 ? ctx->access_type : off == 4 ? ctx->major : ctx->minor;
}

static bool compares(const struct bpf_insn *i, uint64_t value)
{
	bool is_equal = BPF_CLASS(i->code) == BPF_JMP32 ? (uint32_t)value == (uint32_t)i->imm
							: value == (uint64_t)(int64_t)i->imm;

	return BPF_OP(i->code) == BPF_JEQ ? is_equal : !is_equal;
}

static int run(const struct bpf_insn *p, size_t n, const struct bpf_cgroup_dev_ctx *ctx)
{
	uint64_t r[11] = { 0 };

	for (size_t pc = 0; pc < n; pc++) {
		const struct bpf_insn *i = &p[pc];

		if (i->code == (BPF_JMP | BPF_EXIT))
			return (int)r[0];
		if (BPF_CLASS(i->code) == BPF_LDX)
			r[i->dst_reg] = load(ctx, i->off);
		else if (BPF_CLASS(i->code) == BPF_JMP || BPF_CLASS(i->code) == BPF_JMP32)
			pc += compares(i, r[i->dst_reg]) ? (size_t)i->off : 0;
		else if (BPF_OP(i->code) == BPF_MOV)
			r[i->dst_reg] = BPF_SRC(i->code) == BPF_X ? (uint32_t)r[i->src_reg]
								  : (uint64_t)i->imm;
		else if (BPF_OP(i->code) == BPF_AND)
			r[i->dst_reg] = (uint32_t)r[i->dst_reg] & (uint32_t)i->imm;
		else if (BPF_OP(i->code) == BPF_RSH)
			r[i->dst_reg] = (uint32_t)r[i->dst_reg] >> i->imm;
		else
			ck_abort_msg("instruction %02x", i->code);
	}
	ck_abort_msg("ran off the end");
}

static bool meaning(const struct device_rule *rules, size_t n, char type, int64_t major,
		    int64_t minor, unsigned access)
{
	for (size_t i = n; i > 0; i--) {
		const struct device_rule *r = &rules[i - 1];

		if ((r->type != 'a' && r->type != type) ||
		    (r->major != DEVICE_ANY && r->major != major) ||
		    (r->minor != DEVICE_ANY && r->minor != minor))
			continue;
		if (r->allow ? (access & ~r->access) == 0 : (access & r->access) != 0)
			return r->allow;
	}
	return false;
}

static void compare(const struct device_rule *rules, size_t n)
{
	AUTO_ARENA struct arena *a = arena_new();
	static const int64_t numbers[] = { 0, 1, 3, 5, 10, 136, 4294967295 };
	struct bpf_insn *program;
	size_t len;

	devices_bpf_build(rules, n, a, &program, &len);
	for (unsigned access = 1; access < 8; access++)
		for (size_t ma = 0; ma < 7; ma++)
			for (size_t mi = 0; mi < 14; mi++) {
				char type = mi < 7 ? 'b' : 'c';
				struct bpf_cgroup_dev_ctx ctx = {
					.access_type =
						access << 16 | (type == 'b' ? BPF_DEVCG_DEV_BLOCK
									    : BPF_DEVCG_DEV_CHAR),
					.major = (uint32_t)numbers[ma],
					.minor = (uint32_t)numbers[mi % 7],
				};
				bool want = meaning(rules, n, type, numbers[ma], numbers[mi % 7],
						    access);

				ck_assert_msg(run(program, len, &ctx) == want,
					      "%c %u:%u %u is not %d", type, ctx.major, ctx.minor,
					      access, want);
			}
}

static void compare_json(const char *json)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct device_rule *rules;
	struct err e = { 0 };
	size_t n;
	void *r;

	ck_assert_int_eq(json_decode(json, strlen(json), &oci_resources_schema, a, NULL, NULL, &r,
				     &e),
			 0);
	ck_assert_msg(devices_rules(r, a, &rules, &n, &e) == 0, "%s", e.msg);
	compare(rules, n);
}

START_TEST(program_means_what_the_rules_mean)
{
	compare_json("{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}");
	compare_json("{\"devices\":[{\"allow\":true}]}");
	compare_json(
		"{\"devices\":[{\"allow\":false},{\"allow\":true,\"type\":\"c\",\"major\":10,\"access\":\"r\"},"
		"{\"allow\":true,\"type\":\"b\",\"major\":3,\"minor\":5,\"access\":\"rw\"}]}");
	compare_json(
		"{\"devices\":[{\"allow\":true},{\"allow\":false,\"type\":\"c\",\"major\":1,\"access\":\"w\"}]}");
	compare_json(
		"{\"devices\":[{\"allow\":false},{\"allow\":true,\"major\":4294967295,\"access\":\"m\"}]}");
	compare_json(
		"{\"devices\":[{\"allow\":true,\"type\":\"c\"},{\"allow\":false},{\"allow\":true,\"minor\":3}]}");
}
END_TEST

START_TEST(no_rules_is_a_program_that_denies)
{
	compare(NULL, 0);
}
END_TEST

START_TEST(rules_that_make_no_sense_are_told)
{
	static const char *const bad[] = {
		"{\"devices\":[{\"allow\":true,\"access\":\"rwx\"}]}",
		"{\"devices\":[{\"allow\":true,\"type\":\"p\"}]}",
		"{\"devices\":[{\"allow\":true,\"major\":4294967296}]}",
		"{\"devices\":[{\"allow\":true,\"minor\":-2}]}",
	};

	for (size_t i = 0; i < 4; i++) {
		AUTO_ARENA struct arena *a = arena_new();
		struct device_rule *rules;
		struct err e = { 0 };
		size_t n;
		void *r;

		ck_assert_int_eq(json_decode(bad[i], strlen(bad[i]), &oci_resources_schema, a, NULL,
					     NULL, &r, &e),
				 0);
		ck_assert_int_eq(devices_rules(r, a, &rules, &n, &e), -1);
		ck_assert_int_eq(e.kind, ERR_INVALID);
	}
}
END_TEST

UNIT_MAIN("devices", program_means_what_the_rules_mean, no_rules_is_a_program_that_denies,
	  rules_that_make_no_sense_are_told)
