/* SPDX-License-Identifier: Apache-2.0 */
/* Spec: Docker Engine API 1.51, ImageSummary, ImageInspect, ImageHistory */
#include "daemon/doors/docker_image_print.h"

#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "daemon/doors/door_util.h"
#include "oci/reference.h"

int64_t image_created_ns(const struct image *i)
{
	int64_t ns = 0;

	if (!i->config->created || !clock_parse(i->config->created, &ns))
		return 0;
	return ns;
}

void image_names(const struct image *i, struct arena *a, struct image_names *ret)
{
	const char *last = "";

	ret->tags = (struct str_list){ arena_new_array(a, char *, i->n_tags + 1), 0 };
	ret->digests = (struct str_list){ arena_new_array(a, char *, i->n_tags + 1), 0 };
	for (size_t k = 0; k < i->n_tags; k++)
		ret->tags.v[ret->tags.n++] = (char *)image_familiar(i->tags[k], a);
	for (size_t k = 0; k < i->n_tags && i->manifest_digest; k++) {
		struct reference ref = { 0 };
		const char *name;

		if (reference_parse(i->tags[k], a, &ref, ERR_IGNORED) < 0)
			continue;
		name = reference_familiar_name(&ref, a);
		/* Tags are sorted: those of a repository stand together. */
		if (!str_eq(name, last))
			ret->digests.v[ret->digests.n++] = arena_printf(a, "%s@%s", name, i->manifest_digest);
		last = name;
	}
}

static void print_names(struct jw *w, const struct image_names *names)
{
	jw_strs(w, "RepoTags", &names->tags);
	jw_strs(w, "RepoDigests", &names->digests);
}

/* Before 1.43 an image without a name had this one. */
static void print_no_names(struct jw *w)
{
	jw_arr(w, "RepoTags");
	jw_str(w, NULL, "<none>:<none>");
	jw_arr_end(w);
	jw_arr(w, "RepoDigests");
	jw_str(w, NULL, "<none>@<none>");
	jw_arr_end(w);
}

static void print_labels(struct jw *w, const struct str_map *labels)
{
	if (labels->n > 0)
		jw_map(w, "Labels", labels);
	else
		jw_null(w, "Labels");
}

void image_print_row(struct jw *w, const struct image *i, const struct image_names *names, unsigned api)
{
	jw_obj(w, NULL);
	jw_str(w, "Id", i->id);
	jw_str(w, "ParentId", "");
	if (i->n_tags == 0 && api < 143)
		print_no_names(w);
	else
		print_names(w, names);
	jw_i64(w, "Created", image_created_ns(i) / CLOCK_NS_PER_SEC);
	jw_i64(w, "Size", i->size_bytes);
	jw_i64(w, "SharedSize", -1);
	if (api < 144)
		jw_i64(w, "VirtualSize", i->size_bytes);
	print_labels(w, &i->config->config->labels);
	jw_i64(w, "Containers", -1);
	jw_obj_end(w);
}

static void print_list_or_null(struct jw *w, const char *key, const struct str_list *l)
{
	if (l->n > 0)
		jw_strs(w, key, l);
	else
		jw_null(w, key);
}

/* All fields of a container's configuration: old clients with strict models want them. */
static void print_config(struct jw *w, const struct oci_image_exec *x)
{
	jw_obj(w, "Config");
	jw_str(w, "Hostname", "");
	jw_str(w, "Domainname", "");
	jw_str(w, "User", x->user);
	jw_bool(w, "AttachStdin", false);
	jw_bool(w, "AttachStdout", false);
	jw_bool(w, "AttachStderr", false);
	if (x->exposed_ports.text)
		jw_raw(w, "ExposedPorts", x->exposed_ports.text);
	jw_bool(w, "Tty", false);
	jw_bool(w, "OpenStdin", false);
	jw_bool(w, "StdinOnce", false);
	print_list_or_null(w, "Env", &x->env);
	print_list_or_null(w, "Cmd", &x->cmd);
	if (x->healthcheck)
		jw_struct(w, "Healthcheck", &opt_healthcheck_schema, x->healthcheck);
	if (x->args_escaped)
		jw_bool(w, "ArgsEscaped", true);
	jw_str(w, "Image", "");
	jw_raw(w, "Volumes", x->volumes.text);
	jw_str(w, "WorkingDir", x->working_dir);
	print_list_or_null(w, "Entrypoint", &x->entrypoint);
	print_list_or_null(w, "OnBuild", &x->on_build);
	if (x->labels.n > 0)
		jw_map(w, "Labels", &x->labels);
	else
		jw_null(w, "Labels");
	if (x->stop_signal)
		jw_str(w, "StopSignal", x->stop_signal);
	if (x->shell.n > 0)
		jw_strs(w, "Shell", &x->shell);
	jw_obj_end(w);
}

