/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A foreground session: standard input, output and error joined with an attached container. Blocking, one thread.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/detach_keys.h"
#include "cli/stream.h"

struct session {
	const char *host;        /* borrows */
	const char *path;        /* borrows; "/containers/ID" or "/exec/ID": what is resized and signalled */
	int fd;                  /* borrows; the hijacked connection */
	int signal_fd;           /* borrows; of tty_signals(), or -1: they are passed on (the size, or the signal itself) */
	bool is_tty;             /* raw stream, resize on SIGWINCH */
	bool wants_stdin;        /* else the connection's input is closed at once */
	struct detach_keys keys; /* of a terminal: typed, they end the session; the daemon sees them too */
	struct stream out;       /* what came of the output; stream_ended() tells */
	bool is_detached;        /* result: the keys were typed */
};

/**
 * session_pump() - Move bytes until the daemon ends the stream
 * @prefix: borrows; what came behind the header
 * @e:      ERR_SYSTEM the output cannot be written, the connection broke
 *
 * The end of standard input is a half-close; the output goes on.
 * Return: 0, or -1 with @e set
 */
int session_pump(struct session *s, const struct strbuf *prefix, struct err *e);

/* Tell the daemon the size of our terminal, if it has one */
void session_resize(const struct session *s);
