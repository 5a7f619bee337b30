/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/own.h"
#include "oci/digest.h"
#include "tests/unit/tarmake.h"
#include "tests/unit/unit.h"

#define DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define OCI_LAYER    "application/vnd.oci.image.layer.v1.tar"
#define OCI_CONFIG   "application/vnd.oci.image.config.v1+json"
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX    "application/vnd.oci.image.index.v1+json"
#define DIFF_ID "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

static struct tarmake tar;
static struct arena *arena;
static struct unpack_listing listing;
static struct archive_plan plan;
static struct err e;
static int staging = -1;

static void begin(void)
{
	strbuf_done(&tar.out);
	arena_free(arena);
	close_fd(&staging);
	tar_begin(&tar);
	arena = arena_new();
	memset(&e, 0, sizeof e);
	staging = open(unit_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(staging, 0);
}

static int stage_with(const struct archive_limits *limits)
{
	AUTO_CLOSE int in = -1;

	tar_end(&tar);
	in = tar_fd(tar.out.data, tar.out.len);
	return archive_stage(in, staging, limits, arena, &listing, &e);
}

static int stage(void)
{
	const struct archive_limits limits = ARCHIVE_LIMITS_DEFAULT;

	return stage_with(&limits);
}

static int load(void)
{
	return stage() < 0 ? -1 : archive_plan(&listing, staging, arena, &plan, &e);
}

static void loads(void)
{
	ck_assert_msg(load() == 0, "%s", e.msg);
}

static void refuses(const char *why)
{
	ck_assert_int_eq(load(), -1);
	ck_assert_msg(strstr(e.msg, why) != NULL, "said '%s'", e.msg);
}

static char *digest_text(const char *text)
{
	struct digest d;

	digest_of(text, strlen(text), &d);
	return arena_strdup(arena, d.text);
}

/* A blob of an OCI layout; returns its descriptor */
static char *blob(const char *type, const char *text)
{
	char *digest = digest_text(text);

	tar_file(&tar, arena_printf(arena, "blobs/sha256/%s", digest + 7), 0644, text);
	return arena_printf(arena, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu", type, digest, strlen(text));
}

static char *config_text(const char *arch)
{
	return arena_printf(arena, "{\"os\":\"linux\",\"architecture\":\"%s\",\"config\":{\"Cmd\":[\"sh\"]},\"rootfs\":"
			    "{\"type\":\"layers\",\"diff_ids\":[\"" DIFF_ID "\"]}}", arch);
}

static char *oci_manifest(const char *arch)
{
	char *config = blob(OCI_CONFIG, config_text(arch)), *layer = blob(OCI_LAYER, "the layer");

	return blob(OCI_MANIFEST, arena_printf(arena, "{\"schemaVersion\":2,\"config\":%s},\"layers\":[%s}]}", config, layer));
}

/* The layout of containers' "dir:"; @config: what its blob holds, whatever its name says */
static void dir_layout(const char *config)
{
	char *said = config_text("amd64");

	tar_file(&tar, digest_text(config_text("amd64")) + 7, 0644, config);
	tar_file(&tar, digest_text("the layer") + 7, 0644, "the layer");
	tar_file(&tar, "version", 0644, "Directory Transport Version: 1.1\n");
	tar_file(&tar, "manifest.json", 0644,
		 arena_printf(arena, "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI_CONFIG "\",\"digest\":\"%s\","
			      "\"size\":%zu},\"layers\":[{\"mediaType\":\"" OCI_LAYER "\",\"digest\":\"%s\",\"size\":9}]}",
			      digest_text(said), strlen(said), digest_text("the layer")));
}

static void index_json(const char *manifests)
{
	tar_file(&tar, "index.json", 0644, arena_printf(arena, "{\"schemaVersion\":2,\"manifests\":[%s]}", manifests));
	tar_file(&tar, "oci-layout", 0644, "{\"imageLayoutVersion\":\"1.0.0\"}");
}

/* --- staging ----------------------------------------------------------------------------------------- */

START_TEST(members_get_numbers_and_digests)
{
	const struct unpack_file *f;
	char text[16] = {0};

	begin();
	tar_dir(&tar, "d/", 0755);
	tar_file(&tar, "./d/abc", 0644, "abc");
	ck_assert_int_eq(stage(), 0);
	ck_assert_uint_eq(listing.n_files, 1);
	f = &listing.files[0];
	ck_assert_str_eq(f->name, "d/abc");
	ck_assert_str_eq(f->file, "0");
	ck_assert_str_eq(f->digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	{
		AUTO_CLOSE int fd = openat(staging, "0", O_RDONLY | O_CLOEXEC);

		ck_assert_int_eq(read(fd, text, sizeof text), 3);
		ck_assert_str_eq(text, "abc");
	}
}
END_TEST

START_TEST(links_are_second_names_and_never_made)
{
	begin();
	tar_symlink(&tar, "b/layer.tar", "../a/layer.tar");
	tar_file(&tar, "a/layer.tar", 0644, "x");
	tar_hardlink(&tar, "c", "b/layer.tar");
	tar_symlink(&tar, "loop1", "loop2");
	tar_symlink(&tar, "loop2", "loop1");
	ck_assert_msg(stage() == 0, "%s", e.msg);
	ck_assert_uint_eq(listing.n_files, 3);
	for (size_t i = 0; i < listing.n_files; i++)
		ck_assert_str_eq(listing.files[i].file, "0");
}
END_TEST

START_TEST(traversal_and_devices_are_refused)
{
	begin();
	tar_file(&tar, "../x", 0644, "");
	ck_assert_int_eq(stage(), -1);
	begin();
	tar_symlink(&tar, "l", "../../etc/passwd");
	ck_assert_int_eq(stage(), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "link leads outside"));
	begin();
	tar_entry_raw(&tar, "dev", '4', 0600, "", "", 0, 8, 0);
	ck_assert_int_eq(stage(), -1);
	begin();
	ck_assert_int_eq(stage(), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "is empty"));
}
END_TEST

START_TEST(size_limit_holds)
{
	const struct archive_limits limits = { 4096, 0 };

	begin();
	tar_file(&tar, "a", 0644, "x");
	ck_assert_int_eq(stage_with(&limits), 0);
	begin();
	for (int i = 0; i < 8; i++)
		tar_file(&tar, "a", 0644, "x");
	ck_assert_int_eq(stage_with(&limits), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
}
END_TEST

/* --- docker's layout --------------------------------------------------------------------------------- */

static void docker_image(const char *tags, const char *config_name)
{
	tar_file(&tar, "l/layer.tar", 0644, "the layer");
	tar_file(&tar, config_name, 0644, config_text("amd64"));
	tar_file(&tar, "manifest.json", 0644,
		 arena_printf(arena, "[{\"Config\":\"%s\",\"RepoTags\":%s,\"Layers\":[\"l/layer.tar\"]}]", config_name, tags));
}

START_TEST(docker_archive_is_planned)
{
	begin();
	docker_image("[\"busybox:1\",\"docker.io/library/busybox:1\",\"ghcr.io/a/b\"]", "config.json");
	loads();
	ck_assert_uint_eq(plan.n_images, 1);
	ck_assert_str_eq(plan.images[0].id, digest_text(config_text("amd64")));
	ck_assert_uint_eq(plan.images[0].tags.n, 2);
	ck_assert_str_eq(plan.images[0].tags.v[0], "docker.io/library/busybox:1");
	ck_assert_str_eq(plan.images[0].tags.v[1], "ghcr.io/a/b:latest");
	ck_assert_uint_eq(plan.images[0].n_layers, 1);
	ck_assert_str_eq(plan.images[0].layers[0].diff_id, DIFF_ID);
	ck_assert_str_eq(plan.images[0].layers[0].file->digest, digest_text("the layer"));
	ck_assert_ptr_null(plan.images[0].manifest_digest);
}
END_TEST

START_TEST(untagged_image_is_planned)
{
	begin();
	docker_image("null", "config.json");
	loads();
	ck_assert_uint_eq(plan.images[0].tags.n, 0);
}
END_TEST

START_TEST(a_member_called_by_a_digest_is_claimed_and_looked_at_later)
{
	begin();
	tar_file(&tar, arena_printf(arena, ARCHIVE_BLOBS "%s", digest_text("abc") + 7), 0644, "no abc");
	tar_file(&tar, digest_text("x") + 7, 0644, "no x");
	tar_file(&tar, arena_printf(arena, "%s.json", digest_text("abc") + 7), 0644, "abc");
	ck_assert_msg(stage() == 0, "%s", e.msg);
	for (size_t i = 0; i < 3; i++)
		ck_assert_str_eq(listing.files[i].digest, digest_text(i == 1 ? "x" : "abc"));
	ck_assert(listing.files[0].is_claimed && listing.files[1].is_claimed && !listing.files[2].is_claimed);
}
END_TEST

START_TEST(name_that_holds_another_digest_is_refused)
{
	begin();
	docker_image("null", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.json");
	refuses("has the digest");
}
END_TEST

START_TEST(missing_members_and_miscounted_layers_are_refused)
{
	begin();
	tar_file(&tar, "manifest.json", 0644, "[{\"Config\":\"none.json\",\"RepoTags\":[],\"Layers\":[]}]");
	refuses("'none.json' is not in the archive");
	begin();
	tar_file(&tar, "c.json", 0644, config_text("amd64"));
	tar_file(&tar, "manifest.json", 0644, "[{\"Config\":\"c.json\",\"RepoTags\":[],\"Layers\":[]}]");
	refuses("names 1 layers and the manifest 0");
	begin();
	docker_image("[\"Not A Name\"]", "c.json");
	refuses("Not A Name");
	begin();
	tar_file(&tar, "hello", 0644, "x");
	refuses("neither manifest.json nor index.json");
	begin();
	tar_file(&tar, "manifest.json", 0644, "[]");
	refuses("holds no image");
	begin();
	tar_file(&tar, "manifest.json", 0644, "[{\"Config\":1}]");
	refuses("[0].Config");
}
END_TEST

/* --- OCI's layout ------------------------------------------------------------------------------------ */

START_TEST(oci_archive_is_planned)
{
	char *m;

	begin();
	m = oci_manifest("amd64");
	index_json(arena_printf(arena, "%s,\"annotations\":{\"org.opencontainers.image.ref.name\":\"a/b:2\"}}", m));
	loads();
	ck_assert_uint_eq(plan.n_images, 1);
	ck_assert_str_eq(plan.images[0].tags.v[0], "docker.io/a/b:2");
	ck_assert_str_eq(plan.images[0].layers[0].media_type, OCI_LAYER);
	ck_assert_ptr_nonnull(strstr(m, plan.images[0].manifest_digest));
}
END_TEST

START_TEST(one_image_under_two_names_is_one_image)
{
	char *m;

	begin();
	m = oci_manifest("amd64");
	index_json(arena_printf(arena, "%s,\"annotations\":{\"io.containerd.image.name\":\"docker.io/a/b:2\"}},"
				"%s,\"annotations\":{\"org.opencontainers.image.ref.name\":\"latest\"}},"
				"%s,\"annotations\":{\"org.opencontainers.image.ref.name\":\"c\"}}", m, m, m));
	loads();
	ck_assert_uint_eq(plan.n_images, 1);
	ck_assert_uint_eq(plan.images[0].tags.n, 2);
	ck_assert_str_eq(plan.images[0].tags.v[1], "docker.io/library/c:latest");
}
END_TEST

START_TEST(nested_index_gives_the_image_for_this_machine)
{
	char *other, *mine, *x;

	begin();
	other = oci_manifest("other");
	mine = oci_manifest(image_host_arch());
	x = blob(OCI_INDEX, arena_printf(arena, "{\"schemaVersion\":2,\"manifests\":[%s,\"platform\":{\"os\":\"linux\","
					 "\"architecture\":\"other\"}},%s,\"platform\":{\"os\":\"linux\",\"architecture\":"
					 "\"%s\"}}]}", other, mine, image_host_arch()));
	index_json(arena_printf(arena, "%s}", x));
	loads();
	ck_assert_uint_eq(plan.n_images, 1);
	ck_assert_str_eq(plan.images[0].config->architecture, image_host_arch());
}
END_TEST

START_TEST(archive_for_other_machines_only_is_not_found)
{
	begin();
	index_json(arena_printf(arena, "%s,\"platform\":{\"os\":\"linux\",\"architecture\":\"other\"}}", oci_manifest("other")));
	refuses("no image for linux/");
	ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
}
END_TEST

START_TEST(blob_with_wrong_content_or_size_is_refused)
{
	char *digest;

	begin();
	digest = digest_text("what was promised");
	tar_file(&tar, arena_printf(arena, "blobs/sha256/%s", digest + 7), 0644, "something else");
	index_json(arena_printf(arena, "{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"%s\",\"size\":14}", digest));
	refuses("has the digest");
	begin();
	index_json(arena_printf(arena, "{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"%s\",\"size\":99}",
				strstr(blob("x", "text"), "sha256:") ? digest_text("text") : ""));
	refuses("has 4 bytes instead of 99");
	begin();
	index_json("{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"sha256:../../x\",\"size\":1}");
	refuses("invalid digest");
	begin();
	index_json("{\"mediaType\":\"text/html\",\"digest\":\"" DIFF_ID "\",\"size\":1}");
	refuses("cannot load 'text/html'");
}
END_TEST

START_TEST(index_that_refers_to_itself_is_refused)
{
	/* It cannot, by its digest; the depth is bounded all the same */
	char *x = NULL;

	begin();
	x = oci_manifest("amd64");
	for (int i = 0; i < 5; i++)
		x = blob(OCI_INDEX, arena_printf(arena, "{\"schemaVersion\":2,\"manifests\":[%s}]}", x));
	index_json(arena_printf(arena, "%s}", x));
	refuses("nested too deeply");
}
END_TEST

/* --- results ----------------------------------------------------------------------------------------- */

START_TEST(results_survive_the_pipe)
{
	static struct unpack_failure failure = { ERR_UNSUPPORTED, (char *)"because", ENOSPC };
	struct unpack_result r = { .archive = &listing }, *back;
	AUTO_STRBUF struct strbuf out = {0};

	begin();
	docker_image("null", "c.json");
	ck_assert_int_eq(stage(), 0);
	json_emit(&unpack_result_schema, &r, &out);
	ck_assert_msg(unpack_result_parse(out.data, out.len, arena, &back, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(back->archive->n_files, 3);
	ck_assert_int_eq(unpack_result_parse("", 0, arena, &back, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INTERNAL);
	ck_assert_int_eq(unpack_result_parse("{}", 2, arena, &back, &e), -1);
	strbuf_reset(&out);
	r = (struct unpack_result){ .error = &failure };
	json_emit(&unpack_result_schema, &r, &out);
	ck_assert_int_eq(unpack_result_parse(out.data, out.len, arena, &back, &e), -1);
	ck_assert_int_eq(e.kind, ERR_UNSUPPORTED);
	ck_assert_str_eq(e.msg, "because");
	ck_assert_int_eq(e.sys, ENOSPC);
}
END_TEST

START_TEST(paths_are_escaped_and_back)
{
	char text[] = "a%2f%00", bad[] = "%zz", cut[] = "%4";
	char *escaped;

	begin();
	escaped = unpack_path_escape("w\xff%\n x", arena);
	ck_assert_str_eq(escaped, "w%ff%25%0a x");
	ck_assert(unpack_path_unescape(escaped));
	ck_assert_str_eq(escaped, "w\xff%\n x");
	ck_assert(!unpack_path_unescape(text));
	ck_assert(!unpack_path_unescape(bad));
	ck_assert(!unpack_path_unescape(cut));
}
END_TEST

START_TEST(a_blob_is_staged_as_it_comes_and_bounded)
{
	const struct archive_limits wide = { 1000, 0 }, tight = { 6, 0 };
	AUTO_CLOSE int in = tar_fd("content", 7);

	begin();
	ck_assert_msg(archive_stage_blob(in, staging, &wide, arena, &listing, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(listing.n_files, 1);
	ck_assert_str_eq(listing.files[0].digest, "");
	ck_assert_uint_eq(listing.files[0].bytes, 7);
	ck_assert_str_eq(listing.files[0].file, "0");
	ck_assert_int_eq(unlinkat(staging, "0", 0), 0);
	ck_assert_int_eq(lseek(in, 0, SEEK_SET), 0);
	ck_assert_int_eq(archive_stage_blob(in, staging, &tight, arena, &listing, &e), -1);
	ck_assert_msg(strstr(e.msg, "more than the 6 bytes") != NULL, "%s", e.msg);
}
END_TEST

START_TEST(directory_layout_is_planned_without_a_name)
{
	begin();
	dir_layout(config_text("amd64"));
	loads();
	ck_assert_uint_eq(plan.n_images, 1);
	ck_assert_str_eq(plan.images[0].id, digest_text(config_text("amd64")));
	ck_assert_uint_eq(plan.images[0].tags.n, 0);
	ck_assert_str_eq(plan.images[0].manifest_digest, plan.images[0].manifest_file->digest);
	ck_assert_str_eq(plan.images[0].layers[0].diff_id, DIFF_ID);
	begin();
	dir_layout(config_text("arm64"));   /* of the same length */
	refuses("has the digest");
}
END_TEST

/* Whoever has taken over the process that stages leaves what it likes */
START_TEST(what_was_staged_is_a_file_of_the_directory)
{
	static const char *const names[] = { "..", "../0", "/etc/passwd", "a/b", "" };
	struct unpack_file *f;

	begin();
	dir_layout(config_text("amd64"));
	ck_assert_int_eq(stage(), 0);
	f = &listing.files[1];   /* the layer, which nothing reads here */
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *own = f->file;

		f->file = arena_strdup(arena, names[i]);
		ck_assert_int_eq(archive_plan(&listing, staging, arena, &plan, &e), -1);
		ck_assert_msg(strstr(e.msg, "listing is malformed") != NULL, "%s: %s", names[i], e.msg);
		f->file = own;
	}
	ck_assert_int_eq(unlinkat(staging, f->file, 0), 0);
	ck_assert_int_eq(archive_plan(&listing, staging, arena, &plan, &e), -1);
	ck_assert_int_eq(symlinkat("/etc/passwd", staging, f->file), 0);
	ck_assert_int_eq(archive_plan(&listing, staging, arena, &plan, &e), -1);
	ck_assert_msg(strstr(e.msg, "not left as a file") != NULL, "%s", e.msg);
	ck_assert_int_eq(unlinkat(staging, f->file, 0), 0);
	ck_assert_int_eq(mkfifoat(staging, f->file, 0600), 0);
	ck_assert_int_eq(archive_plan(&listing, staging, arena, &plan, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INTERNAL);
}
END_TEST

static char *dir_manifest(const char *arch)
{
	const char *config = config_text(arch);

	tar_file(&tar, digest_text(config) + 7, 0644, config);
	return arena_printf(arena, "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI_CONFIG "\",\"digest\":\"%s\","
			    "\"size\":%zu},\"layers\":[{\"mediaType\":\"" OCI_LAYER "\",\"digest\":\"%s\",\"size\":9}]}",
			    digest_text(config), strlen(config), digest_text("the layer"));
}

/* @said: what is called by that manifest's digest */
static char *dir_instance(const char *arch, const char *said)
{
	const char *m = dir_manifest(arch);

	tar_file(&tar, arena_printf(arena, "%s.manifest.json", digest_text(m) + 7), 0644, said ? said : m);
	return arena_printf(arena, "{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"%s\",\"size\":%zu,"
			    "\"platform\":{\"os\":\"linux\",\"architecture\":\"%s\"}}", digest_text(m), strlen(m), arch);
}

static void dir_of_a_list(const char *arch, const char *said)
{
	const char *other = dir_instance("other", NULL);

	tar_file(&tar, digest_text("the layer") + 7, 0644, "the layer");
	tar_file(&tar, "manifest.json", 0644, arena_printf(arena, "{\"schemaVersion\":2,\"manifests\":[%s,%s]}", other, dir_instance(arch, said)));
}

START_TEST(directory_of_a_list_gives_the_image_for_this_machine)
{
	const char *other;

	begin();
	dir_of_a_list(image_host_arch(), NULL);
	loads();
	ck_assert_uint_eq(plan.n_images, 1);
	ck_assert_str_eq(plan.images[0].config->architecture, image_host_arch());
	begin();
	dir_of_a_list("another", NULL);
	refuses("no image for linux/");
	begin();
	other = dir_manifest("other");
	dir_of_a_list(image_host_arch(), other);
	refuses("has the digest");
}
END_TEST

START_TEST(a_name_that_means_an_id_is_refused)
{
	begin();
	docker_image("[\"sha256:0123456789ab\"]", "config.json");
	refuses("refusing to create an ambiguous tag using digest algorithm as name");
	begin();
	docker_image("[\"example.org/sha256:0123456789ab\"]", "config.json");
	loads();
}
END_TEST

UNIT_MAIN("archive", what_was_staged_is_a_file_of_the_directory, directory_of_a_list_gives_the_image_for_this_machine, a_name_that_means_an_id_is_refused, directory_layout_is_planned_without_a_name, a_blob_is_staged_as_it_comes_and_bounded, members_get_numbers_and_digests, a_member_called_by_a_digest_is_claimed_and_looked_at_later, links_are_second_names_and_never_made,
	  traversal_and_devices_are_refused, size_limit_holds, docker_archive_is_planned, untagged_image_is_planned,
	  name_that_holds_another_digest_is_refused, missing_members_and_miscounted_layers_are_refused,
	  oci_archive_is_planned, one_image_under_two_names_is_one_image,
	  nested_index_gives_the_image_for_this_machine, archive_for_other_machines_only_is_not_found,
	  blob_with_wrong_content_or_size_is_refused, index_that_refers_to_itself_is_refused,
	  results_survive_the_pipe, paths_are_escaped_and_back)
