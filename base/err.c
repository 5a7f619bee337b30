/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The one table: what a kind means to HTTP clients, to shells and to people. */
/* clang-format off */
static const struct {
	const char *name;
	int http_status;
	int exit_code;
	const char *meaning;
} kinds[ERR_KINDS_] = {
	[ERR_NONE]        = { "none",        200, 0,   "no error" },
	[ERR_INVALID]     = { "invalid",     400, 125, "the request is wrong; change it" },
	[ERR_NOT_FOUND]   = { "not-found",   404, 125, "the named thing does not exist" },
	[ERR_CONFLICT]    = { "conflict",    409, 125, "the state of the thing does not allow it now" },
	[ERR_DENIED]      = { "denied",      403, 125, "permission is missing" },
	[ERR_UNSUPPORTED] = { "unsupported", 501, 125, "refused by name: Kiln does not do this" },
	[ERR_TIMEOUT]     = { "timeout",     504, 125, "it took too long" },
	[ERR_SYSTEM]      = { "system",      500, 125, "the kernel or the disk said no" },
	[ERR_INTERNAL]    = { "internal",    500, 125, "a bug in Kiln" },
};
/* clang-format on */

struct err *err_ignored_(void)
{
	static _Thread_local struct err ignored;

	return &ignored;
}

static enum err_kind kind_of_errno(int sys)
{
	switch (sys) {
	case ENOENT:
		return ERR_NOT_FOUND;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case EEXIST:
	case EBUSY:
		return ERR_CONFLICT;
	default:
		return ERR_SYSTEM;
	}
}

/* Append to a message, cut where it is full. */
static void msg_append(char *msg, size_t size, const char *text)
{
	size_t used = strlen(msg);
	size_t n = strnlen(text, size - 1 - used);

	memmove(msg + used, text, n);
	msg[used + n] = '\0';
}

/* strerrordesc_np() is neither translated nor guarded by a lock; messages are lower case. */
static void msg_append_errno(char *msg, size_t size, int sys)
{
	const char *desc = strerrordesc_np(sys);
	char text[128];

	if (desc == NULL) {
		snprintf(text, sizeof(text), "error %d", sys);
	} else {
		snprintf(text, sizeof(text), "%s", desc);
		/* "Permission denied" becomes lower case, "RPC ..." does not */
		if (text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z'))
			text[0] = (char)(text[0] - 'A' + 'a');
	}
	msg_append(msg, size, text);
}

/* The rest is zeroed: errors cross from processes of tenants' containers, with no byte of their stack. */
static void msg_store(struct err *e, const char *msg)
{
	strncpy(e->msg, msg, sizeof(e->msg) - 1);
	e->msg[sizeof(e->msg) - 1] = '\0';
}

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	char msg[sizeof(e->msg)];
	va_list ap;

	/* formatted aside, so that an argument may be e->msg itself */
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);

	e->kind = kind;
	e->sys = 0;
	msg_store(e, msg);
	return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int sys = errno;
	char msg[sizeof(e->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	msg_append(msg, sizeof(msg), ": ");
	msg_append_errno(msg, sizeof(msg), sys);

	e->kind = kind_of_errno(sys);
	e->sys = sys;
	msg_store(e, msg);
	errno = sys;
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	int sys = errno;
	char msg[sizeof(e->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	msg_append(msg, sizeof(msg), ": ");
	msg_append(msg, sizeof(msg), e->msg);

	msg_store(e, msg);
	errno = sys;
	return -1;
}

/* A kind may come from another process; what is out of range is a bug of somebody's. */
static enum err_kind known(enum err_kind kind)
{
	return (unsigned)kind < ERR_KINDS_ ? kind : ERR_INTERNAL;
}

int err_http_status(enum err_kind kind)
{
	return kinds[known(kind)].http_status;
}

int err_exit_code(enum err_kind kind)
{
	return kinds[known(kind)].exit_code;
}

const char *err_kind_name(enum err_kind kind)
{
	return kinds[known(kind)].name;
}

const char *err_kind_meaning(enum err_kind kind)
{
	return kinds[known(kind)].meaning;
}

void err_bug_(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "BUG at %s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}
