/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/doors/docker_print.h"

#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/path.h"
#include "daemon/doors/door_util.h"
#include "daemon/engine/health.h"
#include "daemon/engine/image.h"
#include "oci/bundle.h"

/*
 * The fields of HostConfig that Kiln refuses to set have their neutral values here, because strict clients
 * want every field there. They follow the rows of opt_host_config_schema.
 */
static const char host_config_rest[] =
	",\"PortBindings\":{},\"VolumeDriver\":\"\""
	",\"Dns\":[],\"DnsOptions\":[],\"DnsSearch\":[],\"ExtraHosts\":null"
	",\"Cgroup\":\"\",\"Links\":null,\"PublishAllPorts\":false"
	",\"Runtime\":\"kiln\",\"Isolation\":\"\""
	",\"DeviceRequests\":null"
	",\"CpuCount\":0"
	",\"CpuPercent\":0,\"IOMaximumIOps\":0,\"IOMaximumBandwidth\":0}";

static const char network_settings_head[] =
	"\"Bridge\":\"\",\"SandboxID\":\"\",\"SandboxKey\":\"\",\"HairpinMode\":false"
	",\"LinkLocalIPv6Address\":\"\",\"LinkLocalIPv6PrefixLen\":0,\"SecondaryIPAddresses\":null"
	",\"SecondaryIPv6Addresses\":null,\"EndpointID\":\"\",\"Gateway\":\"\",\"GlobalIPv6Address\":\"\""
	",\"GlobalIPv6PrefixLen\":0,\"IPAddress\":\"\",\"IPPrefixLen\":0,\"IPv6Gateway\":\"\",\"MacAddress\":\"\"";

static const char endpoint[] =
	"{\"IPAMConfig\":null,\"Links\":null,\"Aliases\":null,\"MacAddress\":\"\",\"DriverOpts\":null,\"GwPriority\":0"
	",\"NetworkID\":\"\",\"EndpointID\":\"\",\"Gateway\":\"\",\"IPAddress\":\"\",\"IPPrefixLen\":0,\"IPv6Gateway\":\"\""
	",\"GlobalIPv6Address\":\"\",\"GlobalIPv6PrefixLen\":0,\"DNSNames\":null}";

const char *docker_network_mode(const struct container_options *opt)
{
	const char *mode = opt->host->network_mode;

	return str_is_empty(mode) || str_eq(mode, "default") ? "bridge" : mode;
}

static void print_health(struct jw *w, const struct container *c)
{
	jw_obj(w, "Health");
	jw_str(w, "Status", health_state_name(c->health));
	jw_i64(w, "FailingStreak", c->health_failing_streak);
	jw_arr(w, "Log");
	for (size_t i = 0; i < c->n_health_log; i++) {
		const struct health_result *h = &c->health_log[i];

		jw_obj(w, NULL);
		jw_time(w, "Start", h->start_wall_ns);
		jw_time(w, "End", h->end_wall_ns);
		jw_i64(w, "ExitCode", h->exit_code);
		jw_str(w, "Output", h->output);
		jw_obj_end(w);
	}
	jw_arr_end(w);
	jw_obj_end(w);
}

static void print_state(struct jw *w, const struct container *c)
{
	const char *name = container_state_name(c);
	bool is_restarting = str_eq(name, "restarting");

	jw_obj(w, "State");
	jw_str(w, "Status", name);
	jw_bool(w, "Running", c->pid > 0 || is_restarting);   /* as docker */
	jw_bool(w, "Paused", c->is_paused);
	jw_bool(w, "Restarting", is_restarting);
	jw_bool(w, "OOMKilled", c->is_oom_killed);
	jw_bool(w, "Dead", c->is_dead);
	jw_i64(w, "Pid", c->pid);
	jw_i64(w, "ExitCode", c->pid > 0 ? 0 : c->exit_code);
	jw_str(w, "Error", c->error);
	jw_time(w, "StartedAt", c->started_wall_ns);
	jw_time(w, "FinishedAt", c->finished_wall_ns);
	if (c->has_healthcheck)
		print_health(w, c);
	jw_obj_end(w);
}

static void print_path(struct jw *w, const char *key, const struct container *c, const char *file)
{
	AUTO_FREE char *path = path_join(c->dir, file);

	jw_str(w, key, path);
}

