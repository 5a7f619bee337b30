# SPDX-License-Identifier: Apache-2.0
"""What a health check's probe costs beside fork + setns + exec of the same program: processor time, and the clock.

Processor time is that of all that takes part: each engine, and the floor, is in a control group of its own, and what an
engine takes in the same time without a check is subtracted. All probe ten times a second.
"""
import datetime
import time

from common import ROUNDS, SLEEP, TRUE, WARM_UP, interleave, ratio, report
from cpu import join, used_ms
from engines import FLOOR_EXEC, FLOOR_EXEC_CONFINED, after

EVERY, WINDOWS, LOOK = 0.1, 6, 0.35     # a look is before five more results have pushed the oldest one out


def moment(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def look(e, cid, seen):
    """The container's latest results: {begin: ms}"""
    state = e.api("GET", f"/containers/{cid}/json")["State"]
    for r in (state.get("Health") or {}).get("Log") or []:
        if r["ExitCode"] != 0:
            raise SystemExit(f"{e.name}: a probe failed: {r}")
        seen[r["Start"]] = (moment(r["End"]) - moment(r["Start"])) * 1e3


def observe(e, check):
    """CPU ms of a few windows, and the ms of each probe that ended in them."""
    cid, before, seen = e.create(SLEEP, {"Healthcheck": check}), {}, {}
    e.start(cid)
    time.sleep(0.7)
    look(e, cid, before)
    cpu = used_ms(e.groups)
    for _ in range(WINDOWS):
        time.sleep(LOOK)
        look(e, cid, seen)
    cpu = used_ms(e.groups) - cpu
    e.remove(cid)
    return cpu, [ms for begin, ms in seen.items() if begin not in before]


def engine(e):
    probe = {"Test": ["CMD", *TRUE], "Interval": int(EVERY * 1e9), "Timeout": 10**10}

    def once():
        idle, _ = observe(e, {"Test": ["NONE"]})
        cpu, took = observe(e, probe)
        if not took:
            raise SystemExit(f"{e.name}: no probe in {WINDOWS * LOOK} s")
        return {f"cpu {e.name}": (cpu - idle) / len(took), f"clock {e.name}": took}
    return once


def floors(b, e, pid):
    """The container's group is @e's: whoever joins it is counted there."""
    group = b.parent + "/floor-exec"

    def measure(name, run):
        cpu, took = used_ms([group, *e.groups]), []
        for _ in range(round(WINDOWS * LOOK / EVERY)):
            time.sleep(EVERY)
            took.append(run())
        return {"cpu " + name: (used_ms([group, *e.groups]) - cpu) / len(took), "clock " + name: took}
    return {name: lambda name=name, run=run: measure(name, run) for name, run in b.floor_exec(e, pid, after(join(group))).items()}


def engines(b):
    """Each in a group of its own; its containers are in another."""
    ours, theirs = b.parent + "/health-kiln", b.parent + "/health-docker"
    kiln = b.start_kiln("kiln", before=join(ours))
    kiln.groups = [ours, kiln.daemon.cgroup_parent]
    docker = b.start_docker("health", before=join(theirs))
    if docker:
        docker.remove(docker.create())
        docker.groups = [theirs, b.parent + "/health"]
    return [e for e in (kiln, docker) if e]


def suite_health(b):
    found = engines(b)
    for e in found:
        e.start_once()       # the containers' group is there from here on
    target = found[0].create()
    found[0].start(target)
    pid = found[0].api("GET", f"/containers/{target}/json")["State"]["Pid"]
    got = interleave({**floors(b, found[0], pid), **{e.name: engine(e) for e in found}}, ROUNDS or 5, min(WARM_UP, 1))
    found[0].remove(target)
    cpu, clock = ({k[len(p):]: v for k, v in got.items() if k.startswith(p)} for p in ("cpu ", "clock "))
    return report(cpu, "CPU ms", [*ratio(cpu, "kiln", FLOOR_EXEC, 1.15), *ratio(cpu, "kiln", FLOOR_EXEC_CONFINED)], "A probe, all processes that take part", [
        {"title": "A probe, begin to end as the engine tells it", "unit": "ms", "samples": clock}])
