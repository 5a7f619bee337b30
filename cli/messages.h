/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What load and import answer: JSON objects one after the other, each a line to show, how far it is, or an error. Bounded memory.
 */
#pragma once

#include "cli/cmd.h"
#include "cli/progress.h"

struct messages {
	struct progress progress;
	struct strbuf line;          /* what came of one that has not ended */
	struct err e;                /* what the daemon said that went wrong */
};

/**
 * messages_feed() - Take in a piece of the answer
 * Return: 0, or -1 to end it: m->e is set
 */
int messages_feed(struct messages *m, const char *data, size_t n);

/**
 * messages_end() - There is no more: take in what has no newline behind it
 * Return: 0, or -1: m->e is set
 */
int messages_end(struct messages *m);
void messages_done(struct messages *m);
