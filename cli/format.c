/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/format.h"

#include <string.h>

#include "base/own.h"

int format_parse(const char *text, struct arena *a, struct format *ret, struct err *e)
{
	struct format f = {0};

	if (template_parse(str_eq(text, "json") ? "{{json .}}" : text, a, &f.template, e) < 0)
		return -1;
	*ret = f;
	return 0;
}

int format_parse_list(const char *text, struct arena *a, struct format *ret, struct err *e)
{
	bool is_table = str_starts(text, "table") && (text[5] == ' ' || !text[5]);
	AUTO_STRBUF struct strbuf out = {0};

	if (str_eq(text, "raw"))
		return err_set(e, ERR_UNSUPPORTED, "format '%s' is refused: Kiln has 'table', 'json' and templates", text);
	for (const char *p = is_table ? text + 5 + strspn(text + 5, " ") : text; *p; p++) {
		bool is_escape = *p == '\\' && (p[1] == 't' || p[1] == 'n');

		strbuf_addc(&out, !is_escape ? *p : p[1] == 't' ? '\t' : '\n');
		p += is_escape;
	}
	if (format_parse(strbuf_cstr(&out), a, ret, e) < 0)
		return -1;
	ret->is_table = is_table;
	return 0;
}

int format_answer(const struct format *f, const char *json, size_t n, struct strbuf *out, struct err *e)
{
	struct template_data d = {0};

	if (jsontext_check(json, n, &d.json, e) < 0)
		return err_wrap(e, "the daemon's answer");
	if (template_run(f->template, &d, out, e) < 0)
		return -1;
	strbuf_addc(out, '\n');
	return 0;
}
