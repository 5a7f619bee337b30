/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault injection: linked into the programs by `make FAULTS=1`, and into nothing else.
 *
 * Theory of operation. The calls listed below are defined here, in the executable, which the dynamic linker searches before
 * libc: they count, fail when told so, and else go on to libc's. That reaches our own code and what SQLite, libcgroup,
 * jansson, libarchive and libseccomp call (others, above all libc and libuv, are left alone).
 *
 * A step is a *site*: the role of the process, the call, and the return addresses of the nearest of our own frames. Its
 * key does not depend on where the program was loaded, so that a driver (tests/faults/) lets an operation count its sites,
 * and then repeats it with each of them failing once. What the two share is a file that each process maps: forked and
 * cloned children keep the mapping through pivot_root and seccomp filters, and no system call is made to count.
 *
 * All wrapped calls take and return integers and pointers, at most six, which lie in registers: one shape fits them all.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_VARIABLE "KILN_FAULTS"
#define SITES_MAX     8192   /* a power of two */
#define KEY_FRAMES    4
#define FRAMES        8

enum role { ROLE_OTHER, ROLE_KILND, ROLE_LAUNCHER, ROLE_MONITOR, ROLE_INIT, ROLE_UNPACK };
enum mode { MODE_OFF, MODE_COUNT, MODE_FAIL };

/* tests/faults/faults.py has the same layout. */
struct site {
	_Atomic uint64_t key;        /* 0: free */
	_Atomic uint32_t hits;
	uint32_t role;
	char call[24];
	uint32_t object;             /* 0: our program; else a library, by its place in `objects` */
	uint32_t n_frames;
	uint64_t frames[FRAMES];     /* offsets in the object; the nearest first */
};
struct shared {
	_Atomic uint32_t mode;
	int32_t error;               /* the errno */
	_Atomic uint64_t target;     /* the site that fails */
	uint32_t nth;                /* which of its hits; 0: all of them */
	_Atomic uint32_t hits;       /* of the target, since it was armed */
	_Atomic uint32_t fired;
	uint32_t pad;
	struct site sites[SITES_MAX];
};

/* Whose calls may fail. */
static const char *const objects[] = { "", "libsqlite3", "libcgroup", "libjansson", "libarchive", "libseccomp" };
#define OBJECTS (sizeof objects / sizeof objects[0])

static struct {
	struct shared *shared;
	enum role role;
	uintptr_t begin[OBJECTS], end[OBJECTS];
	char variable[256];          /* "KILN_FAULTS=path", for the programs that we start */
} here;

/* --- set up ---------------------------------------------------------------------------------------- */

static int note_object(struct dl_phdr_info *info, size_t size, void *ctx)
{
	size_t at = 0;

	(void)size;
	(void)ctx;
	while (at < OBJECTS && (at == 0 ? info->dlpi_name[0] != '\0' : !strstr(info->dlpi_name, objects[at])))
		at++;
	for (int i = 0; at < OBJECTS && i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		here.begin[at] = info->dlpi_addr;
		here.end[at] = info->dlpi_addr + p->p_vaddr + p->p_memsz;
	}
	return 0;
}

static enum role role_of(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');

	name = name ? name + 1 : argv[0];
	if (strcmp(name, "kilnd") == 0)
		return ROLE_KILND;
	if (argc > 1 && strcmp(argv[1], "launcher") == 0)
		return ROLE_LAUNCHER;
	return argc > 1 && strcmp(argv[1], "unpack") == 0 ? ROLE_UNPACK : ROLE_OTHER;
}

__attribute__((constructor)) static void set_up(int argc, char **argv)
{
	const char *path = getenv(FILE_VARIABLE);
	void *p;
	int fd;

	if (!path || strlen(path) + sizeof FILE_VARIABLE + 1 > sizeof here.variable)
		return;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return;
	dl_iterate_phdr(note_object, NULL);
	here.role = role_of(argc, argv);
	strcpy(stpcpy(here.variable, FILE_VARIABLE "="), path);   /* lint: banned-calls measured above */
	here.shared = p;
}

/* --- sites ----------------------------------------------------------------------------------------- */

/* Our own code has frame pointers, so a frame is read only when the return address into it is ours. */
static uint32_t walk(void **frame, uint64_t *frames)
{
	uint32_t n = 0;

	while (n < FRAMES && frame) {
		uintptr_t at = (uintptr_t)frame[1];

		if (at < here.begin[0] || at >= here.end[0])
			break;
		frames[n++] = at - here.begin[0];
		frame = frame[0];
	}
	return n;
}

