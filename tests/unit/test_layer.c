/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <zlib.h>
#include <zstd.h>

#include "base/own.h"
#include "oci/digest.h"
#include "oci/layer_tar.h"
#include "tests/unit/tarmake.h"
#include "tests/unit/unit.h"

static struct tarmake tar;
static struct arena *arena;
static struct unpack_layer layer;
static struct err e;
static char dir[128];

static void begin(void)
{
	strbuf_done(&tar.out);
	arena_free(arena);
	tar_begin(&tar);
	arena = arena_new();
	memset(&layer, 0, sizeof layer);
	memset(&e, 0, sizeof e);
	snprintf(dir, sizeof dir, "%s", unit_dir());
}

static int apply_bytes(const void *data, size_t n, const struct layer_limits *limits)
{
	AUTO_CLOSE int in = tar_fd(data, n);
	AUTO_CLOSE int out = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_ge(in, 0);
	ck_assert_int_ge(out, 0);
	return layer_apply(in, out, limits, arena, &layer, &e);
}

static int apply(void)
{
	const struct layer_limits limits = LAYER_LIMITS_DEFAULT;

	tar_end(&tar);
	return apply_bytes(tar.out.data, tar.out.len, &limits);
}

static void applies(void)
{
	ck_assert_msg(apply() == 0, "%s", e.msg);
}

static void refuses(const char *why)
{
	ck_assert_int_eq(apply(), -1);
	ck_assert_msg(strstr(e.msg, why) != NULL, "said '%s'", e.msg);
}

