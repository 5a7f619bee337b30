/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --env-file and --label-file: "KEY=VALUE" a line, '#' for comments.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

/**
 * env_files_read() - Put what files say before a list, so that the command line wins
 * @takes_ours: "KEY" alone takes the value from our environment, and is left out where we have none
 * @a:          owns the new list
 * @e:          a file cannot be read; ERR_INVALID a line that is none
 * Return: 0, or -1 with @e set
 */
int env_files_read(struct str_list *l, const struct str_list *files, bool takes_ours, struct arena *a, struct err *e);
