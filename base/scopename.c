/* SPDX-License-Identifier: Apache-2.0 */
#include "base/scopename.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/str.h"

#define USUAL_EXEC_ROOT "/run/kiln"

bool scopename_is_systemd(void)
{
	struct stat st;

	return lstat("/run/systemd/system", &st) == 0 && S_ISDIR(st.st_mode);
}

bool scopename_is_scope(const char *parent)
{
	const char *name = strrchr(parent, '/');

	return name && strlen(name + 1) > strlen(".scope") && str_ends(name, ".scope");
}

/* Of "/a.slice/a-b.slice" each part is the one above, a dash and a name more. */
static int check_slices(const char *path, size_t n, struct err *e)
{
	AUTO_FREE char *copy = xasprintf("%.*s", (int)n, path);
	const char *above = "";
	char *rest = copy + 1;

	for (char *part; n > 0 && (part = strsep(&rest, "/")) != NULL; above = part) {
		size_t n_above = strlen(above);

		if (!str_ends(part, ".slice") || strlen(part) <= strlen(".slice"))
			return err_set(e, ERR_INVALID, "'%s' is no slice of systemd's", part);
		if (n_above > 0)
			n_above -= strlen(".slice");
		if (strncmp(part, above, n_above) != 0 || (n_above > 0 && part[n_above] != '-') ||
		    memchr(part + n_above + 1, '-', strlen(part) - n_above - 1))
			return err_set(e, ERR_INVALID, "slice '%s' does not lie in '%s'", part,
				       n_above > 0 ? above : "/");
	}
	return 0;
}

int scopename_parse(const char *parent, struct scopename *ret, struct err *e)
{
	const char *name = strrchr(parent, '/');
	size_t n = (size_t)(name - parent);
	const char *slice = n > 0 ? memrchr(parent, '/', n) : NULL;

	if (strlen(parent) > SCOPENAME_PARENT_MAX)
		return err_set(e, ERR_INVALID, "control group '%s' is longer than %d bytes", parent, SCOPENAME_PARENT_MAX);
	if (check_slices(parent, n, e) < 0)
		return err_wrap(e, "control group '%s'", parent);
	snprintf(ret->unit, sizeof(ret->unit), "%s", name + 1);
	snprintf(ret->slice, sizeof(ret->slice), "%.*s", slice ? (int)(name - slice - 1) : 7, slice ? slice + 1 : "-.slice");
	return 0;
}

/* --- scopes of containers ------------------------------------------------------------------------------------------ */

#define PREFIX_DEFAULT "kiln"
#define UNIT_NAME_MAX  255

/* Letters, digits and what systemd takes beside them; it would write the names of some groups in another way (cg_escape). */
static int check_unit(const char *name, const char *suffix, struct err *e)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.\\";
	static const char *const files[] = { "_", ".", "cgroup.", "bpf-", "cpu.", "cpuacct.", "cpuset.", "io.", "blkio.", "memory.", "devices.", "pids." };

	if (!str_ends(name, suffix) || strlen(name) > UNIT_NAME_MAX || strspn(name, allowed) != strlen(name))
		return err_set(e, ERR_INVALID, "'%.128s' is no %s of systemd's", name, suffix + 1);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (str_starts(name, files[i]))
			return err_set(e, ERR_INVALID, "'%.128s' begins as the kernel's own files do", name);
	return 0;
}

/* "a-b.slice" lies in "a.slice": no part of the name is empty. */
static int check_slice(const char *name, struct err *e)
{
	size_t n = strlen(name);

	if (str_eq(name, "-.slice"))
		return 0;
	if (check_unit(name, ".slice", e) < 0)
		return -1;
	if (n == strlen(".slice") || name[0] == '-' || name[n - strlen(".slice") - 1] == '-' || strstr(name, "--") != NULL)
		return err_set(e, ERR_INVALID, "'%.128s' is no slice of systemd's", name);
	return 0;
}

