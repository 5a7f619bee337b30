/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own.h"
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

/* As docker's strslice: of Cmd, Entrypoint and Shell, and of nothing else */
START_TEST(a_string_stands_for_a_list_of_it)
{
	struct container_options o;
	struct arena *a = NULL;
	struct err e = {0};

	ck_assert_msg(parse("{\"Image\":\"x\",\"Cmd\":\"one word\",\"Entrypoint\":\"\",\"Shell\":\"/bin/sh\"}", &o, &a, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(o.config->cmd.n, 1);
	ck_assert_str_eq(o.config->cmd.v[0], "one word");
	ck_assert_uint_eq(o.config->entrypoint.n, 1);
	ck_assert_str_eq(o.config->entrypoint.v[0], "");
	ck_assert_uint_eq(o.config->shell.n, 1);
	arena_free(a);
	ck_assert_int_eq(parse("{\"Image\":\"x\",\"Env\":\"A=1\"}", &o, &a, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "Env: expected array of strings"));
	arena_free(a);
	ck_assert_int_eq(parse("{\"Image\":\"x\",\"Cmd\":18446744073709551615}", &o, &a, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "Cmd: expected"));
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

/* A request with a value at a path of the API */
static char *body_with(const char *path, const char *value)
{
	static const struct { const char *prefix, *before, *after; } places[] = {
		{ "HostConfig.Mounts.", "\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/s\",\"Target\":\"/t\",", "}]}" },
		{ "HostConfig.", "\"HostConfig\":{", "}" },
		{ "NetworkingConfig.EndpointsConfig.*.", "\"NetworkingConfig\":{\"EndpointsConfig\":{\"none\":{", "}}}" },
		{ "NetworkingConfig.EndpointsConfig.", "\"NetworkingConfig\":{\"EndpointsConfig\":{\"none\":{\"x\":1,", "}}}" },
		{ "", "", "" },
	};
	size_t i = 0;

	while (!str_starts(path, places[i].prefix))
		i++;
	return xasprintf("{\"Image\":\"x\",%s\"%s\":%s%s}", places[i].before, path + strlen(places[i].prefix), value, places[i].after);
}

START_TEST(each_refused_field_is_refused_by_name)
{
	for (const struct refused_field *f = docker_refused_fields; f->path; f++) {
		AUTO_FREE char *body = body_with(f->path, "[\"something\"]");

		expect_refused(body, strchr(f->path, '*') ? "EndpointsConfig.none.x" : f->path);
	}
}
END_TEST

START_TEST(each_refused_field_is_taken_when_it_asks_nothing)
{
	for (const struct refused_field *f = docker_refused_fields; f->path; f++) {
		AUTO_FREE char *body = body_with(f->path, "null");

		if (!strchr(f->path, '*'))
			expect_taken(body);
	}
	expect_taken("{\"Image\":\"x\",\"HostConfig\":{\"PortBindings\":{},\"Dns\":[],\"MemorySwappiness\":-1,\"OomScoreAdj\":0}}");
}
END_TEST

/* What a client may send, by version 1.51 of the API and those before: structs Config, HostConfig, Resources, Mount and EndpointSettings */
static const char *const api[] = {
	"Hostname", "Domainname", "User", "AttachStdin", "AttachStdout", "AttachStderr", "ExposedPorts", "Tty", "OpenStdin", "StdinOnce", "Env", "Cmd",
	"Healthcheck.Test", "Healthcheck.Interval", "Healthcheck.Timeout", "Healthcheck.StartPeriod", "Healthcheck.StartInterval", "Healthcheck.Retries",
	"ArgsEscaped", "Image", "Volumes", "WorkingDir", "Entrypoint", "NetworkDisabled", "MacAddress", "OnBuild", "Labels", "StopSignal", "StopTimeout", "Shell",
	"HostConfig.Binds", "HostConfig.ContainerIDFile", "HostConfig.LogConfig.Type", "HostConfig.LogConfig.Config", "HostConfig.NetworkMode",
	"HostConfig.PortBindings", "HostConfig.RestartPolicy.Name", "HostConfig.RestartPolicy.MaximumRetryCount", "HostConfig.AutoRemove",
	"HostConfig.VolumeDriver", "HostConfig.VolumesFrom", "HostConfig.ConsoleSize", "HostConfig.Annotations", "HostConfig.CapAdd", "HostConfig.CapDrop",
	"HostConfig.CgroupnsMode", "HostConfig.Dns", "HostConfig.DnsOptions", "HostConfig.DnsSearch", "HostConfig.ExtraHosts", "HostConfig.GroupAdd",
	"HostConfig.IpcMode", "HostConfig.Cgroup", "HostConfig.Links", "HostConfig.OomScoreAdj", "HostConfig.PidMode", "HostConfig.Privileged",
	"HostConfig.PublishAllPorts", "HostConfig.ReadonlyRootfs", "HostConfig.SecurityOpt", "HostConfig.StorageOpt", "HostConfig.Tmpfs", "HostConfig.UTSMode",
	"HostConfig.UsernsMode", "HostConfig.ShmSize", "HostConfig.Sysctls", "HostConfig.Runtime", "HostConfig.Isolation", "HostConfig.MaskedPaths",
	"HostConfig.ReadonlyPaths", "HostConfig.Init", "HostConfig.Capabilities", "HostConfig.CpuShares", "HostConfig.Memory", "HostConfig.NanoCpus",
	"HostConfig.CgroupParent", "HostConfig.BlkioWeight", "HostConfig.BlkioWeightDevice.Path", "HostConfig.BlkioWeightDevice.Weight",
	"HostConfig.BlkioDeviceReadBps.Path", "HostConfig.BlkioDeviceReadBps.Rate", "HostConfig.BlkioDeviceWriteBps.Path", "HostConfig.BlkioDeviceWriteBps.Rate",
	"HostConfig.BlkioDeviceReadIOps.Path", "HostConfig.BlkioDeviceReadIOps.Rate", "HostConfig.BlkioDeviceWriteIOps.Path", "HostConfig.BlkioDeviceWriteIOps.Rate",
	"HostConfig.CpuPeriod", "HostConfig.CpuQuota", "HostConfig.CpuRealtimePeriod", "HostConfig.CpuRealtimeRuntime", "HostConfig.CpusetCpus",
	"HostConfig.CpusetMems", "HostConfig.Devices.PathOnHost", "HostConfig.Devices.PathInContainer", "HostConfig.Devices.CgroupPermissions",
	"HostConfig.DeviceCgroupRules", "HostConfig.DeviceRequests", "HostConfig.KernelMemory", "HostConfig.KernelMemoryTCP", "HostConfig.MemoryReservation",
	"HostConfig.MemorySwap", "HostConfig.MemorySwappiness", "HostConfig.OomKillDisable", "HostConfig.PidsLimit", "HostConfig.Ulimits.Name",
	"HostConfig.Ulimits.Hard", "HostConfig.Ulimits.Soft", "HostConfig.CpuCount", "HostConfig.CpuPercent", "HostConfig.IOMaximumIOps",
	"HostConfig.IOMaximumBandwidth", "HostConfig.Mounts.Type", "HostConfig.Mounts.Source", "HostConfig.Mounts.Target", "HostConfig.Mounts.ReadOnly",
	"HostConfig.Mounts.Consistency", "HostConfig.Mounts.BindOptions.Propagation", "HostConfig.Mounts.BindOptions.NonRecursive",
	"HostConfig.Mounts.BindOptions.CreateMountpoint", "HostConfig.Mounts.BindOptions.ReadOnlyNonRecursive", "HostConfig.Mounts.BindOptions.ReadOnlyForceRecursive",
	"HostConfig.Mounts.VolumeOptions", "HostConfig.Mounts.ImageOptions", "HostConfig.Mounts.ClusterOptions", "HostConfig.Mounts.TmpfsOptions.SizeBytes",
	"HostConfig.Mounts.TmpfsOptions.Mode", "HostConfig.Mounts.TmpfsOptions.Options", "NetworkingConfig.EndpointsConfig.*",
};

static size_t is_in_api(const char *path)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(api); i++)
		n += strcmp(api[i], path) == 0;
	return n;
}

/* Leaves of a table: each must be of the API. Return: how many there are */
static size_t walk(const struct jschema *schema, const char *within)
{
	size_t n = 0;

	for (size_t i = 0; i < schema->n_fields; i++) {
		AUTO_FREE char *path = xasprintf("%s%s", within, schema->fields[i].name);
		AUTO_FREE char *inside = xasprintf("%s.", path);

		if (schema->fields[i].schema) {
			n += walk(schema->fields[i].schema, inside);
			continue;
		}
		ck_assert_msg(is_in_api(path) == 1, "%s: no field of the API", path);
		n++;
	}
	return n;
}

/* Each is in one of the two tables, and once: done, or refused by name */
START_TEST(each_field_of_the_api_is_done_or_refused_by_name)
{
	size_t n = walk(&opt_config_schema, "") + walk(&opt_host_config_schema, "HostConfig.");

	for (const struct refused_field *f = docker_refused_fields; f->path; f++, n++) {
		ck_assert_msg(is_in_api(f->path) == 1, "%s: no field of the API", f->path);
		ck_assert_msg(*f->reason, "%s: no reason", f->path);
	}
	ck_assert_uint_eq(n, ARRAY_SIZE(api));
}
END_TEST

/* docker's client says so for --ip, --link-local-ip, --network-alias, --mac-address, --link and the options of a network */
START_TEST(fields_of_an_endpoint_are_refused_by_name)
{
	static const char *const fields[] = {
		"\"IPAMConfig\":{\"IPv4Address\":\"1.2.3.4\"}", "\"ipamconfig\":{\"LinkLocalIPs\":[\"169.254.1.1\"]}", "\"Links\":[\"a\"]", "\"Aliases\":[\"a\"]",
		"\"MacAddress\":\"02:00:00:00:00:01\"", "\"DriverOpts\":{\"a\":\"b\"}", "\"GwPriority\":1", "\"Nonsense\":true",
	};
	static const char *const named[] = {
		"none.IPAMConfig.IPv4Address is refused", "none.ipamconfig.LinkLocalIPs is refused", "none.Links", "none.Aliases", "none.MacAddress",
		"none.DriverOpts", "none.GwPriority", "none.Nonsense",
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		AUTO_FREE char *body = xasprintf("{\"Image\":\"x\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"none\":{%s}}}}", fields[i]);

		expect_refused(body, named[i]);
	}
	expect_refused("{\"Image\":\"x\",\"NetworkingConfig\":{\"Other\":{\"a\":1}}}", "NetworkingConfig.Other");
	expect_taken("{\"Image\":\"x\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"none\":{\"IPAMConfig\":{\"LinkLocalIPs\":[]},\"Links\":null}}}}");
}
END_TEST

/* A key may look like the path of another */
START_TEST(keys_with_brackets_are_no_other_fields)
{
	expect_refused("{\"Image\":\"x\",\"HostConfig\":{\"Runtime[\":\"kiln\"}}", "unknown field");
	expect_refused("{\"Image\":\"x\",\"HostConfig\":{\"Runtime[0]\":\"kiln\"}}", "unknown field");
	expect_refused("{\"Image\":\"x\",\"HostConfig[0]\":{\"Runtime\":\"kiln\"}}", "unknown field");
	expect_refused("{\"Image\":\"x\",\"HostConfig\":{\"[\":1}}", "unknown field");
	expect_taken("{\"Image\":\"x\",\"HostConfig\":{\"Runtime\":\"kiln\"}}");
}
END_TEST

/* `docker run -p 80`: all values are empty, and yet a port of the daemon's choice is wanted */
START_TEST(a_port_is_wanted_by_its_key)
{
	expect_refused("{\"Image\":\"x\",\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"\"}]}}}",
		       "HostConfig.PortBindings");
	expect_refused("{\"Image\":\"x\",\"HostConfig\":{\"PortBindings\":{\"80/tcp\":null}}}", "HostConfig.PortBindings");
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
	static const struct { const char *value; bool is_set; size_t n; } cases[] = {
		{ "null", false, 0 }, { "[]", true, 0 }, { "[\"/proc/x\",\"/y\"]", true, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *body = xasprintf("{\"Image\":\"x\",\"HostConfig\":{\"MaskedPaths\":%s,\"ReadonlyPaths\":%s}}",
						 cases[i].value, cases[i].value);
		struct container_options o;
		struct arena *a = NULL;
		struct err e = {0};

		ck_assert_msg(parse(body, &o, &a, &e) == 0, "%s: %s", body, e.msg);
		ck_assert_int_eq(o.host->masked_paths.set, cases[i].is_set);
		ck_assert_int_eq(o.host->readonly_paths.set, cases[i].is_set);
		ck_assert_uint_eq(o.host->masked_paths.v.n, cases[i].n);
		arena_free(a);
	}
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
	expect_taken("{\"Image\":\"x\",\"HostConfig\":{\"NetworkMode\":\"container:abc\"},"
		     "\"NetworkingConfig\":{\"EndpointsConfig\":{\"container:abc\":{}}}}");
	expect_refused("{\"Image\":\"x\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"container:abc\":{\"Links\":[\"a\"]}}}}", "container:abc");
	expect_refused("{\"Image\":\"x\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"mynet\":{}}}}", "mynet");
	expect_refused("{\"Image\":\"x\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"default\":{\"Aliases\":[\"a\"]}}}}", "default");
}
END_TEST

START_TEST(security_options_and_log_drivers_are_refused_by_value)
{
	expect_taken("{\"Image\":\"x\",\"HostConfig\":{\"SecurityOpt\":[\"no-new-privileges\",\"seccomp=unconfined\"]}}");
	expect_taken("{\"Image\":\"x\",\"HostConfig\":{\"SecurityOpt\":[\"label=disable\",\"apparmor=unconfined\",\"apparmor=mine\"]}}");
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

UNIT_MAIN("docker_create", minimal_body_is_taken, no_image_is_invalid, a_string_stands_for_a_list_of_it, wrong_type_is_told_with_its_path,
	  each_refused_field_is_refused_by_name, each_refused_field_is_taken_when_it_asks_nothing,
	  each_field_of_the_api_is_done_or_refused_by_name, fields_of_an_endpoint_are_refused_by_name, keys_with_brackets_are_no_other_fields, a_port_is_wanted_by_its_key,
	  an_unknown_field_is_refused_unless_it_asks_nothing, empty_masked_paths_ask_for_none,
	  devices_of_a_privileged_container_are_refused,
	  what_the_docker_cli_sends_for_the_default_network_is_taken, named_networks_and_endpoint_options_are_refused,
	  security_options_and_log_drivers_are_refused_by_value,
	  anonymous_volumes_are_refused_and_the_places_of_mounts_are_not)
