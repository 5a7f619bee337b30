/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine offers: kernel, namespaces, control groups, seccomp, AppArmor, overlay. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "cli/check.h"

enum { SMALL_FILE = 256 << 10 };

void check_set(struct check_result *r, enum check_status status, const char *advice, const char *found, ...)
{
	va_list args;

	va_start(args, found);
	vsnprintf(r->found, sizeof(r->found), found, args);
	va_end(args);
	snprintf(r->advice, sizeof(r->advice), "%s", advice);
	r->status = status;
}

/* Return: owned text, NULL when it cannot be read */
static char *read_under(const struct check_places *p, const char *path)
{
	AUTO_FREE char *whole = xasprintf("%s%s", p->root, path);
	char *text = NULL;

	return file_read(AT_FDCWD, whole, SMALL_FILE, &text, NULL, ERR_IGNORED) == 0 ? text : NULL;
}

static bool is_there(const struct check_places *p, const char *path)
{
	AUTO_FREE char *whole = xasprintf("%s%s", p->root, path);

	return access(whole, F_OK) == 0;
}

/* Is a word in a text, with no letters around it? */
static bool has_word(const char *text, const char *word)
{
	static const char apart[] = " \t\n,:";
	size_t n = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at++)
		if ((at == text || strchr(apart, at[-1])) && strchr(apart, at[n]))
			return true;
	return false;
}

void check_kernel(const struct check_places *p, struct check_result *r)
{
	AUTO_FREE char *release = read_under(p, "/proc/sys/kernel/osrelease");
	unsigned major = 0, minor = 0;

	if (!release || sscanf(release, "%u.%u", &major, &minor) != 2) {
		check_set(r, CHECK_FAIL, "mount /proc", "the kernel's version cannot be read");
		return;
	}
	release[strcspn(release, "\n")] = 0;
	if (major < 5 || (major == 5 && minor < 12))
		check_set(r, CHECK_FAIL, "run Linux 5.12 or later; 6.1 is what Kiln is tested on", "Linux %.64s", release);
	else if (major < 6 || (major == 6 && minor < 1))
		check_set(r, CHECK_WARN, "Kiln is tested on Linux 6.1 and later", "Linux %.64s", release);
	else
		check_set(r, CHECK_OK, "", "Linux %.64s", release);
}

void check_namespaces(const struct check_places *p, struct check_result *r)
{
	static const char *const kinds[] = { "mnt", "pid", "net", "ipc", "uts", "cgroup", "user" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		AUTO_FREE char *path = xasprintf("/proc/self/ns/%s", kinds[i]);

		if (!is_there(p, path)) {
			check_set(r, CHECK_FAIL, "run a kernel that is built with it", "no namespaces of kind '%s'", kinds[i]);
			return;
		}
	}
	check_set(r, CHECK_OK, "", "mnt pid net ipc uts cgroup user");
}

static const char *cgroup_layout(const struct check_places *p)
{
	AUTO_FREE char *mounts = read_under(p, "/proc/self/mounts");
	bool has_v2 = mounts && strstr(mounts, " cgroup2 "), has_v1 = mounts && strstr(mounts, " cgroup ");

	if (is_there(p, "/sys/fs/cgroup/cgroup.controllers"))
		return "v2";
	return has_v1 ? has_v2 ? "hybrid" : "v1" : has_v2 ? "v2" : NULL;
}

void check_cgroups(const struct check_places *p, struct check_result *r)
{
	const char *layout = cgroup_layout(p);

	if (!layout)
		check_set(r, CHECK_FAIL, "mount control groups: 'mount -t cgroup2 cgroup2 /sys/fs/cgroup'", "control groups are not mounted");
	else if (str_eq(layout, "v2"))
		check_set(r, CHECK_OK, "", "v2");
	else
		check_set(r, CHECK_WARN, "v2 is the main road: boot with 'systemd.unified_cgroup_hierarchy=1'", "%s", layout);
}

