/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container in the foreground, as run, start -a and attach have it: attached, waited for, its exit status ours.
 */
#pragma once

#include "cli/cmd.h"

struct foreground {
	const char *id;              /* borrows; name or ID */
	bool is_tty;
	bool wants_stdin, wants_stdout, wants_stderr;
	bool is_removed_at_end;      /* --rm: wait until it is gone */
	bool is_running;             /* attach: it is not started here */
	bool passes_signals;
	const char *detach_keys;     /* NULL: the default */
};

/**
 * foreground_run() - Attach, start unless it runs, move bytes, wait
 * @ret_status: the program's exit status, 0 when the keys to detach were typed
 * @e:          what failed before that
 * Return: 0, or -1 with @e set
 */
int foreground_run(const struct call *c, const struct foreground *f, int *ret_status, struct err *e);

/**
 * foreground_check_tty() - Is our standard input the terminal that is asked for?
 * @e: ERR_INVALID "the input device is not a TTY"
 * Return: 0, or -1 with @e set
 */
int foreground_check_tty(bool wants_stdin, bool wants_tty, struct err *e);
