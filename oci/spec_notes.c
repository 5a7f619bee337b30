/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/spec_notes.h"

#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"

#define ELSEWHERE     "for other platforms"
#define WITH_LEAVES   "\"resources\":{\"blockIO\":{"
#define NO_SUCH_LIMIT "current kernels have no such limit"

const struct spec_note spec_notes[] = {
	{ "linux.mountLabel", "file systems are not labelled: where SELinux is on it is refused, where it is not on there is a warning", NULL },
	{ "linux.intelRdt", "resctrl is not programmed: it takes a processor with it to try that, and what has not been tried is not here", "\"intelRdt\":{\"closID\":\"x\"}" },
	{ "linux.resources.memory.kernel", NO_SUCH_LIMIT ", which a warning says", NULL },
	{ "linux.resources.memory.kernelTCP", NO_SUCH_LIMIT ", which a warning says", NULL },
	{ "linux.resources.memory.useHierarchy", "it is always so on current kernels", NULL },
	{ "linux.resources.blockIO.leafWeight", NO_SUCH_LIMIT, WITH_LEAVES "\"leafWeight\":10}}" },
	{ "linux.resources.blockIO.weightDevice[].leafWeight", NO_SUCH_LIMIT,
	  WITH_LEAVES "\"weightDevice\":[{\"major\":8,\"minor\":0,\"leafWeight\":10}]}}" },
	{ "process.commandLine", ELSEWHERE, NULL },
	{ "process.user.username", ELSEWHERE, NULL },
	{ "freebsd", ELSEWHERE, NULL },
	{ "solaris", ELSEWHERE, NULL },
	{ "vm", ELSEWHERE, NULL },
	{ "windows", ELSEWHERE, NULL },
	{ "zos", ELSEWHERE, NULL },
	{ NULL, NULL, NULL },
};

const struct spec_note *spec_note_of(const char *path)
{
	for (const struct spec_note *n = spec_notes; n->path != NULL; n++) {
		size_t len = strlen(n->path);

		/* strchr() finds the end, too: itself */
		if (strncmp(path, n->path, len) == 0 && strchr(".[{", path[len]) != NULL)
			return n;
	}
	return NULL;
}

struct walk {
	spec_visit_fn visit;
	void *ctx;
};

static const char *inside(enum jtype type)
{
	return type == J_T_ARRAY ? "[]" : type == J_T_OBJECT_MAP ? "{}" : "";
}

static void walk_schema(const struct walk *w, const char *where, const struct jschema *schema)
{
	for (size_t i = 0; i < schema->n_fields; i++)
		w->visit(w->ctx, where, schema->fields[i].name, schema);
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct jfield *f = &schema->fields[i];
		AUTO_FREE char *below = xasprintf("%s%s%s%s", where, where[0] != '\0' ? "." : "", f->name, inside(f->type));

		if (f->schema != NULL)
			walk_schema(w, below, f->schema);
	}
}

void spec_walk(spec_visit_fn visit, void *ctx)
{
	const struct walk w = { visit, ctx };

	walk_schema(&w, "", &oci_config_schema);
}
