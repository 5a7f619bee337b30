/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of update, and the limits that they mean. Pure.
 */
#pragma once

#include "base/arena.h"
#include "base/json.h"

struct oci_resources;

struct update_options {
	const char *resources; /* a file instead of all the others, "-" is standard input; NULL */
	const char *cpus, *mems;
	struct opt_i64 memory, memory_reservation, memory_swap;
	struct opt_i64 blkio_weight, cpu_period, cpu_quota, cpu_burst, cpu_share, cpu_rt_period, cpu_rt_runtime, cpu_idle, pids_limit;
};

/**
 * update_resources() - What the options ask for, as a configuration would say it
 * @ret: in @a; strings are borrowed
 * @e:   ERR_INVALID an option that means nothing, by name
 * Return: 0, or -1 with @e set
 */
int update_resources(const struct update_options *o, struct arena *a, struct oci_resources **ret, struct err *e);
