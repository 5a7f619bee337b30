/* SPDX-License-Identifier: Apache-2.0 */
/* Weights and throttles of block devices. Spec: moby daemon/daemon_unix.go verifyPlatformContainerResources() */
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "oci/options_parts.h"

#define DEVICES_MAX 64     /* of one kind: their lines must fit in one value for libcgroup */
#define WEIGHT_MIN  10
#define WEIGHT_MAX  1000

static int check_devices(const struct opt_blkio_list *l, const char *what, bool is_weight, struct err *e)
{
	if (l->n > DEVICES_MAX)
		return err_set(e, ERR_INVALID, "HostConfig.%s: more than %d devices", what, DEVICES_MAX);
	for (size_t i = 0; i < l->n; i++) {
		const struct opt_blkio *b = &l->v[i];

		if (str_is_empty(b->path) || b->path[0] != '/')
			return err_set(e, ERR_INVALID, "HostConfig.%s: '%.200s' is not the path of a device", what,
				       b->path ? b->path : "");
		if (is_weight && b->amount != 0 && (b->amount < WEIGHT_MIN || b->amount > WEIGHT_MAX))
			return err_set(e, ERR_INVALID, "Range of blkio weight is from %d to %d", WEIGHT_MIN, WEIGHT_MAX);
	}
	return 0;
}

/* Docker's words for what the kernel has not */
static const struct {
	const char *field, *missing, *discarded;
} kinds[OPT_BLKIO_KINDS_] = {
	[OPT_BLKIO_WEIGHT_DEVICE] = { "BlkioWeightDevice", "Block I/O weight_device", "Weight-device" },
	[OPT_BLKIO_READ_BPS] = { "BlkioDeviceReadBps", "BPS Block I/O read limit", "Block I/O BPS read limit" },
	[OPT_BLKIO_WRITE_BPS] = { "BlkioDeviceWriteBps", "BPS Block I/O write limit", "Block I/O BPS write limit" },
	[OPT_BLKIO_READ_IOPS] = { "BlkioDeviceReadIOps", "IOPS Block read limit", "Block I/O IOPS read limit" },
	[OPT_BLKIO_WRITE_IOPS] = { "BlkioDeviceWriteIOps", "IOPS Block write limit", "Block I/O IOPS write limit" },
};

bool options_asks_blkio(const struct opt_host_config *h)
{
	bool asks = h->blkio_weight != 0;

	for (int i = 0; i < OPT_BLKIO_KINDS_; i++)
		asks = asks || h->blkio[i].n > 0;
	return asks;
}

int options_check_blkio(const struct opt_host_config *h, struct err *e)
{
	if (h->blkio_weight != 0 && (h->blkio_weight < WEIGHT_MIN || h->blkio_weight > WEIGHT_MAX))
		return err_set(e, ERR_INVALID, "Range of blkio weight is from %d to %d", WEIGHT_MIN, WEIGHT_MAX);
	for (int i = 0; i < OPT_BLKIO_KINDS_; i++)
		if (check_devices(&h->blkio[i], kinds[i].field, i == OPT_BLKIO_WEIGHT_DEVICE, e) < 0)
			return -1;
	return 0;
}

void options_adapt_blkio(struct opt_host_config *h, const struct options_host *host, struct str_list *warnings, struct arena *a)
{
	if (h->blkio_weight != 0 && !host->has_io_weight) {
		h->blkio_weight = 0;
		options_warn(warnings, "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.", a);
	}
	for (int i = 0; i < OPT_BLKIO_KINDS_; i++) {
		bool has = i == OPT_BLKIO_WEIGHT_DEVICE ? host->has_io_weight : host->has_io_throttle;

		if (h->blkio[i].n == 0 || has)
			continue;
		h->blkio[i] = (struct opt_blkio_list){0};
		options_warn(warnings, arena_printf(a, "Your kernel does not support %s or the cgroup is not mounted. %s discarded.",
						    kinds[i].missing, kinds[i].discarded), a);
	}
}
