/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * StartTransientUnit() makes a scope around a process, AttachProcessesToUnit() puts a process into one, and both only queue
 * a job: it is done when /proc/PID/cgroup says so. A scope is gone with its last process, in its own time: StopUnit() of one that is
 * going is another job, and GetUnit() tells when it is over.
 */
#include "runtime/scope_bus.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "runtime/scope.h"
#include "runtime/unitprops.h"

#define LIBRARY   "libsystemd.so.0"
#define CALL_USEC ((uint64_t)SCOPE_WAIT_MS * 1000)
#define NAP_NS    10000000
#define SERVICE   "org.freedesktop.systemd1"
#define OBJECT    "/org/freedesktop/systemd1"
#define MANAGER   "org.freedesktop.systemd1.Manager"

/* What we use of libsystemd. */
#define LIBRARY_FUNCTIONS(X) \
	X(open_system)       \
	X(flush_close_unref) \
	X(set_method_call_timeout) \
	X(call)              \
	X(message_new_method_call) \
	X(message_append)    \
	X(message_append_array) \
	X(message_open_container) \
	X(message_close_container) \
	X(message_unref)     \
	X(error_free)

struct scope_bus {
#define MEMBER(name) __typeof__(&sd_bus_##name) name;
	LIBRARY_FUNCTIONS(MEMBER)
#undef MEMBER
	sd_bus *bus;
};

static void nap(void)
{
	struct timespec t = { .tv_nsec = NAP_NS };

	nanosleep(&t, NULL);
}

/* --- the library ----------------------------------------------------------------------------------------------------- */

static int load_one(void *library, const char *name, void *ret, struct err *e)
{
	void *symbol = dlsym(library, name);

	if (!symbol)
		return err_set(e, ERR_UNSUPPORTED, LIBRARY " has no '%s'", name);
	memcpy(ret, &symbol, sizeof(symbol));   /* a pointer to a function is no void * to ISO C */
	return 0;
}

