/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the modules of the engine share behind its back: the engine's own struct and the parts that
 * it makes and frees. Doors never include this. Loop thread only.
 */
#pragma once

#include "daemon/engine/engine.h"
#include "daemon/engine/events.h"
#include "oci/bundle.h"

struct images;
struct launcher;
struct exec;

/* What the configuration of containers depends on; read once at start. */
struct host_facts {
	char hostname[65];
	uint64_t caps;                   /* our own bounding set */
	unsigned n_cpus;
	unsigned n_nodes;                /* of memory */
	bool is_v2;                      /* limits are cgroup v2's */
	bool has_swap_limit;
};

struct engine {
	struct engine_config cfg;
	struct loop *loop;               /* borrowed */
	struct state *state;             /* borrowed */
	struct events *events;           /* owned */
	struct images *images;           /* owned */
	struct launcher *launcher;       /* owned */
	struct host_facts host;
	struct container *first;         /* all containers, oldest first; linked by priv->next */
	struct create_op *creating;      /* names that are taken by creates under way */
	struct exec *first_exec;         /* all execs, newest first */
	struct exec_run *first_run;      /* processes that the launcher made in containers */
	struct later *laters;            /* answers that are still to come (later.h) */
	size_t n_policy_starts;          /* starts that nobody asked for, under way; bounded */
	bool is_stopping;                /* stop_all: policies rest */
	bool has_unreadable_rows;        /* what they own is not known: nothing is swept */
	bool has_commit_failed;          /* the last commit; told by engine_storage_is_ok() */
};

/* ---- parts made by engine_new(), in this order: events, images, launcher, containers ---- */

/**
 * events_new() - An empty ring; events_free() ends all subscriptions
 * Return: owned
 */
struct events *events_new(void);

/**
 * events_free() - NULL is fine
 * Return: nothing
 */
void events_free(struct events *evs);

/**
 * images_new() - Load images, tags and layers from the store, and remove blobs and layers that none
 * needs
 * @eng: keeps; data root and store are set, containers are not loaded yet
 * Return: 0, or -1 with @e set
 */
int images_new(struct engine *eng, struct images **ret, struct err *e);

/**
 * images_free() - NULL is fine
 * Return: nothing
 */
void images_free(struct images *imgs);
