/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the pages of kilnd from the table of its options; `make man` runs it with a directory. */
#include "daemon/config.h"
#include "docs/print_man.h"

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(struct strbuf *out);
	} pages[] = { { "kilnd.8", config_man_kilnd }, { "kilnd.json.5", config_man_file } };
	int status = argc == 2 ? 0 : 2;

	for (size_t i = 0; status == 0 && i < sizeof(pages) / sizeof(pages[0]); i++) {
		AUTO_STRBUF struct strbuf out = { 0 };

		pages[i].print(&out);
		status = print_page(argv[1], pages[i].name, &out);
	}
	return status;
}
