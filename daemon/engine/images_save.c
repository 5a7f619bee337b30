/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing images as an archive, pulled piece by piece by whoever sends it.
 *
 * Theory of operation. Names are resolved at once and the images are held like by a container, so their blobs stay. The
 * first read looks at the blobs on a worker and plans the archive (oci/archive_write.h); each read fills one buffer on a
 * worker. One read at a time: who asks for the next has room for it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "daemon/engine/images_priv.h"
#include "oci/archive_write.h"
#include "oci/digest.h"
#include "oci/reference.h"
#include "oci/store.h"

#define BUFFER_BYTES (512u << 10)
#define TYPE_LAYER    "application/vnd.oci.image.layer.v1.tar"
#define TYPE_MANIFEST "application/vnd.oci.image.manifest.v1+json"

struct image_save {
	struct arena *arena;         /* the worker's while a read is under way */
	struct loop *loop;
	int data_fd;                 /* borrowed */
	struct image **images;       /* held */
	struct archive_out_image *out;   /* of each image */
	size_t n_images;
	struct archive_parts parts;
	size_t at;                   /* part that is being written */
	size_t text_done;            /* bytes of its text that are */
	uint64_t blob_left;          /* bytes of its blob that are not; of the open one */
	int blob_fd;                 /* -1: not open */
	bool is_planned;
	bool is_away;                /* a worker has it */
	bool is_gone;                /* nobody wants the rest */
	char *buffer;
	size_t n_buffer;
	struct err err;
	image_save_fn fn;
	void *ctx;
};

/* ---- which images, by which names ---- */

static struct archive_out_image *take_image(struct image_save *s, struct image *i)
{
	struct archive_out_image *o;

	for (size_t k = 0; k < s->n_images; k++) {
		if (s->images[k] == i)
			return &s->out[k];
	}
	image_ref(i);
	s->images[s->n_images] = i;
	o = &s->out[s->n_images++];
	*o = (struct archive_out_image){
		.id = arena_strdup(s->arena, i->id), .manifest_digest = arena_strdup(s->arena, i->manifest_digest),
		.layers = arena_new_array(s->arena, struct archive_out_layer, i->n_layers + 1), .n_layers = i->n_layers,
	};
	for (size_t k = 0; k < i->n_layers; k++)
		o->layers[k].digest = arena_strdup(s->arena, i->layers[k].blob_digest);
	return o;
}

static void take_tag(struct image_save *s, struct archive_out_image *o, const char *canonical)
{
	struct str_list more = { arena_new_array(s->arena, char *, o->tags.n + 1), o->tags.n + 1 };

	for (size_t k = 0; k < o->tags.n; k++) {
		if (str_eq(o->tags.v[k], canonical))
			return;
		more.v[k] = o->tags.v[k];
	}
	more.v[o->tags.n] = arena_strdup(s->arena, canonical);
	o->tags = more;
}

/* A name without a tag means all tags of that repository. Return: how many that were */
static size_t take_repository(struct image_save *s, struct engine *eng, const struct reference *ref)
{
	const char *name = arena_printf(s->arena, "%s/%s:", ref->domain, ref->path);
	size_t n = 0;

	for (struct image *i = image_first(eng); i; i = image_next(eng, i)) {
		for (size_t k = 0; k < i->n_tags; k++) {
			if (!str_starts(i->tags[k], name))
				continue;
			take_tag(s, take_image(s, i), i->tags[k]);
			n++;
		}
	}
	return n;
}

static int take_name(struct image_save *s, struct engine *eng, const char *name, struct err *e)
{
	struct reference ref = { 0 };
	struct image *i = NULL;

	if (!digest_is_valid(name) && !str_is_hex(name, DIGEST_HEX_LEN) &&
	    reference_parse(name, s->arena, &ref, ERR_IGNORED) == 0 && !ref.digest) {
		if (!ref.tag && take_repository(s, eng, &ref) > 0)
			return 0;
		i = ref.tag ? image_by_tag(eng, reference_canonical(&ref, s->arena)) : NULL;
		if (i) {
			take_tag(s, take_image(s, i), reference_canonical(&ref, s->arena));
			return 0;
		}
	}
	if (image_find(eng, name, &i, e) < 0)
		return -1;
	take_image(s, i);
	return 0;
}

int image_save_new(struct engine *eng, const struct str_list *names, struct image_save **ret, struct err *e)
{
	struct image_save *s = xcalloc(1, sizeof(*s));
	size_t room = 1;

	for (struct image *i = image_first(eng); i; i = image_next(eng, i))
		room++;
	s->arena = arena_new();
	s->loop = eng->loop;
	s->data_fd = eng->cfg.data_root_fd;
	s->blob_fd = -1;
	s->images = arena_new_array(s->arena, struct image *, room);
	s->out = arena_new_array(s->arena, struct archive_out_image, room);
	for (size_t k = 0; k < names->n; k++) {
		if (take_name(s, eng, names->v[k], e) < 0) {
			image_save_free(s);
			return -1;
		}
	}
	for (size_t k = 0; k < s->n_images; k++)
		image_event(s->images[k], "save", s->images[k]->id);
	*ret = s;
	return 0;
}

static void save_free(struct image_save *s)
{
	close_fd(&s->blob_fd);
	free(s->buffer);
	arena_free(s->arena);
	free(s);
}

