/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/own.h"
#include "tests/unit/unit.h"

struct fixture {
	struct loop *loop;
	struct wire *wire;
	int peer;
	size_t n_messages, n_ends, n_fds;
	uint16_t last_type;
	bool frees_in_callback;
};

static void on_message(void *ctx, const struct msg_head *head, int *fds, size_t n_fds)
{
	struct fixture *f = ctx;

	(void)fds;
	f->n_messages++;
	f->n_fds += n_fds;
	f->last_type = head->type;
	if (f->frees_in_callback)
		wire_free(TAKE_PTR(f->wire));
	loop_stop(f->loop);
}

static void on_end(void *ctx)
{
	struct fixture *f = ctx;

	f->n_ends++;
	loop_stop(f->loop);
}

static void begin(struct fixture *f)
{
	struct err e = { 0 };
	int pair[2];

	*f = (struct fixture){ .peer = -1 };
	ck_assert_int_eq(loop_new(&f->loop, &e), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	f->wire = wire_new(f->loop, "test", pair[0], on_message, on_end, f);
	f->peer = pair[1];
}

static void end(struct fixture *f)
{
	wire_free(f->wire);
	close_fd(&f->peer);
	loop_free(f->loop);
}

static void peer_says(struct fixture *f, enum msg_type type, const int *fds, size_t n_fds)
{
	struct msg_head head;

	wire_head(&head, type, sizeof head);
	ck_assert_int_eq(fd_send_msg(f->peer, &head, sizeof head, fds, n_fds), sizeof head);
}

START_TEST(messages_arrive)
{
	struct fixture f;

	begin(&f);
	peer_says(&f, MSG_DETACHED, NULL, 0);
	loop_run(f.loop);
	ck_assert_uint_eq(f.n_messages, 1);
	ck_assert_uint_eq(f.last_type, MSG_DETACHED);
	end(&f);
}
END_TEST

START_TEST(descriptors_that_nobody_takes_are_closed)
{
	struct fixture f;
	int pipe_fds[2];
	char byte;

	begin(&f);
	ck_assert_int_eq(fd_pipe(pipe_fds, O_NONBLOCK), 0);
	peer_says(&f, MSG_DETACHED, &pipe_fds[1], 1);
	close_fd(&pipe_fds[1]);
	loop_run(f.loop);
	ck_assert_uint_eq(f.n_fds, 1);
	ck_assert_int_eq(read(pipe_fds[0], &byte, 1), 0); /* the end: no writer is left */
	close_fd(&pipe_fds[0]);
	end(&f);
}
END_TEST

START_TEST(a_malformed_message_ends_it)
{
	struct fixture f;

	begin(&f);
	ck_assert_int_eq(send(f.peer, "garbage", 7, 0), 7);
	peer_says(&f, MSG_DETACHED, NULL, 0);
	loop_run(f.loop);
	ck_assert_uint_eq(f.n_messages, 0);
	ck_assert_uint_eq(f.n_ends, 1);
	end(&f);
}
END_TEST

START_TEST(a_message_of_another_version_ends_it)
{
	struct fixture f;
	struct msg_head head;

	begin(&f);
	wire_head(&head, MSG_DETACHED, sizeof head);
	head.version = PROTO_VERSION + 1;
	ck_assert_int_eq(send(f.peer, &head, sizeof head, 0), sizeof head);
	loop_run(f.loop);
	ck_assert_uint_eq(f.n_ends, 1);
	end(&f);
}
END_TEST

START_TEST(what_was_said_before_the_end_is_heard)
{
	struct fixture f;

	begin(&f);
	peer_says(&f, MSG_DETACHED, NULL, 0);
	close_fd(&f.peer);
	wire_send(f.wire, &(struct msg_head){ 0 }, sizeof(struct msg_head), NULL, 0); /* EPIPE */
	while (f.n_ends == 0)
		loop_run(f.loop);
	ck_assert_uint_eq(f.n_messages, 1);
	end(&f);
}
END_TEST

START_TEST(it_may_be_freed_in_its_callback)
{
	struct fixture f;

	begin(&f);
	f.frees_in_callback = true;
	peer_says(&f, MSG_DETACHED, NULL, 0);
	peer_says(&f, MSG_DETACHED, NULL, 0);
	loop_run(f.loop);
	ck_assert_uint_eq(f.n_messages, 1);
	ck_assert_ptr_null(f.wire);
	end(&f);
}
END_TEST

/* Reads what there is, between turns of the loop. */
static void drain(void *ctx)
{
	struct fixture *f = ctx;
	struct msg_head head;

	while (recv(f->peer, &head, sizeof head, MSG_DONTWAIT) == sizeof head)
		f->n_messages++;
	if (f->n_messages == 5000)
		loop_stop(f->loop);
}

START_TEST(a_full_socket_queues_and_keeps_the_order)
{
	struct fixture f;
	struct loop_timer *timer;
	struct msg_head head;

	begin(&f);
	for (int i = 0; i < 5000; i++) {
		wire_head(&head, MSG_RELEASE, sizeof head);
		wire_send(f.wire, &head, sizeof head, NULL, 0);
	}
	timer = loop_timer_new(f.loop, "drain", drain, &f);
	loop_timer_start(timer, 1, 1);
	loop_run(f.loop);
	ck_assert_uint_eq(f.n_messages, 5000);
	ck_assert_uint_eq(f.n_ends, 0);
	loop_timer_free(timer);
	end(&f);
}
END_TEST

UNIT_MAIN("wire", messages_arrive, descriptors_that_nobody_takes_are_closed,
	  a_malformed_message_ends_it, a_message_of_another_version_ends_it,
	  what_was_said_before_the_end_is_heard, it_may_be_freed_in_its_callback,
	  a_full_socket_queues_and_keeps_the_order)
