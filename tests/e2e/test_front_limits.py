# SPDX-License-Identifier: Apache-2.0
"""kiln-runtime's command line and control groups, on whatever layout there is: update, events, pause."""
import json
import os
import subprocess

import harness
from harness import Failed, cgroup_dirs, eq, eventually, has
from ociruntime import exit_code
from test_front import kiln


def value(b, *names):
    """Of the first of these control files that a directory of the group has; None: there is none."""
    for d in cgroup_dirs(b.cgroup):
        for name in names:
            if os.path.exists(f"{d}/{name}"):
                with open(f"{d}/{name}") as f:
                    return f.read().strip()
    return None


def test_front_sysctls_below_protected_paths():
    """What is protected is mounted over before the controls are set: they are set all the same."""
    with kiln() as rt:
        for paths, key in (("readonlyPaths", "net.ipv4.ip_forward"), ("maskedPaths", "net.ipv4.ip_forward"), ("readonlyPaths", "kernel.shm_rmid_forced")):
            b = rt.bundle()
            b.config["linux"].update({"readonlyPaths": [], "maskedPaths": [], "sysctl": {key: "1"}})
            b.config["linux"][paths] = ["/proc/sys/" + key.split(".")[0]]
            b.write("sh", "-c", f"cat /proc/sys/{key.replace('.', '/')} 2>/dev/null; echo 0 2>/dev/null >/proc/sys/{key.replace('.', '/')} && echo written; echo up")
            eq(rt.call("run", "--bundle", b.dir, b.id).out, "up\n" if paths == "maskedPaths" else "1\nup\n")


def test_front_limits_at_work():
    """Of v2 and of v1: each limit changes alone, is seen in the statistics, and memory that runs out is told."""
    with kiln() as rt:
        b = rt.bundle("sh", "-c", "while ! test -e /tmp/go; do sleep 0.05; done; head -c 100000000 /dev/zero | tail > /dev/null; sleep 1000")
        os.symlink("busybox", b.rootfs + "/bin/tail")
        b.config["linux"]["resources"].update(memory={"limit": 64 << 20, "swap": 64 << 20}, pids={"limit": 100}, cpu={"quota": 50000, "period": 100000})
        b.write()
        pid = rt.create(b)
        rt.call("start", b.id)
        rt.call("update", "--memory", "20m", "--memory-swap", "20m", "--pids-limit", "50", b.id)
        eq((value(b, "memory.max", "memory.limit_in_bytes"), value(b, "pids.max")), (str(20 << 20), "50"))
        is_v2 = value(b, "memory.max") is not None
        rt.call("update", "--cpu-period", "80000", "--cpu-burst", "1000", b.id)
        eq(value(b, "cpu.max", "cpu.cfs_quota_us"), "50000 80000" if is_v2 else "50000")
        eq(value(b, "cpu.max.burst", "cpu.cfs_burst_us") in ("1000", None), True)
        rt.call("update", "--cpu-quota", "-1", b.id)
        eq(value(b, "cpu.max", "cpu.cfs_quota_us"), "max 80000" if is_v2 else "-1")
        if value(b, "cpu.idle") is not None:
            rt.call("update", "--cpu-idle", "1", b.id)
            eq(value(b, "cpu.idle"), "1")
        if is_v2:
            path = b.dir + "/resources.json"
            with open(path, "w") as f:
                json.dump({"memory": {"limit": 4096, "checkBeforeUpdate": True}, "unified": {"memory.high": "19m"}}, f)
            has(rt.fails("update", "-r", path, b.id), "in use")
            eq(value(b, "memory.high"), "max")
        data = json.loads(rt.call("events", "--stats", b.id).out)["data"]
        eq((data["memory"]["usage"]["limit"], data["pids"]["limit"], data["memory"]["usage"]["usage"] > 0, data["cpu"]["usage"]["total"] > 0),
           (20 << 20, 50, True, True))
        rt.call("pause", b.id)
        eq(rt.status(b.id), "paused")
        rt.call("resume", b.id)
        out = b.dir + "/events"
        with open(out, "w") as f:
            p = rt.popen("events", "--interval", "100ms", b.id, stdout=f)

        def types():
            with open(out) as lines:
                return {json.loads(line)["type"] for line in lines.read().split("\n")[:-1]}
        eventually("it tells of statistics", lambda: "stats" in types())
        open(b.rootfs + "/tmp/go", "w").close()
        eventually("memory has run out", lambda: "oom" in types())
        rt.call("kill", b.id, "KILL")
        eq(exit_code(pid), -9)
        eq(p.wait(30), 0)


def counts(rt, b, pid):
    """Whatever an exec could leave: in the container, in its group, in our folders, on the host."""
    groups = [d for top in cgroup_dirs(b.cgroup) for d, _, _ in os.walk(top)]
    with open("/proc/self/mounts") as f:
        mounts = len(f.readlines())
    return {"descriptors of init": len(os.listdir(f"/proc/{pid}/fd")), "groups": len(groups), "mounts": mounts,
            "processes": len(json.loads(rt.call("ps", "--format", "json", b.id).out)),
            "files": sorted(os.listdir(f"{rt.root}/{b.id}")), "roots": rt.ids(), "children": harness.children_of(os.getpid())}


def memory_of(b):
    for d in cgroup_dirs(b.cgroup):
        for name in ("memory.current", "memory.usage_in_bytes"):
            if os.path.exists(f"{d}/{name}"):
                with open(f"{d}/{name}") as f:
                    return int(f.read())
    raise Failed("no group that counts memory")


def test_front_execs_leak_nothing():
    """2,000 of them, one after the other and four at once; KILN_LONG: 100,000."""
    n = 100000 if os.environ.get("KILN_LONG") else 2000
    with kiln() as rt:
        b = rt.bundle("sleep", "100000")
        pid = rt.create(b)
        rt.call("start", b.id)

        def execs(count):
            script = f"i=0; while [ $i -lt {count // 4} ]; do \"$0\" --root \"$1\" exec \"$2\" true || exit 1; i=$((i+1)); done"
            each = [subprocess.Popen(["sh", "-c", script, harness.RUNTIME, rt.root, b.id], stdin=subprocess.DEVNULL) for _ in range(4)]
            eq([p.wait(3000) for p in each], 4 * [0])
        execs(200)
        before, memory = counts(rt, b, pid), memory_of(b)
        execs(n)
        eventually("nothing is left", lambda: counts(rt, b, pid) == before)
        eq(memory_of(b) - memory < (2 << 20), True, f"memory grew from {memory} to {memory_of(b)}")


test_front_execs_leak_nothing.timeout_s = 6000 if os.environ.get("KILN_LONG") else 90
