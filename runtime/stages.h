/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the stages walk, and the stages themselves (runtime/stage_*.c).
 *
 * The structs are filled by the plan builders before clone and only read afterwards, except for the identity
 * (struct stage_identity), which STAGE_USERS completes; the memory may be the parent's (clone_shared.h), which does not look
 * at it again. Stage functions
 * do not return on failure: they report once over the socket and _exit. They may call only each other and
 * thin wrappers of system calls (tests/lint/stage-calls.txt).
 */
#pragma once

#include <linux/filter.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/idmap.h"
#include "runtime/stage.h"

/* --- what is told to the parent -------------------------------------------------------------------------- */

enum stage_msg_kind { STAGE_MSG_FAILED = 1, STAGE_MSG_PTY = 2, STAGE_MSG_HOOKS = 3, STAGE_MSG_LOCK = 4, STAGE_MSG_LISTENER = 5 };

struct stage_msg {
	uint32_t kind;     /* enum stage_msg_kind; PTY, LISTENER: one descriptor comes with it; HOOKS, LISTENER: answered by a byte; LOCK: by a byte and a mount namespace */
	uint32_t stage;    /* enum stage */
	int32_t exit_code; /* 125, 126, 127 */
	int32_t number;    /* LISTENER without a descriptor: the one that it has in the sender */
	struct err err; /* sys != 0: the parent adds the text of errno */
};

#define STAGE_CTX(fd)                                                                         \
	{                                                                                     \
		.report_fd = (fd), .root_fd = -1, .dir_fd = -1, .proc_fd = -1, .sys_fd = -1,  \
		.sysctl_fd = -1, .mask_fd = -1, .null_fd = -1, .tty_fd = -1, .lsm_fd = -1, .listener_fd = -1   \
	}

/* The child's own state: who to report to and where it is. */
struct stage_ctx {
	int report_fd;
	enum stage at;
	int root_fd;     /* -1 until STAGE_MOUNTS */
	int dir_fd;      /* the directory of the last device or link made; -1 */
	const char *dir; /* its path */
	int proc_fd;     /* what is mounted on /proc and on /sys; -1: nothing of the kernel's */
	int sys_fd;
	int sysctl_fd;   /* "sys" in the container's procfs, below what is mounted on it, until STAGE_HOST; -1: nobody could write there */
	int mask_fd;     /* the shared empty tmpfs, attached; -1 */
	int null_fd;     /* the container's verified /dev/null; -1 */
	int tty_fd;      /* the terminal's own side; -1 */
	int lsm_fd;      /* where init is to confine itself; -1 */
	bool has_told_listener; /* the parent's answer to that is still to come */
	int listener_fd; /* by which the seccomp filter asks an agent, until the parent has fetched it; -1 */
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
	uint64_t below_set, below_clr; /* BIND: the same for all that is mounted below, too */
	uint64_t propagation; /* MS_PRIVATE … ; 0: as it comes (private) */
	bool is_recursive;    /* BIND: with what is mounted below; the propagation holds there as well */
	bool is_dir;          /* BIND: what target is made as when it is absent */
	const char *inside;   /* BIND: fd is a pidfd, and this the place in its process's mount namespace; NULL: fd is the mount */
	struct idmap map;     /* BIND: whose files they are; set before clone */
	bool maps_below;      /* BIND: with what is mounted below */
	bool is_group;        /* BIND: source is a directory of the container's own control group */
	bool is_device;       /* BIND: source must be the device of mode and rdev */
	bool is_foreign;      /* FS: it shows a namespace that is not the container's own: made beforehand, by who has power over that */
	bool copies_up;       /* FS: what is at target is copied into it */
	bool has_mode;        /* FS: a parameter says its mode */
	bool allows_proc;     /* target may lie in procfs */
	int fd;               /* BIND: owned by the plan; FS: its detached mount, owned by the plan, where it was made beforehand: is_foreign, or by a stem; -1 */
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
	bool no_pivot;        /* move it over "/" and chroot */
	uint64_t propagation; /* of the container's root; 0: private */
};

