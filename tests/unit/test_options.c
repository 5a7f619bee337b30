/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/options.h"

#include "base/own.h"
#include "oci/options_rules.h"
#include "tests/unit/unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct arena *arena;
static struct err e;
static const struct options_host two_cpus = { .n_cpus = 2, .cgroup_parent = "/kiln" };

static struct container_options *decode(const char *text)
{
	void *ret = NULL;

	arena_free(arena);
	arena = arena_new();
	memset(&e, 0, sizeof e);
	ck_assert_msg(json_decode(text, strlen(text), &container_options_schema, arena, NULL, NULL, &ret, &e) == 0,
		      "%s: %s", text, e.msg);
	options_normalize(ret, ID, "host.name", arena);
	return ret;
}

static void accepts(const char *text)
{
	ck_assert_msg(options_validate(decode(text), &two_cpus, &e) == 0, "%s: %s", text, e.msg);
}

static void refuses(const char *text, const char *why)
{
	struct container_options *o = decode(text);

	ck_assert_msg(options_validate(o, &two_cpus, &e) == -1, "%s was taken", text);
	ck_assert_msg(strstr(e.msg, why) != NULL, "%s said '%s'", text, e.msg);
	ck_assert(e.kind == ERR_INVALID || e.kind == ERR_UNSUPPORTED);
}

#define HOST(x)   "{\"HostConfig\":{" x "}}"
#define CONFIG(x) "{\"Config\":{" x "}}"

/* --- shape ------------------------------------------------------------------------------------------- */

START_TEST(keys_match_in_any_case)
{
	struct container_options *o = decode("{\"config\":{\"hostname\":\"h\",\"OPENSTDIN\":true},\"hostconfig\":{\"nanocpus\":5}}");

	ck_assert_str_eq(o->config->hostname, "h");
	ck_assert(o->config->open_stdin);
	ck_assert_int_eq(o->host->nano_cpus, 5);
}
END_TEST

START_TEST(absent_is_not_zero)
{
	struct container_options *o = decode("{\"Config\":{\"StopTimeout\":0},\"HostConfig\":{\"PidsLimit\":null}}");

	ck_assert(o->config->stop_timeout_sec.set);
	ck_assert(!o->host->pids_limit.set);
	ck_assert(!o->host->init.set);
}
END_TEST

START_TEST(emitted_options_are_read_back)
{
	AUTO_STRBUF struct strbuf one = {0}, two = {0};
	struct container_options *o = decode("{\"Config\":{\"Cmd\":[\"a\"],\"Labels\":{\"k\":\"v\"},\"Healthcheck\":"
		"{\"Test\":[\"NONE\"]},\"Volumes\":{\"/d\":{}}},\"HostConfig\":{\"Binds\":[\"/a:/b\"],\"Init\":false,"
		"\"Tmpfs\":{\"/run\":\"\"},\"ConsoleSize\":[24,80],\"RestartPolicy\":{\"Name\":\"always\"}}}");

	json_emit(&container_options_schema, o, &one);
	o = decode(one.data);
	json_emit(&container_options_schema, o, &two);
	ck_assert_str_eq(one.data, two.data);
	ck_assert_ptr_nonnull(strstr(one.data, "\"Init\":false"));
}
END_TEST

/* --- defaults ---------------------------------------------------------------------------------------- */

START_TEST(defaults_are_dockers)
{
	struct container_options *o = decode("{}");

	ck_assert_str_eq(o->config->hostname, "0123456789ab");
	ck_assert_str_eq(o->host->network_mode, "default");
	ck_assert_str_eq(o->host->restart_policy->name, "no");
	ck_assert_str_eq(o->host->log_config->type, "json-file");
	ck_assert_int_eq(o->host->shm_size_bytes, 64 << 20);
	ck_assert_int_eq(options_validate(o, &two_cpus, &e), 0);
	o = decode(HOST("\"NetworkMode\":\"host\""));
	ck_assert_str_eq(o->config->hostname, "host.name");
}
END_TEST

/* --- merge ------------------------------------------------------------------------------------------- */

static struct container_options *merge(const char *options, const char *exec)
{
	struct container_options *o = decode(options);
	char *text = arena_printf(arena, "{\"rootfs\":{\"type\":\"layers\"},\"config\":{%s}}", exec);
	struct oci_image_config *image;

	ck_assert_msg(image_config_parse(text, strlen(text), arena, &image, &e) == 0, "%s", e.msg);
	options_merge_image(o->config, image, arena);
	return o;
}

static const char *joined(const struct str_list *l)
{
	char *out = arena_strdup(arena, "");

	for (size_t i = 0; i < l->n; i++)
		out = arena_printf(arena, "%s%s%s", out, i ? " " : "", l->v[i]);
	return out;
}

