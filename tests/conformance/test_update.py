# SPDX-License-Identifier: Apache-2.0
"""update: other limits for a container that runs, by flags and by a document."""
import json
import os

from contract import each
from harness import Failed, cgroup_dirs, eq, has


def value(b, name):
    """Of a control file: by its name in whichever hierarchy of the group has it."""
    for d in cgroup_dirs(b.cgroup):
        if os.path.exists(f"{d}/{name}"):
            with open(f"{d}/{name}") as f:
                return f.read().strip()
    raise Failed(f"no {name} in {cgroup_dirs(b.cgroup)}")


IS_V2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
NAMES = {"memory": ("memory.max", "memory.limit_in_bytes"), "pids": ("pids.max", "pids.max"), "swap": ("memory.swap.max", "memory.memsw.limit_in_bytes")}


def limit(b, what):
    return value(b, NAMES[what][not IS_V2])


def cpu(b):
    """quota, period"""
    return value(b, "cpu.max").split() if IS_V2 else [value(b, "cpu.cfs_quota_us"), value(b, "cpu.cfs_period_us")]


def running(rt, **resources):
    b = rt.bundle("sleep", "1000")
    b.config["linux"]["resources"].update(resources)
    b.write()
    rt.create(b)
    rt.call("start", b.id)
    return b


@each
def test_update_by_flags(rt):
    b = running(rt, memory={"limit": 64 << 20}, pids={"limit": 100}, cpu={"quota": 50000, "period": 100000})
    rt.call("update", "--memory", "48m" if rt.name != "crun" else str(48 << 20), "--pids-limit", "50", b.id)
    eq((limit(b, "memory"), limit(b, "pids"), cpu(b)), (str(48 << 20), "50", ["50000", "100000"]))
    rt.call("update", "--cpu-quota", "20000", b.id)
    eq((cpu(b), limit(b, "memory")), (["20000", "100000"], str(48 << 20)))
    # crun and runc forget the one when they are told the other
    if rt.is_kiln:
        rt.call("update", "--cpu-period", "50000", b.id)
        eq(cpu(b), ["20000", "50000"])
        rt.call("update", "--cpu-period", "1000", "--cpu-quota", "1000", b.id)
        eq(cpu(b), ["1000", "1000"])
        rt.call("update", "--cpu-period", "100000", "--cpu-quota", "100000", b.id)
        eq(cpu(b), ["100000", "100000"])
        rt.call("update", "--cpuset-cpus", "0", "--cpu-share", "512", b.id)
        eq((value(b, "cpuset.cpus"), value(b, "cpu.weight" if IS_V2 else "cpu.shares")), ("0", "20" if IS_V2 else "512"))
        rt.call("update", "--pids-limit", "-1", b.id)
        eq(limit(b, "pids"), "max")


@each
def test_update_by_a_document(rt):
    b = running(rt, memory={"limit": 64 << 20}, pids={"limit": 100})
    path = b.dir + "/resources.json"
    with open(path, "w") as f:
        json.dump({"memory": {"limit": 48 << 20}, "pids": {"limit": 60}, "cpu": {"quota": 30000, "period": 60000}}, f)
    rt.call("update", "--resources", path, b.id)
    eq((limit(b, "memory"), limit(b, "pids"), cpu(b)), (str(48 << 20), "60", ["30000", "60000"]))
    # as dockerd sends it: what is 0 is not asked for
    text = json.dumps({"memory": {"limit": 32 << 20, "reservation": 0, "kernel": 0}, "cpu": {"shares": 0, "quota": 0, "period": 0}, "blockIO": {"weight": 0}})
    r, w = os.pipe()
    os.write(w, text.encode())
    os.close(w)
    rt.call("update", "-r", "-", b.id, stdin=r)
    os.close(r)
    eq((limit(b, "memory"), cpu(b)[1]), (str(32 << 20), "60000"))
    if rt.is_kiln:
        eq((limit(b, "pids"), cpu(b)), ("60", ["30000", "60000"]))
        with open(path, "w") as f:
            json.dump({"memory": {"limit": "1"}}, f)
        has(rt.fails("update", "-r", path, b.id), "memory.limit")


@each
def test_update_that_the_kernel_refuses_changes_nothing(rt):
    if not rt.is_kiln:
        return
    b = running(rt, memory={"limit": 64 << 20}, pids={"limit": 100}, cpu={"quota": 50000, "period": 100000})
    for args, words in ((("--cpuset-cpus", "4000"), "cpuset.cpus"), (("--cpu-quota", "1"), "cpu"), (("--cpu-share", "-1"), "--cpu-share"),
                        (("--memory", "x"), "memory"), (("--kernel-memory", "1m"), "kernel-memory")):
        has(rt.fails("update", "--pids-limit", "50", "--memory", "48m", *args, b.id), words)
        eq((args, limit(b, "pids"), limit(b, "memory"), cpu(b)), (args, "100", str(64 << 20), ["50000", "100000"]))
    rt.fails("update", "--memory", "48m", "nosuch")
    rt.call("kill", b.id, "KILL")
    rt.wait_stopped(b)
    has(rt.fails("update", "--memory", "48m", b.id), "not running")


@each
def test_update_keeps_devices(rt):
    """CVE-class: an update that sets the device rules anew opens or closes what was asked for."""
    b = rt.bundle("sleep", "1000")
    for names in b.config["process"]["capabilities"].values():
        names.append("CAP_MKNOD")
    b.write()
    rt.create(b)
    rt.call("start", b.id)
    look = ("exec", b.id, "sh", "-c", "test -e /tmp/kmsg || mknod /tmp/kmsg c 1 11; head -c 1 /dev/zero > /dev/null && ! head -c 1 /tmp/kmsg 2> /dev/null")
    rt.call(*look)
    rt.call("update", "--pids-limit", "50", b.id)
    rt.call(*look)


@each
def test_memory_and_swap_go_both_ways(rt):
    b = running(rt, memory={"limit": 32 << 20, "swap": 32 << 20})
    try:
        limit(b, "swap")
    except Failed:
        return                  # a kernel that does not count it
    for memory, swap in ((64 << 20, 96 << 20), (16 << 20, 16 << 20), (128 << 20, 128 << 20)):
        rt.call("update", "--memory", str(memory), "--memory-swap", str(swap), b.id)
        eq((limit(b, "memory"), limit(b, "swap")), (str(memory), str(swap - memory if IS_V2 else swap)))
