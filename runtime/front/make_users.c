/* SPDX-License-Identifier: Apache-2.0 */
/* One without the power to mount enters the container's user namespace first (runtime/rootless.h). */
#include <fcntl.h>

#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/front/bundle_config.h"
#include "runtime/front/make.h"
#include "runtime/idmap.h"
#include "runtime/rootless.h"
#include "runtime/userns.h"

int make_enter_users(const struct front_call *c, char *const *argv, struct err *e)
{
	const struct make_options *o = c->o;
	struct oci_config *config;
	struct bundle_text text;
	struct idmap map;

	if (rootless_may_mount())
		return 0;
	if (bundle_config_read(AT_FDCWD, o->bundle != NULL ? o->bundle : ".", c->a, &text, e) < 0 ||
	    bundle_config_parse(&text, c->a, &config, e) < 0 || userns_map(config->linux_, &map, e) < 0)
		return -1;
	return rootless_enter(&map, argv, e);
}