static const char *at(const char *name)
{
	static char path[4400];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static struct stat look(const char *name)
{
	struct stat st;

	ck_assert_msg(lstat(at(name), &st) == 0, "%s: %s", name, strerror(errno));
	return st;
}

static bool is_there(const char *name)
{
	struct stat st;

	return lstat(at(name), &st) == 0;
}

static void holds(const char *name, const char *text)
{
	char buf[256] = {0};
	AUTO_CLOSE int fd = open(at(name), O_RDONLY | O_CLOEXEC);

	ck_assert_msg(fd >= 0, "%s: %s", name, strerror(errno));
	ck_assert_int_ge(read(fd, buf, sizeof buf - 1), 0);
	ck_assert_str_eq(buf, text);
}

static bool is_whiteout(const char *name)
{
	struct stat st = look(name);

	return S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
}

static bool is_opaque(const char *name)
{
	for (size_t i = 0; i < layer.opaque.n; i++)
		if (str_eq(layer.opaque.v[i], name))
			return true;
	return false;
}

/* --- what a layer brings ------------------------------------------------------------------------------ */

START_TEST(files_get_content_mode_and_time)
{
	begin();
	tar_dir(&tar, "./", 0751);
	tar_dir(&tar, "d/", 01777);
	tar_file(&tar, "d/f", 04755, "hello");
	tar_symlink(&tar, "d/l", "../../../etc/passwd");
	tar_entry_raw(&tar, "p", '6', 0600, "", "", 0, 0, 0);
	applies();
	holds("d/f", "hello");
	ck_assert_int_eq(look("d/f").st_mode & 07777, 04755);
	ck_assert_int_eq(look("d").st_mode & 07777, 01777);
	ck_assert_int_eq(look("").st_mode & 07777, 0751);
	ck_assert_int_eq(look("d/f").st_mtime, 1000000000);
	ck_assert_int_eq(look("d").st_mtime, 1000000000);
	ck_assert_int_eq(look("d/l").st_mtime, 1000000000);
	ck_assert(S_ISLNK(look("d/l").st_mode));
	ck_assert(S_ISFIFO(look("p").st_mode));
	ck_assert_uint_eq(layer.n_entries, 5);
	ck_assert_uint_eq(layer.file_bytes, 5);
}
END_TEST

START_TEST(layer_without_root_entry_gets_mode_755)
{
	begin();
	tar_file(&tar, "f", 0644, "");
	applies();
	ck_assert_int_eq(look("").st_mode & 07777, 0755);
}
END_TEST

START_TEST(missing_parents_are_made)
{
	begin();
	tar_file(&tar, "a/b/c/f", 0644, "x");
	tar_file(&tar, "a/b/g", 0644, "y");
	applies();
	holds("a/b/c/f", "x");
	ck_assert_int_eq(look("a/b").st_mode & 07777, 0755);
}
END_TEST

START_TEST(hard_links_share_the_file_also_to_links)
{
	begin();
	tar_file(&tar, "a/f", 0644, "x");
	tar_hardlink(&tar, "b/g", "a/f");
	tar_hardlink(&tar, "b/h", "/a/f");
	tar_symlink(&tar, "s", "nowhere");
	tar_hardlink(&tar, "t", "s");
	applies();
	ck_assert_uint_eq(look("a/f").st_ino, look("b/g").st_ino);
	ck_assert_uint_eq(look("a/f").st_nlink, 3);
	ck_assert(S_ISLNK(look("t").st_mode));
}
END_TEST

START_TEST(names_are_raw_bytes)
{
	static const char nfd[] = "cafe\xcc\x81", bad[] = "bad\xff\xfe", pax[] = "pax\xff-e\xcc\x81";

	begin();
	tar_file(&tar, nfd, 0644, "1");
	tar_file(&tar, bad, 0644, "2");
	tar_pax(&tar, "path", pax, strlen(pax));
	tar_file(&tar, "x", 0644, "3");
	tar_pax(&tar, "path", nfd, strlen(nfd));
	tar_symlink(&tar, "y", bad);
	applies();
	ck_assert(S_ISLNK(look(nfd).st_mode));
	holds(bad, "2");
	holds(pax, "3");
}
END_TEST

START_TEST(long_names_and_times_come_from_pax)
{
	char name[300];

	begin();
	memset(name, 'n', sizeof name);
	name[200] = '/';
	name[299] = '\0';
	tar_pax(&tar, "path", name, strlen(name));
	tar_pax(&tar, "mtime", "-5.25", 5);
	tar_file(&tar, "short", 0644, "x");
	applies();
	ck_assert_int_eq(look(name).st_mtim.tv_sec, -6);
	ck_assert_int_eq(look(name).st_mtim.tv_nsec, 750000000);
}
END_TEST

START_TEST(later_entries_replace_earlier_ones)
{
	begin();
	tar_file(&tar, "a", 0644, "one");
	tar_file(&tar, "a", 0600, "two");
	tar_file(&tar, "d/f", 0644, "x");
	tar_file(&tar, "d", 0644, "now a file");
	tar_symlink(&tar, "l", "a");
	tar_file(&tar, "l", 0644, "not through the link");
	tar_file(&tar, "e", 0644, "");
	tar_dir(&tar, "e", 0755);
	tar_dir(&tar, "k", 0755);
	tar_file(&tar, "k/f", 0644, "stays");
	tar_dir(&tar, "k", 0700);
	applies();
	holds("a", "two");
	holds("d", "now a file");
	holds("l", "not through the link");
	ck_assert(S_ISDIR(look("e").st_mode));
	holds("k/f", "stays");
	ck_assert_int_eq(look("k").st_mode & 07777, 0700);
}
END_TEST

START_TEST(attributes_are_kept_and_host_labels_are_not)
{
	char value[8] = {0};
	int fd;

	begin();
	fd = open(at("probe"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fsetxattr(fd, "user.a", "1", 1, 0) < 0) {
		close(fd);
		return;   /* this file system has no user attributes: nothing to see */
	}
	close(fd);
	tar_pax(&tar, "SCHILY.xattr.user.k", "\x00\xff\x01", 3);
	tar_file(&tar, "f", 0644, "x");
	tar_pax(&tar, "SCHILY.xattr.security.selinux", "x", 1);
	tar_file(&tar, "g", 0644, "x");
	applies();
	ck_assert_int_eq(getxattr(at("f"), "user.k", value, sizeof value), 3);
	ck_assert(memcmp(value, "\x00\xff\x01", 3) == 0);
}
END_TEST

START_TEST(sparse_files_keep_their_holes)
{
	static const char map[] = "1\n1048576\n4\n";
	char data[516] = {0};

	begin();
	/* GNU sparse 1.0: the map in the first block, then the data */
	memcpy(data, map, strlen(map));
	memcpy(data + 512, "tail", 4);
	tar_pax(&tar, "GNU.sparse.major", "1", 1);
	tar_pax(&tar, "GNU.sparse.minor", "0", 1);
	tar_pax(&tar, "GNU.sparse.name", "sparse", 6);
	tar_pax(&tar, "GNU.sparse.realsize", "1048580", 7);
	tar_entry_raw(&tar, "GNUSparseFile.0/sparse", '0', 0644, "", data, sizeof data, 0, 0);
	applies();
	ck_assert_int_eq(look("sparse").st_size, 1048580);
	ck_assert_int_lt(look("sparse").st_blocks * 512, 1048576);
}
END_TEST

START_TEST(hole_larger_than_any_disk_is_refused)
{
	begin();
	tar_pax(&tar, "GNU.sparse.major", "1", 1);
	tar_pax(&tar, "GNU.sparse.minor", "0", 1);
	tar_pax(&tar, "GNU.sparse.name", "sparse", 6);
	tar_pax(&tar, "GNU.sparse.realsize", "4611686018427387904", 19);
	{
		static const char map[512] = "0\n";

		tar_entry_raw(&tar, "x", '0', 0644, "", map, sizeof map, 0, 0);
	}
	refuses("too large");
}
END_TEST

/* --- whiteouts --------------------------------------------------------------------------------------- */

START_TEST(whiteout_becomes_a_device_and_opaque_is_reported)
{
	begin();
	tar_file(&tar, "a/.wh.gone", 0644, "");
	tar_file(&tar, "b/.wh..wh..opq", 0644, "");
	tar_file(&tar, "b/new", 0644, "x");
	tar_file(&tar, ".wh..wh.plnk/1.2", 0644, "aufs");
	tar_file(&tar, ".wh..wh.aufs", 0644, "aufs");
	applies();
	ck_assert(is_whiteout("a/gone"));
	ck_assert(is_opaque("b"));
	ck_assert(!is_there("b/.wh..wh..opq"));
	ck_assert(!is_there(".wh..wh.plnk"));
	ck_assert_uint_eq(layer.opaque.n, 1);
}
END_TEST

START_TEST(opaque_root_has_the_empty_name)
{
	begin();
	tar_file(&tar, ".wh..wh..opq", 0644, "");
	tar_file(&tar, "w\xff%/.wh..wh..opq", 0644, "");
	applies();
	ck_assert(is_opaque(""));
	ck_assert(is_opaque("w%ff%25"));
}
END_TEST

START_TEST(whiteout_never_hides_what_its_own_layer_brings)
{
	begin();
	tar_file(&tar, "f", 0644, "mine");
	tar_file(&tar, ".wh.f", 0644, "");
	tar_file(&tar, "d/x", 0644, "mine");
	tar_file(&tar, ".wh.d", 0644, "");
	applies();
	holds("f", "mine");
	holds("d/x", "mine");
	ck_assert(is_opaque("d"));
}
END_TEST

START_TEST(directory_over_a_whiteout_is_opaque)
{
	begin();
	tar_file(&tar, ".wh.d", 0644, "");
	tar_dir(&tar, "d", 0755);
	tar_file(&tar, ".wh.e", 0644, "");
	tar_file(&tar, "e/f", 0644, "x");
	tar_file(&tar, ".wh.g", 0644, "");
	tar_file(&tar, "g", 0644, "file");
	applies();
	ck_assert(is_opaque("d") && is_opaque("e"));
	holds("e/f", "x");
	holds("g", "file");
}
END_TEST

START_TEST(malformed_whiteouts_are_refused)
{
	static const char *const names[] = { ".wh.", "a/.wh..", "a/.wh...", ".wh.a/b" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		begin();
		tar_file(&tar, names[i], 0644, "");
		refuses("whiteout");
	}
}
END_TEST

/* --- attacks ----------------------------------------------------------------------------------------- */

START_TEST(names_that_lead_outside_are_refused)
{
	static const char *const names[] = { "../x", "a/../../x", "a/..", "/../x", "a/../b" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		begin();
		tar_file(&tar, names[i], 0644, "x");
		refuses("leads outside");
	}
}
END_TEST

START_TEST(absolute_names_are_below_the_root)
{
	begin();
	tar_file(&tar, "/abs/f", 0644, "x");
	tar_file(&tar, ".//./g", 0644, "y");
	applies();
	holds("abs/f", "x");
	holds("g", "y");
}
END_TEST

START_TEST(links_to_the_host_are_followed_below_the_root_only)
{
	char outside[128], link[256], inside[256];

	begin();
	snprintf(outside, sizeof outside, "%s", unit_dir());
	snprintf(link, sizeof link, "%s", outside);
	tar_symlink(&tar, "evil", outside);
	tar_file(&tar, "evil/f", 0644, "x");
	/* The directory does not exist below the root, and a dangling link is no directory */
	refuses("not a directory");
	snprintf(inside, sizeof inside, "%s/f", outside);
	ck_assert_int_eq(access(inside, F_OK), -1);
}
END_TEST

START_TEST(links_within_the_layer_are_followed)
{
	begin();
	tar_dir(&tar, "usr/lib", 0755);
	tar_symlink(&tar, "lib", "/usr/lib");
	tar_symlink(&tar, "lib64", "../../usr/lib");
	tar_file(&tar, "lib/a", 0644, "a");
	tar_file(&tar, "lib64/b", 0644, "b");
	applies();
	holds("usr/lib/a", "a");
	holds("usr/lib/b", "b");
}
END_TEST

START_TEST(hard_links_to_layers_below_are_told)
{
	struct layer_limits limits = LAYER_LIMITS_DEFAULT;

	limits.has_lower = true;
	begin();
	tar_hardlink(&tar, "l1", "./below");
	tar_file(&tar, ".wh.gone", 0644, "");
	tar_hardlink(&tar, "d/l2", "/gone");
	tar_end(&tar);
	ck_assert_msg(apply_bytes(tar.out.data, tar.out.len, &limits) == 0, "%s", e.msg);
	ck_assert_uint_eq(layer.links.n, 4);
	ck_assert_str_eq(layer.links.v[0], "l1");
	ck_assert_str_eq(layer.links.v[1], "below");
	ck_assert_str_eq(layer.links.v[2], "d/l2");
	ck_assert_str_eq(layer.links.v[3], "gone");
	ck_assert_uint_eq(layer.implied.n, 2);
	ck_assert_str_eq(layer.implied.v[0], "");
	ck_assert_str_eq(layer.implied.v[1], "d");
}
END_TEST

START_TEST(a_root_that_is_not_told_has_the_time_of_the_epoch)
{
	begin();
	tar_file(&tar, "f", 0644, "x");
	applies();
	ck_assert_int_eq(look(".").st_mtim.tv_sec, 0);
	ck_assert_int_eq(look(".").st_mtim.tv_nsec, 0);
	begin();
	tar_dir(&tar, "./", 0750);
	tar_file(&tar, "f", 0644, "x");
	applies();
	ck_assert_int_eq(look(".").st_mtim.tv_sec, look("f").st_mtim.tv_sec);
	ck_assert_int_ne(look(".").st_mtim.tv_sec, 0);
}
END_TEST

START_TEST(hard_links_out_of_the_layer_are_refused)
{
	static const char *const targets[] = { "/etc/passwd", "../../etc/passwd", "none", "d" };

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		begin();
		tar_dir(&tar, "d", 0755);
		tar_hardlink(&tar, "l", targets[i]);
		ck_assert_int_eq(apply(), -1);
		ck_assert_int_eq(e.kind, ERR_INVALID);
	}
	begin();
	tar_symlink(&tar, "etc", "/etc");
	tar_hardlink(&tar, "l", "etc/passwd");
	refuses("not in this layer");
}
END_TEST

START_TEST(root_must_be_a_directory)
{
	static const char *const names[] = { ".", "./", "/", "//./" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		begin();
		tar_symlink(&tar, names[i], "/etc");
		refuses("must be a directory");
	}
}
END_TEST

START_TEST(overlay_attributes_and_devices_are_refused)
{
	begin();
	tar_pax(&tar, "SCHILY.xattr.trusted.overlay.redirect", "/x", 2);
	tar_dir(&tar, "d", 0755);
	refuses("trusted.overlay.redirect");
	begin();
	tar_pax(&tar, "SCHILY.xattr.user.overlay.whiteout", "y", 1);
	tar_file(&tar, "f", 0644, "");
	refuses("user.overlay.whiteout");
	begin();
	tar_entry_raw(&tar, "c", '3', 0600, "", "", 0, 0, 0);
	refuses("0:0");
}
END_TEST

START_TEST(owner_that_means_nobody_is_refused)
{
	begin();
	tar_pax(&tar, "uid", "4294967295", 10);
	tar_file(&tar, "f", 0644, "");
	refuses("owner");
	begin();
	tar_pax(&tar, "gid", "4294967296", 10);
	tar_file(&tar, "f", 0644, "");
	refuses("owner");
}
END_TEST

START_TEST(truncated_and_damaged_archives_are_refused)
{
	const struct layer_limits limits = LAYER_LIMITS_DEFAULT;

	begin();
	tar_file(&tar, "f", 0644, "some text");
	ck_assert_int_eq(apply_bytes(tar.out.data, 515, &limits), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
	begin();
	ck_assert_int_eq(apply_bytes("no tar at all, but long enough to be read as one, surely", 50, &limits), -1);
	ck_assert_int_eq(e.kind, ERR_INVALID);
}
END_TEST

START_TEST(limits_hold)
{
	struct layer_limits limits = LAYER_LIMITS_DEFAULT;

	begin();
	for (int i = 0; i < 5; i++)
		tar_file(&tar, "f", 0644, "");
	tar_end(&tar);
	limits.max_entries = 4;
	ck_assert_int_eq(apply_bytes(tar.out.data, tar.out.len, &limits), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "more than 4 entries"));
	begin();
	tar_dir(&tar, "d", 0755);
	tar_end(&tar);
	limits = (struct layer_limits)LAYER_LIMITS_DEFAULT;
	limits.max_note_bytes = 10;
	ck_assert_int_eq(apply_bytes(tar.out.data, tar.out.len, &limits), -1);
	begin();
	tar_file(&tar, "f", 0644, "");
	tar_end(&tar);
	limits = (struct layer_limits)LAYER_LIMITS_DEFAULT;
	limits.stream.max_bytes = 512;
	ck_assert_int_eq(apply_bytes(tar.out.data, tar.out.len, &limits), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "512 bytes"));
}
END_TEST

