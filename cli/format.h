/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What --format says: "json", a TEMPLATE (cli/template.h), and for lists "table" and "table TEMPLATE". Pure.
 */
#pragma once

#include "cli/template.h"

struct format {
	bool is_table;               /* began with "table" */
	struct template *template;
};

/**
 * format_parse() - Read a format for one answer: "json" or a template
 * @a: owns what @ret holds
 * @e: ERR_INVALID it is malformed; ERR_UNSUPPORTED what Kiln does not do, by name
 * Return: 0, or -1 with @e set
 */
int format_parse(const char *text, struct arena *a, struct format *ret, struct err *e);

/**
 * format_parse_list() - The same for lists: also "table …", and "\t" and "\n" are what they say, as docker has it
 * Return: 0, or -1 with @e set
 */
int format_parse_list(const char *text, struct arena *a, struct format *ret, struct err *e);

/**
 * format_answer() - Append what a template makes of a JSON answer, and a newline
 * @e: ERR_INVALID the answer is no JSON, or has no such member
 * Return: 0, or -1 with @e set
 */
int format_answer(const struct format *f, const char *json, size_t n, struct strbuf *out, struct err *e);
