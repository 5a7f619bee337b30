/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/crun_annotations.h"

#include "base/own.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/seccomp.h"

/* In the order of the alphabet, as `features` prints them. */
enum name { HOOKS_STDERR, HOOKS_STDOUT, KEEP_GROUPS, PIDFD_RECEIVER, SECCOMP_RECEIVER, SECCOMP_UNKNOWN, NAMES_ };

static const char *const names[NAMES_] = {
	[HOOKS_STDERR] = "run.oci.hooks.stderr",
	[HOOKS_STDOUT] = "run.oci.hooks.stdout",
	[KEEP_GROUPS] = "run.oci.keep_original_groups",
	[PIDFD_RECEIVER] = "run.oci.pidfd_receiver",
	[SECCOMP_RECEIVER] = "run.oci.seccomp.receiver",
	[SECCOMP_UNKNOWN] = "run.oci.seccomp_fail_unknown_syscall",
};

const char *crun_annotations_name(size_t i)
{
	return i < NAMES_ ? names[i] : NULL;
}

/* As crun has it: there, and not 0 */
static bool is_on(const struct oci_config *c, enum name name)
{
	const char *value = str_map_get(&c->annotations, names[name]);

	return value != NULL && !str_eq(value, "0");
}

static int path_of(const struct oci_config *c, enum name name, const char **ret, struct err *e)
{
	const char *value = str_map_get(&c->annotations, names[name]);

	if (value != NULL && value[0] != '/')
		return err_set(e, ERR_INVALID, "annotations['%s']: '%.100s' is not an absolute path", names[name], value);
	*ret = value;
	return 0;
}

int crun_annotations_read(const struct oci_config *config, struct crun_annotations *ret, struct err *e)
{
	ret->keeps_groups = is_on(config, KEEP_GROUPS);
	if (path_of(config, PIDFD_RECEIVER, &ret->pidfd_receiver, e) < 0 || path_of(config, HOOKS_STDOUT, &ret->hooks_stdout, e) < 0)
		return -1;
	return path_of(config, HOOKS_STDERR, &ret->hooks_stderr, e);
}

int crun_annotations_seccomp(struct oci_config *config, struct err *e)
{
	struct oci_seccomp *s = config->linux_ != NULL ? config->linux_->seccomp : NULL;
	const char *receiver = NULL;

	if (path_of(config, SECCOMP_RECEIVER, &receiver, e) < 0)
		return -1;
	if (s == NULL)
		return 0;
	/* The specification's own property comes first, as with crun */
	if (str_is_empty(s->listener_path))
		s->listener_path = (char *)receiver;
	return is_on(config, SECCOMP_UNKNOWN) ? seccomp_check_names(s, e) : 0;
}
