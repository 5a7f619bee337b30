/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports as docker's lists show them: "443/tcp, 0.0.0.0:8080->80/tcp, [::]:8000-8010->8000-8010/tcp". Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct port { char *ip, *type; int64_t inside, outside; };   /* ip NULL or "": not published */

/**
 * ports_print() - Append them; ports that follow each other are a range
 * @ports: are sorted
 * Return: nothing
 */
void ports_print(struct strbuf *out, struct port *ports, size_t n);
