/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/spec_notes.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/own.h"
#include "oci/launch.h"
#include "runtime/cgroup_limits.h"
#include "runtime/plan_parts.h"
#include "tests/unit/unit.h"

#define PROPERTIES "tests/golden/spec/properties.txt"

static struct strbuf rows; /* "\npath\n" for each */

static void add_row(void *ctx, const char *where, const char *name, const struct jschema *schema)
{
	(void)ctx;
	(void)schema;
	strbuf_addf(&rows, "%s%s%s\n", where, where[0] != '\0' ? "." : "", name);
}

static bool has_line(const char *text, const char *line)
{
	AUTO_FREE char *want = xasprintf("\n%s\n", line);

	return strstr(text, want) != NULL;
}

static char *properties(void)
{
	struct err e = { 0 };
	char *text;

	ck_assert_msg(file_read(AT_FDCWD, PROPERTIES, 1 << 20, &text, NULL, &e) == 0, "%s", e.msg);
	return text;
}

static void collect(void)
{
	strbuf_reset(&rows);
	strbuf_addc(&rows, '\n');
	spec_walk(add_row, NULL);
}

START_TEST(each_property_is_a_row_or_has_a_note)
{
	AUTO_FREE char *text = properties();
	size_t n = 0;

	collect();
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
		if (line[0] == '#' || line[0] == '\0')
			continue;
		ck_assert_msg(has_line(rows.data, line) || spec_note_of(line) != NULL, "%s is neither handled nor named", line);
		n++;
	}
	ck_assert_uint_gt(n, 200);
}
END_TEST

START_TEST(each_row_and_each_note_is_a_property)
{
	AUTO_FREE char *text = properties();
	AUTO_FREE char *copy = NULL;

	collect();
	copy = xstrdup(rows.data + 1);
	for (char *rest = copy, *line; (line = strsep(&rest, "\n")) != NULL;)
		ck_assert_msg(line[0] == '\0' || has_line(text, line), "the specification does not know %s", line);
	for (const struct spec_note *n = spec_notes; n->path != NULL; n++)
		ck_assert_msg(has_line(text, n->path), "the specification does not know %s", n->path);
}
END_TEST

/* As `create` would, without what needs root. Return: 0, or -1 with @e set */
static int plan(const struct oci_config *c, struct arena *a, struct err *e)
{
	static const struct cgroup_layout v2 = { .is_v2 = true };
	struct launch_stdio_fds stdio = { 0, 1, 2 };
	struct launch_spec spec = { .config = (struct oci_config *)c, .container_dir = arena_strdup(a, "/b"), .cgroup_path = arena_strdup(a, "/kiln/x") };
	struct cgroup_values values;
	struct launch_plan *p;

	if (launch_plan_make(&spec, &stdio, &v2, a, &p, e) < 0)
		return -1;
	return cgroup_limits(c->linux_->resources, false, a, &values, e);
}

static int plan_with(const char *lin, const char *mount, struct err *e)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_FREE char *json = xasprintf("{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"r\"},\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"},"
					 "\"mounts\":[{\"destination\":\"/m\",\"type\":\"tmpfs\"%s}],\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]%s}}",
					 mount, lin);
	void *config;

	ck_assert_msg(json_decode(json, strlen(json), &oci_config_schema, a, NULL, NULL, &config, e) == 0, "%s", e->msg);
	return plan(config, a, e);
}

START_TEST(what_is_said_to_be_refused_is_refused_by_its_name)
{
	struct err e = { 0 };

	ck_assert_msg(plan_with("", "", &e) == 0, "%s", e.msg);
	for (const struct spec_note *n = spec_notes; n->path != NULL; n++) {
		AUTO_FREE char *members = n->refused != NULL ? xasprintf(",%s", n->refused) : NULL;
		const char *last = strrchr(n->path, '.') != NULL ? strrchr(n->path, '.') + 1 : n->path;
		bool is_mount = str_starts(n->path, "mounts[]");

		if (members == NULL)
			continue;
		ck_assert_msg(plan_with(is_mount ? "" : members, is_mount ? members : "", &e) < 0, "%s is not refused", n->path);
		ck_assert_msg(strstr(e.msg, last) != NULL || strstr(e.msg, n->path) != NULL, "%s: %s", n->path, e.msg);
	}
	strbuf_done(&rows);
}
END_TEST

UNIT_MAIN("spec_coverage", each_property_is_a_row_or_has_a_note, each_row_and_each_note_is_a_property,
	  what_is_said_to_be_refused_is_refused_by_its_name)
