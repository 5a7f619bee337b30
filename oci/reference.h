/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of images as Docker writes them: [domain/]path[:tag][@digest], and their normal form.
 *
 * "busybox" is "docker.io/library/busybox"; a first component is a domain when it has a '.' or ':' or an
 * upper-case letter, or is "localhost". The familiar form is the shortest that means the same.
 * Pure; results live in the caller's arena.
 *
 * Spec: github.com/distribution/reference, grammar in reference.go
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#define REFERENCE_NAME_MAX 255
#define REFERENCE_TAG_MAX  128

struct reference {
	char *domain;    /* "docker.io"; never NULL */
	char *path;      /* "library/busybox"; never NULL */
	char *tag;       /* NULL: none given */
	char *digest;    /* "sha256:…", NULL: none given */
};

/**
 * reference_parse() - Read and normalise a name; no tag is invented
 * @text: borrows
 * @a:    owns the strings of @ret
 * @e:    ERR_INVALID "invalid reference format" and its variants, as docker says them
 * Return: 0, or -1 with @e set
 */
int reference_parse(const char *text, struct arena *a, struct reference *ret, struct err *e);

/**
 * reference_parse_tagged() - reference_parse(), then tag "latest" when there is neither tag nor digest
 * Return: 0, or -1 with @e set
 */
int reference_parse_tagged(const char *text, struct arena *a, struct reference *ret, struct err *e);

/**
 * reference_check_new() - May an image be given this name? One that is looked for as "sha256:<digits>" is an ID
 * @e: ERR_INVALID, as docker says it
 * Return: 0, or -1 with @e set
 */
int reference_check_new(const struct reference *r, struct err *e);

/**
 * reference_canonical() - "docker.io/library/busybox:latest"; what the state store keeps
 * Return: in @a, never NULL
 */
char *reference_canonical(const struct reference *r, struct arena *a);

/**
 * reference_familiar() - "busybox:latest"; what people see
 * Return: in @a, never NULL
 */
char *reference_familiar(const struct reference *r, struct arena *a);

/**
 * reference_familiar_name() - "busybox"; without tag and digest
 * Return: in @a, never NULL
 */
char *reference_familiar_name(const struct reference *r, struct arena *a);
