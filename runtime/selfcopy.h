/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing that enters a container runs from a file that the container could write (rule R4: CVE-2019-5736).
 *
 * The program executes itself once more from a sealed memfd, or, where the host refuses that (vm.memfd_noexec or
 * a policy), from a read-only detached bind of its own file. Whether that has happened is read from the kernel,
 * not from an environment variable.
 */
#pragma once

#include "base/err.h"

/* Which copy is tried first; the other one is for hosts that refuse it. */
enum selfcopy {
	SELFCOPY_MEMFD, /* memory of its own: for who lives long, since it pins no file system */
	SELFCOPY_BIND,  /* a tenth of the time; /proc/PID/exe leads to a read-only mount that nobody can reach or change */
};

/**
 * selfcopy_ensure() - Return at once when running from a copy; else execute the copy with the same arguments
 * @argv: what becomes the copy's arguments, without the name of the program
 * @e:    ERR_SYSTEM neither way worked
 *
 * Call it first thing in a role that clones containers: descriptors without CLOEXEC and the environment pass on.
 * Return: 0 in the copy, or -1 with @e set
 */
int selfcopy_ensure(char *const *argv, enum selfcopy first, struct err *e);

/**
 * selfcopy_renew() - Execute a copy with the same arguments, also when running from one
 * Return: not at all, or -1 with @e set
 */
int selfcopy_renew(char *const *argv, enum selfcopy first, struct err *e);
