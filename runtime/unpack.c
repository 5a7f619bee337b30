/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * kiln-runtime unpack archive|blob|layer|upper: descriptors in, one directory filled, one JSON document out
 * (oci/unpack_proto.h). What could need a file of the host later (libcrypto's configuration, iconv's tables) is
 * touched before the sandbox closes: behind it, "/" is the image's, and nothing may be loaded from there.
 *
 * Sequence: warm up, enter the sandbox, unpack, write the result. kilnd verifies digests and renames.
 */
#include "runtime/unpack.h"

#include <iconv.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/own.h"
#include "base/str.h"
#include "oci/archive.h"
#include "oci/layer.h"
#include "runtime/roles.h"

static int run_archive(struct arena *a, struct unpack_result *ret, struct err *e)
{
	const struct archive_limits limits = ARCHIVE_LIMITS_DEFAULT;

	ret->archive = arena_new_obj(a, struct unpack_listing);
	return archive_stage(UNPACK_FD_INPUT, UNPACK_FD_DIR, &limits, a, ret->archive, e);
}

static int run_blob(struct arena *a, struct unpack_result *ret, struct err *e)
{
	const struct archive_limits limits = ARCHIVE_LIMITS_DEFAULT;

	ret->archive = arena_new_obj(a, struct unpack_listing);
	return archive_stage_blob(UNPACK_FD_INPUT, UNPACK_FD_DIR, &limits, a, ret->archive, e);
}

static int run_layer(struct arena *a, struct unpack_result *ret, struct err *e)
{
	const struct layer_limits limits = LAYER_LIMITS_DEFAULT;

	ret->layer = arena_new_obj(a, struct unpack_layer);
	return layer_apply(UNPACK_FD_INPUT, UNPACK_FD_DIR, &limits, a, ret->layer, e);
}

static int run_upper(struct arena *a, struct unpack_result *ret, struct err *e)
{
	struct layer_limits limits = LAYER_LIMITS_DEFAULT;

	limits.has_lower = true;
	ret->layer = arena_new_obj(a, struct unpack_layer);
	return layer_apply(UNPACK_FD_INPUT, UNPACK_FD_DIR, &limits, a, ret->layer, e);
}

static const struct unpack_kind {
	const char *name;
	int (*run)(struct arena *a, struct unpack_result *ret, struct err *e);
} kinds[] = {
	{ "archive", run_archive },
	{ "blob", run_blob },
	{ "layer", run_layer },
	{ "upper", run_upper },
};

static const struct unpack_kind *kind_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_eq(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

static void warm_up(void)
{
	struct digest ignored;
	iconv_t cd = iconv_open("ANSI_X3.4-1968", "UTF-8");

	if (cd != (iconv_t)-1)
		iconv_close(cd);
	digest_of("", 0, &ignored);
}

static int unpack(const struct unpack_kind *kind, struct arena *a, struct unpack_result *ret, struct err *e)
{
	umask(0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	/* When kilnd dies nobody waits for us, and the next one will empty the directory */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	warm_up();
	if (unpack_sandbox_enter(UNPACK_FD_DIR, UNPACK_FD_RESULT, e) < 0)
		return err_wrap(e, "sandbox");
	return kind->run(a, ret, e);
}

int unpack_main(int argc, char **argv)
{
	const struct unpack_kind *kind = argc == 2 ? kind_of(argv[1]) : NULL;
	AUTO_ARENA struct arena *a = arena_new();
	AUTO_STRBUF struct strbuf out = {0};
	struct unpack_result result = {0};
	struct unpack_failure failure;
	struct err e = {0};
	int r;

	if (!kind) {
		fprintf(stderr, "usage: kiln-runtime unpack archive|blob|layer|upper\n");
		return 2;
	}
	r = unpack(kind, a, &result, &e);
	if (r < 0) {
		failure = (struct unpack_failure){ e.kind, e.msg, (uint32_t)e.sys };
		result = (struct unpack_result){ .error = &failure };
	}
	json_emit(&unpack_result_schema, &result, &out);
	if (fd_write_all(UNPACK_FD_RESULT, out.data, out.len, &e) < 0) {
		fprintf(stderr, "kiln-runtime unpack: result: %s\n", e.msg);
		return 1;
	}
	return r < 0 ? 1 : 0;
}
