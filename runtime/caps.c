/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/caps.h"

#include <ctype.h>
#include <sys/capability.h>

#include "base/defence.h"
#include "oci/runtime_config.h"
#include "runtime/stages.h"

#define CAPS_MAX 64 /* a set is 64 bits */

unsigned caps_last(void)
{
	cap_value_t n = cap_max_bits();

	BUG(n < 1 || n > CAPS_MAX, "%d capabilities", n);
	return (unsigned)n - 1;
}

void caps_name(unsigned cap, char out[64])
{
	char *name = cap_to_name((cap_value_t)cap);
	size_t n = 0;

	for (; name != NULL && name[n] != '\0' && n < 63; n++)
		out[n] = (char)toupper((unsigned char)name[n]);
	out[n] = '\0';
	cap_free(name);
}

int caps_parse(const struct str_list *names, const char *what, uint64_t *ret, struct err *e)
{
	uint64_t set = 0;
	cap_value_t cap;

	for (size_t i = 0; i < names->n; i++) {
		if (!str_starts(names->v[i], "CAP_") || cap_from_name(names->v[i], &cap) < 0 ||
		    cap < 0 || cap >= CAPS_MAX)
			return err_set(e, ERR_INVALID, "capabilities.%s: unknown capability '%s'",
				       what, names->v[i]);
		if ((unsigned)cap <= caps_last())
			set |= 1ull << cap;
	}
	*ret = set;
	return 0;
}

int caps_plan(const struct oci_capabilities *caps, struct stage_caps *ret, struct err *e)
{
	struct stage_caps plan = { .last = caps_last() };

	if (caps != NULL) {
		if (caps_parse(&caps->bounding, "bounding", &plan.bounding, e) < 0 ||
		    caps_parse(&caps->permitted, "permitted", &plan.permitted, e) < 0 ||
		    caps_parse(&caps->effective, "effective", &plan.effective, e) < 0 ||
		    caps_parse(&caps->ambient, "ambient", &plan.ambient, e) < 0)
			return -1;
	}
	if ((plan.effective & ~plan.permitted) != 0)
		return err_set(e, ERR_INVALID,
			       "capabilities.effective: not all of it is in capabilities.permitted");
	if ((plan.ambient & ~plan.permitted) != 0)
		return err_set(e, ERR_INVALID,
			       "capabilities.ambient: not all of it is in capabilities.permitted");
	plan.inheritable = DEFENCE(INHERITABLE, plan.ambient, plan.permitted);
	*ret = plan;
	return 0;
}
