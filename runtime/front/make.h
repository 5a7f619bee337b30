/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How `create` and `run` make a container: reserve its directory, write down its configuration, plan, clone, write down its
 * process. What fails anywhere leaves nothing behind; what is killed anywhere leaves what `delete` takes away.
 */
#pragma once

#include "base/opt.h"
#include "runtime/front/front.h"
#include "runtime/front/instance.h"
#include "runtime/launch.h"

struct launch_spec;
struct oci_config;

/* Options of both commands. */
struct make_options {
	const char *bundle, *console_socket, *pidfd_socket, *pid_file;
	bool no_pivot, no_new_keyring;
	struct opt_i64 preserve_fds;
	bool detach, keep, no_subreaper; /* of run */
};
extern const struct opt make_rows[];

struct make_request {
	const struct front_call *call;
	const struct make_options *o;
	bool waits;      /* for `start` */
	bool is_detached; /* its terminal goes to the console socket; else it is ours */
};

/* Empty value: MADE_EMPTY */
struct made {
	struct instance instance;
	struct oci_config *config; /* in the call's arena */
	struct launched process;
	bool has_scope; /* systemd has made it for us */
	bool has_begun; /* hooks may have been run: poststop is for them */
};
#define MADE_EMPTY { .instance = INSTANCE_EMPTY, .process = LAUNCHED_EMPTY }

/**
 * make_record() - What is written down of a container that is about to be made
 * @spec: of its configuration; borrows both, and keeps parts of them
 * Return: in @a
 */
struct instance_record *make_record(const struct oci_config *config, const struct launch_spec *spec, bool has_hooks, struct arena *a);

/**
 * make_container() - Make it, with its process waiting for the start or running
 * @ret: made_done()
 * Return: 0, or -1 with @e set and nothing left behind
 */
int make_container(const struct make_request *r, struct made *ret, struct err *e);

/**
 * make_enter_users() - Before all that: one who may not mount enters the container's user namespace, and begins once more there
 * @argv: the arguments of the program
 * @e:    ERR_INVALID the configuration has none; else see rootless_enter()
 * Return: 0 when that is not needed, or -1 with @e set
 */
int make_enter_users(const struct front_call *c, char *const *argv, struct err *e);

/**
 * made_attend() - In the foreground: attend() to its program until that has ended, and delete it, if nobody else has
 * @keeps: do not delete it
 * Return: 0 and the exit status, or -1 with @e set
 */
int made_attend(struct made *m, bool keeps, int *ret_status, struct err *e);

/**
 * made_undo() - Kill it and take all of it away, for a step that fails later
 * Return: nothing
 */
void made_undo(struct made *m);

/**
 * made_done() - Close what we have of it. Empty is fine
 * Return: nothing
 */
void made_done(struct made *m);
#define AUTO_MADE __attribute__((cleanup(made_done)))
