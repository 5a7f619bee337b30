/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a defence stands that tests/security/ attacks.
 *
 * DEFENCE(NAME, with, without) is `with`, in every program that anybody runs: what stands behind it is not even compiled.
 * The programs of `make weak` (build/weak/) have a switch for each NAME: the suite turns one off, repeats the attack that was
 * repelled, and sees it succeed. That proves two things: the attack is a real one, and this line is what repels it.
 *
 * DEFENCE_PAUSE(NAME) is nothing, and in build/weak/ a place where a process waits when the suite says so: a race between a
 * look and a use is then won by the attacker each time, not once in ten thousand tries.
 *
 * base/defences.def lists the names, with the rule that each serves; `make lint` compares them with the code.
 */
#pragma once

#ifndef KILN_WEAK
#define DEFENCE(name, with, without) (with)
#define DEFENCE_PAUSE(name)          ((void)0)
#else
#include <stdbool.h>

enum defence {
#define X(name, rule, what) DEFENCE_##name,
#include "base/defences.def"
#undef X
	DEFENCES_
};

/**
 * defence_is_up() - Whether the suite has left this one standing
 * Return: that
 */
bool defence_is_up(enum defence d);

/**
 * defence_pause() - Wait for the suite, if it wants that; a few seconds at most
 * Return: nothing
 */
void defence_pause(enum defence d);

#define DEFENCE(name, with, without) (defence_is_up(DEFENCE_##name) ? (with) : (without))
#define DEFENCE_PAUSE(name)          defence_pause(DEFENCE_##name)
#endif