static int load(struct scope_bus *b, struct err *e)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return err_set(e, ERR_UNSUPPORTED, "load " LIBRARY ": %s", dlerror());
#define LOAD(name) \
	if (load_one(library, "sd_bus_" #name, &b->name, e) < 0) \
		return -1;
	LIBRARY_FUNCTIONS(LOAD)
#undef LOAD
	return 0;
}

int scope_bus_open(struct scope_bus **ret, struct err *e)
{
	AUTO_FREE struct scope_bus *b = xcalloc(1, sizeof(*b));
	int code;

	if (load(b, e) < 0)
		return -1;
	code = b->open_system(&b->bus);
	if (code < 0)
		return err_set(e, ERR_SYSTEM, "connect to the system bus: %s", strerror(-code));
	b->set_method_call_timeout(b->bus, CALL_USEC);
	*ret = TAKE_PTR(b);
	return 0;
}

void scope_bus_close(struct scope_bus *b)
{
	if (b == NULL)
		return;
	b->flush_close_unref(b->bus);
	free(b);
}

/* --- calls ------------------------------------------------------------------------------------------------------------ */

/* A call in the making. What fails on the way is found when it is sent. */
struct call {
	struct scope_bus *b;
	sd_bus_message *m; /* owned */
	int code;          /* the first that failed; 0 */
	const char *what, *unit;
};

#define DO(c, expression) ((c)->code >= 0 ? (void)((c)->code = (expression)) : (void)0)

static struct call call_begin(struct scope_bus *b, const char *method, const char *what, const char *unit)
{
	struct call c = { .b = b, .what = what, .unit = unit };

	DO(&c, b->message_new_method_call(b->bus, &c.m, SERVICE, OBJECT, MANAGER, method));
	return c;
}

static void add_texts(struct call *c, char *const *texts)
{
	DO(c, c->b->message_open_container(c->m, 'a', "s"));
	for (; *texts != NULL; texts++)
		DO(c, c->b->message_append(c->m, "s", *texts));
	DO(c, c->b->message_close_container(c->m));
}

static const char *const signatures[] = {
	[UNIT_BOOL] = "b", [UNIT_U64] = "t", [UNIT_SIGNAL] = "i", [UNIT_TEXT] = "s",
	[UNIT_TEXTS] = "as", [UNIT_BYTES] = "ay", [UNIT_PID] = "au",
};

static void add_value(struct call *c, const struct unit_prop *p)
{
	switch (p->type) {
	case UNIT_TEXT:
		DO(c, c->b->message_append(c->m, "s", p->data));
		return;
	case UNIT_TEXTS:
		add_texts(c, p->data);
		return;
	case UNIT_BYTES:
		DO(c, c->b->message_append_array(c->m, 'y', p->data, p->n));
		return;
	case UNIT_PID:
		DO(c, c->b->message_append(c->m, "au", 1, (uint32_t)p->number));
		return;
	case UNIT_U64:
		DO(c, c->b->message_append(c->m, "t", p->number));
		return;
	default:
		DO(c, c->b->message_append(c->m, signatures[p->type], (int)p->number));
	}
}

static void add_props(struct call *c, const struct unit_props *props)
{
	DO(c, c->b->message_open_container(c->m, 'a', "(sv)"));
	for (size_t i = 0; i < props->n; i++) {
		DO(c, c->b->message_open_container(c->m, 'r', "sv"));
		DO(c, c->b->message_append(c->m, "s", props->v[i].name));
		DO(c, c->b->message_open_container(c->m, 'v', signatures[props->v[i].type]));
		add_value(c, &props->v[i]);
		DO(c, c->b->message_close_container(c->m));
		DO(c, c->b->message_close_container(c->m));
	}
	DO(c, c->b->message_close_container(c->m));
}

static enum err_kind kind_of(const char *name)
{
	if (name != NULL && str_ends(name, ".UnitExists"))
		return ERR_CONFLICT;
	return name != NULL && str_ends(name, ".NoSuchUnit") ? ERR_NOT_FOUND : ERR_SYSTEM;
}

static int call_send(struct call *c, struct err *e)
{
	sd_bus_error why = SD_BUS_ERROR_NULL;

	DO(c, c->b->call(c->b->bus, c->m, 0, &why, NULL));
	if (c->code < 0)
		err_set(e, kind_of(why.name), "%s '%s': %s", c->what, c->unit, why.message != NULL ? why.message : strerror(-c->code));
	c->b->error_free(&why);
	c->b->message_unref(c->m);
	return c->code < 0 ? -1 : 0;
}

int scope_bus_start(struct scope_bus *b, const char *unit, const struct unit_props *props, struct err *e)
{
	struct call c = call_begin(b, "StartTransientUnit", "start", unit);

	DO(&c, b->message_append(c.m, "ss", unit, "fail"));
	add_props(&c, props);
	DO(&c, b->message_append(c.m, "a(sa(sv))", 0));
	return call_send(&c, e);
}

int scope_bus_attach(struct scope_bus *b, const char *unit, const char *below, pid_t pid, struct err *e)
{
	struct call c = call_begin(b, "AttachProcessesToUnit", "join", unit);

	DO(&c, b->message_append(c.m, "ssau", unit, below, 1, (uint32_t)pid));
	return call_send(&c, e);
}

int scope_bus_set(struct scope_bus *b, const char *unit, const struct unit_props *props, struct err *e)
{
	struct call c = call_begin(b, "SetUnitProperties", "change", unit);

	DO(&c, b->message_append(c.m, "sb", unit, 1));
	add_props(&c, props);
	return call_send(&c, e);
}

static int call_unit(struct scope_bus *b, const char *method, const char *what, const char *unit, const char *mode, struct err *e)
{
	struct call c = call_begin(b, method, what, unit);

	DO(&c, b->message_append(c.m, "s", unit));
	if (mode != NULL)
		DO(&c, b->message_append(c.m, "s", mode));
	return call_send(&c, e);
}

int scope_bus_stop(struct scope_bus *b, const char *unit, struct err *e)
{
	int64_t until_ns = clock_mono_ns() + (int64_t)SCOPE_WAIT_MS * 1000000;

	if (call_unit(b, "StopUnit", "stop", unit, "replace", e) < 0 && e->kind != ERR_NOT_FOUND)
		return -1;
	while (call_unit(b, "GetUnit", "find", unit, NULL, e) == 0) {
		if (clock_mono_ns() > until_ns)
			return err_set(e, ERR_TIMEOUT, "systemd has not stopped '%s' within %d s", unit, SCOPE_WAIT_MS / 1000);
		nap();
	}
	return e->kind == ERR_NOT_FOUND ? 0 : -1;
}

int scope_bus_wait(const char *path, pid_t pid, struct err *e)
{
	int64_t until_ns = clock_mono_ns() + (int64_t)SCOPE_WAIT_MS * 1000000;

	while (!scope_holds(path, pid)) {
		if (clock_mono_ns() > until_ns)
			return err_set(e, ERR_TIMEOUT, "systemd has not put process %d into '%s' within %d s", pid, path,
				       SCOPE_WAIT_MS / 1000);
		nap();
	}
	return 0;
}
