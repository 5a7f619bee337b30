/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/reference.h"

#include "base/own.h"
#include "tests/unit/unit.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void check(const char *text, const char *canonical, const char *familiar)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct reference r;
	struct err e = {0};

	ck_assert_msg(reference_parse_tagged(text, a, &r, &e) == 0, "%s: %s", text, e.msg);
	ck_assert_str_eq(reference_canonical(&r, a), canonical);
	ck_assert_str_eq(reference_familiar(&r, a), familiar);
}

static void refused(const char *text, const char *why)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct reference r;
	struct err e = {0};

	ck_assert_msg(reference_parse(text, a, &r, &e) == -1, "'%s' was taken", text);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	ck_assert_msg(strstr(e.msg, why) != NULL, "'%s' said '%s'", text, e.msg);
}

START_TEST(names_are_normalised)
{
	check("busybox", "docker.io/library/busybox:latest", "busybox:latest");
	check("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36");
	check("me/app", "docker.io/me/app:latest", "me/app:latest");
	check("docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest");
	check("docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest");
	check("index.docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest");
	check("library/busybox", "docker.io/library/busybox:latest", "busybox:latest");
	check("docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest");
	check("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest");
}
END_TEST

START_TEST(first_component_is_a_domain_when_it_looks_like_one)
{
	check("localhost/x", "localhost/x:latest", "localhost/x:latest");
	check("localhost:5000/x:t", "localhost:5000/x:t", "localhost:5000/x:t");
	check("ghcr.io/o/x", "ghcr.io/o/x:latest", "ghcr.io/o/x:latest");
	check("127.0.0.1:5999/x", "127.0.0.1:5999/x:latest", "127.0.0.1:5999/x:latest");
	check("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest");
	check("MyHost/x", "MyHost/x:latest", "MyHost/x:latest");
}
END_TEST

START_TEST(digest_needs_no_tag)
{
	check("busybox@sha256:" HEX, "docker.io/library/busybox@sha256:" HEX, "busybox@sha256:" HEX);
	check("busybox:1@sha256:" HEX, "docker.io/library/busybox:1@sha256:" HEX, "busybox:1@sha256:" HEX);
}
END_TEST

START_TEST(separators_follow_the_grammar)
{
	check("a.b_c__d-e---f", "docker.io/library/a.b_c__d-e---f:latest", "a.b_c__d-e---f:latest");
	refused("a..b", "invalid reference format");
	refused("a___b", "invalid reference format");
	refused("a.-b", "invalid reference format");
	refused("-a", "invalid reference format");
	refused("a-", "invalid reference format");
	refused("a//b", "invalid reference format");
	refused("/a", "invalid reference format");
	refused("a/", "invalid reference format");
}
END_TEST

START_TEST(malformed_names_are_refused)
{
	refused("", "invalid reference format");
	refused(":tag", "invalid reference format");
	refused("a:", "invalid reference format");
	refused("a:-t", "invalid reference format");
	refused("a b", "invalid reference format");
	refused("a@sha256:12", "invalid reference format");
	refused("a\n", "invalid reference format");
	refused("../x", "invalid reference format");
	refused("host:port/x", "invalid reference format");
	refused("App", "must be lowercase");
	refused("me/App", "must be lowercase");
	refused(HEX, "cannot specify 64-byte hexadecimal strings");
}
END_TEST

START_TEST(lengths_are_bounded)
{
	char name[400], tag[200];

	memset(name, 'a', sizeof name);
	name[sizeof name - 1] = '\0';
	refused(name, "must not be more than 255 characters");
	memset(tag, 'a', sizeof tag);
	tag[1] = ':';
	tag[2 + 129] = '\0';
	refused(tag, "invalid reference format");
	tag[2 + 128] = '\0';
	{
		AUTO_ARENA struct arena *a = arena_new();
		struct reference r;
		struct err e = {0};

		ck_assert_int_eq(reference_parse(tag, a, &r, &e), 0);
	}
}
END_TEST

START_TEST(no_tag_is_invented_without_asking)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct reference r;
	struct err e = {0};

	ck_assert_int_eq(reference_parse("busybox", a, &r, &e), 0);
	ck_assert_ptr_null(r.tag);
	ck_assert_str_eq(reference_familiar_name(&r, a), "busybox");
}
END_TEST

UNIT_MAIN("reference", names_are_normalised, first_component_is_a_domain_when_it_looks_like_one,
	  digest_needs_no_tag, separators_follow_the_grammar, malformed_names_are_refused, lengths_are_bounded,
	  no_tag_is_invented_without_asking)
