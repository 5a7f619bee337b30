/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the modules of the engine share behind its back: the engine's own struct and the parts that
 * it makes and frees. Doors never include this. Loop thread only.
 */
#pragma once

#include "daemon/engine/apparmor.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/events.h"
#include "oci/bundle.h"
#include "oci/launch.h"

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
	bool has_cpu_rt;                 /* real time can be limited by group */
	bool has_selinux;                /* on in the kernel */
	struct apparmor_facts apparmor;
};

struct engine {
	struct engine_config cfg;
	struct engine_settings set;
	char id[37];
	char group_owner[CGROUP_OWNER_MAX + 1];   /* what the groups of its containers are marked with */
	size_t n_unknown;                /* containers that run in our exec root and are none of our store's: only_stops leaves them alone */
	struct loop *loop;               /* borrowed */
	struct state *state;             /* borrowed */
	struct events *events;           /* owned */
	struct images *images;           /* owned */
	struct launcher *launcher;       /* owned */
	struct host_facts host;
	struct container *first, *last;  /* all containers, oldest first; linked by priv->next and priv->prev */
	void *by_id, *by_name;           /* the same, by tsearch(3): a request finds its own among a thousand */
	struct create_op *creating;      /* names that are taken by creates under way */
	struct exec *first_exec;         /* all execs, newest first */
	struct exec_run *first_run;      /* processes that the launcher made in containers */
	struct rubbish *rubbish;         /* owned; NULL: nothing was ever left in tmp/ (rubbish.h) */
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
