/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /info: what this daemon is and what it runs on.
 *
 * Spec: Docker Engine API 1.51, SystemInfo
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "daemon/doors/docker_system.h"
#include "daemon/doors/door_util.h"
#include "daemon/engine/container.h"
#include "daemon/engine/image.h"

#define SMALL_FILE 8192

/* ---- facts ---- */

/* Return: owned, "" when it cannot be read */
static char *small_file(const char *path)
{
	char *text = NULL;

	if (file_read(AT_FDCWD, path, SMALL_FILE, &text, NULL, ERR_IGNORED) < 0)
		return xstrdup("");
	return text;
}

/* PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"; @ret gets what is between the quotes */
static void os_release(const char *key, char *ret, size_t room)
{
	AUTO_FREE char *text = NULL;
	size_t n_key = strlen(key);

	snprintf(ret, room, "%s", "");
	/* Often a symbolic link into /usr/lib. */
	if (file_read(AT_FDCWD, "/usr/lib/os-release", SMALL_FILE, &text, NULL, ERR_IGNORED) < 0 &&
	    file_read(AT_FDCWD, "/etc/os-release", SMALL_FILE, &text, NULL, ERR_IGNORED) < 0)
		return;
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *v = line + n_key + 1;

		if (strncmp(line, key, n_key) != 0 || line[n_key] != '=')
			continue;
		v += *v == '"';
		snprintf(ret, room, "%.*s", (int)strcspn(v, "\"\n"), v);
	}
}

static const char *backing_file_system(const char *path)
{
	static const struct {
		unsigned long magic;
		const char *name;
	} known[] = {
		{ EXT4_SUPER_MAGIC, "extfs" }, { XFS_SUPER_MAGIC, "xfs" }, { BTRFS_SUPER_MAGIC, "btrfs" },
		{ TMPFS_MAGIC, "tmpfs" }, { OVERLAYFS_SUPER_MAGIC, "overlayfs" }, { 0x2fc12fc1, "zfs" },
	};
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return "unknown";
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if ((unsigned long)fs.f_type == known[i].magic)
			return known[i].name;
	}
	return "unknown";
}

/* ---- parts ---- */

static void print_counts(struct jw *w, struct engine *eng)
{
	int64_t all = 0, running = 0, paused = 0, images = 0;

	for (struct container *c = container_first(eng); c; c = container_next(eng, c)) {
		all++;
		running += c->state == CT_RUNNING || c->state == CT_RESTARTING || c->state == CT_STANDBY;
		paused += c->state == CT_PAUSED;
	}
	for (struct image *i = image_first(eng); i; i = image_next(eng, i))
		images++;
	jw_i64(w, "Containers", all);
	jw_i64(w, "ContainersRunning", running);
	jw_i64(w, "ContainersPaused", paused);
	jw_i64(w, "ContainersStopped", all - running - paused);
	jw_i64(w, "Images", images);
}

static void print_pair(struct jw *w, const char *key, const char *value)
{
	jw_arr(w, NULL);
	jw_str(w, NULL, key);
	jw_str(w, NULL, value);
	jw_arr_end(w);
}

static void print_storage(struct jw *w, const struct engine *eng)
{
	jw_str(w, "Driver", "overlay2");
	jw_arr(w, "DriverStatus");
	print_pair(w, "Backing Filesystem", backing_file_system(engine_cfg(eng)->data_root));
	print_pair(w, "Supports d_type", "true");
	jw_arr_end(w);
	jw_str(w, "DockerRootDir", engine_cfg(eng)->data_root);
}

static void print_strings(struct jw *w, const char *key, const char *const *v)
{
	jw_arr(w, key);
	for (; *v; v++)
		jw_str(w, NULL, *v);
	jw_arr_end(w);
}

static void print_plugins(struct jw *w)
{
	jw_obj(w, "Plugins");
	print_strings(w, "Volume", (const char *const[]){ NULL });
	print_strings(w, "Network", (const char *const[]){ "bridge", "host", "null", NULL });
	jw_null(w, "Authorization");
	print_strings(w, "Log", (const char *const[]){ "json-file", "none", NULL });
	jw_obj_end(w);
}

static void print_limits(struct jw *w, const struct engine_limits *l)
{
	jw_bool(w, "MemoryLimit", true);
	jw_bool(w, "SwapLimit", l->has_swap);
	jw_bool(w, "CpuCfsPeriod", true);
	jw_bool(w, "CpuCfsQuota", true);
	jw_bool(w, "CPUShares", true);
	jw_bool(w, "CPUSet", true);
	jw_bool(w, "PidsLimit", true);
	jw_bool(w, "OomKillDisable", l->has_oom_kill_disable);
	jw_str(w, "CgroupDriver", "cgroupfs");
	jw_str(w, "CgroupVersion", l->is_v2 ? "2" : "1");
}

