# SPDX-License-Identifier: Apache-2.0
"""Starts that find a monitor ready, and those that do not: after a rest, one behind the other, and eight at once."""
import time

import harness
from common import ROUNDS, at_once, interleave, ratio, report
from engines import Http

BURST = 8


def waiting(k):
    """Stems that sleep: they have been made, and wait for an order."""
    found = harness.stems_of(k.launcher_pid())
    for pid in found:
        with open(f"/proc/{pid}/stat") as f:
            if f.read().rsplit(")", 1)[1].split()[0] != "S":
                return []
    return found


def rest(e):
    """Until nothing is prepared any more, or for half a second where nothing is."""
    before, since = None, time.monotonic()
    while time.monotonic() - since < 10:
        now = waiting(e.daemon)
        if now == before and time.monotonic() - since >= 0.5:
            return now
        before = now
        time.sleep(0.2)
    raise SystemExit(f"{e.name}: no rest within 10 s")


def monitor_of(e, cid):
    with open(f"/proc/{e.api('GET', f'/containers/{cid}/json')['State']['Pid']}/stat") as f:
        return int(f.read().rsplit(")", 1)[1].split()[1])


def outcome(e, cid, stems):
    return "hit" if monitor_of(e, cid) in stems else "miss"


def timed_start(e, cid):
    t0 = time.perf_counter_ns()
    e.start(cid)
    return (time.perf_counter_ns() - t0) / 1e6


def rested(e):
    """After a rest: create + start, and the start alone; then one more at once. Only what is seen tells a hit."""
    def once():
        stems, more, got = rest(e), e.create(), {}
        create, took, first = e.new()
        second = timed_start(e, more)
        if not e.has_stems:
            got = {f"{e.name}: create + start": [create + took], f"{e.name}: start": [took, second]}
        else:
            kind = outcome(e, first, stems)
            got[f"{e.name}, {kind}: create + start"] = [create + took]
            got[f"{e.name}, {kind}: start"] = [took]
            got.setdefault(f"{e.name}, {outcome(e, more, stems)}: start", []).append(second)
        for cid in (first, more):
            e.remove(cid)
        return got
    return once


def burst(e):
    """Starts at once, each by a client of its own, after a rest."""
    clients = [Http(e.socket) for _ in range(BURST)]

    def once():
        stems, took = rest(e) if e.has_stems is not None else [], []
        ids = [e.create() for _ in clients]

        def start(api, cid):
            t0 = time.perf_counter_ns()
            api("POST", f"/containers/{cid}/start")
            took.append((time.perf_counter_ns() - t0) / 1e6)
        whole = at_once([lambda a=a, c=c: start(a, c) for a, c in zip(clients, ids)], BURST)
        hits = [outcome(e, c, stems) for c in ids].count("hit") if e.has_stems else None
        for cid in ids:
            e.remove(cid)
        name = f"{e.name}: {BURST} at once"
        return {f"{name}, each": took, f"{name}, all": whole * 1e3, **({f"{name}, hits": hits} if e.has_stems else {})}
    return once


def suite_stems(b):
    with_one, without, docker = b.start_kiln("kiln, at most one stem", "--stems", "1"), b.start_kiln("kiln, no stems", "--stems", "0"), b.docker()
    b.kiln.has_stems, with_one.has_stems, without.has_stems = True, True, False
    subjects = {"floor": b.floor(), "floor with Docker's mounts": b.floor("-m"), "one": rested(with_one), "none": rested(without)}
    if docker:
        docker.has_stems = None
        subjects["dockerd"] = docker.start_once
    got = interleave(subjects, ROUNDS or 30)
    bursts = interleave({e.name: burst(e) for e in (b.kiln, without, docker) if e}, ROUNDS or 15, warm_up=1)
    hits = bursts.pop(f"kiln: {BURST} at once, hits")
    hit, none = "kiln, at most one stem, hit: create + start", "kiln, no stems: create + start"
    return report(got, "ms", [
        *ratio(got, hit, "dockerd: create + start", "1/300"), *ratio(got, none, "dockerd: create + start", "1/100"),
        *ratio(got, none, "floor with Docker's mounts", 2),
        f"Of {BURST} starts at once with as many stems as there are by default, these found one, burst by burst: {hits}",
    ], more=[{"title": f"{BURST} starts at once after a rest", "unit": "ms", "samples": bursts}])
