/* SPDX-License-Identifier: Apache-2.0 */
/* libs: -lcgroup */
/*
 * What libcgroup 2.0.2 does on the layout of this machine (v1, hybrid or v2), what joining costs in each
 * way, and whether a new cgroup namespace has the right root.
 */
#include <libcgroup.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sys/vfs.h>

#include "tests/spikes/spike.h"

enum { REPEATS = 15, PAUSE_US = 60000, MAX_HIERARCHIES = 16 };

static char parent[64], group[80];
static char *mounts[MAX_HIERARCHIES];
static char *controllers[MAX_HIERARCHIES];
static size_t n_mounts;
static const char *unified;
static bool is_v2;

static const char *file_of(const char *mount_point, const char *name, const char *file)
{
	static char path[4][PATH_MAX];
	static int at;

	at = (at + 1) % 4;
	snprintf(path[at], sizeof(path[at]), "%s/%s%s%s", mount_point, name, *file ? "/" : "", file);
	return path[at];
}

static void say_cgroup(const char *what, int rc)
{
	if (rc == 0)
		spike_say(what, "ok");
	else
		spike_say(what, "%s [%s]", cgroup_strerror(rc), rc == ECGOTHER ? strerror(cgroup_get_last_errno()) : "");
}

static void show_layout(void)
{
	struct cgroup_mount_point mp;
	void *it;
	double from = spike_now_us();
	int rc = cgroup_init();

	spike_say("cgroup_init", "%s, %.0f us", rc ? cgroup_strerror(rc) : "ok", spike_now_us() - from);
	for (rc = cgroup_get_controller_begin(&it, &mp); rc == 0; rc = cgroup_get_controller_next(&it, &mp)) {
		/* 2.0.2's headers have no cgroup_get_controller_version(). */
		struct statfs fs;
		bool v2 = statfs(mp.path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;

		printf("    %s: v%d at %s\n", mp.name, v2 ? 2 : 1, mp.path);
		if (strcmp(mp.name, "memory") == 0)
			is_v2 = v2;
		/* In hybrid, what is left for v2 (here hugetlb) is not what we limit with. */
		if (strncmp(mp.name, "name=", 5) == 0 || strcmp(mp.name, "hugetlb") == 0 || n_mounts == MAX_HIERARCHIES)
			continue;
		controllers[n_mounts] = strdup(mp.name);
		mounts[n_mounts++] = strdup(mp.path);
	}
	cgroup_get_controller_end(&it);
	unified = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 ? "/sys/fs/cgroup" :
		access("/sys/fs/cgroup/unified/cgroup.controllers", F_OK) == 0 ? "/sys/fs/cgroup/unified" : NULL;
	if (unified)
		spike_say("cgroup2 is at", "%s, controllers [%s]", unified,
			  spike_read(file_of(unified, "", "cgroup.controllers")));
}

static struct cgroup *wanted(const char *name)
{
	static const char *const names[] = { "cpu", "cpuacct", "memory", "pids", "cpuset", "devices", "freezer", "blkio", "io" };
	struct cgroup *cg = cgroup_new_cgroup(name);

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		for (size_t m = 0; m < n_mounts; m++)
			if (strcmp(controllers[m], names[i]) == 0)
				cgroup_add_controller(cg, names[i]);
	return cg;
}

static void set_limits(struct cgroup *cg)
{
	struct cgroup_controller *c = cgroup_get_controller(cg, "memory");

	cgroup_add_value_string(c, is_v2 ? "memory.max" : "memory.limit_in_bytes", "67108864");
	c = cgroup_get_controller(cg, "pids");
	cgroup_add_value_string(c, "pids.max", "64");
	c = cgroup_get_controller(cg, "cpu");
	if (is_v2) {
		cgroup_add_value_string(c, "cpu.max", "50000 100000");
	} else {
		cgroup_add_value_string(c, "cpu.cfs_period_us", "100000");
		cgroup_add_value_string(c, "cpu.cfs_quota_us", "50000");
		c = cgroup_get_controller(cg, "cpuset");
		cgroup_add_value_string(c, "cpuset.cpus", "0");
		cgroup_add_value_string(c, "cpuset.mems", "0");
	}
}

static void create(void)
{
	struct cgroup *cg = wanted(parent);
	double from;
	int rc;

	if (is_v2)
		spike_say("root's cgroup.subtree_control before", "[%s]",
			  spike_read(file_of(unified, "", "cgroup.subtree_control")));
	from = spike_now_us();
	rc = cgroup_create_cgroup(cg, 1);
	spike_say("create the parent with libcgroup, all controllers", "%s, %.0f us",
		  rc ? cgroup_strerror(rc) : "ok", spike_now_us() - from);
	if (rc && is_v2) {
		int fd = open(file_of(unified, "", "cgroup.subtree_control"), O_WRONLY | O_CLOEXEC);

		spike_result("  a direct \"+cpuset +cpu +io +memory +pids\" to the root's subtree_control",
			     write(fd, "+cpuset +cpu +io +memory +pids", 30));
		close(fd);
		from = spike_now_us();
		rc = cgroup_create_cgroup(cg, 1);
		spike_say("  create again", "%s, %.0f us", rc ? cgroup_strerror(rc) : "ok", spike_now_us() - from);
	}
	cgroup_free(&cg);
	if (is_v2) {
		spike_say("root's cgroup.subtree_control after", "[%s]",
			  spike_read(file_of(unified, "", "cgroup.subtree_control")));
		spike_say("the parent's cgroup.subtree_control", "[%s]",
			  spike_read(file_of(unified, parent, "cgroup.subtree_control")));
	}
	cg = wanted(group);
	set_limits(cg);
	from = spike_now_us();
	rc = cgroup_create_cgroup(cg, 1);
	spike_say("create the container's group below it, with limits", "%s [errno %s], %.0f us",
		  rc ? cgroup_strerror(rc) : "ok", rc ? strerror(cgroup_get_last_errno()) : "-",
		  spike_now_us() - from);
	cgroup_free(&cg);
	if (rc && !is_v2) {
		for (int level = 0; level < 2; level++) {
			struct cgroup *fix = cgroup_new_cgroup(level ? parent : "kiln");
			struct cgroup_controller *c = cgroup_add_controller(fix, "cpuset");

			cgroup_add_value_string(c, "cpuset.cpus", "0-1");
			cgroup_add_value_string(c, "cpuset.mems", "0");
			say_cgroup(level ? "  cpuset.cpus and mems of the parent" : "  cpuset.cpus and mems of /kiln",
				   cgroup_modify_cgroup(fix));
			cgroup_free(&fix);
		}
		cg = wanted(group);
		set_limits(cg);
		from = spike_now_us();
		rc = cgroup_create_cgroup(cg, 1);
		spike_say("  create again", "%s, %.0f us", rc ? cgroup_strerror(rc) : "ok", spike_now_us() - from);
		cgroup_free(&cg);
	}
	if (is_v2)
		spike_say("its memory.max, pids.max", "%s", spike_read(file_of(unified, group, "memory.max")));
}

static int open_file(const char *mount_point, const char *name, const char *file)
{
	int fd = open(file_of(mount_point, name, file), O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		spike_die("open %s", file_of(mount_point, name, file));
	return fd;
}

static size_t n_hierarchies(void)
{
	return is_v2 ? 1 : n_mounts;
}

static double join_all(const int *fds, const char *text)
{
	double from = spike_now_us();

	for (size_t m = 0; m < n_hierarchies(); m++)
		if (write(fds[m], text, strlen(text)) < 0)
			spike_die("join");
	return spike_now_us() - from;
}

struct join_way {
	const char *what;
	const char *file;
	bool self;
};

/*
 * One sample per pause: right after another migration the kernel's lock is still in its slow mode for readers
 * and cheap for writers, which hides what a lone container start pays.
 */
static void join_cost(const struct join_way *way)
{
	double t[REPEATS];
	int fds[MAX_HIERARCHIES];

	for (size_t m = 0; m < n_hierarchies(); m++)
		fds[m] = open_file(mounts[m], group, way->file);
	for (int i = 0; i < REPEATS; i++) {
		int pipes[2], go[2];
		char pid_text[16];
		pid_t pid;

		usleep(PAUSE_US);
		if (pipe(pipes) < 0 || pipe(go) < 0)
			spike_die("pipe");
		pid = fork();
		if (pid == 0) {
			double us = way->self ? join_all(fds, "0") : 0;
			char c;

			if (write(pipes[1], &us, sizeof(us)) < 0 || (!way->self && read(go[0], &c, 1) < 0))
				_exit(1);
			_exit(0);
		}
		if (read(pipes[0], &t[i], sizeof(t[i])) != sizeof(t[i]))
			spike_die("read");
		snprintf(pid_text, sizeof(pid_text), "%d", pid);
		if (!way->self)
			t[i] = join_all(fds, pid_text);
		if (write(go[1], "x", 1) < 0)
			spike_die("write");
		waitpid(pid, NULL, 0);
		close(pipes[0]), close(pipes[1]), close(go[0]), close(go[1]);
	}
	spike_say(way->what, "median %.0f us", spike_median(t, REPEATS));
	for (size_t m = 0; m < n_hierarchies(); m++)
		close(fds[m]);
}

static void joins(void)
{
	static const struct join_way ways[] = {
		{ "join: the process writes 0 to cgroup.procs", "cgroup.procs", true },
		{ "join: another process writes the pid to cgroup.procs", "cgroup.procs", false },
		{ "join: the process writes 0 to tasks (v1 only)", "tasks", true },
	};

	spike_say("hierarchies to join", "%zu", n_hierarchies());
	for (size_t i = 0; i < (is_v2 ? 2 : 3); i++)
		join_cost(&ways[i]);
}

static pid_t clone_into(int dir_fd, uint64_t flags)
{
	struct clone_args args = {
		.flags = flags | (dir_fd >= 0 ? CLONE_INTO_CGROUP : 0),
		.exit_signal = SIGCHLD,
		.cgroup = dir_fd >= 0 ? (uint64_t)dir_fd : 0,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static void show_own_cgroups(const char *what)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[512];
	bool all_root = true;

	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, "name="))
			continue;
		if (strcmp(strrchr(line, ':') + 1, "/\n") != 0) {
			all_root = false;
			printf("    %s", line);
		}
	}
	spike_say(what, all_root ? "all lines are \"/\"" : "not all \"/\", see above");
	fclose(f);
}

