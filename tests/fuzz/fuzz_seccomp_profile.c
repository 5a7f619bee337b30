/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles in Docker's form become filters that the kernel could load, or are refused with a reason; with fewer instructions they say the same. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <string.h>

#include "base/own.h"
#include "oci/runtime_config.h"
#include "runtime/seccomp_parts.h"
#include "tests/fuzz/fuzz.h"

#define ASKED_MAX 256

/* Asked at, and beside, what the program itself compares with. */
static void check_shrunken(const struct sock_fprog *before, struct arena *a)
{
	struct sock_fprog after = { before->len, arena_new_array(a, struct sock_filter, before->len) };
	uint32_t seed = before->len;

	memcpy(after.filter, before->filter, before->len * sizeof(*before->filter));
	seccomp_shrink(&after, a);
	FUZZ_CHECK(after.len > 0 && after.len <= before->len);
	for (size_t n = 0; n < ASKED_MAX; n++) {
		uint32_t k[8];
		struct seccomp_data d;

		for (size_t i = 0; i < 8; i++) {
			seed = seed * 1103515245u + 12345u;
			k[i] = before->filter[(seed >> 8) % before->len].k + (seed >> 28) % 3 - 1;
		}
		d = (struct seccomp_data){ .nr = (int)k[0], .arch = n % 2 != 0 ? k[1] : AUDIT_ARCH_X86_64, .args = { k[2], k[3], k[4], k[5], k[6], k[7] } };
		FUZZ_CHECK(seccomp_answer(before, &d) == seccomp_answer(&after, &d));
	}
}

static void build(const struct oci_seccomp *s, struct arena *a)
{
	struct sock_fprog program = { 0 };
	struct err e = { 0 };
	AUTO_CLOSE int scratch_fd = -1;

	FUZZ_CHECK(seccomp_scratch(&scratch_fd, &e) == 0);
	if (seccomp_build(s, scratch_fd, a, &program, &e) < 0) {
		FUZZ_CHECK(e.kind != ERR_NONE && e.msg[0]);
		return;
	}
	FUZZ_CHECK(program.len > 0 && program.len <= BPF_MAXINSNS && program.filter != NULL);
	check_shrunken(&program, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct seccomp_facts facts = { 1u << 21, "x86_64", 6, 1, "6.1.0", 6 };
	AUTO_FREE char *text = fuzz_text(data, n);
	AUTO_ARENA struct arena *a = arena_new();
	struct oci_seccomp *s = NULL;
	struct err e = { 0 };
	void *doc = NULL;

	if (seccomp_profile_parse(text, &facts, a, &s, &e) == 0)
		build(s, a);
	else
		FUZZ_CHECK((e.kind == ERR_INVALID || e.kind == ERR_UNSUPPORTED) && e.msg[0]);
	if (json_decode(text, n, &oci_seccomp_schema, a, NULL, NULL, &doc, &e) == 0)
		build(doc, a);
	return 0;
}
