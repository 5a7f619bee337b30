/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a container's root is best composed: mount(2) with short names relative to the working directory,
 * or fsconfig(2); what fits in one page; what "volatile" saves and costs.
 */
#include "tests/spikes/spike.h"

enum { NAME_CHARS = 26, REPEATS = 21 };

static char dir[64];

static void make_layers(int n)
{
	char path[PATH_MAX], file[PATH_MAX + 8];

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/layers/%0*d", dir, NAME_CHARS, i);
		spike_mkdir(path);
		snprintf(file, sizeof(file), "%s/f%d", path, i);
		spike_write(file, "x");
	}
}

/* "lowerdir=…:…,upperdir=…,workdir=…" with @n layers named relative to layers/. */
static size_t options(char *buf, size_t size, int n, const char *extra)
{
	size_t len = (size_t)snprintf(buf, size, "lowerdir=");

	for (int i = 0; i < n; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%0*d", i ? ":" : "", NAME_CHARS, i);
	len += (size_t)snprintf(buf + len, size - len, ",upperdir=%s/c/upper,workdir=%s/c/work%s", dir, dir, extra);
	return len;
}

static void enter_layers(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/layers", dir);
	if (chdir(path) < 0)
		spike_die("chdir");
}

static const char *target(void)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/c/rootfs", dir);
	return path;
}

static void mount_relative(void *arg)
{
	int n = *(int *)arg;
	char buf[32768], what[128], file[PATH_MAX + 16];
	double t[REPEATS];
	size_t len = options(buf, sizeof(buf), n, "");
	struct stat st;

	spike_private_mounts();
	enter_layers();
	for (int i = 0; i < REPEATS; i++) {
		double from = spike_now_us();

		if (mount("overlay", target(), "overlay", 0, buf) < 0) {
			snprintf(what, sizeof(what), "mount(2), cwd layers/, %d layers, %zu bytes", n, len);
			spike_result(what, -1);
			return;
		}
		t[i] = spike_now_us() - from;
		snprintf(file, sizeof(file), "%s/f%d", target(), n - 1);
		if (stat(file, &st) < 0)
			spike_die("last layer is not visible");
		umount2(target(), MNT_DETACH);
	}
	snprintf(what, sizeof(what), "mount(2), cwd layers/, %d layers, %zu bytes", n, len);
	spike_say(what, "ok, median %.0f us", spike_median(t, REPEATS));
}

/* The cwd is taken along by clone; a directory fd of another mount namespace is not good enough. */
static void mount_from_foreign_cwd(void *arg)
{
	char buf[8192];
	int fd;

	(void)arg;
	enter_layers();
	fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	spike_private_mounts();
	options(buf, sizeof(buf), 3, "");
	spike_result("cwd entered before unshare(CLONE_NEWNS), mount after it",
		     mount("overlay", target(), "overlay", 0, buf));
	umount2(target(), MNT_DETACH);
	if (fchdir(fd) < 0)
		spike_die("fchdir");
	spike_result("fchdir to an fd opened in the other mount namespace, mount",
		     mount("overlay", target(), "overlay", 0, buf));
}

static int fsconfig_string(int fs, const char *key, const char *value)
{
	return fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0);
}

static void by_fsconfig(void *arg)
{
	const char *key = arg;
	char buf[8192], what[128], name[NAME_CHARS + 1], path[PATH_MAX];
	int n = strcmp(key, "lowerdir") == 0 ? 9 : 127, fs, fd = -1;
	double from = spike_now_us();
	long rc = 0;

	spike_private_mounts();
	enter_layers();
	fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (strcmp(key, "lowerdir") == 0) {
		size_t len = 0;

		for (int i = 0; i < n; i++)
			len += (size_t)snprintf(buf + len, sizeof(buf) - len, "%s%0*d", i ? ":" : "", NAME_CHARS, i);
		rc = fsconfig_string(fs, key, buf);
		snprintf(what, sizeof(what), "fsconfig(\"lowerdir\"), %d layers in one string of %zu bytes", n, len);
	} else {
		for (int i = 0; i < n && rc == 0; i++) {
			snprintf(name, sizeof(name), "%0*d", NAME_CHARS, i);
			rc = fsconfig_string(fs, key, name);
		}
		snprintf(what, sizeof(what), "fsconfig(\"lowerdir+\"), %d layers", n);
	}
	if (rc < 0) {
		spike_result(what, rc);
		return;
	}
	snprintf(path, sizeof(path), "%s/c/upper", dir);
	rc = fsconfig_string(fs, "upperdir", path);
	snprintf(path, sizeof(path), "%s/c/work", dir);
	rc = rc ? rc : fsconfig_string(fs, "workdir", path);
	rc = rc ? rc : fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (rc == 0)
		rc = fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (rc >= 0)
		rc = move_mount(fd, "", AT_FDCWD, target(), MOVE_MOUNT_F_EMPTY_PATH);
	if (rc < 0)
		spike_result(what, rc);
	else
		spike_say(what, "ok, %.0f us", spike_now_us() - from);
}

