/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of commands, of docker's that are refused, and of the options before a command. */
#include "cli/commands.h"

const struct command *const commands[] = {
	&cmd_attach,
	&cmd_completion,
	&cmd_container_inspect,
	&cmd_container_prune,
	&cmd_create,
	&cmd_events,
	&cmd_exec,
	&cmd_health,
	&cmd_history,
	&cmd_image_inspect,
	&cmd_image_prune,
	&cmd_images,
	&cmd_import,
	&cmd_info,
	&cmd_inspect,
	&cmd_kill,
	&cmd_load,
	&cmd_logs,
	&cmd_pause,
	&cmd_port,
	&cmd_ps,
	&cmd_rename,
	&cmd_restart,
	&cmd_rm,
	&cmd_rmi,
	&cmd_run,
	&cmd_save,
	&cmd_start,
	&cmd_stats,
	&cmd_stop,
	&cmd_system_check,
	&cmd_system_df,
	&cmd_system_prune,
	&cmd_tag,
	&cmd_top,
	&cmd_unpause,
	&cmd_update,
	&cmd_version,
	&cmd_wait,
	NULL,
};

const struct command_group command_groups[] = {
	{ "container", "Manage containers" },
	{ "image", "Manage images" },
	{ "system", "Manage Kiln" },
	{ NULL, NULL },
};

#define REGISTRY "Kiln speaks to no registry; bring images with 'kiln load' or 'kiln import'"
#define LATER    "Kiln does not do this yet"
#define NETWORKS "there are no networks yet; containers have --network none or host"
#define VOLUMES  "there are no volumes yet; use -v /host/path:/path"
#define SWARM    "Kiln has no swarm mode"

const struct command_refused commands_refused[] = {
	{ "pull", REGISTRY }, { "image pull", REGISTRY },
	{ "push", REGISTRY }, { "image push", REGISTRY },
	{ "login", REGISTRY }, { "logout", REGISTRY }, { "search", REGISTRY }, { "manifest", REGISTRY },
	{ "build", "Kiln builds no images; build them with buildah, then 'kiln load'" },
	{ "image build", "Kiln builds no images; build them with buildah, then 'kiln load'" },
	{ "builder", "Kiln builds no images; build them with buildah, then 'kiln load'" },
	{ "buildx", "Kiln builds no images; build them with buildah, then 'kiln load'" },
	{ "cp", LATER }, { "container cp", LATER },
	{ "commit", LATER }, { "container commit", LATER },
	{ "diff", LATER }, { "container diff", LATER },
	{ "export", LATER }, { "container export", LATER },
	{ "volume", VOLUMES },
	{ "network", NETWORKS },
	{ "swarm", SWARM }, { "node", SWARM }, { "service", SWARM }, { "stack", SWARM }, { "secret", SWARM }, { "config", SWARM },
	{ "plugin", "Kiln has no plugins" },
	{ "checkpoint", "Kiln has no checkpoints" },
	{ "trust", "Kiln checks no signatures of names; images are checked by their digests" },
	{ "context", "say where the daemon is with --host or KILN_HOST" },
	{ "compose", "docker compose works on Kiln's socket: DOCKER_HOST=" API_HOST_DEFAULT },
	{ NULL, NULL },
};

#define NO_TLS     "the daemon listens on unix sockets only"
#define OTHER_HOST "say where the daemon is with --host or KILN_HOST"
static const struct opt global_rows[] = {
	OPT_TEXT(struct globals, host, 'H', "host", "SOCKET", "The daemon's socket, as unix:///path", .kind = VALUE_FILE),
	OPT_FLAG(struct globals, version, 'v', "version", "Print the version of this client and quit"),
	OPT_REFUSED_VALUE('c', "context", OTHER_HOST),
	OPT_REFUSED_VALUE(0, "config", OTHER_HOST),
	OPT_REFUSED_FLAG(0, "tls", NO_TLS),
	OPT_REFUSED_FLAG(0, "tlsverify", NO_TLS),
	OPT_REFUSED_VALUE(0, "tlscacert", NO_TLS),
	OPT_REFUSED_VALUE(0, "tlscert", NO_TLS),
	OPT_REFUSED_VALUE(0, "tlskey", NO_TLS),
	OPT_REFUSED_FLAG('D', "debug", "the daemon has the log: 'kilnd --log-level debug'"),
	OPT_REFUSED_VALUE('l', "log-level", "the daemon has the log: 'kilnd --log-level debug'"),
	OPT_END,
};
const struct opt_tables global_options = { { global_rows } };
