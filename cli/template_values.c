/* SPDX-License-Identifier: Apache-2.0 */
/* The values of templates: what JSON is as one, what is true, how they are printed. */
#include <stdlib.h>

#include "cli/template_priv.h"

struct tvalue tvalue_of_json(struct jsontext j, struct arena *a)
{
	if (j.n == 0)
		return (struct tvalue){0};
	switch (*j.at) {
	case '"':
		return (struct tvalue){ .type = TV_STRING, .text = jsontext_string(j, a) };
	case '{':
	case '[':
		return (struct tvalue){ .type = TV_JSON, .json = j };
	case 'n':
		return (struct tvalue){ .type = TV_NIL };
	case 't':
	case 'f':
		return (struct tvalue){ .type = TV_BOOL, .is_true = *j.at == 't' };
	default:
		return (struct tvalue){ .type = TV_NUMBER, .text = arena_strndup(a, j.at, j.n) };
	}
}

bool tvalue_is_true(const struct tvalue *v)
{
	struct jsontext first;
	size_t pos = 0;
	char *key;

	switch (v->type) {
	case TV_BOOL:
		return v->is_true;
	case TV_NUMBER:
		return strtod(v->text, NULL) != 0;
	case TV_STRING:
		return v->text[0] != 0;
	case TV_JSON: {
		AUTO_ARENA struct arena *a = arena_new();

		return jsontext_next(v->json, &pos, a, &key, &first);
	}
	default:
		return v->type == TV_ROW;
	}
}

void tvalue_print(const struct template_data *d, const struct tvalue *v, struct arena *a, struct strbuf *out)
{
	switch (v->type) {
	case TV_BOOL:
		strbuf_adds(out, v->is_true ? "true" : "false");
		break;
	case TV_NUMBER:
	case TV_STRING:
		strbuf_adds(out, v->text);
		break;
	case TV_JSON:
		jsontext_print(out, v->json, a);
		break;
	case TV_ROW:
		d->whole(d->ctx, out);
		break;
	default:
		strbuf_adds(out, v->type == TV_NIL ? "<nil>" : "<no value>");
	}
}
