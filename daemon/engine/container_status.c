/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/container_status.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/own.h"

static const char *health_words(const struct container *c)
{
	if (!c->has_healthcheck)
		return "";
	switch (c->health) {
	case HEALTH_STARTING:
		return " (health: starting)";
	case HEALTH_HEALTHY:
		return " (healthy)";
	case HEALTH_UNHEALTHY:
		return " (unhealthy)";
	case HEALTH_NONE:
		return "";
	}
	return "";
}

/* In docker's order: what is_restarting says goes before the state. */
const char *status_text(const struct container *c, int64_t now_wall_ns, char out[128])
{
	char up[CLOCK_SPAN_MAX], ago[CLOCK_SPAN_MAX];

	clock_span(now_wall_ns - c->started_wall_ns, up);
	clock_span(now_wall_ns - c->finished_wall_ns, ago);
	if (c->is_restarting)
		snprintf(out, 128, "Restarting (%d) %s ago", c->exit_code, ago);
	else if (c->state == CT_PAUSED || c->state == CT_STANDBY)
		snprintf(out, 128, "Up %s (Paused)", up);
	else if (c->state == CT_RUNNING)
		snprintf(out, 128, "Up %s%s", up, health_words(c));
	else if (c->state == CT_REMOVING)
		snprintf(out, 128, "Removal In Progress");
	else if (c->state == CT_DEAD)
		snprintf(out, 128, "Dead");
	else if (c->started_wall_ns == 0)
		snprintf(out, 128, "Created");
	else if (c->finished_wall_ns == 0)
		out[0] = '\0';
	else
		snprintf(out, 128, "Exited (%d) %s ago", c->exit_code, ago);
	return out;
}

const char *container_status_text(const struct container *c, char out[128])
{
	return status_text(c, clock_wall_ns(), out);
}

bool container_should_be_warm(const struct container *c)
{
	return c->wants_running && !c->is_removing && !c->is_dead;
}

static bool health_is_warm(const struct container *c, char ret_why[256])
{
	if (!c->has_healthcheck || c->health == HEALTH_HEALTHY || c->health == HEALTH_NONE)
		return true;
	if (c->health == HEALTH_STARTING)
		snprintf(ret_why, 256, "its health check has not succeeded yet");
	else
		snprintf(ret_why, 256, "unhealthy: %d checks failed in a row",
			 c->health_failing_streak);
	return false;
}

bool container_is_warm(const struct container *c, char ret_why[256])
{
	ret_why[0] = '\0';
	if (c->state == CT_RUNNING)
		return health_is_warm(c, ret_why);
	if (c->state == CT_STANDBY)
		return true;
	if (c->is_restarting)
		snprintf(ret_why, 256, "restarting: it exited with code %d, restart %d",
			 c->exit_code, c->restart_count);
	else if (c->state == CT_EXITED && c->error[0])
		snprintf(ret_why, 256, "%.250s", c->error);
	else if (c->state == CT_EXITED)
		snprintf(ret_why, 256, "exited with code %d", c->exit_code);
	else
		snprintf(ret_why, 256, "%s", ct_state_name(c->state));
	return false;
}
