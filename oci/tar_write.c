/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/tar_write.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

#define BLOCK 512

static const char zeros[2 * BLOCK];

struct header {
	char name[TAR_NAME_MAX], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
	char magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "one block");

/* Octal digits, with leading zeros and a NUL behind them */
static void put_octal(char *field, size_t n, uint64_t v)
{
	field[--n] = 0;
	while (n > 0) {
		field[--n] = (char)('0' + (v & 7));
		v >>= 3;
	}
	BUG(v != 0, "number does not fit its field");
}

static void put_sum(struct header *h)
{
	const unsigned char *bytes = (const unsigned char *)h;
	unsigned sum = 0;

	memset(h->sum, ' ', sizeof(h->sum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += bytes[i];
	put_octal(h->sum, 7, sum);   /* the blank behind the NUL stays */
}

static void add_header(struct strbuf *out, const char *name, char type, unsigned mode, uint64_t n_bytes)
{
	struct header h = { .type = type, .magic = "ustar", .version = { '0', '0' } };
	size_t n_name = strlen(name);

	BUG(n_name > sizeof(h.name), "name '%s' is too long for a tar header", name);
	memcpy(h.name, name, n_name);
	put_octal(h.mode, sizeof(h.mode), mode);
	put_octal(h.uid, sizeof(h.uid), 0);
	put_octal(h.gid, sizeof(h.gid), 0);
	put_octal(h.size, sizeof(h.size), n_bytes);
	put_octal(h.mtime, sizeof(h.mtime), 0);
	put_octal(h.major, sizeof(h.major), 0);
	put_octal(h.minor, sizeof(h.minor), 0);
	put_sum(&h);
	strbuf_add(out, &h, sizeof(h));
}

void tar_write_dir(struct strbuf *out, const char *name)
{
	add_header(out, name, '5', 0755, 0);
}

/* "<length of all of it> size=<bytes>\n"; with 11 to 20 digits of size the length has two */
static void add_pax_size(struct strbuf *out, uint64_t n_bytes)
{
	char record[64];
	int n = snprintf(record, sizeof(record), "00 size=%llu\n", (unsigned long long)n_bytes);

	record[0] = (char)('0' + n / 10);
	record[1] = (char)('0' + n % 10);
	add_header(out, "pax", 'x', 0644, (uint64_t)n);
	strbuf_add(out, record, (size_t)n);
	tar_write_padding(out, (uint64_t)n);
}

void tar_write_file(struct strbuf *out, const char *name, uint64_t n_bytes)
{
	if (n_bytes > TAR_FILE_MAX)
		add_pax_size(out, n_bytes);
	add_header(out, name, '0', 0644, n_bytes > TAR_FILE_MAX ? 0 : n_bytes);
}

void tar_write_padding(struct strbuf *out, uint64_t n_bytes)
{
	strbuf_add(out, zeros, (BLOCK - n_bytes % BLOCK) % BLOCK);
}

void tar_write_end(struct strbuf *out)
{
	strbuf_add(out, zeros, sizeof(zeros));
}
