/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor: what the kernel takes for a container's namespaces, control groups, overlay, pivot, filter and exec, when
 * nothing else is done. `make bench` runs it beside Kiln and its peers.
 *
 *   floor start [-m] LAYERS LOWER DIR CGROUP FILTER PROGRAM...   a line on stdin is one start; answers "NS-TO-EXEC"
 *   floor keep [-m] LAYERS LOWER DIR CGROUP FILTER PROGRAM...    the same, but what was started runs until stdin ends
 *   floor exec [-c FILTER] PID PROGRAM...                        a line on stdin is one exec; answers "NS-TO-EXIT"
 *
 * -m makes the mounts that a container of Docker's has, too; -c joins the control groups of PID and loads the filter. FILTER is
 * an entry of Kiln's cache, "-" for none.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILTER_HEAD 72 /* of an entry of runtime/seccomp_cache.c: magic, number of instructions, key */
#define GROUPS_MAX  16
#define KEPT_MAX    4096
#define NAMESPACES  (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

struct floor {
	const char *layers, *lower, *dir, *cgroup;
	char *const *program;
	bool has_mounts, is_kept;
	struct sock_fprog filter;
	char groups[GROUPS_MAX][512]; /* one directory for each hierarchy of v1 */
	char names[GROUPS_MAX][64];
	size_t n_groups;
	char unified[512];
	int task_fds[GROUPS_MAX];
};

static int report_fd = -1; /* of a child until its exec: a byte says that it has failed */

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	if (report_fd >= 0 && write(report_fd, "", 1) < 0)
		_exit(124);
	_exit(125);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* --- control groups -------------------------------------------------------------------------- */

static void find_groups(struct floor *f)
{
	static const char *const v1[] = { "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "pids", "blkio" };
	const char *unified = access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) == 0 ? "/sys/fs/cgroup/unified" :
			      access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0	       ? "/sys/fs/cgroup" :
											 NULL;

	if (unified != NULL)
		snprintf(f->unified, sizeof f->unified, "%s%s", unified, f->cgroup);
	for (size_t i = 0; i < sizeof v1 / sizeof *v1; i++) {
		char top[64], real[512];

		snprintf(top, sizeof top, "/sys/fs/cgroup/%s", v1[i]);
		/* cpu and cpuacct may be one hierarchy, with a link for each */
		if (readlink(top, real, sizeof real) >= 0 || access(top, F_OK) < 0 ||
		    (unified != NULL && strcmp(unified, "/sys/fs/cgroup") == 0))
			continue;
		snprintf(f->names[f->n_groups], sizeof *f->names, "%s", v1[i]);
		snprintf(f->groups[f->n_groups++], sizeof *f->groups, "%s%s", top, f->cgroup);
	}
}

static void copy_file(const char *from_dir, const char *to_dir, const char *name)
{
	char path[600], value[256];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof path, "%s/../%s", from_dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, value, sizeof value);
		close(fd);
	}
	snprintf(path, sizeof path, "%s/%s", to_dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || n <= 0 || write(fd, value, (size_t)n) != n)
		die(path);
	close(fd);
}

static void make_groups(struct floor *f)
{
	if (f->unified[0] != '\0' && mkdir(f->unified, 0755) < 0)
		die(f->unified);
	for (size_t i = 0; i < f->n_groups; i++) {
		char path[600];

		if (mkdir(f->groups[i], 0755) < 0)
			die(f->groups[i]);
		if (strcmp(f->names[i], "cpuset") == 0) {
			copy_file(f->groups[i], f->groups[i], "cpuset.mems");
			copy_file(f->groups[i], f->groups[i], "cpuset.cpus");
		}
		snprintf(path, sizeof path, "%s/tasks", f->groups[i]);
		f->task_fds[i] = open(path, O_WRONLY | O_CLOEXEC);
		if (f->task_fds[i] < 0)
			die(path);
	}
}

static void remove_groups(const struct floor *f)
{
	for (size_t i = 0; i < f->n_groups; i++)
		if (rmdir(f->groups[i]) < 0)
			die(f->groups[i]);
	if (f->unified[0] != '\0' && rmdir(f->unified) < 0)
		die(f->unified);
}

/* --- the child ------------------------------------------------------------------------------- */

static void mount_at(const char *type, const char *at, unsigned long flags, const char *data)
{
	if (mkdir(at, 0755) < 0 && errno != EEXIST)
		die(at);
	if (mount(type, at, type, flags, data) < 0)
		die(at);
}

