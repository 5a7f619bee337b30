/* SPDX-License-Identifier: Apache-2.0 */
/* Prints docs/lifecycle.md from the table in daemon/engine/lifecycle.c; `make docs` runs it. */
#include <stdbool.h>
#include <stdio.h>

#include "daemon/engine/lifecycle.h"

static bool leads_to(enum ct_state from, enum ct_event ev, enum ct_state *ret_next)
{
	struct err e = { 0 };

	return ct_next(from, ev, ret_next, &e) == 0;
}

static void print_diagram(void)
{
	enum ct_state next;

	puts("```mermaid\nstateDiagram-v2");
	printf("\t[*] --> %s\n", ct_state_name(CT_CREATED));
	for (int from = 0; from < CT_STATES_; from++)
		for (int ev = 0; ev < EV_EVENTS_; ev++)
			if (leads_to(from, ev, &next) && (int)next != from)
				printf("\t%s --> %s: %s\n", ct_state_name(from), ct_state_name(next),
				       ct_event_name(ev));
	puts("```\n");
}

static void print_table(void)
{
	enum ct_state next;

	printf("| event |");
	for (int from = 0; from < CT_STATES_; from++)
		printf(" %s |", ct_state_name(from));
	printf("\n|---|");
	for (int from = 0; from < CT_STATES_; from++)
		printf("---|");
	printf("\n");
	for (int ev = 0; ev < EV_EVENTS_; ev++) {
		printf("| %s |", ct_event_name(ev));
		for (int from = 0; from < CT_STATES_; from++)
			printf(" %s |", leads_to(from, ev, &next) ? ct_state_name(next) : "–");
		printf("\n");
	}
}

int main(void)
{
	puts("# The lifecycle of a container\n"
	     "\n"
	     "Printed by `make docs` from the table in `daemon/engine/lifecycle.c`; do not edit.\n"
	     "\n"
	     "What is not in the table is illegal: the request is answered with 409 and a message that names state and\n"
	     "event. Stop and restart are intents (a desired state and a timer), so that kill, exec, attach, logs,\n"
	     "inspect, resize and wait never queue behind them.\n");
	print_diagram();
	puts("Each cell is the state that follows; – is a conflict.\n");
	print_table();
	return 0;
}
