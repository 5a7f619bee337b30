/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the pages of kiln from the tables of its commands and options; `make man` runs it with a directory. */
#include "cli/man.h"
#include "docs/print_man.h"

int main(int argc, char **argv)
{
	AUTO_STRBUF struct strbuf out = { 0 };
	int status = argc == 2 ? 0 : 2;

	man_kiln(&out);
	status = status ? status : print_page(argv[1], "kiln.1", &out);
	for (size_t i = 0; status == 0 && commands[i]; i++) {
		AUTO_STRBUF struct strbuf name = { 0 };

		strbuf_reset(&out);
		man_command(commands[i], &out);
		man_name(commands[i], &name);
		strbuf_adds(&name, ".1");
		status = print_page(argv[1], name.data, &out);
	}
	return status;
}
