/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of isolation: the numbered stages that a new process walks between clone and exec.
 *
 * Both sides know the numbers; what a child reports carries the stage in which it failed, and a number that
 * goes backwards is a bug. The code of the stages is in runtime/stage_*.c, declared in runtime/stages.h: no
 * malloc, stdio, NSS, locale, logging or locks there, only stage_* functions and system calls.
 * docs/isolation.md tells why the order is this one.
 */
#pragma once

enum stage {
	STAGE_NONE = 0,    /* before clone */
	STAGE_PREPARE = 1, /* signals, death with the parent, not dumpable, OOM score */
	STAGE_CGROUP_JOIN, /* the process joins its groups by itself (v1; v2 is done by clone) */
	STAGE_CGROUPNS,    /* after all joins, so that the groups are the namespace's roots */
	STAGE_NAMESPACES,  /* those that are entered; fresh ones are there since the clone */
	STAGE_MOUNTS,      /* root, mounts, devices, terminal, masked and read-only paths */
	STAGE_HOOKS,  /* of the runtime, by the parent; then of the container, by the process */
	STAGE_PIVOT,
	STAGE_HOST, /* host name, loopback, system controls */
	STAGE_KEYRING,
	STAGE_USERS, /* names become numbers, by the root's own /etc/passwd and /etc/group */
	STAGE_STDIO, /* descriptors 0, 1, 2 and the controlling terminal */
	STAGE_CHDIR, /* before the powers go: a user may not be able to enter its own directory */
	STAGE_LSM,   /* AppArmor and SELinux, from the next execve on */
	STAGE_SCHED,   /* processors, scheduler, priorities, personality: while there is the power to */
	STAGE_RLIMITS, /* the last that opens files has gone before: nofile may be very small */
	STAGE_IDS,   /* bounding set, groups, user; the permitted set is kept for the next two */
	STAGE_PDEATHSIG, /* the parent has written down who we are: its death is no longer ours */
	STAGE_LOOKUP, /* create: the program is there, and all other descriptors of the host are closed */
	STAGE_SECCOMP_EARLY, /* without no_new_privs loading needs CAP_SYS_ADMIN, which STAGE_CAPS takes away */
	STAGE_CAPS,
	STAGE_SECCOMP_LATE, /* with no_new_privs: last */
	STAGE_WAIT, /* create: for start, with no power left and under the filter */
	STAGE_START, /* hooks that are the container's own */
	STAGE_EXEC,
	STAGES_
};

/**
 * stage_name() - "mounts", "exec" …, for messages and docs
 * Return: a static string
 */
const char *stage_name(enum stage stage);
