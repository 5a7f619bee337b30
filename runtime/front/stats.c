/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/stats.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cgfile.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/cgroup.h"

/* --- reading ------------------------------------------------------------------------------------------------------- */

static uint64_t number(int dir, const char *file)
{
	uint64_t v;

	return cgfile_u64(dir, file, &v, ERR_IGNORED) == 0 ? v : 0;
}

/* No limit is the largest number, as runc has it. */
static uint64_t limit(int dir, const char *file)
{
	struct cgfile_limit l;

	if (cgfile_limit(dir, file, &l, ERR_IGNORED) < 0)
		return 0;
	return l.is_max ? UINT64_MAX : l.v;
}

static void write_unless_0(struct jw *w, const char *key, uint64_t v)
{
	if (v != 0)
		jw_u64(w, key, v);
}

/* --- processors ---------------------------------------------------------------------------------------------------- */

static void write_percpu(struct jw *w, int dir)
{
	AUTO_FREE char *text = NULL;
	uint64_t v;

	if (file_read(dir, "cpuacct.usage_percpu", CGFILE_MAX_BYTES, &text, NULL, ERR_IGNORED) < 0)
		return;
	jw_arr(w, "percpu");
	for (char *rest = text, *word; (word = strsep(&rest, " \n")) != NULL;)
		if (str_to_u64(word, &v))
			jw_u64(w, NULL, v);
	jw_arr_end(w);
}

static void write_throttling(struct jw *w, uint64_t periods, uint64_t throttled, uint64_t ns)
{
	jw_obj(w, "throttling");
	write_unless_0(w, "periods", periods);
	write_unless_0(w, "throttledPeriods", throttled);
	write_unless_0(w, "throttledTime", ns);
	jw_obj_end(w);
}

static void write_cpu_v1(struct jw *w, const char *path)
{
	AUTO_CLOSE int acct = cgroup_open_dir(path, "cpuacct"), cpu = cgroup_open_dir(path, "cpu");
	struct cgfile_key k[] = { { .key = "nr_periods" }, { .key = "nr_throttled" }, { .key = "throttled_time" } };

	jw_obj(w, "usage");
	write_unless_0(w, "total", number(acct, "cpuacct.usage"));
	write_percpu(w, acct);
	jw_u64(w, "kernel", number(acct, "cpuacct.usage_sys"));
	jw_u64(w, "user", number(acct, "cpuacct.usage_user"));
	jw_obj_end(w);
	cgfile_keys(cpu, "cpu.stat", k, ARRAY_SIZE(k), ERR_IGNORED);
	write_throttling(w, k[0].v, k[1].v, k[2].v);
}

static void write_cpu_v2(struct jw *w, const char *path)
{
	AUTO_CLOSE int dir = cgroup_open_dir(path, NULL);
	struct cgfile_key k[] = { { .key = "usage_usec" }, { .key = "system_usec" }, { .key = "user_usec" },
				  { .key = "nr_periods" }, { .key = "nr_throttled" }, { .key = "throttled_usec" } };

	cgfile_keys(dir, "cpu.stat", k, ARRAY_SIZE(k), ERR_IGNORED);
	jw_obj(w, "usage");
	write_unless_0(w, "total", k[0].v * 1000);
	jw_u64(w, "kernel", k[1].v * 1000);
	jw_u64(w, "user", k[2].v * 1000);
	jw_obj_end(w);
	write_throttling(w, k[3].v, k[4].v, k[5].v * 1000);
}

/* --- memory -------------------------------------------------------------------------------------------------------- */

static void write_usage(struct jw *w, const char *key, uint64_t max, uint64_t usage, uint64_t peak, uint64_t n_failed)
{
	jw_obj(w, key);
	jw_u64(w, "limit", max);
	write_unless_0(w, "usage", usage);
	write_unless_0(w, "max", peak);
	jw_u64(w, "failcnt", n_failed);
	jw_obj_end(w);
}

/* "memory", "memory.memsw" … */
static void write_usage_v1(struct jw *w, const char *key, int dir, const char *prefix)
{
	char file[4][64];
	static const char *const endings[] = { "limit_in_bytes", "usage_in_bytes", "max_usage_in_bytes", "failcnt" };

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		snprintf(file[i], sizeof(file[i]), "%s.%s", prefix, endings[i]);
	write_usage(w, key, limit(dir, file[0]), number(dir, file[1]), number(dir, file[2]), number(dir, file[3]));
}

static void write_raw(struct jw *w, int dir)
{
	AUTO_FREE char *text = NULL;
	uint64_t v;

	if (file_read(dir, "memory.stat", CGFILE_MAX_BYTES, &text, NULL, ERR_IGNORED) < 0)
		return;
	jw_obj(w, "raw");
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
		char *space = strchr(line, ' ');

		if (space == NULL || !str_to_u64(space + 1, &v))
			continue;
		*space = '\0';
		jw_u64(w, line, v);
	}
	jw_obj_end(w);
}

static void write_memory(struct jw *w, const char *path, bool is_v2)
{
	AUTO_CLOSE int dir = cgroup_open_dir(path, is_v2 ? NULL : "memory");
	struct cgfile_key cache = { .key = is_v2 ? "file" : "cache" };

	cgfile_keys(dir, "memory.stat", &cache, 1, ERR_IGNORED);
	write_unless_0(w, "cache", cache.v);
	if (is_v2) {
		struct cgfile_key failed = { .key = "max" };

		cgfile_keys(dir, "memory.events", &failed, 1, ERR_IGNORED);
		write_usage(w, "usage", limit(dir, "memory.max"), number(dir, "memory.current"), number(dir, "memory.peak"), failed.v);
		write_usage(w, "swap", limit(dir, "memory.swap.max"), number(dir, "memory.swap.current"), 0, 0);
	} else {
		write_usage_v1(w, "usage", dir, "memory");
		write_usage_v1(w, "swap", dir, "memory.memsw");
		write_usage_v1(w, "kernel", dir, "memory.kmem");
		write_usage_v1(w, "kernelTCP", dir, "memory.kmem.tcp");
	}
	write_raw(w, dir);
}

