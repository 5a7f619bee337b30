/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The specification's properties beside ours: each is a row of a schema (runtime_config.c), and those that have no effect have a note
 * that says why. docs/spec-coverage.md is printed from both; a unit test compares them with tests/golden/spec/properties.txt and
 * has each refused example refused. Pure data.
 */
#pragma once

struct jschema;

struct spec_note {
	const char *path;    /* "linux.seccomp.flags"; what is below it goes with it */
	const char *why;
	const char *refused; /* what is refused by its name: members of `linux`, or of one of `mounts`; NULL: it is passed over */
};

extern const struct spec_note spec_notes[]; /* ends with a NULL path */

/**
 * spec_note_of() - What is said of a property, or of one that it is below
 * Return: the note, or NULL: it is done
 */
const struct spec_note *spec_note_of(const char *path);

/* @where, @schema: of the object that has it; "" at the top */
typedef void (*spec_visit_fn)(void *ctx, const char *where, const char *name, const struct jschema *schema);

/**
 * spec_walk() - Visit each property that has a row, those of an object before what is in them; elements are "[]", values of maps "{}"
 * Return: nothing
 */
void spec_walk(spec_visit_fn visit, void *ctx);
