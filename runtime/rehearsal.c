/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rehearsal.h"

#include "base/arena.h"
#include "oci/launch.h"
#include "runtime/plan_parts.h"

/* The powers are docker's default ones, which most containers have: they are part of the filter's key. */
#define CAPS                                                                                                                   \
	"[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FSETID\",\"CAP_FOWNER\",\"CAP_MKNOD\",\"CAP_NET_RAW\",\"CAP_SETGID\"," \
	"\"CAP_SETUID\",\"CAP_SETFCAP\",\"CAP_SETPCAP\",\"CAP_NET_BIND_SERVICE\",\"CAP_SYS_CHROOT\",\"CAP_KILL\",\"CAP_AUDIT_WRITE\"]"

static const char document[] =
	"{\"version\":1,\"id\":\"0123456789abcdef\",\"containerId\":\"0123456789abcdef\",\"process\":{\"terminal\":false,"
	"\"args\":[\"sh\",\"-c\",\"true\"],\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"HOSTNAME=a\"],"
	"\"cwd\":\"/\",\"capabilities\":{\"bounding\":" CAPS ",\"effective\":" CAPS ",\"permitted\":" CAPS "},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1024,\"hard\":524288}],\"noNewPrivileges\":false},\"user\":\"\","
	"\"cgroupPath\":\"/kiln/0123456789abcdef\",\"seccompProfile\":\"default\",\"stdio\":{\"captureBytes\":4096},\"dataRoot\":\"/\","
	"\"socketPath\":\"/\",\"timeoutMs\":1,\"hasOwnPids\":true}";

int rehearse(const char *data_root, struct err *e)
{
	static const struct launch_stdio_fds fds = { 0, 1, 2 };
	AUTO_ARENA struct arena *arena = arena_new();
	struct process_plan plan = { 0 };
	struct exec_spec *spec;
	void *decoded = NULL;

	if (json_decode(document, sizeof document - 1, &exec_spec_schema, arena, NULL, NULL, &decoded, e) < 0)
		return err_wrap(e, "rehearsal");
	spec = decoded;
	return process_plan_build(&(struct process_source){ .process = spec->process, .user = spec->user, .groups = &spec->groups,
							    .seccomp_profile = spec->seccomp_profile, .data_root = data_root,
							    .stdio = spec->stdio, .fds = &fds, .is_exec = true }, arena, &plan, e);
}
