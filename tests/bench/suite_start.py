# SPDX-License-Identifier: Apache-2.0
"""From nothing to the user's program, and a program more inside."""
import json
import os
import sys

import harness
from common import HERE, TRUE, interleave, ratio, report, which
from engines import FLOOR_EXEC, FLOOR_EXEC_CONFINED


def suite_start(b):
    subjects = {"floor": b.floor(), "floor with Docker's mounts": b.floor("-m"), "kiln": b.kiln.start_once}
    docker = b.docker()
    if docker:
        subjects["dockerd"] = docker.start_once
    got = interleave(subjects)
    if which("crun") or which("runc"):
        got.update(oci(b))
    return got


def oci(b):
    bundle, count = b.bundle(), [0]
    base = ["unshare", "--mount", "--propagation", "private", sys.executable, HERE + "/worker.py"]
    plain, hidden = b.lines(base), b.lines([*base, "--hide-unified"])

    def runtime(*argv, worker=hidden):
        def once():
            count[0] += 1
            return worker(json.dumps([*argv, f"bench-{os.getpid()}-{count[0]}"]))
        return once

    subjects = {"kiln-runtime run": runtime(harness.BUILD + "/kiln-runtime", "--root", f"{b.run}/kiln-runtime", "run", "--bundle", bundle, worker=plain)}
    for name in filter(which, ("crun", "runc")):
        subjects[name + " run"] = runtime(which(name), "--root", f"{b.run}/{name}", "run", "--bundle", bundle)
    for name in [n for n, fn in subjects.items() if fn() < 0]:
        print(f"{name} does not run here, left out", file=sys.stderr)
        del subjects[name]
    return interleave(subjects)


def suite_exec(b):
    subjects, engines = {}, [e for e in (b.kiln, b.docker()) if e]
    ids = {e.name: e.create() for e in engines}
    for e in engines:
        e.api("POST", f"/containers/{ids[e.name]}/start")
        client = e.lines("exec", ids[e.name], *TRUE)
        subjects[e.name + ": exec, create to exit code"] = lambda client=client: client("1")
    pid = b.kiln.api("GET", f"/containers/{ids['kiln']}/json")["State"]["Pid"]
    got = interleave({**b.floor_exec(b.kiln, pid), **subjects})
    for e in engines:
        e.api("DELETE", f"/containers/{ids[e.name]}?force=1")
    ours, theirs = (f"{name}: exec, create to exit code" for name in ("kiln", "dockerd"))
    return report(got, "ms", [*ratio(got, ours, FLOOR_EXEC, 2.5), *ratio(got, ours, FLOOR_EXEC_CONFINED), *ratio(got, ours, theirs, "1/20")])
