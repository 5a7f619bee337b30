/* SPDX-License-Identifier: Apache-2.0 */
/* libs: -larchive */
/*
 * What libarchive gives back of names that are not UTF-8, extended attributes, sparse files and large numbers,
 * in the C locale and in C.UTF-8, for the headers that real tools write. GNU tar and Python make the archives.
 */
#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include "tests/spikes/spike.h"

static char dir[64];

static const char make_archives[] =
	"import io, os, sys, tarfile\n"
	"d = sys.argv[1]\n"
	"latin = b'caf\\xe9'.decode('utf-8', 'surrogateescape')\n"
	"utf8 = 'caf\\u00e9'\n"
	"def make(name, fmt, names, **pax):\n"
	"    t = tarfile.open(os.path.join(d, name), 'w', format=fmt, encoding='utf-8', errors='surrogateescape')\n"
	"    for n in names:\n"
	"        i = tarfile.TarInfo(n); i.size = 1; i.pax_headers = dict(pax)\n"
	"        t.addfile(i, io.BytesIO(b'x'))\n"
	"        l = tarfile.TarInfo('link'); l.type = tarfile.SYMTYPE; l.linkname = n; t.addfile(l)\n"
	"        h = tarfile.TarInfo('hard'); h.type = tarfile.LNKTYPE; h.linkname = n; t.addfile(h)\n"
	"    t.close()\n"
	"make('ustar-latin1', tarfile.USTAR_FORMAT, [latin])\n"
	"make('ustar-utf8', tarfile.USTAR_FORMAT, [utf8])\n"
	"make('gnu-latin1-long', tarfile.GNU_FORMAT, [latin + 'x' * 150])\n"
	"make('gnu-utf8-long', tarfile.GNU_FORMAT, [utf8 + 'x' * 150])\n"
	"make('pax-utf8', tarfile.PAX_FORMAT, [utf8])\n"
	"make('pax-latin1-python', tarfile.PAX_FORMAT, [latin])\n"
	"t = tarfile.open(os.path.join(d, 'pax-xattr'), 'w', format=tarfile.PAX_FORMAT)\n"
	"i = tarfile.TarInfo('f'); i.uid = 3000000000; i.mtime = 1234567890.123456789\n"
	"i.pax_headers = {'SCHILY.xattr.user.text': 'value', 'SCHILY.xattr.security.capability': '\\x01\\x00\\x00\\x02',\n"
	"  'LIBARCHIVE.xattr.user.coded': 'AAEC', 'mtime': '1234567890.123456789', 'SCHILY.xattr.user.n%20s': 'v'}\n"
	"t.addfile(i)\n"
	"i = tarfile.TarInfo('old'); i.mtime = -5; i.pax_headers = {'mtime': '-5.5'}; t.addfile(i)\n"
	"t.close()\n";

/* As GNU tar (and Go's archive/tar for docker) would write it. */
static const char more_archives[] =
	"set -e; cd \"$1\"; mkdir -p src; n=$(printf 'caf\\351'); echo x >\"src/$n\"; "
	"l=$(printf '\\351%0120d' 0); echo x >\"src/$l\"; "
	"truncate -s 1M src/holes; printf data | dd of=src/holes bs=1 seek=524288 conv=notrunc status=none; "
	"tar --format=gnu -C src -cf gnu-tar . ; tar --format=pax -C src -cf pax-tar .; "
	"tar --format=gnu -S -C src -cf gnu-sparse holes; tar --format=posix -S -C src -cf pax-sparse holes";

static void print_bytes(const char *s)
{
	size_t run = 0;

	if (!s) {
		printf("(null)");
		return;
	}
	/* Long runs of padding are not the point. */
	for (; *s; s++) {
		run = s[1] == s[0] ? run + 1 : 0;
		if (run > 2)
			continue;
		if ((unsigned char)*s < 0x80)
			putchar(*s);
		else
			printf("\\x%02x", (unsigned char)*s);
	}
}

