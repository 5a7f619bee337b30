/* SPDX-License-Identifier: Apache-2.0 */
/* In docker's words. Spec: moby daemon getPIDContainer(), getIPCContainer(), getNetworkedContainer() */
#include "daemon/engine/container_share.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/own.h"

static const struct {
	enum options_ns ns;
	const char *name;
} kinds[] = { { OPTIONS_PID, "PID" }, { OPTIONS_IPC, "IPC" }, { OPTIONS_NET, "network" } };

static int find_running(struct container *c, const char *ref, const char *what, struct container **ret, struct err *e)
{
	struct container *x = NULL;

	if (container_find(c->eng, ref, &x, e) < 0) {
		e->kind = ERR_INVALID;
		return err_wrap(e, "cannot join %s of container '%.100s'", what, ref);
	}
	if (x == c)
		return err_set(e, ERR_INVALID, "cannot join own %s", what);
	if (x->state == CT_RESTARTING)
		return err_set(e, ERR_CONFLICT, "cannot join %s of container %s: it is restarting, wait until it is running",
			       what, ref);
	if (x->pidfd < 0)
		return err_set(e, ERR_CONFLICT, "cannot join %s of a non running container: %s", what, ref);
	*ret = x;
	return 0;
}

/* One descriptor for each use: they travel, and are taken one by one. */
static int add_pidfd(struct shared *s, const struct container *x, size_t first, int *ret_number, struct err *e)
{
	int fd = fcntl(x->pidfd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return err_sys(e, "container %.12s", x->id);
	*ret_number = (int)(first + s->n_fds);
	s->fds[s->n_fds++] = fd;
	return 0;
}

static int check_ipc(const struct container *x, const char *ref, struct err *e)
{
	if (options_shares_ipc(x->opt->host))
		return 0;
	return err_set(e, ERR_INVALID,
		       "container %s: non-shareable IPC (hint: use IpcMode:shareable for the donor container)", ref);
}

static int find_one(struct container *c, size_t kind, size_t first, struct shared *s, struct err *e)
{
	enum options_ns ns = kinds[kind].ns;
	struct container *x = NULL;
	const char *ref;

	if (options_share(c->opt->host, ns, &ref) != SHARE_CONTAINER)
		return 0;
	if (find_running(c, ref, kinds[kind].name, &x, e) < 0)
		return -1;
	if (ns == OPTIONS_IPC && check_ipc(x, ref, e) < 0)
		return -1;
	if (ns == OPTIONS_NET)
		s->net_of = x;
	if (add_pidfd(s, x, first, &s->numbers.ns[ns], e) < 0)
		return -1;
	return ns == OPTIONS_IPC ? add_pidfd(s, x, first, &s->numbers.shm, e) : 0;
}

int shared_find(struct container *c, size_t first, struct shared *ret, struct err *e)
{
	*ret = (struct shared){ .numbers.shm = -1 };
	for (size_t ns = 0; ns < OPTIONS_NS_; ns++)
		ret->numbers.ns[ns] = -1;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (find_one(c, i, first, ret, e) == 0)
			continue;
		shared_close(ret);
		return -1;
	}
	return 0;
}

static void take_name(char **name, const char *of, struct arena *a)
{
	if (!str_eq(*name, of))
		*name = arena_strdup(a, of);
}

void container_take_names(struct opt_config *c, const struct container *x, struct arena *a)
{
	take_name(&c->hostname, x->opt->config->hostname, a);
	take_name(&c->domainname, x->opt->config->domainname, a);
}

void shared_close(struct shared *s)
{
	for (size_t i = 0; i < s->n_fds; i++)
		close_fd(&s->fds[i]);
	s->n_fds = 0;
}
