/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

static const char *text(const char *s)
{
	return s ? s : "";
}

static int compare(int64_t x, int64_t y)
{
	return (x > y) - (x < y);
}

static int by_port(const void *x, const void *y)
{
	const struct port *p = x, *q = y;
	int order = compare(p->inside, q->inside);

	order = order ? order : strcmp(text(p->ip), text(q->ip));
	order = order ? order : compare(p->outside, q->outside);
	return order ? order : strcmp(text(p->type), text(q->type));
}

/* Ports of one address and protocol that follow each other, the same outside as inside */
struct range { const char *ip, *type; int64_t first, last; };

static bool is_moved(const struct port *p)
{
	return text(p->ip)[0] && p->outside != p->inside;
}

static void add_address(struct strbuf *out, const char *ip)
{
	strbuf_addf(out, strchr(ip, ':') ? "[%s]:" : "%s:", ip);
}

static void add_range(struct strbuf *out, const struct range *r)
{
	char ports[64];

	snprintf(ports, sizeof(ports), r->first == r->last ? "%lld" : "%lld-%lld", (long long)r->first, (long long)r->last);
	strbuf_adds(out, out->len ? ", " : "");
	if (r->ip[0]) {
		add_address(out, r->ip);
		strbuf_addf(out, "%s->", ports);
	}
	strbuf_addf(out, "%s/%s", ports, r->type);
}

/* Goes on with the range of its address and protocol, or ends that one and begins another */
static void take(struct strbuf *out, struct range *ranges, size_t *n, const struct port *p)
{
	struct range r = { text(p->ip), p->type ? p->type : "tcp", p->inside, p->inside };

	for (size_t i = 0; i < *n; i++) {
		if (strcmp(ranges[i].ip, r.ip) != 0 || strcmp(ranges[i].type, r.type) != 0)
			continue;
		if (r.first > ranges[i].last && r.first - 1 == ranges[i].last) {
			ranges[i].last = r.first;
			return;
		}
		add_range(out, &ranges[i]);
		ranges[i] = r;
		return;
	}
	ranges[(*n)++] = r;
}

void ports_print(struct strbuf *out, struct port *ports, size_t n)
{
	AUTO_FREE struct range *ranges = xcalloc(n + 1, sizeof(*ranges));
	AUTO_STRBUF struct strbuf all = {0};
	size_t n_ranges = 0;

	if (n)
		qsort(ports, n, sizeof(*ports), by_port);
	for (size_t i = 0; i < n; i++)
		if (!is_moved(&ports[i]))
			take(&all, ranges, &n_ranges, &ports[i]);
	for (size_t i = 0; i < n_ranges; i++)
		add_range(&all, &ranges[i]);
	for (size_t i = 0; i < n; i++) {
		if (!is_moved(&ports[i]))
			continue;
		strbuf_adds(&all, all.len ? ", " : "");
		add_address(&all, ports[i].ip);
		strbuf_addf(&all, "%lld->%lld/%s", (long long)ports[i].outside, (long long)ports[i].inside, ports[i].type ? ports[i].type : "tcp");
	}
	strbuf_adds(out, strbuf_cstr(&all));
}
