/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "daemon/doors/docker_create.h"

static int parse(const char *body, struct container_options *ret, struct arena **ret_a, struct err *e)
{
	*ret_a = arena_new();
	return docker_create_parse(body, strlen(body), *ret_a, ret, e);
}

static void expect_refused(const char *body, const char *named)
{
	struct container_options o;
	struct arena *a = NULL;
	struct err e = {0};

	ck_assert_int_eq(parse(body, &o, &a, &e), -1);
	ck_assert_int_eq(e.kind, ERR_UNSUPPORTED);
	ck_assert_msg(strstr(e.msg, named) != NULL, "'%s' does not name '%s'", e.msg, named);
	arena_free(a);
}

static void expect_taken(const char *body)
{
	struct container_options o;
	struct arena *a = NULL;
	struct err e = {0};

	ck_assert_msg(parse(body, &o, &a, &e) == 0, "%s: %s", body, e.msg);
	ck_assert_ptr_nonnull(o.config);
	ck_assert_ptr_nonnull(o.host);
	arena_free(a);
}

START_TEST(minimal_body_is_taken)
{
	expect_taken("{\"Image\":\"busybox\"}");
}
END_TEST

START_TEST(no_image_is_invalid)
{
	struct container_options o;
	struct arena *a = NULL;
	struct err e = {0};

	ck_assert_int_eq(parse("{}", &o, &a, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	arena_free(a);
}
END_TEST

START_TEST(wrong_type_is_told_with_its_path)
{
	struct container_options o;
	struct arena *a = NULL;
	struct err e = {0};

	ck_assert_int_eq(parse("{\"Image\":\"x\",\"HostConfig\":{\"Memory\":\"lots\"}}", &o, &a, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	ck_assert_msg(strstr(e.msg, "HostConfig.Memory") != NULL, "%s", e.msg);
	arena_free(a);
}
END_TEST

START_TEST(each_refused_field_is_refused_by_name)
{
	for (const struct refused_field *f = docker_refused_fields; f->path; f++) {
		char body[256];

		if (strcmp(f->accepted, "*") == 0 ||
		    strcmp(f->path, "HostConfig.CgroupParent") == 0)
			continue;
		if (strncmp(f->path, "HostConfig.", 11) == 0)
			snprintf(body, sizeof(body), "{\"Image\":\"x\",\"HostConfig\":{\"%s\":[\"something\"]}}", f->path + 11);
		else
			snprintf(body, sizeof(body), "{\"Image\":\"x\",\"%s\":[\"something\"]}", f->path);
		expect_refused(body, f->path);
	}
	expect_refused("{\"Image\":\"x\",\"HostConfig\":{\"CgroupParent\":\"/x\"}}", "HostConfig.CgroupParent");
}
END_TEST

START_TEST(each_refused_field_is_taken_when_it_asks_nothing)
{
	for (const struct refused_field *f = docker_refused_fields; f->path; f++) {
		char body[256];

		if (strncmp(f->path, "HostConfig.", 11) == 0)
			snprintf(body, sizeof(body), "{\"Image\":\"x\",\"HostConfig\":{\"%s\":null}}", f->path + 11);
		else
			snprintf(body, sizeof(body), "{\"Image\":\"x\",\"%s\":null}", f->path);
		expect_taken(body);
	}
	expect_taken("{\"Image\":\"x\",\"HostConfig\":{\"PortBindings\":{},\"Dns\":[],\"MemorySwappiness\":-1,\"OomScoreAdj\":0}}");
}
END_TEST

START_TEST(an_unknown_field_is_refused_unless_it_asks_nothing)
{
	expect_refused("{\"Image\":\"x\",\"HostConfig\":{\"Frobnicate\":true}}", "HostConfig.Frobnicate");
	expect_refused("{\"Image\":\"x\",\"Frobnicate\":{\"a\":[1]}}", "Frobnicate");
	expect_taken("{\"Image\":\"x\",\"HostConfig\":{\"Frobnicate\":{\"a\":[0,\"\",null,{}]}}}");
}
END_TEST

START_TEST(devices_of_a_privileged_container_are_refused)
{
	expect_taken("{\"Image\":\"x\",\"HostConfig\":{\"Privileged\":true,\"Devices\":[]}}");
	expect_refused("{\"Image\":\"x\",\"HostConfig\":{\"Privileged\":true,\"Devices\":[{\"PathOnHost\":\"/dev/null\","
		       "\"PathInContainer\":\"/dev/other\",\"CgroupPermissions\":\"rwm\"}]}}", "HostConfig.Devices");
}
END_TEST

START_TEST(empty_masked_paths_ask_for_none)
{
	expect_refused("{\"Image\":\"x\",\"HostConfig\":{\"MaskedPaths\":[]}}", "HostConfig.MaskedPaths");
}
END_TEST

START_TEST(what_the_docker_cli_sends_for_the_default_network_is_taken)
{
	expect_taken("{\"Image\":\"x\",\"HostConfig\":{\"NetworkMode\":\"default\"},\"NetworkingConfig\":{\"EndpointsConfig\":"
		     "{\"default\":{\"IPAMConfig\":null,\"Links\":null,\"Aliases\":null,\"MacAddress\":\"\",\"GwPriority\":0}}}}");
	expect_taken("{\"Image\":\"x\",\"NetworkingConfig\":{\"EndpointsConfig\":{}}}");
	expect_taken("{\"Image\":\"x\",\"NetworkingConfig\":null}");
}
END_TEST

START_TEST(named_networks_and_endpoint_options_are_refused)
{
	expect_refused("{\"Image\":\"x\",\"HostConfig\":{\"NetworkMode\":\"mynet\"}}", "mynet");
	expect_refused("{\"Image\":\"x\",\"HostConfig\":{\"NetworkMode\":\"container:abc\"}}", "container:abc");
	expect_refused("{\"Image\":\"x\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"mynet\":{}}}}", "mynet");
	expect_refused("{\"Image\":\"x\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"default\":{\"Aliases\":[\"a\"]}}}}", "default");
}
END_TEST

START_TEST(security_options_and_log_drivers_are_refused_by_value)
{
	expect_taken("{\"Image\":\"x\",\"HostConfig\":{\"SecurityOpt\":[\"no-new-privileges\",\"seccomp=unconfined\"]}}");
	expect_refused("{\"Image\":\"x\",\"HostConfig\":{\"SecurityOpt\":[\"apparmor=foo\"]}}", "apparmor=foo");
	expect_taken("{\"Image\":\"x\",\"HostConfig\":{\"SecurityOpt\":[\"label=disable\",\"apparmor=unconfined\"]}}");
	expect_refused("{\"Image\":\"x\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"syslog\"}}}", "syslog");
}
END_TEST

/* Some clients name the targets of binds once more in Volumes; any other place there asks for an anonymous volume. */
START_TEST(anonymous_volumes_are_refused_and_the_places_of_mounts_are_not)
{
	expect_taken("{\"Image\":\"x\",\"Volumes\":{}}");
	expect_taken("{\"Image\":\"x\",\"Volumes\":null}");
	expect_taken("{\"Image\":\"x\",\"Volumes\":{\"/d/\":{},\"/t\":{}},\"HostConfig\":{\"Binds\":[\"/h:/d:ro\"],"
		     "\"Tmpfs\":{\"/t\":\"\"}}}");
	expect_refused("{\"Image\":\"x\",\"Volumes\":{\"/d\":{}}}", "Volumes '/d'");
	expect_refused("{\"Image\":\"x\",\"Volumes\":{\"/d\":{},\"/e\":{}},\"HostConfig\":{\"Binds\":[\"/h:/d\"]}}", "Volumes '/e'");
}
END_TEST

UNIT_MAIN("docker_create", minimal_body_is_taken, no_image_is_invalid, wrong_type_is_told_with_its_path,
	  each_refused_field_is_refused_by_name, each_refused_field_is_taken_when_it_asks_nothing,
	  an_unknown_field_is_refused_unless_it_asks_nothing, empty_masked_paths_ask_for_none,
	  devices_of_a_privileged_container_are_refused,
	  what_the_docker_cli_sends_for_the_default_network_is_taken, named_networks_and_endpoint_options_are_refused,
	  security_options_and_log_drivers_are_refused_by_value,
	  anonymous_volumes_are_refused_and_the_places_of_mounts_are_not)