/* --- hooks ------------------------------------------------------------------------------------------------- */

struct hook_op {
	const char *path; /* absolute */
	char *const *argv, *const *envp;
	int64_t timeout_ms; /* 0: none */
};

/* Those of one kind. Empty value: {0} */
struct hook_plan {
	const char *what; /* "createContainer" */
	const struct hook_op *ops;
	size_t n;
	const char *state; /* JSON, up to the number of the process, which is its last */
	size_t n_state;
	const char *cwd; /* NULL: where we are */
	const char *files[2]; /* what they write as 1 and 2 is appended to; NULL: kept for messages */
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
	bool keeps_groups; /* those of the caller stay instead: it is asked for, or the user namespace lets nobody change them */
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

#define CPU_MASK_BITS  8192
#define NODE_MASK_BITS 1024

/* A set of numbers, as the kernel takes them. */
struct stage_bits {
	unsigned long *v; /* NULL: nothing is set */
	size_t n_bits;
};

/* Where and when it runs. Empty value: {0}, nothing is done */
struct stage_sched {
	bool has_attr;
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
		uint32_t util_min, util_max;
	} attr; /* the kernel's struct sched_attr */
	const char *policy; /* for messages */
	int io_priority;    /* class and level as ioprio_set(2) has them; 0: as it is */
	struct stage_bits initial_cpus, final_cpus; /* before the groups are joined, and after */
	bool has_personality;
	unsigned long personality;
	bool has_memory;
	int memory_mode; /* with flags */
	struct stage_bits memory_nodes;
};

/* How a created program waits for `start`: both are FIFOs, open for reading and writing. -1: it does not wait */
struct stage_wait {
	int start_fd;  /* one byte lets it go on */
	int report_fd; /* takes what goes wrong from then on; execve closes it */
};

/* A word to a security module about the next execve. */
struct lsm_op {
	const char *what;     /* for messages: "AppArmor profile" */
	const char *name;     /* "docker-default" */
	const char *files[2]; /* below a procfs; the second where the first is not there; NULL: none */
	const char *text;     /* what is written there */
	const char *init_files[2]; /* the same for Kiln's own init, which executes nothing; NULL: nothing is done */
	const char *init_text;
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
	uint32_t filter_flags;     /* SECCOMP_FILTER_FLAG_* */
	bool has_listener;         /* the filter asks an agent, by a descriptor that the parent gets */
	bool tells_listener;       /* by its number: the filter does not let it be sent */
	const struct lsm_op *lsm;
	size_t n_lsm;
	struct stage_sched sched;
	const char *oom_score_adj; /* text, NULL: as it is */
	mode_t umask;
	bool tty;
	uint16_t height, width;
	int in_fd, out_fd, err_fd; /* borrowed; -1 with tty */
	bool wants_init;           /* Kiln's own init is PID 1 */
	struct hook_plan start_hooks; /* in the container, before the program */
	bool is_registered; /* the parent says by one byte that it has written down who we are (launch_watch.cloned) */
	unsigned n_preserve; /* descriptors from 3 on that the program gets, too */
	bool keeps_keyring;  /* the session keyring of the parent */
	struct stage_wait wait;
	atomic_uint *is_independent; /* set when it no longer dies with its parent; NULL: nobody looks */
};

struct sysctl_op {
	const char *path; /* "sys/net/ipv4/ip_forward", in a procfs */
	const char *value;
};

/* A namespace that is entered instead of made. */
struct namespace_join {
	const char *type;   /* as the configuration calls it: "ipc" */
	const char *source; /* "/proc/1/ns/ipc", "fd:3" */
	int flag;           /* CLONE_NEW* */
	int fd;             /* its file, or the pidfd of a process in it; owned by the plan; -1 */
};

