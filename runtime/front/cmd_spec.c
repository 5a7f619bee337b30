/* SPDX-License-Identifier: Apache-2.0 */
/* spec: a config.json to begin with, the same that runc writes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/jsontext.h"
#include "base/own.h"
#include "oci/runtime_config.h"
#include "runtime/front/bundle_config.h"
#include "runtime/front/front.h"

struct spec_options {
	const char *bundle;
	bool rootless;
};

static const struct opt rows[] = {
	OPT_TEXT(struct spec_options, bundle, 'b', "bundle", "DIR", "where it is written to (default: the working directory)", .kind = VALUE_DIR),
	OPT_FLAG(struct spec_options, rootless, 0, "rootless", "for one who is not root: a user namespace, and no network of its own"),
	OPT_END,
};

/* Who may not make a network namespace's sysfs shows the host's, and one mapping has no group tty. */
struct variant {
	const char *pts, *sys, *resources, *namespaces;
};

static const struct variant with_root = {
	.pts = ",\"gid=5\"",
	.sys = "\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]",
	.resources = "\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},",
	.namespaces = "{\"type\":\"network\"},",
};

static const struct variant without_root = {
	.pts = "",
	.sys = "\"type\":\"none\",\"source\":\"/sys\",\"options\":[\"rbind\",\"nosuid\",\"noexec\",\"nodev\",\"ro\"]",
	.resources = NULL,
	.namespaces = "{\"type\":\"user\"},",
};

#define POWERS "[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]"

static void add_process(struct strbuf *b)
{
	strbuf_adds(b, "{\"ociVersion\":\"" OCI_RUNTIME_VERSION "\",\"process\":{\"terminal\":true,\"user\":{\"uid\":0,\"gid\":0},"
		       "\"args\":[\"sh\"],\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"TERM=xterm\"],"
		       "\"cwd\":\"/\",\"capabilities\":{\"bounding\":" POWERS ",\"effective\":" POWERS ",\"permitted\":" POWERS "},"
		       "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}],\"noNewPrivileges\":true},"
		       "\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"kiln\",");
}

static void add_mounts(struct strbuf *b, const struct variant *v)
{
	strbuf_addf(b,
		    "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
		    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]},"
		    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":[\"nosuid\",\"noexec\",\"newinstance\","
		    "\"ptmxmode=0666\",\"mode=0620\"%s]},"
		    "{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\","
		    "\"size=65536k\"]},"
		    "{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\",\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
		    "{\"destination\":\"/sys\",%s},"
		    "{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\",\"options\":[\"nosuid\",\"noexec\",\"nodev\","
		    "\"relatime\",\"ro\"]}],",
		    v->pts, v->sys);
}

static void add_mappings(struct strbuf *b)
{
	strbuf_addf(b, "\"uidMappings\":[{\"containerID\":0,\"hostID\":%u,\"size\":1}],\"gidMappings\":[{\"containerID\":0,\"hostID\":%u,\"size\":1}],",
		    (unsigned)geteuid(), (unsigned)getegid());
}

static void add_linux(struct strbuf *b, const struct variant *v)
{
	strbuf_adds(b, "\"linux\":{");
	if (v->resources != NULL)
		strbuf_adds(b, v->resources);
	else
		add_mappings(b);
	strbuf_addf(b,
		    "\"namespaces\":[{\"type\":\"pid\"},%s{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"},{\"type\":\"cgroup\"}],"
		    "\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/proc/kcore\",\"/proc/keys\",\"/proc/latency_stats\",\"/proc/timer_list\","
		    "\"/proc/timer_stats\",\"/proc/sched_debug\",\"/sys/firmware\",\"/proc/scsi\"],"
		    "\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/sysrq-trigger\"]}}",
		    v->namespaces);
}

/* What is there already is somebody's work. */
static int write_new(const char *dir, const struct strbuf *text, struct err *e)
{
	AUTO_CLOSE int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (dir_fd < 0)
		return err_sys(e, "bundle '%s'", dir);
	if (fstatat(dir_fd, BUNDLE_CONFIG, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(e, ERR_CONFLICT, "file " BUNDLE_CONFIG " exists. Remove it first");
	return file_replace(dir_fd, BUNDLE_CONFIG, text->data, text->len, 0644, e);
}

static int spec(const struct front_call *c, int *ret_status, struct err *e)
{
	const struct spec_options *o = c->o;
	const struct variant *v = o->rootless ? &without_root : &with_root;
	AUTO_STRBUF struct strbuf json = { 0 }, text = { 0 };

	add_process(&json);
	add_mounts(&json, v);
	add_linux(&json, v);
	jsontext_indent(&text, (struct jsontext){ json.data, json.len }, "", "\t");
	strbuf_addc(&text, '\n');
	*ret_status = 0;
	return write_new(o->bundle != NULL ? o->bundle : ".", &text, e);
}

const struct front_command front_spec = {
	.name = "spec",
	.usage = "[OPTIONS]",
	.help = "write a config.json to begin with",
	.opts = { { rows } },
	.options_size = sizeof(struct spec_options),
	.n_args_max = 0,
	.is_placeless = true,
	.run = spec,
};
