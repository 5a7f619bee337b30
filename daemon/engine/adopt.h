/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a new kilnd finds: which of the containers that its store calls running still run, how the
 * others ended, and what must be finished, restarted or swept up. Disk and kernel are trusted,
 * memory and store only for what was desired.
 *
 * The decision is pure (adopt_decide); the rest asks monitors, reads records and acts, before the
 * loop runs.
 */
#pragma once

#include "daemon/engine/container_impl.h"

/* What was found out about a container that the store calls live. */
struct adopt_facts {
	bool has_monitor;            /* its socket answered MSG_STATUS */
	enum exit_phase phase;       /* of the record that the monitor sent, else of the one on disk; NONE: there is none of this run */
	bool was_starting;           /* … and a start was under way: it may still be */
	bool is_alive;               /* phase EXIT_RUNNING, and that very process exists in this container's cgroup */
};

enum adopt_verdict {
	ADOPT_RUNNING,               /* under its monitor */
	ADOPT_STARTING,              /* its monitor, or the launcher, is still at it */
	ADOPT_DEGRADED,              /* runs, without a monitor */
	ADOPT_EXITED,                /* the record tells how */
	ADOPT_LOST,                  /* nothing is known: the machine was restarted, or the record is gone */
};

/**
 * adopt_decide() - What has become of it
 * Return: the verdict
 */
enum adopt_verdict adopt_decide(const struct adopt_facts *f);

/**
 * adopt_is_in_cgroup() - Does the text of /proc/PID/cgroup show a process in this container's
 * group?
 * @text: borrows
 * @id:   64 hex digits
 * Return: true or false
 */
bool adopt_is_in_cgroup(const char *text, const char *id);

/**
 * adopt_group_above() - The group above the container's, by the same text
 * Return: owned; NULL when the process is in none, or the container's is at the root
 */
char *adopt_group_above(const char *text, const char *id);

/**
 * adopt_all() - Load all containers from the store and take over what runs
 * @e: the store cannot be read
 * Return: 0, or -1 with @e set
 */
int adopt_all(struct engine *eng, struct err *e);

/**
 * adopt_sweep() - Remove what no container owns: monitors, execs, directories, control groups
 * Return: nothing; what fails is logged and tried again at the next start
 */
void adopt_sweep(struct engine *eng);

/**
 * adopt_sweep_groups() - Have control groups cleaned that belong to no live container
 * Return: nothing
 */
void adopt_sweep_groups(struct engine *eng);
