/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of kiln, one file each, and what they share. Exit statuses are docker's: 125 when the command or the daemon
 * failed, else the program's own.
 */
#pragma once

#include "cli/opt.h"
#include "daemon/api.h"

extern const struct command cmd_health, cmd_logs, cmd_ps, cmd_run, cmd_version;

/**
 * cmd_fail() - Print an error as "kiln COMMAND: message" to standard error
 * Return: 125
 */
int cmd_fail(const struct command *cmd, const struct err *e);

/**
 * cmd_options() - Parse a command's options; answers --help
 * @ret_status: what to exit with, when the return is false
 * Return: true to go on
 */
bool cmd_options(const struct command *cmd, int argc, char **argv, struct arena *a, void *into, int *ret_first, int *ret_status);
