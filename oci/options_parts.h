/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces of options_validate(). For oci/options_*.c only; see oci/options_rules.h for the rules.
 */
#pragma once

#include "oci/options_rules.h"

/**
 * options_check_limits() - Memory, processors, processes
 * @e: ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int options_check_limits(const struct opt_host_config *h, const struct options_host *host, struct err *e);

/**
 * options_check_process() - Limits, groups, OOM score, system controls and annotations
 * @e: ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int options_check_process(const struct opt_host_config *h, struct err *e);
