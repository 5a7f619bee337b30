/* SPDX-License-Identifier: Apache-2.0 */
/* The schema, version by version. PRAGMA user_version tells how many steps a database has seen. */
#include <errno.h>
#include <sqlite3.h>

#include "base/own.h"
#include "base/str.h"
#include "daemon/state_priv.h"

/* Step n makes version n+1 of version n. Steps that were released are never changed. */
static const char *const steps[] = {
	"CREATE TABLE containers ("
	"  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, image_id TEXT NOT NULL, options TEXT NOT NULL,"
	"  runtime TEXT NOT NULL, created_wall_ns INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE images (id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE tags (reference TEXT PRIMARY KEY, image_id TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE layers (diff_id TEXT PRIMARY KEY, dir TEXT NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;",
};

int err_sqlite(struct err *e, sqlite3 *db, const char *what)
{
	int sys = 0;

	/* SQLite keeps the kernel's word only here and there: it is still in errno, if need be, behind a call that failed. */
	if (sqlite3_errcode(db) == SQLITE_FULL)
		sys = ENOSPC;
	else if (sqlite3_errcode(db) == SQLITE_IOERR || sqlite3_errcode(db) == SQLITE_CANTOPEN)
		sys = sqlite3_system_errno(db) ? sqlite3_system_errno(db) : errno;
	if (sys == 0)
		return err_set(e, ERR_SYSTEM, "%s: %s", what, sqlite3_errmsg(db));
	/* What the kernel said tells more than SQLite's words for it. */
	errno = sys;
	err_sys(e, "%s", what);
	e->kind = ERR_SYSTEM;
	return -1;
}

static int read_version(sqlite3 *db, size_t *ret, struct err *e)
{
	sqlite3_stmt *q = NULL;
	int rc;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &q, NULL) != SQLITE_OK)
		return err_sqlite(e, db, "read the schema's version");
	rc = sqlite3_step(q);
	if (rc == SQLITE_ROW)
		*ret = (size_t)sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return rc == SQLITE_ROW ? 0 : err_sqlite(e, db, "read the schema's version");
}

bool state_schema_is_new(sqlite3 *db)
{
	size_t version = 0;

	return read_version(db, &version, ERR_IGNORED) == 0 && version == 0;
}

int state_schema_upgrade(sqlite3 *db, struct err *e)
{
	AUTO_STRBUF struct strbuf sql = { 0 };
	size_t version = 0;

	if (read_version(db, &version, e) < 0)
		return -1;
	if (version > ARRAY_SIZE(steps))
		return err_set(e, ERR_CONFLICT, "the database is of a newer Kiln (schema %zu, this one knows %zu)",
			       version, ARRAY_SIZE(steps));
	if (version == ARRAY_SIZE(steps))
		return 0;
	/* All in one: what is cut off anywhere has not happened, and the next start does it again. */
	strbuf_adds(&sql, "BEGIN IMMEDIATE; ");
	for (; version < ARRAY_SIZE(steps); version++)
		strbuf_adds(&sql, steps[version]);
	strbuf_addf(&sql, "PRAGMA user_version = %zu; COMMIT", version);
	if (sqlite3_exec(db, strbuf_cstr(&sql), NULL, NULL, NULL) != SQLITE_OK) {
		err_sqlite(e, db, "upgrade the schema");
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
		return -1;
	}
	return 0;
}