static void clone_into_cgroup(void)
{
	double t[REPEATS];
	pid_t pid;
	int fd;

	if (!unified)
		return;
	if (!is_v2) {
		spike_mkdir(file_of(unified, "kiln", ""));
		spike_mkdir(file_of(unified, parent, ""));
		spike_mkdir(file_of(unified, group, ""));
	}
	fd = open(file_of(unified, group, ""), O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < REPEATS; i++) {
		double from;

		usleep(PAUSE_US);
		from = spike_now_us();
		pid = clone_into(fd, 0);
		if (pid == 0)
			_exit(0);
		t[i] = spike_now_us() - from;
		waitpid(pid, NULL, 0);
	}
	spike_say("clone3(CLONE_INTO_CGROUP)", "median %.0f us", spike_median(t, REPEATS));
	for (int i = 0; i < REPEATS; i++) {
		double from;

		usleep(PAUSE_US);
		from = spike_now_us();
		pid = clone_into(-1, 0);
		if (pid == 0)
			_exit(0);
		t[i] = spike_now_us() - from;
		waitpid(pid, NULL, 0);
	}
	spike_say("clone3 without it", "median %.0f us", spike_median(t, REPEATS));
	pid = clone_into(fd, CLONE_NEWCGROUP);
	if (pid == 0) {
		show_own_cgroups("clone3(INTO_CGROUP|NEWCGROUP): /proc/self/cgroup inside");
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	close(fd);
}

static void join_then_unshare(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fds[MAX_HIERARCHIES];

		for (size_t m = 0; m < n_mounts; m++)
			fds[m] = open_file(mounts[m], group, "cgroup.procs");
		join_all(fds, "0");
		if (unified && !is_v2) {
			int fd = open_file(unified, group, "cgroup.procs");

			if (write(fd, "0", 1) < 0)
				spike_result("join unified", -1);
		}
		spike_result("unshare(CLONE_NEWCGROUP) after joining", unshare(CLONE_NEWCGROUP));
		show_own_cgroups("  /proc/self/cgroup then");
		spike_private_mounts();
		if (is_v2) {
			spike_result("  mount cgroup2 inside", mount("cgroup", "/mnt", "cgroup2", 0, NULL));
			spike_say("  its memory.max", "%s", spike_read("/mnt/memory.max"));
		} else {
			spike_result("  mount v1 memory inside", mount("cgroup", "/mnt", "cgroup", 0, "memory"));
			spike_say("  its memory.limit_in_bytes", "%s", spike_read("/mnt/memory.limit_in_bytes"));
		}
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void kill_and_freeze(void)
{
	struct cgroup *cg = cgroup_new_cgroup(group);
	struct cgroup_controller *c = cgroup_add_controller(cg, "cgroup");
	pid_t pid;
	int fd, status = 0;

	alarm(20);
	if (!unified)
		return;
	fd = open(file_of(unified, group, ""), O_PATH | O_DIRECTORY | O_CLOEXEC);
	pid = clone_into(fd, 0);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	cgroup_add_value_string(c, "cgroup.kill", "1");
	say_cgroup("libcgroup: modify \"cgroup\" cgroup.kill=1", cgroup_modify_cgroup(cg));
	usleep(50000);
	if (waitpid(pid, &status, WNOHANG) != pid) {
		int kill_fd = openat(fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);

		spike_result("  not killed; direct write to cgroup.kill", write(kill_fd, "1", 1));
		close(kill_fd);
		waitpid(pid, &status, 0);
	}
	spike_say("  it ended by signal", "%d", WTERMSIG(status));
	cgroup_free(&cg);
	close(fd);
}

static void internal_process(void)
{
	char name[128];
	struct cgroup *cg;
	pid_t pid;
	int fd;

	if (!is_v2)
		return;
	snprintf(name, sizeof(name), "%s/busy", parent);
	spike_mkdir(file_of(unified, name, ""));
	fd = open(file_of(unified, name, ""), O_PATH | O_DIRECTORY | O_CLOEXEC);
	pid = clone_into(fd, 0);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	snprintf(name, sizeof(name), "%s/busy/x", parent);
	cg = wanted(name);
	say_cgroup("libcgroup: create below a group that has a process", cgroup_create_cgroup(cg, 1));
	spike_say("  what it left: the directory", "%s",
		  access(file_of(unified, name, ""), F_OK) == 0 ? "exists" : "is not there");
	cgroup_free(&cg);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
	rmdir(file_of(unified, name, ""));
	snprintf(name, sizeof(name), "%s/busy", parent);
	rmdir(file_of(unified, name, ""));
}

static void no_controller(void)
{
	char name[128];
	struct cgroup *cg;

	snprintf(name, sizeof(name), "%s/none", parent);
	cg = cgroup_new_cgroup(name);
	say_cgroup("libcgroup: create with no controller", cgroup_create_cgroup(cg, 1));
	spike_say("  the directory", "%s", unified && access(file_of(unified, name, ""), F_OK) == 0 ?
		  "exists" : "was not made");
	cgroup_free(&cg);
}

/* /kiln itself stays: others may be using it. */
static void delete(void)
{
	const char *names[] = { group, parent };

	for (size_t i = 0; i < 2; i++) {
		struct cgroup *cg = wanted(names[i]);
		double from = spike_now_us();
		int rc = cgroup_delete_cgroup_ext(cg, CGFLAG_DELETE_IGNORE_MIGRATION);

		spike_say(i ? "libcgroup: delete the parent" : "libcgroup: delete the container's group",
			  "%s, %.0f us", rc ? cgroup_strerror(rc) : "ok", spike_now_us() - from);
		cgroup_free(&cg);
		for (size_t m = 0; m < n_mounts; m++)
			if (rmdir(file_of(mounts[m], names[i], "")) == 0)
				printf("    it had left %s\n", file_of(mounts[m], names[i], ""));
		if (unified)
			rmdir(file_of(unified, names[i], ""));
	}
}

static void quiet(void *data, int level, const char *fmt, va_list ap)
{
	(void)data, (void)level;
	printf("    libcgroup says: ");
	vprintf(fmt, ap);
}

int main(void)
{
	spike_title("cgroups");
	cgroup_set_logger(quiet, CGROUP_LOG_ERROR, NULL);
	snprintf(parent, sizeof(parent), "kiln/spike-%d", getpid());
	snprintf(group, sizeof(group), "%s/x", parent);
	show_layout();
	create();
	joins();
	clone_into_cgroup();
	join_then_unshare();
	kill_and_freeze();
	internal_process();
	no_controller();
	delete();
	return 0;
}
