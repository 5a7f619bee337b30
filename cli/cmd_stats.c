/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kiln stats: what containers use.
 *
 * Theory of operation: each second every container is asked once (one-shot); processor time is compared with what the same
 * container said the second before. --no-stream leaves that to the daemon, which measures over a second of its own.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/own.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/reply.h"
#include "cli/table.h"

enum { EVERY_MS = 1000 };

struct options { bool all, no_stream, no_trunc; const char *format; };
static const struct opt rows[] = {
	OPT_FLAG(struct options, all, 'a', "all", "Show those that do not run, too"),
	OPT_TEXT(struct options, format, 0, "format", "FORMAT", "'table', 'table TEMPLATE', 'json' or a TEMPLATE as '{{.Name}} {{.CPUPerc}}'",
		 .choices = "table|json"),
	OPT_FLAG(struct options, no_stream, 0, "no-stream", "Show the first figures, then end"),
	OPT_FLAG(struct options, no_trunc, 0, "no-trunc", "Do not shorten"),
	OPT_END,
};

/* ---- what the daemon says ---- */

struct cpu_usage { uint64_t total; };
static const struct jfield cpu_usage_fields[] = { J_U64(struct cpu_usage, total, "total_usage", 0) };
static const struct jschema cpu_usage_schema = J_SCHEMA(struct cpu_usage, "cpu_usage", cpu_usage_fields);

struct cpu { struct cpu_usage *usage; uint64_t system, online; };
static const struct jfield cpu_fields[] = {
	J_OBJECT(struct cpu, usage, "cpu_usage", &cpu_usage_schema, 0),
	J_U64(struct cpu, system, "system_cpu_usage", 0),
	J_U64(struct cpu, online, "online_cpus", 0),
};
static const struct jschema cpu_schema = J_SCHEMA(struct cpu, "cpu_stats", cpu_fields);

struct memory_more { struct opt_u64 total_inactive_file, inactive_file; };
static const struct jfield memory_more_fields[] = {
	J_OPT_U64(struct memory_more, total_inactive_file, "total_inactive_file", 0),
	J_OPT_U64(struct memory_more, inactive_file, "inactive_file", 0),
};
static const struct jschema memory_more_schema = J_SCHEMA(struct memory_more, "memory_stats.stats", memory_more_fields);

struct memory { uint64_t usage, limit; struct memory_more *more; };
static const struct jfield memory_fields[] = {
	J_U64(struct memory, usage, "usage", 0),
	J_U64(struct memory, limit, "limit", 0),
	J_OBJECT(struct memory, more, "stats", &memory_more_schema, 0),
};
static const struct jschema memory_schema = J_SCHEMA(struct memory, "memory_stats", memory_fields);

struct network { char *key; uint64_t received, sent; };
static const struct jfield network_fields[] = {
	J_U64(struct network, received, "rx_bytes", 0),
	J_U64(struct network, sent, "tx_bytes", 0),
};
static const struct jschema network_schema = J_SCHEMA(struct network, "networks", network_fields);

struct io { char *op; uint64_t bytes; };
static const struct jfield io_fields[] = {
	J_STRING(struct io, op, "op", J_REQUIRED),
	J_U64(struct io, bytes, "value", 0),
};
static const struct jschema io_schema = J_SCHEMA(struct io, "io_service_bytes_recursive", io_fields);

struct blkio { struct io *v; size_t n; };
static const struct jfield blkio_fields[] = { J_ARRAY(struct blkio, v, n, "io_service_bytes_recursive", &io_schema, 0) };
static const struct jschema blkio_schema = J_SCHEMA(struct blkio, "blkio_stats", blkio_fields);

struct pids { uint64_t current; };
static const struct jfield pids_fields[] = { J_U64(struct pids, current, "current", 0) };
static const struct jschema pids_schema = J_SCHEMA(struct pids, "pids_stats", pids_fields);

struct stats {
	char *name, *id;
	struct cpu *cpu, *before;
	struct memory *memory;
	struct network *networks; size_t n_networks;
	struct blkio *blkio;
	struct pids *pids;
};
static const struct jfield stats_fields[] = {
	J_STRING(struct stats, name, "name", 0),
	J_STRING(struct stats, id, "id", 0),
	J_OBJECT(struct stats, cpu, "cpu_stats", &cpu_schema, 0),
	J_OBJECT(struct stats, before, "precpu_stats", &cpu_schema, 0),
	J_OBJECT(struct stats, memory, "memory_stats", &memory_schema, 0),
	J_OBJECT_MAP(struct stats, networks, n_networks, "networks", &network_schema, 0),
	J_OBJECT(struct stats, blkio, "blkio_stats", &blkio_schema, 0),
	J_OBJECT(struct stats, pids, "pids_stats", &pids_schema, 0),
};
static const struct jschema stats_schema = J_SCHEMA(struct stats, "ContainerStats", stats_fields);

