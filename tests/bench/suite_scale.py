# SPDX-License-Identifier: Apache-2.0
"""Many containers: whether the last one starts as quickly as the first, what they weigh, and how they go.

CONTAINERS=n says how many; 200, or 1000 with BENCH_LONG=1. What is weighed and listed is at most 300.
"""
import os
import time

import harness
from common import ROUNDS, at_once, interleave, median, ratio, report
from engines import Engine
from suite_api import pss_kib

LONG = bool(os.environ.get("BENCH_LONG"))
N = int(os.environ.get("CONTAINERS") or (1000 if LONG else 200))
N_LISTED = min(N, 300)
N_THEIRS = min(N_LISTED, 300 if LONG else 50)
EDGE, PARALLEL = min(50, max(1, N // 4)), 8


def available_kib():
    """MemAvailable, the median of a second, when what has ended is gone"""
    time.sleep(2)
    seen = []
    for _ in range(11):
        with open("/proc/meminfo") as f:
            seen.append(next(int(line.split()[1]) for line in f if line.startswith("MemAvailable:")))
        time.sleep(0.1)
    return median(seen)


def weight(k):
    """KiB of PSS of Kiln's own processes; those that wait to become monitors are among them."""
    launcher = k.launcher_pid()
    children = [pss_kib(p) for p in harness.all_children_of(launcher)]
    return {"kilnd": pss_kib(k.proc.pid), "launcher": pss_kib(launcher), "monitors": sum(children)}


def start_many(e, n):
    """One after the other: who they are, and ms of each."""
    ids, took = [], []
    for _ in range(n):
        create, start, cid = e.new()
        ids.append(cid)
        took.append(create + start)
    return ids, took


def by_clients(e, items, do):
    """do(client, item) of all @items, by several clients at once. Returns seconds."""
    clients = [Engine(e.name, e.socket, e.stack) for _ in range(PARALLEL)]

    def work(i):
        for item in items[i::PARALLEL]:
            do(clients[i], item)
    took_s = at_once([lambda i=i: work(i) for i in range(PARALLEL)], PARALLEL)
    for c in clients:
        if c.starter:
            c.starter.close()
    return took_s


def remove_all(e, ids):
    return by_clients(e, ids, Engine.remove)


def floors_beside(b, started):
    """What the kernel alone takes for one more, beside so many."""
    one = b.floor("-m")
    return {f"floor with Docker's mounts, beside {started}": [one() for _ in range(10)]}


def listing(b, engines, n):
    """/containers/json by a client in C, while each of @engines runs @n."""
    clients = {f"{e.name}: /containers/json, {n} running": e.lines("get", "/containers/json") for e in engines}
    return interleave({name: lambda c=c: c.many(5, 5) for name, c in clients.items()}, ROUNDS or 20)


def listing_beside(b, engines):
    """With as many as dockerd can start in the time that there is."""
    ids = {e: start_many(e, N_THEIRS)[0] for e in engines}
    got = listing(b, engines, N_THEIRS)
    for e in engines:
        remove_all(e, ids[e])
    return got


def taken_by_floor(b, *options):
    keep, before = b.floor(*options, mode="keep"), available_kib()
    for _ in range(N_LISTED):
        keep()
    after = available_kib()
    keep.close()
    return (before - after) / N_LISTED


def taken_by_kiln(b):
    before = available_kib()
    ids, _ = start_many(b.kiln, N_LISTED)
    after = available_kib()
    remove_all(b.kiln, ids)
    return (before - after) / N_LISTED


def memory(b):
    """KiB of MemAvailable for each container; the first ones pay for caches of the kernel's that stay, and do not count."""
    return interleave({"floor": lambda: taken_by_floor(b), "floor with Docker's mounts": lambda: taken_by_floor(b, "-m"),
                       "kiln": lambda: taken_by_kiln(b)}, ROUNDS or 3, warm_up=1)


def left_behind(k):
    return f"left behind: {k.leaks() or 'nothing'}"


def one_by_one(b):
    """Up to N, with a rest at N_LISTED to weigh and list them; then all are removed."""
    k, daemon = b.kiln, b.kilnd
    idle, alone = weight(daemon), floors_beside(b, 0)
    ids, took = start_many(k, N_LISTED)
    time.sleep(2)
    full = weight(daemon)
    lists = listing(b, [k], N_LISTED)
    more_ids, more_took = start_many(k, N - N_LISTED)
    took += more_took
    beside = floors_beside(b, N)
    gone_s = remove_all(k, ids + more_ids)
    first, last = f"kiln: create + start, the first {EDGE}", f"kiln: create + start, the last {EDGE} of {N}"
    starts = {first: took[:EDGE], last: took[-EDGE:]}
    pss = {f"{who}, {when}": [w[who]] for when, w in (("idle", idle), (f"{N_LISTED} running", full)) for who in w}
    pss["growth of all per container"] = [(sum(full.values()) - sum(idle.values())) / N_LISTED]
    few, many = (next(iter(f)) for f in (alone, beside))
    starts = {**starts, **alone, **beside}
    return starts, pss, lists, [
        *ratio(starts, last, first, 1.2), *ratio(starts, many, few),
        f"rm -f of {N} by {PARALLEL} clients: {gone_s:.2f} s (the bar is 10 for 1000); {left_behind(daemon)}"]


def all_at_once(b):
    ids = []
    took_s = by_clients(b.kiln, range(N), lambda e, _: ids.append(e.new()[2]))
    gone_s = remove_all(b.kiln, ids)
    return [f"{N} by {PARALLEL} clients: {N / took_s:.0f} creates and starts per second (the bar is 200), removed in {gone_s:.2f} s; "
            + left_behind(b.kilnd)]


def suite_scale(b):
    with b.on_disk():
        taken = memory(b)
    b.kiln.start_once()
    b.kilnd.baseline = b.kilnd.snapshot()
    starts, pss, lists, notes = one_by_one(b)
    notes += all_at_once(b)
    docker = b.docker()
    lists = {**listing_beside(b, [b.kiln, docker] if docker else [b.kiln]), **lists}
    theirs, ours = (f"{name}: /containers/json, {N_THEIRS} running" for name in ("dockerd", "kiln"))
    notes += ratio(lists, ours, theirs, "1/10")
    beyond = median(taken["kiln"]) - median(taken["floor with Docker's mounts"])
    notes.append(f"kiln beyond the floor with Docker's mounts: {beyond:.0f} KiB of MemAvailable for each of {N_LISTED} (the bar is 150)")
    return report(starts, "ms", notes, more=[
        {"title": "What each idle container takes of MemAvailable, data on the machine's disk", "unit": "KiB", "samples": taken},
        {"title": "Kiln's own processes", "unit": "KiB PSS", "samples": pss},
        {"title": "Lists, by a client in C", "unit": "ms", "samples": lists}])
