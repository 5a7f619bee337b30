# SPDX-License-Identifier: Apache-2.0
"""Where a container's control group is, and the limits of block devices and of real time."""
import contextlib
import os
import subprocess
import time

import harness
from harness import Failed, cgroup_dirs, eq, eventually, has
from test_options import cgroup_value, sh
from test_options2 import create, host_config, refused


def group_of(k, cid):
    """Of the program: {controllers: path}, of those that Kiln uses; hugetlb and the like it leaves alone."""
    used = {"", "memory", "pids", "devices", "blkio", "cpuset", "cpu", "cpu,cpuacct", "freezer"}
    with open(f"/proc/{k.inspect(cid)['State']['Pid']}/cgroup") as f:
        return {c: p for c, p in (line.rstrip("\n").split(":", 2)[1:] for line in f) if c in used}


def below(k, path):
    """Which of the hierarchies have the group."""
    return [d for d in cgroup_dirs(path)]


def test_cgroup_parent_relative(k):
    """Below Kiln's own group; made with the first container and gone with the last one."""
    first = k.run("-d", "--cgroup-parent", "tenant/web", "--memory", "64m", "--", "sleep", "1000").stdout.strip()
    second = k.run("-d", "--cgroup-parent", "tenant", "--", "sleep", "1000").stdout.strip()
    for cid, parent in ((first, "tenant/web"), (second, "tenant")):
        for controllers, path in group_of(k, cid).items():
            eq(path, f"{k.cgroup_parent}/{parent}/{cid}", controllers)
    eq(host_config(k, first)["CgroupParent"], "tenant/web")
    eq(k.docker("exec", first, "sh", "-c", "cat /proc/self/cgroup | grep -v systemd | cut -d: -f3 | sort -u").stdout, "/\n")
    k.docker("restart", "-t", "0", first)
    for path in group_of(k, first).values():
        eq(path, f"{k.cgroup_parent}/tenant/web/{first}")
    k.docker("kill", first)
    if not below(k, f"{k.cgroup_parent}/tenant/web"):
        raise Failed("the group above went with the program, not with the container")
    k.docker("rm", "-f", first)
    eq(below(k, f"{k.cgroup_parent}/tenant/web"), [])
    if not below(k, f"{k.cgroup_parent}/tenant/{second}"):
        raise Failed("a group that is in use was removed")
    k.docker("rm", "-f", second)
    eq(below(k, f"{k.cgroup_parent}/tenant"), [])


def test_cgroup_parent_absolute(k):
    """From the root of each hierarchy, as with docker's cgroupfs driver. What somebody else has made stays."""
    parent = f"{k.cgroup_parent}-abs"
    cid = k.run("-d", "--rm", "--cgroup-parent", parent + "/x.slice/", "--", "sleep", "1000", check=False)
    has(cid.stderr, "'x.slice' is systemd's")
    cid = k.run("-d", "--rm", "--cgroup-parent", parent + "/x/", "--", "sleep", "1000").stdout.strip()
    for controllers, path in group_of(k, cid).items():
        eq(path, f"{parent}/x/{cid}", controllers)
    k.docker("rm", "-f", cid)
    eventually("the groups are gone", lambda: not below(k, parent))
    roots = [d[:-len(k.cgroup_parent)] for d in cgroup_dirs(k.cgroup_parent)]
    try:
        for r in roots:
            os.mkdir(r + parent)
        k.run("--rm", "--cgroup-parent", parent + "/x", "--", "true")
        eventually("ours is gone", lambda: not below(k, parent + "/x"))
        eq(sorted(below(k, parent)), sorted(r + parent for r in roots))
    finally:
        for r in roots:
            os.rmdir(r + parent)


def test_cgroup_parent_is_checked(k):
    for bad, why in (("../x", "'..' is no name of a group"), ("/", "it is the root"), ("a" * 150, "it is longer than"),
                     ("x/" + "0" * 64, "a part looks like a container's ID"), ("/system.slice/ssh.service", "'system.slice' is systemd's"),
                     ("a b", "letters, digits")):
        refused(k, "--cgroup-parent", bad, why=why)
    eq(sh(k, "--cgroup-parent", "my.slice", cmd="echo in"), "in\n")   # a name as any other: there is no systemd driver


