/* SPDX-License-Identifier: Apache-2.0 */
/* What a monitor says to the launcher, over one SEQPACKET socket pair that all monitors share. */
#pragma once

#include <stdint.h>


enum poke_op {
	POKE_HOLD = 1,   /* fds in the order of enum poke_fd: our ends of the program's stdio, kept until the monitor is dead */
	POKE_ENDED,      /* the end is recorded: what the slot holds can go, its control group too */
};

/* What the launcher keeps a copy of. */
enum poke_fd {
	POKE_FD_OUT,     /* reading end of stdout, or the terminal's master */
	POKE_FD_ERR,     /* reading end of stderr; with a terminal: not there */
	POKE_FD_IN,      /* writing end of stdin, when it never ends before the program does */
	POKE_FDS_
};

struct poke {
	uint32_t op;     /* enum poke_op */
	uint32_t slot;   /* index */
};
