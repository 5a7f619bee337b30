/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the kernel about links and addresses, over a socket of a network namespace. A message is built in a buffer of its
 * own; what comes back is bounded, and its lengths are checked, though it is the kernel's. Single-threaded. After clone: no.
 */
#pragma once

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RT_MSG_MAX 1024

/* A request that is being built. */
struct rt_msg {
	_Alignas(struct nlmsghdr) char data[RT_MSG_MAX];
};

/**
 * rt_open() - A socket of the network namespace that we are in
 * @ret_sock: owned
 * Return: 0, or -1 with @e set
 */
int rt_open(int *ret_sock, struct err *e);

/**
 * rt_begin() - Begin a request
 * @type:  RTM_*
 * @flags: NLM_F_*, besides NLM_F_REQUEST
 * @n_body: of the fixed part behind the head, which is zeroed
 * Return: the fixed part
 */
void *rt_begin(struct rt_msg *m, uint16_t type, uint16_t flags, size_t n_body);

/**
 * rt_put() - Add an attribute; all that are added to one message are far below RT_MSG_MAX
 * Return: nothing
 */
void rt_put(struct rt_msg *m, uint16_t type, const void *data, size_t n);

/* What is done with an answer; @n bytes of attributes are at @attrs. Return: false when there are too many */
typedef bool (*rt_answer_fn)(void *ctx, const void *body, const struct rtattr *attrs, size_t n);

/**
 * rt_call() - Send it and take the answers up to the last
 * @n_body: of the fixed part of an answer
 * @fn:     NULL: none is expected
 * Return: 0, or -1 with errno of the kernel
 */
int rt_call(int sock, struct rt_msg *m, size_t n_body, rt_answer_fn fn, void *ctx);
