# SPDX-License-Identifier: Apache-2.0
"""What a container cannot see and do, and what the processes around it may."""
import os
import re
import stat
import subprocess
import time

import harness
from harness import Failed, Skip, cgroup_dirs, eq, eventually, has


def sh(k, *options, cmd, **kw):
    return k.run("--rm", *options, "--", "sh", "-c", cmd, **kw).stdout


def test_six_fresh_namespaces(k):
    out = sh(k, cmd="for n in pid mnt net ipc uts cgroup; do readlink /proc/self/ns/$n; done").splitlines()
    for name, inside in zip(("pid", "mnt", "net", "ipc", "uts", "cgroup"), out):
        if inside == os.readlink(f"/proc/self/ns/{name}"):
            raise Failed(f"the {name} namespace is the host's")
    eq(out[0].split(":")[0], "pid")


def test_limits_in_cgroups(k):
    cid = k.run("-d", "--memory", "64m", "--cpus", "0.5", "--pids-limit", "20", "--cpuset-cpus", "0", "--", "sleep", "1000").stdout.strip()
    pid = k.state(cid)["Pid"]
    with open(f"/proc/{pid}/cgroup") as f:
        lines = f.read().splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("memory", "cpu", "pids", "cpuset", "devices", "freezer") or (controllers == "" and len(lines) == 1):
            eq(path, f"{k.cgroup_parent}/{cid}", controllers)
    k.docker("rm", "-f", cid)
    eventually("cgroups are gone", lambda: not cgroup_dirs(f"{k.cgroup_parent}/{cid}"))


def test_default_seccomp_profile(k):
    has(sh(k, cmd="grep Seccomp: /proc/self/status"), "Seccomp:\t2")
    # keyctl, new user namespaces and mounting are denied by the profile, not only by capabilities
    p = k.run("--rm", "--cap-add", "SYS_ADMIN", "--", "unshare", "-U", "true", check=False)
    p2 = k.run("--rm", "--", "unshare", "-U", "true", check=False)
    if p2.returncode == 0:
        raise Failed("a user namespace was made")
    files = [f for f in os.listdir(k.data_root + "/seccomp")]
    if not files:
        raise Failed("no compiled filter is cached")


def test_masked_and_read_only_paths(k):
    out = sh(k, cmd="cat /proc/kcore | wc -c; ls /proc/acpi /sys/firmware 2>/dev/null | grep -v : | grep -c .; cat /proc/timer_list | wc -c; cat /proc/keys | wc -c")
    eq(out.split(), ["0", "0", "0", "0"])
    p = k.run("--rm", "--", "sh", "-c", "for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/irq/default_smp_affinity /sys/kernel/profiling; do "
              "(echo x >$f) 2>&1; done; mount -o remount,rw /sys 2>&1", check=False)
    text = p.stdout + p.stderr
    if text.count("ead-only") + text.count("denied") + text.count("ermitted") + text.count("No such file") + text.count("nonexistent") < 4:
        raise Failed(text)
    out = sh(k, cmd="grep -E ' (/proc/sys|/proc/sysrq-trigger|/sys|/sys/fs/cgroup) ' /proc/mounts | cut -d' ' -f2,4 | cut -d, -f1")
    for line in out.splitlines():
        if not line.endswith(" ro"):
            raise Failed(line)
    has(out, "/proc/sys ro")
    has(out, "/sys ro")


def test_default_devices(k):
    out = sh(k, cmd="cd /dev; for d in null zero full random urandom tty; do stat -c '%n %t:%T %a %F' $d; done; ls -l ptmx fd stdin stdout stderr | sed 's/.* //' ; ls -d pts shm mqueue; echo x >/dev/null && head -c 2 /dev/zero | wc -c")
    for line in ("null 1:3 666 character special file", "zero 1:5 666", "full 1:7 666", "random 1:8 666", "urandom 1:9 666", "tty 5:0 666"):
        has(out, line)
    has(out, "/proc/self/fd\n")
    p = k.run("--rm", "--cap-add", "MKNOD", "--", "sh", "-c", "mknod /x b 254 0; cat /x 2>&1 | head -c 60", check=False)
    has(p.stdout + p.stderr, "ermitted")   # the device cgroup


