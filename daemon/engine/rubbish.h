/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies in tmp/ and could not be removed (a full table of descriptors, a disk that had an error) is tried again, less
 * and less often, until it is gone. Nothing needs it: a kilnd that starts empties tmp/ anyway.
 */
#pragma once

struct engine;
struct rubbish;

/**
 * rubbish_add() - Remove a tree of tmp/ later
 * @name: borrows; "tmp/…", relative to the data root. Empty: nothing is to be done
 *
 * On the loop thread.
 * Return: nothing
 */
void rubbish_add(struct engine *eng, const char *name);

/**
 * rubbish_free() - Forget what is still there; NULL is fine
 * Return: nothing
 */
void rubbish_free(struct rubbish *r);
