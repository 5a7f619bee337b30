/* SPDX-License-Identifier: Apache-2.0 */
/* What a monitor says to the launcher, over one SEQPACKET socket pair that all monitors share. */
#pragma once

#include <stdint.h>

#define POKE_FDS_MAX 2

enum poke_op {
	POKE_HOLD = 1,   /* fds: our ends of the program's output; kept, not read, until the monitor is dead */
	POKE_ENDED,      /* the end is recorded: what the slot holds can go, its control group too */
};

struct poke {
	uint32_t op;     /* enum poke_op */
	uint32_t slot;   /* index */
};
