/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A template and the JSON that it is run on, divided by a NUL: what the daemon says, and what a user wants of it. JSON that is indented
 * or compact is the same JSON; a template that is refused says why.
 */
#include "cli/template.h"

#include "base/own.h"
#include "tests/fuzz/fuzz.h"

static const char usual[] = "{\"Id\":\"a\",\"State\":{\"Running\":true,\"Pid\":7,\"Error\":null},\"Cmd\":[\"sh\",\"-c\"],\"Labels\":{\"a.b\":\"x\"},\"N\":-1.5e3}";

static const char *const templates[] = {
	"{{.}} {{json .}}", "{{range .}}{{.}}{{else}}none{{end}}", "{{range $k, $v := .}}{{$k}}={{json $v}};{{end}}", "{{len .}}", "{{index . 0}}",
	"{{index . \"Id\"}}", "{{if .Id}}{{.Id | upper | printf \"%5.3s|%-9q\"}}{{end}}", "{{with .State}}{{.Pid}} {{eq .Pid 7}} {{lt .Pid .Pid}}{{end}}",
	"{{join . \",\"}}", "{{(index . 0).A.B}}",
};

static void run(const char *text, struct jsontext json)
{
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf out = {0};
	struct template_data d = { .json = json };
	struct template *t = NULL;
	struct err e = {0};

	if (template_parse(text, a, &t, &e) < 0 || template_run(t, &d, &out, &e) < 0)
		FUZZ_CHECK(e.kind == ERR_INVALID || e.kind == ERR_UNSUPPORTED);
	FUZZ_CHECK((e.kind == ERR_NONE) == (e.msg[0] == 0));
}

/* Compact, indented and compact again */
static void check_spaces(struct jsontext v)
{
	AUTO_STRBUF struct strbuf compact = {0};
	AUTO_STRBUF struct strbuf indented = {0};
	AUTO_STRBUF struct strbuf again = {0};
	struct jsontext wide;

	jsontext_compact(&compact, v);
	jsontext_indent(&indented, v, "", "  ");
	FUZZ_CHECK(jsontext_check(indented.data, indented.len, &wide, ERR_IGNORED) == 0);
	jsontext_compact(&again, wide);
	FUZZ_CHECK(strcmp(strbuf_cstr(&compact), strbuf_cstr(&again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_FREE char *text = fuzz_text(data, n);
	size_t n_text = strlen(text);
	struct jsontext v = { usual, sizeof(usual) - 1 };

	if (n_text < n && jsontext_check(text + n_text + 1, n - n_text - 1, &v, ERR_IGNORED) == 0) {
		check_spaces(v);
		for (size_t i = 0; i < ARRAY_SIZE(templates); i++)
			run(templates[i], v);
	}
	run(text, v);
	return 0;
}