void image_save_free(struct image_save *s)
{
	if (!s)
		return;
	/* The worker needs descriptors and copies only: the images may go now. */
	for (size_t k = 0; k < s->n_images; k++)
		image_unref(s->images[k]);
	s->is_gone = true;
	if (!s->is_away)
		save_free(s);
}

/* ---- on a worker: what the blobs are ---- */

static int look_at(const struct image_save *s, const char *digest, uint64_t *ret_bytes, unsigned char magic[4], struct err *e)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (store_blob_open(s->data_fd, digest, &fd, e) < 0)
		return -1;
	if (fstat(fd, &st) < 0 || pread(fd, magic, 4, 0) < 0)
		return err_sys(e, "read blob %s", digest);
	*ret_bytes = (uint64_t)st.st_size;
	return 0;
}

/* By its bytes: docker's layout does not tell how a layer is compressed. */
static int look_at_layer(const struct image_save *s, struct archive_out_layer *y, struct err *e)
{
	unsigned char magic[4] = { 0 };

	if (look_at(s, y->digest, &y->bytes, magic, e) < 0)
		return -1;
	y->media_type = TYPE_LAYER;
	if (magic[0] == 0x1f && magic[1] == 0x8b)
		y->media_type = TYPE_LAYER "+gzip";
	else if (memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0)
		y->media_type = TYPE_LAYER "+zstd";
	return 0;
}

static int look_at_manifest(const struct image_save *s, struct archive_out_image *o, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	AUTO_FREE char *text = NULL;
	struct oci_manifest *m;
	size_t n = 0;

	if (store_blob_open(s->data_fd, o->manifest_digest, &fd, e) < 0 ||
	    fd_read_all(fd, IMAGE_DOC_MAX_BYTES, &text, &n, e) < 0 || image_manifest_parse(text, n, NULL, s->arena, &m, e) < 0)
		return err_wrap(e, "manifest %s", o->manifest_digest);
	o->manifest_bytes = n;
	o->manifest_type = str_is_empty(m->media_type) ? TYPE_MANIFEST : m->media_type;
	return 0;
}

static int plan(struct image_save *s, struct err *e)
{
	unsigned char magic[4];

	for (size_t i = 0; i < s->n_images; i++) {
		struct archive_out_image *o = &s->out[i];

		if (look_at(s, o->id, &o->config_bytes, magic, e) < 0 || (o->manifest_digest && look_at_manifest(s, o, e) < 0))
			return err_wrap(e, "image %s", o->id);
		for (size_t k = 0; k < o->n_layers; k++) {
			if (look_at_layer(s, &o->layers[k], e) < 0)
				return err_wrap(e, "image %s", o->id);
		}
	}
	archive_write(s->out, s->n_images, s->arena, &s->parts);
	s->is_planned = true;
	return 0;
}

/* ---- on a worker: the next bytes ---- */

static void fill_text(struct image_save *s, const struct archive_part *p)
{
	size_t room = BUFFER_BYTES - s->n_buffer, left = p->n_text - s->text_done;
	size_t n = left < room ? left : room;

	memcpy(s->buffer + s->n_buffer, p->text + s->text_done, n);
	s->n_buffer += n;
	s->text_done += n;
}

static int fill_blob(struct image_save *s, const struct archive_part *p, struct err *e)
{
	size_t room = BUFFER_BYTES - s->n_buffer;
	ssize_t n;

	if (s->blob_fd < 0) {
		if (store_blob_open(s->data_fd, p->digest, &s->blob_fd, e) < 0)
			return -1;
		s->blob_left = p->bytes;
	}
	n = read(s->blob_fd, s->buffer + s->n_buffer, s->blob_left < room ? (size_t)s->blob_left : room);
	if (n < 0)
		return err_sys(e, "read blob %s", p->digest);
	if (n == 0 && s->blob_left > 0)
		return err_set(e, ERR_SYSTEM, "blob %s is shorter than it was", p->digest);
	s->n_buffer += (size_t)n;
	s->blob_left -= (uint64_t)n;
	return 0;
}

static int fill(struct image_save *s, struct err *e)
{
	if (!s->is_planned && plan(s, e) < 0)
		return -1;
	while (s->at < s->parts.n && s->n_buffer < BUFFER_BYTES) {
		const struct archive_part *p = &s->parts.v[s->at];

		if (s->text_done < p->n_text) {
			fill_text(s, p);
			continue;
		}
		if (p->digest && fill_blob(s, p, e) < 0)
			return -1;
		if (p->digest && s->blob_left > 0)
			continue;
		close_fd(&s->blob_fd);
		s->text_done = 0;
		s->at++;
	}
	return 0;
}

static void read_work(void *ctx)
{
	struct image_save *s = ctx;
	struct err e = { 0 };

	s->n_buffer = 0;
	if (fill(s, &e) < 0)
		s->err = e;
}

static void read_done(void *ctx)
{
	struct image_save *s = ctx;

	s->is_away = false;
	if (s->is_gone)
		save_free(s);
	else
		s->fn(s->ctx, &s->err, s->buffer, s->n_buffer);
}

void image_save_read(struct image_save *s, image_save_fn fn, void *ctx)
{
	BUG(s->is_away, "an archive is read twice at a time");
	if (!s->buffer)
		s->buffer = xcalloc(1, BUFFER_BYTES);
	s->fn = fn;
	s->ctx = ctx;
	s->is_away = true;
	loop_work(s->loop, LOOP_JOB_SHORT, read_work, read_done, s);
}
