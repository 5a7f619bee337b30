/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/sysctl.h"

#include <string.h>

#include "base/defence.h"
#include "base/own.h"
#include "base/str.h"

#define KEY_MAX_BYTES   256
#define VALUE_MAX_BYTES 4096   /* the kernel reads one page */
#define KEY_CHARS       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

enum sysctl_owner sysctl_owner_of(const char *key)
{
	static const char *const ipc[] = {
		"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
		"kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
	};

	if (str_starts(key, "net."))
		return SYSCTL_NET;
	if (str_starts(key, "fs.mqueue."))
		return SYSCTL_IPC;
	for (size_t i = 0; i < ARRAY_SIZE(ipc); i++)
		if (str_eq(key, ipc[i]))
			return SYSCTL_IPC;
	return DEFENCE(SYSCTL_OWNER, SYSCTL_HOST, SYSCTL_IPC);
}

int sysctl_check(const struct str_pair *p, struct err *e)
{
	size_t n = strlen(p->key);

	if (n == 0 || n > KEY_MAX_BYTES || p->key[strspn(p->key, KEY_CHARS)] != '\0' || p->key[0] == '.' ||
	    p->key[n - 1] == '.' || strstr(p->key, "..") != NULL)
		return err_set(e, ERR_INVALID, "'%.100s' is no name of a control", p->key);
	if (strlen(p->value) >= VALUE_MAX_BYTES || strchr(p->value, '\n') != NULL)
		return err_set(e, ERR_INVALID, "'%.100s' is malformed: its value is not one line", p->key);
	return 0;
}
