/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/doors/docker_create.h"

#include <string.h>
#include <strings.h>

#include "base/own.h"
#include "base/path.h"
#include "daemon/doors/docker_ports.h"
#include "oci/bundle.h"
#include "oci/options_rules.h"

/* The body is Config with two objects among its fields: opt_config comes first, so that its rows' offsets hold. */
struct create_body {
	struct opt_config config;
	struct opt_host_config *host;
};

#define NETWORKS "there are no networks yet; use --network none, host or container:NAME"
#define VOLUMES  "there are no volumes yet; use -v /host/path:/path"
#define NEVER    "not a Linux option"

const struct refused_field docker_refused_fields[] = {
	{ "ArgsEscaped",                    "",                 NEVER },
	{ "MacAddress",                     "",                 NETWORKS },
	{ "NetworkDisabled",                "",                 "use --network none" },
	{ "OnBuild",                        "",                 "it is of builds, and Kiln builds no images" },
	{ "HostConfig.Capabilities",        "",                 "use CapAdd and CapDrop" },
	{ "HostConfig.Cgroup",              "",                 "use CgroupParent" },
	{ "HostConfig.CpuCount",            "",                 NEVER },
	{ "HostConfig.CpuPercent",          "",                 NEVER },
	{ "HostConfig.DeviceRequests",      "",                 "Kiln knows no drivers of devices; use Devices" },
	{ "HostConfig.Dns",                 "",                 NETWORKS },
	{ "HostConfig.DnsOptions",          "",                 NETWORKS },
	{ "HostConfig.DnsSearch",           "",                 NETWORKS },
	{ "HostConfig.ExtraHosts",          "",                 NETWORKS },
	{ "HostConfig.IOMaximumBandwidth",  "",                 NEVER },
	{ "HostConfig.IOMaximumIOps",       "",                 NEVER },
	{ "HostConfig.Isolation",           "\"default\"",      NEVER },
	{ "HostConfig.KernelMemory",        "",                 "the kernel has no such limit any more" },
	{ "HostConfig.KernelMemoryTCP",     "",                 "docker has it no more; Memory counts it, too" },
	{ "HostConfig.Links",               "",                 NETWORKS },
	{ "HostConfig.Mounts.ClusterOptions", "",               "there is no swarm" },
	{ "HostConfig.Mounts.ImageOptions", "",                 "images are not mounted" },
	{ "HostConfig.Mounts.VolumeOptions", "",                VOLUMES },
	{ "HostConfig.PortBindings",        "{}",               "publishing ports: " NETWORKS },
	{ "HostConfig.PublishAllPorts",     "",                 "publishing ports: " NETWORKS },
	{ "HostConfig.Runtime",             "\"kiln\"",         "there is one runtime, 'kiln'" },
	{ "HostConfig.StorageOpt",          "",                 "what a container writes is not limited in size" },
	{ "HostConfig.VolumeDriver",        "",                 VOLUMES },
	{ "NetworkingConfig.EndpointsConfig.*", "",             NETWORKS },
	{ NULL, NULL, NULL },
};

/* Behind "[12]", when a member follows; else where it is, as keys may have brackets, too */
static const char *skip_index(const char *p)
{
	size_t n = 1 + strspn(p + 1, "0123456789");

	return n > 1 && p[n] == ']' && p[n + 1] == '.' ? p + n + 1 : p;
}

/* Is @path that of a row, but for the indexes of arrays? */
static bool is_path(const char *row, const char *path)
{
	for (;; row++, path++) {
		path = *path == '[' ? skip_index(path) : path;
		if (strncasecmp(row, path, 1) != 0)
			return false;
		if (*row == '\0')
			return true;
	}
}

/* Rows of the tables of options that are handled elsewhere in the API, but refused here: the table above wins. */
static const struct refused_field *refused_find(const char *path)
{
	for (const struct refused_field *f = docker_refused_fields; f->path; f++)
		if (is_path(f->path, path))
			return f;
	return NULL;
}

/* Does compact JSON hold nothing but null, false, 0, "" and empty containers, at any depth? Keys do not count. */
static bool asks_nothing(const char *json)
{
	for (const char *p = json; *p; p++) {
		const char *start = p;

		if (strchr("{}[],:", *p))
			continue;
		if (*p == '"') {
			for (p++; *p && *p != '"'; p++)
				p += *p == '\\' && p[1];
			if (p[0] == '"' && p[1] != ':' && p - start > 1)
				return false;
			continue;
		}
		p += strcspn(p, ",]}") - 1;
		if (strncmp(start, "null", 4) != 0 && strncmp(start, "false", 5) != 0 &&
		    !(p == start && *start == '0'))
			return false;
	}
	return true;
}