START_TEST(deep_and_long_names_are_refused)
{
	char name[1200];

	begin();
	for (size_t i = 0; i + 1 < sizeof name; i++)
		name[i] = i % 2 ? '/' : 'd';
	name[sizeof name - 1] = '\0';
	tar_pax(&tar, "path", name, strlen(name));
	tar_file(&tar, "x", 0644, "");
	refuses("too long");
	begin();
	memset(name, 'n', 256);
	name[256] = '\0';
	tar_pax(&tar, "path", name, strlen(name));
	tar_file(&tar, "x", 0644, "");
	refuses("too long");
}
END_TEST

/* --- compression and digests -------------------------------------------------------------------------- */

static size_t gzip(const void *data, size_t n, unsigned char *out, size_t max)
{
	z_stream z = { .next_in = (unsigned char *)data, .avail_in = (unsigned)n, .next_out = out,
		       .avail_out = (unsigned)max };

	ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return max - z.avail_out;
}

START_TEST(digests_are_of_both_streams_with_the_padding)
{
	static unsigned char packed[1 << 16], zst[1 << 16];
	const struct layer_limits limits = LAYER_LIMITS_DEFAULT;
	struct digest tar_digest, gz_digest;
	static const char zeros[10240];
	size_t n, half;

	begin();
	tar_file(&tar, "f", 0644, "hello");
	tar_end(&tar);
	strbuf_add(&tar.out, zeros, sizeof zeros);   /* what GNU tar fills its last record with */
	digest_of(tar.out.data, tar.out.len, &tar_digest);

	n = gzip(tar.out.data, tar.out.len, packed, sizeof packed);
	digest_of(packed, n, &gz_digest);
	ck_assert_msg(apply_bytes(packed, n, &limits) == 0, "%s", e.msg);
	ck_assert_str_eq(layer.diff_id, tar_digest.text);
	ck_assert_str_eq(layer.blob_digest, gz_digest.text);
	ck_assert_uint_eq(layer.tar_bytes, tar.out.len);
	ck_assert_uint_eq(layer.blob_bytes, n);

	/* Without what the last record was filled with */
	n = gzip(tar.out.data, tar.out.len - sizeof zeros + 512, packed, sizeof packed);
	digest_of(tar.out.data, LAYER_TAR_RECORD, &gz_digest);
	snprintf(dir, sizeof dir, "%s", unit_dir());
	ck_assert_msg(apply_bytes(packed, n, &limits) == 0, "%s", e.msg);
	ck_assert_str_eq(layer.record_diff_id, gz_digest.text);

	/* Two gzip members are one stream */
	half = tar.out.len / 3;
	n = gzip(tar.out.data, half, packed, sizeof packed);
	n += gzip(tar.out.data + half, tar.out.len - half, packed + n, sizeof packed - n);
	snprintf(dir, sizeof dir, "%s", unit_dir());
	ck_assert_msg(apply_bytes(packed, n, &limits) == 0, "%s", e.msg);
	ck_assert_str_eq(layer.diff_id, tar_digest.text);

	n = ZSTD_compress(zst, sizeof zst, tar.out.data, tar.out.len, 3);
	snprintf(dir, sizeof dir, "%s", unit_dir());
	ck_assert_msg(apply_bytes(zst, n, &limits) == 0, "%s", e.msg);
	ck_assert_str_eq(layer.diff_id, tar_digest.text);
}
END_TEST

