/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/doors/docker_sizes.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/path.h"
#include "base/treesize.h"
#include "daemon/engine/later.h"

struct sizes_job {
	sizes_fn fn;
	void *ctx;
	struct container_size *v;        /* owned, n of them, as their paths */
	char **paths;
	size_t n;
	struct err err;
};

static void job_free(void *ctx)
{
	struct sizes_job *job = ctx;

	for (size_t i = 0; i < job->n; i++)
		free(job->paths[i]);
	free(job->paths);
	free(job->v);
	free(job);
}

static void measure(void *ctx)
{
	struct sizes_job *job = ctx;

	for (size_t i = 0; i < job->n; i++) {
		struct container_size *s = &job->v[i];
		struct err e = {0};

		if (treesize(job->paths[i], &s->rw_bytes, &e) == 0 || e.kind == ERR_NOT_FOUND)
			continue;   /* not there: removed meanwhile, nobody will look for it */
		s->rw_bytes = -1;
		err_wrap(&e, "size of container %.12s", s->id);
		job->err = e;
	}
}

static void measured(void *ctx)
{
	struct sizes_job *job = ctx;

	job->fn(job->ctx, &job->err, job->v, job->n);
	job_free(job);
}

void docker_sizes(struct engine *eng, struct container *const *v, size_t n, sizes_fn fn, void *ctx)
{
	struct sizes_job *job = xcalloc(1, sizeof(*job));

	*job = (struct sizes_job){ .fn = fn, .ctx = ctx, .v = xcalloc(n + 1, sizeof(*job->v)), .paths = xcalloc(n + 1, sizeof(char *)), .n = n };
	for (size_t i = 0; i < n; i++) {
		memcpy(job->v[i].id, v[i]->id, sizeof(job->v[i].id));
		job->paths[i] = path_join(v[i]->dir, "upper");
	}
	later_work(eng, LOOP_JOB_LONG, measure, measured, job_free, job);
}
