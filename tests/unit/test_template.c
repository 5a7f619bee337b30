/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/template.h"

#include "tests/unit/unit.h"

static const char answer[] = "{\"Id\":\"abc\",\"State\":{\"Running\":true,\"Dead\":false,\"Pid\":7,\"Error\":null,\"Zero\":0},"
			     "\"Labels\":{\"z\":\"1\",\"a.b\":\"x\",\"c\":\"y\\\"z\"},\"Cmd\":[\"sh\",\"-c\",\"exit 3\"],\"Empty\":[],\"None\":{},"
			     "\"Mounts\":[{\"Source\":\"/a\",\"RW\":true},{\"Source\":\"/b\",\"RW\":false}],\"CpuShares\":512}";
static struct err e;

/* What a template makes of the answer, or the error */
static const char *made(const char *text)
{
	static struct strbuf out;
	AUTO_ARENA struct arena *a = arena_new();
	struct template_data d = {0};
	struct template *t = NULL;

	strbuf_reset(&out);
	memset(&e, 0, sizeof(e));
	ck_assert_int_eq(jsontext_check(answer, strlen(answer), &d.json, &e), 0);
	if (template_parse(text, a, &t, &e) < 0 || template_run(t, &d, &out, &e) < 0)
		return e.msg;
	return strbuf_cstr(&out);
}

struct made_of { const char *template, *made; };

static void check(const struct made_of *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(strcmp(made(cases[i].template), cases[i].made) == 0, "%s: got '%s', want '%s'", cases[i].template,
			      made(cases[i].template), cases[i].made);
}
#define CHECK(...) check((const struct made_of[]){ __VA_ARGS__ }, sizeof((const struct made_of[]){ __VA_ARGS__ }) / sizeof(struct made_of))

START_TEST(values_by_their_paths)
{
	CHECK({ "no fields", "no fields" }, { "", "" }, { "{{.Id}}", "abc" }, { "{{ .Id }}-{{.State.Running}} {{.State.Pid}}", "abc-true 7" },
	      { "{{.Cmd}} {{.Labels}} {{.State.Error}}", "[sh -c exit 3] map[a.b:x c:y\"z z:1] <nil>" },
	      { "{{$.Id}} {{(index .Mounts 1).Source}} {{(.State).Pid}}", "abc /b 7" }, { "a\\tb", "a\\tb" });
}
END_TEST

START_TEST(names_of_members_may_be_written_as_go_names_its_fields)
{
	CHECK({ "{{.ID}} {{.CPUShares}}", "abc 512" });
}
END_TEST

START_TEST(conditions)
{
	CHECK({ "{{if .State.Running}}up{{else}}down{{end}}", "up" }, { "{{if .State.Dead}}dead{{end}}", "" },
	      { "{{if .State.Zero}}a{{else if .Empty}}b{{else if .None}}c{{else}}d{{end}}", "d" },
	      { "{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none" },
	      { "{{if and .Id (not .State.Error)}}y{{end}}", "y" }, { "{{if or .Empty .None .Id}}y{{end}}", "y" },
	      { "{{or .Empty \"default\"}} {{and .Id .State.Pid}}", "default 7" },
	      { "{{with .State.Error}}x{{else}}no error{{end}}", "no error" }, { "{{with .State}}{{.Pid}}{{end}}", "7" },
	      { "{{with .Empty}}x{{else with .State}}{{.Pid}}{{end}}", "7" },
	      { "{{if eq .Id \"abc\"}}1{{end}}{{if ne .State.Pid 7}}2{{end}}{{if eq .State.Pid 1 7}}3{{end}}", "13" },
	      { "{{lt 2 10}} {{le 2 2}} {{gt \"b\" \"a\"}} {{ge 1.5 2}} {{eq true .State.Running}} {{eq nil .State.Error}}",
		"true true true false true true" });
}
END_TEST

START_TEST(ranges)
{
	CHECK({ "{{range .Mounts}}{{.Source}} {{end}}", "/a /b " }, { "{{range $i, $m := .Mounts}}{{$i}}={{$m.RW}} {{end}}", "0=true 1=false " },
	      { "{{range $k, $v := .Labels}}{{$k}}:{{$v}};{{end}}", "a.b:x;c:y\"z;z:1;" }, { "{{range .Empty}}x{{else}}none{{end}}", "none" },
	      { "{{range .Cmd}}{{if eq . \"-c\"}}{{break}}{{end}}{{.}}{{end}}", "sh" },
	      { "{{range .Cmd}}{{if eq . \"-c\"}}{{continue}}{{end}}{{.}} {{end}}", "sh exit 3 " },
	      { "{{range .State.Health}}x{{end}}", "" }, { "{{range .Mounts}}{{$.Id}}{{range $.Cmd}}.{{end}};{{end}}", "abc...;abc...;" });
}
END_TEST

