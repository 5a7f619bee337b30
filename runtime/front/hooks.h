/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hooks of a container: six kinds, each with its place in the container's life and its status then.
 *
 *   prestart, createRuntime   create, before the pivot: in the runtime's namespaces (runtime/stage_hooks.c)
 *   createContainer           create, behind them: in the container's namespaces, with the paths of the host
 *   startContainer            start, before the program, as the program
 *   poststart                 start, when the program runs
 *   poststop                  delete, when its processes and its control group are gone; also of a container that was not made whole
 *
 * A hook that fails ends the container, but for poststop, which only complains.
 *
 * Spec: runtime-spec config.md#posix-platform-hooks, runtime.md#lifecycle
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "runtime/stages.h"

struct instance;
struct instance_record;
struct oci_config;

enum hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_KINDS_
};

/**
 * hooks_check() - Are all of them such that they can be run?
 * @ret_any: whether there are any
 * @e:       ERR_INVALID with the path to the value
 * Return: 0, or -1 with @e set
 */
int hooks_check(const struct oci_config *config, bool *ret_any, struct err *e);

/**
 * hooks_name() - Of a kind, as the configuration has it
 * Return: a static string
 */
const char *hooks_name(enum hook_kind kind);

/**
 * hooks_plan() - Make ready those of a kind, which are as hooks_check() wants them
 * @rec: what the state is told from; borrows both, and keeps parts of @config
 * @ret: in @a
 * Return: nothing
 */
void hooks_plan(const struct oci_config *config, const struct instance_record *rec, enum hook_kind kind, struct arena *a,
		struct hook_plan *ret);

/**
 * hooks_run() - Run them, here, up to the first that fails
 * @pid: the container's process; 0: none
 * @e:   ERR_SYSTEM, ERR_NOT_FOUND …: which, and how it ended, and the end of what it wrote
 *
 * Blocks as long as they do.
 * Return: 0, or -1 with @e set
 */
int hooks_run(const struct hook_plan *plan, pid_t pid, struct err *e);

/**
 * hooks_run_saved() - The same of a container that was made earlier, by the configuration it was made with
 * @i: with a record; one that has no hooks costs nothing
 *
 * Of poststop, each is run, and what fails is logged.
 * Return: 0, or -1 with @e set
 */
int hooks_run_saved(const struct instance *i, enum hook_kind kind, struct err *e);
