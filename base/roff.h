/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manual pages (man(7)) from tables: kilnd's options, the client's commands. Text is plain, and escaped here; a
 * "--flag" comes out as one can paste it. Pure.
 */
#pragma once

#include "base/str.h"

/**
 * roff_page() - Begin a page, with its NAME section
 * @name:    "kilnd"
 * @section: "8"
 * @line:    what it is, in a few words, for apropos(1)
 * Return: nothing
 */
void roff_page(struct strbuf *out, const char *name, const char *section, const char *line);

/**
 * roff_section() - Begin a section: "OPTIONS"; roff_subsection() a part of one
 * Return: nothing
 */
void roff_section(struct strbuf *out, const char *title);
void roff_subsection(struct strbuf *out, const char *title);

/**
 * roff_text() - A paragraph; an empty line in @text begins another
 * Return: nothing
 */
void roff_text(struct strbuf *out, const char *text);

/**
 * roff_item() - An item of a list
 * @term: bold: "-H, --host"
 * @arg:  italic: "URL"; NULL for none
 * @text: its paragraph
 * Return: nothing
 */
void roff_item(struct strbuf *out, const char *term, const char *arg, const char *text);

/**
 * roff_line() - A line of its own, as in a synopsis: "kiln run" "[OPTIONS] IMAGE"
 * @term: bold; @arg: italic, "" for none
 * Return: nothing
 */
void roff_line(struct strbuf *out, const char *term, const char *arg);

/**
 * roff_code() - Lines as they are
 * Return: nothing
 */
void roff_code(struct strbuf *out, const char *lines);
