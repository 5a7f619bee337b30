/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/seccomp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/own.h"
#include "oci/runtime_config.h"
#include "runtime/seccomp_parts.h"

#define FORMAT_VERSION    3 /* of our head, and of what the key is made of */
#define PROFILE_MAX_BYTES (1u << 20)

static void find_facts(const struct utsname *u, uint64_t caps, struct seccomp_facts *ret)
{
	char *end;

	ret->caps = caps;
	ret->api_level = seccomp_kernel_level();
	ret->machine = u->machine;
	ret->release = u->release;
	ret->kernel_major = (unsigned)strtoul(u->release, &end, 10);
	ret->kernel_minor = *end == '.' ? (unsigned)strtoul(end + 1, NULL, 10) : 0;
}

void seccomp_key(const char *text, bool is_oci, const struct seccomp_facts *f, char ret[DIGEST_HEX_LEN + 1])
{
	AUTO_STRBUF struct strbuf b = { 0 };
	struct digest d;
	char version[32];

	seccomp_library_version(version);
	strbuf_addf(&b, "%d\n%s\n%s\n%016llx\n%s\n%s\n%s\n%u\n", FORMAT_VERSION, KILN_VERSION, is_oci ? "oci" : "docker",
		    (unsigned long long)f->caps, f->machine, f->release, version, f->api_level);
	strbuf_adds(&b, text);
	digest_of(b.data, b.len, &d);
	memcpy(ret, digest_hex(d.text), DIGEST_HEX_LEN + 1);
}

static int build(const struct seccomp_source *src, const char *text, const struct seccomp_facts *f,
		 struct arena *arena, struct sock_fprog *ret, struct err *e)
{
	struct oci_seccomp *parsed = NULL;

	if (src->profile == NULL)
		return seccomp_build_apart(src->oci, arena, ret, e);
	if (seccomp_profile_parse(text, f, arena, &parsed, e) < 0)
		return -1;
	return seccomp_build_apart(parsed, arena, ret, e);
}

int seccomp_filter(const struct seccomp_source *source, struct arena *arena, struct sock_fprog *ret,
		   struct err *e)
{
	AUTO_STRBUF struct strbuf emitted = { 0 };
	struct oci_seccomp filter_only = { 0 };
	const char *text = source->profile;
	char key[DIGEST_HEX_LEN + 1];
	struct seccomp_facts facts;
	struct utsname u;

	ret->len = 0;
	ret->filter = NULL;
	if (str_eq(text, "unconfined") || (text == NULL && source->oci == NULL))
		return 0;
	if (text == NULL) {
		/* The filter is the same whoever listens */
		filter_only = *source->oci;
		filter_only.listener_path = filter_only.listener_metadata = NULL;
		json_emit(&oci_seccomp_schema, &filter_only, &emitted);
		text = strbuf_cstr(&emitted);
	} else if (text[0] == '\0' || str_eq(text, "default")) {
		text = seccomp_default_profile();
	}
	if (strlen(text) > PROFILE_MAX_BYTES)
		return err_set(e, ERR_INVALID, "seccomp profile: larger than 1 MiB");
	if (uname(&u) < 0)
		return err_sys(e, "ask the kernel for its name");
	find_facts(&u, source->caps, &facts);
	seccomp_key(text, source->profile == NULL, &facts, key);
	if (source->cache_dir != NULL && seccomp_cache_load(source->cache_dir, key, arena, ret))
		return 0;
	if (build(source, text, &facts, arena, ret, e) < 0)
		return -1;
	if (source->cache_dir != NULL)
		seccomp_cache_save(source->cache_dir, key, ret);
	return 0;
}