static bool is_listed(const char *accepted, const char *value)
{
	size_t n_value = strlen(value);

	for (const char *p = accepted; *p;) {
		size_t n = strcspn(p, "|");

		if (n == n_value && memcmp(p, value, n) == 0)
			return true;
		p += n + (p[n] == '|');
	}
	return false;
}

static bool is_accepted(const struct refused_field *f, const char *value)
{
	if (f && str_eq(f->accepted, "{}"))  /* keys count: {"80/tcp":[{"HostPort":""}]} asks for any port */
		return str_eq(value, "null") || str_eq(value, "{}");
	return asks_nothing(value) || (f && is_listed(f->accepted, value));
}

static int refuse(const char *path, const char *value, struct err *e)
{
	const struct refused_field *f = refused_find(path);

	if (is_accepted(f, value))
		return 0;
	if (f)
		return err_set(e, ERR_UNSUPPORTED, "%s is refused: %s", f->path, f->reason);
	return err_set(e, ERR_UNSUPPORTED, "%.128s is refused: unknown field", path);
}

static bool is_network(const char *mode)
{
	static const char *const known[] = { "default", "bridge", "none", "host" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_eq(mode, known[i]))
			return true;
	return str_starts(mode, "container:");
}

/* An endpoint's fields, of which only IPAMConfig has more within it */
struct endpoint { void *ipam; };
static const struct jschema ipam_schema = { .spec = "IPAMConfig", .size = 1, .fold_case = true };
static const struct jfield endpoint_fields[] = { J_OBJECT(struct endpoint, ipam, "IPAMConfig", &ipam_schema, 0) };
static const struct jschema endpoint_schema = J_SCHEMA_FOLD(struct endpoint, "EndpointSettings", endpoint_fields);

struct endpoint_check {
	struct arena *a;
	const char *network;
};

static int check_endpoint_field(void *ctx, const char *path, const char *value, struct err *e)
{
	const struct endpoint_check *check = ctx;

	if (asks_nothing(value))
		return 0;
	return err_set(e, ERR_UNSUPPORTED, "NetworkingConfig.EndpointsConfig.%.64s.%.64s is refused: " NETWORKS, check->network, path);
}

/* The networks a request may name, each with nothing special asked of it. */
static int check_endpoint(void *ctx, const char *path, const char *value, struct err *e)
{
	struct endpoint_check check = { .a = ctx, .network = path };
	void *endpoint = NULL;

	if (!is_network(path))
		return err_set(e, ERR_UNSUPPORTED, "network '%.64s' is refused: " NETWORKS, path);
	if (asks_nothing(value))
		return 0;
	if (json_decode(value, strlen(value), &endpoint_schema, check.a, check_endpoint_field, &check, &endpoint, e) == 0)
		return 0;
	return e->kind == ERR_UNSUPPORTED ? -1 : err_wrap(e, "NetworkingConfig.EndpointsConfig.%.64s", path);
}

struct networking { struct json_raw endpoints; };
static const struct jfield networking_fields[] = { J_RAW(struct networking, endpoints, "EndpointsConfig", 0) };
static const struct jschema networking_schema = J_SCHEMA_FOLD(struct networking, "NetworkingConfig", networking_fields);
static const struct jschema endpoints_schema = { .spec = "EndpointsConfig" };
static const struct jschema volumes_schema = { .spec = "Volumes" };

static int on_unknown_networking(void *ctx, const char *path, const char *value, struct err *e)
{
	(void)ctx;
	return asks_nothing(value) ? 0 : err_set(e, ERR_UNSUPPORTED, "NetworkingConfig.%.64s is refused: unknown field", path);
}

static int on_unknown(void *ctx, const char *path, const char *value, struct err *e)
{
	struct networking *net = NULL;
	void *endpoints = NULL;

	if (strcasecmp(path, "NetworkingConfig") != 0)
		return refuse(path, value, e);
	if (asks_nothing(value) && strchr(value, '"') == NULL)
		return 0;
	if (json_decode(value, strlen(value), &networking_schema, ctx, on_unknown_networking, NULL, (void **)&net, e) < 0)
		return e->kind == ERR_UNSUPPORTED ? -1 : err_wrap(e, "NetworkingConfig");
	if (!net->endpoints.text || str_eq(net->endpoints.text, "null"))
		return 0;
	if (json_decode(net->endpoints.text, net->endpoints.len, &endpoints_schema, ctx, check_endpoint, ctx,
			&endpoints, e) < 0)
		return -1;
	return 0;
}