/* A child that shares its parent's memory (runtime/clone_shared.c) has no role of its own there: its stack begins with no frame. */
static bool is_shared_child(void **frame)
{
	for (int depth = 0; frame && depth < 64; depth++) {
		if ((uintptr_t)frame[1] < here.begin[0] || (uintptr_t)frame[1] >= here.end[0])
			return false;
		frame = frame[0];
	}
	return !frame;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

/* Return: whose call it is, and where it came from; false for one that is left alone */
static bool locate(void **frame, const char *call, struct site *ret)
{
	uintptr_t from = (uintptr_t)frame[1];
	uint64_t key;

	for (ret->object = 0; ret->object < OBJECTS; ret->object++) {
		if (from >= here.begin[ret->object] && from < here.end[ret->object])
			break;
	}
	if (ret->object == OBJECTS)
		return false;
	ret->role = ret->object == 0 && is_shared_child(frame) ? ROLE_INIT : here.role;
	key = mix(ret->role, 1);
	ret->frames[0] = from - here.begin[ret->object];
	ret->n_frames = ret->object == 0 ? walk(frame, ret->frames) : 1;
	for (const char *c = call; *c; c++)
		key = mix(key, (unsigned char)*c);
	key = mix(key, ret->object);
	for (uint32_t i = 0; i < ret->n_frames && i < KEY_FRAMES; i++)
		key = mix(key, ret->frames[i]);
	ret->key = key ? key : 1;
	return true;
}

static void note(const struct site *s, const char *call)
{
	struct site *all = here.shared->sites;

	for (uint64_t i = s->key, tries = 0; tries < SITES_MAX; i++, tries++) {
		struct site *at = &all[i % SITES_MAX];
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&at->key, &none, s->key)) {
			at->role = s->role;
			strncpy(at->call, call, sizeof at->call - 1);
			at->object = s->object;
			at->n_frames = s->n_frames;
			memcpy(at->frames, s->frames, sizeof at->frames);
		} else if (none != s->key) {
			continue;
		}
		atomic_fetch_add(&at->hits, 1);
		return;
	}
}

/* Return: true when this call is to fail; errno is set */
static bool fails(const char *call, void **frame)
{
	struct shared *s = here.shared;
	uint32_t mode = s ? atomic_load(&s->mode) : MODE_OFF;
	struct site site;

	if (mode == MODE_OFF || !locate(frame, call, &site))
		return false;
	if (mode == MODE_COUNT) {
		note(&site, call);
		return false;
	}
	if (site.key != atomic_load(&s->target))
		return false;
	if (s->nth != 0 && atomic_fetch_add(&s->hits, 1) + 1 != s->nth)
		return false;
	atomic_fetch_add(&s->fired, 1);
	errno = s->error;
	return true;
}

/* --- the calls ------------------------------------------------------------------------------------- */

typedef long (*real_fn)(long, long, long, long, long, long);

static real_fn find(const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);
	real_fn fn;

	if (!p)
		abort();
	memcpy(&fn, &p, sizeof fn);
	return fn;
}

