/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/front/destroy.h"

#include "base/log.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/front/hooks.h"
#include "runtime/front/unit.h"

#define LOCK_TIMEOUT_MS 10000

static int remove_group(const struct instance_record *rec, struct err *e)
{
	if (rec == NULL || str_is_empty(rec->cgroup_path))
		return 0;
	/* Two containers may have been given one group: the first of them has ended, and the other is in it */
	if (cgroup_is_of_another(rec->cgroup_path, rec->created))
		return 0;
	/* Nobody knows whether the group was made yet; it may be somebody else's. A process of ours of which was not written yet is ending */
	if (rec->pid == 0 && !rec->has_group) {
		if (cgroup_remove_empty(rec->cgroup_path, ERR_IGNORED) == 0 && rec->is_scope)
			unit_stop(rec->cgroup_path, ERR_IGNORED); /* systemd may not have heard of its end */
	} else if (cgroup_remove(rec->cgroup_path, e) < 0 || (rec->is_scope && unit_stop(rec->cgroup_path, e) < 0)) {
		return -1;
	}
	cgroup_remove_above(rec->cgroup_path);
	return 0;
}

int destroy_instance(struct instance *i, struct err *e)
{
	struct err why = { 0 };

	if (instance_lock(i, LOCK_TIMEOUT_MS, e) < 0 || remove_group(i->record, e) < 0)
		return -1;
	/* Twice rather than never, where somebody kills us. A configuration that cannot be read has none */
	if (i->record != NULL && i->record->pid != 0 && hooks_run_saved(i, HOOK_POSTSTOP, &why) < 0)
		log_warn("%s, there are no poststop hooks then", why.msg);
	return instance_remove(i, e);
}
