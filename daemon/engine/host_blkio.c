/* SPDX-License-Identifier: Apache-2.0 */
/* Block devices: what the kernel can limit, and which devices paths name. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "daemon/engine/host_facts.h"

#define ROOT "/sys/fs/cgroup"

/* --- what the kernel has --------------------------------------------------------------------------------- */

/* v2 shows the files in groups below the root, and only where the controller is on: any of those will do. */
static bool v2_group_has(const char *file, bool *ret_any)
{
	AUTO_DIR DIR *dir = opendir(ROOT);
	struct dirent *de;

	while (dir && (de = readdir(dir))) {
		AUTO_FREE char *stat_path = xasprintf(ROOT "/%s/io.stat", de->d_name);
		AUTO_FREE char *path = xasprintf(ROOT "/%s/%s", de->d_name, file);

		if (de->d_type != DT_DIR || de->d_name[0] == '.' || access(stat_path, F_OK) < 0)
			continue;
		*ret_any = true;
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static bool v2_has_io(void)
{
	AUTO_FREE char *text = NULL;
	char *rest;

	if (file_read(AT_FDCWD, ROOT "/cgroup.controllers", 4096, &text, NULL, ERR_IGNORED) < 0)
		return false;
	rest = text;
	for (char *name; (name = strsep(&rest, " \n")) != NULL;)
		if (str_eq(name, "io"))
			return true;
	return false;
}

static void read_v2(struct host_blkio *ret)
{
	bool is_any = false;

	/* The root has this file of io.cost's, which is who knows io.weight. */
	ret->has_weight = access(ROOT "/io.cost.qos", F_OK) == 0 || v2_group_has("io.bfq.weight", &is_any);
	ret->has_throttle = v2_group_has("io.max", &is_any) || (!is_any && v2_has_io());
}

/* v1: a root with bfq's statistics has groups with bfq's weights. */
static void read_v1(struct host_blkio *ret)
{
	ret->has_weight = access(ROOT "/blkio/blkio.weight", F_OK) == 0 ||
			  access(ROOT "/blkio/blkio.bfq.io_service_bytes", F_OK) == 0;
	ret->has_throttle = access(ROOT "/blkio/blkio.throttle.read_bps_device", F_OK) == 0;
}

void host_blkio_read(bool is_v2, struct host_blkio *ret)
{
	*ret = (struct host_blkio){ 0 };
	if (is_v2)
		read_v2(ret);
	else
		read_v1(ret);
}

/* --- which devices --------------------------------------------------------------------------------------- */

static int device_of(const char *path, int64_t *ret_major, int64_t *ret_minor, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, "stat %s", path);
	if (!S_ISBLK(st.st_mode))
		return err_set(e, ERR_INVALID, "limit block device '%s': it is no block device", path);
	*ret_major = major(st.st_rdev);
	*ret_minor = minor(st.st_rdev);
	return 0;
}

static int throttles(const struct opt_blkio_list *l, struct arena *a, struct oci_throttle **ret, size_t *ret_n, struct err *e)
{
	if (l->n == 0)
		return 0;
	*ret = arena_new_array(a, struct oci_throttle, l->n);
	for (size_t i = 0; i < l->n; i++) {
		struct oci_throttle *t = &(*ret)[(*ret_n)++];

		t->rate = l->v[i].amount;
		if (device_of(l->v[i].path, &t->major, &t->minor, e) < 0)
			return -1;
	}
	return 0;
}

static int device_weights(const struct opt_blkio_list *l, struct arena *a, struct oci_block_io *b, struct err *e)
{
	if (l->n == 0)
		return 0;
	b->weight_devices = arena_new_array(a, struct oci_weight_device, l->n);
	for (size_t i = 0; i < l->n; i++) {
		struct oci_weight_device *d = &b->weight_devices[b->n_weight_devices++];

		d->weight = (struct opt_u64){ l->v[i].amount != 0, l->v[i].amount };
		if (device_of(l->v[i].path, &d->major, &d->minor, e) < 0)
			return -1;
	}
	return 0;
}

int host_blkio_asked(const struct opt_host_config *h, struct arena *a, struct oci_block_io **ret, struct err *e)
{
	struct oci_block_io *b = arena_new_obj(a, struct oci_block_io);
	const struct opt_blkio_list *l = h->blkio;

	b->weight = (struct opt_u64){ h->blkio_weight > 0, (uint64_t)h->blkio_weight };
	if (device_weights(&l[OPT_BLKIO_WEIGHT_DEVICE], a, b, e) < 0 ||
	    throttles(&l[OPT_BLKIO_READ_BPS], a, &b->read_bps, &b->n_read_bps, e) < 0 ||
	    throttles(&l[OPT_BLKIO_WRITE_BPS], a, &b->write_bps, &b->n_write_bps, e) < 0 ||
	    throttles(&l[OPT_BLKIO_READ_IOPS], a, &b->read_iops, &b->n_read_iops, e) < 0 ||
	    throttles(&l[OPT_BLKIO_WRITE_IOPS], a, &b->write_iops, &b->n_write_iops, e) < 0)
		return -1;
	*ret = b;
	return 0;
}
