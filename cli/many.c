/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/many.h"

#include <poll.h>
#include <stdio.h>

#include "base/own.h"
#include "cli/progress.h"
#include "cli/reply.h"

enum { AT_ONCE = 32, TICK_MS = 250 };

struct asking { int fd; struct err e; };

static void ask(const struct call *c, const struct many *m, const char *name, struct asking *ret)
{
	*ret = (struct asking){ .fd = -1 };
	api_send(c->host, m->method, path_of(c->a, m->kind, name, m->verb), m->json, &ret->fd, &ret->e);
}

static int hear(const struct call *c, const struct many *m, const char *name, struct asking *one, struct progress *p)
{
	AUTO_STRBUF struct strbuf body = {0};
	int status;

	while (one->fd >= 0 && poll(&(struct pollfd){ one->fd, POLLIN, 0 }, 1, TICK_MS) == 0)
		progress_add(p, 0);
	if (one->fd >= 0)
		api_receive(TAKE_FD(one->fd), m->verb, &status, &body, &one->e);
	progress_hide(p);
	if (one->e.kind == ERR_NONE && m->on_answer)
		m->on_answer(c, name, &body, &one->e);
	else if (one->e.kind == ERR_NONE)
		printf("%s\n", name);
	progress_add(p, 1);
	if (one->e.kind == ERR_NONE)
		return 0;
	cmd_fail(&one->e);
	return m->is_missing_fine && one->e.kind == ERR_NOT_FOUND ? 0 : EXIT_FAILED;
}

int many_run(const struct call *c, const struct many *m)
{
	size_t at_once = m->is_in_turn ? 1 : AT_ONCE;
	struct asking window[AT_ONCE];
	struct progress p;
	int status = 0;

	progress_begin(&p, m->doing, c->args.n, false);
	for (size_t i = 0; i < c->args.n; i += at_once) {
		size_t n = c->args.n - i < at_once ? c->args.n - i : at_once;

		for (size_t k = 0; k < n; k++)
			ask(c, m, c->args.v[i + k], &window[k]);
		for (size_t k = 0; k < n; k++)
			status |= hear(c, m, c->args.v[i + k], &window[k], &p);
	}
	progress_hide(&p);
	return status;
}
