/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cgfile.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"

/* v1 says "no limit" by PAGE_COUNTER_MAX pages: LONG_MAX rounded down to a page, whatever its size. */
#define V1_NO_LIMIT_MIN (UINT64_C(0x7fffffffffffffff) - 65535)

static int read_text(int dirfd, const char *name, char **ret_text, struct err *e)
{
	if (file_read(dirfd, name, CGFILE_MAX_BYTES, ret_text, NULL, e) == 0)
		return 0;
	/* the group was removed between open and read */
	if (e->sys == ENODEV)
		e->kind = ERR_NOT_FOUND;
	return err_wrap(e, "read cgroup file '%s'", name);
}

static void cut_newline(char *text)
{
	text[strcspn(text, "\n")] = '\0';
}

int cgfile_u64(int dirfd, const char *name, uint64_t *ret, struct err *e)
{
	AUTO_FREE char *text = NULL;

	if (read_text(dirfd, name, &text, e) < 0)
		return -1;
	cut_newline(text);
	if (!str_to_u64(text, ret))
		return err_set(e, ERR_INVALID, "cgroup file '%s': '%.40s' is not a number", name,
			       text);
	return 0;
}

bool cgfile_parse_limit(char *text, struct cgfile_limit *ret)
{
	struct cgfile_limit limit = { 0 };

	cut_newline(text);
	if (str_eq(text, "max") || str_eq(text, "-1"))
		limit.is_max = true;
	else if (!str_to_u64(text, &limit.v))
		return false;
	if (limit.v >= V1_NO_LIMIT_MIN)
		limit = (struct cgfile_limit){ .is_max = true };
	*ret = limit;
	return true;
}

int cgfile_limit(int dirfd, const char *name, struct cgfile_limit *ret, struct err *e)
{
	AUTO_FREE char *text = NULL;

	if (read_text(dirfd, name, &text, e) < 0)
		return -1;
	if (!cgfile_parse_limit(text, ret))
		return err_set(e, ERR_INVALID, "cgroup file '%s': '%.40s' is not a limit", name,
			       text);
	return 0;
}

static void take_line(const char *line, struct cgfile_key *keys, size_t n_keys)
{
	for (size_t i = 0; i < n_keys; i++) {
		size_t n = strlen(keys[i].key);
		uint64_t v;

		if (strncmp(line, keys[i].key, n) != 0 || line[n] != ' ')
			continue;
		if (str_to_u64(line + n + 1, &v)) {
			keys[i].v = v;
			keys[i].is_found = true;
		}
	}
}

void cgfile_parse_keys(char *text, struct cgfile_key *keys, size_t n_keys)
{
	char *rest = text;
	char *line;

	for (size_t i = 0; i < n_keys; i++) {
		keys[i].v = 0;
		keys[i].is_found = false;
	}
	while ((line = strsep(&rest, "\n")) != NULL)
		take_line(line, keys, n_keys);
}

int cgfile_keys(int dirfd, const char *name, struct cgfile_key *keys, size_t n_keys, struct err *e)
{
	AUTO_FREE char *text = NULL;

	if (read_text(dirfd, name, &text, e) < 0)
		return -1;
	cgfile_parse_keys(text, keys, n_keys);
	return 0;
}
