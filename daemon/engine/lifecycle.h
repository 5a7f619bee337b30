/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lifecycle of a container: a pure table, illegal by default. No I/O, no allocation.
 */
#pragma once

#include "base/err.h"

enum ct_state { CT_CREATED, CT_STARTING, CT_RUNNING, CT_PAUSED, CT_STANDBY, CT_RESTARTING, CT_EXITED, CT_REMOVING, CT_DEAD, CT_STATES_ };
enum ct_event { EV_START, EV_STARTED, EV_START_FAILED, EV_EXITED, EV_RESTART, EV_STOP, EV_PAUSE, EV_RESUME, EV_FREEZE, EV_THAW,
                EV_REMOVE, EV_REMOVED, EV_REMOVE_FAILED, EV_EVENTS_ };

/**
 * ct_next() - What an event does to a state
 * @e: ERR_CONFLICT "cannot <event> a container that is <state>"
 * Return: 0, or -1 with @e set
 */
int ct_next(enum ct_state from, enum ct_event ev, enum ct_state *ret_next, struct err *e);

const char *ct_state_name(enum ct_state s);
const char *ct_event_name(enum ct_event ev);
