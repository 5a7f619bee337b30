/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rtnetlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"

#define ANSWER_MAX 32768 /* what the kernel fills at most */

int rt_open(int *ret_sock, struct err *e)
{
	*ret_sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	return *ret_sock < 0 ? err_sys(e, "make a netlink socket") : 0;
}

static struct nlmsghdr *head_of(struct rt_msg *m)
{
	return (struct nlmsghdr *)(void *)m->data;
}

void *rt_begin(struct rt_msg *m, uint16_t type, uint16_t flags, size_t n_body)
{
	memset(m, 0, sizeof(*m));
	*head_of(m) = (struct nlmsghdr){ .nlmsg_len = (uint32_t)NLMSG_LENGTH(NLMSG_ALIGN(n_body)), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags };
	return NLMSG_DATA(head_of(m));
}

void rt_put(struct rt_msg *m, uint16_t type, const void *data, size_t n)
{
	struct nlmsghdr *h = head_of(m);
	struct rtattr *a = (struct rtattr *)(void *)(m->data + NLMSG_ALIGN(h->nlmsg_len));

	BUG(NLMSG_ALIGN(h->nlmsg_len) + RTA_SPACE(n) > sizeof(m->data), "a netlink message is too long");
	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	memcpy(RTA_DATA(a), data, n);
	h->nlmsg_len = (uint32_t)(NLMSG_ALIGN(h->nlmsg_len) + RTA_SPACE(n));
}

/* Return: 0 at the end, 1 when more follows, or -1 with errno */
static int take(const struct nlmsghdr *h, size_t n_body, rt_answer_fn fn, void *ctx)
{
	size_t n = h->nlmsg_len - NLMSG_HDRLEN;
	const char *body = (const char *)h + NLMSG_HDRLEN;
	int code = 0;

	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
		if (n >= sizeof(code))
			memcpy(&code, body, sizeof(code));
		errno = -code;
		return code == 0 ? 0 : -1;
	}
	if (fn != NULL && n >= NLMSG_ALIGN(n_body) &&
	    !fn(ctx, body, (const struct rtattr *)(const void *)(body + NLMSG_ALIGN(n_body)), n - NLMSG_ALIGN(n_body))) {
		errno = E2BIG;
		return -1;
	}
	return 1;
}

static int take_all(const char *data, size_t n, size_t n_body, rt_answer_fn fn, void *ctx)
{
	int more = 1;

	for (size_t at = 0; more == 1 && n - at >= NLMSG_HDRLEN;) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)(data + at);

		if (h->nlmsg_len < NLMSG_HDRLEN || h->nlmsg_len > n - at) {
			errno = EBADMSG;
			return -1;
		}
		more = take(h, n_body, fn, ctx);
		at += NLMSG_ALIGN(h->nlmsg_len) < n - at ? NLMSG_ALIGN(h->nlmsg_len) : n - at;
	}
	return more;
}

int rt_call(int sock, struct rt_msg *m, size_t n_body, rt_answer_fn fn, void *ctx)
{
	AUTO_FREE char *answer = xmalloc(ANSWER_MAX);
	int more = 1;

	head_of(m)->nlmsg_flags |= NLM_F_ACK;
	if (send(sock, m->data, head_of(m)->nlmsg_len, 0) < 0)
		return -1;
	while (more == 1) {
		ssize_t n = recv(sock, answer, ANSWER_MAX, MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0 || n > ANSWER_MAX) {
			errno = EMSGSIZE;
			return -1;
		}
		more = take_all(answer, (size_t)n, n_body, fn, ctx);
	}
	return more;
}
