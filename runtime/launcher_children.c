/* SPDX-License-Identifier: Apache-2.0 */
/* The launcher's children: monitors, and the programs that dead monitors leave to it. See launcher.c. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defence.h"
#include "base/exitrec.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/own.h"
#include "runtime/cgroup.h"
#include "runtime/launcher_parts.h"
#include "runtime/poke.h"

/* --- control groups and children ------------------------------------------------------------------- */

/* The last part of the path must be the container's id: a monitor can name no group but its own. */
bool launcher_is_group_of(const char *path, size_t room, const char *id)
{
	const char *end = memchr(path, '\0', room);
	const char *name = end ? strrchr(path, '/') : NULL;

	return name && path[0] == '/' && DEFENCE(OWN_GROUP, strcmp(name + 1, id) == 0, true);
}

/* A launcher that is being replaced removes nothing: what it finds by name may be the next run's. Its successor does. */
static void clean_slot(struct launcher *l, struct slot *s)
{
	char path[SLOT_CGROUP_MAX];

	/* A copy: the page is shared, and the check must be about what is used. */
	memcpy(path, s->page->cgroup_path, sizeof path);
	if (l->is_ending || s->is_clean || s->is_exec || path[0] == '\0' || slots_count(&l->slots, s->id, s->is_exec) > 1)
		return;
	s->is_clean = true;
	if (!launcher_is_group_of(path, sizeof path, s->id))
		log_err("launcher: monitor of '%s' names a group that is not its own, leaving it", s->id);
	else
		launcher_clean(l, s->id, path, false);
}

void launcher_remove_socket(struct launcher *l, const char *id, bool is_exec)
{
	AUTO_FREE char *path = xasprintf("%s/%s/%s.sock", l->exec_root, is_exec ? "x" : "c", id);

	if (slots_count(&l->slots, id, is_exec) > 0)
		return;
	if (unlink(path) < 0 && errno != ENOENT)
		log_debug("launcher: remove '%s': %s", path, strerror(errno));
}

static void end_slot(struct launcher *l, struct slot *s)
{
	clean_slot(l, s);
	slots_free(&l->slots, s);
	if (!l->is_ending)
		launcher_remove_socket(l, s->id, s->is_exec);
}

static bool was_oom_killed(const struct slot *s)
{
	char path[SLOT_CGROUP_MAX];
	struct cgroup_handle *group = NULL;
	bool was_killed;

	memcpy(path, s->page->cgroup_path, sizeof path);
	if (s->is_exec || !launcher_is_group_of(path, sizeof path, s->id) ||
	    cgroup_open(path, &group, ERR_IGNORED) < 0)
		return false;
	was_killed = cgroup_oom_kills(group) > 0;
	cgroup_close(group);
	return was_killed;
}

/* Whose monitor died before it could write that it runs: else nobody would ever find out. */
void launcher_note_orphan(struct slot *s)
{
	struct exit_record rec = { 0 };
	struct err e = { 0 };

	if (!s->is_orphan || !atomic_load(&s->page->marks.is_independent) ||
	    (exitrec_read(s->record_fd, &rec, ERR_IGNORED) == 0 && rec.phase != EXIT_NONE))
		return;
	if (exitrec_start(&rec, s->page->marks.init, &e) < 0 || exitrec_write(s->record_fd, &rec, &e) < 0)
		log_err("launcher: '%s': %s", s->id, e.msg);
}

/* As the monitor would have written it. */
static void record_end(struct slot *s, const siginfo_t *si)
{
	struct exit_record rec = { 0 };
	struct err e = { 0 };

	if (exitrec_read(s->record_fd, &rec, &e) < 0 || rec.phase == EXIT_NONE)
		exitrec_start(&rec, si->si_pid, ERR_IGNORED);
	if (rec.phase != EXIT_DONE) {
		exitrec_finish(&rec, si->si_code, si->si_status, was_oom_killed(s));
		if (exitrec_write(s->record_fd, &rec, &e) < 0)
			log_err("launcher: container '%s': %s", s->id, e.msg);
	}
	log_info("launcher: '%s' without a monitor has ended with %d", s->id, rec.code);
}

/* Our child by inheritance has ended. What went with its monitor before it came to its program has never been started. */
static void orphan_ended(struct launcher *l, struct slot *s, const siginfo_t *si)
{
	if (atomic_load(&s->page->marks.is_independent))
		record_end(s, si);
	atomic_store(&s->page->is_recorded, 1);
	clean_slot(l, s);
	launcher_tell_orphan(l, s, MSG_ORPHAN_EXITED);
}

