/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/own.h"

#define SLOTS_STEP 64   /* the table grows by so many */

_Static_assert(sizeof(struct slot_page) <= SLOT_PAGE_BYTES, "a slot's shared half is one page");

int slots_init(struct slots *t, struct err *e)
{
	*t = (struct slots){ 0 };
	t->region = mmap(NULL, (size_t)SLOTS_MAX * SLOT_PAGE_BYTES, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->region == MAP_FAILED)
		return err_sys(e, "map the table of monitors");
	return 0;
}

struct slot_page *slots_page(const struct slots *t, size_t index)
{
	return (struct slot_page *)(t->region + index * SLOT_PAGE_BYTES);
}

static size_t find_free(struct slots *t)
{
	for (size_t i = 0; i < t->n; i++) {
		if (!t->v[i].in_use)
			return i;
	}
	return t->n;
}

int slots_take(struct slots *t, const char *id, bool is_exec, int record_fd, size_t *ret_index, struct err *e)
{
	size_t i = find_free(t);
	struct slot *s;

	if (i == SLOTS_MAX) {
		close_fd(&record_fd);
		return err_set(e, ERR_CONFLICT, "launch: %d containers and execs run already", SLOTS_MAX);
	}
	if (i == t->n) {
		if (t->n % SLOTS_STEP == 0)
			t->v = xrealloc(t->v, (t->n + SLOTS_STEP) * sizeof *t->v);
		t->n++;
	}
	s = &t->v[i];
	*s = (struct slot){ .in_use = true, .is_exec = is_exec, .record_fd = record_fd,
			    .held_fds = { -1, -1, -1 } };
	snprintf(s->id, sizeof s->id, "%s", id);
	s->page = slots_page(t, i);
	memset(s->page, 0, sizeof *s->page);
	t->n_in_use++;
	*ret_index = i;
	return 0;
}

void slots_drop_held(struct slot *s)
{
	for (int i = 0; i < POKE_FDS_; i++)
		close_fd(&s->held_fds[i]);
}

void slots_free(struct slots *t, struct slot *s)
{
	close_fd(&s->record_fd);
	slots_drop_held(s);
	s->in_use = false;
	t->n_in_use--;
}

void slots_keep_only(struct slots *t, size_t index)
{
	char *mine = t->region + index * SLOT_PAGE_BYTES;
	char *behind = mine + SLOT_PAGE_BYTES, *end = t->region + (size_t)SLOTS_MAX * SLOT_PAGE_BYTES;

	if (mine > t->region)
		munmap(t->region, (size_t)(mine - t->region));
	if (behind < end)
		munmap(behind, (size_t)(end - behind));
	free(t->v);
	*t = (struct slots){ 0 };
}

struct slot *slots_by_monitor(struct slots *t, pid_t monitor)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].in_use && t->v[i].monitor == monitor)
			return &t->v[i];
	}
	return NULL;
}

struct slot *slots_by_init(struct slots *t, pid_t init)
{
	for (size_t i = 0; i < t->n; i++) {
		struct slot *s = &t->v[i];

		if (s->in_use && s->page->marks.init == init && !atomic_load(&s->page->is_recorded))
			return s;
	}
	return NULL;
}

size_t slots_count(struct slots *t, const char *id, bool is_exec)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct slot *s = &t->v[i];

		n += s->in_use && s->is_exec == is_exec && strcmp(s->id, id) == 0;
	}
	return n;
}

bool slots_is_running(struct slots *t, const char *id)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct slot *s = &t->v[i];

		if (s->in_use && !s->is_exec && strcmp(s->id, id) == 0 &&
		    !atomic_load(&s->page->is_recorded))
			return true;
	}
	return false;
}
