/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzz target is tests/fuzz/fuzz_<module>.c with one LLVMFuzzerTestOneInput() for each parser of the module:
 * any bytes, no crash, and what the parser promises holds (FUZZ_CHECK). See README.md.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* A promise of the parser that these bytes break. */
#define FUZZ_CHECK(cond)                                                                   \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                           \
		}                                                                          \
	} while (0)

/* The input as a string of its own allocation (a sanitizer sees an overrun); free(3) it. */
static inline char *fuzz_text(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1);

	FUZZ_CHECK(text != NULL);
	if (n > 0)
		memcpy(text, data, n);
	text[n] = '\0';
	return text;
}
