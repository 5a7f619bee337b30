/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who changed what: one line for each request that may change something (all but GET, HEAD and OPTIONS), refused ones too.
 *
 * To the log, whatever its level, with the message "audit"; or to a file of JSON lines. A line never holds bodies, headers, or
 * values of query parameters that are not known to be harmless; what comes from outside is escaped. Loop thread only.
 */
#pragma once

#include <sys/socket.h>

#include "base/err.h"
#include "daemon/http.h"

struct audit_entry {
	const char *method;
	const char *path;            /* decoded */
	const struct http_query *query;
	size_t n_query;
	struct ucred peer;
	const char *comm;            /* the caller's program, as it calls itself */
	const char *object;          /* ID of what it was about; NULL: not known */
	int status;                  /* 0: the client was gone before the answer */
	int64_t duration_ms;
};

/**
 * audit_open() - Write to this file from now on; it is made for root alone
 * @path: NULL: to the log
 * @e:    the file cannot be opened; what was before stays
 * Return: 0, or -1 with @e set
 */
int audit_open(const char *path, struct err *e);

/* Return: true when a request of this method gets a line */
bool audit_is_wanted(const char *method);

/**
 * audit_write() - Write a line; to the log where the file cannot be written
 * Return: nothing
 */
void audit_write(const struct audit_entry *a);

/* Close the file */
void audit_close(void);
