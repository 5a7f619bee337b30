/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/container.h"

#include "cli/reply.h"

struct config { bool tty; };
static const struct jfield config_fields[] = { J_BOOLEAN(struct config, tty, "Tty", 0) };
static const struct jschema config_schema = J_SCHEMA(struct config, "Config", config_fields);

struct inspect { struct config *config; };
static const struct jfield inspect_fields[] = { J_OBJECT(struct inspect, config, "Config", &config_schema, J_REQUIRED) };
static const struct jschema inspect_schema = J_SCHEMA(struct inspect, "ContainerInspect", inspect_fields);

int container_is_tty(const struct call *c, const char *name, bool *ret, struct err *e)
{
	struct inspect *i = NULL;

	if (reply_get(c, path_of(c->a, "containers", name, "json"), &inspect_schema, (void **)&i, e) < 0)
		return -1;
	*ret = i->config->tty;
	return 0;
}
