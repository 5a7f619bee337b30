/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/messages.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static struct messages m;

/* What is shown of an answer that comes in pieces; the result of the last call in @ret */
static const char *shown(const char *answer, size_t piece, int *ret)
{
	static char text[4096];
	char name[] = "/tmp/test_messages.XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC), was = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	size_t len = strlen(answer);
	ssize_t n;

	ck_assert(fd >= 0 && was >= 0);
	unlink(name);
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	m = (struct messages){0};
	*ret = 0;
	for (size_t i = 0; i < len && *ret == 0; i += piece)
		*ret = messages_feed(&m, answer + i, len - i < piece ? len - i : piece);
	if (*ret == 0)
		*ret = messages_end(&m);
	fflush(stdout);
	dup2(was, STDOUT_FILENO);
	n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = 0;
	close(fd);
	close(was);
	messages_done(&m);
	return text;
}

START_TEST(lines_are_shown_however_they_are_cut)
{
	static const char answer[] = "{\"stream\":\"Loaded image: a:1\\n\"}\r\n\n{\"status\":\"sha256:x\"}\n{\"progressDetail\":{\"current\":5,\"total\":9},\"status\":\"x\"}\n"
				     "{\"stream\":\"last\\n\"}";
	int status;

	for (size_t piece = 1; piece < 40; piece++) {
		ck_assert_str_eq(shown(answer, piece, &status), "Loaded image: a:1\nsha256:x\nlast\n");
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

START_TEST(an_error_ends_it)
{
	int status;

	ck_assert_str_eq(shown("{\"stream\":\"one\\n\"}\n{\"error\":\"no space\"}\n{\"stream\":\"two\\n\"}\n", 7, &status), "one\n");
	ck_assert_int_eq(status, -1);
	ck_assert_str_eq(m.e.msg, "no space");
	shown("{\"error\":\"at the end\"}", 100, &status);
	ck_assert_int_eq(status, -1);
}
END_TEST

START_TEST(what_is_no_message_is_told)
{
	AUTO_STRBUF struct strbuf longer = {0};
	int status;

	shown("{\"stream\":5}\n", 100, &status);
	ck_assert_int_eq(status, -1);
	ck_assert_ptr_nonnull(strstr(m.e.msg, "the daemon's answer"));
	shown("{", 1, &status);
	ck_assert_int_eq(status, -1);
	for (int i = 0; i < 200000; i++)
		strbuf_adds(&longer, "0123456789");
	shown(longer.data, 65536, &status);
	ck_assert_int_eq(status, -1);
	ck_assert_ptr_nonnull(strstr(m.e.msg, "a line that does not end"));
}
END_TEST

UNIT_MAIN("messages", lines_are_shown_however_they_are_cut, an_error_ends_it, what_is_no_message_is_told)