def test_cgroup_parent_is_found_again(own):
    """By the next kilnd and the next launcher, wherever the group is; of the dead nothing stays."""
    own.start()
    outside = f"{own.cgroup_parent}-out"
    cids = [own.run("-d", "--name", name, "--cgroup-parent", parent, "--", "sleep", "1000").stdout.strip()
            for name, parent in (("in", "deep/er"), ("out", outside), ("dead", "deep/grave"), ("dead2", outside + "/grave"))]
    own.kill9()
    launcher = own.launcher_pid()
    victims = harness.descendants_of(launcher)
    pids = [int(v) for v in victims]
    os.kill(launcher, 9)
    for cid in cids[2:]:
        for pid in pids:
            try:
                with open(f"/proc/{pid}/cgroup") as f:
                    if cid in f.read():
                        os.kill(pid, 9)
            except OSError:
                pass
    own.start()
    eventually("the living are adopted", lambda: [own.state(n)["Running"] for n in ("in", "out")] == [True, True])
    eventually("the dead have ended", lambda: [own.state(n)["Running"] for n in ("dead", "dead2")] == [False, False])
    eq(own.docker("exec", "in", "echo", "here").stdout, "here\n")
    eq(own.docker("exec", "out", "echo", "here").stdout, "here\n")
    eventually("their groups are gone", lambda: not below(own, f"{own.cgroup_parent}/deep/grave/{cids[2]}") and not below(own, f"{outside}/grave/{cids[3]}"))
    own.docker("rm", "-f", "in", "out", "dead", "dead2")
    eventually("nothing is left", lambda: not below(own, outside) and not below(own, own.cgroup_parent + "/deep"))


# ---- block devices ------------------------------------------------------------------------------

def io_warnings(k):
    return [w for w in k.api_json("GET", "/info", want=200)["Warnings"] if "blkio" in w or "io." in w]


def test_option_blkio_throttles(k):
    dev, number = harness.block_device()
    cid = k.run("-d", "--device-read-bps", f"{dev}:1mb", "--device-write-bps", f"{dev}:2mb", "--device-read-iops", f"{dev}:100",
                "--device-write-iops", f"{dev}:200", "--", "sleep", "1000").stdout.strip()
    h = host_config(k, cid)
    eq([h["BlkioDevice" + n] for n in ("ReadBps", "WriteBps", "ReadIOps", "WriteIOps")],
       [[{"Path": dev, "Rate": r}] for r in (1 << 20, 2 << 20, 100, 200)])
    if os.path.exists("/sys/fs/cgroup/blkio"):
        for file, rate in (("read_bps", 1 << 20), ("write_bps", 2 << 20), ("read_iops", 100), ("write_iops", 200)):
            eq(cgroup_value(k, cid, ("blkio", f"blkio.throttle.{file}_device"), "none"), f"{number} {rate}")
    else:
        eq(cgroup_value(k, cid, ("io", "none"), "io.max"), f"{number} rbps={1 << 20} wbps={2 << 20} riops=100 wiops=200")
    eq([w for w in io_warnings(k) if "weight" not in w], [])
    eq(create(k, BlkioDeviceReadBps=[{"Path": dev, "Rate": 1}])["Warnings"], [])
    p = k.run("--rm", "--device-read-bps", "/dev/nosuch-at-all:1mb", "--", "true", check=False)
    has(p.stderr, "stat /dev/nosuch-at-all: no such file or directory")
    p = k.run("--rm", "--device-read-bps", "/dev/null:1mb", "--", "true", check=False)
    has(p.stderr, "'/dev/null': it is no block device")


def test_blkio_throttle_holds(k):
    """Bytes really come more slowly: 1.5 MiB at 1 MiB a second."""
    image = k.dir + "/disk"
    with open(image, "wb") as f:
        f.truncate(8 << 20)
    p = subprocess.run(["losetup", "-f", "--show", "--direct-io=on", image], capture_output=True, text=True)
    if p.returncode != 0:
        raise harness.Skip(f"no loop device: {p.stderr.strip()}")
    dev = p.stdout.strip()
    write = "time -f %e dd if=/dev/zero of=/dev/disk bs=64k count=24 oflag=direct 2>&1"
    try:
        slow = k.run("--rm", "--device", f"{dev}:/dev/disk", "--device-write-bps", f"{dev}:1mb", "--", "sh", "-c", write, check=False).stdout
        took = float(slow.split()[-1])
        if not 0.9 < took < 20:
            raise Failed(f"1.5 MiB took {took} s: {slow}")
    finally:
        subprocess.run(["losetup", "-d", dev], check=True)