START_TEST(variables)
{
	CHECK({ "{{$x := .State}}{{$x.Pid}}", "7" }, { "{{$n := 0}}{{range .Cmd}}{{$n = .}}{{end}}{{$n}}", "exit 3" },
	      { "{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21" });
}
END_TEST

START_TEST(pipelines_and_functions)
{
	CHECK({ "{{.Id | upper | printf \"<%s>\"}}", "<ABC>" }, { "{{json .State}}", "{\"Running\":true,\"Dead\":false,\"Pid\":7,\"Error\":null,\"Zero\":0}" },
	      { "{{json .Labels.c}} {{json .State.Nosuch}} {{json (index .Labels \"c\")}}", "\"y\\\"z\" null \"y\\\"z\"" },
	      { "{{index .Labels \"a.b\"}} {{index .Cmd 1}} [{{index .Labels \"no\"}}]", "x -c []" },
	      { "{{len .Id}} {{len .Cmd}} {{len .Labels}} {{len .State.Nosuch}}", "3 3 3 0" },
	      { "{{join .Cmd \",\"}} {{index (split \"a:b\" \":\") 1}} {{len (split \"\" \":\")}}", "sh,-c,exit 3 b 1" },
	      { "{{lower \"ABC\"}} {{title \"one two\"}} [{{pad .Id 1 2}}] {{truncate \"\303\244bc\" 2}}", "abc One Two [ abc  ] \303\244b" },
	      { "{{print 1 2 \"a\" \"b\" 3}} {{println .Id 1}}", "1 2ab3 abc 1\n" }, { "{{println}}", "\n" },
	      { "{{printf \"%s %v %d %q %t|%5s|%-5s|%05d|%.2s|%x|%.1f|%%\" .Id .Cmd .State.Pid .Id true .Id .Id 42 .Id 255 1.25}}",
		"abc [sh -c exit 3] 7 \"abc\" true|  abc|abc  |00042|ab|ff|1.2|%" },
	      { "{{\"quoted \\\"x\\\"\\n\"}}{{`raw \\n`}}{{\"}}\"}}", "quoted \"x\"\nraw \\n}}" });
}
END_TEST

START_TEST(space_is_trimmed_and_comments_are_nothing)
{
	CHECK({ "a  {{- .Id -}}  b", "aabcb" }, { "a {{/* x }} */}}b", "a b" }, { "a {{- /* x */ -}} b", "ab" },
	      { "{{range .Cmd -}}\n {{.}}\n{{- end}}", "sh-cexit 3" }, { "{{- 3}}", "3" });
}
END_TEST

