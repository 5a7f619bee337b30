/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Launch documents from options: tests/golden/bundle/<case>/{options,image,launch}.json, run from the top of the
 * tree. KILN_GOLDEN=write build/unit/test_bundle writes launch.json anew; look at the difference before committing.
 */
#include "oci/bundle.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/own.h"
#include "oci/bundle_parts.h"
#include "tests/unit/unit.h"

#define GOLDEN "tests/golden/bundle/"
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define EXEC_ID "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static struct arena *arena;
static struct err e;
static char *lower_names[] = { (char *)"top", (char *)"middle", (char *)"top", (char *)"bottom" };
static const struct str_list lowers = { lower_names, 4 };
static const struct oci_device host_devices[] = {
	{ .type = (char *)"c", .path = (char *)"/dev/fuse", .major = 10, .minor = 229, .file_mode = { true, 0666 } },
};
static const struct bundle_device asked[] = {
	{ { .type = (char *)"c", .path = (char *)"/dev/mine", .major = 1, .minor = 11 }, (char *)"r" },
};
static const struct bundle_host host = { .hostname = "host.name", .caps = (UINT64_C(1) << 41) - 1, .devices = host_devices, .n_devices = 1 };
static const struct bundle_host host_asked = { .hostname = "host.name", .caps = (UINT64_C(1) << 41) - 1, .asked = asked, .n_asked = 1 };

static void begin(void)
{
	arena_free(arena);
	arena = arena_new();
	memset(&e, 0, sizeof e);
}

static char *slurp(const char *name, const char *file)
{
	AUTO_FREE char *text = NULL;

	ck_assert_msg(file_read(AT_FDCWD, arena_printf(arena, GOLDEN "%s/%s", name, file), 1 << 20, &text, NULL, &e) == 0,
		      "%s", e.msg);
	return arena_strdup(arena, text);
}

static struct container_options *options(const char *text, const char *image_text)
{
	struct oci_image_config *image;
	struct container_options *o;
	void *ret = NULL;

	ck_assert_msg(json_decode(text, strlen(text), &container_options_schema, arena, NULL, NULL, &ret, &e) == 0, "%s", e.msg);
	o = ret;
	options_normalize(o, ID, host.hostname, arena);
	ck_assert_msg(image_config_parse(image_text, strlen(image_text), arena, &image, &e) == 0, "%s", e.msg);
	options_merge_image(o->config, image, arena);
	return o;
}

static int launch(const struct container_options *o, struct launch_spec **ret)
{
	const struct bundle_input in = {
		.id = ID, .options = o, .host = &host, .data_root = "/var/lib/kiln", .lowers = &lowers,
		.container_dir = "/var/lib/kiln/containers/" ID, .cgroup_parent = "/kiln", .cgroup_owner = "me",
		.log_path = "/var/lib/kiln/containers/" ID "/" ID "-json.log", .socket_path = "/run/kiln/c/" ID ".sock",
		.etc_dir = options_share(o->host, OPTIONS_NET, NULL) == SHARE_CONTAINER ? "/var/lib/kiln/containers/a" : NULL,
		.shares = { .ns = { [OPTIONS_PID] = 1, [OPTIONS_IPC] = 2, [OPTIONS_NET] = 3 }, .shm = 4 },
	};

	return bundle_launch(&in, arena, ret, &e);
}

/* One value a line, so that differences can be read */
static void spread(const char *json, struct strbuf *out)
{
	bool in_string = false;
	int depth = 0;

	for (const char *p = json; *p; p++) {
		bool opens = !in_string && (*p == '{' || *p == '['), closes = !in_string && (*p == '}' || *p == ']');

		if (*p == '"' && (p == json || p[-1] != '\\'))
			in_string = !in_string;
		depth += opens - closes;
		if (closes)
			strbuf_addf(out, "\n%*s", depth, "");
		strbuf_addc(out, *p);
		if (opens || (!in_string && *p == ','))
			strbuf_addf(out, "\n%*s", depth, "");
	}
	strbuf_addc(out, '\n');
}

static void check_golden(const char *name)
{
	AUTO_STRBUF struct strbuf compact = {0}, got = {0};
	struct launch_spec *spec;
	struct container_options *o;

	begin();
	o = options(slurp(name, "options.json"), slurp(name, "image.json"));
	ck_assert_msg(options_validate(o, &(struct options_host){ .n_cpus = 4, .cgroup_parent = "/kiln" }, &e) == 0, "%s", e.msg);
	ck_assert_msg(launch(o, &spec) == 0, "%s", e.msg);
	json_emit(&launch_spec_schema, spec, &compact);
	spread(compact.data, &got);
	if (str_eq(getenv("KILN_GOLDEN"), "write")) {
		ck_assert_int_eq(file_replace(AT_FDCWD, arena_printf(arena, GOLDEN "%s/launch.json", name), got.data,
					      got.len, 0644, &e), 0);
		return;
	}
	ck_assert_str_eq(got.data, slurp(name, "launch.json"));
}

