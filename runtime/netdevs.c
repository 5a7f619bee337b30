/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Two sockets, one in each namespace, and a descriptor of each namespace: bringing a device there and bringing it back are the same
 * steps with the sides changed. A move takes a device down and its addresses away, so they are listed before and given to it again.
 * All devices are looked up before the first is moved. Name and namespace change in one request, so that nothing need be there
 * under the name that it has here.
 */
#include "runtime/netdevs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/rtnetlink.h"

#define DEVICES_MAX   256
#define ADDRESSES_MAX 256 /* of one device */
#define KEPT_FLAGS    (IFA_F_NOPREFIXROUTE | IFA_F_NODAD)

/* --- what is asked for ------------------------------------------------------------------------------------------------ */

/* As the kernel judges it; '%' would make it choose a number. */
static bool is_name(const char *name)
{
	size_t n = strlen(name);

	return n != 0 && n < IFNAMSIZ && !str_eq(name, ".") && !str_eq(name, "..") && strpbrk(name, "/:% \t\n\v\f\r") == NULL;
}

static const char *name_there(const struct oci_net_device *d)
{
	return str_is_empty(d->name) ? d->host_name : d->name;
}

static int check_one(const struct oci_net_device *v, size_t i, struct err *e)
{
	if (!is_name(v[i].host_name))
		return err_set(e, ERR_INVALID, "linux.netDevices: '%.64s' is no name of a device", v[i].host_name);
	if (!is_name(name_there(&v[i])))
		return err_set(e, ERR_INVALID, "linux.netDevices.%s.name: '%.64s' is no name of a device", v[i].host_name, v[i].name);
	for (size_t k = 0; k < i; k++)
		if (str_eq(name_there(&v[i]), name_there(&v[k])))
			return err_set(e, ERR_INVALID, "linux.netDevices.%s: '%s' is what '%s' is called there", v[i].host_name, name_there(&v[i]), v[k].host_name);
	return 0;
}

int netdevs_check(const struct oci_linux *lin, struct err *e)
{
	size_t i = 0;

	if (lin->n_net_devices == 0)
		return 0;
	if (lin->n_net_devices > DEVICES_MAX)
		return err_set(e, ERR_INVALID, "linux.netDevices: more than %d", DEVICES_MAX);
	while (i < lin->n_namespaces && !str_eq(lin->namespaces[i].type, "network"))
		i++;
	if (i == lin->n_namespaces)
		return err_set(e, ERR_INVALID, "linux.netDevices: they need a network namespace of the container's own");
	for (i = 0; i < lin->n_net_devices; i++)
		if (check_one(lin->net_devices, i, e) < 0)
			return -1;
	return 0;
}

/* --- one device --------------------------------------------------------------------------------------------------------- */

struct address {
	struct ifaddrmsg head;
	struct {
		uint16_t n;
		uint8_t bytes[16];
	} local, address, broadcast;
	uint32_t flags, priority;
};

struct device {
	const char *name_here, *name_there;
	int index; /* where it is */
	bool was_up, has_moved;
	struct address *addresses;
	size_t n_addresses;
};

static bool take_link(void *ctx, const void *body, const struct rtattr *attrs, size_t n)
{
	struct device *d = ctx;
	struct ifinfomsg link;

	(void)attrs;
	(void)n;
	memcpy(&link, body, sizeof(link));
	d->index = link.ifi_index;
	d->was_up = (link.ifi_flags & IFF_UP) != 0;
	return true;
}