static void mount_all(const struct floor *f)
{
	static const char *const devices[] = { "null", "zero", "full", "random", "urandom", "tty" };
	static const unsigned numbers[] = { 3, 5, 7, 8, 9, 0 };
	static const char *const masked[] = { "proc/acpi", "proc/interrupts", "proc/kcore", "proc/keys", "proc/timer_list",
					      "sys/firmware" };
	static const char *const readonly[] = { "proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger" };
	const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	char at[128];

	mount_at("proc", "proc", safe, NULL);
	mount_at("tmpfs", "dev", MS_NOSUID, "mode=755,size=65536k");
	for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
		snprintf(at, sizeof at, "dev/%s", devices[i]);
		if (mknod(at, S_IFCHR | 0666, makedev(i == 5 ? 5 : 1, numbers[i])) < 0)
			die(at);
	}
	mount_at("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
	mount_at("sysfs", "sys", safe | MS_RDONLY, NULL);
	mount_at("tmpfs", "sys/fs/cgroup", safe, "mode=755");
	for (size_t i = 0; i < f->n_groups; i++) {
		snprintf(at, sizeof at, "sys/fs/cgroup/%s", f->names[i]);
		if (mkdir(at, 0755) < 0 || mount("cgroup", at, "cgroup", safe | MS_RDONLY, f->names[i]) < 0)
			die(at);
	}
	mount_at("mqueue", "dev/mqueue", safe, NULL);
	mount_at("tmpfs", "dev/shm", safe, "mode=1777,size=65536k");
	for (size_t i = 0; i < sizeof masked / sizeof *masked; i++)
		if (access(masked[i], F_OK) == 0 && mount("dev/null", masked[i], NULL, MS_BIND, NULL) < 0 &&
		    mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, NULL) < 0)
			die(masked[i]);
	for (size_t i = 0; i < sizeof readonly / sizeof *readonly; i++)
		if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) == 0)
			mount(NULL, readonly[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | safe, NULL);
}

static void make_root(const struct floor *f)
{
	char options[2048];

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || chdir(f->layers) < 0)
		die("mounts");
	snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work", f->lower, f->dir, f->dir);
	snprintf(options + 1024, 1024, "%s/rootfs", f->dir);
	if (mount("overlay", options + 1024, "overlay", 0, options) < 0 || chdir(options + 1024) < 0)
		die("overlay");
	if (f->has_mounts)
		mount_all(f);
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		die("pivot");
}

static _Noreturn void child(const struct floor *f)
{
	if (f->is_kept && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		die("death signal");
	for (size_t i = 0; i < f->n_groups; i++)
		if (write(f->task_fds[i], "0", 1) < 0)
			die(f->groups[i]);
	if (unshare(CLONE_NEWCGROUP) < 0)
		die("cgroup namespace");
	make_root(f);
	if (f->filter.len != 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f->filter) < 0)
		die("filter");
	execv(f->program[0], f->program);
	die(f->program[0]);
}

/* --- one start ------------------------------------------------------------------------------- */

static pid_t clone_child(const struct floor *f, uint64_t flags)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };
	int dir = -1;
	pid_t pid;

	if (f->unified[0] != '\0') {
		dir = open(f->unified, O_PATH | O_DIRECTORY | O_CLOEXEC);
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)dir;
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	if (pid != 0 && dir >= 0)
		close(dir);
	return pid;
}

static void make_dirs(const struct floor *f, bool is_begin)
{
	static const char *const names[] = { "", "/upper", "/work", "/rootfs" };
	char path[600];

	for (size_t i = 0; is_begin && i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s%s", f->dir, names[i]);
		if (mkdir(path, 0755) < 0)
			die(path);
	}
	if (is_begin)
		return;
	snprintf(path, sizeof path, "rm -rf '%s'", f->dir);
	if (system(path) != 0)
		die(path);
}

static int64_t start_one(struct floor *f, pid_t *ret_pid)
{
	int64_t begin_ns = now_ns(), took_ns;
	int pair[2];
	ssize_t failed;
	char byte;
	pid_t pid;

	make_dirs(f, true);
	make_groups(f);
	if (pipe2(pair, O_CLOEXEC) < 0)
		die("pipe");
	pid = clone_child(f, NAMESPACES);
	if (pid < 0)
		die("clone3");
	if (pid == 0) {
		report_fd = pair[1];
		child(f);
	}
	close(pair[1]);
	do
		failed = read(pair[0], &byte, 1);
	while (failed < 0);
	if (failed > 0)
		_exit(125);
	took_ns = now_ns() - begin_ns;
	close(pair[0]);
	for (size_t i = 0; i < f->n_groups; i++)
		close(f->task_fds[i]);
	*ret_pid = pid;
	return took_ns;
}

static void end_one(const struct floor *f, pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	remove_groups(f);
	make_dirs(f, false);
}

static int64_t start_once(struct floor *f)
{
	pid_t pid;
	int64_t took_ns = start_one(f, &pid);

	end_one(f, pid);
	return took_ns;
}

/* Each of those that are kept has a directory and groups of its own. */
static void be_kept(struct floor *f, const char *dir, const char *cgroup, size_t i)
{
	static char own_dir[256], own_cgroup[256];

	snprintf(own_dir, sizeof own_dir, "%s-%zu", dir, i);
	snprintf(own_cgroup, sizeof own_cgroup, "%s-%zu", cgroup, i);
	f->dir = own_dir;
	f->cgroup = own_cgroup;
	f->n_groups = 0;
	find_groups(f);
}

