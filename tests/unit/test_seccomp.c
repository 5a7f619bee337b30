/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters are run here by a small interpreter of classic BPF, so that the test needs no privilege and can ask
 * what a system call of another architecture would get.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/own.h"
#include "oci/runtime_config.h"
#include "runtime/seccomp_parts.h"
#include "tests/unit/unit.h"

#define CAP_SYS_ADMIN_BIT (1ull << 21)
#define EPERM_RET         (SECCOMP_RET_ERRNO | EPERM)
#define ENOSYS_RET        (SECCOMP_RET_ERRNO | ENOSYS)

static bool jump(const struct sock_filter *i, uint32_t a)
{
	uint32_t k = i->k;

	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	case BPF_JSET:
		return (a & k) != 0;
	default:
		ck_abort_msg("jump %02x", i->code);
	}
}

static uint32_t run(const struct sock_fprog *p, const struct seccomp_data *data)
{
	uint32_t a = 0, mem[BPF_MEMWORDS] = { 0 };

	for (size_t pc = 0; pc < p->len; pc++) {
		const struct sock_filter *i = &p->filter[pc];

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			if (BPF_MODE(i->code) == BPF_MEM)
				a = mem[i->k];
			else
				memcpy(&a, (const char *)data + i->k, sizeof(a));
			break;
		case BPF_ST:
			mem[i->k] = a;
			break;
		case BPF_ALU:
			ck_assert_int_eq(BPF_OP(i->code), BPF_AND);
			a &= i->k;
			break;
		case BPF_JMP:
			pc += BPF_OP(i->code) == BPF_JA ? i->k : jump(i, a) ? i->jt : i->jf;
			break;
		case BPF_RET:
			return i->k;
		default:
			ck_abort_msg("instruction %02x", i->code);
		}
	}
	ck_abort_msg("ran off the end");
}

static uint32_t ask(const struct sock_fprog *p, uint32_t arch, int nr, uint64_t arg0)
{
	struct seccomp_data data = { .nr = nr, .arch = arch, .args = { arg0 } };

	return run(p, &data);
}

static int build(const char *profile, uint64_t caps, struct arena *a, struct sock_fprog *ret,
		 struct err *e)
{
	struct seccomp_source src = { .profile = profile, .caps = caps };

	return seccomp_filter(&src, a, ret, e);
}

#ifdef __x86_64__

START_TEST(default_profile_forbids_what_docker_s_does)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct sock_fprog p;
	struct err e = { 0 };

	ck_assert_msg(build("default", 0, a, &p, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_read, 0), SECCOMP_RET_ALLOW);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_mount, 0), EPERM_RET);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_unshare, 0), EPERM_RET);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_keyctl, 0), EPERM_RET);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_bpf, 0), EPERM_RET);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_clone3, 0), ENOSYS_RET);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_socket, 38), EPERM_RET); /* AF_ALG */
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_socket, 2), SECCOMP_RET_ALLOW);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_I386, 3, 0), SECCOMP_RET_ALLOW); /* read */
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_I386, 21, 0), EPERM_RET);        /* mount */
}
END_TEST

START_TEST(a_filter_can_be_asked)
{
	AUTO_ARENA struct arena *a = arena_new();
	const struct sock_fprog none = { 0 };
	struct sock_filter odd[] = { BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	const struct sock_fprog odd_one = { 2, odd };
	struct sock_fprog p;
	struct err e = { 0 };

	ck_assert_msg(build("default", 0, a, &p, &e) == 0, "%s", e.msg);
	ck_assert(seccomp_allows(&p, &(struct seccomp_call){ .number = SYS_setsid }));
	ck_assert(seccomp_allows(&p, &(struct seccomp_call){ SYS_clone, { CLONE_PARENT } }));
	ck_assert(!seccomp_allows(&p, &(struct seccomp_call){ SYS_clone, { CLONE_NEWUSER } }));
	ck_assert(!seccomp_allows(&p, &(struct seccomp_call){ .number = SYS_mount }));
	for (int nr = 0; nr < 500; nr++)
		ck_assert_int_eq(seccomp_allows(&p, &(struct seccomp_call){ .number = nr }),
				 ask(&p, AUDIT_ARCH_X86_64, nr, 0) == SECCOMP_RET_ALLOW);
	ck_assert(seccomp_allows(&none, &(struct seccomp_call){ .number = SYS_mount }));
	ck_assert(!seccomp_allows(&odd_one, &(struct seccomp_call){ .number = SYS_read }));
}
END_TEST

START_TEST(capabilities_open_rules)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct sock_fprog p;
	struct err e = { 0 };

	ck_assert_msg(build("default", CAP_SYS_ADMIN_BIT, a, &p, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_mount, 0), SECCOMP_RET_ALLOW);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_clone3, 0), SECCOMP_RET_ALLOW);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_reboot, 0), EPERM_RET);
}
END_TEST