#define GOLDEN_TEST(test, dir)     \
	START_TEST(test)           \
	{                          \
		check_golden(dir); \
	}                          \
	END_TEST

GOLDEN_TEST(plain_container, "plain")
GOLDEN_TEST(container_with_every_option, "everything")
GOLDEN_TEST(privileged_container, "privileged")
GOLDEN_TEST(network_of_the_host, "host-network")
GOLDEN_TEST(terminal, "terminal")
GOLDEN_TEST(namespaces_of_other_containers, "shared")
GOLDEN_TEST(namespaces_of_the_host, "shared-host")

/* --- binds ------------------------------------------------------------------------------------------- */

static void bind(const char *text, const char *source, const char *target, bool readonly, const char *propagation)
{
	struct bundle_bind b;

	begin();
	ck_assert_msg(bundle_parse_bind(text, arena, &b, &e) == 0, "%s: %s", text, e.msg);
	ck_assert_str_eq(b.source, source);
	ck_assert_str_eq(b.target, target);
	ck_assert_int_eq(b.readonly, readonly);
	ck_assert_str_eq(b.propagation, propagation);
}

static void no_bind(const char *text, const char *why)
{
	struct bundle_bind b;

	begin();
	ck_assert_msg(bundle_parse_bind(text, arena, &b, &e) == -1, "%s was taken", text);
	ck_assert_msg(strstr(e.msg, why) != NULL, "%s said '%s'", text, e.msg);
}

START_TEST(binds_are_read_as_docker_reads_them)
{
	bind("/a:/b", "/a", "/b", false, "rprivate");
	bind("/a/../c//:/b/./d/", "/c", "/b/d", false, "rprivate");
	bind("/a:/b:ro,z,rslave", "/a", "/b", true, "rslave");
	bind("/a:/b:rw,cached", "/a", "/b", false, "rprivate");
	no_bind("/a:b", "mount path must be absolute");
	no_bind("/a:/", "destination can't be '/'");
	no_bind("/a:/x/..", "destination can't be '/'");
	no_bind("/a:/b:ro,rw", "invalid mode: ro,rw");
	no_bind("/a:/b:z,Z", "invalid mode: z,Z");
	no_bind("/a:/b:", "invalid mode: ");
	no_bind("/a:/b:nocopy", "field VolumeOptions must not be specified");
	no_bind("/a:/b:upper", "invalid mode: upper");
	no_bind("/a:/b:ro:x", "too many colons");
	no_bind("/a", "anonymous volumes are not supported");
	no_bind("name:/b", "named volumes are not supported");
	no_bind(":/b", "invalid");
	no_bind("", "anonymous volumes");
}
END_TEST

START_TEST(two_binds_at_one_place_are_refused)
{
	struct bundle_bind *binds;
	size_t n;

	begin();
	ck_assert_int_eq(bundle_binds(options("{\"HostConfig\":{\"Binds\":[\"/a:/x\",\"/b:/x/\"]}}",
					      "{\"rootfs\":{\"type\":\"layers\"}}"), arena, &binds, &n, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "Duplicate mount point: /x"));
}
END_TEST

/* --- single rules ------------------------------------------------------------------------------------- */

START_TEST(nothing_to_run_is_refused)
{
	struct launch_spec *spec;

	begin();
	ck_assert_int_eq(launch(options("{\"Config\":{\"Entrypoint\":[\"\"]}}", "{\"rootfs\":{\"type\":\"layers\"},\"config\":"
					"{\"Entrypoint\":[\"x\"],\"Cmd\":[\"y\"]}}"), &spec), -1);
	ck_assert_str_eq(e.msg, "no command specified");
}
END_TEST

START_TEST(same_layer_twice_is_mounted_once)
{
	struct launch_spec *spec;

	begin();
	ck_assert_int_eq(launch(options("{\"Config\":{\"Cmd\":[\"x\"]}}", "{\"rootfs\":{\"type\":\"layers\"}}"), &spec), 0);
	ck_assert_uint_eq(spec->lowers.n, 3);
	ck_assert_str_eq(spec->lowers.v[0], "top");
	ck_assert_str_eq(spec->lowers.v[2], "bottom");
}
END_TEST

