/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the stages walk, and the stages themselves (runtime/stage_*.c).
 *
 * The structs are filled by the plan builders before clone and only read afterwards, except for the identity
 * (struct stage_identity), which STAGE_USERS completes in the child's own copy of the memory. Stage functions
 * do not return on failure: they report once over the socket and _exit. They may call only each other and
 * thin wrappers of system calls (tests/lint/stage-calls.txt).
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/stage.h"

/* --- what is told to the parent -------------------------------------------------------------------------- */

enum stage_msg_kind { STAGE_MSG_FAILED = 1, STAGE_MSG_PTY = 2 };

struct stage_msg {
	uint32_t kind;     /* enum stage_msg_kind; PTY: one descriptor comes with it */
	uint32_t stage;    /* enum stage */
	int32_t exit_code; /* 125, 126, 127 */
	uint32_t pad;
	struct err err; /* sys != 0: the parent adds the text of errno */
};

/* The child's own state: who to report to and where it is. */
struct stage_ctx {
	int report_fd;
	enum stage at;
	int root_fd;     /* -1 until STAGE_MOUNTS */
	int dir_fd;      /* the directory of the last device or link made; -1 */
	const char *dir; /* its path */
	int mask_fd;     /* the shared empty tmpfs, attached; -1 */
	int null_fd;     /* the container's verified /dev/null; -1 */
	int tty_fd;      /* the terminal's own side; -1 */
};

/* --- mounts ------------------------------------------------------------------------------------------------ */

enum mount_kind {
	MOUNT_FS,       /* a new file system on target */
	MOUNT_BIND,     /* the detached mount fd on target */
	MOUNT_DEVICE,   /* a node in directory target */
	MOUNT_LINK,     /* a symbolic link in directory target */
	MOUNT_READONLY, /* what is there becomes read-only, by a bind on itself */
	MOUNT_SEAL,     /* the mount at target becomes read-only */
	MOUNT_MASK,     /* hidden behind an empty directory or /dev/null */
	MOUNT_KINDS_
};

struct mount_param {
	const char *key;
	const char *value; /* NULL: a flag */
};

struct mount_op {
	enum mount_kind kind;
	const char *target; /* absolute in the container */
	const char *name;   /* DEVICE, LINK: the name in target */
	const char *type;   /* FS: file system; LINK: where it points */
	const char *source; /* FS: source; BIND: where it was opened, for messages */
	const struct mount_param *params;
	size_t n_params;
	uint64_t attr_set;    /* MOUNT_ATTR_*; BIND: set before clone */
	uint64_t attr_clr;    /* BIND */
	uint64_t propagation; /* MS_PRIVATE … ; 0: as it comes (private) */
	bool is_recursive;    /* BIND: attributes and propagation of the whole tree */
	bool is_dir;          /* BIND: what target is made as when it is absent */
	bool allows_proc;     /* target may lie in procfs */
	int fd;               /* BIND: owned by the plan; -1 */
	mode_t mode;          /* DEVICE: with S_IFCHR, S_IFBLK or S_IFIFO */
	dev_t rdev;
	uid_t uid;
	gid_t gid;
};

struct root_plan {
	const char *overlay_options; /* NULL: a directory, see tree_fd */
	const char *layers_dir; /* overlay: working directory of the mount, in the child's own mount namespace */
	int tree_fd;      /* directory: detached mount; owned by the plan */
	const char *path; /* where the root is attached, in the child's mount namespace */
	bool is_readonly;
	uint64_t propagation; /* of the container's root; 0: private */
};

/* --- the process -------------------------------------------------------------------------------------------- */

#define IDENTITY_GROUPS_MAX 4096
#define IDENTITY_HOME_MAX   1024
#define IDENTITY_NAME_MAX   256

struct stage_identity {
	const char *text; /* "user[:group]", NULL: numbers in uid and gid */
	uint32_t uid, gid;
	uint32_t *groups; /* room for IDENTITY_GROUPS_MAX */
	size_t n_groups;  /* first the ones of the document */
	char *const *extra; /* names or numbers of more groups, looked up in the root */
	size_t n_extra;
	char *home;       /* "HOME=" and room for IDENTITY_HOME_MAX; NULL: env has HOME */
};

struct stage_rlimit {
	int resource;
	struct rlimit limit;
	const char *name;
};

struct stage_caps {
	uint64_t bounding, permitted, effective, inheritable, ambient;
	unsigned last; /* the highest capability that the kernel has */
};

struct process_plan {
	char *const *argv;
	char **env; /* NULL-terminated; a free slot before the end when identity.home is set */
	char **env_home_slot; /* where identity.home goes; NULL: env has HOME */
	const char *cwd;
	bool makes_cwd; /* create it when absent (launch), or fail (join) */
	struct stage_identity identity;
	struct stage_rlimit *rlimits;
	size_t n_rlimits;
	struct stage_caps caps;
	bool no_new_privs;
	struct sock_fprog filter;  /* len 0: none */
	const char *oom_score_adj; /* text, NULL: as it is */
	mode_t umask;
	bool tty;
	uint16_t height, width;
	int in_fd, out_fd, err_fd; /* borrowed; -1 with tty */
	bool wants_init;           /* Kiln's own init is PID 1 */
};

