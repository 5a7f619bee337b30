/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/env_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"

enum { LIST_FILE_MAX = 1 << 20 };

static void add(struct str_list *l, char *text, struct arena *a)
{
	char **v = arena_new_array(a, char *, l->n + 1);

	if (l->n)
		memcpy(v, l->v, l->n * sizeof(*v));
	v[l->n] = text;
	*l = (struct str_list){ v, l->n + 1 };
}

/* One line of such a file; "K" alone takes ours where @takes_ours, and is left out where we have none */
static int add_line(struct str_list *l, char *line, bool takes_ours, struct arena *a, struct err *e)
{
	size_t n;

	line += strspn(line, " \t\r\v\f");
	n = strcspn(line, "=");
	if (!line[0] || line[0] == '#')
		return 0;
	if (n == 0)
		return err_set(e, ERR_INVALID, "no variable name on line '%.128s'", line);
	if (strcspn(line, " \t\v\f") < n)
		return err_set(e, ERR_INVALID, "variable '%.*s' contains whitespaces", (int)n, line);
	if (line[n] || !takes_ours)
		add(l, arena_strdup(a, line), a);
	else if (getenv(line))
		add(l, arena_printf(a, "%s=%s", line, getenv(line)), a);
	return 0;
}

static int add_file(struct str_list *l, const char *name, bool takes_ours, struct arena *a, struct err *e)
{
	AUTO_CLOSE int fd = open(name, O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *text = NULL;
	char *rest, *line;

	if (fd < 0)
		return err_sys(e, "open %s", name);
	if (fd_read_all(fd, LIST_FILE_MAX, &text, NULL, e) < 0)
		return err_wrap(e, "%s", name);
	rest = text + (str_starts(text, "\357\273\277") ? 3 : 0);
	while ((line = strsep(&rest, "\n"))) {
		size_t n = strlen(line);

		if (n && line[n - 1] == '\r')
			line[n - 1] = 0;
		if (add_line(l, line, takes_ours, a, e) < 0)
			return err_wrap(e, "poorly formatted environment");
	}
	return 0;
}

int env_files_read(struct str_list *l, const struct str_list *files, bool takes_ours, struct arena *a, struct err *e)
{
	struct str_list all = {0};

	for (size_t i = 0; i < files->n; i++)
		if (add_file(&all, files->v[i], takes_ours, a, e) < 0)
			return -1;
	for (size_t i = 0; i < l->n; i++)
		add(&all, l->v[i], a);
	*l = all;
	return 0;
}
