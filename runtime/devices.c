/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/devices.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"

#define RULES_MAX 1024

/* What every container has, and making (not opening) any node, as runc and docker allow it. */
static const struct device_rule default_rules[] = {
	{ true, 'c', DEVICE_ANY, DEVICE_ANY, DEVICE_MKNOD },
	{ true, 'b', DEVICE_ANY, DEVICE_ANY, DEVICE_MKNOD },
	{ true, 'c', 1, 3, DEVICE_ALL },            /* null */
	{ true, 'c', 1, 5, DEVICE_ALL },            /* zero */
	{ true, 'c', 1, 7, DEVICE_ALL },            /* full */
	{ true, 'c', 1, 8, DEVICE_ALL },            /* random */
	{ true, 'c', 1, 9, DEVICE_ALL },            /* urandom */
	{ true, 'c', 5, 0, DEVICE_ALL },            /* tty */
	{ true, 'c', 5, 2, DEVICE_ALL },            /* ptmx */
	{ true, 'c', 136, DEVICE_ANY, DEVICE_ALL }, /* pts */
};

static int parse_access(const char *text, unsigned *ret, struct err *e)
{
	unsigned access = 0;

	if (str_is_empty(text)) {
		*ret = DEVICE_ALL;
		return 0;
	}
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == 'r')
			access |= DEVICE_READ;
		else if (*p == 'w')
			access |= DEVICE_WRITE;
		else if (*p == 'm')
			access |= DEVICE_MKNOD;
		else
			return err_set(e, ERR_INVALID, "access '%s' is not made of r, w and m",
				       text);
	}
	*ret = access;
	return 0;
}

static int parse_number(const struct opt_i64 *n, int64_t *ret, struct err *e)
{
	if (n->set && (n->v < DEVICE_ANY || n->v > UINT32_MAX))
		return err_set(e, ERR_INVALID, "major or minor is out of range");
	*ret = n->set ? n->v : DEVICE_ANY;
	return 0;
}

static int parse_rule(const struct oci_device_rule *r, struct device_rule *ret, struct err *e)
{
	struct device_rule rule = { .allow = r->allow, .type = 'a' };

	if (!str_is_empty(r->type)) {
		if (!str_eq(r->type, "a") && !str_eq(r->type, "b") && !str_eq(r->type, "c"))
			return err_set(e, ERR_INVALID, "unknown type '%s'", r->type);
		rule.type = r->type[0];
	}
	if (parse_number(&r->major, &rule.major, e) < 0 ||
	    parse_number(&r->minor, &rule.minor, e) < 0 ||
	    parse_access(r->access, &rule.access, e) < 0)
		return -1;
	*ret = rule;
	return 0;
}

static bool is_everything(const struct device_rule *r)
{
	return r->type == 'a' && r->major == DEVICE_ANY && r->minor == DEVICE_ANY &&
	       r->access == DEVICE_ALL;
}

/* v1's "a" means everything whatever comes behind it: a narrower rule for both types becomes two. */
static size_t add_rule(struct device_rule *out, const struct device_rule *r)
{
	out[0] = *r;
	if (r->type != 'a' || is_everything(r))
		return 1;
	out[1] = *r;
	out[0].type = 'b';
	out[1].type = 'c';
	return 2;
}

int devices_rules(const struct oci_resources *resources, struct arena *arena,
		  struct device_rule **ret, size_t *ret_n, struct err *e)
{
	size_t max = 2 * resources->n_devices + ARRAY_SIZE(default_rules), n = 0;
	struct device_rule rule;

	if (resources->n_devices > RULES_MAX)
		return err_set(e, ERR_INVALID, "devices: more than %d rules", RULES_MAX);
	*ret = arena_new_array(arena, struct device_rule, max);
	for (size_t i = 0; i < resources->n_devices; i++) {
		if (parse_rule(&resources->devices[i], &rule, e) < 0)
			return err_wrap(e, "devices[%zu]", i);
		n += add_rule(*ret + n, &rule);
		if (i != 0 || rule.allow || !is_everything(&rule))
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(default_rules); k++)
			(*ret)[n++] = default_rules[k];
	}
	*ret_n = n;
	return 0;
}

static void number_text(int64_t n, char out[24])
{
	if (n == DEVICE_ANY)
		snprintf(out, 24, "*");
	else
		snprintf(out, 24, "%" PRId64, n);
}

void devices_rule_text(const struct device_rule *rule, char out[DEVICE_RULE_TEXT_MAX])
{
	char major[24], minor[24];

	if (is_everything(rule)) {
		snprintf(out, DEVICE_RULE_TEXT_MAX, "a");
		return;
	}
	number_text(rule->major, major);
	number_text(rule->minor, minor);
	snprintf(out, DEVICE_RULE_TEXT_MAX, "%c %s:%s %s%s%s", rule->type, major, minor,
		 (rule->access & DEVICE_READ) != 0 ? "r" : "",
		 (rule->access & DEVICE_WRITE) != 0 ? "w" : "",
		 (rule->access & DEVICE_MKNOD) != 0 ? "m" : "");
}
