/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be done with a mount that is not attached yet (6.1 allows less than 6.18), and how a bind source,
 * opened in the host's mount namespace, gets into a container's.
 */
#include "tests/spikes/spike.h"

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[4][PATH_MAX];
	static int at;

	at = (at + 1) % 4;
	snprintf(path[at], sizeof(path[at]), "%s/%s", dir, name);
	return path[at];
}

static int detached(const char *path, bool recursive)
{
	return open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
			 (recursive ? (unsigned int)AT_RECURSIVE : 0));
}

static int set_attr(int fd, uint64_t set, uint64_t propagation)
{
	struct mount_attr attr = { .attr_set = set, .propagation = propagation };

	return mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr));
}

static int attach(int fd, const char *to)
{
	return move_mount(fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH);
}

/* The parent is the host (kilnd), the child is the container in its own mount namespace. */
static void bind_by_fd(void *arg)
{
	int plain, whole, ro, file;

	(void)arg;
	plain = open(in_dir("src"), O_PATH | O_CLOEXEC);
	whole = detached(in_dir("src"), true);
	ro = detached(in_dir("src"), true);
	file = detached(in_dir("src/file"), false);
	spike_result("host: open_tree(CLONE|RECURSIVE) of a directory", whole);
	spike_result("host: open_tree(CLONE) of a file", file);
	spike_private_mounts();

	spike_result("container: open_tree(CLONE) of the host's O_PATH fd",
		     open_tree(plain, "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
	spike_result("container: move_mount of the host's detached tree", attach(whole, in_dir("a")));
	spike_say("  a submount of it came along", "%s", spike_read(in_dir("a/sub/inner")));
	spike_result("container: mount_setattr(RDONLY, recursive) on a detached tree",
		     set_attr(ro, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, MS_PRIVATE));
	spike_result("  move_mount of it", attach(ro, in_dir("b")));
	spike_result("  write into it", open(in_dir("b/new"), O_WRONLY | O_CREAT, 0644));
	spike_result("  write into its submount", open(in_dir("b/sub/new"), O_WRONLY | O_CREAT, 0644));
	spike_result("  the first one is still writable", open(in_dir("a/new"), O_WRONLY | O_CREAT, 0644));
	spike_result("container: mount_setattr(RDONLY) on a detached file", set_attr(file, MOUNT_ATTR_RDONLY, 0));
	spike_result("  move_mount of it onto a file", attach(file, in_dir("target")));
	spike_result("  write into it", open(in_dir("target"), O_WRONLY));
}

static void dead_namespace(void *arg)
{
	int pair[2], fd, status;
	pid_t pid;

	(void)arg;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		spike_die("socketpair");
	/* The detached tree outlives the namespace and the process it was made in. */
	pid = fork();
	if (pid == 0) {
		char c = 0, control[CMSG_SPACE(sizeof(int))] = {0};
		struct iovec iov = { &c, 1 };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				    .msg_controllen = sizeof(control) };

		spike_private_mounts();
		fd = detached(in_dir("src"), true);
		CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof(fd));
		_exit(sendmsg(pair[0], &m, 0) != 1);
	}
	waitpid(pid, &status, 0);
	spike_private_mounts();
	{
		char c, control[CMSG_SPACE(sizeof(int))];
		struct iovec iov = { &c, 1 };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				    .msg_controllen = sizeof(control) };

		if (recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC) != 1)
			spike_die("recvmsg");
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	}
	spike_result("a detached tree whose maker and its namespace are gone", attach(fd, in_dir("a")));
}

static void detached_limits(void *arg)
{
	int tree, fs, tmpfs, clone;
	char buf[256];

	(void)arg;
	spike_private_mounts();
	fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	tmpfs = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	spike_result("fsmount of a tmpfs", tmpfs);
	spike_result("mkdirat in it while detached", mkdirat(tmpfs, "sub", 0755));
	clone = open_tree(tmpfs, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	spike_result("open_tree(CLONE) of a detached mount", clone);
	tree = detached(in_dir("src"), false);
	spike_result("move_mount of a mount into a detached mount",
		     move_mount(tree, "", tmpfs, "sub", MOVE_MOUNT_F_EMPTY_PATH));
	snprintf(buf, sizeof(buf), "lowerdir=/proc/self/fd/%d:%s", tmpfs, in_dir("src"));
	spike_result("a detached mount as overlay's lower directory",
		     mount("overlay", in_dir("b"), "overlay", 0, buf));
}

/* A mount namespace that has nothing but what we put there: the cost of a clone does not grow. */
static void clone_cost(void *arg)
{
	double t[101];
	size_t n = sizeof(t) / sizeof(*t);
	int extra = *(int *)arg;
	char what[96], name[32];

	spike_private_mounts();
	for (int i = 0; i < extra; i++) {
		snprintf(name, sizeof(name), "m/%d", i);
		spike_mkdir(in_dir(name));
		if (mount("none", in_dir(name), "tmpfs", 0, NULL) < 0)
			spike_die("tmpfs");
	}
	for (size_t i = 0; i < n; i++) {
		double from = spike_now_us();
		pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);

		if (pid == 0)
			_exit(0);
		t[i] = spike_now_us() - from;
		waitpid(pid, NULL, 0);
	}
	snprintf(what, sizeof(what), "clone(CLONE_NEWNS) with %d further mounts", extra);
	spike_say(what, "median %.0f us", spike_median(t, n));
}

int main(void)
{
	static const char *const parts[] = { "src", "src/sub", "a", "b", "m" };
	int none = 0, many = 1000;

	spike_title("mounts");
	strcpy(dir, spike_dir());
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		spike_mkdir(in_dir(parts[i]));
	spike_write(in_dir("src/file"), "file");
	spike_write(in_dir("target"), "");
	spike_private_mounts();
	if (mount("none", in_dir("src/sub"), "tmpfs", 0, NULL) < 0)
		spike_die("tmpfs");
	spike_write(in_dir("src/sub/inner"), "inner");

	spike_in_child(bind_by_fd, NULL);
	spike_in_child(dead_namespace, NULL);
	spike_in_child(detached_limits, NULL);
	spike_in_child(clone_cost, &none);
	spike_in_child(clone_cost, &many);
	umount2(in_dir("src/sub"), MNT_DETACH);
	spike_remove(dir);
	return 0;
}
