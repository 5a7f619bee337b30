/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SecurityOpt, MaskedPaths and ReadonlyPaths. Spec: moby daemon parseSecurityOpt(), saveAppArmorConfig(); opencontainers
 * selinux label.InitLabels()
 */
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/options_parts.h"

#define PATHS_MAX 256
#define LABEL_MAX 255
#define UNCONFINED "unconfined"

/* As Go's strconv.ParseBool */
static int parse_bool(const char *s, bool *ret)
{
	static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" };
	static const char *const no[] = { "0", "f", "F", "FALSE", "false", "False" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (str_eq(s, yes[i]) || str_eq(s, no[i])) {
			*ret = str_eq(s, yes[i]);
			return 0;
		}
	}
	return -1;
}

/* --- one option each -------------------------------------------------------------------------------------- */

/* What goes to the kernel is one word: nothing may be added to it. Return: true when it is one */
static bool is_label(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f)
			return false;
	return n > 0 && n <= LABEL_MAX;
}

static int read_seccomp(struct options_security *s, const char *value, struct err *e)
{
	s->seccomp = str_eq(value, "builtin") ? "default" : value;
	if (!str_eq(s->seccomp, "default") && !str_eq(s->seccomp, UNCONFINED) && s->seccomp[0] != '{')
		return err_set(e, ERR_INVALID, "opening seccomp profile (%.100s) failed: the profile itself is expected",
			       s->seccomp);
	return 0;
}

static int read_no_new_privileges(struct options_security *s, const char *value, struct err *e)
{
	if (parse_bool(value, &s->no_new_privileges) < 0)
		return err_set(e, ERR_INVALID, "invalid --security-opt 2: \"no-new-privileges=%.100s\"", value);
	return 0;
}

static int read_apparmor(struct options_security *s, const char *value, struct err *e)
{
	if (*value && !is_label(value))
		return err_set(e, ERR_INVALID, "invalid --security-opt 2: \"apparmor=%.100s\": no name of a profile", value);
	s->apparmor = *value ? value : NULL;
	return 0;
}

static int read_label(struct options_security *s, const char *value, struct err *e)
{
	static const char *const parts[] = { [OPTIONS_LABEL_USER] = "user",  [OPTIONS_LABEL_ROLE] = "role",
					     [OPTIONS_LABEL_TYPE] = "type",  [OPTIONS_LABEL_LEVEL] = "level",
					     [OPTIONS_LABEL_FILETYPE] = "filetype" };
	size_t n = strcspn(value, ":");

	if (str_eq(value, "disable")) {
		s->is_label_disabled = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (strlen(parts[i]) != n || strncmp(value, parts[i], n) != 0 || value[n] != ':')
			continue;
		if (!is_label(value + n + 1) || (i != OPTIONS_LABEL_LEVEL && strchr(value + n + 1, ':')))
			return err_set(e, ERR_INVALID, "invalid --security-opt 2: \"label=%.100s\": no part of a label", value);
		s->label[i] = value + n + 1;
		s->asks_label = true;
		return 0;
	}
	return err_set(e, ERR_INVALID,
		       "Bad label option \"%.100s\", valid options 'disable' or 'user, role, level, type, filetype' followed by "
		       "':' and a value", value);
}

static const struct {
	const char *key;
	int (*read)(struct options_security *s, const char *value, struct err *e);
} readers[] = {
	{ "seccomp", read_seccomp },
	{ "no-new-privileges", read_no_new_privileges },
	{ "apparmor", read_apparmor },
	{ "label", read_label },
};

static int read_one(struct options_security *s, const char *opt, struct err *e)
{
	size_t n = strcspn(opt, "=");

	/* The old spelling with ':' */
	if (opt[n] == '\0')
		n = strcspn(opt, ":");
	if (opt[n] == '\0')
		return err_set(e, ERR_INVALID, "invalid --security-opt 1: \"%.100s\"", opt);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		if (strlen(readers[i].key) == n && strncmp(opt, readers[i].key, n) == 0)
			return readers[i].read(s, opt + n + 1, e);
	return err_set(e, ERR_INVALID, "invalid --security-opt 2: \"%.100s\"", opt);
}

int options_security(const struct opt_host_config *h, struct options_security *ret, struct err *e)
{
	struct options_security s = {0};

	for (size_t i = 0; i < h->security_opt.n; i++) {
		const char *opt = h->security_opt.v[i];

		if (str_eq(opt, "no-new-privileges"))
			s.no_new_privileges = true;
		else if (str_eq(opt, "disable"))
			s.is_label_disabled = true;
		else if (read_one(&s, opt, e) < 0)
			return -1;
	}
	*ret = s;
	return 0;
}

/* --- what comes of it ---------------------------------------------------------------------------------------- */

const char *options_apparmor(const struct opt_host_config *h, const struct options_host *host)
{
	struct options_security s;

	if (!host->has_apparmor)
		return "";
	if (h->privileged || options_security(h, &s, ERR_IGNORED) < 0)
		return UNCONFINED;
	if (s.apparmor)
		return s.apparmor;
	return host->has_apparmor_default ? OPTIONS_APPARMOR_DEFAULT : UNCONFINED;
}

static int check_paths(const struct opt_strs *paths, const char *what, struct err *e)
{
	if (paths->v.n > PATHS_MAX)
		return err_set(e, ERR_INVALID, "invalid %s: more than %d", what, PATHS_MAX);
	for (size_t i = 0; i < paths->v.n; i++)
		if (paths->v.v[i][0] != '/')
			return err_set(e, ERR_INVALID, "invalid %s: '%.100s' is not absolute", what, paths->v.v[i]);
	return 0;
}

static bool asks_label(const struct options_security *s)
{
	return s->asks_label && !s->is_label_disabled;
}

void options_adapt_security(const struct opt_host_config *h, const struct options_host *host, struct str_list *warnings, struct arena *a)
{
	struct options_security s;

	if (!host->has_selinux && options_security(h, &s, ERR_IGNORED) == 0 && asks_label(&s))
		options_warn(warnings, "SELinux is not on in this machine's kernel: SecurityOpt \"label=…\" has no effect.", a);
}

int options_check_security(const struct opt_host_config *h, const struct options_host *host, struct err *e)
{
	struct options_security s;

	if (options_security(h, &s, e) < 0)
		return -1;
	if (s.apparmor && !str_eq(s.apparmor, UNCONFINED) && !host->has_apparmor)
		return err_set(e, ERR_UNSUPPORTED,
			       "SecurityOpt \"apparmor=%.100s\" is refused: AppArmor is not on in this machine's kernel", s.apparmor);
	if (asks_label(&s) && host->has_selinux)
		return err_set(e, ERR_UNSUPPORTED,
			       "SecurityOpt \"label=…\" is refused: SELinux is on in this machine's kernel, and Kiln sets no labels of "
			       "processes and mounts; use label=disable");
	if (check_paths(&h->masked_paths, "MaskedPaths", e) < 0)
		return -1;
	return check_paths(&h->readonly_paths, "ReadonlyPaths", e);
}
