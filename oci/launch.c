/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/launch.h"

#define O J_OMIT_EMPTY
#define R J_REQUIRED

static const struct jfield stdio_fields[] = {
	J_BOOLEAN(struct launch_stdio, tty, "tty", O),
	J_BOOLEAN(struct launch_stdio, open_stdin, "openStdin", O),
	J_BOOLEAN(struct launch_stdio, stdin_once, "stdinOnce", O),
	J_U32(struct launch_stdio, height, "height", O),
	J_U32(struct launch_stdio, width, "width", O),
	J_U64(struct launch_stdio, capture_bytes, "captureBytes", O),
	J_STRING(struct launch_stdio, log_path, "logPath", O),
	J_U64(struct launch_stdio, log_max_bytes, "logMaxBytes", O),
	J_U32(struct launch_stdio, log_max_files, "logMaxFiles", O),
	J_STRING(struct launch_stdio, log_attrs, "logAttrs", O),
	J_STRING(struct launch_stdio, detach_keys, "detachKeys", O),
};
static const struct jschema stdio_schema = J_SCHEMA(struct launch_stdio, "oci/launch.h", stdio_fields);

static const struct jfield launch_fields[] = {
	J_U32(struct launch_spec, version, "version", R),
	J_STRING(struct launch_spec, id, "id", R),
	J_OBJECT(struct launch_spec, config, "config", &oci_config_schema, R),
	J_STRING(struct launch_spec, user, "user", 0),
	J_STRINGS(struct launch_spec, groups, "groups", O),
	J_STRING(struct launch_spec, data_root, "dataRoot", R),
	J_STRING(struct launch_spec, layers_dir, "layersDir", R),
	J_STRINGS(struct launch_spec, lowers, "lowers", R),
	J_STRING(struct launch_spec, container_dir, "containerDir", R),
	J_BOOLEAN(struct launch_spec, volatile_upper, "volatileUpper", O),
	J_STRING(struct launch_spec, cgroup_path, "cgroupPath", R),
	J_STRING(struct launch_spec, cgroup_root, "cgroupRoot", O),
	J_STRING(struct launch_spec, cgroup_owner, "cgroupOwner", O),
	J_U64(struct launch_spec, rt_period_usec, "rtPeriodUsec", O),
	J_U64(struct launch_spec, rt_runtime_usec, "rtRuntimeUsec", O),
	J_STRING(struct launch_spec, seccomp_profile, "seccompProfile", R),
	J_BOOLEAN(struct launch_spec, init, "init", O),
	J_OBJECT(struct launch_spec, stdio, "stdio", &stdio_schema, R),
	J_STRING(struct launch_spec, socket_path, "socketPath", R),
};
const struct jschema launch_spec_schema = J_SCHEMA(struct launch_spec, "oci/launch.h", launch_fields);

static const struct jfield exec_fields[] = {
	J_U32(struct exec_spec, version, "version", R),
	J_STRING(struct exec_spec, id, "id", R),
	J_STRING(struct exec_spec, container_id, "containerId", R),
	J_OBJECT(struct exec_spec, process, "process", &oci_process_schema, R),
	J_STRING(struct exec_spec, user, "user", 0),
	J_STRINGS(struct exec_spec, groups, "groups", O),
	J_STRING(struct exec_spec, cgroup_path, "cgroupPath", R),
	J_STRING(struct exec_spec, seccomp_profile, "seccompProfile", R),
	J_OBJECT(struct exec_spec, stdio, "stdio", &stdio_schema, R),
	J_STRING(struct exec_spec, data_root, "dataRoot", R),
	J_STRING(struct exec_spec, socket_path, "socketPath", R),
	J_U64(struct exec_spec, timeout_ms, "timeoutMs", O),
	J_BOOLEAN(struct exec_spec, has_own_pids, "hasOwnPids", O),
};
const struct jschema exec_spec_schema = J_SCHEMA(struct exec_spec, "oci/launch.h", exec_fields);
