/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tar headers: what kilnd needs to write an archive of files and directories, and no more.
 *
 * ustar, with a pax record for a file that ustar's size field cannot hold. Owner 0:0, time 0: the same names and
 * bytes give the same archive. Nothing is read here: kilnd parses no archives. Pure.
 *
 * Spec: POSIX.1-2017, pax "ustar Interchange Format"
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

#define TAR_NAME_MAX   100
#define TAR_FILE_MAX   UINT64_C(077777777777)   /* bytes; above it the size is a pax record */

/**
 * tar_write_dir() - Append the header of a directory, mode 0755
 * @name: borrows; at most TAR_NAME_MAX bytes, ends with '/'
 * Return: nothing
 */
void tar_write_dir(struct strbuf *out, const char *name);

/**
 * tar_write_file() - Append the header of a regular file, mode 0644
 * @name: borrows; at most TAR_NAME_MAX bytes
 *
 * Its @n_bytes bytes come next, then tar_write_padding().
 * Return: nothing
 */
void tar_write_file(struct strbuf *out, const char *name, uint64_t n_bytes);

/**
 * tar_write_padding() - Append the zeros that fill up the last block of a file
 * @n_bytes: of the file
 * Return: nothing
 */
void tar_write_padding(struct strbuf *out, uint64_t n_bytes);

/**
 * tar_write_end() - Append the two empty blocks that end an archive
 * Return: nothing
 */
void tar_write_end(struct strbuf *out);
