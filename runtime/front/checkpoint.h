/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: the processes of a container as files, written and brought back by CRIU. What CRIU cannot know is ours: which mounts and
 * descriptors are the host's, and where they come from at the restore. It is kept in the directory of the image, beside CRIU's files:
 *
 *   kiln.json    struct checkpoint_image
 *
 * An image is as powerful as a program of root's: CRIU gives the processes whatever it says. So the directory is one that only root can
 * write to, or put another in its place. All here is pure, but for checkpoint_look() and the directory.
 */
#pragma once

#include <sys/types.h>

#include "base/arena.h"
#include "base/json.h"

struct oci_config;

#define CHECKPOINT_VERSION 1

struct checkpoint_image {
	uint32_t version;       /* CHECKPOINT_VERSION */
	char *id;               /* of the container that was written */
	struct str_list fds;    /* of 0, 1 and 2, as CRIU names them: "pipe:[123]", "file[1a:2b]"; "": the container's own */
	struct str_list mounts; /* mount points that show something of the host's */
	char *net;              /* the network namespace that it had joined, "net[123]"; "": its own, or the host's */
};
extern const struct jschema checkpoint_image_schema;

/**
 * checkpoint_check() - Can a container of this configuration be written and brought back?
 * @e: ERR_UNSUPPORTED with the path to what keeps it from that
 * Return: 0, or -1 with @e set
 */
int checkpoint_check(const struct oci_config *config, struct err *e);

/**
 * checkpoint_mounts() - Which of its mounts are the host's
 * @mountinfo: text of /proc/PID/mountinfo
 * @ret:       in @a
 * Return: nothing
 */
void checkpoint_mounts(const struct oci_config *config, const char *mountinfo, struct arena *a, struct str_list *ret);

/**
 * checkpoint_source() - What such a mount shows after a restore
 * @bundle: absolute; what relative sources are below
 * @e:      ERR_INVALID the configuration has no such mount
 * Return: in @a, or NULL with @e set
 */
const char *checkpoint_source(const struct oci_config *config, const char *bundle, const char *mount, struct arena *a, struct err *e);

/**
 * checkpoint_look() - What is to be known of a container that runs
 * @pid: its first process
 * @ret: in @a
 * Return: 0, or -1 with @e set
 */
int checkpoint_look(const struct oci_config *config, const char *id, pid_t pid, struct arena *a, struct checkpoint_image *ret, struct err *e);

/**
 * checkpoint_open_dir() - The directory of an image, which only root can write to, as are those above it
 * @makes:    make it when it is not there, 0700
 * @ret_path: in @a; where it is, with no link on the way
 * @e:        ERR_NOT_FOUND; ERR_DENIED others can write to it, or put another in its place
 * Return: owned, or -1 with @e set
 */
int checkpoint_open_dir(const char *dir, bool makes, struct arena *a, const char **ret_path, struct err *e);

/**
 * checkpoint_check_parent() - The same of the image that one is based on: half of the memory comes from there
 * @image:  of checkpoint_open_dir()
 * @parent: relative to it
 * @e:      ERR_NOT_FOUND; ERR_DENIED
 * Return: 0, or -1 with @e set
 */
int checkpoint_check_parent(const char *image, const char *parent, struct arena *a, struct err *e);

/**
 * checkpoint_check_parents() - The same of all images below one that is there
 * @e: ERR_NOT_FOUND; ERR_DENIED; ERR_INVALID too many
 * Return: 0, or -1 with @e set
 */
int checkpoint_check_parents(const char *image, struct arena *a, struct err *e);

/**
 * checkpoint_save(), checkpoint_load() - kiln.json
 * @e: of checkpoint_load(): ERR_NOT_FOUND, ERR_INVALID, ERR_UNSUPPORTED it is of another version
 * Return: 0, or -1 with @e set
 */
int checkpoint_save(int dir_fd, const struct checkpoint_image *image, struct err *e);
int checkpoint_load(int dir_fd, struct arena *a, struct checkpoint_image **ret, struct err *e);