/* C libraries fall back on ENOSYS, and give up on EPERM */
START_TEST(newer_system_calls_are_not_there)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct sock_fprog p;
	struct err e = { 0 };

	ck_assert_int_eq(build("default", 0, a, &p, &e), 0);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, 4000, 0), ENOSYS_RET);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_I386, 4000, 0), ENOSYS_RET);
	ck_assert_uint_ne(ask(&p, AUDIT_ARCH_X86_64, 0x40000000 + 4000, 0), SECCOMP_RET_ALLOW);
}
END_TEST

START_TEST(conditions_hold_and_do_not)
{
	AUTO_ARENA struct arena *a = arena_new();
	static const char profile[] =
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["
		"{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"2.6\"}},"
		"{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"999.1\"}},"
		"{\"name\":\"close\",\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"amd64\"]}},"
		"{\"name\":\"open\",\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"arches\":[\"amd64\"]}},"
		"{\"name\":\"no_such_call\",\"action\":\"SCMP_ACT_ALLOW\"},"
		"{\"name\":\"kill\",\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":5}]}";
	struct sock_fprog p;
	struct err e = { 0 };

	ck_assert_msg(build(profile, 0, a, &p, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_read, 0), SECCOMP_RET_ALLOW);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_write, 0), EPERM_RET);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_close, 0), SECCOMP_RET_ALLOW);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_open, 0), EPERM_RET);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_kill, 0), SECCOMP_RET_ERRNO | 5);
}
END_TEST

/* libseccomp takes one comparison of an argument in a rule; two are two rules */
START_TEST(two_comparisons_of_one_argument)
{
	AUTO_ARENA struct arena *a = arena_new();
	static const char profile[] =
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\","
		"\"args\":[{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"},{\"index\":0,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]}]}";
	struct sock_fprog p;
	struct err e = { 0 };

	ck_assert_msg(build(profile, 0, a, &p, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_socket, 1), SECCOMP_RET_ALLOW);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_socket, 2), SECCOMP_RET_ALLOW);
	ck_assert_uint_eq(ask(&p, AUDIT_ARCH_X86_64, SYS_socket, 3), EPERM_RET);
}
END_TEST

#endif

START_TEST(unconfined_is_no_filter)
{
	AUTO_ARENA struct arena *a = arena_new();
	struct sock_fprog p = { .len = 5 };
	struct err e = { 0 };

	ck_assert_int_eq(build("unconfined", 0, a, &p, &e), 0);
	ck_assert_int_eq(p.len, 0);
}
END_TEST

/* Return: 0, or -1 with @e set; then neither a listener nor flags */
static int wants(const char *json, bool *ret_listens, uint32_t *ret_flags, struct err *e)
{
	AUTO_ARENA struct arena *a = arena_new();
	void *s;

	ck_assert_msg(json_decode(json, strlen(json), &oci_seccomp_schema, a, NULL, NULL, &s, e) == 0, "%s", e->msg);
	return seccomp_wants_listener(s, ret_listens, e) < 0 ? -1 : seccomp_flags(s, ret_flags, e);
}

#define LEAVES "\"syscalls\":[{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_NOTIFY\"}]"
#define HEARD  "\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/s\""

