/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/options.h"

#include "base/own.h"
#include "oci/options_rules.h"
#include "tests/unit/unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct arena *arena;
static struct err e;
static const struct options_host two_cpus = { .n_cpus = 2 };

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
	refuses(HOST("\"CgroupParent\":\"/a/../..\""), "invalid cgroup parent");
	refuses(HOST("\"CgroupParent\":\"/\""), "invalid cgroup parent");
	accepts(HOST("\"CgroupParent\":\"/kiln/tenant-1\""));
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
	refuses(HOST("\"NetworkMode\":\"container:x\""), "is not supported");
	refuses(HOST("\"LogConfig\":{\"Type\":\"syslog\"}"), "log driver 'syslog' is not supported");
	refuses(HOST("\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"1m\"}}"), "max-size");
	refuses(HOST("\"Tmpfs\":{\"run\":\"\"}"), "mount path must be absolute");
	refuses(HOST("\"Tmpfs\":{\"/\":\"\"}"), "destination can't be '/'");
	refuses(HOST("\"Tmpfs\":{\"/a\":\"upperdir=/x\"}"), "invalid tmpfs option [\"upperdir=/x\"]");
	refuses(HOST("\"Tmpfs\":{\"/a/\":\"\"},\"Binds\":[\"/x:/a\"]"), "Duplicate mount point: /a");
	refuses(HOST("\"ConsoleSize\":[1]"), "ConsoleSize");
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
	refuses(HOST("\"SecurityOpt\":[\"apparmor=mine\"]"), "apparmor=mine is not supported");
	refuses(HOST("\"SecurityOpt\":[\"seccomp=/a/file\"]"), "seccomp profile");
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
}
END_TEST

UNIT_MAIN("options", keys_match_in_any_case, absent_is_not_zero, emitted_options_are_read_back, defaults_are_dockers,
	  entrypoint_and_command_follow_dockers_rules, environment_of_the_image_comes_behind_the_users,
	  labels_merge_but_the_image_does_not_decide_about_health, healthcheck_fields_merge_one_by_one,
	  ports_volumes_user_and_place_come_from_the_image, restart_policies_are_checked, limits_are_checked,
	  cpusets_are_bounded, places_names_and_signals_are_checked, health_values_are_checked,
	  networks_logs_and_mounts_are_checked, security_options_are_read, capabilities_follow_dockers_rules,
	  tmpfs_options_replace_defaults,
	  what_a_process_starts_with_is_checked, limits_are_checked_in_dockers_words,
	  what_the_host_has_not_is_taken_away_and_told)