static bool is_place(const char *path, const char *place)
{
	AUTO_FREE char *clean = path_clean(path);
	AUTO_FREE char *other = path_clean(place);

	return str_eq(clean, other);
}

/* Is something mounted there by a bind or a tmpfs? Malformed binds are the engine's to refuse. */
static bool has_mount(const struct opt_host_config *h, const char *place)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct bundle_bind b;

	for (size_t i = 0; i < h->binds.n; i++)
		if (bundle_parse_bind(h->binds.v[i], a, &b, ERR_IGNORED) == 0 && is_place(b.target, place))
			return true;
	for (size_t i = 0; i < h->tmpfs.n; i++)
		if (is_place(h->tmpfs.v[i].key, place))
			return true;
	for (size_t i = 0; i < h->n_mounts; i++)
		if (h->mounts[i].target && is_place(h->mounts[i].target, place))
			return true;
	return false;
}

static int check_volume(void *ctx, const char *path, const char *value, struct err *e)
{
	(void)value;
	if (has_mount(ctx, path))
		return 0;
	return err_set(e, ERR_UNSUPPORTED, "Volumes '%.128s' is refused: " VOLUMES, path);
}

/* Some clients name the places of binds here once more; all else asks for an anonymous volume. */
static int check_volumes(const struct container_options *o, struct arena *a, struct err *e)
{
	const struct json_raw *raw = &o->config->volumes;
	void *places = NULL;

	if (!raw->text || str_eq(raw->text, "null"))
		return 0;
	if (json_decode(raw->text, raw->len, &volumes_schema, a, check_volume, o->host, &places, e) < 0)
		return e->kind == ERR_UNSUPPORTED ? -1 : err_wrap(e, "Volumes");
	return 0;
}

/* Values of handled fields that are for later. */
static int check_values(const struct container_options *o, struct arena *a, struct err *e)
{
	const char *mode = o->host->network_mode ? o->host->network_mode : "";
	struct options_security security;

	if (*mode && !is_network(mode) && !str_eq(mode, "container"))
		return err_set(e, ERR_UNSUPPORTED, "HostConfig.NetworkMode '%.64s' is refused: " NETWORKS, mode);
	if (o->host->log_config && !str_is_empty(o->host->log_config->type) &&
	    !str_eq(o->host->log_config->type, "json-file") && !str_eq(o->host->log_config->type, "none"))
		return err_set(e, ERR_UNSUPPORTED, "HostConfig.LogConfig.Type '%.64s' is refused: use 'json-file' or 'none'",
			       o->host->log_config->type);
	if (o->host->privileged && o->host->n_devices)
		return err_set(e, ERR_UNSUPPORTED, "HostConfig.Devices with Privileged is refused: "
			       "a privileged container has all devices of the host under their own names");
	if (options_security(o->host, &security, e) < 0 || docker_check_exposed(o->config, a, e) < 0)
		return -1;
	return check_volumes(o, a, e);
}

/* The rows of Config and one more, put together at the first request; the loop thread is the only caller. */
static const struct jschema *create_schema(void)
{
	static struct jfield rows[64];
	static struct jschema schema;

	if (!schema.size) {
		size_t n = opt_config_schema.n_fields;

		BUG(n + 1 > ARRAY_SIZE(rows), "%zu fields in Config", n);
		memcpy(rows, opt_config_schema.fields, n * sizeof(rows[0]));
		rows[n] = (struct jfield)J_OBJECT(struct create_body, host, "HostConfig", &opt_host_config_schema, 0);
		schema = (struct jschema){ .spec = "ContainerCreate", .size = sizeof(struct create_body),
					   .fields = rows, .n_fields = n + 1, .fold_case = true };
	}
	return &schema;
}

int docker_create_parse(const char *body, size_t n, struct arena *a, struct container_options *ret, struct err *e)
{
	struct create_body *b = NULL;
	struct container_options o = {0};

	if (json_decode(body, n, create_schema(), a, on_unknown, a, (void **)&b, e) < 0)
		return -1;
	o.config = &b->config;
	o.host = b->host ? b->host : arena_new_obj(a, struct opt_host_config);
	if (str_is_empty(o.config->image))
		return err_set(e, ERR_INVALID, "Image: a container needs an image");
	if (check_values(&o, a, e) < 0)
		return -1;
	*ret = o;
	return 0;
}
