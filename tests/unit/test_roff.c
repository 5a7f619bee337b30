/* SPDX-License-Identifier: Apache-2.0 */
#include "base/roff.h"

#include "tests/unit/unit.h"

START_TEST(text_is_never_a_request)
{
	AUTO_STRBUF struct strbuf out = { 0 };

	roff_text(&out, ".so /etc/passwd\n'x\n\na\\b --flag");
	ck_assert_str_eq(out.data, ".PP\n\\&.so /etc/passwd\n\\&'x\n.PP\na\\eb \\-\\-flag\n");
}
END_TEST

START_TEST(items_have_bold_terms_and_italic_values)
{
	AUTO_STRBUF struct strbuf out = { 0 };

	roff_item(&out, "-x", "VALUE", "what it does");
	roff_item(&out, "-y", NULL, ".");
	ck_assert_str_eq(out.data, ".TP\n\\fB\\-x\\fR \\fIVALUE\\fR\nwhat it does\n.TP\n\\fB\\-y\\fR\n\\&.\n");
}
END_TEST

START_TEST(a_page_has_a_title_and_a_name_that_apropos_finds)
{
	AUTO_STRBUF struct strbuf out = { 0 };

	roff_page(&out, "kilnd.json", "5", "configuration of kilnd");
	roff_code(&out, "{\n}\n");
	ck_assert_ptr_nonnull(strstr(out.data, "\n.TH \"KILND.JSON\" \"5\" "));
	ck_assert_ptr_nonnull(strstr(out.data, ".SH \"NAME\"\nkilnd.json \\- configuration of kilnd\n.PP\n.RS 4\n.nf\n{\n}\n.fi\n.RE\n"));
}
END_TEST

UNIT_MAIN("roff", text_is_never_a_request, items_have_bold_terms_and_italic_values,
	  a_page_has_a_title_and_a_name_that_apropos_finds)
