/* SPDX-License-Identifier: Apache-2.0 */
/* kiln load, import, save: images from and to archives. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/reply.h"

/* ---- load and import ---- */

static int on_answer(void *ctx, const char *data, size_t n)
{
	return messages_feed(ctx, data, n);
}

static int on_sent(void *ctx, const char *data, size_t n)
{
	struct messages *m = ctx;

	(void)data;
	progress_add(&m->progress, n);
	return 0;
}

/* @name "-": standard input */
static int open_input(const char *name, int *ret_fd, struct err *e)
{
	if (str_eq(name, "-"))
		*ret_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		*ret_fd = open(name, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(e, "open %s", name) : 0;
}

static int upload(const struct call *c, const char *path, const char *file, const char *doing, bool is_quiet)
{
	struct messages m = {0};
	struct api_upload u = { .path = path, .type = "application/x-tar", .n_bytes = -1, .on_sent = on_sent,
				.on_chunk = on_answer, .ctx = &m };
	AUTO_CLOSE int fd = -1;
	struct err e = {0};
	struct stat st;
	int status;

	if (open_input(file, &fd, &e) < 0)
		return cmd_fail(&e);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0)
		u.n_bytes = st.st_size;
	u.fd = fd;
	progress_begin(&m.progress, doing, u.n_bytes > 0 ? (uint64_t)u.n_bytes : 0, true);
	m.progress.is_on = m.progress.is_on && !is_quiet;
	status = api_upload(c->host, &u, &e);
	if (status == 0 && messages_end(&m) < 0)
		status = -1;
	messages_done(&m);
	if (m.e.kind != ERR_NONE)
		return cmd_fail(&m.e);
	return status < 0 ? cmd_fail(&e) : 0;
}

struct load_options { const char *input; bool quiet; };
static const struct opt load_rows[] = {
	OPT_TEXT(struct load_options, input, 'i', "input", "FILE", "Read from this archive, not from standard input", .kind = VALUE_FILE),
	OPT_FLAG(struct load_options, quiet, 'q', "quiet", "Do not tell how far it is"),
	OPT_REFUSED_VALUE(0, "platform", "an image is stored for this machine's platform only"),
	OPT_END,
};

static int run_load(const struct call *c)
{
	const struct load_options *o = c->o;

	if (!o->input && isatty(STDIN_FILENO))
		return cmd_fail_with("requested load from stdin, but stdin is empty");
	return upload(c, o->quiet ? "/images/load?quiet=1" : "/images/load?quiet=0", o->input ? o->input : "-", "Loading", o->quiet);
}

const struct command cmd_load = {
	.name = "load", .group = "image", .member = "load", .usage = "[OPTIONS]", .help = "Load images from an archive or standard input",
	.more = "Archives of docker save, podman, skopeo, buildah and umoci: docker-archive and oci-archive, plain or packed by gzip or zstd.",
	.opts = { { load_rows } }, .options_size = sizeof(struct load_options), .run = run_load,
};

struct import_options { struct str_list change; const char *message, *platform; };
static const struct opt import_rows[] = {
	OPT_TEXTS(struct import_options, change, 'c', "change", "INSTRUCTION", "Set part of its configuration, as 'CMD [\"sh\"]' or 'ENV A=1'"),
	OPT_TEXT(struct import_options, message, 'm', "message", "TEXT", "What its history says"),
	OPT_TEXT(struct import_options, platform, 0, "platform", "OS/ARCH", "Its platform, which is this machine's", .choices = "linux/amd64"),
	OPT_END,
};

static int run_import(const struct call *c)
{
	const struct import_options *o = c->o;
	AUTO_STRBUF struct strbuf path = {0};

	if (strstr(c->args.v[0], "://"))
		return cmd_fail_with("import from an address is refused: Kiln fetches nothing; use 'curl … | kiln import -'");
	strbuf_adds(&path, "/images/create?fromSrc=-");
	path_query(&path, "repo", c->args.n > 1 ? c->args.v[1] : NULL);
	path_query(&path, "message", o->message);
	path_query(&path, "platform", o->platform);
	for (size_t i = 0; i < o->change.n; i++)
		path_query(&path, "changes", o->change.v[i]);
	return upload(c, path.data, c->args.v[0], "Importing", false);
}