static void dirty(const char *at)
{
	char path[PATH_MAX + 16], block[65536];
	int fd;

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 64; i++) {
		snprintf(path, sizeof(path), "%s/dirty%d", at, i);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0 || write(fd, block, sizeof(block)) < 0)
			spike_die("dirty");
		close(fd);
	}
}

static void volatile_or_not(void *arg)
{
	const char *extra = arg;
	char buf[8192], what[128];
	double from;

	spike_private_mounts();
	enter_layers();
	options(buf, sizeof(buf), 3, extra);
	snprintf(what, sizeof(what), "umount with 4 MiB of fresh data%s", extra);
	/* What the layers' own creation left dirty is not ours. */
	sync();
	if (mount("overlay", target(), "overlay", 0, buf) < 0) {
		spike_result(what, -1);
		return;
	}
	dirty(target());
	from = spike_now_us();
	if (umount2(target(), 0) < 0)
		spike_die("umount");
	spike_say(what, "%.0f us", spike_now_us() - from);
}

static void volatile_twice(void *arg)
{
	char buf[8192], path[PATH_MAX];

	(void)arg;
	spike_private_mounts();
	enter_layers();
	options(buf, sizeof(buf), 3, ",volatile");
	spike_result("second mount of an upper directory that was mounted volatile",
		     mount("overlay", target(), "overlay", 0, buf));
	snprintf(path, sizeof(path), "%s/c/work/work/incompat/volatile", dir);
	spike_result("  rmdir work/work/incompat/volatile", rmdir(path));
	snprintf(path, sizeof(path), "%s/c/work/work/incompat", dir);
	spike_remove(path);
	spike_result("  once more, without work/work/incompat", mount("overlay", target(), "overlay", 0, buf));
}

static void twice_at_once(void *arg)
{
	char buf[8192], other[PATH_MAX];

	(void)arg;
	spike_private_mounts();
	enter_layers();
	options(buf, sizeof(buf), 3, "");
	snprintf(other, sizeof(other), "%s/c/second", dir);
	spike_mkdir(other);
	if (mount("overlay", target(), "overlay", 0, buf) < 0)
		spike_die("mount");
	spike_result("an upper directory in use, mounted a second time",
		     mount("overlay", other, "overlay", 0, buf));
}

/* All of it relative: neither the length nor a comma or colon in the data root's path matters. */
static void all_relative(void *arg)
{
	char buf[256];

	(void)arg;
	spike_private_mounts();
	enter_layers();
	snprintf(buf, sizeof(buf), "lowerdir=%0*d:%0*d,upperdir=../c/upper,workdir=../c/work", NAME_CHARS, 0,
		 NAME_CHARS, 1);
	spike_result("upperdir and workdir relative too, and the target ../c/rootfs",
		     mount("overlay", "../c/rootfs", "overlay", 0, buf));
}

static void wanted_options(void *arg)
{
	char buf[8192];

	spike_private_mounts();
	enter_layers();
	options(buf, sizeof(buf), 3, arg);
	spike_result(arg, mount("overlay", target(), "overlay", 0, buf));
}

int main(void)
{
	static const char *const parts[] = { "layers", "c", "c/upper", "c/work", "c/rootfs" };
	char path[PATH_MAX];
	int counts[] = { 1, 10, 64, 127, 145, 150 };

	spike_title("overlay");
	strcpy(dir, spike_dir());
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, parts[i]);
		spike_mkdir(path);
	}
	make_layers(150);
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		spike_in_child(mount_relative, &counts[i]);
	spike_in_child(mount_from_foreign_cwd, NULL);
	spike_in_child(all_relative, NULL);
	spike_in_child(by_fsconfig, "lowerdir");
	spike_in_child(by_fsconfig, "lowerdir+");
	spike_in_child(twice_at_once, NULL);
	spike_in_child(wanted_options, ",index=off,metacopy=off,redirect_dir=off,xino=off");
	spike_in_child(wanted_options, ",userxattr");
	spike_in_child(volatile_or_not, "");
	spike_in_child(volatile_or_not, ",volatile");
	spike_in_child(volatile_twice, NULL);
	spike_remove(dir);
	return 0;
}
