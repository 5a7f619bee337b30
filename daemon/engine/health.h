/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health checks: when to probe, what to run, and what a result means. The first half is pure (time
 * is a parameter); the second runs probes in containers, on the loop thread.
 *
 * An unhealthy container is acted on when its own label kiln.health.on-failure says so; docker only
 * tells.
 *
 * Spec: Docker Engine API 1.51, HealthConfig; moby daemon/health.go
 */
#pragma once

#include "daemon/engine/container.h"

#define HEALTH_OUTPUT_MAX   4096
#define HEALTH_ACTION_LABEL "kiln.health.on-failure"

enum health_action { HEALTH_DO_NOTHING, HEALTH_DO_RESTART, HEALTH_DO_KILL };

/**
 * health_check_of() - The effective check of a container
 * @ret: defaults filled in; written only when there is one
 * Return: true, or false when there is none ("NONE", or nothing asked)
 */
bool health_check_of(const struct container_options *o, struct opt_healthcheck *ret);

/**
 * health_args() - What a probe runs
 * @hc: from health_check_of()
 * @a:  owns the result
 * Return: the arguments; empty when the kind of test is unknown
 */
struct str_list health_args(const struct container_options *o, const struct opt_healthcheck *hc, struct arena *a);

/**
 * health_delay_ns() - How long to wait before the next probe
 * @since_start_ns: how long the container runs
 * Return: the start interval while it is starting within its start period, else the interval
 */
int64_t health_delay_ns(const struct opt_healthcheck *hc, enum health_state now, int64_t since_start_ns);

/**
 * health_take() - Take a result into a container's health
 *
 * Failures within the start period do not count while it is starting.
 * Return: true when the state has changed
 */
bool health_take(struct container *c, const struct health_result *r);

/**
 * health_action_of() - What a container's labels ask for when it becomes unhealthy
 * @e: ERR_INVALID the label has another value than none, restart and kill
 * Return: 0, or -1 with @e set
 */
int health_action_of(const struct container_options *o, enum health_action *ret, struct err *e);

/**
 * health_state_name() - "none", "starting", "healthy", "unhealthy"
 * Return: a static string
 */
const char *health_state_name(enum health_state s);

/**
 * health_duration() - A duration as Go prints it: "30s", "1m30s", "1.5s", "250ms"
 * Return: @out
 */
const char *health_duration(int64_t ns, char out[40]);

/* ---- running probes ---- */

/**
 * health_begin() - The container runs: it is starting, and probes begin
 * @keep: it was running before kilnd: its state is kept instead
 * Return: nothing
 */
void health_begin(struct container *c, bool keep);

/**
 * health_end() - The container does not run any more; a probe under way is forgotten
 * Return: nothing
 */
void health_end(struct container *c);
