/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's terminal: raw mode while a container has it, its size, and being told of a new size. One terminal a process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Is standard input a terminal? Return: true or false */
bool tty_is_here(void);

/**
 * tty_raw() - Put the terminal into raw mode; back at exit, by tty_restore(), and when a signal ends us
 * Return: 0, or -1 with errno set
 */
int tty_raw(void);
void tty_restore(void);

/**
 * tty_size() - Rows and columns
 * Return: true, or false when it has none
 */
bool tty_size(uint16_t *ret_height, uint16_t *ret_width);

/**
 * tty_signals() - A descriptor that becomes readable on SIGWINCH, and on those that are passed on to a container when @wants_all
 *
 * Blocks these signals in the process.
 * Return: owned signalfd, or -1 with errno set
 */
int tty_signals(bool wants_all);
