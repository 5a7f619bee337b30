/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The owner of the loop asks for a poll set, polls, and lets us act. A descriptor is in the set only while we
 * want something from it: a hang-up is reported whether one asks or not, so what is held back (output while a
 * client is full, input while the program does not read) must be left out, or the loop would spin.
 *
 * A terminal's master says EIO while nobody has the slave open. Before the program's end that is a pause (it may
 * open /dev/tty again), looked at again after TTY_PAUSE_NS; afterwards it is the end of the output.
 */
#include "runtime/streams.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defence.h"
#include "base/fd.h"
#include "base/own.h"
#include "runtime/proto.h"

#define READ_BYTES        32768   /* of output at a time: one frame */
#define INPUT_QUEUE_BYTES 65536
#define TTY_PAUSE_NS      (200 * 1000000LL)

/* One of the program's outputs. */
struct output {
	int fd;              /* owned; -1: ended, or not there */
	int poll_index;      /* -1: not in the set */
	int64_t pause_ns;    /* not before this time; 0: no pause */
};

struct streams {
	struct streams_config config;
	char detach_keys[DETACH_KEYS_MAX + 1];
	struct jsonlog log;
	struct strbuf captured;
	struct output outputs[2];         /* stdout or the terminal, stderr */
	int in_fd;                        /* owned; -1: not yet, or no more. With a terminal: borrows outputs[0].fd */
	int in_poll_index;
	bool is_in_closing;               /* close in_fd when the queue is empty */
	bool has_exited;
	struct bytequeue in;
	struct client *clients;
	size_t n_clients;
	char *scratch;                    /* READ_BYTES + DETACH_KEYS_MAX, pages of its own */
};

#define SCRATCH_BYTES (2 * READ_BYTES + 4096)   /* input as read; behind it, input as filtered */

struct streams *streams_new(const struct streams_config *config)
{
	struct streams *s = xcalloc(1, sizeof *s);