static void print_host_config(struct jw *w, const struct container *c)
{
	struct opt_host_config shown = *c->opt->host;
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf text = {0};

	/* What it has, asked for or not; null where nothing is hidden because it is privileged */
	if (!shown.privileged) {
		shown.masked_paths = (struct opt_strs){ true, bundle_masked_paths(&shown, a) };
		shown.readonly_paths = (struct opt_strs){ true, bundle_readonly_paths(&shown, a) };
	}
	json_emit(&opt_host_config_schema, &shown, &text);
	if (text.len && text.data[text.len - 1] == '}')
		text.data[--text.len] = '\0';
	strbuf_adds(&text, text.len > 1 ? host_config_rest : host_config_rest + 1);
	jw_raw(w, "HostConfig", text.data);
}

static void print_graph_driver(struct jw *w, const struct container *c)
{
	jw_obj(w, "GraphDriver");
	jw_obj(w, "Data");
	print_path(w, "UpperDir", c, "upper");
	print_path(w, "WorkDir", c, "work");
	print_path(w, "MergedDir", c, "rootfs");
	jw_obj_end(w);
	jw_str(w, "Name", "overlay2");
	jw_obj_end(w);
}

static void print_mount(struct jw *w, const char *type, const struct bundle_bind *b)
{
	jw_obj(w, NULL);
	jw_str(w, "Type", type);
	jw_str(w, "Source", b->source);
	jw_str(w, "Destination", b->target);
	jw_str(w, "Mode", b->mode);
	jw_bool(w, "RW", !b->readonly);
	jw_str(w, "Propagation", b->propagation);
	jw_obj_end(w);
}

static void print_mounts(struct jw *w, const struct container *c)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct bundle_bind *binds = NULL;
	struct opt_mount *tmpfs;
	size_t n = 0, n_tmpfs;

	jw_arr(w, "Mounts");
	bundle_binds(c->opt, a, &binds, &n, ERR_IGNORED);
	for (size_t i = 0; i < n; i++)
		print_mount(w, "bind", &binds[i]);
	bundle_tmpfs_mounts(c->opt, a, &tmpfs, &n_tmpfs);
	for (size_t i = 0; i < n_tmpfs; i++)
		print_mount(w, "tmpfs", &(struct bundle_bind){ .target = tmpfs[i].target, .readonly = tmpfs[i].readonly });
	jw_arr_end(w);
}

size_t docker_shown_ports(const struct container *c, struct arena *a, struct port_range **ret)
{
	return c->pid > 0 && str_eq(docker_network_mode(c->opt), "bridge") ? docker_exposed(c->opt->config, a, ret) : 0;
}

/* Each without an address of the host: nothing is published. */
static void print_ports(struct jw *w, const struct container *c)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct port_range *ports;
	size_t n = docker_shown_ports(c, a, &ports);

	jw_obj(w, "Ports");
	for (size_t i = 0; i < n; i++)
		jw_null(w, arena_printf(a, "%u/%s", ports[i].from, ports[i].proto));
	jw_obj_end(w);
}

static void print_summary_ports(struct jw *w, const struct container *c)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct port_range *ports;
	size_t n = docker_shown_ports(c, a, &ports);

	jw_arr(w, "Ports");
	for (size_t i = 0; i < n; i++) {
		jw_obj(w, NULL);
		jw_i64(w, "PrivatePort", ports[i].from);
		jw_str(w, "Type", ports[i].proto);
		jw_obj_end(w);
	}
	jw_arr_end(w);
}

/* Who has the network of another container has none by itself. */
static void print_networks(struct jw *w, const struct container *c)
{
	jw_obj(w, "Networks");
	if (options_share(c->opt->host, OPTIONS_NET, NULL) != SHARE_CONTAINER)
		jw_raw(w, docker_network_mode(c->opt), endpoint);
	jw_obj_end(w);
}

static void print_network_settings(struct jw *w, const struct container *c)
{
	AUTO_STRBUF struct strbuf text = {0};
	AUTO_STRBUF struct strbuf networks = {0};
	struct jw inner;

	jw_init(&inner, &networks);
	jw_obj(&inner, NULL);
	print_ports(&inner, c);
	print_networks(&inner, c);
	jw_obj_end(&inner);
	/* the inner object's text without its first brace */
	strbuf_addf(&text, "{%s,%s", network_settings_head, strbuf_cstr(&networks) + 1);
	jw_raw(w, "NetworkSettings", text.data);
}

static void print_exec_ids(struct jw *w, const struct container *c)
{
	const char *ids[64];
	size_t n = container_exec_ids(c, ids, ARRAY_SIZE(ids));

	if (n == 0) {
		jw_null(w, "ExecIDs");
		return;
	}
	jw_arr(w, "ExecIDs");
	for (size_t i = 0; i < n; i++)
		jw_str(w, NULL, ids[i]);
	jw_arr_end(w);
}

