/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "runtime/cgroup.h"
#include "runtime/front/front.h"
#include "runtime/front/groups.h"
#include "runtime/front/listing.h"

struct list_options {
	const char *format;
	bool quiet;
};

static const struct opt rows[] = {
	OPT_TEXT(struct list_options, format, 'f', "format", "FORMAT", "table or json (default table)", .kind = VALUE_CHOICE,
		 .choices = "table|json"),
	OPT_FLAG(struct list_options, quiet, 'q', "quiet", "only the IDs"),
	OPT_END,
};

/* A container that goes away while we look, or that cannot be read, keeps nobody from seeing the others. */
static bool look(const struct front_call *c, const char *id, struct listing *ret)
{
	AUTO_INSTANCE struct instance i = INSTANCE_EMPTY;
	struct err e = { 0 };

	if (instance_look(c->root, id, c->a, &i, &e) == 0 && listing_of(&i, ret, &e) == 0)
		return true;
	if (e.kind != ERR_NOT_FOUND)
		log_err("%s, leaving it out", e.msg);
	return false;
}

static int is_container(const struct dirent *entry)
{
	return instance_check_id(entry->d_name, ERR_IGNORED) == 0 && entry->d_type == DT_DIR;
}

/* By name. */
static int collect(const struct front_call *c, struct listing **ret, size_t *ret_n, struct err *e)
{
	struct dirent **entries = NULL;
	int n = scandir(c->root, &entries, is_container, alphasort);
	size_t used = 0;

	if (n < 0 && errno != ENOENT)
		return err_sys(e, "read '%s'", c->root);
	*ret = arena_new_array(c->a, struct listing, (size_t)(n > 0 ? n : 0) + 1);
	for (int i = 0; i < n; i++) {
		used += look(c, arena_strdup(c->a, entries[i]->d_name), &(*ret)[used]);
		free(entries[i]);
	}
	free(entries);
	*ret_n = used;
	return 0;
}

static void print_json(const struct listing *v, size_t n)
{
	AUTO_STRBUF struct strbuf out = { 0 };
	struct jw w;

	jw_init(&w, &out);
	/* runc's word for no containers */
	if (n == 0) {
		puts("null");
		return;
	}
	jw_arr(&w, NULL);
	for (size_t i = 0; i < n; i++)
		jw_struct(&w, NULL, &listing_schema, &v[i]);
	jw_arr_end(&w);
	puts(out.data);
}

static const char *cell(const char *text)
{
	return text != NULL ? text : "";
}

static size_t wider(size_t width, const char *text)
{
	size_t n = text != NULL ? strlen(text) : 0;

	return n > width ? n : width;
}

static void print_table(const struct listing *v, size_t n)
{
	size_t id = strlen("ID"), bundle = strlen("BUNDLE"), created = strlen("CREATED");

	for (size_t i = 0; i < n; i++) {
		id = wider(id, v[i].id);
		bundle = wider(bundle, v[i].bundle);
		created = wider(created, v[i].created);
	}
	printf("%-*s   %-10s  %-8s    %-*s   %-*s   %s\n", (int)id, "ID", "PID", "STATUS", (int)bundle, "BUNDLE", (int)created,
	       "CREATED", "OWNER");
	for (size_t i = 0; i < n; i++)
		printf("%-*s   %-10lld  %-8s    %-*s   %-*s   %s\n", (int)id, v[i].id, (long long)v[i].pid, v[i].status,
		       (int)bundle, cell(v[i].bundle), (int)created, cell(v[i].created), v[i].owner);
}

static int list(const struct front_call *c, int *ret_status, struct err *e)
{
	const struct list_options *o = c->o;
	bool is_json = str_eq(o->format, "json");
	struct listing *v = NULL;
	size_t n = 0;

	if (o->format != NULL && !is_json && !str_eq(o->format, "table"))
		return err_set(e, ERR_INVALID, "invalid format option '%s', expected table or json", o->format);
	if (groups_setup(e) < 0 || collect(c, &v, &n, e) < 0)
		return -1;
	for (size_t i = 0; o->quiet && i < n; i++)
		puts(v[i].id);
	if (!o->quiet && is_json)
		print_json(v, n);
	else if (!o->quiet)
		print_table(v, n);
	*ret_status = 0;
	return 0;
}

const struct front_command front_list = {
	.name = "list",
	.usage = "[OPTIONS]",
	.help = "list the containers of this root",
	.opts = { { rows } },
	.options_size = sizeof(struct list_options),
	.n_args_max = 0,
	.run = list,
};
