/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's text/template, as docker's users write it behind --format.
 *
 *   {{.Field.Of.Another}}  {{index .List 0}}  {{.Label "key"}}  {{json .}}  {{(index .List 0).Field}}
 *   {{if}} {{else if}} {{else}} {{end}}, {{range $i, $v := .List}} {{break}} {{continue}} {{else}} {{end}}, {{with}} {{else}} {{end}}
 *   {{$v := .Field}} {{$v = .Field}} {{$}}, pipelines, parentheses, comments, {{- trimmed -}}
 *   and or not eq ne lt le gt ge len index print println printf; docker's json join split upper lower title pad truncate
 *
 * Not here, and refused by name: define, template, block, call, html, js, slice, urlquery.
 *
 * The dot is the daemon's JSON, or a row of a table, whose fields are texts. Names of JSON members may be written in any case,
 * because docker's users know some by the names of Go's fields: {{.ID}} is "Id". What is not there is false to if and with, and an
 * error where it would be printed. Bounded by the template's length and depth. Pure.
 *
 * Spec: pkg.go.dev/text/template
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/jsontext.h"

struct template;

/* What the dot is at first. */
struct template_data {
	struct jsontext json;        /* a document; or, when it has no text, a row: */
	const void *ctx;
	/* Appends what a field of the row shows. @arg: of {{.Label "key"}}, else NULL. Return: false when there is no such field */
	bool (*field)(const void *ctx, const char *name, const char *arg, struct strbuf *out);
	void (*whole)(const void *ctx, struct strbuf *out);   /* {{json .}} */
	bool is_head;                /* the fields are heads of columns: functions leave them alone */
};

/**
 * template_parse() - Take a template apart
 * @a:   owns @ret
 * @ret: borrows nothing of @text
 * @e:   ERR_INVALID it is malformed; ERR_UNSUPPORTED what is not here, by name
 * Return: 0, or -1 with @e set
 */
int template_parse(const char *text, struct arena *a, struct template **ret, struct err *e);

/**
 * template_run() - Append what a template makes of data
 * @out: also on failure has what was made up to there
 * @e:   ERR_INVALID no such field, a value of another type
 * Return: 0, or -1 with @e set
 */
int template_run(const struct template *t, const struct template_data *d, struct strbuf *out, struct err *e);
