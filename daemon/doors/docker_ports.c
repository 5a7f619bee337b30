/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/doors/docker_ports.h"

#include <string.h>

#include "base/own.h"

#define SHOWN_MAX_BYTES (16u << 10)   /* of ExposedPorts: about a thousand ports; an image may have more there than anybody reads */

static const struct jschema exposed_schema = { .spec = "ExposedPorts" };

static const char *proto_of(const char *name)
{
	static const char *const known[] = { "tcp", "udp", "sctp" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_eq(known[i], name))
			return known[i];
	return NULL;
}

/* One number of at most five digits, which *p moves behind */
static bool take_port(const char **p, uint16_t *ret)
{
	const char *s = *p;
	uint32_t v = 0;

	for (; *s >= '0' && *s <= '9' && s - *p < 5; s++)
		v = v * 10 + (uint32_t)(*s - '0');
	if (s == *p || v > UINT16_MAX)
		return false;
	*p = s;
	*ret = (uint16_t)v;
	return true;
}

bool docker_port_range(const char *text, struct port_range *ret)
{
	struct port_range r = { .proto = "tcp" };

	if (!take_port(&text, &r.from))
		return false;
	r.to = r.from;
	if (*text == '-' && (text++, !take_port(&text, &r.to)))
		return false;
	if (*text == '/')
		r.proto = proto_of(text + 1);
	else if (*text != '\0')
		return false;
	if (!r.proto || r.to < r.from)
		return false;
	*ret = r;
	return true;
}

static bool is_port(const char *key, struct port_range *ret)
{
	return docker_port_range(key, ret) && ret->from == ret->to;
}

static int check_key(void *ctx, const char *key, const char *value, struct err *e)
{
	struct port_range r;

	(void)ctx;
	(void)value;
	if (!is_port(key, &r))
		return err_set(e, ERR_INVALID, "invalid ExposedPorts: '%.64s' is no port, as 80/tcp, 53/udp or 132/sctp", key);
	return 0;
}

static int walk(const struct opt_config *c, struct arena *a, json_unknown_fn each, void *ctx, struct err *e)
{
	const struct json_raw *raw = &c->exposed_ports;
	void *ignored = NULL;

	if (!raw->text || str_eq(raw->text, "null"))
		return 0;
	return json_decode(raw->text, raw->len, &exposed_schema, a, each, ctx, &ignored, e);
}

int docker_check_exposed(const struct opt_config *c, struct arena *a, struct err *e)
{
	return walk(c, a, check_key, NULL, e);
}

struct exposed {
	struct port_range *v;
	size_t n;
};

static int add_key(void *ctx, const char *key, const char *value, struct err *e)
{
	struct exposed *x = ctx;
	struct port_range r;

	(void)value;
	(void)e;
	if (!is_port(key, &r))
		return 0;
	for (size_t i = 0; i < x->n; i++)   /* "80" and "80/tcp" */
		if (x->v[i].from == r.from && x->v[i].proto == r.proto)
			return 0;
	x->v[x->n++] = r;
	return 0;
}

size_t docker_exposed(const struct opt_config *c, struct arena *a, struct port_range **ret)
{
	size_t n_bytes = c->exposed_ports.len > SHOWN_MAX_BYTES ? 0 : c->exposed_ports.len;
	/* Each takes at least `"0":0`, and one character more between two */
	struct exposed x = { .v = arena_new_array(a, struct port_range, n_bytes / 5 + 1) };

	if (n_bytes == 0 || walk(c, a, add_key, &x, ERR_IGNORED) < 0)
		x.n = 0;
	*ret = x.v;
	return x.n;
}
