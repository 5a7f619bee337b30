/* SPDX-License-Identifier: Apache-2.0 */
/* What stands inside single options: capabilities, tmpfs, the console's size. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/defence.h"
#include "base/str.h"
#include "oci/options_rules.h"

/* --- capabilities ------------------------------------------------------------------------------------ */

/* By number. Spec: linux/capability.h */
static const char *const cap_names[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
	"CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE",
	"CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT",
	"CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE",
	"CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
	"CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};
#define N_CAPS (sizeof cap_names / sizeof cap_names[0])

/* Spec: moby oci/caps/defaults.go */
static const char *const default_caps[] = {
	"CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP",
	"SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
};

/* Bit of a name, with or without CAP_, any case; -1 when unknown */
static int cap_number(const char *name)
{
	if (strncasecmp(name, "CAP_", 4) == 0)
		name += 4;
	for (size_t i = 0; i < N_CAPS; i++)
		if (strcasecmp(name, cap_names[i] + 4) == 0)
			return (int)i;
	return -1;
}

static bool is_all(const char *name)
{
	return strcasecmp(name, "ALL") == 0 || strcasecmp(name, "CAP_ALL") == 0;
}

static int cap_set(const struct str_list *names, const char *what, uint64_t *ret, bool *ret_all, struct err *e)
{
	*ret = 0;
	*ret_all = false;
	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->v[i];
		int cap = cap_number(name);

		if (is_all(name))
			*ret_all = true;
		else if (cap < 0)
			return err_set(e, ERR_INVALID, "invalid %s: unknown capability: \"%s%.60s\"", what,
				       strncasecmp(name, "CAP_", 4) == 0 ? "" : "CAP_", name);
		else
			*ret |= UINT64_C(1) << cap;
	}
	return 0;
}

static uint64_t default_set(void)
{
	uint64_t set = 0;

	for (size_t i = 0; i < sizeof default_caps / sizeof default_caps[0]; i++)
		set |= UINT64_C(1) << cap_number(default_caps[i]);
	return set;
}

int options_capabilities(const struct opt_host_config *h, uint64_t available, struct arena *a,
			 struct str_list *ret, struct err *e)
{
	uint64_t all = available & ((UINT64_C(1) << N_CAPS) - 1), adds, drops, set;
	bool adds_all, drops_all;
	struct str_list out = { arena_new_array(a, char *, N_CAPS), 0 };

	if (cap_set(&h->cap_add, "CapAdd", &adds, &adds_all, e) < 0 ||
	    cap_set(&h->cap_drop, "CapDrop", &drops, &drops_all, e) < 0)
		return -1;
	for (size_t i = 0; i < N_CAPS && !h->privileged && !adds_all; i++)
		if ((adds & ~all) >> i & 1)
			return err_set(e, ERR_INVALID, "invalid CapAdd: %s cannot be given: the daemon itself has not got it", cap_names[i]);
	/* Spec: moby oci/caps TweakCapabilities */
	if (h->privileged)
		set = all;
	else if (adds_all)
		set = all & ~drops;
	else if (drops_all)
		set = adds;
	else
		set = ((default_set() & all) & ~drops) | adds;
	for (size_t i = 0; i < N_CAPS; i++)
		if (set >> i & 1)
			out.v[out.n++] = arena_strdup(a, cap_names[i]);
	*ret = out;
	return 0;
}

/* --- tmpfs ------------------------------------------------------------------------------------------- */

/* Of options with the same key the last one counts */
static const struct {
	const char *name;
	const char *key;
} tmpfs_flags[] = {
	{ "ro", "ro" },           { "rw", "ro" },         { "noexec", "exec" },     { "exec", "exec" },
	{ "nosuid", "suid" },     { "suid", "suid" },     { "nodev", "dev" },       { "dev", "dev" },
	{ "noatime", "atime" },   { "atime", "atime" },   { "relatime", "atime" },  { "strictatime", "atime" },
	{ "nodiratime", "diratime" }, { "diratime", "diratime" },
	{ "private", "propagation" }, { "rprivate", "propagation" }, { "slave", "propagation" },
	{ "rslave", "propagation" },  { "shared", "propagation" },   { "rshared", "propagation" },
	{ "unbindable", "propagation" }, { "runbindable", "propagation" },
};
static const char *const tmpfs_data[] = { "size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol" };

/* What the option is about; NULL when it is none */
static const char *tmpfs_key(const char *option)
{
	size_t n = strcspn(option, "=");

	for (size_t i = 0; i < sizeof tmpfs_flags / sizeof tmpfs_flags[0]; i++)
		if (str_eq(option, tmpfs_flags[i].name))
			return tmpfs_flags[i].key;
	for (size_t i = 0; i < sizeof tmpfs_data / sizeof tmpfs_data[0]; i++)
		if (option[n] == '=' && option[n + 1] != '\0' && strlen(tmpfs_data[i]) == n &&
		    strncmp(option, tmpfs_data[i], n) == 0)
			return tmpfs_data[i];
	return NULL;
}

static int tmpfs_add(struct str_list *l, char *option, struct err *e)
{
	const char *key = tmpfs_key(option);

	if (str_eq(option, "defaults"))
		return 0;
	if (DEFENCE(MOUNT_WORDS, !key, false))
		return err_set(e, ERR_INVALID, "invalid tmpfs option [\"%.100s\"]", option);
	for (size_t i = 0; i < l->n; i++) {
		if (str_eq(tmpfs_key(l->v[i]), key)) {
			l->v[i] = option;
			return 0;
		}
	}
	l->v[l->n++] = option;
	return 0;
}

int options_tmpfs_options(const char *text, struct arena *a, struct str_list *ret, struct err *e)
{
	static const char defaults[] = "noexec,nosuid,nodev,rprivate";
	char *all = arena_printf(a, "%s%s%s", defaults, str_is_empty(text) ? "" : ",", text ? text : "");
	struct str_list l = { arena_new_array(a, char *, 32), 0 };   /* one for each key there is */

	for (char *option; (option = strsep(&all, ",")) != NULL;)
		if (tmpfs_add(&l, option, e) < 0)
			return -1;
	*ret = l;
	return 0;
}

/* --- ConsoleSize ------------------------------------------------------------------------------------- */

static bool take_size(const char **p, uint32_t *ret)
{
	uint32_t v = 0;
	const char *s = *p;

	for (; *s >= '0' && *s <= '9' && s - *p < 6; s++)
		v = v * 10 + (uint32_t)(*s - '0');
	if (s == *p || v > UINT16_MAX)
		return false;
	*p = s;
	*ret = v;
	return true;
}

bool options_console_size(const struct opt_host_config *h, uint32_t *ret_height, uint32_t *ret_width)
{
	const char *p = h->console_size.text;

	*ret_height = *ret_width = 0;
	if (!p || str_eq(p, "null"))
		return true;
	return *p++ == '[' && take_size(&p, ret_height) && *p++ == ',' && take_size(&p, ret_width) && str_eq(p, "]");
}
