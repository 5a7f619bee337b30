/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A group goes when its last process has gone, which may take: one that hangs in the kernel, or is held by a frozen
 * group of another hierarchy. The launcher is the parent of all and waits for nobody, so each group is tried once when
 * its container ends, and if that fails again and again from the loop, at growing distances. kilnd's question (MSG_CLEAN)
 * is answered when the group is gone, or with what stands in the way after ANSWER_NS. A new run of the same container
 * takes the group over: its monitor waits for it, and we let go.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/launcher_parts.h"

#define NS_PER_MS   1000000
#define NAP_MIN_NS  (1 * NS_PER_MS)
#define NAP_MAX_NS  (500 * NS_PER_MS)
#define ANSWER_NS   (5 * CLOCK_NS_PER_SEC)
#define GIVE_UP_NS  (600 * CLOCK_NS_PER_SEC)

struct unclean {
	struct unclean *next;
	bool wants_answer;           /* kilnd has asked */
	int64_t since_ns, due_ns, nap_ns;
	char id[PROTO_ID_LEN + 1];
	char path[SLOT_CGROUP_MAX];
};

static void answer(struct launcher *l, const char *id, const char *path, const struct err *why)
{
	struct msg_clean msg = { .head = proto_head(MSG_CLEANED, sizeof msg), .err = *why };

	snprintf(msg.id, sizeof msg.id, "%s", id);
	snprintf(msg.cgroup_path, sizeof msg.cgroup_path, "%s", path);
	launcher_tell(l, &msg, sizeof msg, -1);
}

static void all_gone(struct launcher *l, const char *id, const char *path, bool wants_answer)
{
	const struct err none = { 0 };

	if (!wants_answer)
		return;
	cgroup_remove_above(path);
	launcher_remove_socket(l, id, false);
	answer(l, id, path, &none);
}

void launcher_clean(struct launcher *l, const char *id, const char *path, bool wants_answer)
{
	struct unclean *u;
	struct err e = { 0 };

	if (cgroup_remove_once(path, &e) == 0) {
		all_gone(l, id, path, wants_answer);
		return;
	}
	if (e.kind != ERR_TIMEOUT) {
		log_warn("launcher: container '%s': %s, trying again", id, e.msg);
		if (wants_answer)
			answer(l, id, path, &e);
		wants_answer = false;
	}
	u = xcalloc(1, sizeof *u);
	*u = (struct unclean){ .wants_answer = wants_answer, .since_ns = clock_mono_ns(), .nap_ns = NAP_MIN_NS };
	u->due_ns = u->since_ns + u->nap_ns;
	snprintf(u->id, sizeof u->id, "%s", id);
	snprintf(u->path, sizeof u->path, "%s", path);
	u->next = l->unclean;
	l->unclean = u;
}

/* Return: true when there is nothing more to do */
static bool try_one(struct launcher *l, struct unclean *u, int64_t now_ns)
{
	struct err e = { 0 };

	if (cgroup_remove_once(u->path, &e) == 0) {
		all_gone(l, u->id, u->path, u->wants_answer);
		return true;
	}
	if (now_ns - u->since_ns > ANSWER_NS && u->wants_answer) {
		answer(l, u->id, u->path, &e);
		u->wants_answer = false;
	}
	u->nap_ns = u->nap_ns * 2 > NAP_MAX_NS ? NAP_MAX_NS : u->nap_ns * 2;
	u->due_ns = now_ns + u->nap_ns;
	if (now_ns - u->since_ns <= GIVE_UP_NS)
		return false;
	log_err("launcher: container '%s': %s, giving up", u->id, e.msg);
	return true;
}

void launcher_clean_again(struct launcher *l)
{
	struct unclean **at = &l->unclean;
	const int64_t now_ns = l->unclean ? clock_mono_ns() : 0;

	while (*at && !l->is_ending) {
		struct unclean *u = *at;

		if (u->due_ns > now_ns || !try_one(l, u, now_ns)) {
			at = &u->next;
			continue;
		}
		*at = u->next;
		free(u);
	}
}

bool launcher_is_unclean(const struct launcher *l, const char *id)
{
	for (const struct unclean *u = l->unclean; u; u = u->next) {
		if (str_eq(u->id, id))
			return true;
	}
	return false;
}

void launcher_clean_is_others(struct launcher *l, const char *id)
{
	const struct err none = { 0 };
	struct unclean **at = &l->unclean;

	while (*at) {
		struct unclean *u = *at;

		if (!str_eq(u->id, id)) {
			at = &u->next;
			continue;
		}
		*at = u->next;
		if (u->wants_answer)
			answer(l, u->id, u->path, &none);
		free(u);
	}
}

int launcher_clean_timeout_ms(const struct launcher *l)
{
	int64_t first_ns = INT64_MAX, now_ns;

	if (!l->unclean || l->is_ending)
		return -1;
	now_ns = clock_mono_ns();
	for (const struct unclean *u = l->unclean; u; u = u->next)
		first_ns = u->due_ns < first_ns ? u->due_ns : first_ns;
	return first_ns <= now_ns ? 0 : (int)((first_ns - now_ns) / NS_PER_MS) + 1;
}