def test_option_blkio_weight(k):
    """Set where the kernel can weigh, and dropped with docker's warning where not."""
    dev, number = harness.block_device()
    r = create(k, BlkioWeight=300, BlkioWeightDevice=[{"Path": dev, "Weight": 200}])
    has_weight = not [w for w in io_warnings(k) if "weight" in w]
    h = host_config(k, r["Id"])
    if not has_weight:
        eq(r["Warnings"], ["Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.",
                           "Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded."])
        eq((h["BlkioWeight"], h["BlkioWeightDevice"] or []), (0, []))
        k.docker("start", r["Id"])
        return
    eq((r["Warnings"], h["BlkioWeight"], h["BlkioWeightDevice"]), ([], 300, [{"Path": dev, "Weight": 200}]))
    cid = k.run("-d", "--blkio-weight", "300", "--", "sleep", "1000").stdout.strip()
    if os.path.exists("/sys/fs/cgroup/blkio"):
        eq(cgroup_value(k, cid, ("blkio", "blkio.bfq.weight"), "none"), "300")
    else:
        group = cgroup_dirs(f"{k.cgroup_parent}/{cid}")[0]
        want = "300" if os.path.exists(group + "/io.bfq.weight") else str(1 + 290 * 9999 // 990)
        with open(group + ("/io.bfq.weight" if os.path.exists(group + "/io.bfq.weight") else "/io.weight")) as f:
            eq(f.readline().split(), ["default", want])
    has(create(k, want=400, BlkioWeight=9)["message"], "Range of blkio weight is from 10 to 1000")


# ---- real time ----------------------------------------------------------------------------------

def test_option_cpu_rt(own):
    """Where the kernel has it (v1), kilnd's own share is the limit of all; elsewhere docker's words."""
    own.extra_args = ["--cpu-rt-runtime", "20000"]
    own.start()
    if not os.path.exists("/sys/fs/cgroup/cpu/cpu.rt_runtime_us"):
        refused(own, "--cpu-rt-runtime", "10000", why="Your kernel does not support CPU real-time scheduler")
        refused(own, "--cpu-rt-period", "1000000", why="Your kernel does not support CPU real-time scheduler")
        return
    refused(own, "--cpu-rt-runtime", "2000", "--cpu-rt-period", "1000", why="cpu real-time runtime cannot be higher than cpu real-time period")
    cid = own.run("-d", "--cpu-rt-runtime", "10000", "--", "sleep", "1000").stdout.strip()
    eq(cgroup_value(own, cid, ("cpu", "cpu.rt_runtime_us"), "none"), "10000")
    h = host_config(own, cid)
    eq((h["CpuRealtimePeriod"], h["CpuRealtimeRuntime"]), (0, 10000))
    p = own.run("--rm", "--cpu-rt-runtime", "900000", "--", "true", check=False)
    if p.returncode == 0:
        raise Failed("a container got more real time than all together have")
    has(p.stderr, "cpu.rt_runtime_us")


# ---- groups of others ---------------------------------------------------------------------------

@contextlib.contextmanager
def group_in(parent, name):
    """A group named like a container's, in each hierarchy, with a process in it: (directories, process)."""
    dirs = [os.path.join(d, name) for d in cgroup_dirs(parent)]
    process = subprocess.Popen(["sleep", "1000"])
    try:
        for d in dirs:
            os.mkdir(d)
            with contextlib.suppress(OSError), open(d + "/cgroup.procs", "w") as f:   # v1: not into an empty cpuset
                f.write(str(process.pid))
        yield dirs, process
    finally:
        process.kill()
        process.wait()
        for d in dirs:
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(d)


def restart_and_sweep(k):
    """Returns when the start has cleaned what is ours: what runs is adopted, and a group that no container has is gone."""
    mine = k.run("-d", "--", "sleep", "1000").stdout.strip()
    owner = os.getxattr(below(k, f"{k.cgroup_parent}/{mine}")[0], "trusted.kiln.owner")
    with group_in(k.cgroup_parent, "e" * 64) as (dirs, process):
        for d in dirs:
            os.setxattr(d, "trusted.kiln.owner", owner)
        k.restart()
        eventually("a group of ours is cleaned", lambda: process.poll() is not None and not any(map(os.path.exists, dirs)))
    eq(k.state(mine)["Running"], True)
    k.docker("rm", "-f", mine)


def test_groups_of_another_daemon_are_left_alone(own):
    """One with the same parent, and one with a parent below it, which the walk comes to."""
    own.start()
    for parent in (own.cgroup_parent, own.cgroup_parent + "/inner"):
        other = harness.Kiln()
        try:
            other.cgroup_parent = parent
            other.start()
            theirs = other.run("-d", "--", "sleep", "1000").stdout.strip()
            restart_and_sweep(own)
            eq(other.state(theirs)["Running"], True, parent)
            other.docker("rm", "-f", theirs)
        finally:
            other.cgroup_parent += "/none"   # what is left there is not only its own
            other.close()


def test_groups_of_strangers_are_left_alone(own):
    own.start()
    own.run("--rm", "--", "true")   # makes the parent
    with group_in(own.cgroup_parent, "f" * 64) as (dirs, process):
        restart_and_sweep(own)
        eq((process.poll(), [d for d in dirs if not os.path.exists(d)]), (None, []))
