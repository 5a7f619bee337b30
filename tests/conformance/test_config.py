# SPDX-License-Identifier: Apache-2.0
"""What config.json may ask for besides the common: processors, priorities, personality, memory policy, clocks, mount options."""
import ctypes
import json
import os
import re
import subprocess

import harness
from contract import each
from harness import Failed, Skip, eq, eventually, has
from ociruntime import PATHS, Runtime

IOPRIO_GET = {"x86_64": 252, "aarch64": 31}.get(os.uname().machine)


def only_kiln(fn):
    """The others are too old for it here."""
    def test(rt):
        if rt.is_kiln:
            fn(rt)
    test.__name__, test.__doc__, test.__module__ = fn.__name__, fn.__doc__, fn.__module__
    return each(test)


def started(rt, b):
    pid = rt.create(b)
    rt.call("start", b.id)
    return pid


@only_kiln
def test_scheduler_and_io_priority(rt):
    b = rt.bundle("sleep", "1000")
    for scheduler, policy, nice in (({"policy": "SCHED_BATCH", "nice": 7}, os.SCHED_BATCH, 7), ({"policy": "SCHED_IDLE"}, os.SCHED_IDLE, 0),
                                    ({"policy": "SCHED_OTHER", "nice": -3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, -3)):
        b.config["process"].update(scheduler=scheduler, ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 6})
        b.write()
        pid = started(rt, b)
        eq((os.sched_getscheduler(pid), os.getpriority(os.PRIO_PROCESS, pid)), (policy, nice))
        if IOPRIO_GET:
            eq(ctypes.CDLL(None).syscall(IOPRIO_GET, 1, pid), 2 << 13 | 6)
        rt.call("delete", "--force", b.id)
    # without a limit of real time in its group the kernel says no, by the name of what was asked for
    b.config["process"]["scheduler"] = {"policy": "SCHED_DEADLINE", "runtime": 1}
    b.write()
    has(rt.fails("create", "--bundle", b.dir, b.id), "process.scheduler: set SCHED_DEADLINE")
    eq(rt.ids(), [])


@only_kiln
def test_processors_of_an_exec(rt):
    cpus = sorted(os.sched_getaffinity(0))
    b = rt.bundle("sleep", "1000")
    b.config["process"]["execCPUAffinity"] = {"initial": str(cpus[0]), "final": str(cpus[-1])}
    b.write()
    pid = started(rt, b)
    eq(sorted(os.sched_getaffinity(pid)), cpus)
    for _ in range(2):      # the one before does not count
        eq(rt.call("exec", b.id, "grep", "Cpus_allowed_list", "/proc/self/status").out.split()[1], str(cpus[-1]))
    b.config["process"]["execCPUAffinity"] = {"final": "8000"}
    other = rt.bundle("sleep", "1000")
    other.config["process"]["execCPUAffinity"] = {"final": "8000"}
    other.write()
    started(rt, other)
    has(rt.fails("exec", other.id, "true"), "process.execCPUAffinity.final")


@each
def test_personality(rt):
    b = rt.bundle("sh", "-c", "busybox uname -m > /tmp/machine; sleep 1000")
    machine = os.uname().machine
    if machine != "x86_64" or rt.name == "runc":        # 1.1 does not know it
        return
    b.config["linux"]["personality"] = {"domain": "LINUX32"}
    b.write("sh", "-c", "busybox uname -m")
    p = rt.call("run", "--bundle", b.dir, b.id)
    eq(p.out, "i686\n")
    b.write("sleep", "1000")
    started(rt, b)
    if rt.is_kiln:
        eq(rt.call("exec", b.id, "busybox", "uname", "-m").out, "i686\n")


