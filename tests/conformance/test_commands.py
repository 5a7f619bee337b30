# SPDX-License-Identifier: Apache-2.0
"""ps, pause, resume, events, spec, features: what else runc's command line has."""
import json
import os
import tempfile
import time

from contract import each
from harness import Failed, eq, eventually, has
from ociruntime import exit_code

UNTIL_TERM = "trap 'exit 7' TERM; echo up > /tmp/up; while :; do sleep 0.05; done"


def started(rt, *args):
    b = rt.bundle(*(args or ("sh", "-c", UNTIL_TERM)))
    pid = rt.create(b)
    rt.call("start", b.id)
    if not args:
        eventually("its program runs", lambda: os.path.exists(b.rootfs + "/tmp/up"))
    return b, pid


@each
def test_ps(rt):
    b, pid = started(rt, "sh", "-c", "sleep 1000 & sleep 2000 & wait")
    eventually("it has three processes", lambda: len(json.loads(rt.call("ps", "--format", "json", b.id).out)) == 3)
    pids = json.loads(rt.call("ps", "-f", "json", b.id).out)
    eq((pid in pids, all(os.path.exists(f"/proc/{p}") for p in pids)), (True, True))
    if rt.name == "crun":       # prints pids only, whatever is asked
        return
    lines = rt.call("ps", b.id).out.splitlines()
    eq((lines[0].split()[:3], len(lines)), (["UID", "PID", "PPID"], 4))
    lines = rt.call("ps", b.id, "-A", "-o", "pid,args").out.splitlines()
    eq(sorted(x.split(None, 1)[1] for x in lines[1:])[1:], ["sleep 1000", "sleep 2000"])
    has(rt.fails("ps", b.id, "-A", "-o", "args"), "PID")
    rt.fails("ps", "--format", "xml", b.id)
    rt.fails("ps", "nosuch")


@each
def test_pause_and_resume(rt):
    b, pid = started(rt, "sh", "-c", "while :; do echo x >> /tmp/count; done")
    size = lambda: os.path.getsize(b.rootfs + "/tmp/count")
    eventually("it counts", lambda: os.path.exists(b.rootfs + "/tmp/count") and size() > 0)
    if rt.name != "crun":       # thinks that it has resumed it
        rt.fails("resume", b.id)
    rt.call("pause", b.id)
    eq(rt.status(b.id), "paused")
    before = size()
    time.sleep(0.05)
    eq(size(), before)
    has(rt.fails("exec", b.id, "true"), "paused")
    rt.call("resume", b.id)
    eq(rt.status(b.id), "running")
    eventually("it counts on", lambda: size() > before)
    rt.call("kill", b.id, "KILL")
    eq(exit_code(pid), -9)
    rt.fails("pause", b.id)
    rt.fails("resume", b.id)
    rt.fails("pause", "nosuch")


def not_by_crun(fn):
    """It has no such command."""
    def test(rt):
        if rt.name != "crun":
            fn(rt)
    test.__name__, test.__doc__, test.__module__ = fn.__name__, fn.__doc__, fn.__module__
    return each(test)


@not_by_crun
def test_events_stats(rt):
    b = rt.bundle("sh", "-c", UNTIL_TERM)
    b.config["linux"]["resources"].update(memory={"limit": 64 << 20}, pids={"limit": 100})
    b.write()
    rt.create(b)
    rt.call("start", b.id)
    eventually("its program runs", lambda: os.path.exists(b.rootfs + "/tmp/up"))
    event = json.loads(rt.call("events", "--stats", b.id).out)
    data = event["data"]
    eq((event["type"], event["id"], data["memory"]["usage"]["limit"], data["pids"]["limit"]), ("stats", b.id, 64 << 20, 100))
    for part, key in (("memory", "raw"), ("pids", "current")):
        if not data[part].get(key):
            raise Failed(f"no {part}.{key} in {data}")
    for value in (data["cpu"]["usage"]["total"], data["memory"]["usage"]["usage"]):
        eq(value > 0, True)
    eq(sorted(data), ["blkio", "cpu", "hugetlb", "intel_rdt", "memory", "network_interfaces", "pids"] +
       ([] if "cpuset" not in data else ["cpuset"]) if rt.is_kiln else sorted(data))
    rt.fails("events", "--stats", "nosuch")
    rt.fails("events", "--interval", "0", b.id)


