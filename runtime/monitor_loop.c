/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * running   bytes are moved, kilnd's questions answered. An exec may run into its timeout and is killed.
 * ended     the pidfd is readable: the end goes into the exit record, then the program is reaped, then the launcher
 *           is told (it removes the control group), then output is read to its end. Processes that the program
 *           left behind may hold the pipes open: a container's are not read longer than MONITOR_DRAIN_NS, an exec's
 *           until they end by themselves or with the container, since a writer would die of SIGPIPE.
 * reported  MSG_EXITED is offered, to this kilnd and each that follows, until one releases us. Clients' connections
 *           end only then, so that whoever sees the end of the stream finds the exit code at kilnd; or after
 *           MONITOR_CLOSE_NS when there is no kilnd.
 * released  clients get what still waits for them, then the monitor ends. A client that is slow to read holds up
 *           nobody but this monitor, and so gets the time that it needs.
 */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "runtime/monitor_parts.h"
#include "runtime/poke.h"

#define POLL_OWN   4                         /* pidfd, kilnd, listener, the container's pidfd */
#define RELAX_NS   1000000000LL              /* without any event: memory is given back */
#define PAGE_BYTES 4096
#define STACK_BYTES (128 * 1024)             /* as much of the dead stack as is worth giving back */
#define REST_NS    500000000LL               /* after the container's end, for the rest of an exec's output */

/* --- the program's end ----------------------------------------------------------------------------- */

static void poke_launcher(struct monitor *m)
{
	struct poke p = { .op = POKE_ENDED, .slot = m->slot_index };

	/* A launcher that is gone needs no poke: the next kilnd cleans up. */
	(void)fd_send_msg(m->poke_fd, &p, sizeof p, NULL, 0);
}