/* A monitor is dead. Its program, when it still runs, is ours from now on. */
static void monitor_ended(struct launcher *l, struct slot *s, const siginfo_t *si)
{
	siginfo_t child = { 0 };

	s->monitor = 0;
	if (si->si_code != CLD_EXITED)
		log_warn("launcher: the monitor of '%s' was killed by signal %d", s->id, si->si_status);
	if (!atomic_load(&s->page->is_recorded) && s->page->marks.init > 0 &&
	    waitid(P_PID, (id_t)s->page->marks.init, &child, WEXITED | WNOHANG | WNOWAIT) == 0) {
		s->is_orphan = true;
		launcher_note_orphan(s);
		launcher_tell_orphan(l, s, MSG_ORPHAN);
		return;
	}
	end_slot(l, s);
}

static void child_ended(struct launcher *l, const siginfo_t *si)
{
	struct slot *s = slots_by_monitor(&l->slots, si->si_pid);

	if (s) {
		monitor_ended(l, s, si);
		return;
	}
	if (stems_forget(&l->stems, si->si_pid)) {
		log_warn("launcher: a stem ended with %d before its time", si->si_status);
		stems_failed(&l->stems, clock_mono_ns());
		return;
	}
	s = slots_by_init(&l->slots, si->si_pid);
	if (!s)
		return;
	orphan_ended(l, s, si);
	if (s->monitor == 0)
		end_slot(l, s);
}

static void reap(struct launcher *l)
{
	for (;;) {
		siginfo_t si = { 0 };

		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid == 0)
			return;
		/* What a dead monitor has said is read before its slot can go to another. */
		launcher_read_pokes(l);
		child_ended(l, &si);
		waitid(P_PID, (id_t)si.si_pid, &si, WEXITED | WNOHANG);
	}
}

void launcher_on_signals(struct launcher *l)
{
	struct signalfd_siginfo info;

	while (read(l->signal_fd, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGTERM)
			launcher_end(l);
	}
	reap(l);
}

/* --- what monitors ask for ------------------------------------------------------------------------- */

static void act_on_poke(struct launcher *l, const struct poke *p, int *fds, size_t n_fds)
{
	struct slot *s = p->slot < l->slots.n ? &l->slots.v[p->slot] : NULL;

	if (!s || !s->in_use)
		return;
	if (p->op == POKE_HOLD && s->held_fds[0] < 0) {
		for (size_t i = 0; i < n_fds; i++) {
			/* The monitor may be killed before it does so itself; a read must never keep us. */
			fd_set_nonblock(fds[i], true);
			s->held_fds[i] = launcher_keep_high(TAKE_FD(fds[i]));
		}
	} else if (p->op == POKE_ENDED && atomic_load(&s->page->is_recorded)) {
		slots_drop_held(s);
		clean_slot(l, s);
	}
}

void launcher_read_pokes(struct launcher *l)
{
	for (;;) {
		int fds[POKE_FDS_] = { -1, -1, -1 };
		size_t n_fds = 0;
		struct poke p;
		ssize_t n = fd_recv_msg(l->poke[0], &p, sizeof p, fds, POKE_FDS_, &n_fds);

		if (n < 0 && errno == EMSGSIZE)
			continue;
		if (n < 0)
			return;
		if (n == sizeof p)
			act_on_poke(l, &p, fds, n_fds);
		for (size_t i = 0; i < n_fds; i++)
			close_fd(&fds[i]);
	}
}

/* --- output of programs without a monitor ---------------------------------------------------------- */

static struct slot *next_orphan(struct launcher *l, size_t *at)
{
	while (*at < l->slots.n) {
		struct slot *s = &l->slots.v[(*at)++];

		if (s->in_use && s->is_orphan)
			return s;
	}
	return NULL;
}

size_t launcher_poll_orphans(struct launcher *l, struct pollfd *set, size_t n)
{
	size_t used = 0, at = 0;

	for (struct slot *s = next_orphan(l, &at); s; s = next_orphan(l, &at)) {
		for (int i = POKE_FD_OUT; i <= POKE_FD_ERR && used < n; i++) {
			if (s->held_fds[i] >= 0)
				set[used++] = (struct pollfd){ .fd = s->held_fds[i], .events = POLLIN };
		}
	}
	return used;
}

void launcher_drain_orphans(struct launcher *l)
{
	char junk[16384];
	size_t at = 0;

	for (struct slot *s = next_orphan(l, &at); s; s = next_orphan(l, &at)) {
		for (int i = POKE_FD_OUT; i <= POKE_FD_ERR; i++) {
			ssize_t n = s->held_fds[i] >= 0 ? read(s->held_fds[i], junk, sizeof junk) : -1;

			/* The end; or a terminal that nobody has open, whose closing hangs up nobody. */
			if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
				close_fd(&s->held_fds[i]);
		}
	}
}
