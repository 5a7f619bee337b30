/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/crun_annotations.h"

#include "base/own.h"
#include "oci/runtime_config.h"
#include "tests/unit/unit.h"

#define CONFIG(annotations, names) \
	"{\"ociVersion\":\"1.0.0\",\"annotations\":{" annotations "},\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"," \
	"\"syscalls\":[{\"names\":[" names "],\"action\":\"SCMP_ACT_ERRNO\"}]}}}"

static int of(const char *json, struct arena *a, struct oci_config **ret_config, struct crun_annotations *ret, struct err *e)
{
	void *config;

	ck_assert_msg(json_decode(json, strlen(json), &oci_config_schema, a, NULL, NULL, &config, e) == 0, "%s", e->msg);
	*ret_config = config;
	return crun_annotations_read(config, ret, e) < 0 ? -1 : crun_annotations_seccomp(config, e);
}

START_TEST(what_they_ask_for_is_found)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct crun_annotations got;
	struct oci_config *c;
	struct err e = { 0 };

	ck_assert_int_eq(of(CONFIG("", "\"nosuch\""), a, &c, &got, &e), 0);
	ck_assert(!got.keeps_groups && got.pidfd_receiver == NULL && c->linux_->seccomp->listener_path == NULL);
	ck_assert_int_eq(of(CONFIG("\"run.oci.keep_original_groups\":\"1\",\"run.oci.pidfd_receiver\":\"/p\",\"run.oci.seccomp.receiver\":\"/s\"", ""), a, &c, &got, &e), 0);
	ck_assert(got.keeps_groups);
	ck_assert_str_eq(got.pidfd_receiver, "/p");
	ck_assert_str_eq(c->linux_->seccomp->listener_path, "/s");
	ck_assert_int_eq(of(CONFIG("\"run.oci.keep_original_groups\":\"0\",\"run.oci.seccomp_fail_unknown_syscall\":\"0\"", "\"nosuch\""), a, &c, &got, &e), 0);
	ck_assert(!got.keeps_groups);
}
END_TEST

START_TEST(what_they_cannot_ask_for_is_refused)
{
	static const char *const bad[][2] = {
		{ CONFIG("\"run.oci.pidfd_receiver\":\"p\"", ""), "annotations['run.oci.pidfd_receiver']" },
		{ CONFIG("\"run.oci.seccomp.receiver\":\"\"", ""), "annotations['run.oci.seccomp.receiver']" },
		{ CONFIG("\"run.oci.seccomp_fail_unknown_syscall\":\"1\"", "\"read\",\"nosuch\""), "linux.seccomp.syscalls[0].names[1]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO_ARENA struct arena *a = arena_new();
		struct crun_annotations got;
		struct oci_config *c;
		struct err e = { 0 };

		ck_assert_int_lt(of(bad[i][0], a, &c, &got, &e), 0);
		ck_assert_msg(strstr(e.msg, bad[i][1]) != NULL, "%s", e.msg);
	}
}
END_TEST

UNIT_MAIN("crun_annotations", what_they_ask_for_is_found, what_they_cannot_ask_for_is_refused)
