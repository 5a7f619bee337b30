/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File descriptors: whole reads and writes, atomic files, messages with descriptors. Every descriptor is
 * CLOEXEC from birth. Functions without `struct err` return -1 with errno set.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/**
 * fd_write_all() - Write all n bytes, across short writes and EINTR (blocking fds)
 * Return: 0, or -1 with @e set
 */
int fd_write_all(int fd, const void *data, size_t n, struct err *e);

/**
 * fd_read_all() - Read to the end of the file, at most @max_bytes
 * @ret_data: returns owned, NUL-terminated behind the data
 * @ret_n:    may be NULL
 * @e:        ERR_INVALID when there is more than @max_bytes
 * Return: 0, or -1 with @e set
 */
int fd_read_all(int fd, size_t max_bytes, char **ret_data, size_t *ret_n, struct err *e);

/**
 * file_read() - Open (dirfd or AT_FDCWD, name) without following a link, and fd_read_all()
 * @e: ERR_NOT_FOUND the file is absent; ERR_INVALID it is larger than @max_bytes
 *
 * Return: 0, or -1 with @e set
 */
int file_read(int dirfd, const char *name, size_t max_bytes, char **ret_data, size_t *ret_n,
	      struct err *e);

/**
 * file_replace() - Write beside and rename into place: a reader sees the old or the new file
 * @mode: exact, whatever the umask
 *
 * No fsync. Cut off, it leaves a "<name>.<pid>-<n>.tmp" behind, which the owner of the directory removes
 * (file_replace_sweep()).
 *
 * Return: 0, or -1 with @e set and nothing beside
 */
int file_replace(int dirfd, const char *name, const void *data, size_t n, mode_t mode,
		 struct err *e);

/**
 * file_replace_sweep() - Remove all that file_replace() has left in a directory where it was cut off
 * @dir: in @dirfd; one that is not there has nothing
 *
 * One that is being written meanwhile is lost: its writer is told so by an error.
 * Return: nothing; what cannot be removed stays
 */
void file_replace_sweep(int dirfd, const char *dir);

/* Descriptors that are kept for stopping and removing: what may be asked for without bound is refused when it would take them. */
#define FD_SPARE 48

/**
 * fd_leaves_spare() - Are there FD_SPARE descriptors left below the limit?
 * @fd: was just opened, and so is the lowest that was free
 * Return: true or false
 */
bool fd_leaves_spare(int fd);

/**
 * fd_check_spare() - The same before anything is opened
 * @e: ERR_SYSTEM too many open files (says what to do), or none can be opened at all
 * Return: 0, or -1 with @e set
 */
int fd_check_spare(struct err *e);

/**
 * fd_write_behind() - Begin to bring a file to the disk, when it is large; a hint, which keeps no promise
 * @n_bytes: written
 *
 * Who syncs a tree at its end need not wait for its large files then. Of small ones many go at once, which costs less.
 *
 * Return: nothing
 */
void fd_write_behind(int fd, uint64_t n_bytes);

/**
 * fd_set_nonblock() - Set or clear O_NONBLOCK of the open file, which all its descriptors share
 * Return: 0, or -1 with errno set
 */
int fd_set_nonblock(int fd, bool on);

/**
 * fd_pipe() - pipe2(O_CLOEXEC | extra_flags)
 * Return: 0, or -1 with errno set
 */
int fd_pipe(int ret_fds[2], int extra_flags);

/**
 * fd_memfd_sealed() - A sealed memfd that holds the given bytes (no write, grow, shrink or seal)
 * Return: 0, or -1 with @e set
 */
int fd_memfd_sealed(const char *name, const void *data, size_t n, int *ret_fd, struct err *e);

#define FD_MSG_MAX 72 /* descriptors in one message */

/**
 * fd_send_msg() - Send one message with descriptors over a unix socket (MSG_NOSIGNAL)
 * Return: bytes sent, or -1 with errno set (EAGAIN on a full non-blocking socket)
 */
ssize_t fd_send_msg(int sock, const void *data, size_t n, const int *fds, size_t n_fds);

/**
 * fd_recv_msg() - Receive one message; descriptors arrive CLOEXEC
 * @fds:       room for @max_fds; what does not fit, or arrives in a truncated message, is closed
 * @ret_n_fds: how many came
 * A reset is no error: what the peer had sent is received, then the end of the stream.
 * Return: bytes (0: end of stream), or -1 with errno set; EMSGSIZE when data or descriptors were truncated
 */
ssize_t fd_recv_msg(int sock, void *data, size_t n, int *fds, size_t max_fds, size_t *ret_n_fds);

/**
 * fd_listen_unix() - Listen on a unix socket at (dirfd, name), whatever the path's length
 * @type: SOCK_STREAM or SOCK_SEQPACKET, with SOCK_NONBLOCK if wanted
 * @mode: permissions of the socket file, exact from the first moment on
 * @e:    ERR_CONFLICT somebody listens there, or it is no socket
 *        ERR_INVALID  the last component has more than about 80 characters
 *
 * Removes a dead socket file first. Needs /proc: the address is /proc/self/fd/<directory>/<last component>.
 *
 * Return: 0, or -1 with @e set
 */
int fd_listen_unix(int dirfd, const char *name, int type, mode_t mode, int *ret_fd, struct err *e);

/**
 * fd_connect_unix() - Connect to such a socket
 * @e: ERR_NOT_FOUND no such file; e->sys is ECONNREFUSED when nobody listens, EAGAIN when a SOCK_NONBLOCK
 *     socket found the backlog full
 *
 * Return: 0, or -1 with @e set
 */
int fd_connect_unix(int dirfd, const char *name, int type, int *ret_fd, struct err *e);
