/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent that a seccomp filter leaves calls to (SCMP_ACT_NOTIFY): for each process that gets the filter, of create, run and exec,
 * it is sent one message over a connection of its own: who the process is, and the descriptor by which the kernel asks.
 *
 * Spec: runtime-spec config-linux.md#seccomp "listenerPath", #containerprocessstate
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "runtime/plan.h"

struct instance_record;
struct oci_config;

/* A connection to it. Empty value: AGENT_EMPTY */
struct agent {
	int sock;             /* owned; -1: none is wanted */
	const char *metadata; /* opaque; NULL */
	const struct instance_record *record; /* borrowed: of the container */
	const char *status;   /* of the container, meanwhile */
	pid_t container;      /* its process; 0: the one that the message is about */
};
#define AGENT_EMPTY { .sock = -1 }

/**
 * agent_connect() - Connect to it, if the configuration leaves calls to one; before anything is made
 * @config: borrows for as long as @a lives
 * @e:      ERR_NOT_FOUND, ERR_SYSTEM nobody listens there; what seccomp_wants_listener() says
 *
 * Does not wait for one that is too busy to accept.
 * Return: 0, or -1 with @e set
 */
int agent_connect(const struct oci_config *config, struct agent *a, struct err *e);

/**
 * agent_taker() - The connection, as a launch takes it; record and status are set by then
 * @a: borrows
 *
 * An agent that does not read what it is sent is waited for, for ten seconds.
 * Return: that
 */
struct listener_taker agent_taker(struct agent *a);

/* Return: nothing */
void agent_done(struct agent *a);