static void print_graph_driver(struct jw *w, const struct image *i)
{
	const char *root = engine_cfg(i->eng)->data_root;
	AUTO_STRBUF struct strbuf lower = { 0 };
	AUTO_STRBUF struct strbuf upper = { 0 };

	for (size_t k = i->n_layers; k > 1; k--)
		strbuf_addf(&lower, "%s%s/layers/%s", lower.len > 0 ? ":" : "", root, i->layers[k - 2].dir);
	if (i->n_layers > 0)
		strbuf_addf(&upper, "%s/layers/%s", root, i->layers[i->n_layers - 1].dir);
	jw_obj(w, "GraphDriver");
	jw_str(w, "Name", "overlay2");
	jw_obj(w, "Data");
	if (lower.len > 0)
		jw_str(w, "LowerDir", strbuf_cstr(&lower));
	jw_str(w, "UpperDir", strbuf_cstr(&upper));
	jw_obj_end(w);
	jw_obj_end(w);
}

static void print_rootfs(struct jw *w, const struct image *i)
{
	jw_obj(w, "RootFS");
	jw_str(w, "Type", "layers");
	jw_arr(w, "Layers");
	for (size_t k = 0; k < i->n_layers; k++)
		jw_str(w, NULL, i->layers[k].diff_id);
	jw_arr_end(w);
	jw_obj_end(w);
}

void image_print_inspect(struct jw *w, const struct image *i, unsigned api)
{
	AUTO_ARENA struct arena *a = arena_new();
	const struct oci_image_config *c = i->config;
	struct image_names names;

	jw_obj(w, NULL);
	jw_str(w, "Id", i->id);
	image_names(i, a, &names);
	print_names(w, &names);
	jw_str(w, "Parent", "");
	jw_str(w, "Comment", c->comment);
	jw_time(w, "Created", image_created_ns(i));
	if (api < 145)
		jw_str(w, "Container", "");
	jw_str(w, "DockerVersion", c->docker_version);
	jw_str(w, "Author", c->author);
	print_config(w, c->config);
	jw_str(w, "Architecture", c->architecture);
	if (!str_is_empty(c->variant))
		jw_str(w, "Variant", c->variant);
	jw_str(w, "Os", c->os);
	jw_i64(w, "Size", i->size_bytes);
	if (api < 144)
		jw_i64(w, "VirtualSize", i->size_bytes);
	print_graph_driver(w, i);
	print_rootfs(w, i);
	jw_obj(w, "Metadata");
	jw_time(w, "LastTagTime", i->tagged_wall_ns);
	jw_obj_end(w);
	jw_obj_end(w);
}

static void print_history_row(struct jw *w, const struct image *i, const struct oci_history *h, int64_t bytes,
			      bool is_top)
{
	AUTO_ARENA struct arena *a = arena_new();
	int64_t created_ns = 0;

	if (!h->created || !clock_parse(h->created, &created_ns))
		created_ns = 0;
	jw_obj(w, NULL);
	jw_str(w, "Id", is_top ? i->id : "<missing>");
	jw_i64(w, "Created", created_ns / CLOCK_NS_PER_SEC);
	jw_str(w, "CreatedBy", h->created_by);
	if (is_top && i->n_tags > 0) {
		jw_arr(w, "Tags");
		for (size_t k = 0; k < i->n_tags; k++)
			jw_str(w, NULL, image_familiar(i->tags[k], a));
		jw_arr_end(w);
	} else {
		jw_null(w, "Tags");
	}
	jw_i64(w, "Size", bytes);
	jw_str(w, "Comment", h->comment);
	jw_obj_end(w);
}

/* The newest first. Rows that made no layer have size 0; what has layers but no history gets bare rows. */
void image_print_history(struct jw *w, const struct image *i)
{
	static const struct oci_history nothing;
	const struct oci_image_config *c = i->config;
	size_t n_told = 0, layer = i->n_layers;
	bool is_top = true;

	for (size_t k = 0; k < c->n_history; k++)
		n_told += !c->history[k].empty_layer;
	jw_arr(w, NULL);
	for (; layer > n_told; is_top = false)
		print_history_row(w, i, &nothing, i->layers[--layer].bytes, is_top);
	for (size_t k = c->n_history; k > 0; k--, is_top = false) {
		const struct oci_history *h = &c->history[k - 1];
		int64_t bytes = 0;

		if (!h->empty_layer) {
			bytes = n_told <= layer && n_told > 0 ? i->layers[n_told - 1].bytes : 0;
			n_told--;
		}
		print_history_row(w, i, h, bytes, is_top);
	}
	jw_arr_end(w);
}
