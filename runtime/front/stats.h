/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statistics of a control group as runc's `events` shows them.
 */
#pragma once

#include "base/json.h"

/**
 * stats_write() - Write an object of all that the kernel counts for a group
 * @path: of the group
 * @key:  of the object
 *
 * What a controller does not count, or is not there, is left out or 0. Needs cgroup_setup(). Blocks: some reads of procfs's kind.
 * Return: nothing
 */
void stats_write(struct jw *w, const char *key, const char *path);