START_TEST(a_listener_is_wanted_where_an_agent_is_asked)
{
	static const char *const bad[][2] = {
		{ "{\"defaultAction\":\"SCMP_ACT_NOTIFY\",\"listenerPath\":\"/s\"}", "linux.seccomp.defaultAction" },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\"," LEAVES "}", "linux.seccomp.listenerPath: it is missing, and syscalls[0]" },
		{ "{" HEARD ",\"flags\":[\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]}", "linux.seccomp.flags" },
	};
	struct err e = { 0 };
	uint32_t flags = 0;
	bool listens = false;

	ck_assert_msg(wants("{" HEARD "," LEAVES ",\"flags\":[\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]}", &listens, &flags, &e) == 0, "%s", e.msg);
	ck_assert(listens && flags == (SECCOMP_FILTER_FLAG_NEW_LISTENER | 1u << 5));
	/* the path alone means nothing */
	ck_assert_msg(wants("{" HEARD "}", &listens, &flags, &e) == 0, "%s", e.msg);
	ck_assert(!listens && flags == 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_int_lt(wants(bad[i][0], &listens, &flags, &e), 0);
		ck_assert_msg(strstr(e.msg, bad[i][1]) != NULL, "%s", e.msg);
	}
}
END_TEST

START_TEST(a_listener_leaves_by_a_call_that_the_filter_leaves)
{
	static const struct {
		const char *names;
		int way; /* -1: none */
	} cases[] = { { "\"mkdir\"", SECCOMP_WAY_SENDMSG }, { "\"sendmsg\"", SECCOMP_WAY_WRITE }, { "\"sendmsg\",\"write\"", -1 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ARENA struct arena *a = arena_new();
		AUTO_FREE char *json = xasprintf("{" HEARD ",\"syscalls\":[{\"names\":[%s],\"action\":\"SCMP_ACT_NOTIFY\"}]}", cases[i].names);
		struct seccomp_source source = { 0 };
		enum seccomp_way way;
		struct sock_fprog p;
		struct err e = { 0 };
		void *s;

		ck_assert_msg(json_decode(json, strlen(json), &oci_seccomp_schema, a, NULL, NULL, &s, &e) == 0, "%s", e.msg);
		source.oci = s;
		ck_assert_msg(seccomp_filter(&source, a, &p, &e) == 0, "%s", e.msg);
		ck_assert_int_eq(seccomp_listener_way(&p, &way, &e) == 0 ? (int)way : -1, cases[i].way);
	}
}
END_TEST

START_TEST(what_is_wrong_in_a_profile_is_told)
{
	static const struct {
		const char *profile, *word;
	} bad[] = {
		{ "{", "seccomp profile" },
		{ "{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}", "SCMP_ACT_NOTIFY" },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"]}",
		  "FLAG_LOG" },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_Z80\"]}",
		  "Z80" },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"X\"}]}",
		  "syscalls[0]" },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ERRNO\","
		  "\"args\":[{\"index\":6,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}]}]}",
		  "index" },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ERRNO\","
		  "\"includes\":{\"caps\":[\"CAP_X\"]}}]}",
		  "CAP_X" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO_ARENA struct arena *a = arena_new();
		struct sock_fprog p;
		struct err e = { 0 };

		ck_assert_msg(build(bad[i].profile, 0, a, &p, &e) < 0, "%s", bad[i].profile);
		ck_assert_msg(strstr(e.msg, bad[i].word) != NULL, "%s", e.msg);
	}
}
END_TEST

/* --- the cache ---------------------------------------------------------------------------------------------- */

static char *only_entry(const char *dir, struct arena *a)
{
	AUTO_DIR DIR *d = opendir(dir);
	struct dirent *entry;
	char *found = NULL;

	ck_assert_ptr_nonnull(d);
	while ((entry = readdir(d)) != NULL)
		if (entry->d_name[0] != '.') {
			ck_assert_ptr_null(found);
			found = arena_printf(a, "%s/%s", dir, entry->d_name);
		}
	ck_assert_ptr_nonnull(found);
	return found;
}