static void keep(struct floor *f)
{
	static pid_t pids[KEPT_MAX];
	const char *dir = f->dir, *cgroup = f->cgroup;
	char line[16];
	size_t n = 0;

	for (; n < KEPT_MAX && fgets(line, sizeof line, stdin) != NULL; n++) {
		be_kept(f, dir, cgroup, n);
		printf("%lld\n", (long long)start_one(f, &pids[n]));
	}
	for (size_t i = 0; i < n; i++) {
		be_kept(f, dir, cgroup, i);
		end_one(f, pids[i]);
	}
}

static void load_filter(struct floor *f, const char *path)
{
	uint32_t n_insns;
	struct stat st;
	char *data;
	int fd;

	if (strcmp(path, "-") == 0)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= FILTER_HEAD)
		die(path);
	data = malloc((size_t)st.st_size);
	if (data == NULL || read(fd, data, (size_t)st.st_size) != st.st_size)
		die(path);
	close(fd);
	f->filter.filter = (struct sock_filter *)(void *)(data + FILTER_HEAD);
	memcpy(&n_insns, data + sizeof(uint32_t), sizeof n_insns);
	if (FILTER_HEAD + n_insns * sizeof(struct sock_filter) > (size_t)st.st_size)
		die("filter: no entry of this version");
	f->filter.len = (unsigned short)n_insns;
}

/* --- one exec -------------------------------------------------------------------------------- */

/* What a program that joins @target's groups writes itself to, and the group of cgroup2 that it is born in. */
static void open_groups_of(struct floor *f, pid_t target)
{
	char line[512], path[600];
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/cgroup", (int)target);
	file = fopen(path, "re");
	if (file == NULL)
		die(path);
	while (fgets(line, sizeof line, file) != NULL && f->n_groups < GROUPS_MAX) {
		char *name = strchr(line, ':') + 1, *dir = strchr(name, ':');

		*dir++ = '\0';
		dir[strcspn(dir, "\n")] = '\0';
		name += strncmp(name, "name=", 5) == 0 ? 5 : 0;
		if (strcmp(dir, "/") == 0)
			continue;
		if (*name == '\0') {
			snprintf(f->unified, sizeof f->unified, "%s%s",
				 access("/sys/fs/cgroup/unified", F_OK) == 0 ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup", dir);
			continue;
		}
		snprintf(path, sizeof path, "/sys/fs/cgroup/%s%s/tasks", name, dir);
		f->task_fds[f->n_groups] = open(path, O_WRONLY | O_CLOEXEC);
		if (f->task_fds[f->n_groups++] < 0)
			die(path);
	}
	fclose(file);
}

static int64_t exec_once(const struct floor *f, pid_t target)
{
	int64_t begin_ns = now_ns();
	int status, fd = (int)syscall(SYS_pidfd_open, target, 0);
	char *const *program = f->program;
	pid_t pid = clone_child(f, 0);

	if (pid == 0) {
		for (size_t i = 0; i < f->n_groups; i++)
			if (write(f->task_fds[i], "0", 1) < 0)
				die("join a group");
		if (setns(fd, NAMESPACES | CLONE_NEWCGROUP) < 0)
			die("setns");
		if (f->filter.len != 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f->filter) < 0)
			die("filter");
		pid = vfork();
		if (pid == 0) {
			execv(program[0], program);
			_exit(127);
		}
		waitpid(pid, &status, 0);
		_exit(WEXITSTATUS(status));
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		die("exec");
	close(fd);
	return now_ns() - begin_ns;
}

static int exec_main(struct floor *f, int argc, char **argv)
{
	bool is_confined = strcmp(argv[2], "-c") == 0;
	int i = is_confined ? 4 : 2;
	char line[16];
	pid_t target;

	if (argc < i + 2)
		return fprintf(stderr, "usage: see the head of floor.c\n"), 2;
	target = (pid_t)atoi(argv[i]);
	f->program = argv + i + 1;
	if (is_confined) {
		load_filter(f, argv[3]);
		open_groups_of(f, target);
	}
	while (fgets(line, sizeof line, stdin) != NULL)
		printf("%lld\n", (long long)exec_once(f, target));
	return 0;
}

/* --- start and keep -------------------------------------------------------------------------- */

static int start_main(struct floor *f, int argc, char **argv)
{
	char line[16];
	int i;

	f->has_mounts = strcmp(argv[2], "-m") == 0;
	i = 2 + f->has_mounts;
	if (argc < i + 6)
		return fprintf(stderr, "usage: see the head of floor.c\n"), 2;
	f->layers = argv[i];
	f->lower = argv[i + 1];
	f->dir = argv[i + 2];
	f->cgroup = argv[i + 3];
	load_filter(f, argv[i + 4]);
	f->program = argv + i + 5;
	find_groups(f);
	f->is_kept = strcmp(argv[1], "keep") == 0;
	if (f->is_kept) {
		keep(f);
		return 0;
	}
	while (fgets(line, sizeof line, stdin) != NULL)
		printf("%lld\n", (long long)start_once(f));
	return 0;
}

int main(int argc, char **argv)
{
	static struct floor f;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3)
		return fprintf(stderr, "usage: see the head of floor.c\n"), 2;
	return strcmp(argv[1], "exec") == 0 ? exec_main(&f, argc, argv) : start_main(&f, argc, argv);
}
