/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ps(1) prints, cut down to some processes. Pure.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/**
 * process_table_pick() - Append the heading and the lines of some processes
 * @text: a table with a heading; it is cut up
 * @e:    ERR_INVALID no column is called PID
 *
 * Columns before PID have no spaces in them, as ps prints them.
 * Return: 0, or -1 with @e set
 */
int process_table_pick(char *text, const pid_t *pids, size_t n_pids, struct strbuf *out, struct err *e);