static void build_cached(const char *dir, struct arena *a, struct sock_fprog *ret)
{
	struct seccomp_source src = { .profile = "default", .cache_dir = dir };
	struct err e = { 0 };

	ck_assert_msg(seccomp_filter(&src, a, ret, &e) == 0, "%s", e.msg);
}

static bool is_same(const struct sock_fprog *a, const struct sock_fprog *b)
{
	return a->len == b->len && memcmp(a->filter, b->filter, a->len * sizeof(*a->filter)) == 0;
}

START_TEST(a_second_filter_comes_from_the_cache)
{
	AUTO_ARENA struct arena *a = arena_new();
	const char *dir = arena_printf(a, "%s/seccomp", unit_dir());
	struct sock_fprog first, second;
	struct stat before, after;

	build_cached(dir, a, &first);
	ck_assert_int_eq(stat(only_entry(dir, a), &before), 0);
	build_cached(dir, a, &second);
	ck_assert_int_eq(stat(only_entry(dir, a), &after), 0);
	ck_assert(is_same(&first, &second));
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert_int_eq(before.st_mode & 0777, 0600);
}
END_TEST

/* An entry for this key that allows everything; only what hashes everything with it can tell. */
static void poison(int fd, off_t at)
{
	ck_assert_int_eq(pwrite(fd, "\6\0\0\0\0\0\377\177", 8, at), 8);
}

static void spoil(int kind, int fd, const char *entry)
{
	if (kind == 0)
		ck_assert_int_eq(ftruncate(fd, 700), 0);
	else if (kind == 1)
		poison(fd, 96);
	else if (kind == 2)
		ck_assert_int_eq(ftruncate(fd, 0), 0);
	else if (kind == 3)
		ck_assert_int_eq(fchmod(fd, 0666), 0);
	else
		ck_assert_int_eq(geteuid() == 0 ? chown(entry, 65534, 65534) : ftruncate(fd, 1), 0);
}

START_TEST(torn_and_poisoned_entries_are_built_again)
{
	AUTO_ARENA struct arena *a = arena_new();
	const char *dir = arena_printf(a, "%s/seccomp", unit_dir());
	struct sock_fprog good, again;
	struct stat st;
	char *entry;

	build_cached(dir, a, &good);
	entry = only_entry(dir, a);
	for (int kind = 0; kind < 5; kind++) {
		AUTO_CLOSE int fd = open(entry, O_RDWR | O_CLOEXEC);

		ck_assert_int_ge(fd, 0);
		spoil(kind, fd, entry);
		build_cached(dir, a, &again);
		ck_assert(is_same(&good, &again));
		entry = only_entry(dir, a);
		ck_assert_int_eq(stat(entry, &st), 0);
		ck_assert_uint_eq(st.st_uid, geteuid());
		ck_assert_uint_eq(st.st_mode & 0777, 0600);
	}
}
END_TEST

