# SPDX-License-Identifier: Apache-2.0
"""What a daemon costs that has nothing to do, and one that has containers."""
import time

import harness
from common import CONTAINERS, ROUNDS, interleave


def suite_api(b):
    engines = [e for e in (b.kiln, b.docker()) if e]
    ids, subjects = {e.name: [] for e in engines}, {}
    for e in engines:
        for _ in range(CONTAINERS):
            cid = e.create()
            e.api("POST", f"/containers/{cid}/start")
            ids[e.name].append(cid)

        def ping(e=e):
            t0 = time.perf_counter_ns()
            e.api.raw(b"GET /_ping HTTP/1.1\r\nHost: b\r\n\r\n")
            return (time.perf_counter_ns() - t0) / 1e6

        def listing(e=e):
            t0 = time.perf_counter_ns()
            e.api("GET", "/containers/json")
            return (time.perf_counter_ns() - t0) / 1e6
        subjects[e.name + ": /_ping"] = ping
        subjects[f"{e.name}: /containers/json, {CONTAINERS} running"] = listing
    got = interleave(subjects, 10 * (ROUNDS or 40))
    for e in engines:
        for cid in ids[e.name]:
            e.api("DELETE", f"/containers/{cid}?force=1")
    return got


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def suite_memory(b):
    """Kiln's own processes, KiB of PSS: idle, then with containers."""
    def now():
        launcher = b.kilnd.launcher_pid()
        return {"kilnd": pss_kib(b.kilnd.proc.pid), "launcher": pss_kib(launcher),
                "monitors": [pss_kib(p) for p in harness.children_of(launcher)]}

    b.kiln.api("GET", "/_ping")
    idle = now()
    ids = [b.kiln.create() for _ in range(CONTAINERS)]
    for cid in ids:
        b.kiln.api("POST", f"/containers/{cid}/start")
    time.sleep(1)
    full = now()
    for cid in ids:
        b.kiln.api("DELETE", f"/containers/{cid}?force=1")
    grown = full["kilnd"] + full["launcher"] + sum(full["monitors"]) - idle["kilnd"] - idle["launcher"]
    return {"kilnd, idle": [idle["kilnd"]], "launcher, idle": [idle["launcher"]],
            f"kilnd, {CONTAINERS} running": [full["kilnd"]], f"launcher, {CONTAINERS} running": [full["launcher"]],
            "monitor, each": full["monitors"], "all of Kiln, growth per running container": [grown / CONTAINERS]}
