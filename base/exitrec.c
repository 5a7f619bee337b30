/* SPDX-License-Identifier: Apache-2.0 */
#include "base/exitrec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"

#define STAT_START_FIELD 22

/* Bit by bit: it is 44 bytes, a table would cost more pages than it saves time. */
static uint32_t crc32_of(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint32_t crc = ~0u;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (0xedb88320u & -(crc & 1));
	}
	return ~crc;
}

static ssize_t read_small(const char *path, char *buf, size_t n)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, buf, n - 1);
	if (got < 0)
		return -1;
	buf[got] = '\0';
	return got;
}

/* The name of the process may hold spaces and parentheses: fields are counted behind the last ')'. */
static bool start_ticks_of(pid_t pid, uint64_t *ret)
{
	char path[48], text[1024];
	const char *p;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	if (read_small(path, text, sizeof text) <= 0)
		return false;
	p = strrchr(text, ')');
	if (!p)
		return false;
	for (int field = 2; field < STAT_START_FIELD; field++) {
		p = strchr(p + 1, ' ');
		if (!p)
			return false;
	}
	*ret = strtoull(p + 1, NULL, 10);
	return true;
}

static bool boot_id_of(char out[40])
{
	memset(out, 0, 40);
	if (read_small("/proc/sys/kernel/random/boot_id", out, 40) <= 0)
		return false;
	out[strcspn(out, "\n")] = '\0';
	return true;
}

int exitrec_start(struct exit_record *rec, pid_t pid, struct err *e)
{
	*rec = (struct exit_record){ .phase = EXIT_RUNNING, .pid = pid };
	rec->started_wall_ns = clock_wall_ns();
	if (!boot_id_of(rec->boot_id))
		return err_sys(e, "read the boot id");
	if (!start_ticks_of(pid, &rec->start_ticks))
		return err_sys(e, "read the start time of process %d", pid);
	return 0;
}

void exitrec_finish(struct exit_record *rec, int wait_code, int wait_status, bool is_oom_killed)
{
	rec->phase = EXIT_DONE;
	rec->is_signalled = wait_code != CLD_EXITED;
	rec->code = rec->is_signalled ? 128 + wait_status : wait_status;
	rec->is_oom_killed = is_oom_killed;
	rec->finished_wall_ns = clock_wall_ns();
}

/* linux/pidfd.h, of which distributions still have an older one. */
struct pidfd_info_v0 {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;   /* as wait(2) has it */
};
#define GET_INFO  _IOWR(0xff, 11, struct pidfd_info_v0)
#define INFO_EXIT (1u << 3)

bool exitrec_ask_kernel(int pidfd, struct exit_record *rec)
{
	struct pidfd_info_v0 info = { .mask = INFO_EXIT };

	if (ioctl(pidfd, GET_INFO, &info) < 0 || !(info.mask & INFO_EXIT))
		return false;
	if (WIFSIGNALED(info.exit_code))
		exitrec_finish(rec, CLD_KILLED, WTERMSIG(info.exit_code), false);
	else
		exitrec_finish(rec, CLD_EXITED, WEXITSTATUS(info.exit_code), false);
	return true;
}

int exitrec_write(int fd, struct exit_record *rec, struct err *e)
{
	char block[EXIT_RECORD_BYTES] = { 0 };
	ssize_t n;

	rec->magic = EXIT_MAGIC;
	rec->version = EXIT_RECORD_VERSION;
	rec->crc = crc32_of(rec, offsetof(struct exit_record, crc));
	memcpy(block, rec, sizeof *rec);
	do
		n = pwrite(fd, block, sizeof block, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "write the exit record");
	if (n != sizeof block)
		return err_set(e, ERR_SYSTEM, "write the exit record: short write");
	return 0;
}

int exitrec_read(int fd, struct exit_record *ret, struct err *e)
{
	static const struct exit_record zero;
	struct exit_record rec = { 0 };
	ssize_t n;

	do
		n = pread(fd, &rec, sizeof rec, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "read the exit record");
	if (memcmp(&rec, &zero, sizeof rec) == 0) {
		*ret = zero;
		return 0;
	}
	if (n != sizeof rec || rec.magic != EXIT_MAGIC)
		return err_set(e, ERR_INVALID, "exit record: not a record");
	if (rec.version != EXIT_RECORD_VERSION)
		return err_set(e, ERR_INVALID, "exit record: version %u", rec.version);
	if (rec.crc != crc32_of(&rec, offsetof(struct exit_record, crc)))
		return err_set(e, ERR_INVALID, "exit record: wrong checksum");
	rec.boot_id[sizeof rec.boot_id - 1] = '\0';
	*ret = rec;
	return 0;
}

bool exitrec_is_alive(const struct exit_record *rec)
{
	char boot_id[40];
	uint64_t ticks;

	return rec->phase == EXIT_RUNNING && boot_id_of(boot_id) &&
	       strcmp(boot_id, rec->boot_id) == 0 && start_ticks_of(rec->pid, &ticks) &&
	       ticks == rec->start_ticks;
}