struct launch_plan_stages {
	uint64_t clone_flags;  /* CLONE_NEW* */
	bool has_users;        /* a user namespace, made or entered */
	bool goes_between;     /* beside it, what takes power over others: by a process between (stage_between.c) */
	struct idmap user_map; /* of the user namespace; n_uids 0: it is the parent's */
	bool has_entered_users; /* not has_users, but the parent is in the container's already: only its root is to be become */
	struct namespace_join *joins;
	size_t n_joins;
	bool unshares_time;    /* by itself: its clocks are set before it enters */
	const char *time_offsets; /* lines for the kernel; NULL: the clocks of the host */
	bool unshares_cgroup;  /* by itself, after the joins */
	const int *cgroup_fds; /* v1: each gets a "0" */
	size_t n_cgroup_fds;
	struct root_plan root;
	struct mount_op *ops;
	size_t n_ops;
	bool asks_hooks;        /* the parent has hooks to run */
	struct hook_plan hooks; /* in the container's namespaces, before the pivot */
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
	bool becomes_first; /* the intermediate becomes the program, and only then clones it */
	const int *cgroup_fds;
	size_t n_cgroup_fds;
	struct process_plan process;
};

/* --- the walks ----------------------------------------------------------------------------------------------- */

/* The child of launch(): walks all stages and executes the program; does not return */
_Noreturn void stage_launch(struct launch_plan_stages *plan, int report_fd);

/* The child between: enters what is not fresh, clones the one that walks all stages beside itself, and ends with 0 or 125 */
_Noreturn void stage_between(struct launch_plan_stages *plan, int report_fd, pid_t *pid_slot);

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
/* The same with the listener of the filter that is loaded; the parent's answer is heard later (stage_listener_taken) */
void stage_send_listener(struct stage_ctx *c, int listener_fd, bool by_number);
/* Wait for the parent's byte; without it nobody knows of us, and this is the end (stage_wait.c) */
void stage_hear_parent(const struct stage_ctx *c);
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
/* Bring the loopback interface up (stage_host.c). Return: 0, or -1 with errno */
int stage_lo_up(void);

/* A few descriptors in order; those below 3 are never among them. (stage_keep.c) */
#define STAGE_KEEP_MAX 32
struct stage_keep {
	int fds[STAGE_KEEP_MAX];
	size_t n;
};
void stage_keep_fd(struct stage_keep *k, int fd);
/* Close all descriptors from @from on but these */
void stage_close_others(const struct stage_keep *k, unsigned from);

/*
 * --- the stages, one or a few a file; each is described where it is. They return when all is well, or not at all ---
 */

/* PREPARE, and what of it the program of a join must repeat */
void stage_prepare(struct stage_ctx *c);
void stage_die_with_parent(struct stage_ctx *c);
void stage_oom_score(struct stage_ctx *c, const char *text);

/* In a user namespace of the container's own: PREPARE, then MOUNTS behind the root (launch) or NAMESPACES (join) */
void stage_wait_mapped(const struct stage_ctx *c);
void stage_become_root(struct stage_ctx *c, bool keeps_groups);
/* The same, behind PIVOT: nobody in there can undo a mount, or what it is made with */
void stage_lock_mounts(struct stage_ctx *c, struct launch_plan_stages *plan);

/* CGROUP_JOIN and CGROUPNS */
void stage_cgroup(struct stage_ctx *c, const int *fds, size_t n, bool unshares);

/* NAMESPACES of a launch, or of what goes between */
void stage_enter_namespace(const struct stage_ctx *c, const struct namespace_join *j);
void stage_namespaces(struct stage_ctx *c, const struct launch_plan_stages *plan);