@only_kiln
def test_memory_policy(rt):
    """Set, or refused by the name of it where the kernel knows no nodes."""
    b = rt.bundle("sh", "-c", "cat /proc/self/numa_maps | head -1")
    b.config["linux"]["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}
    b.write()
    p = rt.call("run", "--bundle", b.dir, b.id, code=None)
    if os.path.exists("/proc/self/numa_maps"):
        eq((p.returncode, "bind=static:0" in p.out), (0, True), p.out + p.err)
    else:
        has(p.err, "linux.memoryPolicy: set it: function not implemented")
    b.config["linux"]["memoryPolicy"]["nodes"] = "1000"
    b.write()
    has(rt.fails("run", "--bundle", b.dir, b.id), "linux.memoryPolicy")
    eq(rt.ids(), [])


@only_kiln
def test_what_means_nothing_is_refused_before_anything_is_made(rt):
    for where, key, value, words in (("process", "scheduler", {"policy": "x"}, "process.scheduler: policy"),
                                     ("process", "ioPriority", {"class": "x"}, "process.ioPriority: class"),
                                     ("process", "execCPUAffinity", {"initial": "a"}, "process.execCPUAffinity: initial"),
                                     ("linux", "personality", {"domain": "x"}, "linux.personality: domain"),
                                     ("linux", "memoryPolicy", {"mode": "x"}, "linux.memoryPolicy: mode")):
        b = rt.bundle("true")
        b.config[where][key] = value
        b.write()
        has(rt.fails("create", "--bundle", b.dir, b.id), words)
        eq(rt.ids(), [])
        if any(os.path.exists(f"/sys/fs/cgroup/{d}{b.cgroup}") for d in os.listdir("/sys/fs/cgroup")):
            raise Failed("a group was made")


@only_kiln
def test_time_namespace(rt):
    """Clocks of its own; an exec has them too; the host's stay."""
    if not os.path.exists("/proc/self/ns/time"):
        raise Skip("this kernel has no time namespaces")
    b = rt.bundle("sh", "-c", "cat /proc/uptime > /tmp/uptime; readlink /proc/self/ns/time > /tmp/ns; sleep 1000")
    b.config["linux"]["namespaces"].append({"type": "time"})
    b.config["linux"]["timeOffsets"] = {"boottime": {"secs": 1000000, "nanosecs": 5}, "monotonic": {"secs": 500}}
    b.write()
    pid = started(rt, b)
    eventually("it has written", lambda: os.path.exists(b.rootfs + "/tmp/ns") and os.path.getsize(b.rootfs + "/tmp/ns"))

    def uptime(text):
        return float(text.split()[0])
    with open(b.rootfs + "/tmp/uptime") as f, open("/proc/uptime") as g:
        eq(abs(uptime(f.read()) - uptime(g.read()) - 1000000) < 60, True)
    with open(b.rootfs + "/tmp/ns") as f:
        eq((f.read().strip() == os.readlink("/proc/self/ns/time"), os.readlink(f"/proc/{pid}/ns/time") == os.readlink("/proc/self/ns/time")), (False, False))
    with open(f"/proc/{pid}/timens_offsets") as f:
        eq([line.split() for line in f], [["monotonic", "500", "0"], ["boottime", "1000000", "5"]])
    eq(rt.call("exec", b.id, "readlink", "/proc/self/ns/time").out.strip(), os.readlink(f"/proc/{pid}/ns/time"))
    # by path
    other = rt.bundle("sh", "-c", "readlink /proc/self/ns/time")
    other.config["linux"]["namespaces"].append({"type": "time", "path": f"/proc/{pid}/ns/time"})
    other.write()
    eq(rt.call("run", "--bundle", other.dir, other.id).out.strip(), os.readlink(f"/proc/{pid}/ns/time"))
    other.config["linux"]["timeOffsets"] = {"boottime": {"secs": 1}}
    other.write()
    has(rt.fails("run", "--bundle", other.dir, other.id), "linux.timeOffsets: they need a time namespace")
    b.config["linux"]["timeOffsets"] = {"realtime": {"secs": 1}}
    b.write()
    has(rt.fails("create", "--bundle", b.dir, "x"), "linux.timeOffsets: 'realtime'")


def fill(b):
    """/data of the image: a file with an owner, a directory, links, and what is not copied."""
    data = b.rootfs + "/data"
    os.makedirs(data + "/dir/deep")
    for path, text in (("file", "text"), ("dir/deep/other", "x" * 100000)):
        with open(f"{data}/{path}", "w") as f:
            f.write(text)
    os.chown(data + "/file", 5, 6)
    os.chmod(data + "/file", 0o4750)
    os.chmod(data + "/dir", 0o711)
    os.chmod(data, 0o1777)
    os.symlink("/etc/passwd", data + "/link")
    os.symlink("dir", data + "/dirlink")
    os.mkfifo(data + "/fifo")
    return data


@each
def test_tmpcopyup(rt):
    """A tmpfs begins with what the image has at its place, which does not change."""
    b = rt.bundle()
    os.symlink("busybox", b.rootfs + "/bin/find")
    data = fill(b)
    if rt.name == "runc":       # fails of it
        os.unlink(data + "/fifo")
    b.config["mounts"].append({"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "size=1m", "tmpcopyup"]})
    b.write("sh", "-c", "cd /data; stat -c '%a %u:%g %s' . file dir | cut -d' ' -f1,2; readlink link; readlink dirlink; wc -c < dir/deep/other; echo new > new && echo more >> file; "
            "stat -f -c %T .; ls | wc -l; test -e fifo; echo $?")
    for applet in ("cut",):
        os.symlink("busybox", f"{b.rootfs}/bin/{applet}")
    out = rt.call("run", "--bundle", b.dir, b.id).out.split("\n")[:-1]
    # the directory's own mode is kept by some
    eq(out[1:-2], ["4750 5:6", "711 0:0", "/etc/passwd", "dir", "100000", "tmpfs"])
    eq(out[-1], "1" if rt.name != "crun" else out[-1])
    if rt.is_kiln:
        eq(out[0], "1777 0:0")
    with open(data + "/file") as f:
        eq((f.read(), os.path.exists(data + "/new")), ("text", False))


@only_kiln
def test_tmpcopyup_of_hostile_trees(rt):
    """What does not fit is told; a read-only one is filled first; too deep is refused; it is for a tmpfs only."""
    b = rt.bundle("sh", "-c", "wc -c < /data/dir/deep/other; echo x > /data/new 2> /dev/null; echo $?")
    fill(b)
    mount = {"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["ro", "tmpcopyup", "mode=700"]}
    b.config["mounts"].append(mount)
    b.write()
    eq(rt.call("run", "--bundle", b.dir, b.id).out, "100000\n1\n")
    mount["options"] = ["size=4k", "tmpcopyup"]
    b.write()
    has(rt.fails("run", "--bundle", b.dir, b.id), "copy '/data' into its tmpfs")
    mount["options"] = ["tmpcopyup"]
    deep = b.rootfs + "/data"
    for _ in range(70):
        deep += "/d"
        os.mkdir(deep)
    b.write()
    has(rt.fails("run", "--bundle", b.dir, b.id), "too many levels")
    mount.update(type="bind", source="/tmp", options=["bind", "tmpcopyup"])
    b.write()
    has(rt.fails("run", "--bundle", b.dir, b.id), "tmpcopyup")
    eq(rt.ids(), [])


@each
def test_mount_options_of_the_file_system(rt):
    """They are the file system's; on a bind the kernel passes over them."""
    if rt.name == "crun":
        return
    b = rt.bundle("sh", "-c", "grep -E ' /(t|b) ' /proc/self/mounts | sort")
    b.config["mounts"] += [{"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["sync", "dirsync", "silent", "norelatime", "ro"]},
                           {"destination": "/b", "type": "bind", "source": b.rootfs + "/tmp", "options": ["bind", "sync", "lazytime", "async", "nosuid"]}]
    b.write()
    bind, tmpfs = (line.split()[3].split(",") for line in rt.call("run", "--bundle", b.dir, b.id).out.splitlines())
    eq({"sync", "dirsync", "ro"} <= set(tmpfs), True, tmpfs)
    eq(("nosuid" in bind, "sync" in bind), (True, False), bind)


@only_kiln
def test_mapped_mounts(rt):
    """Files belong to others than on disk, and what is made there to those on disk."""
    b = rt.bundle("sh", "-c", "stat -c %u:%g /m/file /m/other; touch /m/new; stat -c %u:%g /m/new")
    data = b.dir + "/data"
    os.mkdir(data)
    for name, uid, gid in (("file", 1000, 1001), ("other", 7, 7)):
        with open(f"{data}/{name}", "w"):
            os.chown(f"{data}/{name}", uid, gid)
    os.chown(data, 1000, 1000)
    ids = [{"containerID": 1000, "hostID": 0, "size": 10}]
    mount = {"destination": "/m", "type": "bind", "source": data, "options": ["rbind", "idmap"], "uidMappings": ids, "gidMappings": ids}
    b.config["mounts"].append(mount)
    b.write()
    p = rt.call("run", "--bundle", b.dir, b.id, code=None)
    if "cannot be mapped" in p.err:
        raise Skip("the file system of /tmp cannot be mapped")
    # nobody's: what has no mapping
    eq((p.out, p.returncode), ("0:1\n65534:65534\n0:0\n", 0), p.err)
    made = os.stat(data + "/new")
    eq((made.st_uid, made.st_gid, os.stat(data + "/file").st_uid), (1000, 1000, 1000))
    mount["options"] = ["rbind", "ridmap"]
    b.write()
    os.unlink(data + "/new")
    eq(rt.call("run", "--bundle", b.dir, b.id).out, p.out)
    del mount["gidMappings"]
    b.write()
    has(rt.fails("run", "--bundle", b.dir, b.id), "gidMappings")
    eq(rt.ids(), [])


@only_kiln
def test_flags_of_the_filter(rt):
    b = rt.bundle("true")
    b.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"],
                                    "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]}
    b.write()
    out = b.dir + "/calls"
    traced = subprocess.run(["strace", "-f", "-e", "trace=seccomp", "-o", out, harness.RUNTIME, "--root", rt.root, "run", "--bundle", b.dir, b.id],
                            capture_output=True, text=True, timeout=60, check=False)
    eq(traced.returncode, 0, traced.stderr)
    with open(out) as f:
        has(f.read(), "seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG|SECCOMP_FILTER_FLAG_SPEC_ALLOW,")
    b.config["linux"]["seccomp"]["flags"] = ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]
    b.write()
    has(rt.fails("run", "--bundle", b.dir, b.id), "linux.seccomp.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")
    eq(rt.ids(), [])


def forks(rt, *args):
    """How many processes a command makes, with all that those make."""
    out = rt.dir + "/calls"
    traced = subprocess.run(["strace", "-f", "-qq", "-e", "trace=clone,clone3,fork,vfork", "-o", out, harness.RUNTIME, "--root", rt.root, *args],
                            capture_output=True, text=True, timeout=60, check=False)
    eq(traced.returncode, 0, traced.stderr)
    with open(out) as f:
        return sum("resumed" not in line for line in f)


@only_kiln
def test_a_filter_is_compiled_once(rt):
    b = rt.bundle("true")
    b.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]}
    b.write()
    filters, run = rt.root + "/.filters", ("run", "--bundle", b.dir, b.id)
    compiling, cached = forks(rt, *run), forks(rt, *run)
    eq(cached, compiling - 1, "a second run")
    (entry,) = os.listdir(filters)
    eq((oct(os.stat(filters).st_mode & 0o777), oct(os.stat(f"{filters}/{entry}").st_mode & 0o777)), ("0o700", "0o600"))
    eq(rt.call("list", "-q").out, "")
    has(rt.fails("delete", "--force", ".filters"), "invalid container ID")
    with open(f"{filters}/{entry}", "r+b") as f:
        f.seek(100)
        f.write(b"poison")
    eq((forks(rt, *run), forks(rt, *run)), (compiling, cached), "an entry that was altered")
    b.config["linux"]["seccomp"]["flags"] = ["SECCOMP_FILTER_FLAG_LOG"]
    b.write("sleep", "1000")
    rt.create(b)
    eq(len(os.listdir(filters)), 2)
    rt.call("start", b.id)
    execs = [forks(rt, "exec", b.id, "true") for _ in range(2)]
    eq((execs[0], len(os.listdir(filters))), (execs[1], 2), "an exec has the filter of its container")
    rt.call("delete", "--force", b.id)
    b.write("true")
    os.chmod(rt.root, 0o777)
    eq((forks(rt, *run), forks(rt, *run)), (compiling, compiling), "others can write to the root")
    eq(len(os.listdir(filters)), 2)


@each
def test_a_memory_limit_of_one_mebibyte(rt):
    if rt.name == "runc":       # its own process is in the group by then, and takes more
        return
    b = rt.bundle()
    b.config["linux"]["resources"]["memory"] = {"limit": 1 << 20}
    b.write("sh", "-c", "echo here")
    eq(rt.call("run", "--bundle", b.dir, b.id).out, "here\n")


@only_kiln
def test_a_run_takes_no_more_memory_than_crun_s(rt):
    if not PATHS["crun"]:
        raise Skip("crun is not installed")
    with open(os.path.join(harness.ROOT, "contrib/seccomp/default.json")) as f:
        names = [name for rule in json.load(f)["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]]

    def peak(other):
        """Of the largest of the processes that a run makes and waits for; busybox counts in fours."""
        b = other.bundle()
        b.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
                                        "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}]}
        b.write("true")
        run = [*other.program, "--root", other.root, "run", "--bundle", b.dir, b.id]
        at = run.index(PATHS[other.name])
        run[at:at] = ["busybox", "time", "-v"]
        peaks = []
        for _ in range(4):
            p = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
            eq(p.returncode, 0, p.stderr)
            peaks.append(int(re.search(r"Maximum resident set size \(kbytes\): (\d+)", p.stderr)[1]))
        return min(peaks)

    crun = Runtime("crun")
    try:
        theirs = peak(crun)
    finally:
        crun.close()
    ours = peak(rt)
    if ours > theirs:
        raise Failed(f"a run takes {ours}, crun's {theirs}")


@each
def test_relative_destinations_are_below_the_root(rt):
    b = rt.bundle("sh", "-c", "grep -c ' /old/place tmpfs ' /proc/self/mounts")
    b.config["mounts"].append({"destination": "old/place", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]})
    b.write()
    eq(rt.call("run", "--bundle", b.dir, b.id).out, "1\n")
