/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/unitprops.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/cgroup_limits.h"
#include "runtime/sched.h"

#define ANNOTATION    "org.systemd.property."
#define TEXT_MAX      256
#define TEXTS_MAX     32
#define NUMBERS_MAX   8192 /* of processors and of memory nodes; the kernel has no more */
#define USEC_PER_SEC  1000000
#define PERCENT_USEC  10000 /* systemd counts a quota in percent of a processor */
#define SIGNAL_MAX    64

void unitprops_add(struct unit_props *p, struct unit_prop prop)
{
	size_t i = 0;

	while (i < p->n && !str_eq(p->v[i].name, prop.name))
		i++;
	BUG(i == UNIT_PROPS_MAX, "%zu properties", i);
	p->v[i] = prop;
	p->n += i == p->n;
}

/* --- limits -------------------------------------------------------------------------------------------------------- */

typedef int (*limit_fn)(const char *property, const char *text, struct arena *a, struct unit_props *p, struct err *e);

static int bad(const char *text, struct err *e)
{
	return err_set(e, ERR_INVALID, "'%.64s' is nothing that systemd can be told", text);
}

/* "max", "4096" and, as the kernel takes it, "64M" */
static int limit(const char *property, const char *text, struct arena *a, struct unit_props *p, struct err *e)
{
	static const char units[] = "kmgt";
	size_t n = strcspn(text, "kKmMgGtT");
	AUTO_FREE char *digits = xstrndup(text, n);
	unsigned shift = text[n] != '\0' ? 10 * (unsigned)(strchr(units, tolower((unsigned char)text[n])) - units + 1) : 0;
	uint64_t v = UINT64_MAX;

	(void)a;
	if (!str_eq(text, "max") && (!str_to_u64(digits, &v) || (text[n] != '\0' && text[n + 1] != '\0') || v > UINT64_MAX >> shift))
		return bad(text, e);
	unitprops_add(p, (struct unit_prop){ property, UNIT_U64, str_eq(text, "max") ? v : v << shift, NULL, 0 });
	return 0;
}

/* "200", and of io.weight "default 200" */
static int weight(const char *property, const char *text, struct arena *a, struct unit_props *p, struct err *e)
{
	uint64_t v;

	(void)a;
	if (strchr(text, ':') != NULL)
		return 0;   /* of one device */
	if (!str_to_u64(str_starts(text, "default ") ? text + strlen("default ") : text, &v) || v == 0)
		return bad(text, e);
	unitprops_add(p, (struct unit_prop){ property, UNIT_U64, v, NULL, 0 });
	return 0;
}

static bool has(const struct unit_props *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->v[i].name, name))
			return true;
	return false;
}

/* To systemd a weight of 0 is that; one who is idle no longer has the default weight, as the kernel has it, if none is given. */
static int idle(const char *property, const char *text, struct arena *a, struct unit_props *p, struct err *e)
{
	bool is_idle = str_eq(text, "1");

	(void)a;
	(void)e;
	if (is_idle || !has(p, property))
		unitprops_add(p, (struct unit_prop){ property, UNIT_U64, is_idle ? 0 : UINT64_MAX, NULL, 0 });
	return 0;
}

/* "50000 100000": rounded up to what systemd can count; "max 100000", "max" */
static int quota(const char *property, const char *text, struct arena *a, struct unit_props *p, struct err *e)
{
	AUTO_FREE char *copy = xstrdup(text);
	char *rest = copy, *first = strsep(&rest, " ");
	uint64_t usec = UINT64_MAX, period = 100000;

	(void)a;
	if ((rest != NULL && (!str_to_u64(rest, &period) || period == 0)) || (!str_eq(first, "max") && !str_to_u64(first, &usec)) ||
	    (!str_eq(first, "max") && usec > UINT64_MAX / USEC_PER_SEC / 2))
		return bad(text, e);
	if (!str_eq(first, "max"))
		usec = (usec * USEC_PER_SEC / period + PERCENT_USEC - 1) / PERCENT_USEC * PERCENT_USEC;
	unitprops_add(p, (struct unit_prop){ property, UNIT_U64, usec, NULL, 0 });
	unitprops_add(p, (struct unit_prop){ "CPUQuotaPeriodUSec", UNIT_U64, period, NULL, 0 });
	return 0;
}

