/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/health.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"

#define DEFAULT_INTERVAL_NS       (30 * CLOCK_NS_PER_SEC)
#define DEFAULT_TIMEOUT_NS        (30 * CLOCK_NS_PER_SEC)
#define DEFAULT_START_INTERVAL_NS (5 * CLOCK_NS_PER_SEC)
#define DEFAULT_RETRIES           3

static int64_t positive_or(int64_t v, int64_t fallback)
{
	return v > 0 ? v : fallback;
}

bool health_check_of(const struct container_options *o, struct opt_healthcheck *ret)
{
	const struct opt_healthcheck *hc = o->config->healthcheck;

	if (!hc || hc->test.n == 0 || str_eq(hc->test.v[0], "NONE"))
		return false;
	*ret = *hc;
	ret->interval_ns = positive_or(hc->interval_ns, DEFAULT_INTERVAL_NS);
	ret->timeout_ns = positive_or(hc->timeout_ns, DEFAULT_TIMEOUT_NS);
	ret->start_period_ns = positive_or(hc->start_period_ns, 0);
	ret->start_interval_ns = positive_or(hc->start_interval_ns, DEFAULT_START_INTERVAL_NS);
	ret->retries = positive_or(hc->retries, DEFAULT_RETRIES);
	return true;
}

static struct str_list list_join(const struct str_list *a, const struct str_list *b,
				 struct arena *arena)
{
	struct str_list out = { .v = arena_new_array(arena, char *, a->n + b->n + 1),
				.n = a->n + b->n };

	for (size_t i = 0; i < out.n; i++)
		out.v[i] = i < a->n ? a->v[i] : b->v[i - a->n];
	return out;
}

struct str_list health_args(const struct container_options *o, const struct opt_healthcheck *hc,
			    struct arena *a)
{
	static char *const sh[] = { (char *)"/bin/sh", (char *)"-c" };
	const struct str_list default_shell = { .v = (char **)(uintptr_t)sh, .n = 2 };
	const struct str_list none = { 0 };
	const struct str_list rest = { .v = hc->test.v + 1, .n = hc->test.n - 1 };

	if (str_eq(hc->test.v[0], "CMD"))
		return list_join(&none, &rest, a);
	if (str_eq(hc->test.v[0], "CMD-SHELL"))
		return list_join(o->config->shell.n ? &o->config->shell : &default_shell, &rest, a);
	return none;
}

int64_t health_delay_ns(const struct opt_healthcheck *hc, enum health_state now,
			int64_t since_start_ns)
{
	if (now == HEALTH_STARTING && since_start_ns < hc->start_period_ns)
		return hc->start_interval_ns;
	return hc->interval_ns;
}

static void log_result(struct container *c, const struct health_result *r)
{
	if (!c->health_log)
		c->health_log = xcalloc(HEALTH_LOG_MAX, sizeof c->health_log[0]);
	if (c->n_health_log == HEALTH_LOG_MAX) {
		memmove(c->health_log, c->health_log + 1,
			(HEALTH_LOG_MAX - 1) * sizeof c->health_log[0]);
		c->n_health_log--;
	}
	c->health_log[c->n_health_log++] = *r;
}

static bool counts(const struct container *c, const struct health_result *r)
{
	return c->health != HEALTH_STARTING ||
	       r->start_wall_ns - c->started_wall_ns >= c->healthcheck.start_period_ns;
}

bool health_take(struct container *c, const struct health_result *r)
{
	enum health_state before = c->health;

	log_result(c, r);
	if (r->exit_code == 0) {
		c->health_failing_streak = 0;
		c->health = HEALTH_HEALTHY;
	} else if (counts(c, r)) {
		c->health_failing_streak++;
		if (c->health_failing_streak >= c->healthcheck.retries)
			c->health = HEALTH_UNHEALTHY;
	}
	return c->health != before;
}

int health_action_of(const struct container_options *o, enum health_action *ret, struct err *e)
{
	static const char *const names[] = {
		[HEALTH_DO_NOTHING] = "none",
		[HEALTH_DO_RESTART] = "restart",
		[HEALTH_DO_KILL] = "kill",
	};
	const char *value = str_map_get(&o->config->labels, HEALTH_ACTION_LABEL);

	*ret = HEALTH_DO_NOTHING;
	if (!value)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!str_eq(value, names[i]))
			continue;
		*ret = i;
		return 0;
	}
	return err_set(e, ERR_INVALID,
		       "label " HEALTH_ACTION_LABEL ": '%.64s' is not none, restart or kill", value);
}

const char *health_state_name(enum health_state s)
{
	static const char *const names[] = {
		[HEALTH_NONE] = "none",
		[HEALTH_STARTING] = "starting",
		[HEALTH_HEALTHY] = "healthy",
		[HEALTH_UNHEALTHY] = "unhealthy",
	};

	return names[s];
}

/* "1.5" for 1500 units of a thousandth, without trailing zeros. */
static void print_fraction(char *out, size_t room, int64_t v, int64_t unit, const char *suffix)
{
	int64_t whole = v / unit, rest = v % unit;
	char digits[16] = "";
	int n = 0;

	for (int64_t u = unit / 10; rest > 0 && u > 0; u /= 10) {
		digits[n++] = (char)('0' + rest / u);
		rest %= u;
	}
	digits[n] = '\0';
	snprintf(out, room, "%lld%s%s%s", (long long)whole, n ? "." : "", digits, suffix);
}

const char *health_duration(int64_t ns, char out[40])
{
	char seconds[24];
	int64_t minutes = ns / (60 * CLOCK_NS_PER_SEC);

	if (ns <= 0)
		snprintf(out, 40, "0s");
	else if (ns < 1000)
		snprintf(out, 40, "%lldns", (long long)ns);
	else if (ns < 1000000)
		print_fraction(out, 40, ns, 1000, "\xc2\xb5s");
	else if (ns < CLOCK_NS_PER_SEC)
		print_fraction(out, 40, ns, 1000000, "ms");
	else if (minutes == 0)
		print_fraction(out, 40, ns, CLOCK_NS_PER_SEC, "s");
	else {
		print_fraction(seconds, sizeof seconds, ns % (60 * CLOCK_NS_PER_SEC),
			       CLOCK_NS_PER_SEC, "s");
		if (minutes < 60)
			snprintf(out, 40, "%lldm%s", (long long)minutes, seconds);
		else
			snprintf(out, 40, "%lldh%lldm%s", (long long)(minutes / 60),
				 (long long)(minutes % 60), seconds);
	}
	return out;
}
