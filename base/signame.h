/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals by the names that people type: "TERM", "SIGTERM", "15", "RTMIN+3". Pure; thread-safe.
 *
 * Spec: signal(7); what `docker kill --signal` takes
 */
#pragma once

/**
 * signame_parse() - The number of a signal
 * @text: borrows; a name with or without "SIG", any case, or a number from 1 to 64
 * Return: 1 to 64, or -1 when it names no signal
 */
int signame_parse(const char *text);

/**
 * signame_text() - The name of a signal, with "SIG"
 * @out: room for the text
 * Return: @out
 */
const char *signame_text(int signo, char out[16]);