/* --- block devices --------------------------------------------------------------------------------------------------- */

static void write_entry(struct jw *w, unsigned major, unsigned minor, const char *op, uint64_t v)
{
	jw_obj(w, NULL);
	write_unless_0(w, "major", major);
	write_unless_0(w, "minor", minor);
	jw_str(w, "op", op);
	write_unless_0(w, "value", v);
	jw_obj_end(w);
}

/* "8:0 Read 4096" */
static void write_blkio_v1(struct jw *w, const char *key, int dir, const char *file)
{
	AUTO_FREE char *text = NULL;
	unsigned major, minor;
	char op[16];
	uint64_t v;

	if (file_read(dir, file, CGFILE_MAX_BYTES, &text, NULL, ERR_IGNORED) < 0)
		return;
	jw_arr(w, key);
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;)
		if (sscanf(line, "%u:%u %15s %" SCNu64, &major, &minor, op, &v) == 4)
			write_entry(w, major, minor, op, v);
	jw_arr_end(w);
}

/* "8:0 rbytes=4096 wbytes=0 rios=1 …" */
static void write_io_v2(struct jw *w, const char *key, const char *text, const char *reads, const char *writes)
{
	unsigned major, minor;

	jw_arr(w, key);
	for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL) {
		const char *end = strchrnul(line, '\n'), *r = strstr(line, reads), *wr = strstr(line, writes);

		if (sscanf(line, "%u:%u ", &major, &minor) != 2 || r == NULL || wr == NULL || r > end || wr > end)
			continue;
		write_entry(w, major, minor, "Read", strtoull(r + strlen(reads), NULL, 10));
		write_entry(w, major, minor, "Write", strtoull(wr + strlen(writes), NULL, 10));
	}
	jw_arr_end(w);
}

static void write_blkio(struct jw *w, const char *path, bool is_v2)
{
	AUTO_CLOSE int dir = cgroup_open_dir(path, is_v2 ? NULL : "blkio");
	AUTO_FREE char *text = NULL;

	if (!is_v2) {
		write_blkio_v1(w, "ioServiceBytesRecursive", dir, "blkio.throttle.io_service_bytes_recursive");
		write_blkio_v1(w, "ioServicedRecursive", dir, "blkio.throttle.io_serviced_recursive");
	} else if (file_read(dir, "io.stat", CGFILE_MAX_BYTES, &text, NULL, ERR_IGNORED) == 0) {
		write_io_v2(w, "ioServiceBytesRecursive", text, " rbytes=", " wbytes=");
		write_io_v2(w, "ioServicedRecursive", text, " rios=", " wios=");
	}
}

/* --- the rest ------------------------------------------------------------------------------------------------------ */

static void write_pids(struct jw *w, const char *path, bool is_v2)
{
	AUTO_CLOSE int dir = cgroup_open_dir(path, is_v2 ? NULL : "pids");
	uint64_t max = limit(dir, "pids.max");

	write_unless_0(w, "current", number(dir, "pids.current"));
	write_unless_0(w, "limit", max != UINT64_MAX ? max : 0);
}

static void write_page_size(struct jw *w, int dir, const char *size, bool is_v2)
{
	char usage[64], peak[64], failed[64];

	snprintf(usage, sizeof(usage), "hugetlb.%.20s.%s", size, is_v2 ? "current" : "usage_in_bytes");
	snprintf(peak, sizeof(peak), "hugetlb.%.20s.max_usage_in_bytes", size);
	snprintf(failed, sizeof(failed), "hugetlb.%.20s.failcnt", size);
	jw_obj(w, size);
	write_unless_0(w, "usage", number(dir, usage));
	write_unless_0(w, "max", is_v2 ? 0 : number(dir, peak));
	jw_u64(w, "failcnt", is_v2 ? 0 : number(dir, failed));
	jw_obj_end(w);
}

static void write_hugetlb(struct jw *w, const char *path, bool is_v2)
{
	const char *ending = is_v2 ? ".current" : ".usage_in_bytes";
	int fd = cgroup_open_dir(path, is_v2 ? NULL : "hugetlb");
	AUTO_DIR DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		const char *size = entry->d_name + strlen("hugetlb.");

		if (!str_starts(entry->d_name, "hugetlb.") || !str_ends(size, ending) || strstr(size, "rsvd") != NULL)
			continue;
		entry->d_name[strlen(entry->d_name) - strlen(ending)] = '\0';
		write_page_size(w, dirfd(d), size, is_v2);
	}
}

void stats_write(struct jw *w, const char *key, const char *path)
{
	bool is_v2 = cgroup_layout()->is_v2;
	const struct {
		const char *key;
		void (*write)(struct jw *w, const char *path, bool is_v2);
	} parts[] = { { "memory", write_memory }, { "pids", write_pids }, { "blkio", write_blkio }, { "hugetlb", write_hugetlb } };

	jw_obj(w, key);
	jw_obj(w, "cpu");
	if (is_v2)
		write_cpu_v2(w, path);
	else
		write_cpu_v1(w, path);
	jw_obj_end(w);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		jw_obj(w, parts[i].key);
		parts[i].write(w, path, is_v2);
		jw_obj_end(w);
	}
	jw_obj(w, "intel_rdt");
	jw_obj_end(w);
	jw_null(w, "network_interfaces");
	jw_obj_end(w);
}
