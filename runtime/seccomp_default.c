/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's default profile as data of the program (contrib/seccomp/, with its own notice).
 */
#include "runtime/seccomp_parts.h"

__asm__(".pushsection .rodata\n"
	"seccomp_default_json_:\n"
	".incbin \"contrib/seccomp/default.json\"\n"
	".byte 0\n"
	".popsection\n");

extern const char seccomp_default_json_[];

const char *seccomp_default_profile(void)
{
	return seccomp_default_json_;
}
