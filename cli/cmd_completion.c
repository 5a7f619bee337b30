/* SPDX-License-Identifier: Apache-2.0 */
/* kiln completion: the script that a shell runs to complete kiln's command lines. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/complete.h"

static int run(const struct call *c)
{
	const char *script = complete_script(c->args.v[0]);

	if (!script)
		return cmd_fail_with(arena_printf(c->a, "kiln: completion for '%.64s' is refused: there is 'bash' and 'zsh'", c->args.v[0]));
	fputs(script, stdout);
	return 0;
}

const struct command cmd_completion = {
	.name = "completion", .usage = "bash|zsh", .help = "Print the completion script of a shell",
	.more = "bash: source <(kiln completion bash). zsh: source <(kiln completion zsh), behind compinit. Packages install both.",
	.args = VALUE_CHOICE, .choices = "bash|zsh", .n_args_min = 1, .n_args_max = 1, .run = run,
};
