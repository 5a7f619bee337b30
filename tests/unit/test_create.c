/* SPDX-License-Identifier: Apache-2.0 */
/* The request of create and run; that docker's client asks the same is tests/e2e/test_kiln_same.py. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/create.h"
#include "cli/env_file.h"
#include "tests/unit/unit.h"

static struct err e;

/* The body for a command line, or the error */
static const char *asked(const char *const *argv)
{
	static struct strbuf out;
	AUTO_ARENA struct arena *a = arena_new();
	struct str_list l = { (char **)argv, 0 };
	struct create_options o = {0};
	struct call c = { .cmd = &cmd_create, .a = a, .o = &o };
	bool wants_help;

	while (argv[l.n])
		l.n++;
	strbuf_reset(&out);
	memset(&e, 0, sizeof(e));
	if (opt_parse(&cmd_create.opts, false, &l, a, &o, &c.args, &wants_help, &e) < 0 || create_check(&c, &o, &e) < 0 ||
	    create_print(&c, &o, &c.args, &out, &e) < 0)
		return e.msg;
	return strbuf_cstr(&out);
}
#define ASKED(...) asked((const char *const[]){ __VA_ARGS__, "image", NULL })
#define HAS(text, part) do { const char *t_ = (text); ck_assert_msg(strstr(t_, part) != NULL, "%s is not in %s", part, t_); } while (0)

START_TEST(values_go_to_their_places)
{
	const char *body = ASKED("-m", "64m", "--cpus", "0.5", "-e", "A=1", "-l", "a=b", "--rm");

	HAS(body, "{\"Image\":\"image\",\"Labels\":{\"a\":\"b\"},\"Env\":[\"A=1\"]");
	HAS(body, "\"HostConfig\":{\"AutoRemove\":true,\"Memory\":67108864,\"NanoCpus\":500000000");
	HAS(body, "\"NetworkMode\":\"default\"");
}
END_TEST

START_TEST(block_devices_and_log_options)
{
	HAS(ASKED("--blkio-weight", "300", "--blkio-weight-device", "/dev/sda:200", "--device-read-bps", "/dev/sda:1mb", "--device-write-iops", "/dev/sda:9"),
	    "\"BlkioWeight\":300,\"BlkioWeightDevice\":[{\"Path\":\"/dev/sda\",\"Weight\":200}],"
	    "\"BlkioDeviceReadBps\":[{\"Path\":\"/dev/sda\",\"Rate\":1048576}],\"BlkioDeviceWriteIOps\":[{\"Path\":\"/dev/sda\",\"Rate\":9}]");
	HAS(ASKED("--log-opt", "max-size=10m", "--log-opt", "max-file=3"), "\"LogConfig\":{\"Config\":{\"max-size\":\"10m\",\"max-file\":\"3\"}}");
	HAS(ASKED("--pid", "host", "--ipc", "container:x", "--uts", "host", "--cgroup-parent", "/p", "--volumes-from", "y:ro", "--cpu-rt-runtime", "5"),
	    "\"CpuRealtimeRuntime\":5,\"CgroupParent\":\"/p\",\"VolumesFrom\":[\"y:ro\"],\"PidMode\":\"host\",\"IpcMode\":\"container:x\",\"UTSMode\":\"host\"");
	HAS(ASKED("--security-opt", "systempaths=unconfined"), "\"MaskedPaths\":[],\"ReadonlyPaths\":[]");
	HAS(ASKED("-v", "/only"), "\"Volumes\":{\"/only\":{}}");
}
END_TEST

