/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/lifecycle.h"

#include "base/own.h"
#include "base/str.h"

struct ct_rule {
	bool is_legal;
	enum ct_state next;
};

#define GO(state)                                 \
	{                                         \
		.is_legal = true, .next = (state) \
	}

/*
 * A start of which only the end is seen is marked as started first. STOP in a live state changes
 * what is desired, not what is observed. REMOVED is the last thing that happens to a container; it
 * has no state afterwards.
 */
static const struct ct_rule rules[CT_STATES_][EV_EVENTS_] = {
	[CT_CREATED] = {
		[EV_START]         = GO(CT_STARTING),
		[EV_REMOVE]        = GO(CT_REMOVING),
	},
	[CT_STARTING] = {
		[EV_STARTED]       = GO(CT_RUNNING),
		[EV_START_FAILED]  = GO(CT_EXITED),
		[EV_STOP]          = GO(CT_STARTING),
	},
	[CT_RUNNING] = {
		[EV_EXITED]        = GO(CT_EXITED),
		[EV_STOP]          = GO(CT_RUNNING),
		[EV_PAUSE]         = GO(CT_PAUSED),
		[EV_FREEZE]        = GO(CT_STANDBY),
	},
	[CT_PAUSED] = {
		[EV_EXITED]        = GO(CT_EXITED),
		[EV_STOP]          = GO(CT_PAUSED),
		[EV_RESUME]        = GO(CT_RUNNING),
	},
	[CT_STANDBY] = {
		[EV_EXITED]        = GO(CT_EXITED),
		[EV_STOP]          = GO(CT_STANDBY),
		[EV_THAW]          = GO(CT_RUNNING),
	},
	[CT_RESTARTING] = {
		[EV_START]         = GO(CT_STARTING),
		[EV_STOP]          = GO(CT_EXITED),
	},
	[CT_EXITED] = {
		[EV_START]         = GO(CT_STARTING),
		[EV_RESTART]       = GO(CT_RESTARTING),
		[EV_REMOVE]        = GO(CT_REMOVING),
	},
	[CT_REMOVING] = {
		[EV_REMOVED]       = GO(CT_REMOVING),
		[EV_REMOVE_FAILED] = GO(CT_DEAD),
	},
	[CT_DEAD] = {
		[EV_REMOVE]        = GO(CT_REMOVING),
	},
};

static const char *const state_names[CT_STATES_] = {
	[CT_CREATED] = "created", [CT_STARTING] = "starting", [CT_RUNNING] = "running",
	[CT_PAUSED] = "paused",   [CT_STANDBY] = "standby",   [CT_RESTARTING] = "restarting",
	[CT_EXITED] = "exited",   [CT_REMOVING] = "removing", [CT_DEAD] = "dead",
};

static const char *const event_names[EV_EVENTS_] = {
	[EV_START] = "start",
	[EV_STARTED] = "mark started",
	[EV_START_FAILED] = "fail the start of",
	[EV_EXITED] = "mark exited",
	[EV_RESTART] = "restart",
	[EV_STOP] = "stop",
	[EV_PAUSE] = "pause",
	[EV_RESUME] = "unpause",
	[EV_FREEZE] = "freeze",
	[EV_THAW] = "thaw",
	[EV_REMOVE] = "remove",
	[EV_REMOVED] = "mark removed",
	[EV_REMOVE_FAILED] = "fail the removal of",
};

int ct_next(enum ct_state from, enum ct_event ev, enum ct_state *ret_next, struct err *e)
{
	BUG((unsigned)from >= CT_STATES_ || (unsigned)ev >= EV_EVENTS_, "state %d, event %d", from,
	    ev);

	if (!rules[from][ev].is_legal)
		return err_set(e, ERR_CONFLICT, "cannot %s a container that is %s",
			       ct_event_name(ev), ct_state_name(from));
	*ret_next = rules[from][ev].next;
	return 0;
}

bool ct_is_live(enum ct_state s)
{
	return s == CT_STARTING || s == CT_RUNNING || s == CT_PAUSED || s == CT_STANDBY;
}

const char *ct_state_name(enum ct_state s)
{
	BUG((unsigned)s >= CT_STATES_, "state %d", s);
	return state_names[s];
}

bool ct_state_parse(const char *name, enum ct_state *ret)
{
	for (int s = 0; s < CT_STATES_; s++) {
		if (!str_eq(name, state_names[s]))
			continue;
		*ret = s;
		return true;
	}
	return false;
}

const char *ct_event_name(enum ct_event ev)
{
	BUG((unsigned)ev >= EV_EVENTS_, "event %d", ev);
	return event_names[ev];
}
