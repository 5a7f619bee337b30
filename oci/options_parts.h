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
 * options_check_blkio() - Weights and throttles of block devices
 * @e: ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int options_check_blkio(const struct opt_host_config *h, struct err *e);

/**
 * options_adapt_blkio() - The part of options_adapt() that is about block devices
 * Return: nothing
 */
void options_adapt_blkio(struct opt_host_config *h, const struct options_host *host, struct str_list *warnings, struct arena *a);

/**
 * options_adapt_security() - The part of options_adapt() that is about SecurityOpt: as docker, labels have no effect where SELinux is not on
 * Return: nothing
 */
void options_adapt_security(const struct opt_host_config *h, const struct options_host *host, struct str_list *warnings, struct arena *a);

/**
 * options_warn() - Add a warning
 * @l:    with room for OPTIONS_WARNINGS_MAX
 * @text: copied
 * Return: nothing
 */
void options_warn(struct str_list *l, const char *text, struct arena *a);

/**
 * options_check_namespaces() - Modes of namespaces
 * @e: ERR_INVALID "invalid PID mode: …"; ERR_UNSUPPORTED networks
 * Return: 0, or -1 with @e set
 */
int options_check_namespaces(const struct opt_host_config *h, struct err *e);

/**
 * options_check_sysctl() - Is a system control the container's own?
 * @e: ERR_INVALID the machine's, or of a namespace that is shared
 * Return: 0, or -1 with @e set
 */
int options_check_sysctl(const struct opt_host_config *h, const char *key, struct err *e);

/**
 * options_check_security() - SecurityOpt, MaskedPaths and ReadonlyPaths
 * @e: ERR_INVALID; ERR_UNSUPPORTED what this machine has not
 * Return: 0, or -1 with @e set
 */
int options_check_security(const struct opt_host_config *h, const struct options_host *host, struct err *e);

/**
 * options_check_process() - Limits, groups, OOM score, system controls and annotations
 * @e: ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int options_check_process(const struct opt_host_config *h, struct err *e);
