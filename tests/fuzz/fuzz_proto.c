/* SPDX-License-Identifier: Apache-2.0 */
/* A message that passes proto_check() can be read without looking at its length again. */
#include "base/own.h"
#include "runtime/proto.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_FREE char *copy = xmalloc(n + 1);   /* aligned, as receivers' buffers are */
	struct err e = { 0 };
	int type;

	memcpy(copy, data, n);
	type = proto_check(copy, n, &e);
	if (type < 0) {
		FUZZ_CHECK(e.kind == ERR_INVALID && e.msg[0]);
		return 0;
	}
	FUZZ_CHECK(type > 0 && type < MSG_TYPES_ && n <= UINT32_MAX);
	if (type == MSG_ATTACH) {
		const struct msg_attach *m = (const void *)copy;

		FUZZ_CHECK(offsetof(struct msg_attach, prefix) + m->n_prefix == n);
		FUZZ_CHECK(strlen(m->detach_keys) < sizeof m->detach_keys);
	} else if (type == MSG_EXITED) {
		const struct msg_exited *m = (const void *)copy;

		FUZZ_CHECK(offsetof(struct msg_exited, captured) + m->n_captured == n);
	} else if (type == MSG_LAUNCH || type == MSG_EXEC) {
		const struct msg_launch *m = (const void *)copy;

		FUZZ_CHECK(strlen(m->id) < sizeof m->id);
	} else if (type == MSG_CLEAN) {
		const struct msg_clean *m = (const void *)copy;

		FUZZ_CHECK(strlen(m->cgroup_path) < sizeof m->cgroup_path && strlen(m->id) < sizeof m->id);
	}
	return 0;
}
