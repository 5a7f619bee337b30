/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that a filter leaves to an agent (SCMP_ACT_NOTIFY). Who makes one waits for the agent's answer, so the runtime must not
 * make one before the agent has the descriptor by which it is asked.
 */
#include <linux/seccomp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "oci/runtime_config.h"
#include "runtime/seccomp.h"

#define NOTIFY "SCMP_ACT_NOTIFY"

int seccomp_wants_listener(const struct oci_seccomp *s, bool *ret, struct err *e)
{
	size_t i = 0;

	*ret = false;
	if (s == NULL)
		return 0;
	if (str_eq(s->default_action, NOTIFY))
		return err_set(e, ERR_UNSUPPORTED, "linux.seccomp.defaultAction: " NOTIFY " is not supported: the runtime itself would wait for the agent");
	while (i < s->n_syscalls && !str_eq(s->syscalls[i].action, NOTIFY))
		i++;
	if (i == s->n_syscalls)
		return 0;
	if (str_is_empty(s->listener_path))
		return err_set(e, ERR_INVALID, "linux.seccomp.listenerPath: it is missing, and syscalls[%zu] has " NOTIFY, i);
	*ret = true;
	return 0;
}

int seccomp_listener_way(const struct sock_fprog *filter, enum seccomp_way *ret, struct err *e)
{
	static const struct seccomp_call sends = { .number = SYS_sendmsg, .args = { 0, 0, MSG_NOSIGNAL } };
	static const struct seccomp_call writes = { .number = SYS_write };

	*ret = seccomp_allows(filter, &sends) ? SECCOMP_WAY_SENDMSG : SECCOMP_WAY_WRITE;
	if (*ret == SECCOMP_WAY_WRITE && !seccomp_allows(filter, &writes))
		return err_set(e, ERR_UNSUPPORTED, "linux.seccomp: the listener is handed over by sendmsg or write, and the profile allows neither");
	return 0;
}
