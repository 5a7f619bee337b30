/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor: the parent of one container's (or exec's) program, forked from the launcher.
 *
 * It reads the document that kilnd wrote, launches, then gives up all power and serves: stdio, log, attached
 * clients, the exit record, kilnd's questions. It outlives kilnd and waits for the next one. monitor.c has the
 * start, monitor_loop.c the life, confine.c the giving up of power.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/slots.h"
#include "runtime/stem.h"

/* What the launcher hands to the forked child, which owns all of it; every other descriptor is closed. */
struct monitor_args {
	bool is_exec;
	const char *id;           /* from the message; the document must agree */
	int spec_fd;              /* the document, a sealed memfd */
	int record_fd;            /* the exit record */
	int control_fd;           /* the first connection to kilnd */
	int container_pidfd;      /* exec: the container's init; else -1 */
	const int *bind_fds;      /* launch: detached mounts */
	size_t n_bind_fds;
	int poke_fd;              /* write end: a slot's index (uint32_t) tells the launcher to look at it */
	uint32_t slot_index;
	struct slot_page *page;
	bool clears_group;        /* launch: the group of the run before is not gone yet */
	struct stem_namespaces ready;   /* launch: fresh ones that a stem has brought */
};

/**
 * monitor_main() - Be a monitor until kilnd has taken note of the end
 * Return: the exit status of the process
 */
int monitor_main(const struct monitor_args *args);
