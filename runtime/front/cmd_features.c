/* SPDX-License-Identifier: Apache-2.0 */
/* features: what this program can do, by the tables that do it. Spec: runtime-spec features.md, features-linux.md */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsontext.h"
#include "base/own.h"
#include "oci/runtime_config.h"
#include "runtime/caps.h"
#include "runtime/front/crun_annotations.h"
#include "runtime/front/front.h"
#include "runtime/front/hooks.h"
#include "runtime/mounts.h"
#include "runtime/namespaces.h"
#include "runtime/sched.h"
#include "runtime/seccomp.h"

#define OCI_VERSION_MIN "1.0.0"

static int by_alphabet(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_mount_options(struct jw *w, struct arena *a)
{
	struct str_list names = { 0 };
	size_t n = 0;

	while (mounts_option_name(n) != NULL)
		n++;
	names.v = arena_new_array(a, char *, n);
	for (; names.n < n; names.n++)
		names.v[names.n] = arena_strdup(a, mounts_option_name(names.n));
	qsort(names.v, names.n, sizeof(*names.v), by_alphabet);
	jw_strs(w, "mountOptions", &names);
}

static void add_namespaces(struct jw *w)
{
	const char *type;

	jw_arr(w, "namespaces");
	for (size_t i = 0; (type = namespaces_type(i)) != NULL; i++)
		jw_str(w, NULL, type);
	jw_arr_end(w);
}

static void add_capabilities(struct jw *w)
{
	char name[64];

	jw_arr(w, "capabilities");
	for (unsigned cap = 0; cap <= caps_last(); cap++) {
		caps_name(cap, name);
		jw_str(w, NULL, name);
	}
	jw_arr_end(w);
}

static void add_words(struct jw *w, const char *key, enum seccomp_word kind)
{
	const char *word;

	jw_arr(w, key);
	for (size_t i = 0; (word = seccomp_word(kind, i)) != NULL; i++)
		jw_str(w, NULL, word);
	jw_arr_end(w);
}

static void add_seccomp(struct jw *w)
{
	jw_obj(w, "seccomp");
	jw_bool(w, "enabled", true);
	add_words(w, "actions", SECCOMP_ACTION);
	add_words(w, "operators", SECCOMP_OPERATOR);
	add_words(w, "archs", SECCOMP_ARCH);
	add_words(w, "knownFlags", SECCOMP_FLAG);
	add_words(w, "supportedFlags", SECCOMP_FLAG);
	jw_obj_end(w);
}

static void add_enabled(struct jw *w, const char *key, bool is_enabled)
{
	jw_obj(w, key);
	jw_bool(w, "enabled", is_enabled);
	jw_obj_end(w);
}

static void add_cgroup(struct jw *w)
{
	jw_obj(w, "cgroup");
	jw_bool(w, "v1", true);
	jw_bool(w, "v2", true);
	jw_bool(w, "systemd", true);
	jw_bool(w, "systemdUser", false);
	jw_bool(w, "rdma", true);
	jw_obj_end(w);
}

static void add_memory_words(struct jw *w, const char *key, bool is_flag)
{
	const char *word;

	jw_arr(w, key);
	for (size_t i = 0; (word = sched_memory_word(is_flag, i)) != NULL; i++)
		jw_str(w, NULL, word);
	jw_arr_end(w);
}

static void add_linux(struct jw *w)
{
	jw_obj(w, "linux");
	add_namespaces(w);
	add_capabilities(w);
	add_cgroup(w);
	add_seccomp(w);
	add_enabled(w, "apparmor", true);
	add_enabled(w, "selinux", true);
	add_enabled(w, "intelRdt", false);
	jw_obj(w, "memoryPolicy");
	add_memory_words(w, "modes", false);
	add_memory_words(w, "flags", true);
	jw_obj_end(w);
	jw_obj(w, "mountExtensions");
	add_enabled(w, "idmap", true);
	jw_obj_end(w);
	add_enabled(w, "netDevices", true);
	jw_obj_end(w);
}

static void add_annotations(struct jw *w)
{
	char seccomp[32];

	seccomp_library_version(seccomp);
	jw_obj(w, "annotations");
	jw_str(w, "io.github.seccomp.libseccomp.version", seccomp);
	jw_str(w, "org.opencontainers.runc.checkpoint.enabled", "true");
	jw_obj_end(w);
}

/* With which a configuration does what is the caller's to decide. */
static void add_unsafe(struct jw *w)
{
	const char *name;

	jw_arr(w, "potentiallyUnsafeConfigAnnotations");
	jw_str(w, NULL, "org.systemd.property.");
	for (size_t i = 0; (name = crun_annotations_name(i)) != NULL; i++)
		jw_str(w, NULL, name);
	jw_arr_end(w);
}

static int features(const struct front_call *c, int *ret_status, struct err *e)
{
	AUTO_STRBUF struct strbuf json = { 0 }, text = { 0 };
	struct jw w;

	(void)e;
	jw_init(&w, &json);
	jw_obj(&w, NULL);
	jw_str(&w, "ociVersionMin", OCI_VERSION_MIN);
	jw_str(&w, "ociVersionMax", OCI_RUNTIME_VERSION);
	jw_arr(&w, "hooks");
	for (enum hook_kind k = 0; k < HOOK_KINDS_; k++)
		jw_str(&w, NULL, hooks_name(k));
	jw_arr_end(&w);
	add_mount_options(&w, c->a);
	add_linux(&w);
	add_annotations(&w);
	add_unsafe(&w);
	jw_obj_end(&w);
	jsontext_indent(&text, (struct jsontext){ json.data, json.len }, "", "  ");
	puts(strbuf_cstr(&text));
	*ret_status = 0;
	return 0;
}

const struct front_command front_features = {
	.name = "features",
	.usage = "",
	.help = "print what this program can do, as JSON",
	.n_args_max = 0,
	.is_placeless = true,
	.run = features,
};
