/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process that the launcher makes inside a running container: what exec and health checks stand
 * on.
 *
 * A run is over after failed, exited or lost, one of which is called once. An abandoned run goes on
 * without its owner until it has ended, so that its monitor is always released. Loop thread only.
 */
#pragma once

#include "daemon/engine/container_impl.h"

struct exec_run;

struct exec_run_handlers {
	void (*started)(void *ctx, int32_t pid);
	void (*failed)(void *ctx, int32_t exit_code, const struct err *why);   /* 125, 126 or 127 */
	void (*exited)(void *ctx, const struct msg_exited *m);   /* attached clients are closed afterwards */
	void (*lost)(void *ctx);         /* its monitor died, and nobody knows how it ended */
};

/**
 * exec_run_begin() - Make a process in a container
 * @c:   running
 * @in:     id, cmd and what else was asked; the container's part is filled in here
 * @client: borrows, NULL for none; its fd is taken on success. It is in the control socket before the launch, so
 *          that it misses no output
 * @h:      keeps
 * @e:   what could not even be asked for; then nothing is called
 * Return: 0 and *ret, to be ended by exec_run_abandon(); or -1 with @e set
 */
int exec_run_begin(struct container *c, const struct bundle_exec_input *in, const struct monitor_attach *client,
		   const struct exec_run_handlers *h, void *ctx, struct exec_run **ret, struct err *e);

/**
 * exec_run_adopt() - Take over what the kilnd before us began; abandoned from birth, unless @h is
 * given
 * @fd: takes; connected to its monitor
 * Return: borrowed
 */
struct exec_run *exec_run_adopt(struct engine *eng, const char *id, int fd, const struct exec_run_handlers *h, void *ctx);

/* Gives its terminal a size. */
void exec_run_resize(struct exec_run *x, uint16_t height, uint16_t width);

/**
 * exec_run_abandon() - Nobody wants to hear of it any more; NULL is fine, also when it is over
 * Return: nothing
 */
void exec_run_abandon(struct exec_run *x);

/* The list of all runs. Return: the next run or NULL; the ID, borrowed */
struct exec_run *exec_run_next(struct exec_run *x);
const char *exec_run_id(const struct exec_run *x);

/* kilnd ends: forget all runs; their monitors live on. */
void exec_run_free_all(struct engine *eng);

/* The launcher says that the orphaned process of a run has ended. Return: true when it is a run of ours */
bool exec_run_orphan_exited(struct engine *eng, const char *id);

/* Remove what a run with this ID left below the exec root. */
void exec_run_sweep(struct engine *eng, const char *id);
