/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a container's control group is: the one place that knows. Spec: moby daemon/oci_linux.go WithCgroups()
 *
 *	nothing asked        <kilnd's parent>/<id>
 *	"a/b"                <kilnd's parent>/a/b/<id>
 *	"/a/b"               /a/b/<id>, from the root of each hierarchy, as with docker's driver cgroupfs
 *
 * Without a systemd driver "x.slice" is a name as any other; but an absolute path into a unit of systemd's, which Kiln
 * may not own, is refused. No part may look like a container's ID: such groups are killed and removed by their names.
 */
#include <string.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/bundle.h"

#define ID_LEN   64
#define PATH_MAX_BYTES 200   /* with "/<id>": what runtime/cgroup.h takes */

/* The group above the container's; "" when it is the root */
static char *group_above(const char *asked, const char *parent, struct arena *a)
{
	AUTO_FREE char *clean = NULL;

	if (str_is_empty(asked))
		clean = path_clean(parent);
	else
		clean = path_clean(asked[0] == '/' ? asked : arena_printf(a, "%s/%s", parent, asked));
	return arena_strdup(a, str_eq(clean, "/") ? "" : clean);
}

char *bundle_cgroup_path(const struct opt_host_config *h, const char *parent, const char *id, struct arena *a)
{
	return arena_printf(a, "%s/%s", group_above(h->cgroup_parent, parent, a), id);
}

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return str_starts(path, top) && (path[n] == '/' || path[n] == '\0');
}

static bool is_systemd_name(const char *name)
{
	return str_ends(name, ".slice") || str_ends(name, ".scope") || str_ends(name, ".service");
}

static int check_name(const char *name, const char *asked, bool is_foreign, struct err *e)
{
	if (str_eq(name, ".") || str_eq(name, ".."))
		return err_set(e, ERR_INVALID, "invalid cgroup parent '%.100s': '%s' is no name of a group", asked, name);
	if (strlen(name) == ID_LEN && str_is_hex(name, ID_LEN))
		return err_set(e, ERR_INVALID, "invalid cgroup parent '%.100s': a part looks like a container's ID", asked);
	if (is_foreign && is_systemd_name(name))
		return err_set(e, ERR_INVALID, "invalid cgroup parent '%.100s': '%.60s' is systemd's, and containers are not made "
			       "by systemd here: use a path without a slash in front, which lies below Kiln's own group", asked, name);
	return 0;
}

int bundle_check_cgroup_parent(const char *asked, const char *parent, struct err *e)
{
	AUTO_ARENA struct arena *a = arena_new();
	char *above, *rest;
	bool is_foreign;

	if (str_is_empty(asked))
		return 0;
	if (asked[strspn(asked, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.:@+-")] != '\0')
		return err_set(e, ERR_INVALID, "invalid cgroup parent '%.100s': letters, digits and any of /_.:@+- are allowed", asked);
	above = group_above(asked, parent, a);
	if (above[0] == '\0')
		return err_set(e, ERR_INVALID, "invalid cgroup parent '%.100s': it is the root", asked);
	if (strlen(above) + 1 + ID_LEN > PATH_MAX_BYTES)
		return err_set(e, ERR_INVALID, "invalid cgroup parent '%.60s…': with '%.100s' it is longer than %d bytes", asked, parent,
			       PATH_MAX_BYTES - 1 - ID_LEN);
	is_foreign = !is_below(above, parent);
	rest = arena_strdup(a, asked);
	for (char *name; (name = strsep(&rest, "/")) != NULL;)
		if (name[0] != '\0' && check_name(name, asked, is_foreign, e) < 0)
			return -1;
	return 0;
}
