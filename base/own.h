/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership: scope-bound cleanup and the spelling of handing over.
 *
 * Every handle has an empty value (-1, NULL, 0) and is initialised at its declaration. Every owner is
 * exactly one variable or field; handing over is spelled TAKE_. Small allocations abort when memory is out.
 */
#pragma once

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define AUTO(fn)    __attribute__((cleanup(fn)))
#define AUTO_FREE   AUTO(auto_free_)
#define AUTO_CLOSE  AUTO(auto_close_)       /* keeps errno */
#define AUTO_REAP   AUTO(auto_reap_)        /* SIGKILL + waitpid a pid > 0 */
#define AUTO_DIR    AUTO(auto_dir_)
#define AUTO_FILE   AUTO(auto_file_)
#define TAKE_FD(fd) ({ int t_ = (fd); (fd) = -1; t_; })
#define TAKE_PTR(p) ({ __typeof__(p) t_ = (p); (p) = NULL; t_; })

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

void auto_free_(void *p);        /* takes a pointer to a pointer */
void auto_close_(int *fd);
void auto_reap_(pid_t *pid);
void auto_dir_(DIR **d);
void auto_file_(FILE **f);

/**
 * xmalloc() - malloc that aborts when memory is out; xcalloc zeroes, xrealloc resizes, xstrdup copies
 *
 * For small, bounded sizes. What is sized by input is limited before it is allocated.
 * Return: never NULL; the caller frees with free(3)
 */
void *xmalloc(size_t n) __attribute__((malloc));
void *xcalloc(size_t n, size_t size) __attribute__((malloc));
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s) __attribute__((malloc));
char *xstrndup(const char *s, size_t n) __attribute__((malloc));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), malloc));

/**
 * close_fd() - Close an fd if it is >= 0 and set it to -1; errno is kept
 * Return: nothing
 */
void close_fd(int *fd);
