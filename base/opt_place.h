/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in a command line somebody is typing: what completion is asked. Reads like opt_parse() (base/opt.h), but forgives: the line
 * is not finished, and what is wrong in it is not completion's to tell. Pure; strings are borrowed from the words.
 */
#pragma once

#include "base/opt.h"

struct opt_place {
	bool is_option;              /* the name of an option is being typed: "-", "--al" */
	const struct opt *value_of;  /* the value of this option is; NULL: an argument */
	const char *before;          /* what stands before it in the same word: "--name=", "-e"; "" */
	const char *typed;           /* of the name, the value or the argument */
	struct str_list args;        /* the arguments before it, in @a */
	size_t first_arg;            /* where they begin in the words; the number of words when there are none */
};

/**
 * opt_place() - Look at words of which the last is being typed
 * @words:    at least one, the last may be ""
 * @is_mixed: as for opt_parse()
 * Return: nothing
 */
void opt_place(const struct opt_tables *t, bool is_mixed, const struct str_list *words, struct arena *a, struct opt_place *ret);
