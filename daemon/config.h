/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kilnd's options: one table (config_table.c) gives the flags, the keys of kilnd.json, --help and the man pages.
 *
 * A row is an option; its flag and its key mean the same. What is given by a flag may not stand in the file, too, as dockerd
 * has it. Pure, but for reading the file, and a seccomp profile that it names, and for where this program lies.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "oci/options.h"

struct config {
	char *config_file;           /* absolute */
	char *data_root;             /* absolute */
	char *exec_root;             /* absolute */
	struct str_list hosts;       /* "unix://…", "fd://"; empty: the default, or what systemd hands over */
	char *group;                 /* who may use the sockets besides root */
	char *pidfile;               /* absolute; NULL: none */
	char *cgroup_parent;         /* "/kiln"; NULL: what the machine asks for */
	int64_t cpu_rt_period_usec, cpu_rt_runtime_usec;   /* 0: the kernel's, none */
	char *runtime_path;          /* absolute */
	char *log_level_name;
	char *log_format;            /* "text" or "json" */
	enum log_level log_level;
	bool is_debug;
	char *audit_log;             /* absolute; NULL: to the log */
	int64_t shutdown_timeout_sec; /* -1: for ever */
	int64_t stems;                /* prepared ahead, of a kind at most */
	struct str_list labels;      /* "key=value" */
	/* what a container has that does not ask for anything else */
	char *log_driver;
	struct str_map log_opts;
	struct opt_ulimit *default_ulimits;
	size_t n_default_ulimits;
	int64_t default_shm_bytes;
	bool init;
	bool no_new_privileges;
	char *seccomp_profile;       /* "builtin", "unconfined" or an absolute path */
	char *seccomp_text;          /* what that file holds; NULL for the other two */
	bool wants_validate;
	bool wants_stop_all;
	bool wants_version;
	bool wants_help;
};

/**
 * config_try() - What would fail a start, as far as it can be seen without making or changing anything
 * @c: complete
 * @e: names the key
 * Return: 0, or -1 with @e set
 */
int config_try(const struct config *c, struct err *e);

/**
 * config_parse() - Read the command line and the configuration file
 * @ret: lives in @a; complete and checked, unless wants_version or wants_help is set; wants_validate is also told when
 *       the file is wrong
 * @e:   ERR_INVALID names the option, or the file with line, column and key; ERR_NOT_FOUND no such file
 * Return: 0, or -1 with @e set
 */
int config_parse(int argc, char *const *argv, struct arena *a, struct config *ret, struct err *e);

/**
 * config_reload() - What a configuration that was read again changes
 * @running: of now; gets the values of the options that can change while kilnd runs (they live as long as @fresh)
 * @fresh:   of the same command line and the file as it is now
 * @said:    called with the name of each option that differs, and whether it needs a restart
 * Return: nothing
 */
void config_reload(struct config *running, const struct config *fresh,
		   void (*said)(void *ctx, const char *name, bool needs_restart), void *ctx);

/**
 * config_attributes() - The options that can change while kilnd runs, as text, for the event of a reload
 * Return: in @a
 */
struct str_map config_attributes(const struct config *c, struct arena *a);

/* The text of --help, and the two manual pages as roff */
void config_help(struct strbuf *out);
void config_man_kilnd(struct strbuf *out);
void config_man_file(struct strbuf *out);
