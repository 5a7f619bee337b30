/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File descriptors: whole reads and writes, atomic files, messages with descriptors. Every descriptor is
 * CLOEXEC from birth. Functions without `struct err` return -1 with errno set.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
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

/* file_read(): open (O_NOFOLLOW, relative to dirfd or AT_FDCWD) and fd_read_all. Return: 0, or -1 with @e set */
int file_read(int dirfd, const char *name, size_t max_bytes, char **ret_data, size_t *ret_n, struct err *e);

/* file_replace(): write beside and rename into place; no fsync. Return: 0, or -1 with @e set */
int file_replace(int dirfd, const char *name, const void *data, size_t n, mode_t mode, struct err *e);

/* fd_pipe(): pipe2(O_CLOEXEC | extra_flags). Return: 0, or -1 with errno set */
int fd_set_nonblock(int fd, bool on);
int fd_pipe(int ret_fds[2], int extra_flags);

/**
 * fd_memfd_sealed() - A sealed memfd that holds the given bytes (no write, grow, shrink or seal)
 * Return: 0, or -1 with @e set
 */
int fd_memfd_sealed(const char *name, const void *data, size_t n, int *ret_fd, struct err *e);

#define FD_MSG_MAX 64                                                /* descriptors in one message */

/**
 * fd_send_msg() - Send one message with descriptors over a unix socket (MSG_NOSIGNAL)
 * Return: bytes sent, or -1 with errno set (EAGAIN on a full non-blocking socket)
 */
ssize_t fd_send_msg(int sock, const void *data, size_t n, const int *fds, size_t n_fds);

/**
 * fd_recv_msg() - Receive one message; descriptors arrive CLOEXEC
 * @fds:       room for @max_fds; what does not fit, or arrives in a truncated message, is closed
 * @ret_n_fds: how many came
 * Return: bytes (0: end of stream), or -1 with errno set; EMSGSIZE when data or descriptors were truncated
 */
ssize_t fd_recv_msg(int sock, void *data, size_t n, int *fds, size_t max_fds, size_t *ret_n_fds);

/**
 * fd_listen_unix() / fd_connect_unix() - A unix socket at (dirfd, name), whatever the path's length
 *
 * Goes through /proc/self/fd/<dirfd>/<name>, so that sun_path never overflows. Listening removes a dead
 * socket file first, binds with @mode permissions. @type is SOCK_STREAM or SOCK_SEQPACKET; extra SOCK_ flags allowed.
 * Return: 0, or -1 with @e set
 */
int fd_listen_unix(int dirfd, const char *name, int type, mode_t mode, int *ret_fd, struct err *e);
int fd_connect_unix(int dirfd, const char *name, int type, int *ret_fd, struct err *e);
