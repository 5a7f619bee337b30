/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/restart.h"

#include "base/own.h"
#include "base/str.h"

static const struct {
	const char *name;
	enum restart_mode mode;
} modes[] = {
	{ "always", RESTART_ALWAYS },
	{ "unless-stopped", RESTART_UNLESS_STOPPED },
	{ "on-failure", RESTART_ON_FAILURE },
};

enum restart_mode restart_mode(const struct opt_restart_policy *p)
{
	for (size_t i = 0; p && i < ARRAY_SIZE(modes); i++) {
		if (str_eq(p->name, modes[i].name))
			return modes[i].mode;
	}
	return RESTART_NO;
}

static bool failure_has_tries_left(const struct opt_restart_policy *p, const struct restart_facts *f)
{
	if (f->exit_code == 0)
		return false;
	return p->maximum_retry_count <= 0 || f->restart_count < p->maximum_retry_count;
}

bool restart_after_exit(const struct opt_restart_policy *p, const struct restart_facts *f)
{
	if (f->was_stopped_by_hand)
		return false;
	switch (restart_mode(p)) {
	case RESTART_NO:
		return false;
	case RESTART_ALWAYS:
	case RESTART_UNLESS_STOPPED:
		return true;
	case RESTART_ON_FAILURE:
		return failure_has_tries_left(p, f);
	}
	return false;
}

bool restart_at_boot(const struct opt_restart_policy *p, const struct restart_facts *f)
{
	if (!f->has_started_once)
		return false;
	return restart_mode(p) == RESTART_ALWAYS || restart_after_exit(p, f);
}

uint64_t restart_backoff_ms(uint64_t last_ms, int64_t uptime_ns)
{
	if (last_ms == 0 || uptime_ns >= RESTART_RESET_AFTER_NS)
		return RESTART_BACKOFF_MIN_MS;
	if (last_ms >= RESTART_BACKOFF_MAX_MS / 2)
		return RESTART_BACKOFF_MAX_MS;
	return last_ms * 2;
}
