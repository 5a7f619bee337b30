/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher: the small root process that forks monitors and inherits their programs when they die.
 *
 *	kiln-runtime launcher --data-root DIR --exec-root DIR [--log-level LEVEL]
 *
 * It listens on <exec-root>/l/launcher.sock (runtime/proto.h), serves one kilnd at a time (the newest
 * connection wins), and outlives it. It does not look into launch documents. See launcher.c.
 */
#pragma once

/**
 * launcher_main() - The role
 * Return: the exit status
 */
int launcher_main(int argc, char **argv);
