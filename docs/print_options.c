/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints docs/options.md: every field of a create request and every operation of the API, by the tables that decode and refuse
 * them, with the options of the command line that ask for it. `make docs` runs it. A field that nobody describes, and a
 * description of what is not there, end it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/own.h"
#include "base/str.h"
#include "cli/create.h"
#include "daemon/doors/docker_create.h"
#include "daemon/doors/docker_refused.h"

/* What there is to say beside the help of the options, or instead of it where there is none */
static const struct note {
	const char *path, *text;
} notes[] = {
	{ "AttachStdin", "kept and shown; what is attached is told by `attach`" },
	{ "AttachStdout", "the same" },
	{ "AttachStderr", "the same" },
	{ "ExposedPorts", "kept; shown while it runs on `bridge`; `docker ps --filter expose=` finds it" },
	{ "StdinOnce", "standard input ends with the first client that was attached to it" },
	{ "Cmd", "COMMAND and its arguments" },
	{ "Healthcheck.Test", "`NONE` for none, `CMD` and arguments, `CMD-SHELL` and a text" },
	{ "Image", "by reference, ID or digest" },
	{ "Volumes", "places of binds and tmpfs, named once more; any other asks for an anonymous volume and is refused" },
	{ "Shell", "kept and shown; it is for builds" },
	{ "StopTimeout", "negative: for ever" },
	{ "HostConfig.LogConfig.Type", "any other is refused" },
	{ "HostConfig.LogConfig.Config", "[logs.md](logs.md)" },
	{ "HostConfig.NetworkMode", "any other is refused; create warns of `bridge`" },
	{ "HostConfig.RestartPolicy.Name", "[lifecycle.md](lifecycle.md)" },
	{ "HostConfig.RestartPolicy.MaximumRetryCount", "of `on-failure`" },
	{ "HostConfig.ConsoleSize", "the first size of the terminal: [height, width]" },
	{ "HostConfig.VolumesFrom", "what is bound there, and tmpfs of `--mount`; there are no volumes" },
	{ "HostConfig.Privileged", "with Devices: refused" },
	{ "HostConfig.SecurityOpt", "`label=`: [isolation.md](isolation.md)" },
	{ "HostConfig.MaskedPaths", "`--security-opt systempaths=unconfined` empties it" },
	{ "HostConfig.ReadonlyPaths", "the same" },
	{ "HostConfig.Mounts.Type", "`bind`, `tmpfs`; any other is refused" },
	{ "HostConfig.Mounts.Source", "of `bind`; it must exist unless CreateMountpoint" },
	{ "HostConfig.Mounts.Target", "where it is mounted" },
	{ "HostConfig.Mounts.ReadOnly", "what is mounted below, too" },
	{ "HostConfig.Mounts.Consistency", "taken, and without effect on Linux, as with docker" },
	{ "HostConfig.Mounts.BindOptions.Propagation", "`shared` and `slave` need a shared mount on the host" },
	{ "HostConfig.Mounts.BindOptions.NonRecursive", "without what is mounted below" },
	{ "HostConfig.Mounts.BindOptions.CreateMountpoint", "makes a directory where Source is not there" },
	{ "HostConfig.Mounts.BindOptions.ReadOnlyNonRecursive", "what is mounted below stays writable" },
	{ "HostConfig.Mounts.BindOptions.ReadOnlyForceRecursive", "it does not, which is always so without the other" },
	{ "HostConfig.Mounts.TmpfsOptions.SizeBytes", "limit of it" },
	{ "HostConfig.Mounts.TmpfsOptions.Mode", "of its root; 1777 when not told" },
	{ "HostConfig.Mounts.TmpfsOptions.Options", "as `[[\"noexec\"],[\"uid\",\"5\"]]`" },
	{ "HostConfig.CgroupParent", "[resources.md](resources.md)" },
	{ "HostConfig.BlkioWeight", "dropped with a warning where the kernel has no weights" },
	{ "HostConfig.BlkioWeightDevice.Path", "of the device" },
	{ "HostConfig.BlkioWeightDevice.Weight", "10 to 1000" },
	{ "HostConfig.BlkioDeviceReadBps.Path", "of the device" },
	{ "HostConfig.BlkioDeviceReadBps.Rate", "in a second" },
	{ "HostConfig.BlkioDeviceWriteBps.Path", "of the device" },
	{ "HostConfig.BlkioDeviceWriteBps.Rate", "in a second" },
	{ "HostConfig.BlkioDeviceReadIOps.Path", "of the device" },
	{ "HostConfig.BlkioDeviceReadIOps.Rate", "in a second" },
	{ "HostConfig.BlkioDeviceWriteIOps.Path", "of the device" },
	{ "HostConfig.BlkioDeviceWriteIOps.Rate", "in a second" },
	{ "HostConfig.CpuRealtimeRuntime", "needs a share of kilnd's own: [resources.md](resources.md)" },
	{ "HostConfig.Ulimits.Name", "of setrlimit(2), without `RLIMIT_`, in small letters" },
	{ "HostConfig.Ulimits.Hard", "-1: none" },
	{ "HostConfig.Ulimits.Soft", "-1: none" },
	{ "HostConfig.Devices.PathOnHost", "a device, or a directory of them" },
	{ "HostConfig.Devices.PathInContainer", "the same when not told" },
	{ "HostConfig.Devices.CgroupPermissions", "of `rwm`; all when not told" },
	{ "HostConfig.ContainerIDFile", "the client writes it; kept and shown" },
	{ "HostConfig.Isolation", "`default` is taken" },
	{ "HostConfig.Runtime", "`kiln` is taken" },
	{ "NetworkingConfig.EndpointsConfig.*", "one without any is taken for the networks above: `IPAMConfig`, `Links`, `Aliases`, `MacAddress`, `DriverOpts`, `GwPriority` and the rest" },
	{ NULL, NULL },
};

