# SPDX-License-Identifier: Apache-2.0
"""kiln-runtime beside crun and runc: each command on the same bundles, what a run takes of memory, and a run beside many."""
import contextlib
import json
import os
import shutil
import sys

import harness
from common import HERE, ROUNDS, SLEEP, TRUE, interleave, median, ratio, report, which

MANY = (1, 100, 1000) if os.environ.get("BENCH_LONG") else (1, 100)
PEERS_MANY = 100


class Runtime:
    """A runtime's command line; crun's without the cgroup2 mount of a hybrid layout, which it refuses."""
    def __init__(self, b, name, program):
        self.b, self.name, self.argv = b, name, [program, "--root", f"{b.run}/state-{name}"]
        worker = ["unshare", "--mount", "--propagation", "private", sys.executable, HERE + "/worker.py",
                  *(["--hide-unified"] if name != "kiln" else [])]
        self.worker, self.n, self.kept = b.lines(worker), 0, []

    def do(self, *command, before=()):
        ms = self.worker(json.dumps([*before, *self.argv, *command]))
        if ms < 0:
            raise SystemExit(f"{self.name}: {command} has failed")
        return ms

    def new(self, bundle):
        """An ID, and a control group of that name in the bundle's configuration"""
        self.n += 1
        cid = f"bench-{os.getpid()}-{self.n}"
        with open(bundle + "/config.json") as f:
            config = json.load(f)
        config["linux"]["cgroupsPath"] = f"{self.b.parent}/{cid}"
        with open(bundle + "/config.json", "w") as f:
            json.dump(config, f)
        return cid

    def run(self, bundle, before=()):
        return self.do("run", "--bundle", bundle, self.new(bundle), before=before)

    def peak(self, bundle):
        """KiB of the largest process that a run waits for; busybox counts in fours"""
        told = f"{self.b.dir}/peak"
        self.run(bundle, before=[which("busybox"), "time", "-f", "%M", "-o", told])
        with open(told) as f:
            return int(f.read()) // 4

    def life(self, bundle):
        cid, got = self.new(bundle), {}
        for verb, command in (("create", ["create", "--bundle", bundle, cid]), ("start", ["start", cid]), ("state", ["state", cid]),
                              ("exec", ["exec", cid, *TRUE]), ("delete", ["delete", "--force", cid])):
            got[f"{self.name}: {verb}"] = self.do(*command)
        return got

    def keep(self, bundle, n):
        """So many that stay"""
        while len(self.kept) < n:
            cid = self.new(bundle)
            self.do("run", "--detach", "--bundle", bundle, cid)
            self.kept.append(cid)

    def drop(self):
        for cid in self.kept:
            with contextlib.suppress(SystemExit):
                self.do("delete", "--force", cid)
        self.kept = []


def beside_many(runtimes, plain, sleeping):
    """A run's time while that many containers of the same runtime are there"""
    got = {}
    for n in MANY:
        there = [r for r in runtimes if r.name == "kiln" or n <= PEERS_MANY]
        for r in there:
            r.keep(sleeping, n)
        got.update(interleave({f"{r.name}: run beside {n}": lambda r=r: r.run(plain) for r in there}, ROUNDS or 20))
        for r in runtimes:
            if n >= PEERS_MANY and r.name != "kiln":
                r.drop()
    return got


def suite_runtime(b):
    runtimes = [Runtime(b, name, program) for name, program in (
        ("kiln", harness.BUILD + "/kiln-runtime"), ("crun", which("crun")), ("runc", which("runc")))
        if program and (name == "kiln" or os.environ.get("PEERS") != "none")]
    for r in runtimes:
        b.stack.callback(shutil.rmtree, r.argv[2], ignore_errors=True)
        b.stack.callback(r.drop)
    if not harness.cgroup_dirs(b.parent):
        b.make_groups()      # one above the container's, as every engine has
    filtered, plain, sleeping = b.bundle("filtered"), b.bundle("plain", is_filtered=False), b.bundle("sleeping", SLEEP)
    runs = interleave({f"{r.name}: run, {what}": lambda r=r, where=where: r.run(where) for r in runtimes
                       for what, where in (("Docker's profile", filtered), ("no profile", plain))}, ROUNDS or 60)
    lives = interleave({r.name: lambda r=r: r.life(sleeping) for r in runtimes}, ROUNDS or 40)
    peaks = interleave({f"{r.name}: run, Docker's profile": lambda r=r: r.peak(filtered) for r in runtimes}, 5)
    many = beside_many(runtimes, plain, sleeping)
    notes = [*ratio(runs, "kiln: run, Docker's profile", "crun: run, Docker's profile", "0.33"),
             *ratio(runs, "kiln: run, no profile", "crun: run, no profile", "0.5")]
    for verb in ("create", "start", "exec", "delete"):
        notes += ratio(lives, f"kiln: {verb}", f"crun: {verb}", "1")
    notes.append(f"kiln: run beside {MANY[-1]} / beside 1: "
                 f"{median(many[f'kiln: run beside {MANY[-1]}']) / median(many['kiln: run beside 1']):.2f}")
    return report(runs, "ms", notes, title="run, with limits", more=[
        {"title": "Commands, with Docker's profile and limits", "unit": "ms", "samples": lives},
        {"title": "The largest process of a run", "unit": "KiB", "samples": peaks},
        {"title": "A run beside others", "unit": "ms", "samples": many}])
