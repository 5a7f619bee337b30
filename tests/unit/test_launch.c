/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/launch.h"

#include "base/own.h"
#include "tests/unit/unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char launch[] =
	"{\"version\":1,\"id\":\"" ID "\",\"config\":{\"ociVersion\":\"1.2.0\"},\"user\":\"u:g\",\"dataRoot\":\"/d\","
	"\"layersDir\":\"/d/layers\",\"lowers\":[\"b\",\"a\"],\"containerDir\":\"/d/c\",\"cgroupPath\":\"/kiln/x\","
	"\"seccompProfile\":\"default\",\"init\":true,\"stdio\":{\"tty\":true,\"detachKeys\":\"\\u0010\\u0011\"},"
	"\"socketPath\":\"/r/s\"}";

static const char exec[] =
	"{\"version\":1,\"id\":\"" ID "\",\"containerId\":\"" ID "\",\"process\":{\"args\":[\"true\"],\"cwd\":\"/\"},"
	"\"user\":\"\",\"cgroupPath\":\"/kiln/x\",\"seccompProfile\":\"unconfined\",\"stdio\":{\"captureBytes\":4096},"
	"\"dataRoot\":\"/d\",\"socketPath\":\"/r/s\",\"timeoutMs\":30000}";

static void round_trip(const char *text, const struct jschema *schema)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf out = {0};
	struct err e = {0};
	void *ret = NULL;

	ck_assert_msg(json_decode(text, strlen(text), schema, a, NULL, NULL, &ret, &e) == 0, "%s", e.msg);
	json_emit(schema, ret, &out);
	ck_assert_str_eq(out.data, text);
}

START_TEST(launch_document_is_written_as_it_was_read)
{
	round_trip(launch, &launch_spec_schema);
}
END_TEST

START_TEST(exec_document_is_written_as_it_was_read)
{
	round_trip(exec, &exec_spec_schema);
}
END_TEST

START_TEST(what_must_be_there_is_asked_for)
{
	static const char *const keys[] = { "version", "id", "config", "dataRoot", "layersDir", "lowers", "containerDir",
					    "cgroupPath", "seccompProfile", "stdio", "socketPath" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		AUTO_ARENA struct arena *a = arena_new();
		char *text = arena_strdup(a, launch), *key = strstr(text, arena_printf(a, "\"%s\":", keys[i]));
		struct err e = {0};
		void *ret = NULL;

		key[1] = '_';
		ck_assert_int_eq(json_decode(text, strlen(text), &launch_spec_schema, a, NULL, NULL, &ret, &e), -1);
		ck_assert_msg(strstr(e.msg, keys[i]) != NULL, "%s", e.msg);
	}
}
END_TEST

UNIT_MAIN("launch", launch_document_is_written_as_it_was_read, exec_document_is_written_as_it_was_read,
	  what_must_be_there_is_asked_for)
