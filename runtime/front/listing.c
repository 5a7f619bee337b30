/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/listing.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"

#define PASSWD_MAX_BYTES (1u << 20)

static const struct jfield listing_fields[] = {
	J_STRING(struct listing, oci_version, "ociVersion", 0),
	J_STRING(struct listing, id, "id", 0),
	J_I64(struct listing, pid, "pid", 0),
	J_STRING(struct listing, status, "status", 0),
	J_STRING(struct listing, bundle, "bundle", 0),
	J_STRING(struct listing, rootfs, "rootfs", 0),
	J_STRING(struct listing, created, "created", 0),
	J_MAP(struct listing, annotations, "annotations", J_OMIT_EMPTY),
	J_STRING(struct listing, owner, "owner", 0),
};
const struct jschema listing_schema = J_SCHEMA(struct listing, "runtime.md#state", listing_fields);

/* Without NSS: this program is not to load what a directory service needs. */
char *listing_owner(uid_t uid, struct arena *a)
{
	AUTO_FREE char *text = NULL;
	char *fields[3];
	uint64_t n;

	if (file_read(AT_FDCWD, "/etc/passwd", PASSWD_MAX_BYTES, &text, NULL, ERR_IGNORED) < 0)
		return arena_printf(a, "#%u", (unsigned)uid);
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
		for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
			fields[i] = strsep(&line, ":");
		if (fields[2] != NULL && str_to_u64(fields[2], &n) && n == uid && fields[0][0] != '\0')
			return arena_strdup(a, fields[0]);
	}
	return arena_printf(a, "#%u", (unsigned)uid);
}

int listing_of(const struct instance *i, struct listing *ret, struct err *e)
{
	static const struct instance_record half_made;
	const struct instance_record *rec = i->record != NULL ? i->record : &half_made;
	enum instance_status s;
	struct stat st;

	if (instance_status(i, &s, NULL, e) < 0)
		return -1;
	if (fstat(i->dir_fd, &st) < 0)
		return err_sys(e, "look at container '%s'", i->id);
	*ret = (struct listing){
		.oci_version = rec->oci_version,
		.id = arena_strdup(i->arena, i->id),
		.pid = s == INSTANCE_STOPPED ? 0 : rec->pid,
		.status = (char *)instance_status_name(s),
		.bundle = rec->bundle,
		.rootfs = rec->rootfs,
		.created = rec->created,
		.annotations = rec->annotations,
		.owner = listing_owner(st.st_uid, i->arena),
	};
	return 0;
}
