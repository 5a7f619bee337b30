/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/doors/docker_ports.h"

#include "base/own.h"
#include "tests/unit/unit.h"

START_TEST(ranges_are_numbers_and_a_protocol)
{
	static const struct { const char *text; unsigned from, to; const char *proto; } good[] = {
		{ "80", 80, 80, "tcp" }, { "53/udp", 53, 53, "udp" }, { "8000-8010/tcp", 8000, 8010, "tcp" }, { "0-65535/sctp", 0, 65535, "sctp" },
	};
	static const char *const bad[] = { "", "/tcp", "-", "80-", "-80", "a", "80/", "80/foo", "65536", "100000", "9-8", "80 ", "8:80", "80/tcp/udp" };
	struct port_range r;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		ck_assert_msg(docker_port_range(good[i].text, &r), "%s", good[i].text);
		ck_assert_uint_eq(r.from, good[i].from);
		ck_assert_uint_eq(r.to, good[i].to);
		ck_assert_str_eq(r.proto, good[i].proto);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(!docker_port_range(bad[i], &r), "%s", bad[i]);
}
END_TEST

static struct opt_config config_of(const char *json)
{
	return (struct opt_config){ .exposed_ports = { (char *)json, json ? strlen(json) : 0 } };
}

START_TEST(keys_are_single_ports)
{
	static const char *const bad[] = { "{\"x\":{}}", "{\"80/foo\":{}}", "{\"80-81/tcp\":{}}", "{\"80/tcp\":{},\"\":{}}" };
	AUTO_ARENA struct arena *a = arena_new();
	struct err e = {0};

	ck_assert_int_eq(docker_check_exposed(&(struct opt_config){0}, a, &e), 0);
	ck_assert_int_eq(docker_check_exposed(&(struct opt_config){ .exposed_ports = { (char *)"null", 4 } }, a, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct opt_config c = config_of(bad[i]);

		ck_assert_msg(docker_check_exposed(&c, a, &e) < 0, "%s", bad[i]);
		ck_assert_int_eq(e.kind, ERR_INVALID);
		ck_assert_ptr_nonnull(strstr(e.msg, "invalid ExposedPorts"));
	}
}
END_TEST

START_TEST(what_an_image_exposes_is_shown_once_and_bounded)
{
	struct opt_config c = config_of("{\"80\":{},\"80/tcp\":{},\"80/udp\":{},\"junk\":{},\"1-9\":{}}");
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf many = {0};
	struct port_range *v;

	ck_assert_uint_eq(docker_exposed(&c, a, &v), 2);
	ck_assert_str_eq(v[0].proto, "tcp");
	ck_assert_str_eq(v[1].proto, "udp");
	strbuf_adds(&many, "{\"1\":{}");
	for (int i = 2; i < 60000; i++)
		strbuf_addf(&many, ",\"%d\":{}", i);
	strbuf_adds(&many, "}");
	c = config_of(many.data);
	ck_assert_uint_eq(docker_exposed(&c, a, &v), 0);
}
END_TEST

UNIT_MAIN("docker_ports", ranges_are_numbers_and_a_protocol, keys_are_single_ports, what_an_image_exposes_is_shown_once_and_bounded)
