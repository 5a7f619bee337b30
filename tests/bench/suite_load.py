# SPDX-License-Identifier: Apache-2.0
"""Loading an image of 281 MB in five gzip layers, 885 MB of tar, from an archive to unpacked layers.

Each run has a new ext4 in a file on tmpfs and namespaces of its own (loadrun.py), and all subjects take turns. The
reference is the processor time of the parts that nobody can leave out, spread over the processors: igzip, both SHA-256
by openssl, tar x. On the machine's own disk Kiln is shown beside tar x, and nothing is claimed.
"""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

import harness
import loadimage
from common import HERE, ROOT, ROUNDS, interleave, median, which
from engines import run_base

PEERS = {"umoci unpack": ("umoci", "umoci"), "podman load": ("podman", "podman"), "ctr images import": ("containerd", "ctr"),
         "docker load, dockerd": ("dockerd", "dockerd")}
BAR_REFERENCE, BAR_PEERS, BAR_MB = 1.25, 5, 64


class Runs:
    def __init__(self, stack):
        self.dir = tempfile.mkdtemp(prefix="load-", dir=run_base())   # Podman wants it short
        stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
        self.cgroup = f"/kiln/load-{os.getpid()}"
        stack.callback(self.remove_groups)
        self.docker = which("docker") or (harness.CLIS or [None])[0]

    def remove_groups(self):
        for d in harness.cgroup_dirs(self.cgroup):
            for sub, _dirs, _files in os.walk(d, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(sub)

    def __call__(self, subject, kind="gzip", **more):
        job = {"subject": subject, "dir": self.dir, "build": os.path.abspath(harness.BUILD), "cgroup": self.cgroup, "docker": self.docker,
               "archive": loadimage.archive(kind), "layout": loadimage.layout(kind), "packed": loadimage.paths(kind),
               "tars": loadimage.paths(), **more}
        p = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
                            sys.executable, HERE + "/loadrun.py", json.dumps(job)], stdout=subprocess.PIPE, text=True)
        if p.returncode != 0:
            raise SystemExit(f"bench: load: {subject} failed")
        return json.loads(p.stdout)

    def on_disk(self, subject):
        with tempfile.TemporaryDirectory(dir=ROOT + "/build/bench") as disk:
            return self(subject, disk=disk)


def peers(runs):
    found = {title: name for title, (name, program) in PEERS.items() if which(program)}
    if not runs.docker:
        found.pop("docker load, dockerd", None)
    return {} if os.environ.get("PEERS") == "none" else found


def one(runs, title, name, kind="gzip"):
    def run():
        got = runs(name, kind)
        return {f"s {title}": got["s"], f"cpu {title}": got["cpu"]}
    return run


def reference(runs):
    def run():
        got = runs("reference")
        whole = sum(got.values())
        return {"s reference": whole / os.cpu_count(), "cpu reference": whole, **{f"cpu reference: {k}": v for k, v in got.items()}}
    return run


def rows(figures, prefix):
    return {k[len(prefix):]: v for k, v in figures.items() if k.startswith(prefix)}


def verdict(seconds, memory):
    ours, notes = median(seconds["kiln load"]), []
    ratio = ours / median(seconds["reference"])
    notes.append(f"Kiln takes {ratio:.2f} of the reference (the bar is {BAR_REFERENCE})")
    for title in PEERS:
        if title in seconds:
            notes.append(f"{title} takes {median(seconds[title]) / ours:.1f} times as long as Kiln" +
                         ("" if "dockerd" in title else f" (the bar is {BAR_PEERS})"))
    notes.append(f"All of Kiln's processes together have {max(memory['kiln load, PSS']):.0f} MiB at the peak (the bar is {BAR_MB})")
    return notes


def suite_load(b):
    wanted = ("igzip", "openssl", "mkfs.ext4", "debootstrap", "zstd")
    missing = [p for p in wanted if not which(p)]
    if missing:
        raise SystemExit(f"bench: SUITE=load needs {', '.join(missing)}: run contrib/bench-peers.sh")
    loadimage.make(("gzip", "zstd", "plain"))
    runs = Runs(b.stack)
    with_docker = {"kiln, by docker load": one(runs, "kiln, by docker load", "kiln_docker")} if runs.docker else {}
    figures = interleave({
        "reference": reference(runs), "kiln load": one(runs, "kiln load", "kiln"), **with_docker,
        **{title: one(runs, title, name) for title, name in peers(runs).items()}}, ROUNDS or 5, warm_up=1)
    more = interleave({
        "gzip": one(runs, "load, gzip layers", "kiln"), "zstd": one(runs, "load, zstd layers", "kiln", "zstd"),
        "plain": one(runs, "load, plain layers", "kiln", "plain"), "save": one(runs, "save, gzip layers", "kiln_save"),
        "save plain": one(runs, "save, plain layers", "kiln_save", "plain")}, ROUNDS or 5, warm_up=0)
    memory = {}
    for title, name in {"kiln load": "kiln", **peers(runs)}.items():
        got = runs(name, memory=True)
        memory[title + ", PSS"], memory[title + ", RSS"] = [got["pss"]], [got["rss"]]
    disk = interleave({"kiln load, synced": lambda: runs.on_disk("kiln")["s"],
                       "tar x of the plain layers": lambda: {k: v for k, v in zip(("tar x of the plain layers", "sync after it"), map(
                           runs.on_disk("untar").get, ("s", "sync")))}}, 3, warm_up=0)
    seconds = rows(figures, "s ")
    return {"tables": [
        {"title": "From archive to unpacked layers, on a new ext4 in a loop file on tmpfs", "unit": "s", "samples": seconds, "plot": True},
        {"title": "Processor time of the same runs", "unit": "CPU s", "samples": rows(figures, "cpu ")},
        {"title": "Kiln, other layers and the way back", "unit": "s", "samples": rows(more, "s ")},
        {"title": "Memory at the peak of one run, of all processes that take part", "unit": "MiB", "samples": memory},
        {"title": "On the machine's disk", "unit": "s", "samples": disk},
    ], "notes": [*(f"{k}: {v}" for k, v in loadimage.facts().items()), *verdict(seconds, memory)]}
