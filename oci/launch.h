/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launch and exec documents: what kilnd asks of the launcher, as JSON in a sealed memfd.
 *
 * They wrap the OCI runtime configuration and add what the specification has no word for: the overlay's
 * layers, the log, the wiring of stdio, the user as text. kilnd writes them (oci/bundle.c), the forked
 * child of the launcher reads them (runtime/). One schema table for both.
 *
 * Mount sources in config.mounts[]: "fd:N" is the N-th bind descriptor of the message (a detached mount
 * made by kilnd with open_tree in the host's namespace); "fd:N:/path" is what the process whose pidfd that is has at
 * that path, which must be memory (tmpfs); an absolute path must lie below data_root. Paths of namespaces may be "fd:N"
 * too: runtime/namespaces.h.
 */
#pragma once

#include "base/json.h"
#include "oci/runtime_config.h"

/* How the container's (or exec's) stdio is wired. */
struct launch_stdio {
	bool tty;
	bool open_stdin;                 /* keep stdin open; else /dev/null */
	bool stdin_once;                 /* close stdin when the first attached client's input ends */
	uint32_t height, width;          /* initial terminal size; 0: unset */
	uint64_t capture_bytes;          /* keep the first n bytes of output and report them with the exit (health checks) */
	char *log_path;                  /* json-file to append to; "" or NULL: none */
	uint64_t log_max_bytes;          /* of one file; 0: never rotated */
	uint32_t log_max_files;          /* with the one that is written; "<logPath>.1" is the one before it */
	char *log_attrs;                 /* JSON object that each line gets; "" or NULL: none */
	char *detach_keys;               /* bytes, default "\x10\x11"; applied to tty input of attached clients */
};

struct launch_spec {
	uint32_t version;                /* LAUNCH_VERSION */
	char *id;                        /* 64 hex digits */
	struct oci_config *config;       /* the OCI runtime configuration */
	char *user;                      /* "user[:group]" by name or number, resolved inside the root; "": 0:0 */
	struct str_list groups;          /* more supplementary groups, names or numbers, resolved inside the root */
	char *data_root;                 /* absolute */
	char *layers_dir;                /* absolute; working directory of the overlay mount */
	struct str_list lowers;          /* names in layers_dir, the top layer first; never empty */
	char *container_dir;             /* absolute; holds upper, work, rootfs */
	bool volatile_upper;             /* overlay option "volatile" */
	char *cgroup_path;               /* below each hierarchy's root: "/kiln/<id>" */
	char *cgroup_root;               /* groups above cgroup_path that are made, but not these, go with the container; "": none */
	char *cgroup_owner;              /* what the group is marked with (CGROUP_OWNER_XATTR); "": nothing */
	uint64_t rt_period_usec, rt_runtime_usec;   /* real time that the groups above get, where they have less; 0: nothing is done */
	char *seccomp_profile;           /* "default", "unconfined", or the text of a profile in Docker's format */
	bool init;                       /* run Kiln's own tiny init as PID 1 */
	struct launch_stdio *stdio;
	char *socket_path;               /* the monitor's socket, absolute, in a 0700 directory */
	const char *filters_dir;         /* not in the document: where the command line keeps compiled filters; NULL: nowhere */
	bool cgroup_is_made;             /* the same: systemd has made the group */
	bool is_rootless;                /* nor these: there is no power over the host (runtime/rootless.h), */
	bool has_entered;                /* we are in the container's own user namespace already, */
	bool keeps_groups;               /* and nobody in there may change supplementary groups */
};

struct exec_spec {
	uint32_t version;
	char *id;                        /* the exec's ID, 64 hex digits */
	char *container_id;
	struct oci_process *process;     /* args, env, cwd, capabilities, noNewPrivileges, rlimits */
	char *user;
	struct str_list groups;
	char *cgroup_path;
	char *seccomp_profile;
	struct launch_stdio *stdio;
	char *data_root;
	char *socket_path;
	uint64_t timeout_ms;             /* SIGKILL after this long; 0: never */
	bool has_own_pids;               /* the container shares its process IDs with nobody above it */
	const struct oci_seccomp *seccomp;   /* not in the document: the command line's filter, when seccomp_profile is NULL */
	const struct oci_linux *lin;         /* the same: what else of it every process of the container has */
	const char *filters_dir;             /* the same as in a launch */
	bool is_rootless;                /* not in the document: there is no power over the host (runtime/rootless.h), */
	bool keeps_groups;               /* and nobody in the container may change supplementary groups */
	bool must_not_trace;             /* not in the document: who made the container may be in its user namespace, seen by its processes */
};

/*
 * A document never crosses builds: kilnd replaces a launcher of another build before it launches anything, and a monitor
 * reads its own once. So fields come and go with both sides; the number is raised when the same field means another thing.
 */
#define LAUNCH_VERSION   1
/* On each directory of a container's group, from before its first process: whose it is. kilnd cleans no other ones. */
#define CGROUP_OWNER_XATTR "trusted.kiln.owner"
#define CGROUP_OWNER_MAX   128
#define LAUNCH_MAX_BYTES (4u << 20)

extern const struct jschema launch_spec_schema;
extern const struct jschema exec_spec_schema;