static int find(int sock, const char *name, struct device *d, struct err *e)
{
	struct rt_msg m;

	rt_begin(&m, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	rt_put(&m, IFLA_IFNAME, name, strlen(name) + 1);
	if (rt_call(sock, &m, sizeof(struct ifinfomsg), take_link, d) == 0)
		return 0;
	return errno == ENODEV ? err_set(e, ERR_NOT_FOUND, "there is no such device") : err_sys(e, "find it");
}

#define TAKE_BYTES(to, a)                                                                            \
	do {                                                                                         \
		if (RTA_PAYLOAD(a) <= sizeof((to).bytes)) {                                          \
			(to).n = (uint16_t)RTA_PAYLOAD(a);                                           \
			memcpy((to).bytes, RTA_DATA(a), (to).n);                                     \
		}                                                                                    \
	} while (0)

static void take_attribute(const struct rtattr *a, struct address *to)
{
	switch (a->rta_type) {
	case IFA_LOCAL:
		TAKE_BYTES(to->local, a);
		break;
	case IFA_ADDRESS:
		TAKE_BYTES(to->address, a);
		break;
	case IFA_BROADCAST:
		TAKE_BYTES(to->broadcast, a);
		break;
	case IFA_FLAGS:
		if (RTA_PAYLOAD(a) >= sizeof(to->flags))
			memcpy(&to->flags, RTA_DATA(a), sizeof(to->flags));
		break;
	case IFA_RT_PRIORITY:
		if (RTA_PAYLOAD(a) >= sizeof(to->priority))
			memcpy(&to->priority, RTA_DATA(a), sizeof(to->priority));
		break;
	default:
		break;
	}
}

static bool take_address(void *ctx, const void *body, const struct rtattr *attrs, size_t n)
{
	struct device *d = ctx;
	struct address a = { 0 };
	int left = (int)n;

	memcpy(&a.head, body, sizeof(a.head));
	a.flags = a.head.ifa_flags;
	for (const struct rtattr *r = attrs; RTA_OK(r, left); r = RTA_NEXT(r, left))
		take_attribute(r, &a);
	if ((int)a.head.ifa_index != d->index || a.head.ifa_scope != RT_SCOPE_UNIVERSE || (a.flags & IFA_F_PERMANENT) == 0)
		return true;
	if (d->n_addresses == ADDRESSES_MAX)
		return false;
	d->addresses[d->n_addresses++] = a;
	return true;
}

static int list_addresses(int sock, struct device *d, struct err *e)
{
	struct rt_msg m;

	d->n_addresses = 0;
	rt_begin(&m, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
	if (rt_call(sock, &m, sizeof(struct ifaddrmsg), take_address, d) == 0)
		return 0;
	return errno == E2BIG ? err_set(e, ERR_INVALID, "it has more than %d addresses", ADDRESSES_MAX) : err_sys(e, "list its addresses");
}

static int add_address(int sock, int index, const struct address *a, struct err *e)
{
	uint32_t flags = a->flags & KEPT_FLAGS;
	struct ifaddrmsg *head;
	struct rt_msg m;

	head = rt_begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*head));
	*head = (struct ifaddrmsg){ .ifa_family = a->head.ifa_family, .ifa_prefixlen = a->head.ifa_prefixlen,
				    .ifa_scope = a->head.ifa_scope, .ifa_index = (uint32_t)index };
	if (a->local.n != 0)
		rt_put(&m, IFA_LOCAL, a->local.bytes, a->local.n);
	if (a->address.n != 0)
		rt_put(&m, IFA_ADDRESS, a->address.bytes, a->address.n);
	if (a->broadcast.n != 0)
		rt_put(&m, IFA_BROADCAST, a->broadcast.bytes, a->broadcast.n);
	if (flags != 0)
		rt_put(&m, IFA_FLAGS, &flags, sizeof(flags));
	if (a->priority != 0)
		rt_put(&m, IFA_RT_PRIORITY, &a->priority, sizeof(a->priority));
	return rt_call(sock, &m, 0, NULL, NULL) < 0 ? err_sys(e, "give it its address again") : 0;
}

/* Name and namespace in one request, which the kernel may leave half done. Return: 0, or -1 with @e set */
static int change_namespace(int sock, int index, const char *name, int ns, struct err *e)
{
	struct ifinfomsg *link;
	struct rt_msg m;

	link = rt_begin(&m, RTM_NEWLINK, 0, sizeof(*link));
	link->ifi_index = index;
	rt_put(&m, IFLA_NET_NS_FD, &ns, sizeof(ns));
	rt_put(&m, IFLA_IFNAME, name, strlen(name) + 1);
	return rt_call(sock, &m, 0, NULL, NULL) < 0 ? err_sys(e, "move it") : 0;
}

static int bring_up(int sock, int index, struct err *e)
{
	struct ifinfomsg *link;
	struct rt_msg m;

	link = rt_begin(&m, RTM_NEWLINK, 0, sizeof(*link));
	link->ifi_index = index;
	link->ifi_flags = link->ifi_change = IFF_UP;
	return rt_call(sock, &m, 0, NULL, NULL) < 0 ? err_sys(e, "bring it up") : 0;
}

