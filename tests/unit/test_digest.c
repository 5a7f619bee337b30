/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/digest.h"

#include "base/own.h"
#include "tests/unit/unit.h"

#define ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NOTHING "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

START_TEST(grammar_takes_only_sha256_and_64_lower_case_digits)
{
	ck_assert(digest_is_valid(ABC));
	ck_assert(!digest_is_valid(NULL));
	ck_assert(!digest_is_valid(""));
	ck_assert(!digest_is_valid("sha256:"));
	ck_assert(!digest_is_valid("sha256:../../../../../../../../etc/passwd"));
	ck_assert(!digest_is_valid("sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"));
	ck_assert(!digest_is_valid(ABC "0"));
	ck_assert(!digest_is_valid("sha512:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}
END_TEST

START_TEST(parse_names_what_is_wrong)
{
	struct digest d = {0};
	struct err e = {0};

	ck_assert_int_eq(digest_parse("md5:1", &d, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(e.msg, "md5:1"));
	ck_assert_str_eq(d.text, "");
	ck_assert_int_eq(digest_parse(ABC, &d, &e), 0);
	ck_assert_str_eq(digest_hex(d.text), ABC + 7);
}
END_TEST

START_TEST(stream_gives_the_digest_of_its_pieces_and_starts_over)
{
	AUTO(digest_stream_freep) struct digest_stream *s = digest_stream_new();
	struct digest d;

	digest_stream_add(s, "a", 1);
	digest_stream_add(s, "", 0);
	digest_stream_add(s, "bc", 2);
	digest_stream_end(s, &d);
	ck_assert_str_eq(d.text, ABC);
	digest_stream_end(s, &d);
	ck_assert_str_eq(d.text, NOTHING);
}
END_TEST

UNIT_MAIN("digest", grammar_takes_only_sha256_and_64_lower_case_digits, parse_names_what_is_wrong,
	  stream_gives_the_digest_of_its_pieces_and_starts_over)