def test_etc_files(k):
    cid = k.run("-d", "--hostname", "hh", "--", "sleep", "1000").stdout.strip()
    hosts = k.docker("exec", cid, "cat", "/etc/hosts").stdout
    has(hosts, "127.0.0.1\tlocalhost")
    eq(k.docker("exec", cid, "cat", "/etc/hostname").stdout, "hh\n")
    with open("/etc/resolv.conf") as f:
        host = [l for l in f.read().splitlines() if l.startswith("nameserver") and " 127." not in l]
    inside = k.docker("exec", cid, "cat", "/etc/resolv.conf").stdout
    for l in host:
        has(inside, l)
    k.docker("exec", cid, "sh", "-c", "echo 1.2.3.4 x >>/etc/hosts")   # writable, kept with the container
    has(k.docker("exec", cid, "cat", "/etc/hosts").stdout, "1.2.3.4 x")


def test_nothing_mounted_on_the_host(k):
    def ours():
        with open("/proc/self/mountinfo") as f:
            return [l for l in f if k.dir in l or " overlay " in l]

    before = ours()
    k.run("-d", "--tmpfs", "/x", "-v", "/tmp:/y", "--", "sleep", "1000")
    eq(ours(), before)


def test_no_host_descriptor_inside(k):
    out = sh(k, cmd="for f in /proc/1/fd/* /proc/$$/fd/*; do readlink $f; done; true")
    for line in out.splitlines():
        if not re.match(r"^(pipe:|/dev/null|/dev/pts/)", line):
            raise Failed(f"descriptor {line!r} in a container")


def test_cwd_through_a_descriptor_is_refused(k):
    """CVE-2024-21626: the working directory must be inside the root."""
    for n in range(3, 20):
        p = k.run("--rm", "-w", f"/proc/self/fd/{n}", "--", "cat", "../../../../etc/debian_version", check=False)
        if p.returncode == 0:
            raise Failed(f"fd {n}: read {p.stdout!r} of the host")


def launcher(k):
    pid = k.launcher_pid()
    if not pid:
        raise Failed("no launcher")
    return pid


def monitors(k):
    return [p for p in harness.children_of(launcher(k))]


def status(pid, field):
    with open(f"/proc/{pid}/status") as f:
        return re.search(rf"^{field}:\s*(\S+)", f.read(), re.M)[1]


def test_launcher_is_isolated(k):
    pid = launcher(k)
    if os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt"):
        raise Failed("the launcher is in the host's mount namespace")
    with open(f"/proc/{pid}/mountinfo") as f:
        points = [l.split()[4] for l in f]
    for p in points:
        if not (p in ("/", "/proc") or p.startswith("/sys/fs/cgroup") or p.startswith(k.dir) or p.startswith("/proc/")):
            raise Failed(f"the launcher's namespace has {p}")
    exe = os.readlink(f"/proc/{pid}/exe")
    if exe == harness.BUILD + "/kiln-runtime":
        raise Failed("the launcher runs from the file on disk, not from a sealed copy")


def test_monitor_has_no_capabilities(k):
    cid = k.run("-d", "--", "sleep", "1000").stdout.strip()
    mon = [m for m in monitors(k) if k.state(cid)["Pid"] in harness.children_of(m)]
    eq(len(mon), 1)
    for field in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"):
        eq(int(status(mon[0], field), 16), 0, field)
    if not harness.IS_SANITIZED:
        eq(status(mon[0], "Seccomp"), "2")
    eq(status(mon[0], "NoNewPrivs"), "1")
    for fd in os.listdir(f"/proc/{mon[0]}/fd"):
        target = os.readlink(f"/proc/{mon[0]}/fd/{fd}")
        if "/upper" in target or "/rootfs" in target or "/layers" in target:
            raise Failed(f"the monitor holds {target}")
    with open(f"/proc/{mon[0]}/cgroup") as f:
        if cid in f.read():
            raise Failed("the monitor is in the tenant's cgroup")


def test_kilnd_holds_nothing_of_a_container(k):
    k.run("-d", "--", "sleep", "1000")
    for fd in os.listdir(f"/proc/{k.proc.pid}/fd"):
        try:
            target = os.readlink(f"/proc/{k.proc.pid}/fd/{fd}")
        except OSError:
            continue
        if "/upper" in target or "/rootfs" in target:
            raise Failed(f"kilnd holds {target}")