/* Docker's words. An empty list, not null: the client would guess on its own. */
static void print_warnings(struct jw *w, const struct engine_limits *l)
{
	static const char *const weight_v1[] = { "WARNING: No blkio weight support", "WARNING: No blkio weight_device support", NULL };
	static const char *const weight_v2[] = { "WARNING: No io.weight support", "WARNING: No io.weight (per device) support", NULL };
	static const char *const throttle_v1[] = { "WARNING: No blkio throttle.read_bps_device support",
						   "WARNING: No blkio throttle.write_bps_device support",
						   "WARNING: No blkio throttle.read_iops_device support",
						   "WARNING: No blkio throttle.write_iops_device support", NULL };
	static const char *const throttle_v2[] = { "WARNING: No io.max (rbps) support", "WARNING: No io.max (wbps) support",
						   "WARNING: No io.max (riops) support", "WARNING: No io.max (wiops) support", NULL };

	jw_arr(w, "Warnings");
	if (!l->has_swap)
		jw_str(w, NULL, "WARNING: No swap limit support");
	for (const char *const *text = l->is_v2 ? weight_v2 : weight_v1; *text && !l->has_io_weight; text++)
		jw_str(w, NULL, *text);
	for (const char *const *text = l->is_v2 ? throttle_v2 : throttle_v1; *text && !l->has_io_throttle; text++)
		jw_str(w, NULL, *text);
	jw_arr_end(w);
}

static void print_host(struct jw *w)
{
	AUTO_FREE char *forward = small_file("/proc/sys/net/ipv4/ip_forward");
	struct utsname u = { 0 };
	struct sysinfo s = { 0 };
	char name[256], version[64];

	uname(&u);
	sysinfo(&s);
	os_release("PRETTY_NAME", name, sizeof(name));
	os_release("VERSION_ID", version, sizeof(version));
	jw_bool(w, "IPv4Forwarding", forward[0] == '1');
	jw_str(w, "KernelVersion", u.release);
	jw_str(w, "OperatingSystem", name[0] ? name : "Linux");
	jw_str(w, "OSVersion", version);
	jw_str(w, "OSType", "linux");
	jw_str(w, "Architecture", u.machine);
	jw_i64(w, "NCPU", sysconf(_SC_NPROCESSORS_ONLN));
	jw_u64(w, "MemTotal", (uint64_t)s.totalram * s.mem_unit);
	jw_str(w, "Name", u.nodename);
}

static void print_runtimes(struct jw *w, const struct engine *eng)
{
	jw_obj(w, "Runtimes");
	jw_obj(w, "kiln");
	jw_str(w, "path", engine_cfg(eng)->runtime_path);
	jw_obj_end(w);
	jw_obj_end(w);
	jw_str(w, "DefaultRuntime", "kiln");
	jw_str(w, "InitBinary", "kiln-runtime");
	jw_str(w, "Isolation", "");
}

/* Empty, but there: clients read into it. */
static void print_absent(struct jw *w)
{
	static const char *const commits[] = { "ContainerdCommit", "RuncCommit", "InitCommit" };

	jw_obj(w, "Swarm");
	jw_str(w, "NodeID", "");
	jw_str(w, "NodeAddr", "");
	jw_str(w, "LocalNodeState", "inactive");
	jw_bool(w, "ControlAvailable", false);
	jw_str(w, "Error", "");
	jw_null(w, "RemoteManagers");
	jw_obj_end(w);
	for (size_t i = 0; i < ARRAY_SIZE(commits); i++) {
		jw_obj(w, commits[i]);
		jw_str(w, "ID", "");
		jw_str(w, "Expected", "");
		jw_obj_end(w);
	}
	jw_str(w, "IndexServerAddress", "");
	jw_obj(w, "RegistryConfig");
	print_strings(w, "InsecureRegistryCIDRs", (const char *const[]){ NULL });
	jw_obj(w, "IndexConfigs");
	jw_obj_end(w);
	print_strings(w, "Mirrors", (const char *const[]){ NULL });
	jw_obj_end(w);
	jw_null(w, "GenericResources");
	jw_str(w, "HttpProxy", "");
	jw_str(w, "HttpsProxy", "");
	jw_str(w, "NoProxy", "");
	jw_i64(w, "NFd", 0);
	jw_i64(w, "NGoroutines", 0);
	jw_i64(w, "NEventsListener", 0);
}

static void print_security(struct jw *w, const struct engine *eng, const struct engine_settings *set)
{
	AUTO_FREE char *seccomp = xasprintf("name=seccomp,profile=%s", set->seccomp_name);

	jw_arr(w, "SecurityOptions");
	if (engine_has_apparmor(eng))
		jw_str(w, NULL, "name=apparmor");
	jw_str(w, NULL, seccomp);
	jw_str(w, NULL, "name=cgroupns");
	if (set->containers.no_new_privileges)
		jw_str(w, NULL, "name=no-new-privileges");
	jw_arr_end(w);
}

void docker_info(struct request *r)
{
	AUTO_STRBUF struct strbuf out = { 0 };
	struct engine *eng = request_ctx(r);
	const struct engine_limits limits = engine_limits(eng);
	const struct engine_settings *set = engine_settings(eng);
	struct jw w;

	jw_init(&w, &out);
	jw_obj(&w, NULL);
	jw_str(&w, "ID", engine_id(eng));
	print_counts(&w, eng);
	print_storage(&w, eng);
	print_plugins(&w);
	print_limits(&w, &limits);
	print_host(&w);
	print_runtimes(&w, eng);
	print_absent(&w);
	jw_str(&w, "ServerVersion", KILN_VERSION);
	jw_strs(&w, "Labels", &set->labels);
	jw_str(&w, "LoggingDriver", set->containers.log_driver ? set->containers.log_driver : "json-file");
	jw_time(&w, "SystemTime", clock_wall_ns());
	jw_bool(&w, "Debug", set->is_debug);
	jw_bool(&w, "ExperimentalBuild", false);
	jw_bool(&w, "LiveRestoreEnabled", true);
	print_security(&w, eng, set);
	print_warnings(&w, &limits);
	jw_obj_end(&w);
	reply_json(r, 200, &out);
}
