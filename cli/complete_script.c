/* SPDX-License-Identifier: Apache-2.0 */
/* The shells' scripts as data of the program: `kiln completion bash` prints what contrib/completion/ has. */
#include "cli/complete.h"

__asm__(".pushsection .rodata\n"
	"complete_script_bash_:\n"
	".incbin \"contrib/completion/kiln.bash\"\n"
	".byte 0\n"
	"complete_script_zsh_:\n"
	".incbin \"contrib/completion/_kiln\"\n"
	".byte 0\n"
	".popsection\n");

extern const char complete_script_bash_[], complete_script_zsh_[];

const char *complete_script(const char *shell)
{
	return str_eq(shell, "bash") ? complete_script_bash_ : str_eq(shell, "zsh") ? complete_script_zsh_ : NULL;
}
