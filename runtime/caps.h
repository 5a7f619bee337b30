/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities: names to sets, by libcap's tables, before clone. The raw capset is STAGE_CAPS's. Only this module
 * sees <sys/capability.h>. Pure apart from asking the kernel for its highest capability.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

struct oci_capabilities;
struct stage_caps;

/**
 * caps_plan() - The sets of a process
 * @caps: borrows; NULL: none at all
 * @e:    ERR_INVALID a name that is no capability
 *
 * What the running kernel does not have is left out. The inheritable set is not taken from the document: it is
 * what is ambient, else programs would inherit powers through files (CVE-2022-29162).
 * Return: 0, or -1 with @e set
 */
int caps_plan(const struct oci_capabilities *caps, struct stage_caps *ret, struct err *e);

/**
 * caps_parse() - A list of names ("CAP_NET_ADMIN") as a set
 * @what: for the message: "bounding"
 * Return: 0, or -1 with @e set
 */
int caps_parse(const struct str_list *names, const char *what, uint64_t *ret, struct err *e);

/**
 * caps_last() - The highest capability that kernel and libcap know
 * Return: its number
 */
unsigned caps_last(void);

/**
 * caps_name() - Of a capability, as configurations have it: "CAP_CHOWN"
 * Return: nothing; "" for one without a name
 */
void caps_name(unsigned cap, char out[64]);
