/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/changes.h"

#include "base/own.h"
#include "tests/unit/unit.h"

static struct arena *arena;
static struct oci_image_exec exec;
static struct err e;

static int apply_n(char **lines, size_t n)
{
	arena_free(arena);
	arena = arena_new();
	memset(&exec, 0, sizeof exec);
	memset(&e, 0, sizeof e);
	return changes_apply(&(struct str_list){ lines, n }, arena, &exec, &e);
}

#define APPLY(...) ({ const char *l_[] = { __VA_ARGS__ }; apply_n((char **)l_, ARRAY_SIZE(l_)); })

START_TEST(commands_have_two_forms)
{
	ck_assert_int_eq(APPLY("CMD [\"a\", \"b c\"]", "entrypoint  echo $HOME; true "), 0);
	ck_assert_uint_eq(exec.cmd.n, 2);
	ck_assert_str_eq(exec.cmd.v[1], "b c");
	ck_assert_uint_eq(exec.entrypoint.n, 3);
	ck_assert_str_eq(exec.entrypoint.v[0], "/bin/sh");
	ck_assert_str_eq(exec.entrypoint.v[2], "echo $HOME; true");
	ck_assert_int_eq(APPLY("CMD [\"a\"],\"x\":[\"b\"]"), 0);
	ck_assert_str_eq(exec.cmd.v[1], "-c");
}
END_TEST

START_TEST(pairs_are_unquoted_and_the_last_counts)
{
	ck_assert_int_eq(APPLY("ENV A=1 B=\"x y\"", "ENV A='$2' C=a\\ b", "LABEL \"k\"=v k=w"), 0);
	ck_assert_uint_eq(exec.env.n, 3);
	ck_assert_str_eq(exec.env.v[0], "A=$2");
	ck_assert_str_eq(exec.env.v[1], "B=x y");
	ck_assert_str_eq(exec.env.v[2], "C=a b");
	ck_assert_uint_eq(exec.labels.n, 1);
	ck_assert_str_eq(exec.labels.v[0].value, "w");
}
END_TEST

START_TEST(ports_and_volumes_are_sets)
{
	ck_assert_int_eq(APPLY("EXPOSE 80 80/tcp 90-91/udp", "VOLUME [\"/a b\"]", "VOLUME /c /c"), 0);
	ck_assert_str_eq(exec.exposed_ports.text, "{\"80/tcp\":{},\"90/udp\":{},\"91/udp\":{}}");
	ck_assert_str_eq(exec.volumes.text, "{\"/a b\":{},\"/c\":{}}");
}
END_TEST

START_TEST(single_words_are_taken)
{
	ck_assert_int_eq(APPLY("USER 1:2", "WORKDIR /a", "WORKDIR b", "STOPSIGNAL SIGINT"), 0);
	ck_assert_str_eq(exec.user, "1:2");
	ck_assert_str_eq(exec.working_dir, "/a/b");
	ck_assert_str_eq(exec.stop_signal, "SIGINT");
}
END_TEST

START_TEST(healthcheck_is_read)
{
	ck_assert_int_eq(APPLY("HEALTHCHECK --interval=1m30s --timeout=500ms --retries=4 CMD test -f /x"), 0);
	ck_assert_int_eq(exec.healthcheck->interval_ns, 90000000000);
	ck_assert_int_eq(exec.healthcheck->timeout_ns, 500000000);
	ck_assert_int_eq(exec.healthcheck->retries, 4);
	ck_assert_str_eq(exec.healthcheck->test.v[0], "CMD-SHELL");
	ck_assert_str_eq(exec.healthcheck->test.v[1], "test -f /x");
	ck_assert_int_eq(APPLY("HEALTHCHECK CMD [\"/x\"]"), 0);
	ck_assert_str_eq(exec.healthcheck->test.v[0], "CMD");
	ck_assert_int_eq(APPLY("HEALTHCHECK NONE"), 0);
	ck_assert_str_eq(exec.healthcheck->test.v[0], "NONE");
}
END_TEST

START_TEST(onbuild_is_kept_as_it_is)
{
	ck_assert_int_eq(APPLY("ONBUILD  RUN make  $X ", "onbuild COPY . /app", "CMD x"), 0);
	ck_assert_uint_eq(exec.on_build.n, 2);
	ck_assert_str_eq(exec.on_build.v[0], "RUN make  $X");
	ck_assert_str_eq(exec.on_build.v[1], "COPY . /app");
}
END_TEST

START_TEST(what_is_not_understood_is_refused)
{
	static const char *const bad[] = {
		"", "CMD", "RUN true", "COPY a b", "ONBUILD", "ONBUILD FROM x", "onbuild onbuild RUN x", "ENV A", "ENV =x", "ENV A=$B", "ENV A=\"x", "LABEL x",
		"EXPOSE x", "EXPOSE 0", "EXPOSE 65536", "EXPOSE 9-8", "EXPOSE 1-9999", "EXPOSE 80/icmp", "USER a b", "STOPSIGNAL NO",
		"WORKDIR \"\"", "VOLUME \"\"", "HEALTHCHECK", "HEALTHCHECK x", "HEALTHCHECK --interval=1 CMD x",
		"HEALTHCHECK --what=1 CMD x", "HEALTHCHECK --retries=0 CMD x", "HEALTHCHECK CMDx",
		"USER \xff", "LABEL a=\xed\xa0\x80",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(APPLY(bad[i]) < 0 && e.msg[0], "%s", bad[i]);
}
END_TEST

UNIT_MAIN("changes", commands_have_two_forms, pairs_are_unquoted_and_the_last_counts, ports_and_volumes_are_sets,
	  single_words_are_taken, healthcheck_is_read, onbuild_is_kept_as_it_is, what_is_not_understood_is_refused)
