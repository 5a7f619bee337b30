/* SPDX-License-Identifier: Apache-2.0 */
/* Prints docs/spec-coverage.md from the schemas of the configuration and the notes beside them. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "oci/spec_notes.h"

/* The object whose row is being printed. */
static char object[256];

/* A row is finished when another object begins. */
static void print_row(void *ctx, const char *where, const char *name, const struct jschema *schema)
{
	AUTO_FREE char *path = xasprintf("%s%s%s", where, where[0] != '\0' ? "." : "", name);
	const char **last = ctx;

	if (spec_note_of(path) != NULL)
		return;
	if (*last == NULL || strcmp(object, where) != 0) {
		printf("%s| `%s` | %s | ", *last != NULL ? " |\n" : "", where[0] != '\0' ? where : "(top)", schema->spec != NULL ? schema->spec : "");
		snprintf(object, sizeof(object), "%s", where);
		*last = object;
		printf("`%s`", name);
		return;
	}
	printf(", `%s`", name);
}

static void print_notes(bool is_refused)
{
	for (const struct spec_note *n = spec_notes; n->path != NULL; n++)
		if ((n->refused != NULL) == is_refused)
			printf("| `%s` | %s |\n", n->path, n->why);
}

int main(void)
{
	const char *last = NULL;

	puts("# What of the specification is done\n\n"
	     "Printed by `make docs` from the tables that read a configuration (`oci/runtime_config.c`) and the notes beside them\n"
	     "(`oci/spec_notes.c`). A unit test walks the properties of runtime-spec 1.3 (`tests/golden/spec/properties.txt`): each is a row here\n"
	     "or has a note, and what is said to be refused is refused by its name, before anything is made. Properties that nobody knows are\n"
	     "passed over, as the specification wants it.\n\n"
	     "`[]` stands for an element, `{}` for a value of a map.\n\n"
	     "## Done\n\n| object | specification | properties |\n|---|---|---|");
	spec_walk(print_row, &last);
	puts(" |\n\n## Refused by name\n\n| property | why |\n|---|---|");
	print_notes(true);
	puts("\n## Without effect\n\n| property | why |\n|---|---|");
	print_notes(false);
	return 0;
}
