/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/own.h"
#include "base/str.h"
#include "runtime/mounts.h"
#include "runtime/stages.h"

static const struct {
	uint64_t flag;
	const char *name, *cleared;
} attributes[] = {
	{ MOUNT_ATTR_RDONLY, "ro", "rw" },
	{ MOUNT_ATTR_NOSUID, "nosuid", "suid" },
	{ MOUNT_ATTR_NODEV, "nodev", "dev" },
	{ MOUNT_ATTR_NOEXEC, "noexec", "exec" },
	{ MOUNT_ATTR_NOATIME, "noatime", NULL },
	{ MOUNT_ATTR_STRICTATIME, "strictatime", NULL },
	{ MOUNT_ATTR_NODIRATIME, "nodiratime", "diratime" },
	{ MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow", "symfollow" },
};

static const char *propagation_name(uint64_t flag)
{
	switch (flag) {
	case MS_PRIVATE:
		return "private";
	case MS_SLAVE:
		return "slave";
	case MS_SHARED:
		return "shared";
	case MS_UNBINDABLE:
		return "unbindable";
	default:
		return NULL;
	}
}

static void print_flags(uint64_t set, uint64_t clr, const char *prefix, struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		if ((set & attributes[i].flag) != 0)
			strbuf_addf(out, " %s%s", prefix, attributes[i].name);
		else if ((clr & attributes[i].flag) != 0 && attributes[i].cleared != NULL)
			strbuf_addf(out, " %s%s", prefix, attributes[i].cleared);
	}
}

static void print_attributes(const struct mount_op *op, struct strbuf *out)
{
	print_flags(op->attr_set, op->attr_clr, "", out);
	print_flags(op->below_set, op->below_clr, "r", out);
	if (propagation_name(op->propagation) != NULL)
		strbuf_addf(out, " %s", propagation_name(op->propagation));
}

static void print_fs(const struct mount_op *op, struct strbuf *out)
{
	strbuf_addf(out, "mount %s on %s:", op->type, op->target);
	print_attributes(op, out);
	for (size_t i = 0; i < op->n_params; i++) {
		strbuf_addf(out, " %s", op->params[i].key);
		if (op->params[i].value != NULL)
			strbuf_addf(out, "=%s", op->params[i].value);
	}
	if (op->copies_up)
		strbuf_adds(out, ", with a copy of what is there");
}

static void print_device(const struct mount_op *op, struct strbuf *out)
{
	strbuf_addf(out, "device %s/%s: %c %u:%u %o", op->target, op->name,
		    S_ISBLK(op->mode)    ? 'b'
		    : S_ISFIFO(op->mode) ? 'p'
					 : 'c',
		    major(op->rdev), minor(op->rdev), op->mode & 07777);
	if (op->uid != 0 || op->gid != 0)
		strbuf_addf(out, " of %u:%u", op->uid, op->gid);
}

static void print_op(const struct mount_op *op, struct strbuf *out)
{
	switch (op->kind) {
	case MOUNT_FS:
		print_fs(op, out);
		break;
	case MOUNT_BIND:
		strbuf_addf(out, "%s %s on %s:", op->is_recursive ? "rbind" : "bind", op->source,
			    op->target);
		print_attributes(op, out);
		break;
	case MOUNT_DEVICE:
		print_device(op, out);
		break;
	case MOUNT_LINK:
		strbuf_addf(out, "link %s/%s: %s", op->target, op->name, op->type);
		break;
	case MOUNT_READONLY:
		strbuf_addf(out, "read-only %s", op->target);
		break;
	case MOUNT_SEAL:
		strbuf_addf(out, "seal %s", op->target);
		break;
	case MOUNT_MASK:
		strbuf_addf(out, "mask %s", op->target);
		break;
	case MOUNT_KINDS_:
		break;
	}
	strbuf_addc(out, '\n');
}

void mounts_print(const struct mount_op *ops, size_t n, struct strbuf *out)
{
	for (size_t i = 0; i < n; i++)
		print_op(&ops[i], out);
}
