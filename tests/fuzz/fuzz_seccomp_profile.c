/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles in Docker's form become filters that the kernel could load, or are refused with a reason. */
#include <linux/filter.h>

#include "base/own.h"
#include "oci/runtime_config.h"
#include "runtime/seccomp_parts.h"
#include "tests/fuzz/fuzz.h"

static void build(const struct oci_seccomp *s, struct arena *a)
{
	struct sock_fprog program = { 0 };
	struct err e = { 0 };
	AUTO_CLOSE int scratch_fd = -1;

	FUZZ_CHECK(seccomp_scratch(&scratch_fd, &e) == 0);
	if (seccomp_build(s, scratch_fd, a, &program, &e) == 0)
		FUZZ_CHECK(program.len > 0 && program.len <= BPF_MAXINSNS && program.filter != NULL);
	else
		FUZZ_CHECK(e.kind != ERR_NONE && e.msg[0]);
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
