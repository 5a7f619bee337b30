/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `kiln system check` looks at: one row for each, which tells whether this machine can run Kiln well, and what to do when not.
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

enum check_status { CHECK_OK, CHECK_WARN, CHECK_FAIL };

/* Where things are; tests point it elsewhere. All borrowed. */
struct check_places {
	const char *root;            /* before /proc and /sys: "" */
	const char *host;            /* "unix:///run/kiln/kiln.sock" */
	const char *data_root;
};

struct check_result {
	enum check_status status;
	char found[256];             /* what is so */
	char advice[256];            /* what to do; "" when all is well */
};

struct check {
	const char *name;
	void (*look)(const struct check_places *p, struct check_result *r);
};

extern const struct check checks[];   /* ends with a NULL name */

/**
 * check_status_name() - "ok", "warn", "fail"
 * Return: static
 */
const char *check_status_name(enum check_status status);

/* Of the machine, in cli/check_host.c; of the daemon, in cli/check_daemon.c */
void check_kernel(const struct check_places *p, struct check_result *r);
void check_namespaces(const struct check_places *p, struct check_result *r);
void check_cgroups(const struct check_places *p, struct check_result *r);
void check_controllers(const struct check_places *p, struct check_result *r);
void check_limits(const struct check_places *p, struct check_result *r);
void check_capabilities(const struct check_places *p, struct check_result *r);
void check_seccomp(const struct check_places *p, struct check_result *r);
void check_apparmor(const struct check_places *p, struct check_result *r);
void check_overlay(const struct check_places *p, struct check_result *r);
void check_group(const struct check_places *p, struct check_result *r);
void check_socket(const struct check_places *p, struct check_result *r);
void check_data_root(const struct check_places *p, struct check_result *r);
void check_daemon(const struct check_places *p, struct check_result *r);
void check_warm(const struct check_places *p, struct check_result *r);

/**
 * check_set() - Fill a result
 * Return: nothing
 */
void check_set(struct check_result *r, enum check_status status, const char *advice, const char *found, ...) __attribute__((format(printf, 4, 5)));
