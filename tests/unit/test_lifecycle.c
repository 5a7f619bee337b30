/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/lifecycle.h"

#include "tests/unit/unit.h"

static int next_of(enum ct_state from, enum ct_event ev)
{
	struct err e = { 0 };
	enum ct_state next;

	return ct_next(from, ev, &next, &e) == 0 ? (int)next : -1;
}

START_TEST(every_pair_is_legal_or_a_conflict)
{
	size_t n_legal = 0;

	for (int from = 0; from < CT_STATES_; from++) {
		for (int ev = 0; ev < EV_EVENTS_; ev++) {
			enum ct_state next = CT_STATES_;
			struct err e = { 0 };

			if (ct_next(from, ev, &next, &e) == 0) {
				ck_assert_int_lt(next, CT_STATES_);
				n_legal++;
				continue;
			}
			ck_assert_int_eq(e.kind, ERR_CONFLICT);
			ck_assert_int_eq(next, CT_STATES_);
			ck_assert_ptr_nonnull(strstr(e.msg, ct_state_name(from)));
		}
	}
	ck_assert_uint_eq(n_legal, 23);
}
END_TEST

START_TEST(a_plain_life)
{
	ck_assert_int_eq(next_of(CT_CREATED, EV_START), CT_STARTING);
	ck_assert_int_eq(next_of(CT_STARTING, EV_STARTED), CT_RUNNING);
	ck_assert_int_eq(next_of(CT_RUNNING, EV_STOP), CT_RUNNING);
	ck_assert_int_eq(next_of(CT_RUNNING, EV_EXITED), CT_EXITED);
	ck_assert_int_eq(next_of(CT_EXITED, EV_RESTART), CT_RESTARTING);
	ck_assert_int_eq(next_of(CT_RESTARTING, EV_START), CT_STARTING);
	ck_assert_int_eq(next_of(CT_EXITED, EV_REMOVE), CT_REMOVING);
	ck_assert_int_eq(next_of(CT_REMOVING, EV_REMOVE_FAILED), CT_DEAD);
	ck_assert_int_eq(next_of(CT_DEAD, EV_REMOVE), CT_REMOVING);
}
END_TEST

START_TEST(start_twice_is_a_conflict)
{
	struct err e = { 0 };
	enum ct_state next;

	ck_assert_int_eq(ct_next(CT_RUNNING, EV_START, &next, &e), -1);
	ck_assert_str_eq(e.msg, "cannot start a container that is running");
}
END_TEST

START_TEST(a_live_container_cannot_be_removed)
{
	for (int s = 0; s < CT_STATES_; s++) {
		if (ct_is_live(s))
			ck_assert_int_eq(next_of(s, EV_REMOVE), -1);
	}
	ck_assert_int_eq(next_of(CT_RESTARTING, EV_REMOVE), -1);
}
END_TEST

/* What is starting is marked as started first. */
START_TEST(every_live_state_takes_an_exit)
{
	for (int s = 0; s < CT_STATES_; s++)
		ck_assert_int_eq(next_of(s, EV_EXITED),
				 ct_is_live(s) && s != CT_STARTING ? CT_EXITED : -1);
}
END_TEST

START_TEST(names_are_parsed_back)
{
	enum ct_state s;

	for (int i = 0; i < CT_STATES_; i++) {
		ck_assert(ct_state_parse(ct_state_name(i), &s));
		ck_assert_int_eq(s, i);
	}
	ck_assert(!ct_state_parse("nonsense", &s));
	ck_assert(!ct_state_parse(NULL, &s));
}
END_TEST

UNIT_MAIN("lifecycle", every_pair_is_legal_or_a_conflict, a_plain_life, start_twice_is_a_conflict,
	  a_live_container_cannot_be_removed, every_live_state_takes_an_exit, names_are_parsed_back)