/* v1 and hybrid: the second-last column of /proc/cgroups is how many groups, the last whether it is on */
static bool is_on_v1(const char *cgroups, const char *name)
{
	AUTO_FREE char *start = xasprintf("\n%s\t", name);
	const char *line = strstr(cgroups, start);
	unsigned hierarchy, n, enabled;

	return line && sscanf(line + strlen(start), "%u %u %u", &hierarchy, &n, &enabled) == 3 && enabled;
}

void check_controllers(const struct check_places *p, struct check_result *r)
{
	static const struct { const char *v2, *v1; bool is_needed; } wanted[] = {
		{ "cpu", "cpu", true }, { "memory", "memory", true }, { "pids", "pids", true }, { "cpuset", "cpuset", false }, { "io", "blkio", false },
	};
	bool is_v2 = str_eq(cgroup_layout(p), "v2");
	AUTO_FREE char *text = read_under(p, is_v2 ? "/sys/fs/cgroup/cgroup.controllers" : "/proc/cgroups");
	AUTO_STRBUF struct strbuf found = {0};
	AUTO_STRBUF struct strbuf missing = {0};
	bool needs = false;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const char *name = is_v2 ? wanted[i].v2 : wanted[i].v1;
		bool is_on = text && (is_v2 ? has_word(text, name) : is_on_v1(text, name));

		strbuf_addf(is_on ? &found : &missing, " %s", name);
		needs = needs || (!is_on && wanted[i].is_needed);
	}
	if (!missing.len)
		check_set(r, CHECK_OK, "", "%s", found.data + 1);
	else
		check_set(r, needs ? CHECK_FAIL : CHECK_WARN, "their limits are refused or not kept; look for 'cgroup_disable=' on the kernel's command line",
			  "missing:%s", missing.data);
}

