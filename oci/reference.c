/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The text is cut from its end: "@digest", then ":tag" (the last ':' behind the last '/'), then the domain
 * (what stands before the first '/', when it looks like one). What is left is the path. Each piece is
 * then checked against its own rule of the grammar:
 *
 *   domain          := (component ('.' component)* | '[' IPv6 ']') [':' digits]
 *   component       := alnum ([alnum -]* alnum)?
 *   path            := path-component ('/' path-component)*
 *   path-component  := [a-z0-9]+ (separator [a-z0-9]+)*       separator := '.' | '_' | '__' | '-'+
 *   tag             := [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127}
 */
#include "oci/reference.h"

#include <string.h>

#include "base/str.h"
#include "oci/digest.h"

#define DEFAULT_DOMAIN "docker.io"
#define OFFICIAL       "library/"

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* A separator between two runs of letters at @s; 0 when there is none */
static size_t separator_len(const char *s)
{
	if (s[0] == '_')
		return s[1] == '_' ? 2 : 1;
	return s[0] == '.' ? 1 : strspn(s, "-");
}

/* One path component at *p; moves behind it */
static bool take_path_component(const char **p)
{
	const char *s = *p;

	for (;;) {
		size_t n;

		if (!is_lower_alnum(*s))
			return false;
		while (is_lower_alnum(*s))
			s++;
		if (*s == '\0' || *s == '/')
			break;
		n = separator_len(s);
		if (n == 0)
			return false;
		s += n;
	}
	*p = s;
	return true;
}

static bool path_is_valid(const char *path)
{
	const char *p = path;

	while (take_path_component(&p)) {
		if (*p == '\0')
			return true;
		p++;
	}
	return false;
}

static bool port_is_valid(const char *s)
{
	return *s == '\0' || (*s == ':' && s[1] && strspn(s + 1, "0123456789") == strlen(s + 1));
}

static bool domain_is_valid(const char *s)
{
	if (*s == '[') {
		size_t n = strspn(s + 1, "0123456789abcdefABCDEF:");

		return n > 0 && s[1 + n] == ']' && port_is_valid(s + n + 2);
	}
	for (;;) {
		if (!is_alnum(*s))
			return false;
		while (is_alnum(*s) || *s == '-')
			s++;
		if (s[-1] == '-')
			return false;
		if (*s != '.')
			return port_is_valid(s);
		s++;
	}
}

static bool tag_is_valid(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > REFERENCE_TAG_MAX || !(is_alnum(*s) || *s == '_'))
		return false;
	for (; *s; s++)
		if (!is_alnum(*s) && !strchr("_.-", *s))
			return false;
	return true;
}

static bool is_domain(const char *s, size_t n)
{
	if (memchr(s, '.', n) || memchr(s, ':', n))
		return true;
	if (n == 9 && memcmp(s, "localhost", 9) == 0)
		return true;
	for (size_t i = 0; i < n; i++)
		if (s[i] >= 'A' && s[i] <= 'Z')
			return true;
	return false;
}

/* Cut name into domain and path; both normal */
static void split_name(const char *name, struct arena *a, struct reference *r)
{
	const char *slash = strchr(name, '/');

	if (slash && is_domain(name, (size_t)(slash - name))) {
		r->domain = arena_strndup(a, name, (size_t)(slash - name));
		r->path = arena_strdup(a, slash + 1);
	} else {
		r->domain = arena_strdup(a, DEFAULT_DOMAIN);
		r->path = arena_strdup(a, name);
	}
	if (str_eq(r->domain, "index.docker.io"))
		r->domain = arena_strdup(a, DEFAULT_DOMAIN);
	if (str_eq(r->domain, DEFAULT_DOMAIN) && !strchr(r->path, '/'))
		r->path = arena_printf(a, OFFICIAL "%s", r->path);
}

static int check_pieces(const struct reference *r, const char *name, struct err *e)
{
	if (strspn(r->path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.-") ==
		    strlen(r->path) &&
	    strpbrk(r->path, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		return err_set(e, ERR_INVALID, "invalid reference format: repository name (%.128s) must be lowercase",
			       name);
	if (!domain_is_valid(r->domain) || !path_is_valid(r->path))
		return err_set(e, ERR_INVALID, "invalid reference format");
	if (r->tag && !tag_is_valid(r->tag))
		return err_set(e, ERR_INVALID, "invalid reference format");
	if (r->digest && !digest_is_valid(r->digest))
		return err_set(e, ERR_INVALID, "invalid reference format");
	if (strlen(r->domain) + 1 + strlen(r->path) > REFERENCE_NAME_MAX)
		return err_set(e, ERR_INVALID,
			       "repository name must not be more than %d characters", REFERENCE_NAME_MAX);
	return 0;
}

int reference_parse(const char *text, struct arena *a, struct reference *ret, struct err *e)
{
	struct reference r = {0};
	char *name, *at, *colon, *slash;

	if (str_is_empty(text) || strlen(text) > 1024)
		return err_set(e, ERR_INVALID, "invalid reference format");
	if (str_is_hex(text, DIGEST_HEX_LEN))
		return err_set(e, ERR_INVALID,
			       "invalid repository name (%s), cannot specify 64-byte hexadecimal strings", text);

	name = arena_strdup(a, text);
	at = strchr(name, '@');
	if (at) {
		*at = '\0';
		r.digest = at + 1;
	}
	slash = strrchr(name, '/');
	colon = strrchr(name, ':');
	if (colon && (!slash || colon > slash)) {
		*colon = '\0';
		r.tag = colon + 1;
	}
	split_name(name, a, &r);
	if (check_pieces(&r, name, e) < 0)
		return -1;
	*ret = r;
	return 0;
}

int reference_parse_tagged(const char *text, struct arena *a, struct reference *ret, struct err *e)
{
	if (reference_parse(text, a, ret, e) < 0)
		return -1;
	if (!ret->tag && !ret->digest)
		ret->tag = arena_strdup(a, "latest");
	return 0;
}

static char *with_suffix(const struct reference *r, const char *name, struct arena *a)
{
	return arena_printf(a, "%s%s%s%s%s", name, r->tag ? ":" : "", r->tag ? r->tag : "",
			    r->digest ? "@" : "", r->digest ? r->digest : "");
}

int reference_check_new(const struct reference *r, struct err *e)
{
	if (str_eq(r->domain, DEFAULT_DOMAIN) && str_eq(r->path, OFFICIAL "sha256"))
		return err_set(e, ERR_INVALID, "refusing to create an ambiguous tag using digest algorithm as name");
	return 0;
}

char *reference_canonical(const struct reference *r, struct arena *a)
{
	return with_suffix(r, arena_printf(a, "%s/%s", r->domain, r->path), a);
}

char *reference_familiar_name(const struct reference *r, struct arena *a)
{
	const char *rest, *slash = strchr(r->path, '/');

	/* "docker.io/a.b/c" keeps its domain: "a.b/c" would be on another one */
	if (!str_eq(r->domain, DEFAULT_DOMAIN) || (slash && is_domain(r->path, (size_t)(slash - r->path))))
		return arena_printf(a, "%s/%s", r->domain, r->path);
	/* "library/x/y" keeps its prefix: "x/y" would mean something else */
	rest = r->path + strlen(OFFICIAL);
	if (str_starts(r->path, OFFICIAL) && !strchr(rest, '/'))
		return arena_strdup(a, rest);
	return arena_strdup(a, r->path);
}

char *reference_familiar(const struct reference *r, struct arena *a)
{
	return with_suffix(r, reference_familiar_name(r, a), a);
}
