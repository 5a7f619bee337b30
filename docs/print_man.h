/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs share that print pages of the manual: docs/print_man_PROGRAM.c, which `make man` runs.
 */
#pragma once

#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/own.h"

/* Writes a page into a directory. Return: 0, or 1 with the reason on standard error */
static inline int print_page(const char *dir, const char *name, const struct strbuf *page)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct err e = {0};

	if (fd >= 0 && fd_write_all(fd, page->data, page->len, &e) == 0)
		return 0;
	fprintf(stderr, "print_man: %s: %s\n", path, fd < 0 ? "cannot be made" : e.msg);
	return 1;
}
