# SPDX-License-Identifier: Apache-2.0
"""What all suites of the bench share: where things are, samples taken in turns, and what the machine is."""
import concurrent.futures
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/e2e"))
import harness  # noqa: E402

OUT = os.path.join(ROOT, "build/bench")
FLOOR = os.path.join(harness.BUILD, "floor")
CLIENT = os.path.join(harness.BUILD, "client")
ROUNDS = int(os.environ.get("ROUNDS") or 0)          # 0: as many as the suite thinks right
CONTAINERS = int(os.environ.get("CONTAINERS") or 30)
WARM_UP = 3
SLEEP = ["/bin/busybox", "sleep", "1000"]
TRUE = ["/bin/busybox", "true"]


def which(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin")


def summary(samples):
    s = sorted(samples)
    at = lambda q: s[min(len(s) - 1, int(q * len(s)))]  # noqa: E731
    return {"n": len(s), "min": s[0], "p50": at(0.5), "p99": at(0.99), "max": s[-1]}


def interleave(subjects, rounds=0, warm_up=WARM_UP):
    """subjects: {name: function that returns a figure, a list of figures, or a dict of either}. Returns {name: [figure]}."""
    got = {}
    for i in range((rounds or ROUNDS or 40) + warm_up):
        for name, fn in subjects.items():
            value = fn()
            for key, figure in (value.items() if isinstance(value, dict) else [(name, value)]):
                if i >= warm_up:
                    got.setdefault(key, []).extend(figure if isinstance(figure, list) else [figure])
    return got


def median(samples):
    return summary(samples)["p50"]


def ratio(got, ours, theirs, bar=None):
    """A line on how two medians of one table compare, nothing when one was not measured."""
    if not got.get(ours) or not got.get(theirs):
        return []
    r = median(got[ours]) / median(got[theirs])
    text = f"{ours} / {theirs}: {f'1/{1 / r:.0f}' if r < 0.2 else f'{r:.2f}'}"
    return [f"{text} (the bar is {bar})" if bar else text]


def report(samples, unit, notes, title="", more=()):
    """What a suite returns that has more to say than its samples."""
    return {"tables": [{"title": title, "unit": unit, "samples": samples, "plot": True}, *more], "notes": notes}


def at_once(jobs, n=8):
    """Runs the functions @jobs by @n threads. Returns seconds."""
    t0 = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result()
    return time.perf_counter() - t0


def first_line(*argv):
    try:
        p = subprocess.run(argv, capture_output=True, text=True, timeout=20)
        return (p.stdout or p.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return None


def machine():
    cpu, memory = "", 0
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
    with open("/proc/meminfo") as f:
        memory = int(f.readline().split()[1]) // 1024
    base = "/sys/fs/cgroup"
    layout = "v2" if os.path.exists(base + "/cgroup.controllers") else \
        "hybrid" if os.path.isdir(base + "/unified") else "v1"
    versions = {"kiln": first_line(harness.BUILD + "/kilnd", "--version")}
    for name in ("crun", "runc", "dockerd", "containerd", "podman", "umoci", "igzip"):
        if which(name) and os.environ.get("PEERS") != "none":
            versions[name] = first_line(which(name), "--version")
    return {"cpu": cpu, "cpus": os.cpu_count(), "memory MiB": memory, "kernel": platform.release(), "cgroups": layout,
            "file system": first_line("findmnt", "-nro", "FSTYPE,SOURCE", "-T", tempfile.gettempdir()),
            "load before": round(os.getloadavg()[0], 1), "versions": versions}