/* "0-3,7" as a bit for each */
static int numbers(const char *property, const char *text, struct arena *a, struct unit_props *p, struct err *e)
{
	uint8_t *bytes = arena_new_array(a, uint8_t, NUMBERS_MAX / CHAR_BIT);
	const size_t bits = sizeof(unsigned long) * CHAR_BIT;
	struct stage_bits set;
	size_t n = 0;

	if (sched_bits(text, NUMBERS_MAX, a, &set, e) < 0)
		return -1;
	for (size_t i = 0; i < NUMBERS_MAX; i++) {
		if ((set.v[i / bits] >> i % bits & 1) == 0)
			continue;
		bytes[i / CHAR_BIT] |= (uint8_t)(1u << i % CHAR_BIT);
		n = i / CHAR_BIT + 1;
	}
	unitprops_add(p, (struct unit_prop){ property, UNIT_BYTES, 0, bytes, n });
	return 0;
}

static const struct limit_row {
	const char *file, *property;
	limit_fn read;
} limits[] = {
	{ "memory.max", "MemoryMax", limit },
	{ "memory.high", "MemoryHigh", limit },
	{ "memory.low", "MemoryLow", limit },
	{ "memory.min", "MemoryMin", limit },
	{ "memory.swap.max", "MemorySwapMax", limit },
	{ "pids.max", "TasksMax", limit },
	{ "cpu.weight", "CPUWeight", weight },
	{ "cpu.idle", "CPUWeight", idle },
	{ "cpu.max", "CPUQuotaPerSecUSec", quota },
	{ "cpuset.cpus", "AllowedCPUs", numbers },
	{ "cpuset.mems", "AllowedMemoryNodes", numbers },
	{ "io.bfq.weight", "IOWeight", weight },
	{ "io.weight", "IOWeight", weight },
};

/* A value that has two files is told as the second one's, which is systemd's own. */
static int add_limit(const struct limit_row *row, const struct cgroup_value *v, struct arena *a, struct unit_props *p, struct err *e)
{
	bool is_second = v->or_file != NULL && str_eq(row->file, v->or_file);

	if (!is_second && (v->or_file != NULL || !str_eq(row->file, v->file)))
		return 0;
	if (row->read(row->property, is_second ? v->or_value : v->value, a, p, e) < 0)
		return err_wrap(e, "%s", row->file);
	return 0;
}

int unitprops_limits(const struct cgroup_values *values, struct arena *arena, struct unit_props *p, struct err *e)
{
	for (size_t i = 0; i < values->n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(limits); k++)
			if (add_limit(&limits[k], &values->v[i], arena, p, e) < 0)
				return -1;
	return 0;
}

/* --- annotations --------------------------------------------------------------------------------------------------- */

/* What a container may ask for itself: nothing that starts or stops others, moves processes or takes limits away. */
static const struct allowed {
	const char *name, *in_seconds; /* the other name, or NULL */
	enum unit_type type;
} allowed[] = {
	{ "After", NULL, UNIT_TEXTS },
	{ "Before", NULL, UNIT_TEXTS },
	{ "CollectMode", NULL, UNIT_TEXT },
	{ "DefaultDependencies", NULL, UNIT_BOOL },
	{ "Description", NULL, UNIT_TEXT },
	{ "FinalKillSignal", NULL, UNIT_SIGNAL },
	{ "KillMode", NULL, UNIT_TEXT },
	{ "KillSignal", NULL, UNIT_SIGNAL },
	{ "ManagedOOMMemoryPressure", NULL, UNIT_TEXT },
	{ "ManagedOOMPreference", NULL, UNIT_TEXT },
	{ "ManagedOOMSwap", NULL, UNIT_TEXT },
	{ "OOMPolicy", NULL, UNIT_TEXT },
	{ "PartOf", NULL, UNIT_TEXTS },
	{ "RuntimeMaxUSec", "RuntimeMaxSec", UNIT_U64 },
	{ "SendSIGHUP", NULL, UNIT_BOOL },
	{ "SendSIGKILL", NULL, UNIT_BOOL },
	{ "TimeoutStopUSec", "TimeoutStopSec", UNIT_U64 },
};

