/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose containers run below the exec root: what no row tells of is killed there, so that a daemon with another data root must not
 * begin beside them.
 */
#pragma once

struct engine;
struct err;

/**
 * exec_root_claim() - Write down that this exec root is our data root's
 * @e: ERR_CONFLICT containers of another data root run there, by its name; ERR_SYSTEM
 *
 * Before the first look at what runs. A daemon that only stops containers changes and refuses nothing.
 * Return: 0, or -1 with @e set
 */
int exec_root_claim(struct engine *eng, struct err *e);
