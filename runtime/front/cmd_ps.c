/* SPDX-License-Identifier: Apache-2.0 */
/* ps: the processes of a container's group, as the host's ps(1) shows them, or their pids. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "base/spawn.h"
#include "runtime/cgroup.h"
#include "runtime/front/front.h"
#include "runtime/front/groups.h"
#include "runtime/front/instance.h"
#include "runtime/front/pids.h"
#include "runtime/front/process_table.h"

#define TABLE_MAX_BYTES (16u << 20)

struct ps_options {
	const char *format;
};

static const struct opt rows[] = {
	OPT_TEXT(struct ps_options, format, 'f', "format", "FORMAT", "table or json (default table)", .kind = VALUE_CHOICE,
		 .choices = "table|json"),
	OPT_END,
};

static void print_json(const struct cgroup_pids *pids)
{
	printf("[");
	for (size_t i = 0; i < pids->n; i++)
		printf("%s%d", i != 0 ? "," : "", (int)pids->v[i]);
	puts("]");
}

/* --- the host's ps -------------------------------------------------------------------------------------------------- */

static int end_of(pid_t pid, struct err *e)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait for ps");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(e, ERR_INVALID, "ps: it has failed");
	return 0;
}

/* What it prints; it complains on our standard error by itself. */
static int run_ps(char *const *argv, char **ret_text, struct err *e)
{
	AUTO_FREE char *program = path_find_program("ps");
	AUTO_CLOSE int in = -1, out = -1;
	int pipe_fds[2], done;
	pid_t pid;

	if (program == NULL)
		return err_set(e, ERR_NOT_FOUND, "ps is not installed (--format json does without it)");
	if (fd_pipe(pipe_fds, 0) < 0)
		return err_sys(e, "make a pipe");
	in = pipe_fds[0];
	out = pipe_fds[1];
	const struct spawn_fd fds[] = { { STDIN_FILENO, 0 }, { out, 1 }, { STDERR_FILENO, 2 } };
	const struct spawn_request req = { .path = program, .argv = argv, .envp = environ, .fds = fds, .n_fds = ARRAY_SIZE(fds) };

	if (spawn_exec(&req, &pid, NULL, e) < 0)
		return -1;
	close_fd(&out);
	done = fd_read_all(in, TABLE_MAX_BYTES, ret_text, NULL, e);
	close_fd(&in);
	return end_of(pid, done < 0 ? ERR_IGNORED : e) < 0 ? -1 : done;
}

static int print_table(const struct front_call *c, const struct cgroup_pids *pids, struct err *e)
{
	char **argv = arena_new_array(c->a, char *, c->args.n + 3);
	AUTO_STRBUF struct strbuf out = { 0 };
	AUTO_FREE char *text = NULL;

	argv[0] = arena_strdup(c->a, "ps");
	memcpy(argv + 1, c->args.v + 1, (c->args.n - 1) * sizeof(*argv));
	if (c->args.n == 1)
		argv[1] = arena_strdup(c->a, "-ef");
	if (run_ps(argv, &text, e) < 0 || process_table_pick(text, pids->v, pids->n, &out, e) < 0)
		return -1;
	fputs(strbuf_cstr(&out), stdout);
	return 0;
}

static int ps(const struct front_call *c, int *ret_status, struct err *e)
{
	const struct ps_options *o = c->o;
	bool is_json = str_eq(o->format, "json");
	AUTO_INSTANCE struct instance i = INSTANCE_EMPTY;
	__attribute__((cleanup(cgroup_pids_done))) struct cgroup_pids pids = { 0 };

	*ret_status = 0;
	if (o->format != NULL && !is_json && !str_eq(o->format, "table"))
		return err_set(e, ERR_INVALID, "invalid format option '%s', expected table or json", o->format);
	if (groups_setup(e) < 0 || instance_open(c->root, c->args.v[0], c->a, &i, e) < 0)
		return -1;
	if (pids_list(&i, &pids, e) < 0)
		return -1;
	if (!is_json)
		return print_table(c, &pids, e);
	print_json(&pids);
	return 0;
}

const struct front_command front_ps = {
	.name = "ps",
	.usage = "[OPTIONS] ID [PS-OPTION...]",
	.help = "show the processes of a container",
	.more = "The table is that of the host's ps with the options behind the ID (default -ef), of which it keeps the lines of the "
		"container's processes: whatever they are, they must leave a column PID.",
	.opts = { { rows } },
	.options_size = sizeof(struct ps_options),
	.n_args_min = 1,
	.n_args_max = ARGS_MANY,
	.is_prefix = true,
	.run = ps,
};
