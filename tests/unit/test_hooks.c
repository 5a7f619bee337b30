/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/hooks.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "oci/runtime_config.h"
#include "runtime/front/instance.h"
#include "tests/unit/unit.h"

static struct arena *a;
static struct err e;

/* @hooks: members of the object */
static struct oci_config *config_of(const char *hooks)
{
	AUTO_FREE char *json = xasprintf("{\"ociVersion\":\"1.0.0\",\"hooks\":{%s}}", hooks);
	void *config;

	arena_free(a);
	a = arena_new();
	ck_assert_msg(json_decode(json, strlen(json), &oci_config_schema, a, NULL, NULL, &config, &e) == 0, "%s", e.msg);
	return config;
}

static void check(const char *hooks, const char *want)
{
	bool any;
	int done = hooks_check(config_of(hooks), &any, &e);

	if (want == NULL)
		ck_assert_msg(done == 0 && any == (hooks[0] != '\0'), "%s", e.msg);
	else
		ck_assert_msg(done < 0 && strstr(e.msg, want) != NULL, "%s: %s", hooks, e.msg);
}

/* One poststart hook by the shell, run for process 42. Return: whether it went well */
static bool runs(const char *script, const char *more)
{
	AUTO_FREE char *json = xasprintf("\"poststart\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"%s\"]%s}]", script, more);
	struct instance_record rec = { .oci_version = (char *)"1.0.0", .id = (char *)"x", .bundle = (char *)"/" };
	struct hook_plan plan;
	struct oci_config *config = config_of(json);

	hooks_plan(config, &rec, HOOK_POSTSTART, a, &plan);
	ck_assert_uint_eq(plan.n, 1);
	return hooks_run(&plan, 42, &e) == 0;
}

START_TEST(paths_are_absolute_and_timeouts_positive)
{
	check("", NULL);
	check("\"poststop\":[{\"path\":\"/x\",\"timeout\":1}]", NULL);
	check("\"prestart\":[{\"path\":\"/x\"},{\"path\":\"\"}]", "hooks.prestart[1]: path");
	check("\"createRuntime\":[{\"path\":\"x\"}]", "hooks.createRuntime[0]: path: 'x'");
	check("\"createContainer\":[{\"path\":\"/x\",\"timeout\":0}]", "hooks.createContainer[0]: timeout: 0");
	check("\"startContainer\":[{\"path\":\"/x\",\"timeout\":-1}]", "hooks.startContainer[0]: timeout: -1");
	check("\"poststart\":[{\"path\":\"/x\",\"timeout\":9223372036854775807}]", "hooks.poststart[0]: timeout");
}
END_TEST

START_TEST(the_state_is_on_standard_input)
{
	ck_assert_msg(runs("test \\\"$(cat)\\\" = '{\\\"ociVersion\\\":\\\"1.0.0\\\",\\\"id\\\":\\\"x\\\",\\\"status\\\":"
			   "\\\"running\\\",\\\"bundle\\\":\\\"/\\\",\\\"pid\\\":42}'", ""), "%s", e.msg);
	ck_assert(runs("exit 0", ""));
}
END_TEST

START_TEST(a_failure_tells_how_and_what_was_written_last)
{
	ck_assert(!runs("echo one; echo two >&2; exit 9", ""));
	ck_assert_str_eq(e.msg, "poststart hook '/bin/sh': exit status 9: one two");
	ck_assert(!runs("kill -TERM $$", ""));
	ck_assert_str_eq(e.msg, "poststart hook '/bin/sh': it was ended by signal 15");
	ck_assert(!runs("i=0; while [ $i -lt 3000 ]; do echo long $i; i=$((i+1)); done; exit 1", ""));
	ck_assert_ptr_nonnull(strstr(e.msg, "long 2999"));
	ck_assert_ptr_null(strstr(e.msg, "long 20 "));
	ck_assert_uint_lt(strlen(e.msg), 300);
}
END_TEST

START_TEST(who_is_left_behind_with_the_output_is_not_waited_for)
{
	int64_t begin = clock_mono_ns();

	ck_assert(runs("sleep 3 & exit 0", ""));
	ck_assert_int_lt(clock_mono_ns() - begin, 2 * CLOCK_NS_PER_SEC);
}
END_TEST

START_TEST(a_timeout_ends_it)
{
	int64_t begin = clock_mono_ns();

	ck_assert(!runs("exec sleep 4", ",\"timeout\":1"));
	ck_assert_str_eq(e.msg, "poststart hook '/bin/sh': it did not end within its timeout");
	ck_assert_int_lt(clock_mono_ns() - begin, 3 * CLOCK_NS_PER_SEC);
	ck_assert(runs("exit 0", ",\"timeout\":1"));
	arena_free(a);
}
END_TEST

UNIT_MAIN("hooks", paths_are_absolute_and_timeouts_positive, the_state_is_on_standard_input, a_failure_tells_how_and_what_was_written_last,
	  who_is_left_behind_with_the_output_is_not_waited_for, a_timeout_ends_it)