struct sysctl_op {
	const char *path; /* "sys/net/ipv4/ip_forward", in a procfs */
	const char *value;
};

struct launch_plan_stages {
	uint64_t clone_flags;  /* CLONE_NEW* */
	bool unshares_cgroup;  /* by itself, after the joins */
	const int *cgroup_fds; /* v1: each gets a "0" */
	size_t n_cgroup_fds;
	struct root_plan root;
	struct mount_op *ops;
	size_t n_ops;
	const char *hostname; /* NULL: as it is */
	const char *domainname;
	bool brings_lo_up;
	const struct sysctl_op *sysctls;
	size_t n_sysctls;
	struct process_plan process;
};

struct join_plan_stages {
	int pidfd;    /* borrowed */
	int ns_flags; /* CLONE_NEW*, those that differ */
	const int *cgroup_fds;
	size_t n_cgroup_fds;
	struct process_plan process;
};

/* --- the walks ----------------------------------------------------------------------------------------------- */

/* The child of launch(): walks all stages and executes the program; does not return */
_Noreturn void stage_launch(struct launch_plan_stages *plan, int report_fd);

/* The intermediate child of join(): enters, clones the program beside itself, and ends with 0 or 1 */
_Noreturn void stage_join(struct join_plan_stages *plan, int report_fd, pid_t *pid_slot);

/* --- reporting (stage_report.c) -------------------------------------------------------------------------------- */

/* Tell what was tried, as parts that end with NULL, with errno, and end. Exit code 125. */
_Noreturn void stage_die(const struct stage_ctx *c, const char *what, ...) __attribute__((sentinel));
/* The same with a kind instead of errno, and the exit code docker run shows */
_Noreturn void stage_refuse(const struct stage_ctx *c, enum err_kind kind, int exit_code, int sys,
			    const char *what, ...) __attribute__((sentinel));
/* Hand the terminal's master over */
void stage_send_pty(const struct stage_ctx *c, int master_fd);
/* The next stage begins; its number only grows */
void stage_enter(struct stage_ctx *c, enum stage at);

/* --- small helpers (stage_path.c); -1 with errno --------------------------------------------------------------- */

/* openat2 below root_fd: links stay inside, magic links do not work. Return: descriptor, or -1 with errno */
int stage_open_in_root(int root_fd, const char *path, uint64_t flags);
/* The same, and no link at all may be on the way. Return: descriptor, or -1 with errno */
int stage_open_plain(int root_fd, const char *path, uint64_t flags);
/* O_PATH descriptor of what a mount goes on, made (directory 0755 or empty file) when absent. Return: it, or -1 */
int stage_open_target(int root_fd, const char *path, bool wants_dir);
void stage_close(int fd);

/*
 * --- the stages, one or a few a file; each is described where it is. They return when all is well, or not at all ---
 */

/* PREPARE, and what of it the program of a join must repeat */
void stage_prepare(struct stage_ctx *c);
void stage_die_with_parent(struct stage_ctx *c);
void stage_oom_score(struct stage_ctx *c, const char *text);

/* CGROUP_JOIN and CGROUPNS */
void stage_cgroup(struct stage_ctx *c, const int *fds, size_t n, bool unshares);

/* MOUNTS, in this order, and PIVOT */
void stage_root(struct stage_ctx *c, const struct root_plan *root);
void stage_mounts(struct stage_ctx *c, const struct mount_op *ops, size_t n);
void stage_terminal(struct stage_ctx *c, const struct process_plan *p, bool wants_console);
void stage_seal_root(struct stage_ctx *c, const struct root_plan *root);
void stage_pivot(struct stage_ctx *c);

/* HOST */
void stage_host(struct stage_ctx *c, const struct launch_plan_stages *plan);

/* KEYRING to CAPS */
void stage_keyring(struct stage_ctx *c);
void stage_limits(struct stage_ctx *c, const struct process_plan *p);
void stage_users(struct stage_ctx *c, struct process_plan *p);
void stage_stdio(struct stage_ctx *c, const struct process_plan *p);
void stage_chdir(struct stage_ctx *c, const struct process_plan *p);
void stage_ids(struct stage_ctx *c, const struct process_plan *p);
void stage_seccomp(struct stage_ctx *c, const struct process_plan *p, enum stage at);
void stage_caps(struct stage_ctx *c, const struct process_plan *p);

/* EXEC: the program, or Kiln's own init with the program below it */
_Noreturn void stage_exec(struct stage_ctx *c, const struct process_plan *p);
_Noreturn void stage_init(struct stage_ctx *c, const struct process_plan *p);

/* From STAGE_KEYRING to the end: what a launch and a join have in common */
_Noreturn void stage_process(struct stage_ctx *c, struct process_plan *p);