/* What bounds how many containers there can be, and what each has by default */
void check_limits(const struct check_places *p, struct check_result *r)
{
	static const struct { const char *path; unsigned long long wanted; const char *why; } limits[] = {
		{ "user/max_mnt_namespaces", 1024, "each container has a mount namespace" },
		{ "user/max_net_namespaces", 1024, "each container has a network namespace" },
		{ "user/max_pid_namespaces", 1024, "each container has a pid namespace" },
		{ "user/max_ipc_namespaces", 1024, "each container has an IPC namespace" },
		{ "user/max_uts_namespaces", 1024, "each container has a UTS namespace" },
		{ "user/max_cgroup_namespaces", 1024, "each container has a cgroup namespace" },
		{ "kernel/pid_max", 32768, "all processes of all containers" },
		{ "fs/nr_open", 524288, "the limit of open files that containers have by default" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		AUTO_FREE char *path = xasprintf("/proc/sys/%s", limits[i].path);
		AUTO_FREE char *text = read_under(p, path);
		AUTO_FREE char *advice = NULL;
		uint64_t v;

		if (text)
			text[strcspn(text, "\n")] = 0;
		if (!text || !str_to_u64(text, &v) || v >= limits[i].wanted)
			continue;
		advice = xasprintf("echo %llu >/proc/sys/%s, and keep it in /etc/sysctl.d/", limits[i].wanted, limits[i].path);
		check_set(r, v == 0 ? CHECK_FAIL : CHECK_WARN, advice, "%s is %llu: %s", limits[i].path, (unsigned long long)v, limits[i].why);
		return;
	}
	check_set(r, CHECK_OK, "", "namespaces, processes and open files are enough");
}

/*
 * What root may have here at most, which is what a kilnd would have: in a container, say, that is not all. Of those that are
 * only handed to containers nothing is said.
 */
void check_capabilities(const struct check_places *p, struct check_result *r)
{
	static const struct { unsigned bit; bool is_needed; const char *name, *without; } wanted[] = {
		{ CAP_SYS_ADMIN, true, "CAP_SYS_ADMIN", "there are no mounts and namespaces" },
		{ CAP_NET_ADMIN, true, "CAP_NET_ADMIN", "a new network namespace has no loopback" },
		{ CAP_SETPCAP, true, "CAP_SETPCAP", "containers cannot be confined" },
		{ CAP_SETUID, true, "CAP_SETUID", "containers have no users" },
		{ CAP_SETGID, true, "CAP_SETGID", "containers have no groups" },
		{ CAP_CHOWN, true, "CAP_CHOWN", "images cannot be unpacked" },
		{ CAP_DAC_OVERRIDE, true, "CAP_DAC_OVERRIDE", "images cannot be unpacked" },
		{ CAP_FOWNER, true, "CAP_FOWNER", "images cannot be unpacked" },
		{ CAP_MKNOD, true, "CAP_MKNOD", "devices and whiteouts cannot be made" },
		{ CAP_SYS_RESOURCE, false, "CAP_SYS_RESOURCE", "a --ulimit above kilnd's own and an --oom-score-adj below its own fail" },
	};
	AUTO_FREE char *status = read_under(p, "/proc/self/status");
	const char *line = status ? strstr(status, "\nCapBnd:\t") : NULL;
	unsigned long long has;

	if (!line || sscanf(line + strlen("\nCapBnd:\t"), "%llx", &has) != 1) {
		check_set(r, CHECK_WARN, "look at CapBnd in /proc/self/status", "what root may do is not known");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		if (has >> wanted[i].bit & 1)
			continue;
		check_set(r, wanted[i].is_needed ? CHECK_FAIL : CHECK_WARN, "give it to whatever confines this machine's root, and to kilnd",
			  "%s is missing: %s", wanted[i].name, wanted[i].without);
		return;
	}
	check_set(r, CHECK_OK, "", "root has what kilnd needs");
}

void check_seccomp(const struct check_places *p, struct check_result *r)
{
	AUTO_FREE char *actions = read_under(p, "/proc/sys/kernel/seccomp/actions_avail");

	if (!actions)
		check_set(r, CHECK_FAIL, "run a kernel with CONFIG_SECCOMP_FILTER", "the kernel has no seccomp filters");
	else if (!has_word(actions, "errno") || !has_word(actions, "kill_process"))
		check_set(r, CHECK_WARN, "run Linux 4.14 or later", "seccomp without some actions: %.128s", actions);
	else
		check_set(r, CHECK_OK, "", "filters");
}

void check_apparmor(const struct check_places *p, struct check_result *r)
{
	AUTO_FREE char *enabled = read_under(p, "/sys/module/apparmor/parameters/enabled");

	if (enabled && enabled[0] == 'Y' && !is_there(p, "/sbin/apparmor_parser") && !is_there(p, "/usr/sbin/apparmor_parser"))
		check_set(r, CHECK_WARN, "install the package 'apparmor': its apparmor_parser loads the docker-default profile",
			  "on, but there is no apparmor_parser; containers are confined by capabilities and seccomp only");
	else if (enabled && enabled[0] == 'Y')
		check_set(r, CHECK_OK, "", "on");
	else
		check_set(r, CHECK_WARN, "boot with 'apparmor=1 security=apparmor' to have containers confined by the docker-default profile",
			  "off; containers are confined by capabilities and seccomp only");
}

void check_overlay(const struct check_places *p, struct check_result *r)
{
	AUTO_FREE char *systems = read_under(p, "/proc/filesystems");
	struct utsname u = {0};
	AUTO_FREE char *module = NULL;

	uname(&u);
	module = xasprintf("/lib/modules/%s/kernel/fs/overlayfs", u.release);
	if (systems && has_word(systems, "overlay"))
		check_set(r, CHECK_OK, "", "there");
	else if (is_there(p, module))
		check_set(r, CHECK_OK, "", "a module, which the first mount loads");
	else
		check_set(r, CHECK_FAIL, "run a kernel with CONFIG_OVERLAY_FS, or 'modprobe overlay'", "the kernel has no overlay file system");
}
