/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kilnd's options: one table gives parsing and --help. Pure, but for where this program lies.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

struct config {
	char *data_root;             /* absolute */
	char *exec_root;             /* absolute */
	struct str_list hosts;       /* "unix://…"; never empty after parsing */
	char *cgroup_parent;         /* "/kiln" */
	char *runtime_path;          /* absolute */
	char *group;                 /* who may use the socket besides root */
	char *log_level_name;
	char *log_format;            /* "text" or "json" */
	enum log_level log_level;
	bool is_debug;
	bool wants_stop_all;
	bool wants_version;
	bool wants_help;
};

/**
 * config_parse() - Read the command line
 * @ret: lives in @a; complete and checked, unless wants_version or wants_help is set
 * @e:   ERR_INVALID names the option
 * Return: 0, or -1 with @e set
 */
int config_parse(int argc, char *const *argv, struct arena *a, struct config *ret, struct err *e);

/* The text of --help */
void config_help(struct strbuf *out);