static void program_ended(struct monitor *m, int64_t now_ns)
{
	siginfo_t si = { 0 };
	struct err e = { 0 };

	if (waitid(P_PID, (id_t)m->pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid == 0)
		return;
	exitrec_finish(&m->record, si.si_code, si.si_status, m->cgroup && cgroup_oom_kills(m->cgroup) > 0);
	if (exitrec_write(m->record_fd, &m->record, &e) < 0)
		log_err("monitor: %s", e.msg);
	atomic_store(&m->page->is_recorded, 1);
	waitid(P_PID, (id_t)m->pid, &si, WEXITED);
	m->pid = 0;
	close_fd(&m->pidfd);
	poke_launcher(m);
	streams_exited(m->streams);
	m->has_ended = true;
	m->report_due_ns = now_ns + MONITOR_DRAIN_NS;
	if (!m->is_exec)
		m->stop_due_ns = m->report_due_ns;
}

/* What the program has started goes with it as far as it stayed in its process group. */
static void kill_program(struct monitor *m)
{
	m->kill_due_ns = MONITOR_NEVER;
	m->is_timed_out = true;
	kill(-m->pid, SIGKILL);
	syscall(SYS_pidfd_send_signal, m->pidfd, SIGKILL, NULL, 0);
}

static void container_ended(struct monitor *m, int64_t now_ns)
{
	close_fd(&m->container_pidfd);
	m->stop_due_ns = now_ns + REST_NS;
}

/* --- what is due ----------------------------------------------------------------------------------- */

static void report(struct monitor *m, int64_t now_ns)
{
	m->is_reported = true;
	m->close_due_ns = now_ns + MONITOR_CLOSE_NS;
	m->news |= NEWS_EXITED;
}

static void act_on_time(struct monitor *m, int64_t now_ns)
{
	if (m->pid > 0 && now_ns >= m->kill_due_ns)
		kill_program(m);
	if (now_ns >= m->stop_due_ns && streams_is_held(m->streams))
		m->stop_due_ns = now_ns + MONITOR_DRAIN_NS;
	if (now_ns >= m->stop_due_ns)
		streams_stop(m->streams);
	if (m->has_ended && !m->is_reported &&
	    (streams_is_drained(m->streams) || now_ns >= m->report_due_ns))
		report(m, now_ns);
	if (m->is_reported && streams_is_drained(m->streams) && (m->is_released || now_ns >= m->close_due_ns))
		streams_finish_clients(m->streams, now_ns, MONITOR_LINGER_NS);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_due(const struct monitor *m, int64_t now_ns)
{
	int64_t due = earlier(m->kill_due_ns, streams_is_drained(m->streams) ? MONITOR_NEVER : m->stop_due_ns);

	if (m->has_ended && !m->is_reported)
		due = earlier(due, m->report_due_ns);
	if (m->has_failed)
		due = earlier(due, m->close_due_ns);
	if (m->is_reported && streams_n_clients(m->streams) > 0)
		due = earlier(due, m->is_released || now_ns >= m->close_due_ns ? now_ns + RELAX_NS : m->close_due_ns);
	return due;
}

static bool is_over(const struct monitor *m, int64_t now_ns)
{
	/* kilnd answers or closes; it may also just be handing over a client, so not seeing one tells nothing. */
	if (m->has_failed)
		return m->is_released || m->control_fd < 0 || now_ns >= m->close_due_ns;
	return (m->is_released || (m->is_reported && m->is_given_up)) && streams_is_drained(m->streams) &&
	       streams_n_clients(m->streams) == 0;
}

/* --- the loop -------------------------------------------------------------------------------------- */

static void fill_own(const struct monitor *m, struct pollfd set[POLL_OWN])
{
	bool has_news = m->news != 0 || m->n_detached > 0;

	set[0] = (struct pollfd){ .fd = m->pid > 0 ? m->pidfd : -1, .events = POLLIN };
	set[1] = (struct pollfd){ .fd = m->control_fd, .events = has_news ? POLLIN | POLLOUT : POLLIN };
	set[2] = (struct pollfd){ .fd = m->listen_fd, .events = POLLIN };
	/* Of interest only once the exec itself has ended. */
	set[3] = (struct pollfd){ .fd = m->has_ended ? m->container_pidfd : -1, .events = POLLIN };
}

/* kilnd first: a client that it hands over gets the output that is read after it. */
static void act(struct monitor *m, const struct pollfd *set)
{
	int64_t now_ns = clock_mono_ns();

	if (set[1].revents)
		monitor_read_kilnd(m);
	if (set[2].revents && m->listen_fd >= 0)
		monitor_accept(m);
	m->n_detached += streams_act(m->streams, set + POLL_OWN, now_ns);
	if (set[0].revents)
		program_ended(m, now_ns);
	if (set[3].revents)
		container_ended(m, now_ns);
}

static int wait_for_events(struct pollfd *set, size_t n, int64_t now_ns, int64_t due_ns)
{
	int64_t wait_ns = due_ns == MONITOR_NEVER ? -1 : due_ns <= now_ns ? 0 : due_ns - now_ns;
	struct timespec ts = { .tv_sec = wait_ns / CLOCK_NS_PER_SEC, .tv_nsec = wait_ns % CLOCK_NS_PER_SEC };
	int n_ready = ppoll(set, n, wait_ns < 0 ? NULL : &ts, NULL);

	BUG(n_ready < 0 && errno != EINTR, "poll: %s", strerror(errno));
	return n_ready;
}

/* The pages below this frame were the launch's; nobody reads them again. */
static void relax_stack(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)(PAGE_BYTES - 1);

	madvise((void *)(here - PAGE_BYTES - STACK_BYTES), STACK_BYTES, MADV_DONTNEED);
}

static void relax(struct monitor *m)
{
	streams_relax(m->streams);
	malloc_trim(0);
	relax_stack();
}

void monitor_loop(struct monitor *m)
{
	int64_t now_ns = clock_mono_ns();
	bool is_relaxed = false;

	for (;;) {
		struct pollfd set[POLL_OWN + STREAMS_POLL_MAX];
		int64_t due_ns;
		size_t n;
		int n_ready;

		act_on_time(m, now_ns);
		monitor_send_news(m);
		if (is_over(m, now_ns))
			return;
		fill_own(m, set);
		due_ns = next_due(m, now_ns);
		n = POLL_OWN + streams_poll(m->streams, set + POLL_OWN, now_ns, &due_ns);
		if (!is_relaxed)
			due_ns = earlier(due_ns, now_ns + RELAX_NS);
		n_ready = wait_for_events(set, n, now_ns, due_ns);
		/* Also when nothing is ready: streams have clients whose time is up. */
		if (n_ready >= 0)
			act(m, set);
		if (n_ready == 0 && !is_relaxed)
			relax(m);
		is_relaxed = n_ready == 0;
		now_ns = clock_mono_ns();
	}
}
