/* SPDX-License-Identifier: Apache-2.0 */
/* All commands, in the order of --help. */
#include "runtime/front/front.h"

const struct front_command *const front_commands[] = {
	&front_checkpoint, &front_create, &front_delete, &front_events, &front_exec, &front_features, &front_kill, &front_list, &front_pause, &front_ps,
	&front_restore, &front_resume, &front_run, &front_spec, &front_start, &front_state, &front_update,
	NULL,
};