static void print_sizes(struct jw *w, const struct container *c, const int64_t *rw_bytes)
{
	if (!rw_bytes)
		return;
	jw_i64(w, "SizeRw", *rw_bytes);
	jw_i64(w, "SizeRootFs", *rw_bytes + (c->image ? c->image->size_bytes : 0));
}

void docker_print_inspect(const struct container *c, const int64_t *rw_bytes, struct strbuf *out)
{
	AUTO_FREE char *name = xasprintf("/%s", c->name);
	struct jw w;

	jw_init(&w, out);
	jw_obj(&w, NULL);
	jw_str(&w, "Id", c->id);
	jw_time(&w, "Created", c->created_wall_ns);
	jw_str(&w, "Path", c->path);
	jw_strs(&w, "Args", &c->args);
	print_state(&w, c);
	jw_str(&w, "Image", c->image_id);
	print_path(&w, "ResolvConfPath", c, "resolv.conf");
	print_path(&w, "HostnamePath", c, "hostname");
	print_path(&w, "HostsPath", c, "hosts");
	jw_str(&w, "LogPath", c->log_path);
	jw_str(&w, "Name", name);
	jw_i64(&w, "RestartCount", c->restart_count);
	jw_str(&w, "Driver", "overlay2");
	jw_str(&w, "Platform", "linux");
	jw_str(&w, "MountLabel", "");
	jw_str(&w, "ProcessLabel", "");
	jw_str(&w, "AppArmorProfile", container_apparmor(c));
	print_exec_ids(&w, c);
	print_host_config(&w, c);
	print_graph_driver(&w, c);
	print_sizes(&w, c, rw_bytes);
	print_mounts(&w, c);
	jw_struct(&w, "Config", &opt_config_schema, c->opt->config);
	print_network_settings(&w, c);
	jw_obj_end(&w);
}

/* The image as the user called it while that name still means this image, else its ID. */
static const char *shown_image(struct container *c, struct shown_image *last)
{
	const char *name = c->opt->config->image;
	struct image *i = NULL;
	bool is_same;

	if (last->shown && str_eq(last->name, name) && str_eq(last->id, c->image_id))
		return last->shown;
	is_same = image_find(c->eng, name, &i, ERR_IGNORED) == 0 && str_eq(i->id, c->image_id);
	*last = (struct shown_image){ name, c->image_id, is_same ? name : c->image_id };
	return last->shown;
}

static void print_command(struct jw *w, const struct container *c)
{
	AUTO_STRBUF struct strbuf text = {0};

	strbuf_adds(&text, c->path ? c->path : "");
	for (size_t i = 0; i < c->args.n && text.len < 4096; i++) {
		const char *arg = c->args.v[i];

		/* docker quotes what a shell would split */
		strbuf_adds(&text, strpbrk(arg, " \t\n'\"") || !*arg ? " '" : " ");
		strbuf_adds(&text, arg);
		if (strpbrk(arg, " \t\n'\"") || !*arg)
			strbuf_addc(&text, '\'');
	}
	jw_str(w, "Command", strbuf_cstr(&text));
}

void docker_print_summary(struct jw *w, struct container *c, const int64_t *rw_bytes, struct shown_image *last)
{
	AUTO_FREE char *name = xasprintf("/%s", c->name);
	char status[128];

	jw_obj(w, NULL);
	jw_str(w, "Id", c->id);
	jw_arr(w, "Names");
	jw_str(w, NULL, name);
	jw_arr_end(w);
	jw_str(w, "Image", shown_image(c, last));
	jw_str(w, "ImageID", c->image_id);
	print_command(w, c);
	jw_i64(w, "Created", c->created_wall_ns / CLOCK_NS_PER_SEC);
	print_summary_ports(w, c);
	print_sizes(w, c, rw_bytes);
	jw_map(w, "Labels", &c->opt->config->labels);
	jw_str(w, "State", container_state_name(c));
	jw_str(w, "Status", container_status_text(c, status));
	jw_obj(w, "HostConfig");
	jw_str(w, "NetworkMode", docker_network_mode(c->opt));
	jw_obj_end(w);
	jw_obj(w, "NetworkSettings");
	print_networks(w, c);
	jw_obj_end(w);
	print_mounts(w, c);
	jw_obj_end(w);
}
