/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of kilnd's options, and what its readers (flags, file, help, manual pages, reload) share. Nobody else includes this.
 */
#pragma once

#include "daemon/config.h"

enum config_type {
	CONFIG_BOOL,     /* bool */
	CONFIG_TEXT,     /* char * */
	CONFIG_PATH,     /* char *, absolute, cleaned, not "/" */
	CONFIG_TEXTS,    /* struct str_list; a flag that is repeatable */
	CONFIG_SIZE,     /* int64_t bytes: "64m" or a number */
	CONFIG_PAIRS,    /* struct str_map; a flag that is repeatable */
	CONFIG_NUMBER,   /* int64_t; its bounds are for the row's check */
	CONFIG_ULIMITS,  /* struct opt_ulimit * and its count behind it; a flag that is repeatable */
};

struct config_row {
	char letter;             /* 0: none */
	const char *flag;        /* without "--" */
	const char *key;         /* in kilnd.json; NULL: only on the command line */
	enum config_type type;
	size_t offset;           /* in struct config */
	bool can_reload;
	const char *unset;       /* the default, as a flag would give it; NULL: none, or made from others */
	const char *arg;         /* its value's name; "a|b": one of these */
	const char *help;
	int (*check)(struct config *c, const struct config_row *row, struct arena *a, struct err *e);
};

extern const struct config_row config_rows[];
extern const size_t config_n_rows;

#define CONFIG_ROWS_MAX 48   /* readers mark rows */

/**
 * config_row_by_flag() - Find a row by its flag or its letter
 * @n: of @flag; 0: find by @letter
 * Return: the row, or NULL
 */
const struct config_row *config_row_by_flag(const char *flag, size_t n, char letter);

/**
 * config_row_by_key() - Find a row by its key in the file
 * Return: the row, or NULL
 */
const struct config_row *config_row_by_key(const char *key);

/* Return: where the row's value is in @c */
void *config_at(const struct config *c, const struct config_row *row);

/**
 * config_set_text() - Set, or add, a value from text, and check it
 * @e: ERR_INVALID what is wrong with it, without the name of the option
 * Return: 0, or -1 with @e set
 */
int config_set_text(struct config *c, const struct config_row *row, const char *text, struct arena *a, struct err *e);

/**
 * config_check() - Check, and complete, a value that was set
 * @e: as config_set_text()
 * Return: 0, or -1 with @e set
 */
int config_check(struct config *c, const struct config_row *row, struct arena *a, struct err *e);

/**
 * config_text() - A value as text, for people; "" when there is none
 * Return: nothing
 */
void config_text(const struct config *c, const struct config_row *row, struct strbuf *out);

/**
 * config_open_file() - Open a file that is read now, and maybe again later: a link will do, a FIFO, which waits, will not
 * @what: "profile", for the message
 * Return: 0, or -1 with @e set
 */
int config_open_file(const char *what, const char *path, int *ret_fd, struct err *e);

/**
 * config_file_read() - Take over what the file says
 * @is_given: by row: a flag has set it
 * @must_exist: false: a missing file says nothing
 * @is_set:   by row: gets true for what the file has set
 * @e:        with the file's name, line, column and key
 * Return: 0, or -1 with @e set
 */
int config_file_read(struct config *c, const bool *is_given, bool must_exist, bool *is_set, struct arena *a, struct err *e);

/**
 * config_refused() - Why an option of dockerd is none of Kiln's
 * @name:    its key, which but for some plurals is its flag, too
 * @value:   compact JSON, NULL for a flag: what asks nothing of Kiln is accepted in a file
 * @e:       ERR_UNSUPPORTED with the reason
 * Return: 1 for a name of dockerd's that is accepted, 0 when it is no name of dockerd's, -1 with @e set
 */
int config_refused(const char *name, const char *value, struct err *e);
