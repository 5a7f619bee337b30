/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

enum style { STYLE_TEXT, STYLE_JSON, STYLE_LOGFMT };

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

/* Set by log_init() before there are threads; only level and format change later. */
static const char *log_program = "kiln";
static int log_fd = STDERR_FILENO;
static bool log_is_journal;
static atomic_int log_style;
static atomic_int log_max_level = LOG_LVL_INFO;

static _Thread_local struct field fields[FIELDS_MAX];

/* "dev:inode" of the journal's socket, as systemd tells it: is that where we write? */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[48];
	struct stat st;

	if (stream == NULL || fstat(fd, &st) < 0)
		return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return str_eq(stream, own);
}

void log_init(const char *program, int fd, enum log_level max_level, bool is_json)
{
	log_program = program;
	log_fd = fd;
	log_is_journal = is_journal(fd);
	log_set_json(is_json);
	log_set_level(max_level);
}

void log_set_level(enum log_level max_level)
{
	atomic_store(&log_max_level, (int)max_level);
}

void log_set_json(bool is_json)
{
	atomic_store(&log_style, is_json ? STYLE_JSON : STYLE_TEXT);
}

void log_set_logfmt(void)
{
	atomic_store(&log_style, STYLE_LOGFMT);
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

void log_printable(struct strbuf *out, const char *text, size_t max)
{
	const unsigned char *p = (const unsigned char *)text;

	for (size_t i = 0; p[i] != '\0'; i++) {
		if (i == max) {
			strbuf_adds(out, "...");
			return;
		}
		if (p[i] == '\\')
			strbuf_adds(out, "\\\\");
		else if (p[i] < 0x20 || p[i] > 0x7e)
			strbuf_addf(out, "\\x%02x", p[i]);
		else
			strbuf_addc(out, (char)p[i]);
	}
}

static void add_quoted(struct strbuf *line, const char *text)
{
	strbuf_addc(line, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			strbuf_addc(line, '\\');
		strbuf_addc(line, *text);
	}
	strbuf_addc(line, '"');
}

static void format_text(struct strbuf *line, enum log_level level, const char *time,
			const char *message, const struct log_pair *pairs, size_t n)
{
	/* the journal has time and program of its own */
	if (!log_is_journal)
		strbuf_addf(line, "%s %s %s: ", time, log_program, level_names[level]);
	strbuf_add_visible(line, message, "");
	for (size_t i = 0; i < FIELDS_MAX; i++) {
		if (fields[i].key[0] == '\0')
			continue;
		strbuf_addf(line, " %s=", fields[i].key);
		strbuf_add_visible(line, fields[i].value, "");
	}
	for (size_t i = 0; i < n; i++) {
		strbuf_addf(line, " %s=", pairs[i].key);
		if (pairs[i].text != NULL)
			add_quoted(line, pairs[i].text);
		else
			strbuf_addf(line, "%lld", (long long)pairs[i].number);
	}
}

/* As Go's logrus writes text: quoted like a string of Go, so that one line is one record. */
static void add_logfmt(struct strbuf *line, const char *key, const char *text)
{
	AUTO_STRBUF struct strbuf safe = { 0 };

	strbuf_addf(line, " %s=\"", key);
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\n' || *p == '\t')
			strbuf_adds(&safe, *p == '\n' ? "\\n" : "\\t");
		else if (*p == '"' || *p == '\\')
			strbuf_addf(&safe, "\\%c", *p);
		else
			strbuf_addc(&safe, *p);
	}
	strbuf_add_visible(line, strbuf_cstr(&safe), "");
	strbuf_addc(line, '"');
}

static void format_logfmt(struct strbuf *line, enum log_level level, const char *time, const char *message,
			  const struct log_pair *pairs, size_t n)
{
	/* to the second, as logrus has it */
	strbuf_addf(line, "time=\"%.19sZ\" level=%s", time, level == LOG_LVL_WARN ? "warning" : level_names[level]);
	add_logfmt(line, "msg", message);
	for (size_t i = 0; i < FIELDS_MAX; i++)
		if (fields[i].key[0] != '\0')
			add_logfmt(line, fields[i].key, fields[i].value);
	for (size_t i = 0; i < n; i++) {
		if (pairs[i].text != NULL)
			add_logfmt(line, pairs[i].key, pairs[i].text);
		else
			strbuf_addf(line, " %s=%lld", pairs[i].key, (long long)pairs[i].number);
	}
}

static void format_json(struct strbuf *line, enum log_level level, const char *time,
			const char *message, const struct log_pair *pairs, size_t n)
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
	for (size_t i = 0; i < n; i++) {
		if (pairs[i].text != NULL)
			jw_str(&w, pairs[i].key, pairs[i].text);
		else
			jw_i64(&w, pairs[i].key, pairs[i].number);
	}
	jw_obj_end(&w);
}

/* A log that cannot be written has nowhere to say so. */
static void write_line(enum log_level level, const char *message, const struct log_pair *pairs, size_t n)
{
	static const int priorities[] = { /* of syslog(3) */
		[LOG_LVL_ERR] = 3, [LOG_LVL_WARN] = 4, [LOG_LVL_INFO] = 6, [LOG_LVL_DEBUG] = 7,
	};
	AUTO_STRBUF struct strbuf line = { 0 };
	char time[CLOCK_TEXT_MAX];

	if (log_is_journal)
		strbuf_addf(&line, "<%d>", priorities[level]);
	clock_rfc3339_fixed(clock_wall_ns(), time);
	switch ((enum style)atomic_load(&log_style)) {
	case STYLE_JSON:
		format_json(&line, level, time, message, pairs, n);
		break;
	case STYLE_LOGFMT:
		format_logfmt(&line, level, time, message, pairs, n);
		break;
	case STYLE_TEXT:
		format_text(&line, level, time, message, pairs, n);
		break;
	}
	strbuf_addc(&line, '\n');
	while (write(log_fd, line.data, line.len) < 0 && errno == EINTR)
		;
}

void log_pairs(enum log_level level, const char *message, const struct log_pair *pairs, size_t n)
{
	int saved = errno;

	write_line(level, message, pairs, n);
	errno = saved;
}

void log_pairs_json(struct strbuf *out, enum log_level level, const char *message, const struct log_pair *pairs, size_t n)
{
	char time[CLOCK_TEXT_MAX];

	clock_rfc3339_fixed(clock_wall_ns(), time);
	format_json(out, level, time, message, pairs, n);
	strbuf_addc(out, '\n');
}

void log_write_(enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	char message[MESSAGE_MAX];
	va_list ap;

	if ((int)level > atomic_load(&log_max_level))
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	write_line(level, message, NULL, 0);
	errno = saved;
}
