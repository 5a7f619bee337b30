/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/process_table.h"

#include <string.h>

#define SPACE " \t"

/* The n-th word of a line. Return: its length, 0 when there are fewer */
static size_t word(const char *line, size_t n, const char **ret)
{
	for (;; n--) {
		line += strspn(line, SPACE);
		*ret = line;
		line += strcspn(line, SPACE);
		if (n == 0 || *line == '\0')
			return n == 0 ? (size_t)(line - *ret) : 0;
	}
}

static int find_column(const char *heading, size_t *ret, struct err *e)
{
	const char *at;
	size_t len;

	for (size_t i = 0; (len = word(heading, i, &at)) != 0; i++)
		if (len == strlen("PID") && memcmp(at, "PID", len) == 0) {
			*ret = i;
			return 0;
		}
	return err_set(e, ERR_INVALID, "ps: couldn't find PID field in its output");
}

static bool is_one_of(const char *line, size_t column, const pid_t *pids, size_t n_pids)
{
	const char *at;
	size_t len = word(line, column, &at);
	char text[16];
	uint64_t pid;

	if (len == 0 || len >= sizeof(text))
		return false;
	memcpy(text, at, len);
	text[len] = '\0';
	if (!str_to_u64(text, &pid))
		return false;
	for (size_t i = 0; i < n_pids; i++)
		if ((uint64_t)pids[i] == pid)
			return true;
	return false;
}

int process_table_pick(char *text, const pid_t *pids, size_t n_pids, struct strbuf *out, struct err *e)
{
	char *rest = text, *line = strsep(&rest, "\n");
	size_t column = 0;

	if (find_column(line, &column, e) < 0)
		return -1;
	strbuf_addf(out, "%s\n", line);
	while ((line = strsep(&rest, "\n")) != NULL)
		if (is_one_of(line, column, pids, n_pids))
			strbuf_addf(out, "%s\n", line);
	return 0;
}