/* As `umoci insert` writes them: no padding behind the last file, no end mark. A byte less is too little. */
START_TEST(tar_may_end_with_its_last_byte)
{
	const struct layer_limits limits = LAYER_LIMITS_DEFAULT;

	for (size_t n = 995; n <= 1024 + 512; n++) {
		bool is_whole = n >= 512 + 1000;

		begin();
		tar_file(&tar, "f", 0644, arena_printf(arena, "%01000d", 7));
		ck_assert_msg((apply_bytes(tar.out.data, n, &limits) == 0) == is_whole, "%zu: %s", n, e.msg);
		if (is_whole)
			ck_assert_uint_eq(layer.tar_bytes, n);
	}
}
END_TEST

START_TEST(damaged_compression_is_refused)
{
	static unsigned char packed[1 << 16], broken[1 << 16];
	const struct layer_limits limits = LAYER_LIMITS_DEFAULT;
	size_t n;

	begin();
	tar_file(&tar, "f", 0644, "hello");
	tar_end(&tar);
	n = gzip(tar.out.data, tar.out.len, packed, sizeof packed);
	ck_assert_int_eq(apply_bytes(packed, n - 4, &limits), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "truncated"));
	memcpy(broken, packed, n);
	broken[n - 6] ^= 1;   /* the checksum */
	begin();
	ck_assert_int_eq(apply_bytes(broken, n, &limits), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "gzip"));
	memcpy(broken, packed, n);
	memcpy(broken + n, "garbage", 7);
	begin();
	ck_assert_int_eq(apply_bytes(broken, n + 7, &limits), -1);
	n = ZSTD_compress(packed, sizeof packed, tar.out.data, tar.out.len, 3);
	begin();
	ck_assert_int_eq(apply_bytes(packed, n > 20 ? n - 5 : 5, &limits), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "zstd"));
}
END_TEST

