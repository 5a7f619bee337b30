/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's form of a profile: one list of rules, of which some hold only with a capability, on an architecture or
 * from a kernel on. Spec: moby profiles/seccomp (Apache-2.0), docs.docker.com/engine/security/seccomp
 */
#include <string.h>

#include "base/own.h"
#include "oci/runtime_config.h"
#include "runtime/caps.h"
#include "runtime/seccomp_parts.h"

#define PROFILE_MAX_RULES 4096

struct profile_condition {
	struct str_list caps, arches;
	char *min_kernel;
};

struct profile_rule {
	char *name; /* the older form of names */
	struct str_list names;
	char *action;
	struct opt_u64 errno_ret;
	struct oci_seccomp_arg *args;
	size_t n_args;
	struct profile_condition *includes, *excludes;
};

struct profile_arch {
	char *architecture;
	struct str_list sub_architectures;
};

struct profile {
	char *default_action;
	struct opt_u64 default_errno_ret;
	struct str_list architectures, flags;
	struct profile_arch *arch_map;
	size_t n_arch_map;
	struct profile_rule *syscalls;
	size_t n_syscalls;
	char *listener_path;
};

static const struct jfield arg_fields[] = {
	J_U32(struct oci_seccomp_arg, index, "index", 0),
	J_U64(struct oci_seccomp_arg, value, "value", 0),
	J_U64(struct oci_seccomp_arg, value_two, "valueTwo", 0),
	J_STRING(struct oci_seccomp_arg, op, "op", J_REQUIRED),
};
static const struct jschema arg_schema =
	J_SCHEMA(struct oci_seccomp_arg, "moby seccomp Arg", arg_fields);

static const struct jfield condition_fields[] = {
	J_STRINGS(struct profile_condition, caps, "caps", 0),
	J_STRINGS(struct profile_condition, arches, "arches", 0),
	J_STRING(struct profile_condition, min_kernel, "minKernel", 0),
};
static const struct jschema condition_schema =
	J_SCHEMA(struct profile_condition, "moby seccomp Filter", condition_fields);

static const struct jfield rule_fields[] = {
	J_STRING(struct profile_rule, name, "name", 0),
	J_STRINGS(struct profile_rule, names, "names", 0),
	J_STRING(struct profile_rule, action, "action", J_REQUIRED),
	J_OPT_U64(struct profile_rule, errno_ret, "errnoRet", 0),
	J_ARRAY(struct profile_rule, args, n_args, "args", &arg_schema, 0),
	J_OBJECT(struct profile_rule, includes, "includes", &condition_schema, 0),
	J_OBJECT(struct profile_rule, excludes, "excludes", &condition_schema, 0),
};
static const struct jschema rule_schema =
	J_SCHEMA(struct profile_rule, "moby seccomp Syscall", rule_fields);

static const struct jfield arch_fields[] = {
	J_STRING(struct profile_arch, architecture, "architecture", J_REQUIRED),
	J_STRINGS(struct profile_arch, sub_architectures, "subArchitectures", 0),
};
static const struct jschema arch_schema =
	J_SCHEMA(struct profile_arch, "moby seccomp Architecture", arch_fields);

static const struct jfield profile_fields[] = {
	J_STRING(struct profile, default_action, "defaultAction", J_REQUIRED),
	J_OPT_U64(struct profile, default_errno_ret, "defaultErrnoRet", 0),
	J_STRINGS(struct profile, architectures, "architectures", 0),
	J_STRINGS(struct profile, flags, "flags", 0),
	J_ARRAY(struct profile, arch_map, n_arch_map, "archMap", &arch_schema, 0),
	J_ARRAY(struct profile, syscalls, n_syscalls, "syscalls", &rule_schema, 0),
	J_STRING(struct profile, listener_path, "listenerPath", 0),
};
static const struct jschema profile_schema =
	J_SCHEMA(struct profile, "moby seccomp Seccomp", profile_fields);

/* --- conditions ---------------------------------------------------------------------------------------------- */

/* Go's name of an architecture and libseccomp's, by uname's. */
static const struct {
	const char *machine, *go, *scmp;
} machines[] = {
	{ "x86_64", "amd64", "SCMP_ARCH_X86_64" },
	{ "aarch64", "arm64", "SCMP_ARCH_AARCH64" },
	{ "i686", "386", "SCMP_ARCH_X86" },
	{ "armv7l", "arm", "SCMP_ARCH_ARM" },
	{ "ppc64le", "ppc64le", "SCMP_ARCH_PPC64LE" },
	{ "riscv64", "riscv64", "SCMP_ARCH_RISCV64" },
	{ "s390x", "s390x", "SCMP_ARCH_S390X" },
};

static const char *go_arch(const char *machine)
{
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (str_eq(machine, machines[i].machine))
			return machines[i].go;
	return machine;
}

static const char *scmp_arch(const char *machine)
{
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (str_eq(machine, machines[i].machine))
			return machines[i].scmp;
	return NULL;
}

static bool has_arch(const struct str_list *arches, const char *machine)
{
	for (size_t i = 0; i < arches->n; i++)
		if (str_eq(arches->v[i], go_arch(machine)))
			return true;
	return false;
}

static int has_kernel(const char *min, const struct seccomp_facts *f, bool *ret, struct err *e)
{
	AUTO_FREE char *copy = xstrdup(min);
	char *dot = strchr(copy, '.');
	uint64_t major, minor;

	if (dot == NULL)
		return err_set(e, ERR_INVALID, "minKernel '%s' is no version", min);
	*dot = '\0';
	if (!str_to_u64(copy, &major) || !str_to_u64(dot + 1, &minor))
		return err_set(e, ERR_INVALID, "minKernel '%s' is no version", min);
	*ret = f->kernel_major > major || (f->kernel_major == major && f->kernel_minor >= minor);
	return 0;
}

