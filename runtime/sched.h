/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scheduler, priorities, processors, personality and memory policy of a configuration as what STAGE_SCHED sets. Pure.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "runtime/stages.h"

struct oci_linux;
struct oci_process;

/**
 * sched_plan() - What a process is to have
 * @lin:     NULL: neither a personality nor a memory policy
 * @is_exec: execCPUAffinity is for it; else it is only looked at
 * @ret:     in @a
 * @e:       ERR_INVALID, ERR_UNSUPPORTED with the path to the value
 *
 * Whether the kernel takes it is seen when it is set.
 * Return: 0, or -1 with @e set
 */
int sched_plan(const struct oci_process *p, const struct oci_linux *lin, bool is_exec, struct arena *a, struct stage_sched *ret,
	       struct err *e);

/**
 * sched_bits() - "0-3,7" as a set
 * @n_max: of numbers; the largest is one less
 * @e:     ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int sched_bits(const char *text, size_t n_max, struct arena *a, struct stage_bits *ret, struct err *e);

/**
 * sched_memory_word() - The @i-th mode, or flag, of a memory policy
 * Return: a static string, NULL behind the last
 */
const char *sched_memory_word(bool is_flag, size_t i);
