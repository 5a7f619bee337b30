/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a shell may offer at the end of a line: commands, options and values by the tables, and names that the daemon knows.
 *
 * contrib/completion/ has what bash and zsh run for it: `kiln __complete WORD...`, the words of the line behind "kiln" up to the
 * one being typed. The answer is a line for each candidate, "candidate\tdescription", and last ":words", ":files" or ":directories",
 * which says what else fits. The daemon is given two seconds.
 */
#pragma once

#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"

/**
 * complete_words() - Append the answer
 * @words: at least one, the last may be ""
 * Return: nothing
 */
void complete_words(const struct str_list *words, struct arena *a, struct strbuf *out);

/**
 * complete_script() - The script for a shell
 * Return: static text, NULL for a shell that there is none for
 */
const char *complete_script(const char *shell);
