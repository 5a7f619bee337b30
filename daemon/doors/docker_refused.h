/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of the Docker Engine API that Kiln refuses by name, as data: for the door, the tests and the docs. */
#pragma once

struct refused_operation {
	const char *method, *pattern;   /* as the server's routes have them */
	const char *what;               /* "pause": what is refused */
};
extern const struct refused_operation docker_refused_operations[];   /* ends with a NULL method */
