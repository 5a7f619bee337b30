/* SPDX-License-Identifier: Apache-2.0 */
/* Any stream ends, within its limits; one that is read to its end has told of all its bytes. */
#include "base/own.h"
#include "oci/inflate.h"
#include "tests/fuzz/tar_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct inflate_limits limits = { .max_bytes = 4 << 20 };
	AUTO(inflate_freep) struct inflate *s = NULL;
	AUTO_CLOSE int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct err e = { 0 };
	struct digest digest;
	uint64_t total = 0, n_in = 0;
	const void *piece;
	size_t n_piece;

	FUZZ_CHECK(fd >= 0 && write(fd, data, n) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0);
	if (inflate_open(fd, &limits, true, &s, &e) < 0) {
		FUZZ_CHECK(e.kind == ERR_UNSUPPORTED && e.msg[0]);
		return 0;
	}
	do {
		if (inflate_read(s, &piece, &n_piece, &e) < 0) {
			FUZZ_CHECK(e.kind == ERR_INVALID && e.msg[0]);
			return 0;
		}
		total += n_piece;
		FUZZ_CHECK(total <= limits.max_bytes);
	} while (n_piece > 0);
	FUZZ_CHECK(inflate_input(s, &digest, &n_in) || total == n);
	FUZZ_CHECK(n_in == n);
	return 0;
}
