/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/bundle_config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "base/scopename.h"
#include "base/str.h"
#include "oci/launch.h"

#define CGROUP_PARENT "/kiln"

int bundle_file_read(int dirfd, const char *file, struct arena *a, struct bundle_text *ret, struct err *e)
{
	AUTO_FREE char *text = NULL;
	/* Neither a FIFO nor a terminal may keep us waiting */
	AUTO_CLOSE int fd = openat(dirfd, file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	size_t n;

	if (fd < 0)
		return err_sys(e, "open '%s'", file);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "look at '%s'", file);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "'%s' is no regular file", file);
	if (fd_read_all(fd, BUNDLE_FILE_MAX_BYTES, &text, &n, e) < 0)
		return err_wrap(e, "'%s'", file);
	ret->text = memcpy(arena_alloc(a, n + 1), text, n + 1);
	ret->n = n;
	return 0;
}

int bundle_config_read(int dirfd, const char *dir, struct arena *a, struct bundle_text *ret, struct err *e)
{
	AUTO_FREE char *file = path_join(dir, BUNDLE_CONFIG);

	return bundle_file_read(dirfd, file, a, ret, e);
}

int bundle_config_parse(const struct bundle_text *text, struct arena *a, struct oci_config **ret, struct err *e)
{
	void *config;

	if (json_decode(text->text, text->n, &oci_config_schema, a, NULL, NULL, &config, e) < 0)
		return err_wrap(e, BUNDLE_CONFIG);
	*ret = config;
	return 0;
}

static int scope_path(const char *text, const char *id, struct arena *a, char **ret, struct err *e)
{
	AUTO_FREE char *path = NULL;
	struct scopename s;

	if (scopename_of_container(text, id, &s, e) < 0)
		return err_wrap(e, "linux.cgroupsPath");
	path = scopename_path(&s);
	*ret = arena_strdup(a, path);
	return 0;
}

static int cgroup_path(const struct oci_config *config, const char *id, bool is_scope, struct arena *a, char **ret, struct err *e)
{
	char *path = config->linux_ != NULL ? config->linux_->cgroups_path : NULL;

	if (is_scope)
		return scope_path(path, id, a, ret, e);
	if (str_is_empty(path)) {
		*ret = arena_printf(a, CGROUP_PARENT "/%s", id);
		return 0;
	}
	if (path[0] != '/' && strchr(path, ':') != NULL)
		return err_set(e, ERR_INVALID, "linux.cgroupsPath: '%.256s': this form is for --systemd-cgroup", path);
	if (path[0] != '/')
		path = arena_printf(a, CGROUP_PARENT "/%s", path);
	AUTO_FREE char *clean = path_clean(path);

	*ret = arena_strdup(a, clean);
	return 0;
}

int bundle_config_spec(struct oci_config *config, const char *bundle, const char *id, bool is_scope, struct arena *a,
		       struct launch_spec **ret, struct err *e)
{
	struct launch_spec *spec = arena_new_obj(a, struct launch_spec);

	spec->config = config;
	spec->container_dir = arena_strdup(a, bundle);
	spec->id = arena_strdup(a, id);
	spec->cgroup_is_made = is_scope;
	/* Groups above it that we make go with it, except the one that all of ours are in */
	spec->cgroup_root = arena_strdup(a, CGROUP_PARENT);
	if (cgroup_path(config, id, is_scope, a, &spec->cgroup_path, e) < 0)
		return -1;
	*ret = spec;
	return 0;
}

void bundle_resources_warn(const struct oci_resources *r)
{
	const struct oci_memory *m = r != NULL ? r->memory : NULL;

	if (m != NULL && ((m->kernel_bytes.set && m->kernel_bytes.v != 0) || (m->kernel_tcp_bytes.set && m->kernel_tcp_bytes.v != 0)))
		log_warn("linux.resources.memory.kernel, kernelTCP: current kernels have no such limit: they have no effect");
}

void bundle_config_warn(const struct oci_config *config)
{
	const struct oci_linux *lin = config->linux_;

	if (lin != NULL && !str_is_empty(lin->mount_label))
		log_warn("linux.mountLabel: SELinux is not on in this machine's kernel: it has no effect");
	bundle_resources_warn(lin != NULL ? lin->resources : NULL);
}

bool bundle_config_owns_pids(const struct oci_config *config)
{
	for (size_t i = 0; config->linux_ != NULL && i < config->linux_->n_namespaces; i++)
		if (str_eq(config->linux_->namespaces[i].type, "pid"))
			return str_is_empty(config->linux_->namespaces[i].path);
	return false;
}
