/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stem has ready before anybody asks: namespaces that nothing has been in yet.
 *
 * A stem is a monitor that the launcher has forked ahead of need (runtime/launcher_stems.c). It is used once, by one
 * container or exec, or never.
 */
#pragma once

#include <stdbool.h>

struct arena;
struct launch_plan_stages;

enum stem_ns { STEM_NET, STEM_IPC, STEM_UTS, STEM_NS_ };

/*
 * Owned descriptors of fresh namespaces, and of the file systems that show them (sysfs, mqueue), attached nowhere; -1: there is none.
 * In that of the network the loopback interface is up. Making a sysfs takes longer the more of them there are.
 */
struct stem_namespaces {
	int fds[STEM_NS_];
	int mounts[STEM_NS_];
};
#define STEM_NAMESPACES_EMPTY { { -1, -1, -1 }, { -1, -1, -1 } }

/**
 * stem_namespaces_make() - Make all of them; what cannot be had is -1: whoever launches makes it then
 * Single-threaded callers only. Blocks about as long as a clone with these flags.
 * Return: nothing
 */
void stem_namespaces_make(struct stem_namespaces *ret);

/* Close what nobody has taken. Return: nothing */
void stem_namespaces_close(struct stem_namespaces *ns);

/**
 * stem_namespaces_use() - Where the plan wants a fresh one and there is one here, the plan enters it instead, and attaches its mount
 * @ns:    what is taken is the plan's: namespaces_close(), mounts_close()
 * @arena: for the plan's list
 * Return: nothing
 */
void stem_namespaces_use(struct stem_namespaces *ns, struct launch_plan_stages *plan, struct arena *arena);
