/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces that a container has from others: container:X is looked up at each start, on the loop, and is told to the
 * launcher by a pidfd of X's first process. That is all that can be named: a namespace of a container of ours.
 */
#pragma once

#include "daemon/engine/container_impl.h"
#include "oci/bundle.h"

/* What a launch takes with it. Empty: SHARED_EMPTY. */
struct shared {
	struct bundle_shares numbers;    /* among the descriptors of the message that @first is the number of */
	int fds[BUNDLE_SHARES_MAX];      /* owned, n_fds of them */
	size_t n_fds;
	struct container *net_of;        /* whose network it joins, and whose names it has; NULL: nobody's. Not to be kept */
};

/**
 * shared_find() - Find what @c shares with other containers; they must run now
 * @first: the number that the first of the descriptors will have in the message
 * @ret:   owned: shared_close()
 * @e:     ERR_INVALID no such container, or it does not share; ERR_CONFLICT it does not run
 * Return: 0, or -1 with @e set and nothing open
 */
int shared_find(struct container *c, size_t first, struct shared *ret, struct err *e);

/**
 * container_take_names() - Be called as @x is: for whom its network is joined by
 * @c: gets host and domain name
 * Return: nothing
 */
void container_take_names(struct opt_config *c, const struct container *x, struct arena *a);

/**
 * shared_close() - Close what shared_find() has opened and nobody has taken
 * Return: nothing
 */
void shared_close(struct shared *s);
