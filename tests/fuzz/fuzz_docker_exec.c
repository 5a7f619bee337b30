/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of exec requests: of create on their whole way to an exec document, and of start. The corpus is what the docker
 * clients sent (record.py), beside a few bodies written by hand.
 */
#include "daemon/doors/docker_exec.h"

#include "base/own.h"
#include "daemon/doors/docker_create.h"
#include "daemon/doors/door_util.h"
#include "oci/bundle.h"
#include "oci/options_rules.h"
#include "tests/fuzz/fuzz.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* As exec_create() and exec_start() make it, in a container that says as little as it can */
static void check_document(const struct exec_options *x, struct arena *a)
{
	static const char container[] = "{\"Image\":\"i\",\"Cmd\":[\"true\"],\"User\":\"1:2\",\"WorkingDir\":\"/w\",\"Env\":[\"A=b\"]}";
	static const struct bundle_host host = { .hostname = "host", .caps = (UINT64_C(1) << 41) - 1 };
	struct container_options o = { 0 };
	struct bundle_exec_input in = { .id = ID, .container_id = ID, .options = &o, .host = &host, .data_root = "/d", .socket_path = "/s",
					.cgroup_parent = "/kiln", .cmd = &x->cmd, .env = &x->env, .user = x->user ? x->user : "",
					.working_dir = x->working_dir ? x->working_dir : "", .tty = x->tty, .open_stdin = x->attach_stdin,
					.privileged = x->privileged, .height = x->height, .width = x->width };
	struct exec_spec *spec = NULL;
	struct err e = { 0 };

	FUZZ_CHECK(docker_create_parse(container, sizeof container - 1, a, &o, &e) == 0);
	options_normalize(&o, ID, "host", a);
	if (bundle_exec(&in, a, &spec, &e) == 0)
		FUZZ_CHECK(spec->process->args.n == x->cmd.n && spec->process->cwd[0] == '/');
	else
		FUZZ_CHECK(e.kind == ERR_INVALID && e.msg[0]);
}

static bool is_refusal(const struct err *e)
{
	return (e->kind == ERR_INVALID || e->kind == ERR_UNSUPPORTED) && e->msg[0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_FREE char *text = fuzz_text(data, n);
	AUTO_ARENA struct arena *a = arena_new();
	struct exec_start_options start = { .height = 7, .width = 8 };
	struct exec_options x = { 0 };
	struct err e = { 0 };
	char keys[16];

	if (docker_exec_parse(text, n, a, &x, &e) == 0) {
		FUZZ_CHECK(x.cmd.n > 0 && x.height <= UINT16_MAX && x.width <= UINT16_MAX);
		if (detach_keys_parse(x.detach_keys, keys, sizeof keys, &e) == 0)
			check_document(&x, a);
		else
			FUZZ_CHECK(is_refusal(&e));
	} else {
		FUZZ_CHECK(is_refusal(&e));
	}
	if (docker_exec_start_parse(text, n, a, &start, &e) == 0)
		FUZZ_CHECK(start.height <= UINT16_MAX && start.width <= UINT16_MAX);
	else
		FUZZ_CHECK(is_refusal(&e));
	return 0;
}
