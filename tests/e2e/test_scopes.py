# SPDX-License-Identifier: Apache-2.0
"""kiln-runtime --systemd-cgroup: control groups that systemd makes, where it is PID 1 (tests/vm)."""
import json
import os
import signal
import subprocess
import time

from harness import Skip, eq, eventually, has
from test_front import kiln

BY_SYSTEMD = ("--systemd-cgroup",)


def need_systemd():
    if not os.path.isdir("/run/systemd/system"):
        raise Skip("PID 1 is not systemd; it is in tests/vm")


def show(unit, *names):
    p = subprocess.run(["systemctl", "show", "-p", ",".join(names), unit], capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in p.stdout.splitlines())


def is_loaded(unit):
    return show(unit, "LoadState")["LoadState"] == "loaded"


def scope_of(b, resources=None, annotations=None, slice="kiln-test.slice"):
    """The bundle's unit and the directory of its control group."""
    b.config["linux"]["cgroupsPath"] = f"{slice}:kt:{b.id}"
    b.config["linux"]["resources"].update(resources or {})
    b.config["annotations"] = annotations or {}
    b.write("sleep", "1000")
    return f"kt-{b.id}.scope", f"/sys/fs/cgroup/kiln.slice/kiln-test.slice/kt-{b.id}.scope"


def read(group, name):
    with open(f"{group}/{name}") as f:
        return f.read().strip()


def test_scopes_have_the_limits_and_keep_them():
    """A scope with Delegate=yes and the program in it, in the slice that is asked for; systemd knows its limits and those of update, and
    what it does not know stays, too, when it writes all it knows again. delete leaves nothing."""
    need_systemd()
    with kiln() as rt:
        b = rt.bundle()
        unit, group = scope_of(b, {"memory": {"limit": 64 << 20, "swap": 64 << 20}, "pids": {"limit": 50},
                                   "cpu": {"quota": 50000, "period": 100000, "shares": 512, "cpus": "0", "burst": 1000}},
                               {"org.systemd.property.TimeoutStopSec": "uint64 7", "org.systemd.property.CollectMode": "'inactive-or-failed'"})
        pid = rt.create(b, globals=BY_SYSTEMD)
        rt.call("start", b.id)
        eq(read(group, "cgroup.procs"), str(pid))
        eq(rt.call("exec", b.id, "cat", "/proc/self/cgroup").out, "0::/\n")
        eq(show(unit, "Delegate", "Slice", "MemoryMax", "MemorySwapMax", "TasksMax", "CPUQuotaPerSecUSec", "AllowedCPUs", "TimeoutStopUSec"),
           {"Delegate": "yes", "Slice": "kiln-test.slice", "MemoryMax": str(64 << 20), "MemorySwapMax": "0", "TasksMax": "50",
            "CPUQuotaPerSecUSec": "500ms", "AllowedCPUs": "0", "TimeoutStopUSec": "7s"})

        def limits():
            return [read(group, n) for n in ("memory.max", "pids.max", "cpu.max", "cpuset.cpus", "cpu.max.burst", "cpu.weight")]

        def survive():
            before = limits()
            subprocess.run(["systemctl", "daemon-reload"], check=True)
            subprocess.run(["systemctl", "set-property", "--runtime", unit, "IOWeight=50"], check=True)   # it writes the group's files again
            eq(limits(), before)

        eq(limits()[:5], [str(64 << 20), "50", "50000 100000", "0", "1000"])
        survive()
        rt.call("update", "--memory", "32m", "--memory-swap", "32m", "--pids-limit", "40", "--cpu-quota", "20000", b.id)
        eq(show(unit, "MemoryMax", "TasksMax", "CPUQuotaPerSecUSec"), {"MemoryMax": str(32 << 20), "TasksMax": "40", "CPUQuotaPerSecUSec": "200ms"})
        eq(limits()[:3], [str(32 << 20), "40", "20000 100000"])
        survive()
        rt.call("delete", "--force", b.id)
        eq((is_loaded(unit), os.path.exists(group)), (False, False))


def test_scopes_of_others_and_of_the_killed():
    """A unit of that name is nobody's to take; one process is enough for a container; whoever is killed leaves what delete takes away."""
    need_systemd()
    with kiln() as rt:
        b = rt.bundle()
        unit, group = scope_of(b, {"pids": {"limit": 1}})
        subprocess.run(["systemd-run", "--scope", "--slice=kiln-test.slice", f"--unit={unit}", "sh", "-c", "sleep 1000 & "], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        has(rt.fails("create", "--bundle", b.dir, b.id, globals=BY_SYSTEMD), f"start '{unit}'")
        eq((is_loaded(unit), rt.ids()), (True, []))
        subprocess.run(["systemctl", "stop", unit], check=True)
        rt.create(b, globals=BY_SYSTEMD)
        rt.call("start", b.id)
        eq((read(group, "pids.max"), show(unit, "TasksMax")["TasksMax"]), ("1", "1"))
        os.kill(rt.state(b.id)["pid"], signal.SIGKILL)
        rt.wait_stopped(b)
        rt.call("delete", b.id)
        eq(is_loaded(unit), False)
        for delay in (0.05, 0.2, 0.4):
            p = rt.popen("create", "--bundle", b.dir, b.id, globals=BY_SYSTEMD, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            p.kill()
            p.wait()
            rt.call("delete", "--force", b.id)
            eventually("its scope is gone", lambda: not is_loaded(unit) and not os.path.exists(group))
        b.config["annotations"] = {"org.systemd.property.Conflicts": "['dbus.service']"}
        b.write()
        has(rt.fails("create", "--bundle", b.dir, b.id, globals=BY_SYSTEMD), "annotations['org.systemd.property.Conflicts']")


def test_scopes_are_refused_by_name():
    """Another form of cgroupsPath, and a machine without systemd."""
    with kiln() as rt:
        b = rt.bundle("true")
        has(rt.fails("run", "--bundle", b.dir, b.id, globals=BY_SYSTEMD), f"linux.cgroupsPath: '{b.cgroup}': expected slice:prefix:name")
        b.config["linux"]["cgroupsPath"] = "a.slice:b:c"
        b.write("true")
        has(rt.fails("run", "--bundle", b.dir, b.id), "linux.cgroupsPath: 'a.slice:b:c': this form is for --systemd-cgroup")
        if not os.path.isdir("/run/systemd/system"):
            has(rt.fails("run", "--bundle", b.dir, b.id, globals=BY_SYSTEMD), "--systemd-cgroup: there is no systemd here")
        eq(json.loads(rt.call("features").out)["linux"]["cgroup"]["systemd"], True)
        eq(rt.ids(), [])