START_TEST(mounts_are_read_as_docker_reads_them)
{
	HAS(ASKED("--mount", "type=bind,src=/a,dst=/b,readonly,bind-propagation=rslave"),
	    "\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"ReadOnly\":true,\"BindOptions\":{\"Propagation\":\"rslave\"}}]");
	HAS(ASKED("--mount", "type=tmpfs,target=/t,tmpfs-size=1k,tmpfs-mode=700"),
	    "{\"Type\":\"tmpfs\",\"Target\":\"/t\",\"TmpfsOptions\":{\"SizeBytes\":1024,\"Mode\":448}}");
	HAS(ASKED("--mount", "dst=/v,volume-label=a=b,volume-label=c,volume-nocopy"), "{\"Type\":\"volume\",\"Target\":\"/v\",\"VolumeOptions\":"
	    "{\"Labels\":{\"a\":\"b\",\"c\":\"\"},\"NoCopy\":true}}");
	HAS(ASKED("--mount", "type=bind,\"src=/a,b\",dst=/c,dst=/d"), "\"Source\":\"/a,b\",\"Target\":\"/d\"");
	HAS(ASKED("--mount", "type=bind,src=/a"), "target is required");
	HAS(ASKED("--mount", "nosuch=1,dst=/a"), "unexpected key 'nosuch' in 'nosuch=1'");
	HAS(ASKED("--mount", "type"), "must be a key=value pair");
	HAS(ASKED("--mount", "dst=/a,tmpfs-mode=9"), "invalid value for tmpfs-mode: 9");
	HAS(ASKED("--mount", "dst=/a,ro=maybe"), "invalid value for ro: maybe");
	HAS(ASKED("--mount", "dst=/a,bind-recursive=maybe"), "invalid value for bind-recursive: maybe");
}
END_TEST

START_TEST(what_cannot_be_is_told_before_the_daemon_is_asked)
{
	HAS(ASKED("--rm", "--restart", "always"), "cannot specify both --restart and --rm");
	HAS(ASKED("--no-healthcheck", "--health-cmd", "x"), "--no-healthcheck conflicts with --health-* options");
	HAS(ASKED("--security-opt", "disable"), "expected no-new-privileges or KEY=VALUE");
	HAS(ASKED("--pull", "always"), "'--pull always' is refused");
	HAS(ASKED("--pull", "often"), "invalid argument \"often\" for \"--pull\" flag: must be one of");
	HAS(ASKED("-a", "nosuch"), "valid streams are STDIN, STDOUT and STDERR");
	HAS(ASKED("--ulimit", "nofile=x"), "invalid ulimit argument: nofile=x");
	HAS(ASKED("--ulimit", "nofile=2:1"), "soft limit must be less than or equal to hard limit");
	HAS(ASKED("--restart", "on-failure:x"), "maximum retry count must be an integer");
	HAS(ASKED("--device-read-bps", "sda:1"), "bad format: sda:1");
	HAS(ASKED("--expose", "99999"), "invalid range format for --expose");
	HAS(ASKED("--security-opt", "seccomp=/nonexistent"), "opening seccomp profile (/nonexistent) failed");
	HAS(ASKED("-p", "80:80"), "option '--publish' is refused: publishing ports");
	HAS(ASKED("-e", "=x"), "invalid environment variable: =x");
}
END_TEST

static struct str_list read_file(const char *text, bool takes_ours, struct arena *a)
{
	char name[] = "/tmp/test_create.XXXXXX";
	struct str_list l = {0}, files = { (char *[]){ name }, 1 };
	int fd = mkostemp(name, O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	memset(&e, 0, sizeof(e));
	env_files_read(&l, &files, takes_ours, a, &e);
	unlink(name);
	return l;
}

START_TEST(environment_from_a_file)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct str_list l;

	setenv("OURS", "yes", 1);
	unsetenv("NOT_OURS");
	l = read_file("\357\273\277A=1\n# comment\n\n  B=x y = z\r\nOURS\nNOT_OURS\nC=", true, a);
	ck_assert_uint_eq(l.n, 4);
	ck_assert_str_eq(l.v[0], "A=1");
	ck_assert_str_eq(l.v[1], "B=x y = z");
	ck_assert_str_eq(l.v[2], "OURS=yes");
	ck_assert_str_eq(l.v[3], "C=");
	l = read_file("label\n", false, a);
	ck_assert_str_eq(l.v[0], "label");
	read_file("A B=1\n", true, a);
	HAS(e.msg, "variable 'A B' contains whitespaces");
	read_file("=1\n", true, a);
	HAS(e.msg, "no variable name on line '=1'");
}
END_TEST

UNIT_MAIN("create", values_go_to_their_places, block_devices_and_log_options, mounts_are_read_as_docker_reads_them,
	  what_cannot_be_is_told_before_the_daemon_is_asked, environment_from_a_file)