static const char *note_of(const char *path)
{
	for (const struct note *n = notes; n->path; n++)
		if (str_eq(n->path, path))
			return n->text;
	return NULL;
}

static void fail(const char *path, const char *why)
{
	fprintf(stderr, "print_options: '%s': %s\n", path, why);
	exit(1);
}

/* A bar would end the cell */
static void print_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			putchar('\\');
		putchar(*text);
	}
}

/* ---- the rows of the client that ask for a field ---- */

static const struct opt_tables client = { { create_rows } };

static const struct opt *option_for(const char *path, const struct opt *prev)
{
	const struct opt *o = opt_next(&client, prev);

	while (o && !(o->json && str_eq(o->json, path)))
		o = opt_next(&client, o);
	return o;
}

/* What is done about it: the reason why it is refused, or NULL, else the help of the first option */
static void print_row(const char *path, const char *reason)
{
	const struct opt *first = option_for(path, NULL);
	const char *note = note_of(path), *what = reason ? reason : first ? first->help : NULL;

	if (!what && !note)
		fail(path, "nobody says what it is");
	printf("| `%s` |", path);
	for (const struct opt *o = first; o; o = option_for(path, o))
		printf(" `--%s`", o->name);
	printf(" | %s", reason ? "**refused**: " : "");
	print_text(what ? what : "");
	printf("%s", what && note ? "; " : "");
	print_text(note ? note : "");
	puts(" |");
}

static void print_fields(const struct jschema *schema, const char *within)
{
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct jfield *f = &schema->fields[i];
		AUTO_FREE char *path = xasprintf("%s%s", within, f->name);
		AUTO_FREE char *inside = xasprintf("%s.", path);

		if (!f->schema || option_for(path, NULL))
			print_row(path, NULL);
		if (f->schema)
			print_fields(f->schema, inside);
	}
}

static void print_refused(const char *prefix, bool is_within)
{
	for (const struct refused_field *f = docker_refused_fields; f->path; f++) {
		bool has_prefix = str_starts(f->path, prefix);

		if (is_within ? has_prefix : !has_prefix && !str_starts(f->path, "Networking"))
			print_row(f->path, f->reason);
	}
}

/* ---- the page ---- */

static bool is_field(const struct jschema *schema, const char *within, const char *path)
{
	for (size_t i = 0; i < schema->n_fields; i++) {
		AUTO_FREE char *here = xasprintf("%s%s", within, schema->fields[i].name);
		AUTO_FREE char *inside = xasprintf("%s.", here);

		if (str_eq(here, path))
			return true;
		if (schema->fields[i].schema && is_field(schema->fields[i].schema, inside, path))
			return true;
	}
	return false;
}

static bool is_known(const char *path)
{
	for (const struct refused_field *f = docker_refused_fields; f->path; f++)
		if (str_eq(f->path, path))
			return true;
	return is_field(&opt_config_schema, "", path) || is_field(&opt_host_config_schema, "HostConfig.", path);
}

/* Each description and each place of an option must be there */
static void check(void)
{
	for (const struct note *n = notes; n->path; n++)
		if (!is_known(n->path))
			fail(n->path, "is described, and is no field");
	for (const struct opt *o = opt_next(&client, NULL); o; o = opt_next(&client, o))
		if (o->json && !is_known(o->json))
			fail(o->json, "an option asks for it, and it is no field");
}

static void print_head(const char *title)
{
	printf("\n## %s\n\n| field | option | |\n|---|---|---|\n", title);
}

/* What the client does itself, and what it refuses that has no field */
static void print_clients_own(void)
{
	puts("\n## Options that are no field\n\n| option | |\n|---|---|");
	for (const struct opt *o = opt_next(&client, NULL); o; o = opt_next(&client, o)) {
		if (o->json)
			continue;
		printf("| `--%s` | %s", o->name, o->refused ? "**refused**: " : "");
		print_text(o->refused ? o->refused : o->help);
		puts(" |");
	}
}

static void print_operations(void)
{
	puts("\n## Operations of the API that are refused\n"
	     "\n"
	     "With 501 and by name. Those of swarm mode answer 503 as a docker that is not part of a swarm does, and there are no plugins.\n"
	     "\n"
	     "| operation | |\n|---|---|");
	for (const struct refused_operation *o = docker_refused_operations; o->method; o++)
		printf("| `%s %s` | %s |\n", o->method, o->pattern, o->what);
}

int main(void)
{
	check();
	puts("# Options\n"
	     "\n"
	     "Printed by `make docs` from the tables in `oci/options.c`, `daemon/doors/docker_create.c`, `daemon/doors/docker_refused_table.c`\n"
	     "and `cli/create_options.c`; do not edit.\n"
	     "\n"
	     "What a container may be asked for: the fields of the Docker Engine API's create request, and the options of `docker run` and\n"
	     "`kiln run` that ask for them. Each is done, or **refused** by its name with the reason. A refused field, and one that Kiln has never\n"
	     "heard of, is taken when it asks for nothing (`null`, `false`, `0`, `\"\"`, `[]`, `{}`, at any depth), as clients send all of them. Nothing is\n"
	     "ignored. What this machine's kernel cannot do is refused, or taken away with a warning where docker does so.");
	print_head("The container");
	print_fields(&opt_config_schema, "");
	print_refused("HostConfig.", false);
	print_head("What it gets of the host");
	print_fields(&opt_host_config_schema, "HostConfig.");
	print_refused("HostConfig.", true);
	print_head("Networks");
	print_refused("NetworkingConfig.", true);
	print_clients_own();
	print_operations();
	return 0;
}