static struct exec_spec *exec_of(const char *options_text, struct bundle_exec_input *in)
{
	struct exec_spec *x = NULL;

	begin();
	in->id = EXEC_ID;
	in->container_id = ID;
	in->options = options(options_text, "{\"rootfs\":{\"type\":\"layers\"}}");
	in->host = &host;
	in->data_root = "/d";
	in->socket_path = "/s";
	in->cgroup_parent = "/kiln";
	if (bundle_exec(in, arena, &x, &e) < 0)
		return NULL;
	return x;
}

static char *exec_argv[] = { (char *)"id", (char *)"-u" };
static char *exec_envs[] = { (char *)"A=exec", (char *)"B" };
static const struct str_list exec_cmd = { exec_argv, 2 }, exec_env = { exec_envs, 2 }, no_env = { NULL, 0 };

START_TEST(exec_inherits_from_its_container)
{
	struct bundle_exec_input in = { .cmd = &exec_cmd, .env = &exec_env };
	struct exec_spec *x = exec_of("{\"Config\":{\"Env\":[\"A=1\",\"B=2\",\"C=3\"],\"User\":\"me\",\"WorkingDir\":\"/w\"},"
				      "\"HostConfig\":{\"CapDrop\":[\"ALL\"],\"CapAdd\":[\"KILL\"],\"SecurityOpt\":"
				      "[\"no-new-privileges\",\"seccomp=unconfined\"]}}", &in);

	ck_assert_msg(x != NULL, "%s", e.msg);
	ck_assert_str_eq(x->user, "me");
	ck_assert_str_eq(x->process->cwd, "/w");
	ck_assert_str_eq(x->process->env.v[x->process->env.n - 2], "A=exec");
	ck_assert_str_eq(x->process->env.v[x->process->env.n - 1], "C=3");
	ck_assert_uint_eq(x->process->capabilities->bounding.n, 1);
	ck_assert_uint_eq(x->process->capabilities->inheritable.n, 0);
	ck_assert(x->process->no_new_privileges);
	ck_assert_str_eq(x->seccomp_profile, "unconfined");
	ck_assert_str_eq(x->cgroup_path, "/kiln/" ID);
}
END_TEST

START_TEST(exec_asks_for_its_own)
{
	struct bundle_exec_input in = { .cmd = &exec_cmd, .env = &no_env, .user = "0", .working_dir = "/tmp", .tty = true,
					.privileged = true, .timeout_ms = 5 };
	struct exec_spec *x = exec_of("{\"Config\":{\"User\":\"me\"},\"HostConfig\":{\"CgroupParent\":\"tenant/\"}}", &in);

	ck_assert_msg(x != NULL, "%s", e.msg);
	ck_assert_str_eq(x->user, "0");
	ck_assert_str_eq(x->process->cwd, "/tmp");
	ck_assert_str_eq(x->process->env.v[2], "TERM=xterm");
	ck_assert_uint_eq(x->process->capabilities->bounding.n, 41);
	ck_assert_str_eq(x->seccomp_profile, "default");
	ck_assert_str_eq(x->cgroup_path, "/kiln/tenant/" ID);
	ck_assert_uint_eq(x->timeout_ms, 5);
}
END_TEST

START_TEST(exec_without_command_or_with_relative_place_is_refused)
{
	struct bundle_exec_input in = { .cmd = &no_env, .env = &no_env };

	ck_assert_ptr_null(exec_of("{}", &in));
	ck_assert_str_eq(e.msg, "No exec command specified");
	in.cmd = &exec_cmd;
	in.working_dir = "tmp";
	ck_assert_ptr_null(exec_of("{}", &in));
	ck_assert_str_eq(e.msg, "Cwd must be an absolute path");
}
END_TEST

/* --- /etc -------------------------------------------------------------------------------------------- */

static char *read_back(int dir, const char *name)
{
	AUTO_FREE char *text = NULL;

	ck_assert_msg(file_read(dir, name, 1 << 16, &text, NULL, &e) == 0, "%s", e.msg);
	return arena_strdup(arena, text);
}

