/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What containers need to know about this machine. Reads /proc and /dev; fast, but for workers
 * where marked.
 */
#pragma once

#include "daemon/engine/engine_impl.h"

/**
 * host_facts_read() - Host name, highest capability, online processors
 * Return: nothing; what cannot be read gets a safe value
 */
void host_facts_read(struct host_facts *ret);

/**
 * host_options() - The same for the rules of options; what is said of block devices is not read
 * Return: that
 */
struct options_host host_options(const struct engine *eng);

/* What the kernel can do about block devices */
struct host_blkio {
	bool has_weight, has_throttle;
};

/**
 * host_blkio_read() - Can block devices be weighed and throttled? Schedulers come and go: asked when it matters
 * Return: nothing
 */
void host_blkio_read(bool is_v2, struct host_blkio *ret);

/**
 * host_blkio_asked() - HostConfig.Blkio… with the numbers of the devices (for workers)
 * @h:   borrows; validated
 * @ret: in @a
 * @e:   names the path
 * Return: 0, or -1 with @e set
 */
int host_blkio_asked(const struct opt_host_config *h, struct arena *a, struct oci_block_io **ret, struct err *e);

/**
 * host_devices() - What is in /dev, for privileged containers (walks /dev: for workers)
 * @ret: array in @a; pts, shm, mqueue, fd and the console are left out, as docker does
 * Return: nothing
 */
void host_devices(struct arena *a, struct oci_device **ret, size_t *ret_n);

/**
 * host_devices_asked() - What HostConfig.Devices names, a directory with all below it (for workers)
 * @h:   borrows; validated
 * @ret: array of @ret_n in @a
 * @e:   names the path
 * Return: 0, or -1 with @e set
 */
int host_devices_asked(const struct opt_host_config *h, struct arena *a, struct bundle_device **ret, size_t *ret_n,
		       struct err *e);