/* --- all of them ---------------------------------------------------------------------------------------------------------- */

/* A network namespace. Empty value: both -1 */
struct side {
	int ns, sock; /* owned */
};

static void sides_done(struct side (*s)[2])
{
	for (size_t i = 0; i < 2; i++) {
		close_fd(&(*s)[i].ns);
		close_fd(&(*s)[i].sock);
	}
}

/* From one side to the other. Return: 0, or -1 with @e set; d->has_moved tells where it is now */
static int carry(struct device *d, const struct side *from, const struct side *to, const char *name, bool wants_up, struct err *e)
{
	const char *old_name = d->has_moved ? d->name_there : d->name_here;
	struct device there = { .index = 0 };

	if (find(to->sock, name, &there, ERR_IGNORED) == 0)
		return err_set(e, ERR_CONFLICT, "there is a device '%s' already", name);
	if (change_namespace(from->sock, d->index, name, to->ns, e) < 0) {
		d->has_moved ^= find(from->sock, old_name, &there, ERR_IGNORED) < 0;
		return -1;
	}
	d->has_moved = !d->has_moved;
	if (find(to->sock, name, &there, e) < 0)
		return -1;
	d->index = there.index;
	for (size_t i = 0; i < d->n_addresses; i++)
		if (add_address(to->sock, d->index, &d->addresses[i], e) < 0)
			return -1;
	return wants_up ? bring_up(to->sock, d->index, e) : 0;
}

static int carry_all(struct device *v, size_t n, const struct side s[2], struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (find(s[0].sock, v[i].name_here, &v[i], e) < 0 || list_addresses(s[0].sock, &v[i], e) < 0)
			return err_wrap(e, "linux.netDevices.%s", v[i].name_here);
	for (size_t i = 0; i < n; i++) {
		if (carry(&v[i], &s[0], &s[1], v[i].name_there, true, e) == 0)
			continue;
		err_wrap(e, "linux.netDevices.%s", v[i].name_here);
		for (size_t k = i + 1; k-- > 0;)
			if (v[k].has_moved)
				carry(&v[k], &s[1], &s[0], v[k].name_here, v[k].was_up, ERR_IGNORED);
		return -1;
	}
	return 0;
}

static int open_sides(pid_t pid, struct side s[2], struct err *e)
{
	AUTO_FREE char *theirs = xasprintf("/proc/%d/ns/net", (int)pid);
	struct stat here, there;
	int done;

	s[0].ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	s[1].ns = open(theirs, O_RDONLY | O_CLOEXEC);
	if (s[0].ns < 0 || s[1].ns < 0 || fstat(s[0].ns, &here) < 0 || fstat(s[1].ns, &there) < 0)
		return err_sys(e, "linux.netDevices: open the network namespaces");
	if (here.st_ino == there.st_ino && here.st_dev == there.st_dev)
		return err_set(e, ERR_INVALID, "linux.netDevices: the container's network namespace is the one that we are in");
	if (rt_open(&s[0].sock, e) < 0)
		return -1;
	if (setns(s[1].ns, CLONE_NEWNET) < 0)
		return err_sys(e, "linux.netDevices: enter the container's network namespace");
	done = rt_open(&s[1].sock, e);
	if (setns(s[0].ns, CLONE_NEWNET) < 0)
		return err_sys(e, "linux.netDevices: leave the container's network namespace");
	return done;
}

int netdevs_move(const struct oci_linux *lin, pid_t pid, struct arena *a, struct err *e)
{
	__attribute__((cleanup(sides_done))) struct side s[2] = { { -1, -1 }, { -1, -1 } };
	size_t n = lin->n_net_devices;
	struct device *v;

	if (n == 0)
		return 0;
	v = arena_new_array(a, struct device, n);
	for (size_t i = 0; i < n; i++)
		v[i] = (struct device){ .name_here = lin->net_devices[i].host_name, .name_there = name_there(&lin->net_devices[i]),
					.addresses = arena_new_array(a, struct address, ADDRESSES_MAX) };
	return open_sides(pid, s, e) < 0 ? -1 : carry_all(v, n, s, e);
}
