/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/container.h"

#include "base/json.h"
#include "daemon/api.h"

struct config { bool tty; };
static const struct jfield config_fields[] = { J_BOOLEAN(struct config, tty, "Tty", 0) };
static const struct jschema config_schema = J_SCHEMA(struct config, "Config", config_fields);

struct inspect { struct config *config; };
static const struct jfield inspect_fields[] = { J_OBJECT(struct inspect, config, "Config", &config_schema, J_REQUIRED) };
static const struct jschema inspect_schema = J_SCHEMA(struct inspect, "ContainerInspect", inspect_fields);

int container_is_tty(const char *name, struct arena *a, bool *ret, struct err *e)
{
	AUTO_STRBUF struct strbuf path = {0};
	AUTO_STRBUF struct strbuf body = {0};
	struct inspect *i = NULL;
	int status;

	strbuf_adds(&path, "/containers/");
	api_escape(&path, name);
	strbuf_adds(&path, "/json");
	if (api_call(api_host(), "GET", path.data, NULL, &status, &body, e) < 0 ||
	    json_decode(strbuf_cstr(&body), body.len, &inspect_schema, a, NULL, NULL, (void **)&i, e) < 0)
		return -1;
	*ret = i->config->tty;
	return 0;
}
