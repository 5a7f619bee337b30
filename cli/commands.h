/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One row for each command, defined beside its handler; cli/commands.c lists them.
 */
#pragma once

#include "cli/cmd.h"

extern const struct command cmd_attach, cmd_completion, cmd_container_inspect, cmd_container_prune, cmd_create,
	cmd_events, cmd_exec, cmd_health, cmd_history, cmd_image_inspect, cmd_image_prune,
	cmd_images, cmd_import, cmd_info, cmd_inspect, cmd_kill, cmd_load, cmd_logs, cmd_pause,
	cmd_port, cmd_ps, cmd_rename, cmd_restart, cmd_rm, cmd_rmi, cmd_run, cmd_save, cmd_start,
	cmd_stats, cmd_stop, cmd_system_check, cmd_system_df, cmd_system_prune, cmd_tag, cmd_top,
	cmd_unpause, cmd_update, cmd_version, cmd_wait;
