/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stdio of one container or exec: output to the log, the capture buffer and the attached clients; clients'
 * input to the program.
 *
 * Clients may attach before there is any stdio (streams_connect()); they miss nothing then. The log never waits
 * for a client. A client that does not read holds the output back once CLIENT_QUEUE_BYTES wait for it; when
 * stall_ns is set it is dropped after so long without any progress, so that a forgotten client cannot stop a
 * service. Input is held back when the program does not read it. All calls return at once. Not thread-safe.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "runtime/client.h"
#include "runtime/jsonlog.h"

#define STREAMS_CLIENTS_MAX 128
#define STREAMS_POLL_MAX    (STREAMS_CLIENTS_MAX + 3)

struct streams_config {
	bool is_tty;
	bool has_stdin;           /* the program gets input from clients */
	bool closes_stdin;        /* the end of a client's input closes the program's (never with a terminal) */
	size_t capture_bytes;     /* keep the first n bytes of output */
	const char *detach_keys;  /* copied; of clients that bring none; only with a terminal */
	int64_t stall_ns;         /* drop a full client after so long without progress; 0: never */
	int log_fd;               /* takes; -1: no log */
	const struct jsonlog_rotation *log_rotation;   /* copied, takes its dir_fd; NULL: never rotated */
	const char *log_attrs;    /* copied: a JSON object for each line; NULL: none */
};

struct streams;

/**
 * streams_new() - Streams without stdio yet
 * Return: owned; streams_free()
 */
struct streams *streams_new(const struct streams_config *config);

/**
 * streams_free() - Close everything, clients too, and free; NULL is fine
 * Return: nothing
 */
void streams_free(struct streams *s);

/**
 * streams_connect() - The program runs: these are our ends of its stdio
 * @in_fd:  takes; where input goes; -1: nowhere. With a terminal: -1, @out_fd is used for both
 * @out_fd: takes; stdout, or the terminal's master
 * @err_fd: takes; -1 with a terminal
 * Return: nothing
 */
void streams_connect(struct streams *s, int in_fd, int out_fd, int err_fd);

/**
 * streams_attach() - Add a client
 * @fd:     takes, also on failure
 * @flags:  enum attach_flags
 * @keys:   detach keys; "": those of the configuration
 * @prefix: input that had already been read
 * @e:      ERR_CONFLICT there are STREAMS_CLIENTS_MAX already
 * Return: 0, or -1 with @e set
 */
int streams_attach(struct streams *s, int fd, unsigned flags, const char *keys, const void *prefix,
		   size_t n_prefix, struct err *e);

/**
 * streams_poll() - Put what to wait for into a poll set
 * @set:        room for STREAMS_POLL_MAX
 * @ret_due_ns: lowered to when streams_act() must be called even if nothing happens
 * Return: entries filled
 */
size_t streams_poll(struct streams *s, struct pollfd *set, int64_t now_ns, int64_t *ret_due_ns);

/**
 * streams_act() - Move bytes, after poll(2)
 * @set: as streams_poll() filled it
 * Return: how many clients have typed their detach keys in it
 */
unsigned streams_act(struct streams *s, const struct pollfd *set, int64_t now_ns);

/**
 * streams_exited() - The program has ended: a terminal without users is an end now, not a pause
 * Return: nothing
 */
void streams_exited(struct streams *s);

/**
 * streams_is_drained() - All output has been read to its end and is in the log
 * Return: that
 */
bool streams_is_drained(const struct streams *s);

/**
 * streams_is_held() - Output is not read, because a client is full
 * Return: that
 */
bool streams_is_held(const struct streams *s);

/**
 * streams_stop() - Read no further output and take no further input; begun lines go to the log
 * Return: nothing
 */
void streams_stop(struct streams *s);

/**
 * streams_n_clients() - How many are attached
 * Return: that
 */
size_t streams_n_clients(const struct streams *s);

/**
 * streams_finish_clients() - Close the clients that have got everything, and those that have not moved for long
 * @stall_ns: how long is long
 * Return: nothing
 */
void streams_finish_clients(struct streams *s, int64_t now_ns, int64_t stall_ns);

/**
 * streams_has_stdin() - The program still takes input
 * Return: that
 */
bool streams_has_stdin(const struct streams *s);

/**
 * streams_close_clients() - End the clients' connections; what waits for them is dropped
 * Return: nothing
 */
void streams_close_clients(struct streams *s);

/**
 * streams_resize() - Tell the terminal its size; without a terminal nothing happens
 * Return: nothing
 */
void streams_resize(struct streams *s, uint16_t height, uint16_t width);

/**
 * streams_captured() - The first bytes of output
 * Return: borrowed
 */
const struct strbuf *streams_captured(const struct streams *s);

/**
 * streams_log_dir() - Where the log is rotated
 * Return: borrowed; -1: it is not
 */
int streams_log_dir(const struct streams *s);

/**
 * streams_relax() - Nothing has happened for a while: give memory back
 * Return: nothing
 */
void streams_relax(struct streams *s);
