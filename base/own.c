/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"

void auto_free_(void *p)
{
	int saved = errno;
	void *owned;

	/* p is the address of a pointer of any type; memcpy reads it without breaking aliasing rules */
	memcpy(&owned, p, sizeof(owned));
	free(owned);
	errno = saved;
}

void close_fd(int *fd)
{
	int saved = errno;

	/* Linux closes even when it says EINTR: never repeated */
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void auto_close_(int *fd)
{
	close_fd(fd);
}

void auto_reap_(pid_t *pid)
{
	int saved = errno;

	if (*pid > 0) {
		kill(*pid, SIGKILL);
		while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	*pid = 0;
	errno = saved;
}

void auto_dir_(DIR **d)
{
	int saved = errno;

	if (*d != NULL)
		closedir(*d);
	*d = NULL;
	errno = saved;
}

void auto_file_(FILE **f)
{
	int saved = errno;

	if (*f != NULL)
		fclose(*f);
	*f = NULL;
	errno = saved;
}

static void *or_abort(void *p)
{
	BUG(p == NULL, "out of memory");
	return p;
}

void *xmalloc(size_t n)
{
	return or_abort(malloc(n > 0 ? n : 1));
}

void *xcalloc(size_t n, size_t size)
{
	if (n == 0 || size == 0)
		n = size = 1;
	return or_abort(calloc(n, size));
}

void *xrealloc(void *p, size_t n)
{
	return or_abort(realloc(p, n > 0 ? n : 1));
}

char *xstrdup(const char *s)
{
	return or_abort(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return or_abort(strndup(s, n));
}

char *xasprintf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	BUG(n < 0, "out of memory");
	return text;
}
