/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kiln-runtime run --bundle DIR ID`: the second front of launch(). Creates, starts and waits in the foreground;
 * its standard streams are the container's, its signals are passed on, its exit status is the container's.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "base/path.h"
#include "oci/launch.h"
#include "runtime/cgroup.h"
#include "runtime/launch.h"
#include "runtime/plan.h"
#include "runtime/roles.h"
#include "runtime/selfcopy.h"

#define CONFIG_MAX_BYTES (4u << 20)
#define EXIT_ENGINE      125

struct run_args {
	const char *bundle;
	const char *id;
};

static bool is_id(const char *id)
{
	if (!path_is_name(id) || strlen(id) > 128)
		return false;
	return strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-.") ==
	       strlen(id);
}

/* "--bundle DIR", "--bundle=DIR", "-b DIR" */
static int parse_args(int argc, char **argv, struct run_args *ret, struct err *e)
{
	*ret = (struct run_args){ .bundle = "." };
	for (int i = 1; i < argc; i++) {
		if (str_eq(argv[i], "--bundle") || str_eq(argv[i], "-b")) {
			if (++i == argc)
				return err_set(e, ERR_INVALID, "option '%s' needs a value",
					       argv[i - 1]);
			ret->bundle = argv[i];
		} else if (str_starts(argv[i], "--bundle=")) {
			ret->bundle = argv[i] + strlen("--bundle=");
		} else if (argv[i][0] == '-') {
			return err_set(e, ERR_UNSUPPORTED,
				       "option '%s' is not supported by this version", argv[i]);
		} else if (ret->id != NULL) {
			return err_set(e, ERR_INVALID, "more than one container: '%s'", argv[i]);
		} else {
			ret->id = argv[i];
		}
	}
	if (ret->id == NULL)
		return err_set(e, ERR_INVALID, "usage: kiln-runtime run --bundle DIR ID");
	if (!is_id(ret->id))
		return err_set(e, ERR_INVALID, "invalid container id '%s'", ret->id);
	return 0;
}

/* A bundle as a launch document: no layers, sources anywhere, user as numbers. */
static int load_bundle(const struct run_args *args, struct arena *a, struct launch_spec *spec,
		       struct err *e)
{
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *file = path_join(args->bundle, "config.json");
	char dir[PATH_MAX];
	void *config;
	size_t n;

	if (realpath(args->bundle, dir) == NULL)
		return err_sys(e, "bundle '%s'", args->bundle);
	if (file_read(AT_FDCWD, file, CONFIG_MAX_BYTES, &text, &n, e) < 0)
		return -1;
	if (json_decode(text, n, &oci_config_schema, a, NULL, NULL, &config, e) < 0)
		return err_wrap(e, "%s", file);
	spec->config = config;
	spec->container_dir = arena_strdup(a, dir);
	spec->id = arena_strdup(a, args->id);
	if (spec->config->process != NULL && spec->config->process->terminal)
		return err_set(e, ERR_UNSUPPORTED,
			       "process.terminal is not supported by this version");
	if (spec->config->linux_ != NULL && spec->config->linux_->cgroups_path != NULL)
		spec->cgroup_path = spec->config->linux_->cgroups_path;
	else
		spec->cgroup_path = arena_printf(a, "/kiln/%s", args->id);
	/* systemd's form, "slice:prefix:name", belongs to another driver */
	if (spec->cgroup_path[0] != '/')
		spec->cgroup_path = arena_printf(a, "/kiln/%s", spec->cgroup_path);
	return 0;
}

/* --- waiting --------------------------------------------------------------------------------------------------- */

static const int passed_on[] = { SIGHUP,  SIGINT,  SIGQUIT,  SIGTERM,
				 SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT };

static void block_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		sigaddset(ret, passed_on[i]);
	sigprocmask(SIG_BLOCK, ret, NULL);
}

/* As subreaper we inherit what the container leaves when it shares our pid namespace. */
static bool reap(pid_t init, int *ret_code)
{
	bool is_over = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != init)
			continue;
		*ret_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		is_over = true;
	}
	return is_over;
}

static int wait_for(const struct launched *l, const sigset_t *signals)
{
	int code = EXIT_ENGINE;

	while (!reap(l->pid, &code)) {
		int sig = sigwaitinfo(signals, NULL);

		if (sig > 0 && sig != SIGCHLD)
			syscall(SYS_pidfd_send_signal, l->pidfd, sig, NULL, 0);
	}
	return code;
}

static int run(const struct run_args *args, struct arena *a, int *ret_code, struct err *e)
{
	struct launch_spec *spec = arena_new_obj(a, struct launch_spec);
	struct launch_stdio_fds stdio = { 0, 1, 2 };
	struct launched l = LAUNCHED_EMPTY;
	struct launch_failure failure;
	struct launch_plan *plan = NULL;
	sigset_t signals;
	int done;

	*ret_code = EXIT_ENGINE;
	if (load_bundle(args, a, spec, e) < 0 || cgroup_setup(e) < 0)
		return -1;
	if (launch_plan_build(spec, NULL, 0, &stdio, a, &plan, e) < 0)
		return -1;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	block_signals(&signals);
	done = launch(plan, NULL, &l, &failure, e);
	launch_plan_done(plan);
	if (done < 0) {
		*ret_code = failure.exit_code;
		return -1;
	}
	*ret_code = wait_for(&l, &signals);
	close_fd(&l.pidfd);
	cgroup_close(l.cgroup);
	return cgroup_remove(spec->cgroup_path, e);
}

int run_main(int argc, char **argv)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct run_args args;
	struct err e = { 0 };
	int code = EXIT_ENGINE;

	if (parse_args(argc, argv, &args, &e) < 0 || selfcopy_ensure(argv, &e) < 0 ||
	    run(&args, a, &code, &e) < 0)
		fprintf(stderr, "kiln-runtime: %s\n", e.msg);
	return code;
}