/* MOUNTS, in this order, and PIVOT */
void stage_root(struct stage_ctx *c, const struct root_plan *root);
/* A new file system. Return: its detached mount */
int stage_new_fs(const struct stage_ctx *c, const struct mount_op *op);
void stage_mounts(struct stage_ctx *c, const struct mount_op *ops, size_t n);
/* tmpcopyup, into a mount that is not attached yet (stage_copy.c) */
void stage_copy_up(const struct stage_ctx *c, const struct mount_op *op, int target_fd, int mount_fd);
void stage_terminal(struct stage_ctx *c, const struct process_plan *p, bool wants_console);
void stage_seal_root(struct stage_ctx *c, const struct root_plan *root);
void stage_pivot(struct stage_ctx *c, const struct root_plan *root);
void stage_share_root(struct stage_ctx *c, const struct root_plan *root);

/* HOOKS, and START behind WAIT */
void stage_hooks(struct stage_ctx *c, struct launch_plan_stages *plan);
void stage_start_hooks(struct stage_ctx *c, const struct process_plan *p);

/* How a hook has ended. */
#define HOOK_OUTPUT_MAX 200
#define HOOK_END_MAX    64
struct stage_hook_end {
	int status;   /* as wait(2) has it */
	bool is_late; /* killed after its timeout */
	char output[HOOK_OUTPUT_MAX]; /* the last of what it has written; control characters are spaces */
};
/* Run one, also in the parent. Return: 0 when it has ended, or -1 with errno when it could not be executed */
int stage_run_hook(const struct hook_plan *plan, const struct hook_op *op, pid_t pid, struct stage_hook_end *end);
/* Has it failed? In words. Return: that */
bool stage_hook_failed(const struct stage_hook_end *end, char out[HOOK_END_MAX]);

/* That we are written down is heard before anything else, and once */
void stage_hear_registered(const struct stage_ctx *c, struct process_plan *p);
/* Decimal digits, at the end of @room. Return: where they begin */
const char *stage_number(unsigned long v, char room[24]);

/* HOST */
void stage_host(struct stage_ctx *c, const struct launch_plan_stages *plan);

/* KEYRING to WAIT */
void stage_keyring(struct stage_ctx *c, const struct process_plan *p);
void stage_limits(struct stage_ctx *c, const struct process_plan *p);
/* Hard limits that @pid (0: we) has no power to raise any more, by who still has it; also in the parent */
void stage_raise_limits(pid_t pid, const struct process_plan *p);
void stage_lsm(struct stage_ctx *c, const struct process_plan *p);
void stage_scheduling(struct stage_ctx *c, const struct stage_sched *s);
/* Before CGROUP_JOIN of a join */
void stage_initial_cpus(struct stage_ctx *c, const struct stage_sched *s);
void stage_lsm_init(struct stage_ctx *c, const struct process_plan *p);
/* A procfs that nobody else can see. Return: its detached mount; it does not return on failure */
int stage_own_proc(const struct stage_ctx *c);
void stage_users(struct stage_ctx *c, struct process_plan *p);
void stage_stdio(struct stage_ctx *c, const struct process_plan *p);
void stage_chdir(struct stage_ctx *c, const struct process_plan *p);
void stage_ids(struct stage_ctx *c, const struct process_plan *p);
void stage_seccomp(struct stage_ctx *c, const struct process_plan *p, enum stage at);
void stage_caps(struct stage_ctx *c, const struct process_plan *p);
void stage_let_go(struct stage_ctx *c, const struct process_plan *p);
void stage_lookup(struct stage_ctx *c, const struct process_plan *p);
void stage_listener_taken(struct stage_ctx *c);
void stage_wait(struct stage_ctx *c, const struct process_plan *p);

/* LOOKUP: refuse what STAGE_EXEC is going to refuse, as far as one sees without executing it (stage_exec.c) */
void stage_find_program(const struct stage_ctx *c, const struct process_plan *p);

/* EXEC: the program, or Kiln's own init with the program below it */
_Noreturn void stage_exec(struct stage_ctx *c, const struct process_plan *p);
_Noreturn void stage_init(struct stage_ctx *c, const struct process_plan *p);

/* Lead a session, with the terminal when there is one */
void stage_session(struct stage_ctx *c, const struct process_plan *p);
