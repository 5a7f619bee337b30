/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/launcher_stems.h"

#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/own.h"

#define QUIET_MS 3                        /* without a request: then one is made */
#define MIN      1
#define REST_NS  (60 * CLOCK_NS_PER_SEC)  /* without a request: then one is enough */
#define RETRY_NS CLOCK_NS_PER_SEC         /* after a fork that failed, or one that ended by itself */
#define NS_PER_MS 1000000LL

void stems_init(struct stems *s, size_t max)
{
	*s = (struct stems){ .max = max < STEMS_MAX ? max : STEMS_MAX };
	for (size_t k = 0; k < STEM_KINDS_; k++)
		s->pools[k].wanted = s->max < MIN ? s->max : MIN;
}

static void let_go(struct stem_pool *p, size_t i)
{
	close_fd(&p->v[i].fd);
	p->n--;
	memmove(&p->v[i], &p->v[i + 1], (p->n - i) * sizeof p->v[0]);
}

/* It says one byte when it has all that it is to have. */
static bool is_ready(const struct stem *t)
{
	char byte;

	return recv(t->fd, &byte, 1, MSG_DONTWAIT) == 1;
}

bool stems_take(struct stems *s, enum stem_kind kind, int64_t now_ns, struct stem *ret)
{
	struct stem_pool *p = &s->pools[kind];

	p->used_ns = now_ns;
	for (size_t i = 0; i < p->n; i++) {
		if (!is_ready(&p->v[i]))
			continue;
		*ret = p->v[i];
		p->v[i].fd = -1;
		let_go(p, i);
		return true;
	}
	p->wanted = p->wanted * 2 < s->max ? p->wanted * 2 : s->max;
	return false;
}

enum stem_kind stems_lacking(struct stems *s, int64_t now_ns)
{
	enum stem_kind lacking = STEM_KINDS_;

	for (enum stem_kind k = 0; k < STEM_KINDS_; k++) {
		struct stem_pool *p = &s->pools[k];

		if (p->wanted > MIN && now_ns - p->used_ns >= REST_NS)
			p->wanted = MIN;
		while (p->n > p->wanted)
			let_go(p, p->n - 1);
		if (lacking == STEM_KINDS_ && p->n < p->wanted)
			lacking = k;
	}
	return now_ns < s->due_ns ? STEM_KINDS_ : lacking;
}

void stems_add(struct stems *s, enum stem_kind kind, pid_t pid, int fd)
{
	struct stem_pool *p = &s->pools[kind];

	p->v[p->n++] = (struct stem){ pid, fd };
}

void stems_failed(struct stems *s, int64_t now_ns)
{
	s->due_ns = now_ns + RETRY_NS;
}

bool stems_forget(struct stems *s, pid_t pid)
{
	for (size_t k = 0; k < STEM_KINDS_; k++) {
		for (size_t i = 0; i < s->pools[k].n; i++) {
			if (s->pools[k].v[i].pid != pid)
				continue;
			let_go(&s->pools[k], i);
			return true;
		}
	}
	return false;
}

void stems_renew(struct stems *s)
{
	for (size_t k = 0; k < STEM_KINDS_; k++)
		while (s->pools[k].n > 0)
			let_go(&s->pools[k], s->pools[k].n - 1);
}

void stems_drop(struct stems *s)
{
	stems_renew(s);
	s->max = 0;
	for (size_t k = 0; k < STEM_KINDS_; k++)
		s->pools[k].wanted = 0;
}

int stems_timeout_ms(const struct stems *s, int64_t now_ns)
{
	int64_t ms = -1;

	for (size_t k = 0; k < STEM_KINDS_; k++) {
		const struct stem_pool *p = &s->pools[k];
		int64_t rest_ms = (p->used_ns + REST_NS - now_ns) / NS_PER_MS + 1;

		if (p->n < p->wanted)
			return now_ns < s->due_ns ? (int)((s->due_ns - now_ns) / NS_PER_MS) + 1 : QUIET_MS;
		if (p->wanted > MIN && (ms < 0 || rest_ms < ms))
			ms = rest_ms > 0 ? rest_ms : 0;
	}
	return (int)ms;
}
