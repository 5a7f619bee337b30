/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The kernel takes time and memory for each instruction of a filter, in each process that loads one: libseccomp compares with every
 * system call that a profile names, one after the other at the end of its tree. But neighbours mostly get the same answer. So for
 * each architecture the numbers are cut into intervals with one answer each, by asking the program itself, and a binary tree of
 * their beginnings takes the place of the comparisons. Where arguments decide, the program's own instructions go on; all that an
 * interval has in common is where they begin.
 *
 * Between two neighbouring constants of the program nothing changes for it: one number of each such piece is asked.
 *
 * Instructions are written from the last to the first, so that all that one jumps to is known: a place is the number of instructions
 * behind it and with it. A conditional jump reaches 255 instructions; behind them stands one that reaches all.
 */
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "runtime/seccomp_parts.h"

#define ARCHES_MAX 8
#define REACH      255u
#define SHARED     200u /* an answer no farther away is jumped to; the rest of REACH is for what comes between */

#define LOAD   (BPF_LD | BPF_W | BPF_ABS)
#define ANSWER (BPF_RET | BPF_K)
#define ALWAYS (BPF_JMP | BPF_JA)
#define NR     offsetof(struct seccomp_data, nr)
#define ARCH   offsetof(struct seccomp_data, arch)

/* What a system call comes to, by its number. */
struct leaf {
	bool is_answer;
	uint32_t v; /* the answer; or the instruction that goes on, which loads something else */
};

struct interval {
	uint32_t first;
	struct leaf leaf;
};

struct shrinking {
	const struct sock_filter *in;
	size_t n_in;
	struct arena *arena;
	uint32_t arches[ARCHES_MAX];
	size_t n_arches;
	uint32_t *firsts; /* of the pieces, sorted, no two the same */
	size_t n_firsts;
	struct interval *intervals; /* of one architecture */
	size_t n_intervals;
	size_t *places;             /* of instructions of the program that go on; 0: none yet */
	struct sock_filter *out;    /* the last first */
	size_t n_out, max_out;
	bool is_odd;                /* not what libseccomp makes, or longer than before: it stays as it is */
};

/* --- asking the program ------------------------------------------------------------------------------------------- */

static bool is_jump(const struct sock_filter *i)
{
	return i->code == (BPF_JMP | BPF_JEQ | BPF_K) || i->code == (BPF_JMP | BPF_JGT | BPF_K) || i->code == (BPF_JMP | BPF_JGE | BPF_K);
}

static bool is_met(const struct sock_filter *i, uint32_t a)
{
	switch (BPF_OP(i->code)) {
	case BPF_JEQ: return a == i->k;
	case BPF_JGT: return a > i->k;
	default: return a >= i->k;
	}
}

/* Jumps only lead forwards: it ends. */
static struct leaf ask(struct shrinking *s, uint32_t arch, uint32_t nr)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < s->n_in; pc++) {
		const struct sock_filter *i = &s->in[pc];

		if (i->code == ANSWER)
			return (struct leaf){ true, i->k };
		if (i->code == LOAD && i->k != NR && i->k != ARCH)
			return (struct leaf){ false, (uint32_t)pc };
		if (i->code == LOAD)
			a = i->k == NR ? nr : arch;
		else if (i->code == ALWAYS)
			pc += i->k;
		else if (is_jump(i))
			pc += is_met(i, a) ? i->jt : i->jf;
		else
			break;
	}
	s->is_odd = true;
	return (struct leaf){ true, SECCOMP_RET_KILL_PROCESS };
}

static bool is_same(struct leaf a, struct leaf b)
{
	return a.is_answer == b.is_answer && a.v == b.v;
}

static void cut(struct shrinking *s, uint32_t arch)
{
	s->n_intervals = 0;
	for (size_t i = 0; i < s->n_firsts; i++) {
		struct leaf l = ask(s, arch, s->firsts[i]);

		if (s->n_intervals == 0 || !is_same(l, s->intervals[s->n_intervals - 1].leaf))
			s->intervals[s->n_intervals++] = (struct interval){ s->firsts[i], l };
	}
}

/* --- what it compares with ------------------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void find_pieces(struct shrinking *s)
{
	size_t n = 0;

	s->firsts = arena_new_array(s->arena, uint32_t, 2 * s->n_in + 1);
	s->firsts[n++] = 0;
	for (size_t i = 0; i < s->n_in; i++) {
		if (!is_jump(&s->in[i]))
			continue;
		s->firsts[n++] = s->in[i].k;
		s->firsts[n++] = s->in[i].k + 1;
	}
	qsort(s->firsts, n, sizeof(*s->firsts), compare);
	s->n_firsts = 1;
	for (size_t i = 1; i < n; i++)
		if (s->firsts[i] != s->firsts[s->n_firsts - 1])
			s->firsts[s->n_firsts++] = s->firsts[i];
	s->intervals = arena_new_array(s->arena, struct interval, s->n_firsts);
}

static void add_arch(struct shrinking *s, uint32_t arch)
{
	size_t i = 0;

	while (i < s->n_arches && s->arches[i] != arch)
		i++;
	if (i == ARCHES_MAX)
		s->is_odd = true;
	else if (i == s->n_arches)
		s->arches[s->n_arches++] = arch;
}

/* Behind a load of the architecture there are comparisons with one each, until something else is done. */
static void find_arches_from(struct shrinking *s, size_t pc)
{
	for (; pc < s->n_in; pc++) {
		const struct sock_filter *i = &s->in[pc];

		if (i->code == ALWAYS) {
			pc += i->k;
			continue;
		}
		if (!is_jump(i))
			return;
		s->is_odd = s->is_odd || BPF_OP(i->code) != BPF_JEQ;
		/* Where it is met, all that follows is about this one */
		add_arch(s, i->k);
		pc += i->jf;
	}
}

