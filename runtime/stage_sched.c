/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STAGE_SCHED: where and when the program runs.
 *
 * Must: come before the identity, for most of it takes CAP_SYS_NICE; and before the filter, which may forbid it.
 * Must not: do anything that the document does not ask for: what is inherited stays.
 *
 * Spec: runtime-spec config.md#linux-process, config-linux.md#personality #memory-policy
 */
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/stages.h"

#define STAGE_IOPRIO_WHO_PROCESS 1

static void stage_set_cpus(const struct stage_ctx *c, const struct stage_bits *cpus, const char *what)
{
	if (cpus->v != NULL && syscall(SYS_sched_setaffinity, 0, cpus->n_bits / 8, cpus->v) < 0)
		stage_die(c, what, NULL);
}

void stage_initial_cpus(struct stage_ctx *c, const struct stage_sched *s)
{
	stage_set_cpus(c, &s->initial_cpus, "process.execCPUAffinity.initial");
}

void stage_scheduling(struct stage_ctx *c, const struct stage_sched *s)
{
	stage_enter(c, STAGE_SCHED);
	stage_set_cpus(c, &s->final_cpus, "process.execCPUAffinity.final");
	if (s->has_attr && syscall(SYS_sched_setattr, 0, &s->attr, 0) < 0)
		stage_die(c, "process.scheduler: set ", s->policy, NULL);
	if (s->io_priority != 0 && syscall(SYS_ioprio_set, STAGE_IOPRIO_WHO_PROCESS, 0, s->io_priority) < 0)
		stage_die(c, "process.ioPriority: set it", NULL);
	if (s->has_memory && syscall(SYS_set_mempolicy, s->memory_mode, s->memory_nodes.v, s->memory_nodes.n_bits) < 0)
		stage_die(c, "linux.memoryPolicy: set it", NULL);
	if (s->has_personality && personality(s->personality) < 0)
		stage_die(c, "linux.personality: set it", NULL);
}
