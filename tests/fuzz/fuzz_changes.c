/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions of `import --change`, one a line: what is taken is within its bounds, and a configuration that is read back. */
#include "base/own.h"
#include "oci/changes.h"
#include "tests/fuzz/fuzz.h"

static void check_exec(struct oci_image_exec *exec, struct arena *a)
{
	struct oci_rootfs rootfs = { (char *)"layers", { 0 } };
	struct oci_image_config config = { .os = (char *)"linux", .config = exec, .rootfs = &rootfs }, *back = NULL;
	AUTO_STRBUF struct strbuf text = { 0 };
	struct err e = { 0 };

	FUZZ_CHECK(exec->env.n <= CHANGES_MAX_WORDS && exec->cmd.n <= CHANGES_MAX_WORDS &&
		   exec->entrypoint.n <= CHANGES_MAX_WORDS && exec->labels.n <= CHANGES_MAX_WORDS);
	for (size_t i = 0; i < exec->env.n; i++)
		FUZZ_CHECK(strchr(exec->env.v[i], '=') > exec->env.v[i]);
	json_emit(&oci_image_config_schema, &config, &text);
	FUZZ_CHECK(image_config_parse(text.data, text.len, a, &back, &e) == 0);
	FUZZ_CHECK(back->config->env.n == exec->env.n && back->config->cmd.n == exec->cmd.n);
	FUZZ_CHECK(back->config->labels.n == exec->labels.n);
	FUZZ_CHECK(!exec->user || strcmp(back->config->user, exec->user) == 0);
	FUZZ_CHECK(!exec->stop_signal || strcmp(back->config->stop_signal, exec->stop_signal) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_FREE char *text = fuzz_text(data, n);
	AUTO_ARENA struct arena *a = arena_new();
	struct str_list lines = { arena_new_array(a, char *, n + 1), 0 };
	struct oci_image_exec exec = { 0 };
	struct err e = { 0 };

	for (char *line = text, *end; line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		lines.v[lines.n++] = line;
	}
	if (changes_apply(&lines, a, &exec, &e) == 0)
		check_exec(&exec, a);
	else
		FUZZ_CHECK((e.kind == ERR_INVALID || e.kind == ERR_UNSUPPORTED) && e.msg[0]);
	return 0;
}
