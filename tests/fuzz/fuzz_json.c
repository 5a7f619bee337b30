/* SPDX-License-Identifier: Apache-2.0 */
/* What is decoded is emitted as valid JSON that decodes to the same; what is refused says why. */
#include "base/json.h"
#include "tests/fuzz/fuzz.h"

struct item {
	char *key;
	uint64_t u;
	struct json_raw raw;
};

static const struct jfield item_fields[] = {
	J_U64(struct item, u, "u", 0),
	J_RAW(struct item, raw, "raw", J_OMIT_EMPTY),
};
static const struct jschema item_schema = J_SCHEMA(struct item, "fuzz#item", item_fields);

struct doc {
	bool b;
	struct opt_bool ob;
	int64_t i;
	uint64_t u;
	uint32_t u32;
	struct opt_i64 oi;
	struct opt_u64 ou;
	double d;
	char *s;
	struct str_list l;
	struct str_map m;
	struct item *o;
	struct item *a;
	size_t n_a;
	struct item *om;
	size_t n_om;
	struct json_raw raw;
};

static const struct jfield doc_fields[] = {
	J_BOOLEAN(struct doc, b, "b", J_OMIT_EMPTY),
	J_OPT_BOOL(struct doc, ob, "ob", J_OMIT_EMPTY),
	J_I64(struct doc, i, "i", 0),
	J_U64(struct doc, u, "u", 0),
	J_U32(struct doc, u32, "u32", 0),
	J_OPT_I64(struct doc, oi, "oi", J_NULLABLE),
	J_OPT_U64(struct doc, ou, "ou", 0),
	J_DOUBLE(struct doc, d, "d", 0),
	J_STRING(struct doc, s, "s", J_OMIT_EMPTY),
	J_STRINGS(struct doc, l, "l", J_NULLABLE),
	J_MAP(struct doc, m, "m", 0),
	J_OBJECT(struct doc, o, "o", &item_schema, J_OMIT_EMPTY),
	J_ARRAY(struct doc, a, n_a, "a", &item_schema, 0),
	J_OBJECT_MAP(struct doc, om, n_om, "om", &item_schema, 0),
	J_RAW(struct doc, raw, "raw", J_OMIT_EMPTY),
};
static const struct jschema doc_schema = J_SCHEMA(struct doc, "fuzz#doc", doc_fields);
static const struct jschema fold_schema = J_SCHEMA_FOLD(struct doc, "fuzz#doc", doc_fields);

static int see_unknown(void *ctx, const char *path, const char *value, struct err *e)
{
	(void)ctx;
	(void)e;
	FUZZ_CHECK(path[0] != '\0' || value[0] != '\0');
	return 0;
}

static void check_round_trip(const struct doc *doc)
{
	AUTO_ARENA struct arena *arena = arena_new();
	AUTO_STRBUF struct strbuf first = { 0 };
	AUTO_STRBUF struct strbuf second = { 0 };
	struct err e = { 0 };
	void *again = NULL;

	json_emit(&doc_schema, doc, &first);
	if (json_decode(first.data, first.len, &doc_schema, arena, NULL, NULL, &again, &e) < 0) {
		fprintf(stderr, "%s\n%s\n", first.data, e.msg);
		abort();
	}
	json_emit(&doc_schema, again, &second);
	FUZZ_CHECK(strcmp(first.data, second.data) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data;
	AUTO_ARENA struct arena *arena = arena_new();
	struct err e = { 0 };
	void *doc = NULL;

	if (json_decode(text, n, &doc_schema, arena, see_unknown, NULL, &doc, &e) == 0)
		check_round_trip(doc);
	else
		FUZZ_CHECK(e.kind == ERR_INVALID && e.msg[0] != '\0');
	json_decode(text, n, &fold_schema, arena, NULL, NULL, &doc, &e);
	return 0;
}