/* ---- one line ---- */

struct line {
	const char *asked;           /* by which name */
	const struct stats *s;       /* NULL: it said nothing */
	struct { uint64_t usage, system; } before;   /* of the second before */
};

#define CELL(name) static void name(const struct table *t, const void *of, const char *key, struct strbuf *out)
#define ROW const struct line *r = of; (void)t; (void)key; if (!r->s) { strbuf_adds(out, "--"); return; }

CELL(cell_container)
{
	const struct line *r = of;

	(void)t;
	(void)key;
	strbuf_adds(out, r->asked);
}

CELL(cell_name) { ROW strbuf_adds(out, r->s->name ? r->s->name + (r->s->name[0] == '/') : "--"); }
CELL(cell_id) { ROW strbuf_addf(out, "%.*s", t->style.no_trunc ? 64 : 12, r->s->id ? r->s->id : ""); }

CELL(cell_cpu)
{
	ROW
	double used, system, percent = 0;

	if (r->s->cpu && r->s->cpu->usage) {
		used = (double)r->s->cpu->usage->total - (double)r->before.usage;
		system = (double)r->s->cpu->system - (double)r->before.system;
		if (used > 0 && system > 0)
			percent = used / system * (double)r->s->cpu->online * 100;
	}
	strbuf_addf(out, "%.2f%%", percent);
}

/* Without the page cache that could go at once, as docker counts */
static double memory_used(const struct memory *m)
{
	const struct opt_u64 *idle = !m->more ? NULL : m->more->total_inactive_file.set ? &m->more->total_inactive_file : &m->more->inactive_file;

	return (double)(idle && idle->v < m->usage ? m->usage - idle->v : m->usage);
}

CELL(cell_memory)
{
	char used[HUMAN_MAX], limit[HUMAN_MAX];
	ROW

	if (r->s->memory)
		strbuf_addf(out, "%s / %s", human_bytes(memory_used(r->s->memory), used), human_bytes((double)r->s->memory->limit, limit));
}

CELL(cell_memory_percent)
{
	ROW
	strbuf_addf(out, "%.2f%%", r->s->memory && r->s->memory->limit ? memory_used(r->s->memory) / (double)r->s->memory->limit * 100 : 0);
}

static void add_two(struct strbuf *out, double in, double away)
{
	char first[HUMAN_MAX], second[HUMAN_MAX];

	strbuf_addf(out, "%s / %s", human_size(in, 3, first), human_size(away, 3, second));
}

CELL(cell_network)
{
	double received = 0, sent = 0;
	ROW

	for (size_t i = 0; i < r->s->n_networks; i++) {
		received += (double)r->s->networks[i].received;
		sent += (double)r->s->networks[i].sent;
	}
	add_two(out, received, sent);
}

CELL(cell_io)
{
	double in = 0, away = 0;
	ROW

	for (size_t i = 0; r->s->blkio && i < r->s->blkio->n; i++) {
		const struct io *io = &r->s->blkio->v[i];

		in += io->op[0] == 'r' || io->op[0] == 'R' ? (double)io->bytes : 0;
		away += io->op[0] == 'w' || io->op[0] == 'W' ? (double)io->bytes : 0;
	}
	add_two(out, in, away);
}

CELL(cell_pids) { ROW strbuf_addf(out, "%llu", r->s->pids ? (unsigned long long)r->s->pids->current : 0); }

static const struct column columns[] = {
	{ "Container", "CONTAINER", cell_container, false },
	{ "Name", "NAME", cell_name, false },
	{ "ID", "CONTAINER ID", cell_id, false },
	{ "CPUPerc", "CPU %", cell_cpu, false },
	{ "MemUsage", "MEM USAGE / LIMIT", cell_memory, false },
	{ "MemPerc", "MEM %", cell_memory_percent, false },
	{ "NetIO", "NET I/O", cell_network, false },
	{ "BlockIO", "BLOCK I/O", cell_io, false },
	{ "PIDs", "PIDS", cell_pids, false },
	{ NULL, NULL, NULL, false },
};

/* ---- the rounds ---- */

struct listed { char *id; };
static const struct jfield listed_fields[] = { J_STRING(struct listed, id, "Id", J_REQUIRED) };
static const struct jschema listed_schema = J_SCHEMA(struct listed, "ContainerSummary", listed_fields);

