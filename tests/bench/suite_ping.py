# SPDX-License-Identifier: Apache-2.0
"""/_ping over one connection, by a client in C: a hundred requests one after the other, engines taking turns."""
from common import ROUNDS, interleave, median, report

EACH = 100


def suite_ping(b):
    engines = [e for e in (b.kiln, b.docker()) if e]
    clients = {e.name: e.lines("get", "/_ping") for e in engines}
    got = interleave({f"{name}: /_ping": lambda c=c: c.many(EACH, EACH) for name, c in clients.items()}, ROUNDS or 40)
    return report(got, "ms", [f"kiln: {1000 * median(got['kiln: /_ping']):.0f} µs (the bar is 100)"])
