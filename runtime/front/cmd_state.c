/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/jsontext.h"
#include "base/own.h"
#include "runtime/cgroup.h"
#include "runtime/front/front.h"
#include "runtime/front/groups.h"
#include "runtime/front/listing.h"

static int state(const struct front_call *c, int *ret_status, struct err *e)
{
	AUTO_STRBUF struct strbuf json = { 0 }, out = { 0 };
	AUTO_INSTANCE struct instance i = INSTANCE_EMPTY;
	struct listing l;

	if (groups_setup(e) < 0 || instance_look(c->root, c->args.v[0], c->a, &i, e) < 0 || listing_of(&i, &l, e) < 0)
		return -1;
	json_emit(&listing_schema, &l, &json);
	jsontext_indent(&out, (struct jsontext){ json.data, json.len }, "", "  ");
	puts(out.data);
	*ret_status = 0;
	return 0;
}

const struct front_command front_state = {
	.name = "state",
	.usage = "ID",
	.help = "print the state of a container as JSON",
	.n_args_min = 1,
	.n_args_max = 1,
	.run = state,
};
