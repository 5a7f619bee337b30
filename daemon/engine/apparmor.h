/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AppArmor on this machine: is it on, and is the profile there that containers get when they ask for none?
 *
 * The profile is data of the program (contrib/apparmor/docker-default). It is loaded by apparmor_parser, the only
 * helper that kilnd ever starts besides kiln-runtime, when it is not loaded already: at the start of kilnd, and again
 * by a start of a container when somebody has removed it meanwhile.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct apparmor_facts {
	bool is_on;          /* in the kernel, and its files can be read */
	bool has_default;    /* docker-default is loaded, or can be */
};

/**
 * apparmor_read() - How it stands
 * Return: that
 */
struct apparmor_facts apparmor_read(void);

/**
 * apparmor_ensure() - Load docker-default unless it is loaded. Thread-safe; for workers
 * @e: ERR_SYSTEM, ERR_TIMEOUT with what apparmor_parser said
 *
 * Blocks: on apparmor_parser, at most 30 s.
 * Return: 0, or -1 with @e set
 */
int apparmor_ensure(struct err *e);
