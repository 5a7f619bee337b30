/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/tar_write.h"

#include "oci/digest.h"
#include "tests/unit/unit.h"

/* Of the same archive, written by a program that is not ours */
#define GOLDEN "sha256:044c8cc7e538f44466c5ba76b2e6baf841755ba66782d1aa24e4318c6d3993f0"

static struct strbuf out;

static const char *digest_of_out(void)
{
	static struct digest d;

	digest_of(out.data, out.len, &d);
	return d.text;
}

START_TEST(file_is_the_golden_archive)
{
	strbuf_reset(&out);
	tar_write_dir(&out, "blobs/");
	tar_write_file(&out, "blobs/a", 3);
	strbuf_adds(&out, "abc");
	tar_write_padding(&out, 3);
	tar_write_end(&out);
	ck_assert_uint_eq(out.len, 5 * 512);
	ck_assert_str_eq(out.data, "blobs/");
	ck_assert_str_eq(out.data + 100, "0000755");
	ck_assert_str_eq(out.data + 148, "010306");
	ck_assert_int_eq(out.data[156], '5');
	ck_assert_mem_eq(out.data + 257, "ustar\00000", 8);
	ck_assert_str_eq(out.data + 512, "blobs/a");
	ck_assert_str_eq(out.data + 512 + 124, "00000000003");
	ck_assert_int_eq(out.data[512 + 156], '0');
	ck_assert_str_eq(out.data + 1024, "abc");
	ck_assert_str_eq(digest_of_out(), GOLDEN);
}
END_TEST

START_TEST(padding_fills_the_last_block_only)
{
	strbuf_reset(&out);
	tar_write_padding(&out, 0);
	tar_write_padding(&out, 512);
	tar_write_padding(&out, UINT64_C(1) << 40);
	ck_assert_uint_eq(out.len, 0);
	tar_write_padding(&out, 513);
	ck_assert_uint_eq(out.len, 511);
}
END_TEST

START_TEST(huge_file_has_its_size_in_a_pax_record)
{
	strbuf_reset(&out);
	tar_write_file(&out, "big", TAR_FILE_MAX);
	ck_assert_uint_eq(out.len, 512);
	ck_assert_str_eq(out.data + 124, "77777777777");
	strbuf_reset(&out);
	tar_write_file(&out, "big", TAR_FILE_MAX + 1);
	ck_assert_uint_eq(out.len, 3 * 512);
	ck_assert_int_eq(out.data[156], 'x');
	ck_assert_str_eq(out.data + 512, "19 size=8589934592\n");
	ck_assert_str_eq(out.data + 124, "00000000023");
	ck_assert_str_eq(out.data + 1024, "big");
	ck_assert_str_eq(out.data + 1024 + 124, "00000000000");
}
END_TEST

UNIT_MAIN("tar_write", file_is_the_golden_archive, padding_fills_the_last_block_only,
	  huge_file_has_its_size_in_a_pax_record)
