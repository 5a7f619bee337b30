/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lifecycle of a container: a pure table, illegal by default. No I/O, no allocation.
 *
 * States are what is observed; what is desired (should it run?) is kept beside it, in struct
 * container. stop is therefore no state: a container that was asked to stop is RUNNING until its
 * init has ended. RESTARTING is the wait between an exit and the next start that a restart policy
 * asked for. PAUSED and STANDBY are frozen: by request, and as a warm spare. container_apply() is
 * the only caller of ct_next() in the daemon.
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

/**
 * ct_is_live() - Does init exist (or is it being made) in this state?
 * Return: true for starting, running, paused and standby
 */
bool ct_is_live(enum ct_state s);

/**
 * ct_state_name() - "created", "starting" …; ct_state_parse() is its inverse
 * Return: a static string
 */
const char *ct_state_name(enum ct_state s);

/**
 * ct_state_parse() - A state by its name
 * Return: true and *ret, or false
 */
bool ct_state_parse(const char *name, enum ct_state *ret);

/**
 * ct_event_name() - As a verb that fits "cannot … a container"
 * Return: a static string
 */
const char *ct_event_name(enum ct_event ev);
