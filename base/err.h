/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One plain error value, 512 bytes, no heap.
 *
 * A function that can fail returns 0 or -1 and takes `struct err *e` last. The message answers what was
 * tried, on what and why it failed: "outer: inner: strerror", lower case, no full stop. A child between
 * clone and exec sends it to its parent in one write(2). Thread-safe (no state); fork-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What the caller can do about it. Maps to HTTP status and exit code in base/err.c, in one table. */
enum err_kind {
	ERR_NONE,
	ERR_INVALID,      /* the request is wrong; 400 */
	ERR_NOT_FOUND,    /* the named thing does not exist; 404 */
	ERR_CONFLICT,     /* its state does not allow it; 409 */
	ERR_DENIED,       /* permission; 403 */
	ERR_UNSUPPORTED,  /* refused by name; 501 */
	ERR_TIMEOUT,      /* it took too long; 504 */
	ERR_SYSTEM,       /* the kernel or the disk said no; 500 */
	ERR_INTERNAL,     /* our bug; 500 */
	ERR_KINDS_
};

struct err {
	enum err_kind kind;
	int  sys;             /* errno, or 0 */
	char msg[504];
};
_Static_assert(sizeof(struct err) == 512, "crosses a pipe in one atomic write");

/* For callers that say aloud that they do not want to know. Thread-local. */
struct err *err_ignored_(void);
#define ERR_IGNORED err_ignored_()

/**
 * err_set() - Fill an error with a kind and a message
 * Return: -1, always
 */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/**
 * err_sys() - Fill an error from errno: "<message>: <strerror>"; kind by errno
 *             (ENOENT not found, EACCES and EPERM denied, EEXIST and EBUSY conflict, else system)
 * Return: -1, always; errno is kept
 */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * err_wrap() - Put context before the message that is there: "<context>: <message>"
 * Return: -1, always
 */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * err_http_status() - The HTTP status for a kind (200 for ERR_NONE)
 * Return: the status
 */
int err_http_status(enum err_kind kind);

/**
 * err_exit_code() - The exit status of a command line tool for a kind
 * Return: 0 for ERR_NONE, 125 otherwise (docker's "the engine itself failed"), 126 and 127 are the caller's
 */
int err_exit_code(enum err_kind kind);

/**
 * err_kind_name() - "invalid", "not-found" …, for logs and docs
 * Return: a static string
 */
const char *err_kind_name(enum err_kind kind);

/**
 * err_kind_meaning() - One line for people: what the kind says about the request
 * Return: a static string
 */
const char *err_kind_meaning(enum err_kind kind);

/* Broken invariants only: prints file, line and message, and aborts, in every build. */
#define BUG(cond, ...) do { if (__builtin_expect(!!(cond), 0)) err_bug_(__FILE__, __LINE__, __VA_ARGS__); } while (0)
_Noreturn void err_bug_(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
