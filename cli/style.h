/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Colour, on a terminal only, and not where NO_COLOR is set (no-color.org) or TERM is "dumb".
 */
#pragma once

#include <stdio.h>

enum style { STYLE_GOOD, STYLE_WARN, STYLE_BAD };

/**
 * style_print() - Print a text, coloured where @to is a terminal that has colours
 * Return: nothing
 */
void style_print(FILE *to, enum style style, const char *text);