@not_by_crun
def test_events_until_the_end(rt):
    """Statistics now and again; when memory runs out; and its end when the container ends."""
    b = rt.bundle("sh", "-c", "while ! test -e /tmp/go; do sleep 0.02; done; head -c 100000000 /dev/zero | tail > /dev/null; while ! test -e /tmp/end; do sleep 0.02; done")
    os.symlink("busybox", b.rootfs + "/bin/tail")
    b.config["linux"]["resources"]["memory"] = {"limit": 20 << 20, "swap": 20 << 20}
    b.write()
    pid = rt.create(b)
    rt.call("start", b.id)
    with tempfile.TemporaryFile("w+") as out:
        p = rt.popen("events", "--interval", "50ms", b.id, stdout=out)

        def types():
            with open(f"/proc/self/fd/{out.fileno()}") as f:
                return [json.loads(line)["type"] for line in f.read().splitlines()]
        eventually("statistics come", lambda: types().count("stats") >= 2)
        eq("oom" in types(), False)
        open(b.rootfs + "/tmp/go", "w").close()
        eventually("memory has run out", lambda: "oom" in types())
        open(b.rootfs + "/tmp/end", "w").close()
        exit_code(pid)
        if not rt.is_kiln:      # looks at the group, not at the process
            rt.call("delete", b.id)
        eq(p.wait(30), 0)
    rt.fails("events", b.id)


@each
def test_spec(rt):
    b = rt.bundle()
    rt.call("spec", cwd=b.dir)
    path = b.dir + "/config.json"
    with open(path) as f:
        config = json.load(f)
    eq((config["process"]["args"], config["root"], sorted(n["type"] for n in config["linux"]["namespaces"] if n["type"] != "cgroup")),
       (["sh"], {"path": "rootfs", "readonly": True}, ["ipc", "mount", "network", "pid", "uts"]))
    has(rt.fails("spec", cwd=b.dir), "exist")
    # it runs
    config["process"].update(terminal=False, args=["sh", "-c", "exit 3"])
    config["process"]["env"].append("PATH=/bin")
    config["linux"]["cgroupsPath"] = b.cgroup
    with open(path, "w") as f:
        json.dump(config, f)
    os.makedirs(b.rootfs + "/proc", exist_ok=True)
    for d in ("dev", "sys"):
        os.makedirs(f"{b.rootfs}/{d}", exist_ok=True)
    rt.call("run", "--bundle", b.dir, b.id, code=3)
    os.unlink(path)
    rt.call("spec", "--rootless", "--bundle", b.dir)
    with open(path) as f:
        linux = json.load(f)["linux"]
    if rt.name == "crun":       # says so by leaving the mappings to itself
        return
    eq((linux["uidMappings"], linux["gidMappings"]), 2 * ([{"containerID": 0, "hostID": 0, "size": 1}],))
    types = {n["type"] for n in linux["namespaces"]}
    eq(({"user", "mount", "pid"} <= types, "network" in types), (True, False))


@not_by_crun
def test_features(rt):
    """features.md: what callers look at before they ask for it."""
    f = json.loads(rt.call("features").out)
    eq(f["ociVersionMin"], "1.0.0")
    for name in ("bind", "rbind", "ro", "rro", "nosuid", "rnosuid", "rslave", "private", "strictatime", "nosymfollow"):
        eq((name, name in f["mountOptions"]), (name, True))
    linux = f["linux"]
    eq({"pid", "network", "mount", "ipc", "uts", "cgroup"} <= set(linux["namespaces"]), True)
    eq({"CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"} <= set(linux["capabilities"]), True)
    eq((linux["cgroup"]["v1"], linux["cgroup"]["v2"], linux["seccomp"]["enabled"], linux["apparmor"]["enabled"]), 4 * (True,))
    eq({"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRACE", "SCMP_ACT_NOTIFY"} <= set(linux["seccomp"]["actions"]), True)
    if rt.is_kiln:
        eq("run.oci.seccomp.receiver" in f["potentiallyUnsafeConfigAnnotations"], True)
        eq(("MPOL_BIND" in linux["memoryPolicy"]["modes"], "MPOL_F_STATIC_NODES" in linux["memoryPolicy"]["flags"]), (True, True))
        eq((linux["netDevices"]["enabled"], linux["intelRdt"]["enabled"]), (True, False))
    eq(len(linux["seccomp"]["operators"]), 7)
    eq({"SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"} <= set(linux["seccomp"]["archs"]), True)