/* Who is asked in this round: the arguments, else all that there are */
static int whom(const struct call *c, struct str_list *ret, struct err *e)
{
	const struct options *o = c->o;
	struct listed *found = NULL;
	size_t n = 0;

	*ret = c->args;
	if (c->args.n)
		return 0;
	if (reply_list(c, o->all ? "/containers/json?all=1" : "/containers/json", &listed_schema, (void **)&found, &n, e) < 0)
		return -1;
	*ret = (struct str_list){ arena_new_array(c->a, char *, n + 1), n };
	for (size_t i = 0; i < n; i++)
		ret->v[i] = found[i].id;
	return 0;
}

/* All are asked at once. Return: lines in @c's arena, or NULL with @e set when one that was named is not there */
static struct line *ask(const struct call *c, const struct str_list *names, struct err *e)
{
	const struct options *o = c->o;
	struct line *lines = arena_new_array(c->a, struct line, names->n + 1);
	int *fds = arena_new_array(c->a, int, names->n + 1);
	bool is_failed = false;

	for (size_t i = 0; i < names->n; i++) {
		fds[i] = -1;
		api_send(c->host, "GET", path_of(c->a, "containers", names->v[i], o->no_stream ? "stats?stream=0" : "stats?stream=0&one-shot=1"),
			 NULL, &fds[i], e);
	}
	for (size_t i = 0; i < names->n; i++) {
		AUTO_STRBUF struct strbuf body = {0};
		struct err why = {0};
		int status;

		lines[i].asked = names->v[i];
		if (fds[i] >= 0 && api_receive(fds[i], "stats", &status, &body, &why) == 0)
			reply_decode(c, &body, &stats_schema, (void **)&lines[i].s, &why);
		/* what went away between list and question is no error; all else is */
		if (why.kind != ERR_NONE && (why.kind != ERR_NOT_FOUND || c->args.n)) {
			*e = why;
			is_failed = true;
		}
	}
	return is_failed ? NULL : lines;
}

struct sample { char id[65]; uint64_t usage, system; };
struct samples { struct sample *v; size_t n; };

static void compare(struct line *l, const struct samples *before, struct samples *now)
{
	const struct stats *s = l->s;
	struct sample *mine = &now->v[now->n];

	if (!s || !s->cpu || !s->cpu->usage)
		return;
	if (s->before && s->before->usage) {
		l->before.usage = s->before->usage->total;
		l->before.system = s->before->system;
	}
	for (size_t i = 0; i < before->n; i++)
		if (str_eq(before->v[i].id, s->id)) {
			l->before.usage = before->v[i].usage;
			l->before.system = before->v[i].system;
		}
	if (l->before.system == 0)   /* nothing to compare with yet */
		l->before.system = s->cpu->system;
	snprintf(mine->id, sizeof(mine->id), "%s", s->id ? s->id : "");
	mine->usage = s->cpu->usage->total;
	mine->system = s->cpu->system;
	now->n++;
}

static int show_round(const struct call *c, struct samples *samples, struct err *e)
{
	const struct options *o = c->o;
	AUTO_TABLE struct table t = {0};
	struct samples now = {0};
	struct str_list names;
	struct line *lines;

	if (table_init(&t, columns, o->format, "ID Name CPUPerc MemUsage MemPerc NetIO BlockIO PIDs", c->a, e) < 0 || whom(c, &names, e) < 0)
		return -1;
	lines = ask(c, &names, e);
	if (!lines)
		return -1;
	t.style.no_trunc = o->no_trunc;
	now.v = xcalloc(names.n + 1, sizeof(*now.v));
	for (size_t i = 0; i < names.n; i++) {
		compare(&lines[i], samples, &now);
		if (lines[i].s || c->args.n)
			table_row(&t, &lines[i]);
	}
	free(samples->v);
	*samples = now;
	if (!o->no_stream && isatty(STDOUT_FILENO))
		fputs("\033[2J\033[H", stdout);
	return table_show(&t, e);
}

static int run(const struct call *c)
{
	const struct options *o = c->o;
	struct samples samples = {0};
	int status;

	do {
		AUTO_ARENA struct arena *a = arena_new();   /* of this round */
		struct call round = *c;
		struct err e = {0};

		round.a = a;
		status = show_round(&round, &samples, &e);
		if (status < 0)
			cmd_fail(&e);
	} while (status == 0 && !o->no_stream && cmd_output_ok() == 0 && poll(NULL, 0, EVERY_MS) == 0);
	free(samples.v);
	return status < 0 ? EXIT_FAILED : 0;
}

const struct command cmd_stats = {
	.name = "stats", .group = "container", .member = "stats", .usage = "[OPTIONS] [CONTAINER...]", .help = "Show what containers use, again and again",
	.opts = { { rows } }, .options_size = sizeof(struct options), .args = VALUE_RUNNING, .n_args_max = ARGS_MANY, .run = run,
};
