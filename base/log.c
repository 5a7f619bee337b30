/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "base/str.h"

#define MESSAGE_MAX 4096 /* longer messages are cut: a line stays one write(2) */
#define FIELDS_MAX  6
#define KEY_MAX     16
#define VALUE_MAX   144

struct field {
	char key[KEY_MAX]; /* "": free */
	char value[VALUE_MAX];
};

static const char *const level_names[] = {
	[LOG_LVL_ERR] = "error",
	[LOG_LVL_WARN] = "warn",
	[LOG_LVL_INFO] = "info",
	[LOG_LVL_DEBUG] = "debug",
};

/* Set by log_init() before there are threads; only the level changes later. */
static const char *log_program = "kiln";
static int log_fd = STDERR_FILENO;
static bool log_is_json;
static atomic_int log_max_level = LOG_LVL_INFO;

static _Thread_local struct field fields[FIELDS_MAX];

void log_init(const char *program, int fd, enum log_level max_level, bool is_json)
{
	log_program = program;
	log_fd = fd;
	log_is_json = is_json;
	log_set_level(max_level);
}

void log_set_level(enum log_level max_level)
{
	atomic_store(&log_max_level, (int)max_level);
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (str_eq(name, level_names[i])) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void log_field(const char *key, const char *value)
{
	struct field *slot = NULL;

	for (size_t i = 0; i < FIELDS_MAX; i++) {
		if (strncmp(fields[i].key, key, KEY_MAX - 1) == 0) {
			slot = &fields[i];
			break;
		}
		if (slot == NULL && fields[i].key[0] == '\0')
			slot = &fields[i];
	}
	if (value == NULL) {
		if (slot != NULL)
			slot->key[0] = '\0';
		return;
	}
	BUG(slot == NULL, "more than %d log fields", FIELDS_MAX);
	snprintf(slot->key, sizeof(slot->key), "%s", key);
	snprintf(slot->value, sizeof(slot->value), "%s", value);
}

/* What came from outside must not forge lines or move the reader's cursor. */
static void add_printable(struct strbuf *line, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f)
			strbuf_addf(line, "\\x%02x", *p);
		else
			strbuf_addc(line, (char)*p);
	}
}

static void format_text(struct strbuf *line, enum log_level level, const char *time,
			const char *message)
{
	strbuf_addf(line, "%s %s %s: ", time, log_program, level_names[level]);
	add_printable(line, message);
	for (size_t i = 0; i < FIELDS_MAX; i++) {
		if (fields[i].key[0] == '\0')
			continue;
		strbuf_addf(line, " %s=", fields[i].key);
		add_printable(line, fields[i].value);
	}
	strbuf_addc(line, '\n');
}

static void format_json(struct strbuf *line, enum log_level level, const char *time,
			const char *message)
{
	struct jw w;

	jw_init(&w, line);
	jw_obj(&w, NULL);
	jw_str(&w, "time", time);
	jw_str(&w, "level", level_names[level]);
	jw_str(&w, "program", log_program);
	jw_str(&w, "msg", message);
	for (size_t i = 0; i < FIELDS_MAX; i++) {
		if (fields[i].key[0] != '\0')
			jw_str(&w, fields[i].key, fields[i].value);
	}
	jw_obj_end(&w);
	strbuf_addc(line, '\n');
}

void log_write_(enum log_level level, const char *fmt, ...)
{
	AUTO_STRBUF struct strbuf line = { 0 };
	int saved = errno;
	char message[MESSAGE_MAX];
	char time[CLOCK_TEXT_MAX];
	va_list ap;

	if ((int)level > atomic_load(&log_max_level))
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	clock_rfc3339_fixed(clock_wall_ns(), time);
	if (log_is_json)
		format_json(&line, level, time, message);
	else
		format_text(&line, level, time, message);
	/* a log that cannot be written has nowhere to say so */
	while (write(log_fd, line.data, line.len) < 0 && errno == EINTR)
		;
	errno = saved;
}
