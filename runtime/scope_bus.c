/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * StartTransientUnit() makes the scope around the process. When one of that name is there (this launcher comes after
 * another one that died), AttachProcessesToUnit() puts the process into it. A scope whose last process has just ended
 * is neither: it is there, but takes nobody; the two are tried in turn until one works or time is up. The calls
 * only queue a job; it is done when /proc/PID/cgroup says so.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/scope.h"

#define LIBRARY       "libsystemd.so.0"
#define CALL_USEC     ((uint64_t)SCOPE_WAIT_MS * 1000)
#define NAP_NS        10000000
#define STOP_USEC     15000000   /* of the scope: what does not end by then is killed */
#define SHUTDOWN_UNIT "kiln-shutdown.service"   /* is stopped before us, and stops containers by their own signals */
#define MANAGER       "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"

/* What we use of libsystemd. */
struct bus {
	__typeof__(&sd_bus_open_system) open_system;
	__typeof__(&sd_bus_set_method_call_timeout) set_method_call_timeout;
	__typeof__(&sd_bus_call_method) call_method;
	sd_bus *bus;
};

static void nap(void)
{
	struct timespec t = { .tv_nsec = NAP_NS };

	nanosleep(&t, NULL);
}

static int load_one(void *library, const char *name, void *ret, struct err *e)
{
	void *symbol = dlsym(library, name);

	if (!symbol)
		return err_set(e, ERR_UNSUPPORTED, LIBRARY " has no '%s'", name);
	memcpy(ret, &symbol, sizeof(symbol));   /* a pointer to a function is no void * to ISO C */
	return 0;
}

static int bus_open(struct bus *b, struct err *e)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	int code;

	if (!library)
		return err_set(e, ERR_UNSUPPORTED, "load " LIBRARY ": %s", dlerror());
	if (load_one(library, "sd_bus_open_system", &b->open_system, e) < 0 ||
	    load_one(library, "sd_bus_set_method_call_timeout", &b->set_method_call_timeout, e) < 0 ||
	    load_one(library, "sd_bus_call_method", &b->call_method, e) < 0)
		return -1;
	code = b->open_system(&b->bus);
	if (code < 0)
		return err_set(e, ERR_SYSTEM, "connect to the system bus: %s", strerror(-code));
	b->set_method_call_timeout(b->bus, CALL_USEC);
	return 0;
}

/* Unlimited tasks: each container has its own limit. Collected also when failed, so that its name is free again. */
static int start_unit(struct bus *b, const struct scopename *s, pid_t pid, sd_bus_error *why)
{
	return b->call_method(b->bus, MANAGER, "StartTransientUnit", why, NULL, "ssa(sv)a(sa(sv))", s->unit, "fail",
			      8,
			      "Description", "s", "Kiln's containers, their monitors and the launcher",
			      "Slice", "s", s->slice,
			      "PIDs", "au", 1, (uint32_t)pid,
			      "Delegate", "b", 1,
			      "Before", "as", 1, SHUTDOWN_UNIT,
			      "CollectMode", "s", "inactive-or-failed",
			      "TasksMax", "t", UINT64_MAX,
			      "TimeoutStopUSec", "t", (uint64_t)STOP_USEC,
			      0);
}

static int attach(struct bus *b, const struct scopename *s, const char *below, pid_t pid, sd_bus_error *why)
{
	return b->call_method(b->bus, MANAGER, "AttachProcessesToUnit", why, NULL, "ssau", s->unit, below, 1,
			      (uint32_t)pid);
}

static bool is_named(const sd_bus_error *error, const char *name)
{
	return error->name && str_ends(error->name, name);
}

/* Return: 0 when one of the two was accepted, 1 when it is worth another try, or -1 with @e set */
static int try_once(struct bus *b, const struct scopename *s, const char *below, pid_t pid, struct err *e)
{
	sd_bus_error start_error = SD_BUS_ERROR_NULL, attach_error = SD_BUS_ERROR_NULL;
	int code = start_unit(b, s, pid, &start_error);

	if (code >= 0)
		return 0;
	err_set(e, ERR_SYSTEM, "start '%s': %s", s->unit, start_error.message ? start_error.message : strerror(-code));
	if (!is_named(&start_error, ".UnitExists"))
		return -1;
	code = attach(b, s, below, pid, &attach_error);
	if (code >= 0)
		return 0;
	err_set(e, ERR_SYSTEM, "join '%s': %s", s->unit, attach_error.message ? attach_error.message : strerror(-code));
	return 1;
}

int scope_bus_move(const char *parent, const char *below, pid_t pid, struct err *e)
{
	int64_t until_ns = clock_mono_ns() + (int64_t)SCOPE_WAIT_MS * 1000000;
	struct scopename s;
	struct bus b = { 0 };
	int again = 1;

	if (scopename_parse(parent, &s, e) < 0 || bus_open(&b, e) < 0)
		return -1;
	while (again == 1 && clock_mono_ns() < until_ns) {
		again = try_once(&b, &s, below, pid, e);
		if (again == 1)
			nap();
	}
	if (again != 0)
		return -1;
	while (!scope_holds(parent, pid)) {
		if (clock_mono_ns() > until_ns)
			return err_set(e, ERR_TIMEOUT, "systemd has not put process %d into '%s' within %d s", pid, parent,
				       SCOPE_WAIT_MS / 1000);
		nap();
	}
	return 0;
}