START_TEST(other_compressions_are_refused_by_name)
{
	const struct layer_limits limits = LAYER_LIMITS_DEFAULT;

	begin();
	ck_assert_int_eq(apply_bytes("\xfd" "7zXZ\0 rest", 12, &limits), -1);
	ck_assert_int_eq(e.kind, ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(e.msg, "xz"));
	begin();
	ck_assert_int_eq(apply_bytes("BZh91AY", 7, &limits), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "bzip2"));
}
END_TEST

START_TEST(empty_layer_is_a_layer)
{
	begin();
	applies();
	ck_assert_uint_eq(layer.n_entries, 0);
	ck_assert_str_eq(layer.diff_id, "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
}
END_TEST

START_TEST(gzip_bomb_is_refused)
{
	struct layer_limits limits = LAYER_LIMITS_DEFAULT;
	static unsigned char packed[1 << 20];
	const size_t n_out = (256u << 20) + (8u << 20);
	z_stream z = { .next_out = packed, .avail_out = sizeof packed };
	static unsigned char zeros[1 << 20];
	int r = Z_OK;

	begin();
	ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
	for (size_t i = 0; i < n_out / sizeof zeros; i++) {
		z.next_in = zeros;
		z.avail_in = sizeof zeros;
		r = deflate(&z, i + 1 == n_out / sizeof zeros ? Z_FINISH : Z_NO_FLUSH);
	}
	ck_assert_int_eq(r, Z_STREAM_END);
	deflateEnd(&z);
	ck_assert_int_eq(apply_bytes(packed, sizeof packed - z.avail_out, &limits), -1);
	ck_assert_msg(strstr(e.msg, "times its size") != NULL, "%s", e.msg);
}
END_TEST

UNIT_MAIN("layer", files_get_content_mode_and_time, layer_without_root_entry_gets_mode_755,
	  missing_parents_are_made, hard_links_share_the_file_also_to_links, names_are_raw_bytes,
	  long_names_and_times_come_from_pax, later_entries_replace_earlier_ones,
	  attributes_are_kept_and_host_labels_are_not, sparse_files_keep_their_holes, hole_larger_than_any_disk_is_refused,
	  whiteout_becomes_a_device_and_opaque_is_reported, opaque_root_has_the_empty_name,
	  whiteout_never_hides_what_its_own_layer_brings, directory_over_a_whiteout_is_opaque,
	  malformed_whiteouts_are_refused, names_that_lead_outside_are_refused,
	  absolute_names_are_below_the_root, links_to_the_host_are_followed_below_the_root_only,
	  links_within_the_layer_are_followed, hard_links_to_layers_below_are_told, a_root_that_is_not_told_has_the_time_of_the_epoch,
	  hard_links_out_of_the_layer_are_refused,
	  root_must_be_a_directory, overlay_attributes_and_devices_are_refused,
	  owner_that_means_nobody_is_refused, truncated_and_damaged_archives_are_refused, limits_hold,
	  deep_and_long_names_are_refused, digests_are_of_both_streams_with_the_padding,
	  tar_may_end_with_its_last_byte, damaged_compression_is_refused, other_compressions_are_refused_by_name, empty_layer_is_a_layer,
	  gzip_bomb_is_refused)
