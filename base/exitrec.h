/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exit record: how a container's (or exec's) end survives kilnd, its monitor and the launcher.
 *
 * A file of EXIT_RECORD_BYTES, preallocated at create, so that recording needs no space; one pwrite(2)
 * each time. The monitor writes EXIT_RUNNING at start and EXIT_DONE before it reaps; when the monitor died,
 * the launcher writes EXIT_DONE. kilnd only reads. Thread-safe (no state).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum exit_phase { EXIT_NONE = 0, EXIT_RUNNING = 1, EXIT_DONE = 2 };

struct exit_record {
	uint32_t magic;          /* EXIT_MAGIC */
	uint16_t version;
	uint16_t phase;          /* enum exit_phase */
	int32_t  pid;            /* of init, in the host's pid namespace */
	int32_t  code;           /* exit code as docker shows it: status, or 128 + signal */
	uint64_t start_ticks;    /* field 22 of /proc/PID/stat: with boot_id it makes the pid trustworthy */
	int64_t  started_wall_ns;
	int64_t  finished_wall_ns;
	uint8_t  is_oom_killed;
	uint8_t  is_signalled;
	uint8_t  pad[2];
	uint32_t crc;            /* crc32 (zlib polynomial) over all that comes before it */
	char     boot_id[40];    /* /proc/sys/kernel/random/boot_id; not in the crc */
};
_Static_assert(sizeof(struct exit_record) == 88, "the record is a format on disk");

#define EXIT_MAGIC          0x4b4c4e58u
#define EXIT_RECORD_VERSION 1
#define EXIT_RECORD_BYTES   512

/**
 * exitrec_start() - Fill a record for a process that runs now
 * @e: ERR_NOT_FOUND the process is gone, or there is no /proc
 *
 * Sets phase EXIT_RUNNING, the pid, its start time, the boot id and the wall clock.
 * Return: 0, or -1 with @e set
 */
int exitrec_start(struct exit_record *rec, pid_t pid, struct err *e);

/**
 * exitrec_finish() - Put the end of the process in, from what waitid(2) told
 * @wait_code:   CLD_EXITED, CLD_KILLED or CLD_DUMPED
 * @wait_status: the exit status or the signal
 * Return: nothing
 */
void exitrec_finish(struct exit_record *rec, int wait_code, int wait_status, bool is_oom_killed);

/**
 * exitrec_write() - Seal (magic, version, crc) and write the record with one pwrite(2)
 * @fd: borrows; opened for writing
 * Return: 0, or -1 with @e set
 */
int exitrec_write(int fd, struct exit_record *rec, struct err *e);

/**
 * exitrec_read() - Read and verify the record
 * @ret: on success; phase EXIT_NONE when nothing was written yet (an empty or zeroed file)
 * @e:   ERR_INVALID torn or foreign content
 * Return: 0, or -1 with @e set
 */
int exitrec_read(int fd, struct exit_record *ret, struct err *e);

/**
 * exitrec_ask_kernel() - The end of a process that others have reaped: Linux 6.15 remembers it for whoever holds a pidfd
 * @pidfd: borrows; opened before the process was reaped
 * @rec:   gets the end, as exitrec_finish() puts it; untouched when there is none to tell
 *
 * Return: true; false when it is not reaped yet, or the kernel is an older one
 */
bool exitrec_ask_kernel(int pidfd, struct exit_record *rec);

/**
 * exitrec_is_alive() - Whether the process that the record names still exists, and is the same one
 * Return: true when phase is EXIT_RUNNING and boot id, pid and start time agree
 */
bool exitrec_is_alive(const struct exit_record *rec);