/* includes: all that is said must hold. moby: every capability that is listed. */
static int is_included(const struct profile_condition *c, const struct seccomp_facts *f, bool *ret,
		       struct err *e)
{
	uint64_t caps = 0;

	*ret = true;
	if (c == NULL)
		return 0;
	if (caps_parse(&c->caps, "includes", &caps, e) < 0)
		return -1;
	if ((caps & ~f->caps) != 0 || (c->arches.n != 0 && !has_arch(&c->arches, f->machine)))
		*ret = false;
	if (*ret && c->min_kernel != NULL)
		return has_kernel(c->min_kernel, f, ret, e);
	return 0;
}

/* excludes: anything that holds is enough. */
static int is_excluded(const struct profile_condition *c, const struct seccomp_facts *f, bool *ret,
		       struct err *e)
{
	uint64_t caps = 0;

	*ret = false;
	if (c == NULL)
		return 0;
	if (caps_parse(&c->caps, "excludes", &caps, e) < 0)
		return -1;
	if ((caps & f->caps) != 0 || (c->arches.n != 0 && has_arch(&c->arches, f->machine)))
		*ret = true;
	if (!*ret && c->min_kernel != NULL)
		return has_kernel(c->min_kernel, f, ret, e);
	return 0;
}

/* --- conversion ------------------------------------------------------------------------------------------------ */

static int architectures(const struct profile *p, const struct seccomp_facts *f, struct arena *a,
			 struct str_list *ret, struct err *e)
{
	const char *native = scmp_arch(f->machine);

	if (p->architectures.n != 0 && p->n_arch_map != 0)
		return err_set(e, ERR_INVALID, "both 'architectures' and 'archMap' are given");
	*ret = p->architectures;
	for (size_t i = 0; native != NULL && i < p->n_arch_map; i++) {
		const struct profile_arch *m = &p->arch_map[i];

		if (!str_eq(m->architecture, native))
			continue;
		ret->n = m->sub_architectures.n + 1;
		ret->v = arena_new_array(a, char *, ret->n);
		ret->v[0] = m->architecture;
		for (size_t k = 1; k < ret->n; k++)
			ret->v[k] = m->sub_architectures.v[k - 1];
	}
	return 0;
}

static int convert_rule(struct profile_rule *r, const struct seccomp_facts *f, struct arena *a,
			struct oci_seccomp_rule *ret, bool *ret_holds, struct err *e)
{
	bool is_in, is_out;

	if (is_included(r->includes, f, &is_in, e) < 0 ||
	    is_excluded(r->excludes, f, &is_out, e) < 0)
		return -1;
	*ret_holds = is_in && !is_out;
	if (r->name != NULL && r->names.n != 0)
		return err_set(e, ERR_INVALID, "both 'name' and 'names' are given");
	ret->names = r->names;
	if (!str_is_empty(r->name)) {
		ret->names.n = 1;
		ret->names.v = arena_new_array(a, char *, 1);
		ret->names.v[0] = r->name;
	}
	/* Nobody takes the listener of a container of kilnd */
	if (str_eq(r->action, "SCMP_ACT_NOTIFY"))
		return err_set(e, ERR_UNSUPPORTED, "action '%s' is not supported", r->action);
	ret->action = r->action;
	ret->errno_ret = r->errno_ret;
	ret->args = r->args;
	ret->n_args = r->n_args;
	return 0;
}

int seccomp_profile_parse(const char *text, const struct seccomp_facts *facts, struct arena *arena,
			  struct oci_seccomp **ret, struct err *e)
{
	struct oci_seccomp *s = arena_new_obj(arena, struct oci_seccomp);
	struct profile *p;
	void *doc;
	bool holds;

	if (json_decode(text, strlen(text), &profile_schema, arena, NULL, NULL, &doc, e) < 0)
		return err_wrap(e, "seccomp profile");
	p = doc;
	if (p->n_syscalls > PROFILE_MAX_RULES)
		return err_set(e, ERR_INVALID, "seccomp profile: more than %d rules",
			       PROFILE_MAX_RULES);
	if (!str_is_empty(p->listener_path))
		return err_set(e, ERR_UNSUPPORTED, "seccomp profile: listenerPath is not supported");
	if (p->flags.n != 0)
		return err_set(e, ERR_UNSUPPORTED, "seccomp profile: flag '%s' is not supported", p->flags.v[0]);
	if (str_eq(p->default_action, "SCMP_ACT_NOTIFY"))
		return err_set(e, ERR_UNSUPPORTED, "seccomp profile: defaultAction '%s' is not supported", p->default_action);
	s->default_action = p->default_action;
	s->default_errno_ret = p->default_errno_ret;
	if (architectures(p, facts, arena, &s->architectures, e) < 0)
		return err_wrap(e, "seccomp profile");
	s->syscalls = arena_new_array(arena, struct oci_seccomp_rule, p->n_syscalls + 1);
	for (size_t i = 0; i < p->n_syscalls; i++) {
		if (convert_rule(&p->syscalls[i], facts, arena, &s->syscalls[s->n_syscalls], &holds,
				 e) < 0)
			return err_wrap(e, "seccomp profile: syscalls[%zu]", i);
		s->n_syscalls += holds;
	}
	*ret = s;
	return 0;
}