START_TEST(etc_files_name_the_container)
{
	static const char resolv[] = "search x\nnameserver 127.0.0.53\nnameserver 10.0.0.1\n nameserver ::1\n";
	AUTO_CLOSE int etc = open(unit_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int dir = open(unit_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	begin();
	ck_assert_int_eq(file_replace(etc, "real", resolv, strlen(resolv), 0644, &e), 0);
	ck_assert_int_eq(symlinkat("real", etc, "resolv.conf"), 0);
	ck_assert_int_eq(file_replace(etc, "hosts", "1.2.3.4 x\n", 10, 0644, &e), 0);
	ck_assert_int_eq(bundle_etc_write(options("{\"Config\":{\"Hostname\":\"h\",\"Domainname\":\"d.e\"}}",
						  "{\"rootfs\":{\"type\":\"layers\"}}"), dir, etc, &e), 0);
	ck_assert_str_eq(read_back(dir, "hostname"), "h\n");
	ck_assert_ptr_nonnull(strstr(read_back(dir, "hosts"), "127.0.1.1\th.d.e h\n"));
	ck_assert_str_eq(read_back(dir, "resolv.conf"), "search x\nnameserver 10.0.0.1\n");
	ck_assert_int_eq(bundle_etc_write(options("{\"HostConfig\":{\"NetworkMode\":\"host\"}}",
						  "{\"rootfs\":{\"type\":\"layers\"}}"), dir, etc, &e), 0);
	ck_assert_str_eq(read_back(dir, "hosts"), "1.2.3.4 x\n");
	ck_assert_str_eq(read_back(dir, "resolv.conf"), resolv);
	ck_assert_str_eq(read_back(dir, "hostname"), "host.name\n");
}
END_TEST

START_TEST(host_without_resolv_conf_is_fine)
{
	AUTO_CLOSE int etc = open(unit_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	begin();
	ck_assert_int_eq(bundle_etc_write(options("{}", "{\"rootfs\":{\"type\":\"layers\"}}"), etc, etc, &e), 0);
	ck_assert_str_eq(read_back(etc, "resolv.conf"), "");
}
END_TEST

START_TEST(devices_that_were_asked_for_come_with_their_rules)
{
	struct opt_host_config *h;
	struct oci_resources *r;

	begin();
	h = options("{\"HostConfig\":{\"DeviceCgroupRules\":[\"c 1:* rw\"]}}",
		    "{\"rootfs\":{\"type\":\"layers\"}}")->host;
	ck_assert_int_eq(bundle_resources(h, &host_asked, arena, &r, &e), 0);
	ck_assert_int_eq(r->devices[r->n_devices - 2].minor.v, 11);
	ck_assert_str_eq(r->devices[r->n_devices - 2].access, "r");
	ck_assert_int_eq(r->devices[r->n_devices - 1].major.v, 1);
	ck_assert(!r->devices[r->n_devices - 1].minor.set);
	h->device_cgroup_rules.v[0] = (char *)"c 1:3";
	ck_assert_int_eq(bundle_resources(h, &host_asked, arena, &r, &e), -1);
	ck_assert_str_eq(e.msg, "invalid device cgroup rule format: 'c 1:3'");
}
END_TEST

static const char *mount_error(const char *mounts)
{
	const char *text;
	struct bundle_bind *binds;
	size_t n;

	begin();
	text = arena_printf(arena, "{\"HostConfig\":{\"Binds\":[\"/a:/a\"],\"Mounts\":[%s]}}", mounts);
	if (bundle_binds(options(text, "{\"rootfs\":{\"type\":\"layers\"}}"), arena, &binds, &n, &e) < 0)
		return e.msg;
	ck_assert_int_eq(n, 2);
	ck_assert(binds[1].must_exist && !binds[0].must_exist && binds[1].readonly);
	return "";
}

START_TEST(mounts_are_read_as_docker_reads_them)
{
#define BIND_CONFIG "invalid mount config for type \"bind\": "
	ck_assert_str_eq(mount_error("{\"Type\":\"bind\",\"Source\":\"/b/\",\"Target\":\"/b\",\"ReadOnly\":true},"
				     "{\"Type\":\"tmpfs\",\"Target\":\"/c\"}"), "");
	ck_assert_str_eq(mount_error("{\"Type\":\"bind\",\"Source\":\"/b/\",\"Target\":\"/b\",\"ReadOnly\":true},"
				     "{\"Type\":\"tmpfs\",\"Target\":\"/c\",\"TmpfsOptions\":{\"Options\":[[\"exec\"],[\"size\",\"1m\"]]}}"), "");
	ck_assert_str_eq(mount_error("{\"Type\":\"tmpfs\",\"Target\":\"/c\",\"TmpfsOptions\":{\"Options\":[[\"size\",\"1m,ro\"]]}}"),
			 "invalid tmpfs option [\"1m,ro\"]");
	ck_assert_str_eq(mount_error("{\"Type\":\"bind\",\"Target\":\"/b\"}"), BIND_CONFIG "field Source must not be empty");
	ck_assert_str_eq(mount_error("{\"Type\":\"bind\",\"Source\":\"/b\"}"), BIND_CONFIG "field Target must not be empty");
	ck_assert_str_eq(mount_error("{\"Type\":\"tmpfs\",\"Target\":\"/a/\"}"), "Duplicate mount point: /a");
	ck_assert_str_eq(mount_error("{\"Type\":\"x\",\"Target\":\"/b\"}"), "invalid mount config for type \"x\": mount type unknown");
	ck_assert_str_eq(mount_error("{\"Type\":\"tmpfs\",\"Target\":\"/b\",\"BindOptions\":{}}"),
			 "invalid mount config for type \"tmpfs\": field BindOptions must not be specified");
}
END_TEST

#define NO_IMAGE "{\"rootfs\":{\"type\":\"layers\"}}"

static void from_error(const char *spec, const char *why)
{
	const char *container;
	bool readonly;

	begin();
	ck_assert_msg(bundle_from_parse(spec, arena, &container, &readonly, &e) == -1, "%s was taken", spec);
	ck_assert_msg(strstr(e.msg, why) != NULL, "%s said '%s'", spec, e.msg);
}

START_TEST(volumes_from_are_read_as_docker_reads_them)
{
	const char *container;
	bool readonly;

	begin();
	ck_assert_int_eq(bundle_from_parse("web:ro,z", arena, &container, &readonly, &e), 0);
	ck_assert_str_eq(container, "web");
	ck_assert(readonly);
	ck_assert_int_eq(bundle_from_parse("web", arena, &container, &readonly, &e), 0);
	ck_assert(!readonly);
	from_error("", "cannot be an empty string");
	from_error(":rw", "cannot be an empty string");
	from_error("web:rshared", "invalid mode for volumes-from: rshared");
	from_error("web:ro,rw", "invalid mode for volumes-from: ro,rw");
	from_error("web:", "invalid mode for volumes-from: ");
}
END_TEST

START_TEST(mounts_of_others_stand_behind_ones_own)
{
	struct bundle_from from = {0};
	struct container_options *a, *b, *c;
	struct opt_mount *tmpfs;
	struct bundle_bind *binds;
	size_t n;

	begin();
	a = options("{\"HostConfig\":{\"Binds\":[\"/1:/x\",\"/2:/y:ro,rslave\"],\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/t/\"}],"
		    "\"Tmpfs\":{\"/not\":\"\"}}}", NO_IMAGE);
	b = options("{\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/3\",\"Target\":\"/x\",\"BindOptions\":{\"NonRecursive\":true}}]}}", NO_IMAGE);
	ck_assert_int_eq(bundle_from_add(&from, a, false, arena, &e), 0);
	ck_assert_uint_eq(from.n, 3);
	ck_assert_int_eq(bundle_from_add(&from, b, true, arena, &e), 0);
	ck_assert_uint_eq(from.n, 3);   /* the later /x */
	c = options("{\"HostConfig\":{\"Binds\":[\"/4:/y/\"]}}", NO_IMAGE);
	c->inherited = from.v;
	c->n_inherited = from.n;
	ck_assert_int_eq(bundle_binds(c, arena, &binds, &n, &e), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(binds[0].source, "/4");
	ck_assert_str_eq(binds[1].source, "/3");
	ck_assert(!binds[0].readonly && binds[1].readonly && !binds[1].is_recursive && binds[1].must_exist);
	bundle_tmpfs_mounts(c, arena, &tmpfs, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(tmpfs[0].target, "/t/");
}
END_TEST

UNIT_MAIN("bundle", plain_container, container_with_every_option, privileged_container, network_of_the_host, terminal,
	  namespaces_of_other_containers, namespaces_of_the_host,
	  binds_are_read_as_docker_reads_them, two_binds_at_one_place_are_refused, nothing_to_run_is_refused,
	  same_layer_twice_is_mounted_once, exec_inherits_from_its_container, exec_asks_for_its_own,
	  exec_without_command_or_with_relative_place_is_refused, etc_files_name_the_container,
	  host_without_resolv_conf_is_fine,
	  devices_that_were_asked_for_come_with_their_rules,
	  mounts_are_read_as_docker_reads_them, volumes_from_are_read_as_docker_reads_them,
	  mounts_of_others_stand_behind_ones_own)
