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
