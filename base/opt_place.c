/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt_place.h"

#include <string.h>

#include "base/own.h"

/*
 * The option in a word that takes a value, and where the value begins in the word: NULL when it is the next word's.
 * A word whose option is not known takes none.
 */
static const struct opt *option_in(const struct opt_tables *t, const char *word, const char **ret_value)
{
	const struct opt *o;

	*ret_value = NULL;
	if (word[1] == '-') {
		size_t n = strcspn(word + 2, "=");

		o = opt_find(t, word + 2, n);
		*ret_value = word[2 + n] ? word + 2 + n + 1 : NULL;
		return o && opt_takes_value(o) ? o : NULL;
	}
	for (const char *p = word + 1; *p; p++) {
		o = opt_find_letter(t, *p);
		if (!o)
			return NULL;
		if (opt_takes_value(o)) {
			*ret_value = p[1] ? p + 1 + (p[1] == '=') : NULL;
			return o;
		}
	}
	return NULL;
}

static bool is_option_word(const char *word)
{
	return word[0] == '-' && word[1];
}

/* The word being typed, when it is not the value of the word before */
static void look_at_last(const struct opt_tables *t, const char *word, bool is_over, struct arena *a, struct opt_place *ret)
{
	const char *value = NULL;

	ret->typed = word;
	if (is_over || word[0] != '-')
		return;
	ret->value_of = is_option_word(word) ? option_in(t, word, &value) : NULL;
	if (!value)
		ret->value_of = NULL;
	if (ret->value_of) {
		ret->before = arena_strndup(a, word, (size_t)(value - word));
		ret->typed = value;
		return;
	}
	ret->is_option = !strchr(word, '=');
}

void opt_place(const struct opt_tables *t, bool is_mixed, const struct str_list *words, struct arena *a, struct opt_place *ret)
{
	const struct opt *waiting = NULL;   /* for its value */
	bool is_over = false;

	*ret = (struct opt_place){ .before = "", .first_arg = words->n };
	ret->args.v = arena_new_array(a, char *, words->n);
	for (size_t i = 0; i + 1 < words->n; i++) {
		char *word = words->v[i];
		const char *value;

		if (waiting) {
			waiting = NULL;
		} else if (!is_over && str_eq(word, "--")) {
			is_over = true;
		} else if (!is_over && is_option_word(word)) {
			waiting = option_in(t, word, &value);
			waiting = value ? NULL : waiting;
		} else {
			ret->first_arg = ret->args.n ? ret->first_arg : i;
			ret->args.v[ret->args.n++] = word;
			is_over = is_over || !is_mixed;
		}
	}
	if (waiting) {
		ret->value_of = waiting;
		ret->typed = words->v[words->n - 1];
		return;
	}
	look_at_last(t, words->v[words->n - 1], is_over, a, ret);
}