START_TEST(entrypoint_and_command_follow_dockers_rules)
{
	static const char image[] = "\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]";
	struct container_options *o = merge("{}", image);

	ck_assert_str_eq(joined(&o->config->entrypoint), "e");
	ck_assert_str_eq(joined(&o->config->cmd), "c");
	o = merge(CONFIG("\"Cmd\":[\"mine\"]"), image);
	ck_assert_str_eq(joined(&o->config->entrypoint), "e");
	ck_assert_str_eq(joined(&o->config->cmd), "mine");
	/* An entrypoint of one's own drops the image's command */
	o = merge(CONFIG("\"Entrypoint\":[\"x\"]"), image);
	ck_assert_str_eq(joined(&o->config->entrypoint), "x");
	ck_assert_uint_eq(o->config->cmd.n, 0);
	o = merge(CONFIG("\"Entrypoint\":[\"\"],\"Cmd\":[\"ls\"]"), image);
	ck_assert_uint_eq(o->config->entrypoint.n, 1);
	ck_assert_str_eq(joined(&o->config->cmd), "ls");
}
END_TEST

START_TEST(environment_of_the_image_comes_behind_the_users)
{
	struct container_options *o = merge(CONFIG("\"Env\":[\"A=1\",\"GONE\"]"), "\"Env\":[\"A=0\",\"B=2\",\"GONE=x\",\"AA=3\"]");

	ck_assert_str_eq(joined(&o->config->env), "A=1 GONE B=2 AA=3");
	o = merge("{}", "\"Env\":[\"A=0\",\"A=1\"]");
	ck_assert_str_eq(joined(&o->config->env), "A=0 A=1");
}
END_TEST

START_TEST(labels_merge_but_the_image_does_not_decide_about_health)
{
	struct container_options *o = merge(CONFIG("\"Labels\":{\"a\":\"mine\"}"),
		"\"Labels\":{\"a\":\"image\",\"b\":\"image\",\"kiln.health.on-failure\":\"restart\"}");

	ck_assert_str_eq(str_map_get(&o->config->labels, "a"), "mine");
	ck_assert_str_eq(str_map_get(&o->config->labels, "b"), "image");
	ck_assert_ptr_null(str_map_get(&o->config->labels, "kiln.health.on-failure"));
	o = merge(CONFIG("\"Labels\":{\"kiln.health.on-failure\":\"kill\"}"), "");
	ck_assert_str_eq(str_map_get(&o->config->labels, "kiln.health.on-failure"), "kill");
}
END_TEST

START_TEST(healthcheck_fields_merge_one_by_one)
{
	static const char image[] = "\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":5000000,\"Retries\":7}";
	struct container_options *o = merge(CONFIG("\"Healthcheck\":{\"Interval\":9000000}"), image);

	ck_assert_str_eq(joined(&o->config->healthcheck->test), "CMD x");
	ck_assert_int_eq(o->config->healthcheck->interval_ns, 9000000);
	ck_assert_int_eq(o->config->healthcheck->retries, 7);
	o = merge(CONFIG("\"Healthcheck\":{\"Test\":[\"NONE\"]}"), image);
	ck_assert_str_eq(joined(&o->config->healthcheck->test), "NONE");
	o = merge("{}", "");
	ck_assert_ptr_null(o->config->healthcheck);
}
END_TEST

START_TEST(ports_volumes_user_and_place_come_from_the_image)
{
	struct container_options *o = merge(CONFIG("\"ExposedPorts\":{\"80/tcp\":{}}"),
		"\"ExposedPorts\":{\"80/tcp\":{},\"443/tcp\":{}},\"Volumes\":{\"/v\":{}},\"User\":\"u\",\"WorkingDir\":\"/w\","
		"\"StopSignal\":\"SIGQUIT\"");

	ck_assert_str_eq(o->config->exposed_ports.text, "{\"80/tcp\":{},\"443/tcp\":{}}");
	ck_assert_str_eq(o->config->volumes.text, "{\"/v\":{}}");
	ck_assert_str_eq(o->config->user, "u");
	ck_assert_str_eq(o->config->working_dir, "/w");
	ck_assert_str_eq(o->config->stop_signal, "SIGQUIT");
	o = merge(CONFIG("\"User\":\"me\""), "\"User\":\"u\"");
	ck_assert_str_eq(o->config->user, "me");
}
END_TEST

/* --- validation -------------------------------------------------------------------------------------- */

