/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program in the foreground: its signals, its terminal, its end. Single-threaded.
 */
#pragma once

#include "base/err.h"
#include "runtime/launch.h"

/**
 * attend_prepare() - Before the program is started: keep the signals for attend()
 * @is_subreaper: what the program leaves behind becomes ours, and is reaped
 * Return: nothing
 */
void attend_prepare(bool is_subreaper);

/**
 * attend() - Pass signals and, with a terminal, bytes and sizes on until the program has ended
 * @l:       borrows; its terminal's master is relayed to and from our standard streams, in raw mode where that is a terminal
 * @ret_status: its exit status, 128 and the signal for one that was killed
 * @e:       the relay could not be set up; the program still runs
 * Return: 0, or -1 with @e set
 */
int attend(const struct launched *l, int *ret_status, struct err *e);
