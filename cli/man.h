/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of the manual, printed from the tables of commands and options: kiln(1), and one for each command. Pure.
 */
#pragma once

#include "cli/cmd.h"

/**
 * man_kiln() - Append kiln(1)
 * Return: nothing
 */
void man_kiln(struct strbuf *out);

/**
 * man_command() - Append the page of a command
 * Return: nothing
 */
void man_command(const struct command *cmd, struct strbuf *out);

/**
 * man_name() - Append the name of its page: "kiln-run", "kiln-container-prune"
 * Return: nothing
 */
void man_name(const struct command *cmd, struct strbuf *out);
