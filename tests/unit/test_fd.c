/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/own.h"
#include "tests/unit/unit.h"

static int open_unit_dir(void)
{
	int fd = open(unit_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static int n_open_fds(void)
{
	AUTO_DIR DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir) != NULL)
		n++;
	return n;
}

START_TEST(replaced_files_read_back_with_their_mode)
{
	AUTO_CLOSE int dir = open_unit_dir();
	AUTO_FREE char *data = NULL;
	struct err e = { 0 };
	struct stat st;
	size_t n = 0;

	umask(077);
	ck_assert_int_eq(file_replace(dir, "a", "one", 3, 0644, &e), 0);
	ck_assert_int_eq(file_replace(dir, "a", "second", 6, 0640, &e), 0);
	ck_assert_int_eq(file_read(dir, "a", 100, &data, &n, &e), 0);
	ck_assert_uint_eq(n, 6);
	ck_assert_str_eq(data, "second");
	ck_assert_int_eq(fstatat(dir, "a", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
}
END_TEST

START_TEST(a_failed_replace_leaves_nothing_beside)
{
	AUTO_CLOSE int dir = open_unit_dir();
	AUTO_CLOSE int again = -1;
	struct err e = { 0 };
	int n = 0;

	ck_assert_int_eq(mkdirat(dir, "a", 0700), 0);
	ck_assert_int_eq(file_replace(dir, "a", "x", 1, 0644, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "rename "));
	ck_assert_int_eq(file_replace(dir, "missing/a", "x", 1, 0644, &e), -1);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);

	again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_DIR DIR *d = fdopendir(TAKE_FD(again));
	while (readdir(d) != NULL)
		n++;
	ck_assert_int_eq(n, 3);
}
END_TEST

START_TEST(what_a_cut_off_replace_left_is_swept)
{
	AUTO_CLOSE int dir = open_unit_dir();
	struct err e = { 0 };

	ck_assert_int_eq(mkdirat(dir, "d", 0700), 0);
	ck_assert_int_eq(file_replace(dir, "d/a", "x", 1, 0600, &e), 0);
	ck_assert_int_eq(file_replace(dir, "d/b.1-0.tmp", "x", 1, 0600, &e), 0);
	file_replace_sweep(dir, "d");
	file_replace_sweep(dir, "missing");
	ck_assert_int_eq(faccessat(dir, "d/a", F_OK, 0), 0);
	ck_assert_int_eq(faccessat(dir, "d/b.1-0.tmp", F_OK, 0), -1);
}
END_TEST

START_TEST(reading_is_bounded)
{
	AUTO_CLOSE int dir = open_unit_dir();
	AUTO_FREE char *data = NULL;
	struct err e = { 0 };
	char text[10001];
	size_t n = 0;

	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(file_replace(dir, "a", text, sizeof(text), 0600, &e), 0);
	ck_assert_int_eq(file_read(dir, "a", 10000, &data, &n, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	ck_assert_str_eq(e.msg, "'a': larger than 10000 bytes");
	ck_assert_ptr_null(data);
	ck_assert_int_eq(file_read(dir, "a", 10001, &data, &n, &e), 0);
	ck_assert_uint_eq(n, 10001);
	ck_assert_uint_eq(data[10001], 0);
}
END_TEST

START_TEST(files_without_a_size_are_read_whole)
{
	AUTO_FREE char *data = NULL;
	struct err e = { 0 };
	size_t n = 0;

	ck_assert_int_eq(file_read(AT_FDCWD, "/proc/self/maps", 1 << 20, &data, &n, &e), 0);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_eq(strlen(data), n);
}
END_TEST

START_TEST(pipes_are_read_to_their_end_across_growth)
{
	AUTO_FREE char *data = NULL;
	struct err e = { 0 };
	char block[30000];
	int p[2];
	size_t n = 0;

	memset(block, 'y', sizeof(block));
	ck_assert_int_eq(fd_pipe(p, 0), 0);
	ck_assert_int_eq(fcntl(p[0], F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fd_write_all(p[1], block, sizeof(block), &e), 0);
	close(p[1]);
	ck_assert_int_eq(fd_read_all(p[0], 30000, &data, &n, &e), 0);
	ck_assert_uint_eq(n, 30000);
	close(p[0]);
}
END_TEST

START_TEST(links_are_not_followed)
{
	AUTO_CLOSE int dir = open_unit_dir();
	AUTO_FREE char *data = NULL;
	struct err e = { 0 };

	ck_assert_int_eq(symlinkat("/etc/passwd", dir, "link"), 0);
	ck_assert_int_eq(file_read(dir, "link", 1 << 20, &data, NULL, &e), -1);
	ck_assert_int_eq(e.sys, ELOOP);
}
END_TEST

START_TEST(write_errors_are_told)
{
	struct err e = { 0 };
	AUTO_CLOSE int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(fd_write_all(full, "x", 1, &e), -1);
	ck_assert_str_eq(e.msg, "write 1 bytes: no space left on device");
	ck_assert_int_eq(e.kind, ERR_SYSTEM);
}
END_TEST

START_TEST(nonblock_is_set_and_cleared)
{
	int p[2];

	ck_assert_int_eq(fd_pipe(p, O_NONBLOCK), 0);
	ck_assert_int_eq(fd_set_nonblock(p[0], false), 0);
	ck_assert_int_eq(fcntl(p[0], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fd_set_nonblock(p[0], true), 0);
	ck_assert_int_eq(fcntl(p[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	ck_assert_int_eq(fd_set_nonblock(-1, true), -1);
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(a_sealed_memfd_cannot_change)
{
	AUTO_FREE char *data = NULL;
	AUTO_CLOSE int fd = -1;
	struct err e = { 0 };

	ck_assert_int_eq(fd_memfd_sealed("plan", "payload", 7, &fd, &e), 0);
	ck_assert_int_eq(write(fd, "x", 1), -1);
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	ck_assert_ptr_eq(mmap(NULL, 7, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	ck_assert_int_eq(fd_read_all(fd, 100, &data, NULL, &e), 0);
	ck_assert_str_eq(data, "payload");
}
END_TEST

static void socket_pair(int type, int s[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, s), 0);
}

START_TEST(messages_carry_descriptors)
{
	char text[16] = "";
	int got[4] = { -1, -1, -1, -1 };
	size_t n_got = 0;
	int s[2], p[2];

	socket_pair(SOCK_SEQPACKET, s);
	ck_assert_int_eq(fd_pipe(p, 0), 0);
	ck_assert_int_eq(fd_send_msg(s[0], "hello", 5, p, 2), 5);
	ck_assert_int_eq(fd_recv_msg(s[1], text, sizeof(text), got, 4, &n_got), 5);
	ck_assert_str_eq(text, "hello");
	ck_assert_uint_eq(n_got, 2);
	ck_assert_int_eq(fcntl(got[0], F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(write(got[1], "z", 1), 1);
	ck_assert_int_eq(read(p[0], text, 1), 1);
	ck_assert_int_eq(text[0], 'z');
	ck_assert_int_eq(fd_send_msg(s[0], "none", 4, NULL, 0), 4);
	ck_assert_int_eq(fd_recv_msg(s[1], text, sizeof(text), got, 4, &n_got), 4);
	ck_assert_uint_eq(n_got, 0);
}
END_TEST

START_TEST(descriptors_that_do_not_fit_are_closed)
{
	char text[16];
	int many[FD_MSG_MAX];
	int got[2];
	size_t n_got = 77;
	int before;
	int s[2];

	socket_pair(SOCK_SEQPACKET, s);
	for (int i = 0; i < FD_MSG_MAX; i++)
		many[i] = s[0];
	before = n_open_fds();
	ck_assert_int_eq(fd_send_msg(s[0], "x", 1, many, FD_MSG_MAX), 1);
	ck_assert_int_eq(fd_recv_msg(s[1], text, sizeof(text), got, 2, &n_got), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_uint_eq(n_got, 77);
	ck_assert_int_eq(n_open_fds(), before);
	ck_assert_int_eq(fd_send_msg(s[0], "x", 1, many, FD_MSG_MAX + 1), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(more_descriptors_than_any_message_of_ours_are_closed)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 200)];
	} control = { 0 };
	struct iovec iov = { .iov_base = (char[]){ "x" }, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int got[FD_MSG_MAX];
	char text[4];
	size_t n_got;
	int before;
	int s[2];

	socket_pair(SOCK_SEQPACKET, s);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * 200);
	for (int i = 0; i < 200; i++)
		((int *)CMSG_DATA(c))[i] = s[0];
	before = n_open_fds();
	ck_assert_int_eq(sendmsg(s[0], &msg, 0), 1);
	ck_assert_int_eq(fd_recv_msg(s[1], text, sizeof(text), got, FD_MSG_MAX, &n_got), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_int_eq(n_open_fds(), before);
}
END_TEST

START_TEST(truncated_data_closes_its_descriptors)
{
	char text[4];
	int got[4];
	size_t n_got;
	int before;
	int s[2];

	socket_pair(SOCK_SEQPACKET, s);
	before = n_open_fds();
	ck_assert_int_eq(fd_send_msg(s[0], "too long", 8, s, 1), 8);
	ck_assert_int_eq(fd_recv_msg(s[1], text, sizeof(text), got, 4, &n_got), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_int_eq(n_open_fds(), before);
}
END_TEST

START_TEST(a_gone_peer_is_an_end_and_no_signal)
{
	char text[4];
	size_t n_got;
	int s[2];

	socket_pair(SOCK_SEQPACKET, s);
	close(s[1]);
	ck_assert_int_eq(fd_send_msg(s[0], "x", 1, NULL, 0), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_int_eq(fd_recv_msg(s[0], text, sizeof(text), NULL, 0, &n_got), 0);
}
END_TEST

START_TEST(last_words_of_a_peer_that_reset_us_are_received)
{
	int pair[2];
	char got[8];
	size_t n_fds;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(fd_send_msg(pair[0], "unread", 6, NULL, 0), 6);
	ck_assert_int_eq(fd_send_msg(pair[1], "last", 4, NULL, 0), 4);
	close(pair[1]);
	ck_assert_int_eq(fd_recv_msg(pair[0], got, sizeof got, NULL, 0, &n_fds), 4);
	ck_assert_mem_eq(got, "last", 4);
	ck_assert_int_eq(fd_recv_msg(pair[0], got, sizeof got, NULL, 0, &n_fds), 0);
	close(pair[0]);
}
END_TEST

START_TEST(sockets_listen_and_connect_whatever_the_length_of_the_path)
{
	AUTO_CLOSE int dir = open_unit_dir();
	AUTO_CLOSE int listener = -1;
	AUTO_CLOSE int client = -1;
	AUTO_CLOSE int deep = -1;
	struct err e = { 0 };
	struct stat st;
	char name[101];

	memset(name, 'd', 100);
	name[100] = '\0';
	ck_assert_int_eq(mkdirat(dir, name, 0700), 0);
	deep = openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(mkdirat(deep, name, 0700), 0);

	AUTO_FREE char *path = xasprintf("%s/%s/kiln.sock", name, name);
	ck_assert_int_eq(fd_listen_unix(dir, path, SOCK_STREAM, 0660, &listener, &e), 0);
	ck_assert_int_eq(fstatat(dir, path, &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	ck_assert_int_eq(fd_connect_unix(dir, path, SOCK_STREAM, &client, &e), 0);
	ck_assert_int_eq(fcntl(client, F_GETFD), FD_CLOEXEC);
}
END_TEST

START_TEST(a_dead_socket_is_replaced_a_live_one_is_not)
{
	AUTO_CLOSE int dir = open_unit_dir();
	int first = -1;
	int second = -1;
	struct err e = { 0 };

	ck_assert_int_eq(fd_listen_unix(dir, "s", SOCK_SEQPACKET, 0600, &first, &e), 0);
	ck_assert_int_eq(fd_listen_unix(dir, "s", SOCK_SEQPACKET, 0600, &second, &e), -1);
	ck_assert_int_eq(e.kind, ERR_CONFLICT);
	ck_assert_str_eq(e.msg, "listen on 's': socket 's' is in use");
	close(first);
	ck_assert_int_eq(fd_connect_unix(dir, "s", SOCK_SEQPACKET, &second, &e), -1);
	ck_assert_int_eq(e.sys, ECONNREFUSED);
	ck_assert_int_eq(fd_listen_unix(dir, "s", SOCK_SEQPACKET, 0600, &second, &e), 0);
	close(second);
}
END_TEST

START_TEST(listening_does_not_remove_what_is_no_socket)
{
	AUTO_CLOSE int dir = open_unit_dir();
	int fd = -1;
	struct err e = { 0 };

	ck_assert_int_eq(file_replace(dir, "s", "precious", 8, 0600, &e), 0);
	ck_assert_int_eq(fd_listen_unix(dir, "s", SOCK_STREAM, 0600, &fd, &e), -1);
	ck_assert_int_eq(e.kind, ERR_CONFLICT);
	ck_assert_int_eq(faccessat(dir, "s", F_OK, 0), 0);
	ck_assert_int_eq(fd_connect_unix(dir, "absent", SOCK_STREAM, &fd, &e), -1);
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
}
END_TEST

UNIT_MAIN("fd", replaced_files_read_back_with_their_mode, a_failed_replace_leaves_nothing_beside,
	  what_a_cut_off_replace_left_is_swept, reading_is_bounded, files_without_a_size_are_read_whole,
	  pipes_are_read_to_their_end_across_growth, links_are_not_followed, write_errors_are_told,
	  nonblock_is_set_and_cleared, a_sealed_memfd_cannot_change, messages_carry_descriptors,
	  descriptors_that_do_not_fit_are_closed,
	  more_descriptors_than_any_message_of_ours_are_closed,
	  truncated_data_closes_its_descriptors, a_gone_peer_is_an_end_and_no_signal,
	  last_words_of_a_peer_that_reset_us_are_received,
	  sockets_listen_and_connect_whatever_the_length_of_the_path,
	  a_dead_socket_is_replaced_a_live_one_is_not, listening_does_not_remove_what_is_no_socket)
