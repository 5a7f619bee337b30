/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which devices a container may use: the rules of a configuration, and the two ways of telling the kernel (lines
 * for v1's devices controller, an eBPF program on the v2 group). The last rule that matches decides.
 *
 * Spec: runtime-spec config-linux.md#allowed-device-list
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct bpf_insn;
struct oci_resources;

enum device_access {
	DEVICE_MKNOD = 1,
	DEVICE_READ = 2,
	DEVICE_WRITE = 4,
	DEVICE_ALL = 7
}; /* as BPF_DEVCG_ACC_* */
#define DEVICE_ANY           (-1)
#define DEVICE_RULE_TEXT_MAX 64

struct device_rule {
	bool allow;
	char type;            /* 'a', 'b', 'c' */
	int64_t major, minor; /* DEVICE_ANY: all */
	unsigned access;      /* enum device_access */
};

/**
 * devices_rules() - The rules of a configuration, and behind a denial of everything the devices that every container has
 * @resources: borrows
 * @ret:       array of @ret_n in @arena; none when the configuration has none
 * @e:         ERR_INVALID with the index of the rule
 * Return: 0, or -1 with @e set
 */
int devices_rules(const struct oci_resources *resources, struct arena *arena,
		  struct device_rule **ret, size_t *ret_n, struct err *e);

/**
 * devices_rule_text() - A rule as a line of devices.allow or devices.deny: "c 1:3 rwm"
 * Return: nothing
 */
void devices_rule_text(const struct device_rule *rule, char out[DEVICE_RULE_TEXT_MAX]);

/**
 * devices_bpf_build() - The rules as a program of type BPF_PROG_TYPE_CGROUP_DEVICE
 * @ret: array of @ret_n instructions in @arena
 * Return: nothing
 */
void devices_bpf_build(const struct device_rule *rules, size_t n, struct arena *arena,
		       struct bpf_insn **ret, size_t *ret_n);

/**
 * devices_bpf_attach() - Load a program and attach it to a v2 group
 * @e: ERR_SYSTEM, ERR_DENIED
 *
 * It lives as long as the group.
 * Return: 0, or -1 with @e set
 */
int devices_bpf_attach(int cgroup_dir_fd, const struct bpf_insn *program, size_t n, struct err *e);
