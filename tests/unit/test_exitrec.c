/* SPDX-License-Identifier: Apache-2.0 */
#include "base/exitrec.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/own.h"
#include "tests/unit/unit.h"

static int open_record(void)
{
	char path[160];
	int fd;

	snprintf(path, sizeof path, "%s/exit", unit_dir());
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(what_was_written_is_read)
{
	AUTO_CLOSE int fd = open_record();
	struct exit_record in = { 0 }, out = { 0 };
	struct err e = { 0 };

	ck_assert_int_eq(exitrec_start(&in, getpid(), &e), 0);
	exitrec_finish(&in, CLD_EXITED, 42, true);
	ck_assert_int_eq(exitrec_write(fd, &in, &e), 0);
	ck_assert_int_eq(exitrec_read(fd, &out, &e), 0);
	ck_assert_mem_eq(&in, &out, sizeof in);
	ck_assert_int_eq(out.phase, EXIT_DONE);
	ck_assert_int_eq(out.code, 42);
	ck_assert_int_eq(out.is_oom_killed, 1);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), EXIT_RECORD_BYTES);
}
END_TEST

START_TEST(a_signal_is_128_plus_its_number)
{
	struct exit_record rec = { 0 };

	exitrec_finish(&rec, CLD_KILLED, SIGKILL, false);
	ck_assert_int_eq(rec.code, 137);
	ck_assert_int_eq(rec.is_signalled, 1);
	exitrec_finish(&rec, CLD_DUMPED, SIGSEGV, false);
	ck_assert_int_eq(rec.code, 139);
}
END_TEST

/* Another has reaped it: only the kernel knows, if it is one that remembers. */
START_TEST(the_kernel_tells_an_end_that_others_have_reaped)
{
	for (int code = 0; code < 256; code += 85) {
		bool is_killed = code == 255;
		struct exit_record rec = { .pid = 1 };
		AUTO_CLOSE int pidfd = -1;
		pid_t pid = fork();
		siginfo_t si;

		if (pid == 0) {
			if (is_killed)
				kill(getpid(), SIGKILL);
			_exit(code);
		}
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT);
		ck_assert(!exitrec_ask_kernel(pidfd, &rec));
		ck_assert_int_eq(rec.phase, EXIT_NONE);
		waitpid(pid, NULL, 0);
		if (!exitrec_ask_kernel(pidfd, &rec))
			return;   /* before Linux 6.15 */
		ck_assert_int_eq(rec.phase, EXIT_DONE);
		ck_assert_int_eq(rec.code, is_killed ? 128 + SIGKILL : code);
		ck_assert_int_eq(rec.is_signalled, is_killed);
		ck_assert_int_eq(rec.pid, 1);
	}
}
END_TEST

START_TEST(an_empty_or_zeroed_file_is_phase_none)
{
	AUTO_CLOSE int fd = open_record();
	struct exit_record out = { .phase = 9 };
	struct err e = { 0 };

	ck_assert_int_eq(exitrec_read(fd, &out, &e), 0);
	ck_assert_int_eq(out.phase, EXIT_NONE);
	ck_assert_int_eq(ftruncate(fd, EXIT_RECORD_BYTES), 0);
	out.phase = 9;
	ck_assert_int_eq(exitrec_read(fd, &out, &e), 0);
	ck_assert_int_eq(out.phase, EXIT_NONE);
}
END_TEST

START_TEST(a_flipped_bit_is_invalid)
{
	for (off_t at = 0; at < (off_t)offsetof(struct exit_record, boot_id); at++) {
		AUTO_CLOSE int fd = open_record();
		struct exit_record rec = { 0 }, out = { .phase = 9 };
		struct err e = { 0 };
		unsigned char byte;

		ck_assert_int_eq(exitrec_start(&rec, getpid(), &e), 0);
		ck_assert_int_eq(exitrec_write(fd, &rec, &e), 0);
		ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
		byte ^= 4;
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
		ck_assert_int_eq(exitrec_read(fd, &out, &e), -1);
		ck_assert_int_eq(e.kind, ERR_INVALID);
		ck_assert_int_eq(out.phase, 9);
	}
}
END_TEST

START_TEST(a_truncated_record_is_invalid)
{
	AUTO_CLOSE int fd = open_record();
	struct exit_record rec = { 0 }, out;
	struct err e = { 0 };

	ck_assert_int_eq(exitrec_start(&rec, getpid(), &e), 0);
	ck_assert_int_eq(exitrec_write(fd, &rec, &e), 0);
	ck_assert_int_eq(ftruncate(fd, 20), 0);
	ck_assert_int_eq(exitrec_read(fd, &out, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
}
END_TEST

START_TEST(alive_needs_boot_pid_and_start_time)
{
	struct exit_record rec = { 0 }, other;
	struct err e = { 0 };
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	ck_assert_int_eq(exitrec_start(&rec, child, &e), 0);
	ck_assert(exitrec_is_alive(&rec));
	other = rec;
	other.start_ticks++;
	ck_assert(!exitrec_is_alive(&other));
	other = rec;
	other.boot_id[0] ^= 1;
	ck_assert(!exitrec_is_alive(&other));
	other = rec;
	other.phase = EXIT_DONE;
	ck_assert(!exitrec_is_alive(&other));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ck_assert(!exitrec_is_alive(&rec));
}
END_TEST

UNIT_MAIN("exitrec", what_was_written_is_read, a_signal_is_128_plus_its_number,
	  an_empty_or_zeroed_file_is_phase_none, a_flipped_bit_is_invalid,
	  a_truncated_record_is_invalid, the_kernel_tells_an_end_that_others_have_reaped,
	  alive_needs_boot_pid_and_start_time)
