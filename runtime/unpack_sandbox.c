/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * In this order, as each step needs what the next takes away:
 *   1. limits, no core, not dumpable; descriptors beyond ours closed
 *   2. a detached clone of the directory, nodev,nosuid,noexec; then new mount, network, IPC, UTS and cgroup
 *      namespaces
 *   3. the clone becomes "/" by pivot_root, and the old root goes
 *   4. capabilities: six stay (CHOWN DAC_OVERRIDE FOWNER FSETID MKNOD SETFCAP), in all sets, for good
 *   5. no_new_privs, and a list of the system calls that unpacking needs; executable memory is refused
 *
 * A device can be made on a nodev mount, but not opened. Whoever takes over the parser can fill this directory
 * with files, and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/own.h"
#include "runtime/unpack.h"

#define FILE_BYTES_MAX   (UINT64_C(1) << 40)
#define MEMORY_BYTES_MAX (UINT64_C(2) << 30)
#define CPU_SECONDS_MAX  7200

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

static int set_limits(struct err *e)
{
	static const struct {
		__rlimit_resource_t what;
		rlim_t max;
		bool breaks_sanitizers;   /* they reserve terabytes of addresses */
	} limits[] = {
		{ RLIMIT_CORE, 0, false },
		{ RLIMIT_NOFILE, 64, false },
		{ RLIMIT_FSIZE, FILE_BYTES_MAX, false },
		{ RLIMIT_CPU, CPU_SECONDS_MAX, false },
		{ RLIMIT_AS, MEMORY_BYTES_MAX, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit r;

		if (limits[i].breaks_sanitizers && IS_SANITIZED)
			continue;
		if (getrlimit(limits[i].what, &r) < 0)
			return err_sys(e, "read limit %d", (int)limits[i].what);
		/* A service may be kept tighter than this; no power to widen it is left here. */
		if (r.rlim_max > limits[i].max)
			r.rlim_max = limits[i].max;
		r.rlim_cur = r.rlim_max;
		if (setrlimit(limits[i].what, &r) < 0)
			return err_sys(e, "set limit %d", (int)limits[i].what);
	}
	return 0;
}

static int close_others(int dir_fd, int result_fd, struct err *e)
{
	unsigned low = (unsigned)(dir_fd < result_fd ? dir_fd : result_fd);
	unsigned high = (unsigned)(dir_fd < result_fd ? result_fd : dir_fd);

	if ((low > 3 && close_range(3, low - 1, 0) < 0) ||
	    (high > low + 1 && close_range(low + 1, high - 1, 0) < 0) || close_range(high + 1, ~0U, 0) < 0)
		return err_sys(e, "close descriptors");
	return 0;
}

/* The directory as a mount of its own, with nothing mounted below it; to be made where its mount is */
static int clone_dir(int dir_fd, int *ret_fd, struct err *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
				   .propagation = MS_PRIVATE };
	AUTO_CLOSE int fd = (int)syscall(SYS_open_tree, dir_fd, "",
					 AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "clone the directory's mount");
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
		return err_sys(e, "make the mount nodev, nosuid, noexec");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int change_root(int tree_fd, int dir_fd, struct err *e)
{
	AUTO_CLOSE int root_fd = -1;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "make mounts private");
	if (syscall(SYS_move_mount, tree_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "attach the directory");
	if (fchdir(tree_fd) < 0)
		return err_sys(e, "enter the directory");
	/* The old root ends up on top of the new one, where it is taken away: pivot_root(2), NOTES */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(e, "change the root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(e, "leave the old root");
	root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0 || fchdir(root_fd) < 0 || dup3(root_fd, dir_fd, O_CLOEXEC) < 0)
		return err_sys(e, "open the new root");
	return 0;
}

static int keep_caps(struct err *e)
{
	static const unsigned kept[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP };
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {0};
	uint64_t set = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		set |= UINT64_C(1) << kept[i];
	for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (!(set >> cap & 1) && prctl(PR_CAPBSET_DROP, cap) < 0)
			return err_sys(e, "drop capability %u", cap);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_sys(e, "clear ambient capabilities");
	for (int half = 0; half < 2; half++)
		data[half].effective = data[half].permitted = (uint32_t)(set >> (32 * half));
	if (syscall(SYS_capset, &head, data) < 0)
		return err_sys(e, "drop capabilities");
	return 0;
}

int unpack_sandbox_enter(int dir_fd, int result_fd, struct err *e)
{
	AUTO_CLOSE int tree_fd = -1;

	if (close_others(dir_fd, result_fd, e) < 0 || set_limits(e) < 0)
		return -1;
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(e, "become undumpable");
	if (clone_dir(dir_fd, &tree_fd, e) < 0)
		return -1;
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) < 0)
		return err_sys(e, "leave the host's namespaces");
	if (DEFENCE(UNPACK_ROOT, change_root(tree_fd, dir_fd, e), 0) < 0 ||
	    DEFENCE(UNPACK_CAPS, keep_caps(e), 0) < 0)
		return -1;
	/* Sanitizers look at themselves through system calls that unpacking has no use for */
	return IS_SANITIZED ? 0 : DEFENCE(UNPACK_FILTER, unpack_sandbox_filter(e), 0);
}
