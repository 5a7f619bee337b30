/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kiln-runtime can be: one function for each first argument, one row for each in main.c. Each returns the
 * exit status. @argv[0] is the role's name.
 */
#pragma once

/* run.c, unpack.c. Return: the exit status */
int unpack_main(int argc, char **argv);
