/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rootless.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/idhelper.h"
#include "runtime/idmap.h"
#include "runtime/selfcopy.h"

#define ENTERED   "KILN_RUNTIME_USERNS" /* the inode of the namespace that we have entered, for our copy */
#define MAP_MAX   (64u << 10)
#define MAP_ALL   4294967295u

static struct {
	bool is_rootless, has_entered;
} we;

/* --- who we are --------------------------------------------------------------------------------------------------- */

/* The host's own maps all IDs to themselves. */
static bool is_first_namespace(void)
{
	AUTO_FREE char *text = NULL;
	unsigned long inside, outside, n;

	if (file_read(AT_FDCWD, "/proc/self/uid_map", MAP_MAX, &text, NULL, ERR_IGNORED) < 0)
		return true; /* a kernel without user namespaces */
	return sscanf(text, "%lu %lu %lu", &inside, &outside, &n) == 3 && inside == 0 && outside == 0 && n == MAP_ALL;
}

static uint64_t namespace_inode(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) == 0 ? (uint64_t)st.st_ino : 0;
}

static int get_caps(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return (int)syscall(SYS_capget, &head, data);
}

static int set_inheritable(struct __user_cap_data_struct data[2], bool all)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	for (int i = 0; i < 2; i++)
		data[i].inheritable = all ? data[i].permitted : 0;
	return (int)syscall(SYS_capset, &head, data);
}

bool rootless_may_mount(void)
{
	struct __user_cap_data_struct data[2] = { 0 };

	return get_caps(data) == 0 && (data[0].effective >> CAP_SYS_ADMIN & 1) != 0;
}

/* Programs that we execute get no powers of ours: what is not inheritable is not ambient either. */
static bool take_entered(void)
{
	const char *text = getenv(ENTERED);
	struct __user_cap_data_struct data[2] = { 0 };
	uint64_t inode;

	if (text == NULL)
		return false;
	if (!str_to_u64(text, &inode) || inode != namespace_inode() || !rootless_may_mount())
		return false;
	return get_caps(data) == 0 && set_inheritable(data, false) == 0;
}

void rootless_setup(void)
{
	we.is_rootless = geteuid() != 0 || !is_first_namespace();
	we.has_entered = we.is_rootless && take_entered();
	unsetenv(ENTERED);
}

bool rootless_is(void)
{
	return we.is_rootless;
}

bool rootless_has_entered(void)
{
	return we.has_entered;
}

bool rootless_keeps_groups(void)
{
	AUTO_FREE char *text = NULL;

	return file_read(AT_FDCWD, "/proc/self/setgroups", 64, &text, NULL, ERR_IGNORED) == 0 && str_starts(text, "deny");
}

/* --- entering ------------------------------------------------------------------------------------------------------ */

static int unshare_users(struct err *e)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0)
		return 0;
	err_sys(e, "make a user namespace");
	if (e->sys == ENOSPC || e->sys == EPERM || e->sys == EINVAL || e->sys == EUSERS)
		err_set(e, ERR_DENIED, "make a user namespace: %s: this host lets no user do so (user.max_user_namespaces, "
			"kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)", strerror(e->sys));
	return -1;
}

/* Another user than root keeps its powers over an execve in this way only. */
static int keep_powers(struct err *e)
{
	struct __user_cap_data_struct data[2] = { 0 };

	if (get_caps(data) < 0 || set_inheritable(data, true) < 0)
		return err_sys(e, "keep the powers in the user namespace");
	for (unsigned cap = 0; cap < 64; cap++)
		if ((data[cap / 32].permitted >> cap % 32 & 1) != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return err_sys(e, "keep the powers in the user namespace");
	return 0;
}

static int mark_entered(struct err *e)
{
	AUTO_FREE char *text = xasprintf("%" PRIu64, namespace_inode());

	return setenv(ENTERED, text, 1) == 0 ? 0 : err_sys(e, "remember the user namespace");
}

int rootless_enter(const struct idmap *map, char *const *argv, struct err *e)
{
	AUTO_IDHELPER struct idhelper h = IDHELPER_EMPTY;

	if (idhelper_begin(&h, map, e) < 0 || unshare_users(e) < 0 || idhelper_map(&h, map, e) < 0)
		return err_wrap(e, "without root's powers");
	if (!rootless_may_mount())
		return err_set(e, ERR_DENIED, "without root's powers: this host gives no powers in a user namespace (kernel.apparmor_restrict_unprivileged_userns)");
	idhelper_done(&h);
	if (keep_powers(e) < 0 || mark_entered(e) < 0)
		return -1;
	/* From memory: the file may be the caller's own, who is root in there */
	return selfcopy_renew(argv, SELFCOPY_MEMFD, e);
}