static const char *skip_spaces(const char *text)
{
	return text + strspn(text, " \t");
}

/* 'text' or "text", without escapes. Return: what is behind it, or NULL */
static const char *read_text(const char *text, struct arena *a, const char **ret)
{
	const char *end = text[0] == '\'' || text[0] == '"' ? strchr(text + 1, text[0]) : NULL;
	size_t n = end != NULL ? (size_t)(end - text - 1) : 0;

	if (end == NULL || n > TEXT_MAX)
		return NULL;
	for (size_t i = 1; i <= n; i++)
		if (iscntrl((unsigned char)text[i]) || text[i] == '\\')
			return NULL;
	*ret = arena_strndup(a, text + 1, n);
	return skip_spaces(end + 1);
}

/* ['a', 'b'] */
static bool read_texts(const char *text, struct arena *a, struct unit_prop *ret)
{
	const char **v = arena_new_array(a, const char *, TEXTS_MAX + 1);

	text = skip_spaces(str_starts(text, "@as") ? text + strlen("@as") : text);
	ret->data = v;
	if (text[0] != '[')
		return false;
	text = skip_spaces(text + 1);
	for (size_t n = 0; text[0] != ']'; n++) {
		if (n == TEXTS_MAX || (n != 0 && text[0] != ','))
			return false;
		text = read_text(n == 0 ? text : skip_spaces(text + 1), a, &v[n]);
		if (text == NULL)
			return false;
	}
	return *skip_spaces(text + 1) == '\0';
}

/* "5", "uint64 5" */
static bool read_number(const char *text, uint64_t *ret)
{
	static const char *const types[] = { "byte ", "int16 ", "uint16 ", "int32 ", "uint32 ", "int64 ", "uint64 " };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_starts(text, types[i]))
			return str_to_u64(skip_spaces(text + strlen(types[i])), ret);
	return str_to_u64(text, ret);
}

static bool read_value(const char *text, bool is_seconds, struct arena *a, struct unit_prop *p)
{
	const char *word = NULL, *rest;

	switch (p->type) {
	case UNIT_BOOL:
		p->number = str_eq(text, "true");
		return p->number == 1 || str_eq(text, "false");
	case UNIT_TEXT:
		rest = read_text(text, a, &word);
		p->data = word;
		return rest != NULL && rest[0] == '\0';
	case UNIT_TEXTS:
		return read_texts(text, a, p);
	case UNIT_SIGNAL:
		return read_number(text, &p->number) && p->number >= 1 && p->number <= SIGNAL_MAX;
	default:
		if (!read_number(text, &p->number) || (is_seconds && p->number > UINT64_MAX / USEC_PER_SEC))
			return false;
		p->number *= is_seconds ? USEC_PER_SEC : 1;
		return true;
	}
}

static int add_annotation(const char *name, const char *value, struct arena *a, struct unit_props *p, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		bool is_seconds = allowed[i].in_seconds != NULL && str_eq(allowed[i].in_seconds, name);
		struct unit_prop prop = { .name = allowed[i].name, .type = allowed[i].type };

		if (!is_seconds && !str_eq(allowed[i].name, name))
			continue;
		if (!read_value(skip_spaces(value), is_seconds, a, &prop))
			return err_set(e, ERR_INVALID, "'%.64s' is no value of it", value);
		unitprops_add(p, prop);
		return 0;
	}
	return err_set(e, ERR_UNSUPPORTED, "a container's scope is not given this property");
}

int unitprops_annotations(const struct str_map *map, struct arena *arena, struct unit_props *p, struct err *e)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct str_pair *one = &map->v[i];

		if (!str_starts(one->key, ANNOTATION))
			continue;
		if (add_annotation(one->key + strlen(ANNOTATION), one->value, arena, p, e) < 0)
			return err_wrap(e, "annotations['%.128s']", one->key);
	}
	return 0;
}
