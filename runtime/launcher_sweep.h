/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * launcher_sweep_sockets() - Remove sockets of monitors that ended while there was no launcher
 * @exec_root: absolute
 * @sub:       "c" or "x"
 *
 * Asks the kernel who listens (/proc/net/unix) instead of connecting: a monitor takes each new connection for its
 * next kilnd. When in doubt the file stays.
 * Return: nothing
 */
void launcher_sweep_sockets(const char *exec_root, const char *sub);
