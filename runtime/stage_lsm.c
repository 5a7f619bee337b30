/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STAGE_LSM: what AppArmor and SELinux are to make of the program, told to the kernel for the next execve.
 *
 * Must: write through a procfs of our own that nobody else can see (CVE-2019-16884, CVE-2025-52881), and fail when
 * the kernel takes no such word: a program never runs with less confinement than was asked for.
 * Must not: come after STAGE_RLIMITS, which may leave no descriptor to open, nor after a change of the user.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/stages.h"

static int stage_open_attr(int proc, const char *file)
{
	struct open_how how = { .flags = O_WRONLY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV };

	return (int)syscall(SYS_openat2, proc, file, &how, sizeof(how));
}

/* Newer kernels have a directory for each security module, older ones one file for the only one. */
static int stage_open_either(int proc, const char *const files[2])
{
	int fd = stage_open_attr(proc, files[0]);

	return fd < 0 && errno == ENOENT && files[1] != NULL ? stage_open_attr(proc, files[1]) : fd;
}

static void stage_label(const struct stage_ctx *c, int proc, const struct lsm_op *op)
{
	int fd = stage_open_either(proc, op->files);

	if (fd < 0)
		stage_die(c, "set ", op->what, " '", op->name, "': open '/proc/", op->files[0], "'", NULL);
	if (write(fd, op->text, strlen(op->text)) >= 0) {
		stage_close(fd);
		return;
	}
	if (errno == ENOENT)
		stage_refuse(c, ERR_INVALID, 125, 0, "set ", op->what, " '", op->name, "': it is not loaded", NULL);
	/* what a kernel says in which the module is not on */
	if (errno == EINVAL)
		stage_refuse(c, ERR_INVALID, 125, 0, "set ", op->what, " '", op->name,
			     "': the kernel does not know it, or has no such module on", NULL);
	stage_die(c, "set ", op->what, " '", op->name, "'", NULL);
}

void stage_lsm(struct stage_ctx *c, const struct process_plan *p)
{
	int proc;

	stage_enter(c, STAGE_LSM);
	if (p->n_lsm == 0)
		return;
	proc = stage_own_proc(c);
	for (size_t i = 0; i < p->n_lsm; i++)
		stage_label(c, proc, &p->lsm[i]);
	if (p->wants_init && p->lsm[0].init_files[0] != NULL) {
		c->lsm_fd = stage_open_either(proc, p->lsm[0].init_files);
		if (c->lsm_fd < 0)
			stage_die(c, "set ", p->lsm[0].what, " of init: open '/proc/", p->lsm[0].init_files[0], "'", NULL);
	}
	stage_close(proc);
}

/* It executes nothing, so no execve confines it; its program has been forked with the word for its own. */
void stage_lsm_init(struct stage_ctx *c, const struct process_plan *p)
{
	if (c->lsm_fd < 0)
		return;
	if (write(c->lsm_fd, p->lsm[0].init_text, strlen(p->lsm[0].init_text)) < 0)
		stage_die(c, "set ", p->lsm[0].what, " '", p->lsm[0].name, "' of init", NULL);
	stage_close(c->lsm_fd);
	c->lsm_fd = -1;
}