START_TEST(restart_policies_are_checked)
{
	accepts(HOST("\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}"));
	accepts(HOST("\"AutoRemove\":true"));
	refuses(HOST("\"RestartPolicy\":{\"Name\":\"sometimes\"}"), "invalid restart policy: unknown policy 'sometimes'");
	refuses(HOST("\"RestartPolicy\":{\"Name\":\"always\",\"MaximumRetryCount\":3}"), "can only be used with 'on-failure'");
	refuses(HOST("\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":-1}"), "cannot be negative");
	refuses(HOST("\"AutoRemove\":true,\"RestartPolicy\":{\"Name\":\"always\"}"),
		"can't create 'AutoRemove' container with restart policy");
}
END_TEST

START_TEST(limits_are_checked)
{
	accepts(HOST("\"Memory\":1048576,\"NanoCpus\":2000000000,\"CpusetCpus\":\"0-1\",\"PidsLimit\":-1"));
	refuses(HOST("\"Memory\":1048575"), "Minimum memory limit allowed is 1MB");
	refuses(HOST("\"Memory\":-1"), "Minimum memory limit");
	refuses(HOST("\"NanoCpus\":2000000001"), "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available");
	refuses(HOST("\"NanoCpus\":-1"), "Range of CPUs");
	refuses(HOST("\"ShmSize\":-1"), "SHM size");
	refuses(HOST("\"PidsLimit\":-5"), "PidsLimit");
}
END_TEST

START_TEST(cpusets_are_bounded)
{
	static const char *const bad[] = { "a", "0-", "-1", "1-0", "0,", ",0", "0--1", "0 1", "99999999999999999999" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(options_cpuset_parse(bad[i], 4, &e) == -1, "%s", bad[i]);
	ck_assert_int_eq(options_cpuset_parse("0-3,1,2", 4, &e), 0);
	ck_assert_int_eq(options_cpuset_parse("0-1000000000", 4, &e), -1);
	ck_assert_int_eq(options_cpuset_parse("0-4", 4, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "Requested CPUs are not available - requested 0-4, available: 0-3"));
}
END_TEST

START_TEST(places_names_and_signals_are_checked)
{
	accepts(CONFIG("\"WorkingDir\":\"/a\",\"StopSignal\":\"RTMIN+3\",\"Hostname\":\"a-b.c\""));
	refuses(CONFIG("\"WorkingDir\":\"a\""), "the working directory 'a' is invalid");
	refuses(CONFIG("\"StopSignal\":\"SIGNOTHING\""), "invalid signal: SIGNOTHING");
	refuses(CONFIG("\"Hostname\":\"a\\nb\""), "invalid hostname format");
	refuses(CONFIG("\"Hostname\":\"-a\""), "invalid hostname format");
	refuses(CONFIG("\"Domainname\":\"a b\""), "invalid domainname format");
	refuses(CONFIG("\"Env\":[\"=x\"]"), "invalid environment variable: =x");
}
END_TEST

START_TEST(a_cgroup_parent_is_a_path_that_kiln_may_own)
{
	char longest[256];

	accepts(HOST("\"CgroupParent\":\"/kiln/tenant-1\""));
	accepts(HOST("\"CgroupParent\":\"/kiln/x.slice\""));
	accepts(HOST("\"CgroupParent\":\"tenant/1/\""));
	accepts(HOST("\"CgroupParent\":\"my.slice\""));
	accepts(HOST("\"CgroupParent\":\"a..b\""));
	refuses(HOST("\"CgroupParent\":\"/\""), "it is the root");
	refuses(HOST("\"CgroupParent\":\"//.\""), "it is the root");
	refuses(HOST("\"CgroupParent\":\"/a/../..\""), "it is the root");
	refuses(HOST("\"CgroupParent\":\"../x\""), "'..' is no name of a group");
	refuses(HOST("\"CgroupParent\":\"/a/./b\""), "'.' is no name of a group");
	refuses(HOST("\"CgroupParent\":\"a b\""), "letters, digits");
	refuses(HOST("\"CgroupParent\":\"x/" ID "\""), "looks like a container's ID");
	refuses(HOST("\"CgroupParent\":\"/system.slice/x\""), "'system.slice' is systemd's");
	snprintf(longest, sizeof longest, HOST("\"CgroupParent\":\"%0129d\""), 0);
	accepts(longest);
	snprintf(longest, sizeof longest, HOST("\"CgroupParent\":\"%0130d\""), 0);
	refuses(longest, "it is longer than 135 bytes");
}
END_TEST

START_TEST(health_values_are_checked)
{
	accepts(CONFIG("\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"true\"],\"Interval\":1000000}"));
	refuses(CONFIG("\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"true\"],\"Interval\":5}"),
		"Interval in Healthcheck cannot be less than 1ms");
	refuses(CONFIG("\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"true\"],\"Retries\":-1}"), "Retries in Healthcheck");
	refuses(CONFIG("\"Healthcheck\":{\"Test\":[\"true\"]}"), "Unknown healthcheck type");
	refuses(CONFIG("\"Healthcheck\":{\"Test\":[\"CMD\"]}"), "Missing command");
}
END_TEST

START_TEST(networks_logs_and_mounts_are_checked)
{
	accepts(HOST("\"NetworkMode\":\"none\""));
	refuses(HOST("\"NetworkMode\":\"mine\""), "is not supported");
	refuses(HOST("\"LogConfig\":{\"Type\":\"syslog\"}"), "log driver 'syslog' is not supported");
	refuses(HOST("\"Tmpfs\":{\"run\":\"\"}"), "mount path must be absolute");
	refuses(HOST("\"Tmpfs\":{\"/\":\"\"}"), "destination can't be '/'");
	refuses(HOST("\"Tmpfs\":{\"/a\":\"upperdir=/x\"}"), "invalid tmpfs option [\"upperdir=/x\"]");
	refuses(HOST("\"Tmpfs\":{\"/a/\":\"\"},\"Binds\":[\"/x:/a\"]"), "Duplicate mount point: /a");
	refuses(HOST("\"ConsoleSize\":[1]"), "ConsoleSize");
}
END_TEST

START_TEST(modes_of_namespaces_are_checked)
{
	accepts(HOST("\"PidMode\":\"host\",\"IpcMode\":\"shareable\",\"UTSMode\":\"host\",\"CgroupnsMode\":\"host\",\"UsernsMode\":\"host\""));
	accepts(HOST("\"PidMode\":\"container:a\",\"IpcMode\":\"container:b\",\"NetworkMode\":\"container:c\""));
	accepts(HOST("\"PidMode\":\"\",\"IpcMode\":\"none\",\"UTSMode\":\"\",\"CgroupnsMode\":\"private\",\"UsernsMode\":\"\""));
	refuses(HOST("\"PidMode\":\"container:\""), "invalid PID mode: container:");
	refuses(HOST("\"PidMode\":\"shareable\""), "invalid PID mode: shareable");
	refuses(HOST("\"IpcMode\":\"hosts\""), "invalid IPC mode: hosts");
	refuses(HOST("\"UTSMode\":\"container:a\""), "invalid UTS mode: container:a");
	refuses(HOST("\"CgroupnsMode\":\"container:a\""), "invalid cgroup namespace mode: container:a");
	refuses(HOST("\"UsernsMode\":\"private\""), "invalid user namespace mode: private");
	refuses(HOST("\"NetworkMode\":\"container:\""), "invalid container format container:<name|id>");
	refuses(HOST("\"NetworkMode\":\"container\""), "invalid container format container:<name|id>");
}
END_TEST

START_TEST(a_container_has_its_own_namespaces_unless_it_shares)
{
	const char *of = NULL;
	struct container_options *o = decode(HOST("\"PidMode\":\"container:a:b\",\"IpcMode\":\"host\",\"NetworkMode\":\"bridge\""));

	ck_assert_int_eq(options_share(o->host, OPTIONS_PID, &of), SHARE_CONTAINER);
	ck_assert_str_eq(of, "a:b");
	ck_assert_int_eq(options_share(o->host, OPTIONS_IPC, &of), SHARE_HOST);
	ck_assert_int_eq(options_share(o->host, OPTIONS_NET, &of), SHARE_NONE);
	ck_assert_int_eq(options_share(o->host, OPTIONS_UTS, NULL), SHARE_NONE);
	ck_assert(options_shares_ipc(o->host) && options_has_shm(o->host));
	o = decode(HOST("\"IpcMode\":\"none\""));
	ck_assert(!options_shares_ipc(o->host) && !options_has_shm(o->host));
	/* as an older Kiln kept it */
	o->host->ipc_mode = o->host->pid_mode = NULL;
	ck_assert(!options_shares_ipc(o->host) && options_has_shm(o->host));
	ck_assert_int_eq(options_share(o->host, OPTIONS_PID, NULL), SHARE_NONE);
	ck_assert_str_eq(decode(HOST(""))->host->ipc_mode, "private");
	ck_assert_str_eq(decode(HOST("\"UTSMode\":\"host\""))->config->hostname, "host.name");
}
END_TEST

/* As it was asked, before anything is filled in */
static void conflicts(const char *text, const char *why)
{
	void *o = NULL;

	arena_free(arena);
	arena = arena_new();
	memset(&e, 0, sizeof e);
	ck_assert_int_eq(json_decode(text, strlen(text), &container_options_schema, arena, NULL, NULL, &o, &e), 0);
	ck_assert_int_eq(options_check_conflicts(o, &e), why ? -1 : 0);
	ck_assert_msg(!why || strstr(e.msg, why) != NULL, "%s said '%s'", text, e.msg);
}

START_TEST(names_go_with_the_namespace_that_has_them)
{
	conflicts("{}", NULL);
	conflicts("{\"Config\":{\"Hostname\":\"a\"},\"HostConfig\":{\"UTSMode\":\"\",\"NetworkMode\":\"host\"}}", NULL);
	conflicts("{\"Config\":{\"Hostname\":\"a\"},\"HostConfig\":{\"UTSMode\":\"host\"}}", "hostname and the UTS mode");
	conflicts("{\"Config\":{\"Domainname\":\"a\"},\"HostConfig\":{\"UTSMode\":\"host\"}}", "domainname and the UTS mode");
	conflicts("{\"Config\":{\"Hostname\":\"a\"},\"HostConfig\":{\"NetworkMode\":\"container:x\"}}", "hostname and the network mode");
	conflicts("{\"Config\":{\"ExposedPorts\":{\"80/tcp\":{}}},\"HostConfig\":{\"NetworkMode\":\"container:x\"}}", "port exposing");
	conflicts("{\"Config\":{\"ExposedPorts\":{}},\"HostConfig\":{\"NetworkMode\":\"container:x\"}}", NULL);
}
END_TEST

START_TEST(controls_of_shared_namespaces_are_refused)
{
	accepts(HOST("\"IpcMode\":\"shareable\",\"Sysctls\":{\"kernel.msgmax\":\"1\",\"net.core.somaxconn\":\"1\"}"));
	refuses(HOST("\"IpcMode\":\"host\",\"Sysctls\":{\"fs.mqueue.msg_max\":\"1\"}"), "not allowed in host IPC namespace");
	refuses(HOST("\"IpcMode\":\"container:a\",\"Sysctls\":{\"kernel.sem\":\"1\"}"), "not allowed in the IPC namespace of another container");
	refuses(HOST("\"NetworkMode\":\"container:a\",\"Sysctls\":{\"net.core.somaxconn\":\"1\"}"), "not allowed in the network namespace of another");
	refuses(HOST("\"NetworkMode\":\"host\",\"Sysctls\":{\"net.core.somaxconn\":\"1\"}"), "not allowed in host network namespace");
	refuses(HOST("\"Sysctls\":{\"kernel.hostname\":\"x\"}"), "is not in a separate kernel namespace");
}
END_TEST

START_TEST(security_options_are_read)
{
	struct options_security s;

	ck_assert_int_eq(options_security(decode(HOST("\"SecurityOpt\":[\"no-new-privileges\",\"seccomp={}\"]"))->host, &s, &e), 0);
	ck_assert(s.no_new_privileges);
	ck_assert_str_eq(s.seccomp, "{}");
	ck_assert_int_eq(options_security(decode(HOST("\"SecurityOpt\":[\"no-new-privileges:false\",\"seccomp:unconfined\","
						      "\"apparmor=unconfined\",\"label=disable\"]"))->host, &s, &e), 0);
	ck_assert(!s.no_new_privileges);
	ck_assert_str_eq(s.seccomp, "unconfined");
	refuses(HOST("\"SecurityOpt\":[\"foo\"]"), "invalid --security-opt 1: \"foo\"");
	refuses(HOST("\"SecurityOpt\":[\"foo=bar\"]"), "invalid --security-opt 2: \"foo=bar\"");
	refuses(HOST("\"SecurityOpt\":[\"no-new-privileges=maybe\"]"), "invalid --security-opt 2");
	refuses(HOST("\"SecurityOpt\":[\"systempaths=unconfined\"]"), "invalid --security-opt 2");   /* the client makes MaskedPaths of it */
	refuses(HOST("\"SecurityOpt\":[\"seccomp=/a/file\"]"), "seccomp profile");
	refuses(HOST("\"MaskedPaths\":[\"proc\"]"), "invalid MaskedPaths: 'proc' is not absolute");
	refuses(HOST("\"ReadonlyPaths\":[\"\"]"), "invalid ReadonlyPaths: '' is not absolute");
	accepts(HOST("\"MaskedPaths\":[],\"ReadonlyPaths\":[\"/proc/sys\"]"));
}
END_TEST

static const char *apparmor_of(const char *text, bool is_on, bool has_default)
{
	const struct options_host host = { .has_apparmor = is_on, .has_apparmor_default = has_default };

	return options_apparmor(decode(text)->host, &host);
}

START_TEST(apparmor_profiles_are_dockers)
{
	const struct options_host on = { .n_cpus = 2, .cgroup_parent = "/kiln", .has_apparmor = true, .has_apparmor_default = true };

	ck_assert_str_eq(apparmor_of(HOST(""), true, true), "docker-default");
	ck_assert_str_eq(apparmor_of(HOST(""), true, false), "unconfined");
	ck_assert_str_eq(apparmor_of(HOST(""), false, false), "");
	ck_assert_str_eq(apparmor_of(HOST("\"SecurityOpt\":[\"apparmor=\"]"), true, true), "docker-default");
	ck_assert_str_eq(apparmor_of(HOST("\"SecurityOpt\":[\"apparmor:mine//a\"]"), true, false), "mine//a");
	ck_assert_str_eq(apparmor_of(HOST("\"SecurityOpt\":[\"apparmor=unconfined\"]"), true, true), "unconfined");
	ck_assert_str_eq(apparmor_of(HOST("\"Privileged\":true"), true, true), "unconfined");
	/* asked for, and not there: not quietly less */
	refuses(HOST("\"SecurityOpt\":[\"apparmor=mine\"]"), "\"apparmor=mine\" is refused: AppArmor is not on");
	refuses(HOST("\"SecurityOpt\":[\"apparmor=docker-default\"]"), "AppArmor is not on");
	accepts(HOST("\"SecurityOpt\":[\"apparmor=unconfined\"]"));
	ck_assert_int_eq(options_validate(decode(HOST("\"SecurityOpt\":[\"apparmor=mine\"]")), &on, &e), 0);
	/* one word, and nothing behind it */
	refuses(HOST("\"SecurityOpt\":[\"apparmor=a\\nchangeprofile unconfined\"]"), "no name of a profile");
	refuses(HOST("\"SecurityOpt\":[\"apparmor=a b\"]"), "no name of a profile");
	refuses(HOST("\"SecurityOpt\":[\"apparmor=\\u0001\"]"), "no name of a profile");
}
END_TEST

/* Docker's way where SELinux is not on, but not in silence; where it is on, what was asked would not be so */
START_TEST(labels_have_no_effect_or_are_refused)
{
	static const char labels[] = HOST("\"SecurityOpt\":[\"label=type:svirt_t\",\"label=level:s0\"]");
	static const char disabled[] = HOST("\"SecurityOpt\":[\"label=type:svirt_t\",\"label=disable\"]");
	const struct options_host off = { .n_cpus = 2, .cgroup_parent = "/kiln", .raises_limits = true };
	struct options_host on = off;
	struct container_options *o = decode(labels);
	struct str_list warnings;

	on.has_selinux = true;
	ck_assert_int_eq(options_validate(o, &off, &e), 0);
	warnings = options_adapt(o->host, &off, arena);
	ck_assert_uint_eq(warnings.n, 1);
	ck_assert_ptr_nonnull(strstr(warnings.v[0], "SELinux is not on"));
	o = decode(disabled);
	ck_assert_uint_eq(options_adapt(o->host, &off, arena).n, 0);

	ck_assert_int_eq(options_validate(decode(labels), &on, &e), -1);
	ck_assert_int_eq(e.kind, ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(e.msg, "SecurityOpt \"label=…\" is refused: SELinux is on"));
	o = decode(disabled);
	ck_assert_int_eq(options_validate(o, &on, &e), 0);
	ck_assert_uint_eq(options_adapt(o->host, &on, arena).n, 0);
}
END_TEST

START_TEST(labels_are_read_part_by_part)
{
	struct options_security s;

	ck_assert_int_eq(options_security(decode(HOST("\"SecurityOpt\":[\"label=type:svirt_t\",\"label:level:s0:c1,c2\"]"))->host, &s, &e), 0);
	ck_assert(s.asks_label && !s.is_label_disabled);
	ck_assert_str_eq(s.label[OPTIONS_LABEL_TYPE], "svirt_t");
	ck_assert_str_eq(s.label[OPTIONS_LABEL_LEVEL], "s0:c1,c2");
	ck_assert_ptr_null(s.label[OPTIONS_LABEL_USER]);
	accepts(HOST("\"SecurityOpt\":[\"label=disable\"]"));
	accepts(HOST("\"SecurityOpt\":[\"disable\"]"));
	refuses(HOST("\"SecurityOpt\":[\"label=nonsense\"]"), "Bad label option \"nonsense\"");
	refuses(HOST("\"SecurityOpt\":[\"label=type:\"]"), "no part of a label");
	refuses(HOST("\"SecurityOpt\":[\"label=type:a:b\"]"), "no part of a label");
	refuses(HOST("\"SecurityOpt\":[\"label=user:a b\"]"), "no part of a label");
}
END_TEST

static const char *caps(const char *host_config)
{
	struct container_options *o = decode(host_config);
	struct str_list l;

	ck_assert_msg(options_capabilities(o->host, (UINT64_C(1) << 41) - 1, arena, &l, &e) == 0, "%s", e.msg);
	return joined(&l);
}

START_TEST(capabilities_follow_dockers_rules)
{
	struct container_options *o;
	struct str_list l;

	ck_assert_str_eq(caps("{}"), "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP "
				     "CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_SYS_CHROOT CAP_MKNOD CAP_AUDIT_WRITE CAP_SETFCAP");
	ck_assert_str_eq(caps(HOST("\"CapDrop\":[\"ALL\"],\"CapAdd\":[\"net_admin\",\"CAP_KILL\"]")), "CAP_KILL CAP_NET_ADMIN");
	ck_assert_str_eq(caps(HOST("\"CapDrop\":[\"all\"]")), "");
	ck_assert_ptr_null(strstr(caps(HOST("\"CapAdd\":[\"ALL\"],\"CapDrop\":[\"SYS_ADMIN\"]")), "CAP_SYS_ADMIN"));
	ck_assert_ptr_nonnull(strstr(caps(HOST("\"CapAdd\":[\"ALL\"]")), "CAP_CHECKPOINT_RESTORE"));
	ck_assert_ptr_nonnull(strstr(caps(HOST("\"CapDrop\":[\"KILL\"],\"CapAdd\":[\"KILL\"]")), "CAP_KILL"));
	ck_assert_ptr_nonnull(strstr(caps(HOST("\"Privileged\":true,\"CapDrop\":[\"ALL\"]")), "CAP_SYS_ADMIN"));
	o = decode(HOST("\"CapAdd\":[\"ALL\"]"));
	ck_assert_int_eq(options_capabilities(o->host, (UINT64_C(1) << 38) - 1, arena, &l, &e), 0);
	ck_assert_str_eq(l.v[l.n - 1], "CAP_AUDIT_READ");
	o = decode(HOST("\"CapAdd\":[\"SYS_RESOURCE\"]"));
	ck_assert_int_eq(options_capabilities(o->host, ~(UINT64_C(1) << 24), arena, &l, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "CAP_SYS_RESOURCE cannot be given"));
	refuses(HOST("\"CapAdd\":[\"FOO\"]"), "invalid CapAdd: unknown capability: \"CAP_FOO\"");
	refuses(HOST("\"CapDrop\":[\"CAP_FOO\"]"), "invalid CapDrop: unknown capability: \"CAP_FOO\"");
}
END_TEST

START_TEST(tmpfs_options_replace_defaults)
{
	struct str_list l;

	decode("{}");
	ck_assert_int_eq(options_tmpfs_options("", arena, &l, &e), 0);
	ck_assert_str_eq(joined(&l), "noexec nosuid nodev rprivate");
	ck_assert_int_eq(options_tmpfs_options("exec,size=1m,mode=1777,size=2m,ro,defaults", arena, &l, &e), 0);
	ck_assert_str_eq(joined(&l), "exec nosuid nodev rprivate size=2m mode=1777 ro");
	ck_assert_int_eq(options_tmpfs_options("size=", arena, &l, &e), -1);
	ck_assert_int_eq(options_tmpfs_options("size=1m,,", arena, &l, &e), -1);
}
END_TEST

START_TEST(what_a_process_starts_with_is_checked)
{
	accepts(HOST("\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":1,\"Hard\":-1},{\"Name\":\"cpu\",\"Soft\":-1,\"Hard\":-1}]"));
	refuses(HOST("\"Ulimits\":[{\"Name\":\"NOFILE\",\"Soft\":1,\"Hard\":1}]"), "invalid ulimit type: NOFILE");
	refuses(HOST("\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":-2,\"Hard\":1}]"), "below -1");
	refuses(HOST("\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":2,\"Hard\":1}]"), "less than or equal to hard limit: 2 > 1");
	refuses(HOST("\"Ulimits\":[{\"Name\":\"core\"},{\"Name\":\"core\"}]"), "ulimit core comes twice");
	accepts(HOST("\"GroupAdd\":[\"staff\",\"50\"]"));
	refuses(HOST("\"GroupAdd\":[\"\"]"), "is no group");
	refuses(HOST("\"GroupAdd\":[\"a:b\"]"), "is no group");
	accepts(HOST("\"OomScoreAdj\":-1000"));
	refuses(HOST("\"OomScoreAdj\":1001"), "range for oom score adj is [-1000, 1000]");
	accepts(HOST("\"Sysctls\":{\"net.ipv4.ip_forward\":\"1\",\"kernel.sem\":\"1 2 3 4\"}"));
	refuses(HOST("\"Sysctls\":{\"kernel.hostname\":\"x\"}"), "is not in a separate kernel namespace");
	refuses(HOST("\"NetworkMode\":\"host\",\"Sysctls\":{\"net.x\":\"1\"}"), "not allowed in host network namespace");
	refuses(HOST("\"Sysctls\":{\"net/x\":\"1\"}"), "is no name of a control");
	refuses(HOST("\"Annotations\":{\"\":\"1\"}"), "not permitted as an annotation key");
}
END_TEST

START_TEST(limits_are_checked_in_dockers_words)
{
	accepts(HOST("\"Memory\":67108864,\"MemorySwap\":-1,\"MemoryReservation\":33554432,\"MemorySwappiness\":-1"));
	refuses(HOST("\"Memory\":67108864,\"MemorySwap\":1"), "should be larger than memory limit");
	refuses(HOST("\"MemorySwap\":67108864"), "always set the Memory limit");
	refuses(HOST("\"Memory\":2097152,\"MemoryReservation\":4194304"), "less than memory reservation");
	refuses(HOST("\"MemorySwappiness\":101"), "valid memory swappiness range is 0-100");
	accepts(HOST("\"CpuQuota\":-1,\"CpuPeriod\":1000000,\"CpuShares\":2,\"CpusetMems\":\"0\""));
	refuses(HOST("\"CpuQuota\":1"), "CPU cfs quota can not be less");
	refuses(HOST("\"CpuPeriod\":1000001"), "CPU cfs period can not be less");
	refuses(HOST("\"NanoCpus\":1000000000,\"CpuQuota\":5000"), "Conflicting options");
	refuses(HOST("\"CpuShares\":-1"), "invalid CPU shares");
	refuses(HOST("\"CpusetMems\":\"1\""), "Requested memory nodes are not available");
}
END_TEST

static struct options_log log_of(const char *config)
{
	char text[256];
	struct options_log log = { 0 };

	snprintf(text, sizeof text, HOST("\"LogConfig\":{\"Config\":{%s}}"), config);
	ck_assert_msg(options_log(decode(text)->host->log_config, &log, &e) == 0, "%s: %s", config, e.msg);
	return log;
}

START_TEST(logs_are_bounded_unless_the_user_says_otherwise)
{
	struct options_log log = log_of("");

	ck_assert(log.max_bytes == 16 << 20 && log.max_files == 3);
	log = log_of("\"max-size\":\"1.5kB\"");
	ck_assert(log.max_bytes == 1500 && log.max_files == 1);
	log = log_of("\"max-size\":\"2g\",\"max-file\":\"64\"");
	ck_assert(log.max_bytes == 2000000000 && log.max_files == 64);
	log = log_of("\"max-file\":\"5\"");
	ck_assert(log.max_bytes == 16 << 20 && log.max_files == 5);
	ck_assert_uint_eq(log_of("\"max-size\":\"-1\"").max_bytes, 0);
	for (size_t i = 0; i < 9; i++) {
		static const char *const bad[] = { "", "-2", "m", "1x", "999", "10mm", "1e30", "0", "1 000" };
		char text[128];

		snprintf(text, sizeof text, HOST("\"LogConfig\":{\"Config\":{\"max-size\":\"%s\"}}"), bad[i]);
		refuses(text, "invalid log opt max-size");
	}
	refuses(HOST("\"LogConfig\":{\"Config\":{\"max-file\":\"0\"}}"), "max-file cannot be less than 1");
	refuses(HOST("\"LogConfig\":{\"Config\":{\"x\":\"0\"}}"), "unknown log opt 'x' for json-file");
	refuses(HOST("\"LogConfig\":{\"Config\":{\"tag\":\"{{.ID\"}}"), "invalid log opt tag");
	accepts(HOST("\"LogConfig\":{\"Config\":{\"tag\":\"a{{ .ID }}b{{.Name}}\"}}"));
}
END_TEST

START_TEST(block_devices_and_real_time_are_checked)
{
	accepts(HOST("\"BlkioWeight\":10,\"BlkioWeightDevice\":[{\"Path\":\"/dev/sda\",\"Weight\":1000}]"));
	refuses(HOST("\"BlkioWeight\":9"), "Range of blkio weight is from 10 to 1000");
	refuses(HOST("\"BlkioWeightDevice\":[{\"Path\":\"/dev/sda\",\"Weight\":1001}]"), "Range of blkio weight is from 10 to 1000");
	refuses(HOST("\"BlkioDeviceWriteIOps\":[{\"Path\":\"sda\",\"Rate\":1}]"), "BlkioDeviceWriteIOps: 'sda' is not the path");
	refuses(HOST("\"CpuRealtimeRuntime\":1"), "Your kernel does not support CPU real-time scheduler");
	refuses(HOST("\"CpuRealtimePeriod\":1"), "Your kernel does not support CPU real-time scheduler");
}
END_TEST

START_TEST(what_the_host_has_not_is_taken_away_and_told)
{
	const char *text = HOST("\"Memory\":67108864,\"MemorySwappiness\":5,\"OomKillDisable\":true,\"OomScoreAdj\":-1");
	struct container_options *o = decode(text);
	const struct options_host v1 = { .has_swap_limit = true, .raises_limits = true }, v2 = { .is_v2 = true };

	ck_assert_int_eq(options_adapt(o->host, &v1, arena).n, 0);
	ck_assert_int_eq(o->host->memory_swap_bytes, 134217728);
	ck_assert_int_eq(options_adapt(o->host, &v2, arena).n, 4);
	ck_assert(!o->host->memory_swappiness.set && !o->host->oom_kill_disable.set);
	ck_assert_int_eq(o->host->memory_swap_bytes, -1);
	o = decode(HOST("\"BlkioWeight\":10,\"BlkioDeviceReadBps\":[{\"Path\":\"/dev/sda\",\"Rate\":1}]"));
	ck_assert_int_eq(options_adapt(o->host, &(struct options_host){ .has_io_weight = true, .has_io_throttle = true,
									.raises_limits = true }, arena).n, 0);
	ck_assert(o->host->blkio_weight == 10 && o->host->blkio[OPT_BLKIO_READ_BPS].n == 1);
	ck_assert_int_eq(options_adapt(o->host, &v1, arena).n, 2);
	ck_assert(!options_asks_blkio(o->host));
}
END_TEST

UNIT_MAIN("options", keys_match_in_any_case, absent_is_not_zero, emitted_options_are_read_back, defaults_are_dockers,
	  entrypoint_and_command_follow_dockers_rules, environment_of_the_image_comes_behind_the_users,
	  labels_merge_but_the_image_does_not_decide_about_health, healthcheck_fields_merge_one_by_one,
	  ports_volumes_user_and_place_come_from_the_image, restart_policies_are_checked, limits_are_checked,
	  cpusets_are_bounded, places_names_and_signals_are_checked, a_cgroup_parent_is_a_path_that_kiln_may_own, health_values_are_checked,
	  networks_logs_and_mounts_are_checked, modes_of_namespaces_are_checked,
	  a_container_has_its_own_namespaces_unless_it_shares, names_go_with_the_namespace_that_has_them,
	  controls_of_shared_namespaces_are_refused, security_options_are_read,
	  apparmor_profiles_are_dockers, labels_are_read_part_by_part,
	  labels_have_no_effect_or_are_refused, capabilities_follow_dockers_rules,
	  tmpfs_options_replace_defaults,
	  what_a_process_starts_with_is_checked, limits_are_checked_in_dockers_words,
	  logs_are_bounded_unless_the_user_says_otherwise,
	  block_devices_and_real_time_are_checked, what_the_host_has_not_is_taken_away_and_told)