START_TEST(what_is_wrong_is_told)
{
	static const struct made_of cases[] = {
		{ "{{.Id", "unclosed action at '{{.Id'" }, { "{{", "unclosed action" }, { "{{}}", "missing value for command" },
		{ "{{.Id.}}", "a dot without a field" }, { "{{nosuch .Id}}", "function \"nosuch\" not defined" }, { "{{if .Id}}", "a block without its end" },
		{ "{{end}}", "an end without a block" }, { "{{else}}", "an else without a block" }, { "{{if .Id}}{{else}}{{else}}{{end}}", "a second else" },
		{ "{{\"abc}}", "a string that does not end" }, { "{{\"\\z\"}}", "an escape that is not known" }, { "{{/* x", "unclosed comment" },
		{ "{{/* x */ y}}", "comment ends before closing delimiter" }, { "{{(.Id}}", "a value was expected" }, { "{{.Id)}}", "a value was expected" },
		{ "{{$x}}", "undefined variable '$x'" }, { "{{$x = 1}}", "undefined variable '$x'" }, { "{{.Id | 3}}", "a value in a pipeline takes no argument" },
		{ "{{break}}", "no range around it" }, { "{{if $a, $b := .Id}}{{end}}", "two variables without range" }, { "{{.Id !}}", "unexpected character" },
		{ "{{.Nosuch}}", "no field '.Nosuch'" }, { "{{.State.Nosuch}}", "there is no '.Nosuch'" }, { "{{.Id.X}}", "nothing to look for '.X' in" },
		{ "{{.State.Nosuch.X}}", "nothing to look for '.X' in" }, { "{{range .Id}}{{end}}", "can't iterate" },
		{ "{{index .Cmd 3}}", "index out of range: 3" }, { "{{index .Cmd \"a\"}}", "index of a list wants a number" },
		{ "{{index .Id 1}}", "index wants a list" }, { "{{len true}}", "len wants" }, { "{{lt 1 \"a\"}}", "incompatible types" },
		{ "{{eq .Cmd .Cmd}}", "cannot be compared" }, { "{{json}}", "wrong number of args for json: 0" }, { "{{.Id 1}}", "can't give argument" },
		{ "{{printf \"%d\" .Id}}", "'%d' does not fit 'abc'" }, { "{{printf \"%s\"}}", "a value for each verb" }, { "{{printf \"%z\" 1}}", "printf wants %s" },
		{ "{{printf \"%\" 1}}", "printf wants" }, { "{{pad .Id 5000 0}}", "a number up to 1000" }, { "{{1 | .Id}}", "is no function" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(strstr(made(cases[i].template), cases[i].made) != NULL, "%s: %s", cases[i].template, made(cases[i].template));
}
END_TEST

START_TEST(what_is_not_here_is_refused_by_name)
{
	static const char *const cases[] = { "{{define \"x\"}}{{end}}", "{{template \"x\"}}", "{{block \"x\" .}}{{end}}", "{{call .Id}}", "{{slice .Id 1}}",
					     "{{html .Id}}", "{{js .Id}}", "{{urlquery .Id}}" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_ptr_nonnull(strstr(made(cases[i]), "is refused"));
		ck_assert_int_eq(e.kind, ERR_UNSUPPORTED);
	}
}
END_TEST

START_TEST(depth_and_length_are_bounded)
{
	AUTO_STRBUF struct strbuf deep = {0};
	AUTO_STRBUF struct strbuf nested = {0};
	AUTO_STRBUF struct strbuf longer = {0};

	for (int i = 0; i < 10000; i++) {
		strbuf_adds(&deep, "{{if true}}");
		strbuf_adds(&nested, i ? "(" : "{{");
		strbuf_adds(&longer, "0123456789");
	}
	ck_assert_ptr_nonnull(strstr(made(longer.data), "longer than"));
	longer.data[60000] = deep.data[60000 / 11 * 11] = nested.data[9000] = 0;
	ck_assert_uint_eq(strlen(made(longer.data)), 60000);
	ck_assert_ptr_nonnull(strstr(made(deep.data), "nested too deeply"));
	ck_assert_ptr_nonnull(strstr(made(nested.data), "nested too deeply"));
}
END_TEST

static bool row_field(const void *ctx, const char *name, const char *arg, struct strbuf *out)
{
	strbuf_addf(out, "%s/%s/%s", (const char *)ctx, name, arg ? arg : "-");
	return strcmp(name, "Nosuch") != 0;
}
static void row_whole(const void *ctx, struct strbuf *out)
{
	strbuf_addf(out, "{\"%s\":1}", (const char *)ctx);
}

START_TEST(a_row_has_fields_and_one_may_take_an_argument)
{
	static const struct made_of cases[] = {
		{ "{{.A}}", "row/A/-" }, { "{{.Label \"k\"}}", "row/Label/k" }, { "{{json .}} {{json .A}}", "{\"row\":1} \"row/A/-\"" },
		{ "{{upper .A}} {{if eq .A \"row/A/-\"}}y{{end}} {{.A | lower}}", "ROW/A/- y row/a/-" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct template_data d = { .ctx = "row", .field = row_field, .whole = row_whole };
		AUTO_ARENA struct arena *a = arena_new();
		AUTO_STRBUF struct strbuf out = {0};
		struct template *t = NULL;

		ck_assert_int_eq(template_parse(cases[i].template, a, &t, &e), 0);
		ck_assert_msg(template_run(t, &d, &out, &e) == 0, "%s", e.msg);
		ck_assert_str_eq(out.data, cases[i].made);
		strbuf_reset(&out);
		d.is_head = true;
		ck_assert_int_eq(template_run(t, &d, &out, &e), 0);
		ck_assert(!strstr(out.data, "ROW"));
	}
}
END_TEST

UNIT_MAIN("template", values_by_their_paths, names_of_members_may_be_written_as_go_names_its_fields, conditions, ranges, variables,
	  pipelines_and_functions, space_is_trimmed_and_comments_are_nothing, what_is_wrong_is_told, what_is_not_here_is_refused_by_name,
	  depth_and_length_are_bounded, a_row_has_fields_and_one_may_take_an_argument)
