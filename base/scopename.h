/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of systemd's scopes: a control group whose last part ends in ".scope" is a unit of systemd's, the part above
 * it the slice that it lies in. Under systemd Kiln's containers live in one: "/system.slice/kiln.scope". Pure, but for
 * scopename_is_systemd().
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

#define SCOPENAME_PARENT_MAX 134   /* of the group: a container's id goes behind it */
#define SCOPENAME_LEAF       "launcher"   /* where launcher and monitors are: cgroup v2 wants processes in leaves only */

struct scopename {
	char unit[256];              /* "kiln.scope" */
	char slice[256];             /* "system.slice"; "-.slice" for the root */
};

/**
 * scopename_is_systemd() - Is PID 1 systemd, as sd_booted(3) finds out?
 * Return: that
 */
bool scopename_is_systemd(void);

/**
 * scopename_is_scope() - Is this control group to be asked of systemd?
 * @parent: absolute path
 * Return: true when its last part is "NAME.scope"
 */
bool scopename_is_scope(const char *parent);

/**
 * scopename_parse() - Unit and slice of such a group
 * @e: ERR_INVALID what is above it is no slice as systemd names them ("/a.slice/a-b.slice")
 * Return: 0, or -1 with @e set
 */
int scopename_parse(const char *parent, struct scopename *ret, struct err *e);

#define SCOPENAME_SLICE_DEFAULT "system.slice"
#define SCOPENAME_PATH_MAX      200   /* what the path of a control group may have */

/**
 * scopename_of_container() - The scope that a configuration's cgroupsPath asks of the systemd driver
 * @text: "slice:prefix:name", as runc and crun have it: the scope is "prefix-name.scope"; without a slice it lies in
 *        system.slice, "-" is the root; without a prefix "-name.scope". NULL or "": ":kiln:<id>"
 * @id:   of the container
 * @e:    ERR_INVALID it has another form; a part is no name of systemd's, or names what is no scope
 * Return: 0, or -1 with @e set
 */
int scopename_of_container(const char *text, const char *id, struct scopename *ret, struct err *e);

/**
 * scopename_path() - The control group of a scope: "/a.slice/a-b.slice/x.scope"
 * @s: as scopename_of_container() has made it
 * Return: owned
 */
char *scopename_path(const struct scopename *s);

/**
 * scopename_default() - The group of the kilnd with this exec root
 * @exec_root: absolute; the usual one gives "/system.slice/kiln.scope", another one is part of the name, escaped as
 *             systemd-escape(1) does, so that daemons beside each other do not meet
 * @e:         ERR_INVALID it is too long for that
 * Return: owned, or NULL with @e set
 */
char *scopename_default(const char *exec_root, struct err *e);

/**
 * scopename_has_process() - Does the text of /proc/PID/cgroup show a process in this group, or in its leaf?
 * Return: that
 */
bool scopename_has_process(const char *text, const char *parent);
