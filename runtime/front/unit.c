/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "base/scopename.h"
#include "base/str.h"
#include "oci/runtime_config.h"
#include "runtime/cgroup.h"
#include "runtime/cgroup_limits.h"
#include "runtime/scope_bus.h"
#include "runtime/unitprops.h"

int unit_check(struct err *e)
{
	if (!scopename_is_systemd())
		return err_set(e, ERR_UNSUPPORTED, "--systemd-cgroup: there is no systemd here to make control groups");
	if (!cgroup_layout()->is_v2)
		return err_set(e, ERR_UNSUPPORTED, "--systemd-cgroup: it needs cgroup v2 alone, and hierarchies of v1 are mounted");
	return 0;
}

static const char *unit_of(const char *cgroup_path)
{
	return strrchr(cgroup_path, '/') + 1;
}

/* --- planning ---------------------------------------------------------------------------------------------------------- */

/* The last part of what is above the scope; "-.slice" for the root. */
static const char *slice_of(const char *cgroup_path, struct arena *a)
{
	size_t n = (size_t)(strrchr(cgroup_path, '/') - cgroup_path);
	const char *above = arena_strndup(a, cgroup_path, n);

	return n == 0 ? "-.slice" : strrchr(above, '/') + 1;
}

/* Who is not given a limit of tasks has none: systemd's default is for services. */
int unit_plan(const struct oci_config *config, const char *id, const char *cgroup_path, struct arena *a, struct unit_props **ret, struct err *e)
{
	const struct unit_prop base[] = {
		{ "Description", UNIT_TEXT, 0, arena_printf(a, "kiln-runtime's container %s", id), 0 },
		{ "Slice", UNIT_TEXT, 0, slice_of(cgroup_path, a), 0 },
		{ "Delegate", UNIT_BOOL, true, NULL, 0 },
		{ "DefaultDependencies", UNIT_BOOL, false, NULL, 0 },
		{ "CollectMode", UNIT_TEXT, 0, "inactive-or-failed", 0 },
		{ "MemoryAccounting", UNIT_BOOL, true, NULL, 0 },
		{ "CPUAccounting", UNIT_BOOL, true, NULL, 0 },
		{ "IOAccounting", UNIT_BOOL, true, NULL, 0 },
		{ "TasksAccounting", UNIT_BOOL, true, NULL, 0 },
		{ "TasksMax", UNIT_U64, UINT64_MAX, NULL, 0 },
	};
	struct unit_props *p = arena_new_obj(a, struct unit_props);
	struct cgroup_values values;

	for (size_t i = 0; i < ARRAY_SIZE(base); i++)
		unitprops_add(p, base[i]);
	if (cgroup_limits(config->linux_ != NULL ? config->linux_->resources : NULL, true, a, &values, e) < 0)
		return -1;
	if (unitprops_limits(&values, a, p, e) < 0)
		return err_wrap(e, "linux.resources");
	*ret = p;
	return unitprops_annotations(&config->annotations, a, p, e);
}

/* --- the holder -------------------------------------------------------------------------------------------------------- */

/* The holder's side. What it has to say is a struct err, or nothing. */
static _Noreturn void hold(struct unit_props props, const char *unit, pid_t parent, int report_fd, int release_fd)
{
	struct scope_bus *b = NULL;
	struct err e = { 0 };
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	unitprops_add(&props, (struct unit_prop){ "PIDs", UNIT_PID, (uint64_t)getpid(), NULL, 0 });
	if (getppid() != parent || scope_bus_open(&b, &e) < 0 || scope_bus_start(b, unit, &props, &e) < 0) {
		(void)!write(report_fd, &e, sizeof(e));
		_exit(EXIT_FAILURE);
	}
	scope_bus_close(b);
	close(report_fd);
	while (read(release_fd, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static int make_pipe(int *ret_reader, int *ret_writer, struct err *e)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	*ret_reader = ends[0];
	*ret_writer = ends[1];
	return 0;
}

static int hear(int report_fd, struct err *e)
{
	struct err said;
	ssize_t n;

	while ((n = read(report_fd, &said, sizeof(said))) < 0 && errno == EINTR)
		;
	if (n == 0)
		return 0;
	if (n != sizeof(said))
		return err_set(e, ERR_INTERNAL, "hear from who speaks to systemd");
	*e = said;
	return -1;
}

int unit_start(const struct unit_props *props, const char *cgroup_path, struct unit_holder *ret, struct err *e)
{
	struct unit_holder h = UNIT_HOLDER_EMPTY;
	AUTO_CLOSE int report = -1, report_end = -1, release_end = -1;
	pid_t parent = getpid();

	if (make_pipe(&report, &report_end, e) < 0 || make_pipe(&release_end, &h.release_fd, e) < 0)
		return -1;
	h.pid = fork();
	if (h.pid == 0) {
		close(h.release_fd);
		hold(*props, unit_of(cgroup_path), parent, report_end, release_end);
	}
	if (h.pid < 0) {
		err_sys(e, "fork");
		close_fd(&h.release_fd);
		return -1;
	}
	close_fd(&report_end);
	if (hear(report, e) < 0 || scope_bus_wait(cgroup_path, h.pid, e) < 0) {
		unit_let_go(&h);
		return err_wrap(e, "--systemd-cgroup");
	}
	*ret = h;
	return 0;
}

void unit_let_go(struct unit_holder *h)
{
	close_fd(&h->release_fd);
	if (h->pid <= 0)
		return;
	kill(h->pid, SIGKILL);
	while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	h->pid = 0;
}

/* --- later ------------------------------------------------------------------------------------------------------------- */

int unit_update(const char *cgroup_path, const struct cgroup_values *values, struct err *e)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct unit_props p = { .n = 0 };
	struct scope_bus *b = NULL;
	int done;

	if (unitprops_limits(values, a, &p, e) < 0)
		return -1;
	if (p.n == 0)
		return 0;
	if (scope_bus_open(&b, e) < 0)
		return -1;
	done = scope_bus_set(b, unit_of(cgroup_path), &p, e);
	scope_bus_close(b);
	return done;
}

int unit_stop(const char *cgroup_path, struct err *e)
{
	struct scope_bus *b = NULL;
	int done;

	if (scope_bus_open(&b, e) < 0)
		return -1;
	done = scope_bus_stop(b, unit_of(cgroup_path), e);
	scope_bus_close(b);
	return done;
}