/* Of "slice:prefix:name" */
static int fill_scope(const char *slice, const char *prefix, const char *name, struct scopename *ret, struct err *e)
{
	AUTO_FREE char *unit = xasprintf("%s-%s.scope", prefix, name);
	AUTO_FREE char *path = NULL;

	slice = slice[0] == '\0' ? SCOPENAME_SLICE_DEFAULT : str_eq(slice, "-") ? "-.slice" : slice;
	if (name[0] == '\0' || str_ends(name, ".slice"))
		return err_set(e, ERR_INVALID, "its name '%.128s' is not that of a scope", name);
	if (check_slice(slice, e) < 0 || check_unit(unit, ".scope", e) < 0)
		return -1;
	snprintf(ret->slice, sizeof(ret->slice), "%s", slice);
	snprintf(ret->unit, sizeof(ret->unit), "%s", unit);
	path = scopename_path(ret);
	if (strlen(path) > SCOPENAME_PATH_MAX)
		return err_set(e, ERR_INVALID, "its control group '%.128s...' is longer than %d bytes", path, SCOPENAME_PATH_MAX);
	return 0;
}

int scopename_of_container(const char *text, const char *id, struct scopename *ret, struct err *e)
{
	AUTO_FREE char *copy = str_is_empty(text) ? xasprintf(":" PREFIX_DEFAULT ":%s", id) : xstrdup(text);
	char *rest = copy, *slice = strsep(&rest, ":"), *prefix = strsep(&rest, ":"), *name = strsep(&rest, ":");

	if (name == NULL || rest != NULL)
		return err_set(e, ERR_INVALID, "'%.256s': expected slice:prefix:name, as for systemd's control groups", text);
	if (fill_scope(slice, prefix, name, ret, e) < 0)
		return err_wrap(e, "'%.256s'", copy);
	return 0;
}

char *scopename_path(const struct scopename *s)
{
	AUTO_STRBUF struct strbuf path = { 0 };

	/* "/a.slice/a-b.slice": each slice is the one above, a dash and a name more */
	for (const char *dash = s->slice; !str_eq(s->slice, "-.slice") && (dash = strchr(dash, '-')) != NULL; dash++)
		strbuf_addf(&path, "/%.*s.slice", (int)(dash - s->slice), s->slice);
	if (!str_eq(s->slice, "-.slice"))
		strbuf_addf(&path, "/%s", s->slice);
	strbuf_addf(&path, "/%s", s->unit);
	return strbuf_take(&path);
}

char *scopename_default(const char *exec_root, struct err *e)
{
	AUTO_STRBUF struct strbuf name = { 0 };
	AUTO_FREE char *path = NULL;

	for (const char *p = exec_root + 1; *p && !str_eq(exec_root, USUAL_EXEC_ROOT); p++) {
		if (*p == '/')
			strbuf_adds(&name, "-");
		else if (isalnum((unsigned char)*p) || *p == ':' || *p == '_' || *p == '.')
			strbuf_addf(&name, "%c", *p);
		else
			strbuf_addf(&name, "\\x%02x", (unsigned char)*p);
	}
	path = xasprintf("/system.slice/kiln%s%s.scope", name.len ? "-" : "", strbuf_cstr(&name));
	if (strlen(path) > SCOPENAME_PARENT_MAX) {
		err_set(e, ERR_INVALID, "the exec root '%s' is too long for the name of a scope: give --cgroup-parent",
			exec_root);
		return NULL;
	}
	return TAKE_PTR(path);
}

bool scopename_has_process(const char *text, const char *parent)
{
	AUTO_FREE char *copy = xstrdup(text);
	AUTO_FREE char *leaf = xasprintf("%s/" SCOPENAME_LEAF, parent);
	char *rest = copy;

	/* "ID:CONTROLLERS:PATH" */
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		const char *path = strchr(line, ':');

		path = path ? strchr(path + 1, ':') : NULL;
		if (path && (str_eq(path + 1, parent) || str_eq(path + 1, leaf)))
			return true;
	}
	return false;
}
