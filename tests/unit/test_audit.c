/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/audit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "tests/unit/unit.h"

static char dir[] = "/tmp/kiln-audit-XXXXXX";
static char *path, *rotated;

static void begin(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	path = xasprintf("%s/audit", dir);
	rotated = xasprintf("%s/audit.1", dir);
}

static void end(void)
{
	audit_close();
	unlink(path);
	unlink(rotated);
	rmdir(dir);
	free(path);
	free(rotated);
}

static char *contents(const char *name)
{
	char *text = NULL;

	ck_assert_int_eq(file_read(AT_FDCWD, name, 65536, &text, NULL, ERR_IGNORED), 0);
	return text;
}

START_TEST(a_line_says_who_did_what_to_what)
{
	const struct http_query query[] = { { "name", "web" }, { "force", "1" } };
	const struct audit_entry entry = { .method = "DELETE", .path = "/containers/web", .query = query, .n_query = 2,
					   .peer = { .pid = 7, .uid = 1000, .gid = 100 }, .comm = "docker", .object = "abc",
					   .status = 204, .duration_ms = 12 };
	AUTO_FREE char *text = NULL;
	struct stat st;

	begin();
	ck_assert_int_eq(audit_open(path, ERR_IGNORED), 0);
	audit_write(&entry);
	text = contents(path);
	ck_assert_ptr_nonnull(strstr(text, "\"msg\":\"audit\",\"uid\":1000,\"gid\":100,\"pid\":7,\"comm\":\"docker\","
					   "\"method\":\"DELETE\",\"path\":\"/containers/web\",\"query\":\"name=web&force=1\","
					   "\"object\":\"abc\",\"status\":204,\"duration_ms\":12}\n"));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	end();
}
END_TEST

START_TEST(secrets_are_not_shown_and_hostile_bytes_are_escaped)
{
	const struct http_query query[] = { { "buildargs", "{\"TOKEN\":\"hush\"}" }, { "fromSrc", "http://u:hush@host/" },
					    { "a\nb", "" }, { "name", "x\n{\"forged\":1}\x1b[2J" } };
	const struct audit_entry entry = { .method = "POST", .path = "/x\n\xff", .query = query, .n_query = 4, .comm = "\x1b]0;" };
	AUTO_FREE char *text = NULL;

	begin();
	ck_assert_int_eq(audit_open(path, ERR_IGNORED), 0);
	audit_write(&entry);
	text = contents(path);
	ck_assert_ptr_null(strstr(text, "hush"));
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
	ck_assert_ptr_null(strchr(text, 0x1b));
	ck_assert_ptr_nonnull(strstr(text, "buildargs=(not shown)&fromSrc=(not shown)&a\\\\x0ab=&name=x\\\\x0a{"));
	ck_assert_ptr_nonnull(strstr(text, "\"path\":\"/x\\\\x0a\\\\xff\""));
	ck_assert_ptr_nonnull(strstr(text, "\"status\":0,\"client\":\"gone\""));
	end();
}
END_TEST

START_TEST(long_queries_are_cut)
{
	AUTO_FREE char *value = xcalloc(1, 70000);
	struct http_query query[100];
	const struct audit_entry entry = { .method = "POST", .path = value, .query = query, .n_query = 100, .comm = "" };
	AUTO_FREE char *text = NULL;

	memset(value, '\n', 69999);
	for (size_t i = 0; i < ARRAY_SIZE(query); i++)
		query[i] = (struct http_query){ i == 0 ? "filters" : value, value };
	begin();
	ck_assert_int_eq(audit_open(path, ERR_IGNORED), 0);
	audit_write(&entry);
	text = contents(path);
	ck_assert_uint_lt(strlen(text), 8000);
	ck_assert_ptr_nonnull(strstr(text, "&...\""));
	end();
}
END_TEST

START_TEST(it_is_reopened_and_a_path_that_cannot_be_opened_changes_nothing)
{
	const struct audit_entry entry = { .method = "POST", .path = "/x", .comm = "" };
	AUTO_FREE char *old = NULL;
	AUTO_FREE char *fresh = NULL;
	struct err e = { 0 };

	begin();
	ck_assert_int_eq(audit_open(path, &e), 0);
	audit_write(&entry);
	ck_assert_int_eq(rename(path, rotated), 0);
	ck_assert_int_eq(audit_open(path, &e), 0);
	audit_write(&entry);
	ck_assert_int_eq(audit_open("/nonexistent/audit", &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "open audit log '/nonexistent/audit'"));
	audit_write(&entry);
	old = contents(rotated);
	fresh = contents(path);
	ck_assert_uint_eq(strlen(fresh), 2 * strlen(old));
	end();
}
END_TEST

UNIT_MAIN("audit", a_line_says_who_did_what_to_what, secrets_are_not_shown_and_hostile_bytes_are_escaped, long_queries_are_cut,
	  it_is_reopened_and_a_path_that_cannot_be_opened_changes_nothing)