#define WRAP(name, failed)                                                                              \
	long fault_##name(long a, long b, long c, long d, long e, long f) __asm__(#name);               \
	long fault_##name(long a, long b, long c, long d, long e, long f)                               \
	{                                                                                               \
		static real_fn real;                                                                    \
		\
		if (!real)                                                                              \
			real = find(#name);                                                             \
		return fails(#name, __builtin_frame_address(0)) ? (failed) : real(a, b, c, d, e, f);    \
	}
#define ONE(name)   WRAP(name, -1)           /* -1 and errno */
#define NIL(name)   WRAP(name, 0)            /* NULL and errno */
#define CODE(name)  WRAP(name, errno)        /* the errno itself */

ONE(open) ONE(open64) ONE(openat) ONE(openat64) ONE(creat64) ONE(read) ONE(write) ONE(writev) ONE(readv)
ONE(pread) ONE(pread64) ONE(pwrite) ONE(pwrite64) ONE(lseek) ONE(lseek64) ONE(fsync) ONE(fdatasync) ONE(syncfs)
ONE(ftruncate) ONE(ftruncate64) ONE(fallocate) ONE(fallocate64) ONE(fstat) ONE(fstat64) ONE(stat) ONE(stat64)
ONE(lstat) ONE(lstat64) ONE(fstatat) ONE(fstatat64) ONE(statx) ONE(fstatfs64) ONE(fstatvfs64) ONE(statfs64)
ONE(mkdir) ONE(mkdirat) ONE(mknodat) ONE(linkat) ONE(symlinkat) ONE(unlink) ONE(unlinkat) ONE(rmdir)
ONE(rename) ONE(renameat) ONE(renameat2) ONE(readlink) ONE(readlinkat) ONE(chmod) ONE(fchmod) ONE(fchmodat)
ONE(chown) ONE(fchown) ONE(fchownat) ONE(futimens) ONE(utimensat) ONE(fsetxattr) ONE(chdir) ONE(fchdir) ONE(access)
ONE(ioctl) ONE(dup2) ONE(dup3) ONE(pipe2) ONE(memfd_create) ONE(sendfile64)
ONE(socket) ONE(socketpair) ONE(connect) ONE(bind) ONE(listen) ONE(accept4) ONE(getsockopt)
ONE(send) ONE(sendto) ONE(sendmsg) ONE(recv) ONE(recvmsg) ONE(poll) ONE(signalfd) ONE(inotify_init1)
ONE(inotify_add_watch) ONE(mount) ONE(umount2) ONE(fsopen) ONE(fsconfig) ONE(fsmount) ONE(open_tree)
ONE(move_mount) ONE(mount_setattr) ONE(unshare) ONE(setns) ONE(sethostname) ONE(setdomainname) ONE(prctl)
ONE(prlimit64) ONE(setrlimit64) ONE(getrlimit64) ONE(pidfd_open) ONE(pidfd_send_signal)
ONE(execve) ONE(vasprintf) ONE(mmap) ONE(mmap64)
NIL(opendir) NIL(fdopendir) NIL(readdir) NIL(readdir64) NIL(fopen) NIL(fopen64) NIL(setmntent)
NIL(strdup) NIL(strndup)
CODE(pthread_create)

/* Flags of an open descriptor can always be had and set. */
#define CONTROL(name)                                                                                   \
	long fault_##name(long fd, long command, long c) __asm__(#name);                                \
	long fault_##name(long fd, long command, long c)                                                \
	{                                                                                               \
		static real_fn real;                                                                    \
		bool may_fail = command == F_DUPFD || command == F_DUPFD_CLOEXEC || command == F_ADD_SEALS; \
		\
		if (!real)                                                                              \
			real = find(#name);                                                             \
		return may_fail && fails(#name, __builtin_frame_address(0)) ? -1 : real(fd, command, c, 0, 0, 0); \
	}
CONTROL(fcntl) CONTROL(fcntl64)

/* libc finds its own functions with these. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	return fails("malloc", __builtin_frame_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails("calloc", __builtin_frame_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return fails("realloc", __builtin_frame_address(0)) ? NULL : __libc_realloc(p, n);
}

/* --- those that make processes, and the one with a number --------------------------------------------- */

long fault_fork(void) __asm__("fork");
long fault_fork(void)
{
	static real_fn real;
	long pid;

	if (!real)
		real = find("fork");
	if (fails("fork", __builtin_frame_address(0)))
		return -1;
	pid = real(0, 0, 0, 0, 0, 0);
	if (pid == 0 && here.role == ROLE_LAUNCHER)
		here.role = ROLE_MONITOR;
	return pid;
}

/* The programs that kilnd starts get an environment of their own, and ours with it. */
int fault_posix_spawn(pid_t *pid, const char *path, void *actions, void *attr, char **argv, char **envp)
	__asm__("posix_spawn");
int fault_posix_spawn(pid_t *pid, const char *path, void *actions, void *attr, char **argv, char **envp)
{
	static real_fn real;
	char *env[64];
	size_t n = 0;

	if (!real)
		real = find("posix_spawn");
	if (fails("posix_spawn", __builtin_frame_address(0)))
		return errno;
	for (; envp[n] && n < 62; n++)
		env[n] = envp[n];
	env[n++] = here.variable;
	env[n] = NULL;
	return (int)real((long)pid, (long)path, (long)actions, (long)attr, (long)argv, (long)(here.shared ? env : envp));
}

static const char *call_name(long number)
{
	switch (number) {
	case SYS_clone3: return "clone3";
	case SYS_clone: return "clone";
	case SYS_openat2: return "openat2";
	case SYS_pidfd_open: return "pidfd_open";
	case SYS_pidfd_send_signal: return "pidfd_send_signal";
	case SYS_pivot_root: return "pivot_root";
	case SYS_bpf: return "bpf";
	case SYS_seccomp: return "seccomp";
	case SYS_capset: return "capset";
	case SYS_setgroups: return "setgroups";
	case SYS_setresgid: return "setresgid";
	case SYS_setresuid: return "setresuid";
	case SYS_keyctl: return "keyctl";
	case SYS_getcwd: return "getcwd";
	case SYS_socket: return "socket";
	case SYS_rt_sigaction: return "rt_sigaction";
	case SYS_open_tree: return "open_tree";
	case SYS_mount_setattr: return "mount_setattr";
	case SYS_move_mount: return "move_mount";
	default: return NULL;        /* is not made to fail */
	}
}

long fault_syscall(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");
long fault_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	static long (*real)(long, long, long, long, long, long, long);
	const char *name = call_name(number);
	long rc;

	if (!real) {
		void *p = dlsym(RTLD_NEXT, "syscall");

		memcpy(&real, &p, sizeof real);
	}
	if (name && fails(name, __builtin_frame_address(0)))
		return -1;
	rc = real(number, a, b, c, d, e, f);
	if (rc == 0 && (number == SYS_clone3 || number == SYS_clone))
		here.role = here.role == ROLE_LAUNCHER ? ROLE_MONITOR : ROLE_INIT;
	return rc;
}