const struct command cmd_import = {
	.name = "import", .group = "image", .member = "import", .usage = "[OPTIONS] FILE|- [REPOSITORY[:TAG]]",
	.help = "Make an image of one layer from a tar of a file system", .opts = { { import_rows } },
	.options_size = sizeof(struct import_options), .args = VALUE_FILE, .n_args_min = 1, .n_args_max = 2, .run = run_import,
};

/* ---- save ---- */

struct saving { int fd; int write_errno; struct progress progress; };

static int on_archive(void *ctx, const char *data, size_t n)
{
	struct saving *s = ctx;

	if (fd_write_all(s->fd, data, n, ERR_IGNORED) < 0) {
		s->write_errno = errno;
		return -1;
	}
	progress_add(&s->progress, n);
	return 0;
}

struct save_options { const char *output; };
static const struct opt save_rows[] = {
	OPT_TEXT(struct save_options, output, 'o', "output", "FILE", "Write to this file, not to standard output", .kind = VALUE_FILE),
	OPT_REFUSED_VALUE(0, "platform", "an image is stored for this machine's platform only"),
	OPT_END,
};

/* Written beside and renamed into place: what is cut off leaves no half archive. A device or a pipe is written as it is. */
static int open_output(const struct call *c, const char *name, const char **ret_beside, int *ret_fd, struct err *e)
{
	struct stat st;

	if (!name) {
		*ret_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return *ret_fd < 0 ? err_sys(e, "write standard output") : 0;
	}
	if (stat(name, &st) == 0 && !S_ISREG(st.st_mode)) {
		*ret_fd = open(name, O_WRONLY | O_CLOEXEC);
	} else {
		*ret_beside = arena_printf(c->a, "%s.%d.tmp", name, (int)getpid());
		*ret_fd = open(*ret_beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	return *ret_fd < 0 ? err_sys(e, "open %s", name) : 0;
}

static int save_to(const struct call *c, const char *path, int fd, struct err *e)
{
	struct saving s = { .fd = fd };
	int status;

	progress_begin(&s.progress, "Saving", 0, true);
	status = api_stream(c->host, path, on_archive, &s, e);
	progress_hide(&s.progress);
	if (s.write_errno) {
		errno = s.write_errno;
		return err_sys(e, "write the archive");
	}
	return status;
}

static int run_save(const struct call *c)
{
	const struct save_options *o = c->o;
	AUTO_STRBUF struct strbuf path = {0};
	const char *beside = NULL;
	AUTO_CLOSE int fd = -1;
	struct err e = {0};

	if (!o->output && isatty(STDOUT_FILENO))
		return cmd_fail_with("cowardly refusing to save to a terminal. Use the -o flag or redirect");
	strbuf_adds(&path, "/images/get");
	for (size_t i = 0; i < c->args.n; i++)
		path_query(&path, "names", c->args.v[i]);
	if (open_output(c, o->output, &beside, &fd, &e) < 0)
		return cmd_fail(&e);
	if (save_to(c, path.data, fd, &e) < 0 || (beside && rename(beside, o->output) < 0 && err_sys(&e, "write %s", o->output) < 0)) {
		if (beside)
			unlink(beside);
		return cmd_fail(&e);
	}
	return 0;
}

const struct command cmd_save = {
	.name = "save", .group = "image", .member = "save", .usage = "[OPTIONS] IMAGE [IMAGE...]", .help = "Write images into an archive",
	.opts = { { save_rows } }, .options_size = sizeof(struct save_options),
	.args = VALUE_IMAGE, .n_args_min = 1, .n_args_max = ARGS_MANY, .run = run_save,
};