def traced(k, do, *options):
    """What strace writes of kilnd, the launcher and all that they start, while something is done."""
    out = k.dir + "/strace"
    # One that is made meanwhile is in neither list, and may be who is asked
    eventually("stems are there", lambda: "--stems" in k.extra_args or len(harness.stems_of(launcher(k))) >= 2)
    tracer = subprocess.Popen(["strace", "-f", "-o", out, *options,
                               *[a for p in (k.proc.pid, *harness.starters_of(launcher(k))) for a in ("-p", str(p))]],
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(1.5)
    do()
    time.sleep(0.5)
    tracer.terminate()
    tracer.wait(20)
    with open(out, errors="replace") as f:
        text = f.read()
    if not text:
        raise Skip("strace cannot attach here")
    return text


def n_calls(k, do):
    text = traced(k, do, "-c")
    m = re.search(r"^100\.00\s+\S+\s+(?:\S+\s+)?(\d+)\s+(?:\d+\s+)?total", text, re.M)
    if not m:
        raise Failed(text[-500:])
    return int(m[1]), text


def warm(own):
    """The filter is compiled and cached, the launcher is up."""
    k = own.start()
    k.run("--rm", "--", "true")
    return k


def create_and_start(k, **host):
    cid = k.api_json("POST", "/containers/create", {"Image": "busybox", "Cmd": ["/bin/sleep", "1000"],
                                                    "HostConfig": {"NetworkMode": "none", **host}}, want=201)["Id"]
    eq(k.api("POST", f"/containers/{cid}/start", timeout=60)[0], 204)
    return cid


def exec_true(k, cid):
    x = k.api_json("POST", f"/containers/{cid}/exec", {"Cmd": ["/bin/true"], "AttachStdout": True}, want=201)["Id"]
    eq(k.api("POST", f"/exec/{x}/start", {"Detach": False})[0], 200)
    eq(k.api_json("GET", f"/exec/{x}/json")["ExitCode"], 0)


CHEAP = ["-y", "-e", "trace=execve,execveat,fsync,fdatasync,sync,syncfs,write,clone,clone3,fork,vfork,openat"]


PID_INTO_GROUP = re.compile(r'write\(\d+<[^>]*/(?:cgroup\.procs|tasks)>, "[1-9]\d*')


def check_cheap(text, program, most):
    """One exec of the program, no fsync, no pid in a group's file, and so many of the traced calls at most."""
    lines = text.splitlines()
    # strace breaks a call in two lines when another process comes between.
    begun = {l.split()[0]: l for l in lines if "execve" in l and "<unfinished" in l}
    execs = [begun.get(l.split()[0], "") + l if "resumed" in l else l for l in lines if "execve" in l and "= 0" in l]
    eq(len(execs), 1, f"execs: {execs}")
    has(execs[0], program)
    eq([l for l in lines if re.search(r"\b(fsync|fdatasync|sync|syncfs)\(", l)], [], "fsyncs")
    eq([l for l in lines if PID_INTO_GROUP.search(l)], [], "pids written into cgroup files")
    if os.path.isdir("/sys/fs/cgroup/pids"):     # that it would be seen
        has(text, '/tasks>, "0", 1)')
    if len(lines) > most:
        raise Failed(f"{len(lines)} of the traced calls, {most} at most")


def test_budget_create_start(own):
    """Counts of create + start on a warm daemon: execs, fsyncs, pids in cgroup files, libseccomp builds, calls in all."""
    k = warm(own)
    check_cheap(traced(k, lambda: create_and_start(k, Memory=64 << 20), *CHEAP), "/bin/sleep", 150)


def test_budget_without_limits(own):
    """Who has no limits has nothing of libcgroup's, which reads /proc/mounts for all that it does."""
    k = warm(own)
    text = traced(k, lambda: create_and_start(k), *CHEAP)
    check_cheap(text, "/bin/sleep", 145)
    eq([l for l in text.splitlines() if "/mounts" in l], [])


def test_budget_exec(own):
    k = warm(own)
    cid = create_and_start(k)
    check_cheap(traced(k, lambda: exec_true(k, cid), *CHEAP), "/bin/true", 65)
    n, text = n_calls(k, lambda: exec_true(k, cid))
    if n > 600:   # AppArmor is a few dozen
        raise Failed(f"{n} calls:\n{text}")


def test_budget_total_calls(own):
    """All system calls of kilnd, launcher, monitor and init for one create + start, and of the stem that is made after it."""
    k = warm(own)
    n, text = n_calls(k, lambda: create_and_start(k))
    if n > 1060:
        raise Failed(f"{n} calls:\n{text}")
