/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restart policies: should a container that has ended be started again, and when? Pure; time is a
 * parameter.
 *
 * Backoff: 100 ms, doubling to 60 s, back to 100 ms after a run of at least 10 s.
 *
 * Spec: Docker Engine API 1.51, RestartPolicy
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "oci/options.h"

#define RESTART_BACKOFF_MIN_MS  100
#define RESTART_BACKOFF_MAX_MS  60000
#define RESTART_RESET_AFTER_NS  10000000000LL

enum restart_mode { RESTART_NO, RESTART_ALWAYS, RESTART_UNLESS_STOPPED, RESTART_ON_FAILURE };

/* What the decision depends on. */
struct restart_facts {
	int32_t exit_code;
	int32_t restart_count;       /* restarts that the policy made since the last start by hand */
	bool was_stopped_by_hand;
	bool has_started_once;
};

/**
 * restart_mode() - The mode of a policy; NULL, "" and "no" are RESTART_NO
 * Return: the mode
 */
enum restart_mode restart_mode(const struct opt_restart_policy *p);

/**
 * restart_after_exit() - Does the policy start a container again that has just ended?
 *
 * A stop by hand suspends every policy until the next start by hand (or, for `always`, of the
 * daemon).
 * Return: true or false
 */
bool restart_after_exit(const struct opt_restart_policy *p, const struct restart_facts *f);

/**
 * restart_at_boot() - Does the policy start a container that does not run when kilnd starts?
 *
 * `always` also when it was stopped by hand; `on-failure` when its last exit was a failure; never
 * one that was not started before.
 * Return: true or false
 */
bool restart_at_boot(const struct opt_restart_policy *p, const struct restart_facts *f);

/**
 * restart_backoff_ms() - How long to wait before the next start
 * @last_ms:   what the previous wait was; 0 when there was none
 * @uptime_ns: how long the run lasted that has just ended
 * Return: milliseconds
 */
uint64_t restart_backoff_ms(uint64_t last_ms, int64_t uptime_ns);