	s->config = *config;
	snprintf(s->detach_keys, sizeof s->detach_keys, "%s",
		 config->detach_keys ? config->detach_keys : "");
	s->config.detach_keys = s->detach_keys;
	jsonlog_init(&s->log, config->log_fd);
	if (config->log_rotation)
		jsonlog_set_rotation(&s->log, config->log_rotation);
	if (config->log_attrs)
		jsonlog_set_attrs(&s->log, config->log_attrs);
	for (int i = 0; i < 2; i++)
		s->outputs[i] = (struct output){ .fd = -1, .poll_index = -1 };
	s->in_fd = -1;
	s->in_poll_index = -1;
	s->scratch = mmap(NULL, SCRATCH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	BUG(s->scratch == MAP_FAILED, "out of memory");
	return s;
}

void streams_free(struct streams *s)
{
	if (!s)
		return;
	streams_stop(s);
	streams_close_clients(s);
	jsonlog_done(&s->log);
	strbuf_done(&s->captured);
	munmap(s->scratch, SCRATCH_BYTES);
	free(s);
}

/* --- input ----------------------------------------------------------------------------------------- */

static void close_input(struct streams *s)
{
	if (!s->config.is_tty)
		close_fd(&s->in_fd);
	s->in_fd = -1;
	s->config.has_stdin = false;
	bytequeue_done(&s->in);
}

static void push_input(struct streams *s)
{
	if (s->in_fd < 0)
		return;
	/* The program has closed its stdin: what clients send from now on is thrown away. */
	if (bytequeue_write(&s->in, s->in_fd) < 0)
		close_input(s);
	else if (s->is_in_closing && bytequeue_len(&s->in) == 0)
		close_input(s);
}

static void client_input_ended(struct streams *s, struct client *c)
{
	c->is_input_open = false;
	if (s->config.closes_stdin && !s->config.is_tty) {
		s->is_in_closing = true;
		push_input(s);
	}
}

/* Return: true when the client typed its detach keys */
static bool take_input(struct streams *s, struct client *c, const char *data, size_t n)
{
	char *filtered = s->scratch + READ_BYTES;
	bool is_detached = false;

	if (!s->config.has_stdin || s->is_in_closing)
		return false;
	if (!s->config.is_tty) {
		bytequeue_add(&s->in, data, n);
	} else {
		is_detached = detach_filter(&c->detach, data, n, filtered, &n);
		bytequeue_add(&s->in, filtered, n);
	}
	push_input(s);
	return is_detached;
}

static bool has_input_room(const struct streams *s)
{
	return bytequeue_len(&s->in) < INPUT_QUEUE_BYTES;
}

/* Return: true when the client typed its detach keys */
static bool read_client(struct streams *s, struct client *c)
{
	ssize_t n = read(c->fd, s->scratch, READ_BYTES);

	if (n > 0)
		return take_input(s, c, s->scratch, (size_t)n);
	if (n == 0) {
		client_input_ended(s, c);
	} else if (errno != EAGAIN && errno != EINTR) {
		client_input_ended(s, c);
		client_close(c);
	}
	return false;
}

/* --- output ---------------------------------------------------------------------------------------- */

static void capture(struct streams *s, const char *data, size_t n)
{
	size_t room = s->config.capture_bytes - s->captured.len;

	if (room > 0)
		strbuf_add(&s->captured, data, n < room ? n : room);
}

static void end_output(struct streams *s, size_t i)
{
	if (s->outputs[i].fd < 0)
		return;
	if (s->config.is_tty)
		close_input(s);
	close_fd(&s->outputs[i].fd);
	jsonlog_end(&s->log, i == 0 ? JSONLOG_STDOUT : JSONLOG_STDERR, clock_wall_ns());
}

static void read_output(struct streams *s, size_t i, int64_t now_ns)
{
	struct output *o = &s->outputs[i];
	ssize_t n = read(o->fd, s->scratch, READ_BYTES);

	if (n > 0) {
		jsonlog_feed(&s->log, i == 0 ? JSONLOG_STDOUT : JSONLOG_STDERR, s->scratch, (size_t)n,
			     clock_wall_ns());
		capture(s, s->scratch, (size_t)n);
		for (struct client *c = s->clients; c; c = c->next)
			client_send(c, i == 0 ? CLIENT_STDOUT : CLIENT_STDERR, s->scratch, (size_t)n, now_ns);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 && errno == EIO && s->config.is_tty && !s->has_exited)
		o->pause_ns = now_ns + TTY_PAUSE_NS;
	else
		end_output(s, i);
}

/*
 * A full client holds up the program, not what it has said: the rest of an ended container's output, at most what its
 * pipes hold, goes to the log at once. (An exec has no log, and its children may still write.)
 */
bool streams_is_held(const struct streams *s)
{
	if (s->has_exited && s->config.log_fd >= 0)
		return false;
	for (const struct client *c = s->clients; c; c = c->next) {
		if (DEFENCE(OUTPUT_HELD, client_is_full(c), false))
			return true;
	}
	return false;
}

/* --- clients --------------------------------------------------------------------------------------- */

int streams_attach(struct streams *s, int fd, unsigned flags, const char *keys, const void *prefix,
		   size_t n_prefix, struct err *e)
{
	struct client *c;

	if (DEFENCE(ATTACHES_BOUNDED, s->n_clients >= STREAMS_CLIENTS_MAX, false)) {
		close(fd);
		return err_set(e, ERR_CONFLICT, "attach: %d clients are attached already", STREAMS_CLIENTS_MAX);
	}
	if (s->config.is_tty)
		flags &= ~(unsigned)ATTACH_MUX;
	c = client_new(fd, flags, *keys ? keys : s->detach_keys);
	c->next = s->clients;
	s->clients = c;
	s->n_clients++;
	if (flags & ATTACH_STDIN)
		take_input(s, c, prefix, n_prefix);
	return 0;
}

static void free_gone_clients(struct streams *s)
{
	struct client **at = &s->clients;

	while (*at) {
		struct client *c = *at;

		if (c->fd >= 0) {
			at = &c->next;
			continue;
		}
		if (c->is_input_open)
			client_input_ended(s, c);
		*at = c->next;
		s->n_clients--;
		client_free(c);
	}
}

/* Return: true when the client typed its detach keys */
static bool act_on_client(struct streams *s, struct client *c, short revents, int64_t now_ns)
{
	bool is_detached = false;

	if (revents & POLLOUT)
		client_flush(c, now_ns);
	if (c->fd >= 0 && c->is_input_open && (revents & (POLLIN | POLLHUP | POLLERR)) && has_input_room(s))
		is_detached = read_client(s, c);
	else if (c->fd >= 0 && !c->is_input_open && (revents & (POLLHUP | POLLERR)))
		client_close(c);
	if (is_detached)
		client_close(c);
	return is_detached;
}

static void drop_if_stalled(struct streams *s, struct client *c, int64_t now_ns)
{
	if (s->config.stall_ns > 0 && client_is_full(c) && now_ns - c->moved_ns >= s->config.stall_ns)
		client_close(c);
}

/* --- the loop's side ------------------------------------------------------------------------------- */

static int put(struct pollfd *set, size_t *n, int fd, short events)
{
	set[*n] = (struct pollfd){ .fd = fd, .events = events };
	return (int)(*n)++;
}

static void poll_clients(struct streams *s, struct pollfd *set, size_t *n, int64_t *ret_due_ns)
{
	for (struct client *c = s->clients; c; c = c->next) {
		short events = 0;

		c->poll_index = -1;
		if (c->is_input_open && has_input_room(s))
			events |= POLLIN;
		if (bytequeue_len(&c->out) > 0)
			events |= POLLOUT;
		/* Its hang-up could not be acted on before its input has been read: wait for room instead. */
		if (c->is_input_open && !has_input_room(s) && !(events & POLLOUT))
			continue;
		c->poll_index = put(set, n, c->fd, events);
		if (s->config.stall_ns > 0 && client_is_full(c) && c->moved_ns + s->config.stall_ns < *ret_due_ns)
			*ret_due_ns = c->moved_ns + s->config.stall_ns;
	}
}

static void poll_outputs(struct streams *s, struct pollfd *set, size_t *n, int64_t now_ns, int64_t *ret_due_ns)
{
	bool is_held = streams_is_held(s);

	for (int i = 0; i < 2; i++) {
		struct output *o = &s->outputs[i];

		o->poll_index = -1;
		if (o->fd < 0 || is_held)
			continue;
		if (o->pause_ns > now_ns && !s->has_exited) {
			if (o->pause_ns < *ret_due_ns)
				*ret_due_ns = o->pause_ns;
			continue;
		}
		o->poll_index = put(set, n, o->fd, POLLIN);
	}
}

size_t streams_poll(struct streams *s, struct pollfd *set, int64_t now_ns, int64_t *ret_due_ns)
{
	size_t n = 0;

	poll_clients(s, set, &n, ret_due_ns);
	poll_outputs(s, set, &n, now_ns, ret_due_ns);
	s->in_poll_index = -1;
	if (s->in_fd >= 0 && bytequeue_len(&s->in) > 0)
		s->in_poll_index = put(set, &n, s->in_fd, POLLOUT);
	return n;
}

unsigned streams_act(struct streams *s, const struct pollfd *set, int64_t now_ns)
{
	unsigned n_detached = 0;

	for (size_t i = 0; i < 2; i++) {
		struct output *o = &s->outputs[i];

		if (o->fd >= 0 && o->poll_index >= 0 && set[o->poll_index].revents)
			read_output(s, i, now_ns);
	}
	if (s->in_poll_index >= 0 && s->in_fd >= 0 && set[s->in_poll_index].revents) {
		/* A terminal that nobody has open takes nothing and says so for ever. */
		if (s->config.is_tty && (set[s->in_poll_index].revents & POLLHUP))
			bytequeue_done(&s->in);
		push_input(s);
	}
	for (struct client *c = s->clients; c; c = c->next) {
		if (c->fd >= 0 && c->poll_index >= 0 && set[c->poll_index].revents)
			n_detached += act_on_client(s, c, set[c->poll_index].revents, now_ns);
		drop_if_stalled(s, c, now_ns);
	}
	free_gone_clients(s);
	return n_detached;
}

/* --- life ------------------------------------------------------------------------------------------ */

void streams_connect(struct streams *s, int in_fd, int out_fd, int err_fd)
{
	s->outputs[0].fd = out_fd;
	s->outputs[1].fd = err_fd;
	s->in_fd = s->config.is_tty && s->config.has_stdin ? out_fd : in_fd;
	for (int i = 0; i < 2; i++) {
		if (s->outputs[i].fd >= 0)
			fd_set_nonblock(s->outputs[i].fd, true);
	}
	if (s->in_fd < 0) {
		close_input(s);
		return;
	}
	fd_set_nonblock(s->in_fd, true);
	push_input(s);
}

void streams_exited(struct streams *s)
{
	s->has_exited = true;
	close_input(s);
}

bool streams_is_drained(const struct streams *s)
{
	return s->outputs[0].fd < 0 && s->outputs[1].fd < 0;
}

void streams_stop(struct streams *s)
{
	close_input(s);
	for (size_t i = 0; i < 2; i++)
		end_output(s, i);
}

bool streams_has_stdin(const struct streams *s)
{
	return s->config.has_stdin;
}

size_t streams_n_clients(const struct streams *s)
{
	return s->n_clients;
}

void streams_finish_clients(struct streams *s, int64_t now_ns, int64_t stall_ns)
{
	for (struct client *c = s->clients; c; c = c->next) {
		if (bytequeue_len(&c->out) == 0 || now_ns - c->moved_ns >= stall_ns)
			client_close(c);
	}
	free_gone_clients(s);
}

void streams_close_clients(struct streams *s)
{
	for (struct client *c = s->clients; c; c = c->next)
		client_close(c);
	free_gone_clients(s);
}

void streams_resize(struct streams *s, uint16_t height, uint16_t width)
{
	struct winsize size = { .ws_row = height, .ws_col = width };

	if (s->config.is_tty && s->outputs[0].fd >= 0)
		ioctl(s->outputs[0].fd, TIOCSWINSZ, &size);
}

const struct strbuf *streams_captured(const struct streams *s)
{
	return &s->captured;
}

int streams_log_dir(const struct streams *s)
{
	return s->log.rotation.dir_fd;
}

void streams_relax(struct streams *s)
{
	madvise(s->scratch, SCRATCH_BYTES, MADV_DONTNEED);
	jsonlog_relax(&s->log);
}
