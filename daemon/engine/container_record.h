/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's own record of a container, as JSON in the state store's `runtime` column: what is
 * desired and what was observed last. One table. Pure.
 */
#pragma once

#include "daemon/engine/container.h"

/* What the engine has in hand with a container, for the next kilnd to go on with. */
struct record_intent {
	uint64_t backoff_ms;   /* the last wait of the restart policy */
	bool is_stopping;
	bool wants_start;      /* a restart is under way: stopping is only its first half */
	char *cgroup_base;     /* the group above that of the last run; parsed: owned; NULL: not known */
};

/**
 * container_record_emit() - Print the record, appended to @out
 * Return: nothing
 */
void container_record_emit(const struct container *c, const struct record_intent *intent, struct strbuf *out);

/**
 * container_record_parse() - Read a record into a container
 * @c:    id, name and options are set; the strings of the record are copied
 * @e:    ERR_INVALID
 * Return: 0, or -1 with @e set
 */
int container_record_parse(const char *text, struct container *c, struct record_intent *ret, struct err *e);