START_TEST(an_entry_under_anothers_name_is_none)
{
	AUTO_ARENA struct arena *a = arena_new();
	const char *dir = arena_printf(a, "%s/seccomp", unit_dir());
	char one[DIGEST_HEX_LEN + 1], other[DIGEST_HEX_LEN + 1];
	struct sock_fprog p, got;

	memset(one, 'a', sizeof(one) - 1);
	memset(other, 'b', sizeof(other) - 1);
	one[DIGEST_HEX_LEN] = other[DIGEST_HEX_LEN] = '\0';
	p = (struct sock_fprog){ 1, &(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	seccomp_cache_save(dir, one, &p);
	ck_assert(seccomp_cache_load(dir, one, a, &got));
	ck_assert(is_same(&p, &got));
	ck_assert_int_eq(rename(arena_printf(a, "%s/%s", dir, one), arena_printf(a, "%s/%s", dir, other)), 0);
	ck_assert(!seccomp_cache_load(dir, other, a, &got));
	ck_assert(!seccomp_cache_load(dir, one, a, &got));
}
END_TEST

START_TEST(the_oldest_entries_go)
{
	AUTO_ARENA struct arena *a = arena_new();
	const char *dir = arena_printf(a, "%s/seccomp", unit_dir());
	struct sock_filter insn = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog p = { 1, &insn }, got;
	const char *name;

	for (int i = 0; i < SECCOMP_CACHE_MAX + 3; i++) {
		struct timespec times[2] = { { .tv_sec = 1000 + i }, { .tv_sec = 1000 + i } };

		name = arena_printf(a, "%064d", i);
		seccomp_cache_save(dir, name, &p);
		ck_assert_int_eq(utimensat(AT_FDCWD, arena_printf(a, "%s/%s", dir, name), times, 0), 0);
	}
	for (int i = 0; i < SECCOMP_CACHE_MAX + 3; i++)
		ck_assert_int_eq(seccomp_cache_load(dir, arena_printf(a, "%064d", i), a, &got), i >= 3);
}
END_TEST

START_TEST(whatever_goes_into_a_filter_is_in_its_key)
{
	const struct seccomp_facts facts[] = {
		{ 1, "x86_64", 6, 1, "6.1.0", 6 }, { 3, "x86_64", 6, 1, "6.1.0", 6 }, { 1, "aarch64", 6, 1, "6.1.0", 6 },
		{ 1, "x86_64", 6, 2, "6.2.0", 6 }, { 1, "x86_64", 6, 1, "6.1.0", 5 }, { 1, "x86_64", 6, 1, "6.1.0", 6 },
		{ 1, "x86_64", 6, 1, "6.1.0", 6 },
	};
	char keys[ARRAY_SIZE(facts)][DIGEST_HEX_LEN + 1], again[DIGEST_HEX_LEN + 1];

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		seccomp_key(i == 5 ? "{ }" : "{}", i == 6, &facts[i], keys[i]);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(keys[k], keys[i]);
	}
	seccomp_key("{}", false, &facts[0], again);
	ck_assert_str_eq(keys[0], again);
}
END_TEST

START_TEST(a_cache_that_others_can_write_to_is_not_believed)
{
	AUTO_ARENA struct arena *a = arena_new();
	const char *dir = arena_printf(a, "%s/seccomp", unit_dir());
	struct sock_fprog p;
	AUTO_DIR DIR *d = NULL;
	struct dirent *entry;

	ck_assert_int_eq(mkdir(dir, 0777), 0);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	build_cached(dir, a, &p);
	ck_assert_int_gt(p.len, 0);
	d = opendir(dir);
	while ((entry = readdir(d)) != NULL)
		ck_assert_int_eq(entry->d_name[0], '.');
}
END_TEST

#ifdef __x86_64__
UNIT_MAIN("seccomp", default_profile_forbids_what_docker_s_does, a_filter_can_be_asked, capabilities_open_rules,
	  newer_system_calls_are_not_there, conditions_hold_and_do_not,
	  two_comparisons_of_one_argument, unconfined_is_no_filter,
	  what_is_wrong_in_a_profile_is_told, a_listener_is_wanted_where_an_agent_is_asked,
	  a_listener_leaves_by_a_call_that_the_filter_leaves, a_second_filter_comes_from_the_cache,
	  torn_and_poisoned_entries_are_built_again,
	  an_entry_under_anothers_name_is_none, the_oldest_entries_go, whatever_goes_into_a_filter_is_in_its_key,
	  a_cache_that_others_can_write_to_is_not_believed)
#else
UNIT_MAIN("seccomp", unconfined_is_no_filter, what_is_wrong_in_a_profile_is_told,
	  a_listener_is_wanted_where_an_agent_is_asked, a_listener_leaves_by_a_call_that_the_filter_leaves,
	  a_second_filter_comes_from_the_cache, torn_and_poisoned_entries_are_built_again,
	  an_entry_under_anothers_name_is_none, the_oldest_entries_go, whatever_goes_into_a_filter_is_in_its_key,
	  a_cache_that_others_can_write_to_is_not_believed)
#endif