static void print_xattrs(struct archive_entry *entry)
{
	const char *name;
	const void *value;
	size_t size;

	archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
		printf(" xattr ");
		print_bytes(name);
		printf("=");
		for (size_t i = 0; i < size; i++)
			printf("%02x", ((const unsigned char *)value)[i]);
	}
}

static void print_data(struct archive *a, struct archive_entry *entry)
{
	const void *block;
	size_t n;
	la_int64_t at, bytes = 0;
	int blocks = 0;

	if (archive_entry_sparse_count(entry) == 0)
		return;
	printf(" sparse regions %d", archive_entry_sparse_count(entry));
	while (archive_read_data_block(a, &block, &n, &at) == ARCHIVE_OK) {
		blocks += n > 0;
		bytes += (la_int64_t)n;
	}
	printf(", data blocks %d with %lld of %lld bytes", blocks, (long long)bytes, (long long)archive_entry_size(entry));
}

static void list(const char *file, const char *options)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	char path[PATH_MAX];
	int rc;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	archive_read_support_format_tar(a);
	if (options && archive_read_set_options(a, options) != ARCHIVE_OK)
		printf("    options: %s\n", archive_error_string(a));
	if (archive_read_open_filename(a, path, 65536) != ARCHIVE_OK) {
		printf("    %s: %s\n", file, archive_error_string(a));
		archive_read_free(a);
		return;
	}
	while ((rc = archive_read_next_header(a, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
		printf("    %-18s %s path ", file, rc == ARCHIVE_WARN ? "WARN" : "ok  ");
		print_bytes(archive_entry_pathname(entry));
		if (archive_entry_symlink(entry) || archive_entry_filetype(entry) == AE_IFLNK) {
			printf(" -> ");
			print_bytes(archive_entry_symlink(entry));
		}
		if (archive_entry_hardlink(entry)) {
			printf(" = ");
			print_bytes(archive_entry_hardlink(entry));
		}
		if (archive_entry_uid(entry) > 2000)
			printf(" uid %lld", (long long)archive_entry_uid(entry));
		if (archive_entry_mtime_nsec(entry) || archive_entry_mtime(entry) < 0)
			printf(" mtime %lld.%09ld", (long long)archive_entry_mtime(entry), archive_entry_mtime_nsec(entry));
		print_xattrs(entry);
		print_data(a, entry);
		if (rc == ARCHIVE_WARN)
			printf(" (%s)", archive_error_string(a));
		putchar('\n');
	}
	if (rc != ARCHIVE_EOF)
		printf("    %-18s ends: %d %s\n", file, rc, archive_error_string(a));
	archive_read_free(a);
}

static void all(const char *locale, const char *options)
{
	static const char *const files[] = { "ustar-latin1", "ustar-utf8", "gnu-latin1-long", "gnu-utf8-long",
		"pax-utf8", "pax-latin1-python", "gnu-tar", "pax-tar" };

	printf("  locale %s, options %s\n", setlocale(LC_CTYPE, locale), options ? options : "none");
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		list(files[i], options);
}

int main(void)
{
	char cmd[8192];

	spike_title("names");
	printf("  %s\n", archive_version_string());
	strcpy(dir, spike_dir());
	snprintf(cmd, sizeof(cmd), "%s/make.py", dir);
	spike_write(cmd, make_archives);
	snprintf(cmd, sizeof(cmd), "%s/make.sh", dir);
	spike_write(cmd, more_archives);
	snprintf(cmd, sizeof(cmd), "python3 %s/make.py %s && sh %s/make.sh %s", dir, dir, dir, dir);
	if (system(cmd) != 0)
		spike_die("make archives");
	all("C", NULL);
	all("C", "hdrcharset=BINARY");
	all("C", "hdrcharset=UTF-8");
	all("C.UTF-8", NULL);
	printf("  attributes, numbers, holes\n");
	list("pax-xattr", NULL);
	list("gnu-sparse", NULL);
	list("pax-sparse", NULL);
	spike_remove(dir);
	return 0;
}
