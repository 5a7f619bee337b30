/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stems: monitors that are forked ahead of need, so that a start or an exec finds one waiting. One for a container has
 * fresh namespaces with it (runtime/stem.h); one for an exec has none.
 *
 * They are made when nobody has asked for anything for a moment, one at a time, and not while the newest monitor's program is on
 * its way. They make their namespaces, and rehearse (runtime/rehearsal.h), below the priority of everything else. How many: one of a kind, twice as many (up to a bound) after each request that found none, and
 * one again after a quiet minute. A stem has no descriptor but its socket, its stdio and the monitors' socket to the
 * launcher, nor room for the launcher's others; it ends when its socket closes. Single-threaded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/proto.h"

#define STEMS_MAX PROTO_STEMS_MAX

enum stem_kind { STEM_LAUNCH, STEM_EXEC, STEM_KINDS_ };

struct stem {
	pid_t pid;
	int fd; /* owned: where its order goes */
};

struct stem_pool {
	struct stem v[STEMS_MAX];
	size_t n;
	size_t wanted;
	int64_t used_ns; /* when one was last asked for */
};

struct stems {
	struct stem_pool pools[STEM_KINDS_];
	size_t max;         /* of a kind; 0: there are none */
	int64_t due_ns;     /* not before then: a fork has failed, or a stem has ended by itself */
};

/* Return: nothing */
void stems_init(struct stems *s, size_t max);

/**
 * stems_take() - One that is ready
 * @ret: owned: whoever gives it its order closes the socket, and has a child more
 * Return: whether there is one; if not, there will be more
 */
bool stems_take(struct stems *s, enum stem_kind kind, int64_t now_ns, struct stem *ret);

/* The kind of which one is to be made now, or STEM_KINDS_; what is too many is let go. Return: that */
enum stem_kind stems_lacking(struct stems *s, int64_t now_ns);

/* One has been made: @fd is taken. Or none could be: not again for a while */
void stems_add(struct stems *s, enum stem_kind kind, pid_t pid, int fd);
void stems_failed(struct stems *s, int64_t now_ns);

/* A child has ended. Return: whether it was a stem; it is forgotten */
bool stems_forget(struct stems *s, pid_t pid);

/* Let all go, for others that are forked from what the launcher is now. Return: nothing */
void stems_renew(struct stems *s);

/* Let all go: they end by themselves. Return: nothing */
void stems_drop(struct stems *s);

/* How long a loop may sleep before it asks stems_lacking(). Return: milliseconds; -1: without end */
int stems_timeout_ms(const struct stems *s, int64_t now_ns);