static void find_arches(struct shrinking *s)
{
	for (size_t i = 0; i < s->n_in; i++)
		if (s->in[i].code == LOAD && s->in[i].k == ARCH)
			find_arches_from(s, i + 1);
}

/* Of an architecture that the program does not name. */
static uint32_t other_arch(const struct shrinking *s)
{
	uint32_t arch = 0;

	for (size_t i = 0; i < s->n_arches; i++)
		if (s->arches[i] == arch) {
			arch++;
			i = (size_t)-1;
		}
	return arch;
}

/* --- writing ---------------------------------------------------------------------------------------------------------- */

static size_t put(struct shrinking *s, uint16_t code, size_t jt, size_t jf, uint32_t k)
{
	if (s->n_out == s->max_out) {
		s->is_odd = true;
		return s->n_out;
	}
	s->out[s->n_out++] = (struct sock_filter){ code, (uint8_t)jt, (uint8_t)jf, k };
	return s->n_out;
}

static size_t put_bridge(struct shrinking *s, size_t to)
{
	return put(s, ALWAYS, 0, 0, (uint32_t)(s->n_out - to));
}

static size_t put_jump(struct shrinking *s, uint16_t code, uint32_t k, size_t if_met, size_t if_not)
{
	if (s->n_out - if_met > REACH - 1) /* the other one's bridge may come between */
		if_met = put_bridge(s, if_met);
	if (s->n_out - if_not > REACH)
		if_not = put_bridge(s, if_not);
	return put(s, code, s->n_out - if_met, s->n_out - if_not, k);
}

/* What follows the next instruction is at @to. */
static void go_on_at(struct shrinking *s, size_t to)
{
	if (to != s->n_out)
		put_bridge(s, to);
}

static size_t put_answer(struct shrinking *s, uint32_t answer)
{
	for (size_t i = s->n_out; i > 0 && s->n_out - i < SHARED; i--)
		if (s->out[i - 1].code == ANSWER && s->out[i - 1].k == answer)
			return i;
	return put(s, ANSWER, 0, 0, answer);
}

/* The program's own instructions from @pc on. Must not ask for number or architecture again: then an interval has not one answer. */
static size_t put_rest(struct shrinking *s, size_t pc)
{
	const struct sock_filter *i = pc < s->n_in ? &s->in[pc] : NULL;
	size_t next, met;

	if (i == NULL || s->is_odd || (i->code == LOAD && (i->k == NR || i->k == ARCH))) {
		s->is_odd = true;
		return s->n_out;
	}
	if (s->places[pc] != 0)
		return s->places[pc];
	if (i->code == ANSWER) {
		s->places[pc] = put_answer(s, i->k);
	} else if (i->code == ALWAYS) {
		s->places[pc] = put_rest(s, pc + 1 + i->k);
	} else if (is_jump(i) || i->code == (BPF_JMP | BPF_JSET | BPF_K)) {
		met = put_rest(s, pc + 1 + i->jt);
		next = put_rest(s, pc + 1 + i->jf);
		s->places[pc] = put_jump(s, i->code, i->k, met, next);
	} else if (i->code == LOAD || i->code == (BPF_ALU | BPF_AND | BPF_K)) {
		go_on_at(s, put_rest(s, pc + 1));
		s->places[pc] = put(s, i->code, 0, 0, i->k);
	} else {
		s->is_odd = true;
	}
	return s->places[pc];
}

static size_t put_leaf(struct shrinking *s, struct leaf l)
{
	return l.is_answer ? put_answer(s, l.v) : put_rest(s, l.v);
}

static size_t put_tree(struct shrinking *s, const struct interval *v, size_t n)
{
	size_t upper, lower;

	if (n == 1)
		return put_leaf(s, v[0].leaf);
	upper = put_tree(s, v + n / 2, n - n / 2);
	lower = put_tree(s, v, n / 2);
	return put_jump(s, BPF_JMP | BPF_JGE | BPF_K, v[n / 2].first, upper, lower);
}

static size_t put_arch(struct shrinking *s, uint32_t arch)
{
	size_t tree;

	cut(s, arch);
	tree = put_tree(s, s->intervals, s->n_intervals);
	if (s->n_intervals == 1)
		return tree;
	go_on_at(s, tree);
	return put(s, LOAD, 0, 0, NR);
}

static void put_all(struct shrinking *s)
{
	size_t places[ARCHES_MAX] = { 0 }, next = put_arch(s, other_arch(s));

	for (size_t i = s->n_arches; i-- > 0 && !s->is_odd;)
		places[i] = put_arch(s, s->arches[i]);
	for (size_t i = s->n_arches; i-- > 0 && !s->is_odd;)
		next = put_jump(s, BPF_JMP | BPF_JEQ | BPF_K, s->arches[i], places[i], next);
	go_on_at(s, next);
	put(s, LOAD, 0, 0, ARCH);
}

void seccomp_shrink(struct sock_fprog *p, struct arena *arena)
{
	struct shrinking s = {
		.in = p->filter,
		.n_in = p->len,
		.arena = arena,
		.places = arena_new_array(arena, size_t, p->len),
		.out = arena_new_array(arena, struct sock_filter, p->len),
		.max_out = p->len,
	};

	find_pieces(&s);
	find_arches(&s);
	if (!s.is_odd)
		put_all(&s);
	if (s.is_odd)
		return;
	for (size_t i = 0; i < s.n_out; i++)
		p->filter[i] = s.out[s.n_out - 1 - i];
	p->len = (unsigned short)s.n_out;
}
