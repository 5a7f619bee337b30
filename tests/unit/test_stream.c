/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static int out_fd, err_fd, real_err;

/* Standard output and error are files of ours from here on */
static void take_over(void)
{
	char out[] = "/tmp/test_stream.XXXXXX", err[] = "/tmp/test_stream.XXXXXX";

	real_err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	out_fd = mkostemp(out, O_CLOEXEC);
	err_fd = mkostemp(err, O_CLOEXEC);
	ck_assert(out_fd >= 0 && err_fd >= 0 && real_err >= 0);
	unlink(out);
	unlink(err);
	ck_assert_int_eq(dup2(out_fd, STDOUT_FILENO), STDOUT_FILENO);
	ck_assert_int_eq(dup2(err_fd, STDERR_FILENO), STDERR_FILENO);
}

static const char *written(int fd)
{
	static char text[2][4096];
	char *to = text[fd == err_fd];
	ssize_t n = pread(fd, to, sizeof(text[0]) - 1, 0);

	to[n > 0 ? n : 0] = 0;
	return to;
}

static const char frames[] = "\1\0\0\0\0\0\0\3one" "\2\0\0\0\0\0\0\4two\n" "\1\0\0\0\0\0\0\0" "\1\0\0\0\0\0\0\2\nx";

START_TEST(frames_go_where_they_belong_however_they_are_cut)
{
	for (size_t piece = 1; piece < sizeof(frames); piece++) {
		struct stream s = {0};

		take_over();
		for (size_t i = 0; i < sizeof(frames) - 1; i += piece)
			ck_assert_int_eq(stream_feed(&s, frames + i, i + piece < sizeof(frames) ? piece : sizeof(frames) - 1 - i), 0);
		ck_assert_str_eq(written(out_fd), "one\nx");
		ck_assert_str_eq(written(err_fd), "two\n");
		ck_assert_int_eq(stream_ended(&s), 0);
		close(out_fd);
		close(err_fd);
		close(real_err);
	}
}
END_TEST

START_TEST(a_terminal_has_no_frames)
{
	struct stream s = { .is_raw = true };

	take_over();
	ck_assert_int_eq(stream_feed(&s, "\3\1anything", 10), 0);
	ck_assert_str_eq(written(out_fd), "\3\1anything");
}
END_TEST

START_TEST(what_is_no_frame_is_told)
{
	static const char *const wrong[] = { "\4\0\0\0\0\0\0\1x", "\1\1\0\0\0\0\0\1x", "\1\0\0\1\0\0\0\1x", "HTTP/1.1" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct stream s = {0};

		take_over();
		ck_assert_int_eq(stream_feed(&s, wrong[i], 8), -1);
		ck_assert_int_eq(stream_ended(&s), 1);
		ck_assert_ptr_nonnull(strstr(written(err_fd), "stream is broken"));
		ck_assert_str_eq(written(out_fd), "");
	}
}
END_TEST

START_TEST(a_frame_that_is_cut_off_is_told)
{
	struct stream s = {0};

	take_over();
	ck_assert_int_eq(stream_feed(&s, "\1\0\0\0\0\0\0\3on", 10), 0);
	ck_assert_int_eq(stream_ended(&s), 1);
	ck_assert_ptr_nonnull(strstr(written(err_fd), "cut off"));
	ck_assert_str_eq(written(out_fd), "on");
}
END_TEST

START_TEST(an_output_that_cannot_be_written_ends_it)
{
	struct stream s = {0};
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	take_over();
	ck_assert_int_eq(dup2(full, STDOUT_FILENO), STDOUT_FILENO);
	ck_assert_int_eq(stream_feed(&s, "\1\0\0\0\0\0\0\3one", 11), -1);
	ck_assert_int_eq(s.write_errno, ENOSPC);
	ck_assert_int_eq(stream_ended(&s), 1);
	ck_assert_ptr_nonnull(strstr(written(err_fd), "No space left"));
}
END_TEST

UNIT_MAIN("stream", frames_go_where_they_belong_however_they_are_cut, a_terminal_has_no_frames, what_is_no_frame_is_told,
	  a_frame_that_is_cut_off_is_told, an_output_that_cannot_be_written_ends_it)
