# SPDX-License-Identifier: Apache-2.0
"""The kernel's own surface: system calls, control groups, files of /proc and /sys, devices, sockets that have no file."""
import contextlib
import os
import re
import shutil
import socket
import subprocess

import harness
from harness import Failed, block_device, eventually
from security import Broken, attack, broken, inside


@attack("SECCOMP")
def test_system_calls(f):
    """CVE-2026-31431 (AF_ALG), CVE-2022-0185, CVE-2023-0386, CVE-2024-1086 and their like begin with a call that a container does
    not need: tried by a user and by root, in all the ways in which this machine can be called."""
    for user in ("", "user"):
        with f.running(["sleep", "1000"]) as box:
            for run in (f.run(["/attacker", "calls"], user=user), box.exec(["/attacker", "calls"], user=user)):
                lines = [line.split() for line in run.out.splitlines()]
                # ENOSYS: newer than all that the profile names, or the machine has no x32; signal-11: it has no i386
                broken([x for x in lines if x[-1] not in ("EPERM", "ENOSYS", "signal-11", "signal-31")], f"calls that a container does not need: {run}")
                if len(lines) < 16 or ["native", "keyctl", "EPERM"] not in lines:
                    raise Failed(run)


@attack("SECCOMP_BOUNDED", fronts="bundle")
def test_profile_that_multiplies(f):
    """A seccomp profile of some kilobytes with which libseccomp is busy for hours, as root; with another it writes behind its memory."""
    rules = [{"names": ["socket", "read", "write", "open"], "action": "SCMP_ACT_ERRNO",
              "args": [{"index": j, "value": i * 31 + j, "op": "SCMP_CMP_MASKED_EQ", "valueTwo": i} for j in range(6)]} for i in range(300)]
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], "syscalls": rules}
    try:
        run = f.run(["true"], more={"seccomp": profile}, timeout=3 if f.is_weak else 60)
    except subprocess.TimeoutExpired:
        raise Broken("the runtime does not come to an end") from None
    if "too many rules with conditions" not in run.refused:
        raise Failed(run)


@attack("CGROUP_NAMESPACE", "CGROUP_READONLY", fronts="kilnd bundle")
def test_control_groups(f):
    """CVE-2022-0492, CVE-2023-25809: release_agent, and groups that the container could write to."""
    run = f.run(["sh", "-c", "cat /proc/self/cgroup; find /sys/fs/cgroup -name release_agent; "
                 "for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $d/made && echo written $d; done 2>&1; "
                 "for f in $(find /sys/fs/cgroup -name cgroup.procs); do (echo $$ >$f) 2>/dev/null && echo written $f; done; true"])
    broken(re.search(r"^\d+:[^:]*:/.+", run.out, re.M), f"groups of the host show: {run}")
    broken("release_agent" in run.out, f"release_agent: {run}")
    broken("written" in run.out, f"written to: {run}")
    if ":/" not in run.out:
        raise Failed(run)


HIDDEN = ("/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
          "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware")
READ_ONLY = ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/panic_on_oom", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity",
             "/proc/bus/pci/00", "/proc/fs", "/sys/kernel/uevent_helper", "/sys/kernel/profiling")


@attack("MASKED_PATHS", "READONLY_PATHS")
def test_files_of_the_kernel(f):
    """GHSA-7ww5-4wqc-m92c (powercap), CVE-2018-10892 (/proc/acpi), CVE-2022-0811 and all that end at core_pattern: by a
    container's root, at its start and by exec."""
    script = "; ".join([f"test -d {p} && ls -A {p} | sed 's|^|hidden {p} |' || head -c 1 {p} 2>/dev/null | sed 's|^|hidden {p} |'" for p in HIDDEN] +
                       [f"test -f {p} && (: >>{p}) 2>/dev/null && echo writable {p}" for p in READ_ONLY] + ["echo done"])
    with f.running(["sleep", "1000"]) as box:
        for run in (f.run(["sh", "-c", script]), box.exec(["sh", "-c", script])):
            broken("hidden" in run.out or "writable" in run.out, f"files of the kernel: {run}")
            if run.out != "done\n":
                raise Failed(run)


@attack("DEVICES", fronts="kilnd bundle")
def test_devices(f):
    """A node for a disk of the host, made by the container itself, and one that its image brings."""
    path, numbers = block_device()
    major, minor = numbers.split(":")
    run = f.run(["sh", "-c", f"mknod /disk b {major} {minor} && /attacker open /disk; mknod /mem c 1 1; mknod /kmsg c 1 11; mknod /loop c 10 237; "
                 "/attacker open /mem /kmsg /loop"])
    broken("read" in run.out.replace("read-only", "") or "writable" in run.out, f"{path} of the host is open: {run}")
    if run.out.count("EPERM") < 3:
        raise Failed(run)


@attack(because="no code makes the name of such a socket: listeners are bound in directories by descriptor (base/fd_msg.c)")
def test_sockets_without_a_file(f):
    """CVE-2020-15257: a container on the host's network looks for sockets of Kiln without a file, which no directory protects."""
    with f.running(["sleep", "1000"], host={"NetworkMode": "host"}) as box, socket.socket(socket.AF_UNIX) as bait:
        bait.bind(f"\0kiln-bait-{os.getpid()}")
        names = [line.split()[6:] + [line.split()[7]] for line in box.exec(["cat", "/proc/net/unix"]).out.splitlines()[1:] if len(line.split()) > 7]
        abstract = {inode for inode, name, _ in names if name.startswith("@")}
        if str(os.fstat(bait.fileno()).st_ino) not in abstract:
            raise Failed(f"the bait is not seen: {names}")
        for pid in [f.k.proc.pid, *f.k.launcher_pids(), *harness.descendants_of(f.k.launcher_pid())]:
            with contextlib.suppress(OSError):
                links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
                broken([x for x in links if x.startswith("socket:") and x[8:-1] in abstract], f"process {pid} has an abstract socket")


@attack("SYSCTL_OWNER", fronts="kilnd bundle")
def test_controls_of_the_host(f):
    """CVE-2022-0811, CVE-2022-0532: controls of the host, by name and by what is put into a value."""
    with open("/proc/sys/kernel/printk_ratelimit_burst", encoding="ascii") as now:
        burst = now.read().strip()   # set to what it is: harmless, if it gets through
    for key, value in (("kernel.printk_ratelimit_burst", burst), ("kernel/printk_ratelimit_burst", burst), ("kernel.shm_rmid_forced.../printk_ratelimit_burst", burst),
                       ("net.../kernel/printk_ratelimit_burst", burst), ("net.ipv4.../../kernel.printk_ratelimit_burst", burst)):
        run = f.run(["true"], host={"Sysctls": {key: value}})
        broken(not run.refused, f"{key} was set")
    injected = "1+kernel.domainname=owned\nkernel.domainname=owned"
    run = f.run(["cat", "/proc/sys/kernel/domainname"], host={"Sysctls": {"kernel.shm_rmid_forced": injected}})
    broken(not run.refused or "owned" in run.out, f"a value brought another control with it: {run}")
    with open("/proc/sys/kernel/domainname", encoding="ascii") as now:
        broken("owned" in now.read(), "a control of the host was set")


@attack("CGROUP_FIRST")
def test_control_groups_are_joined_before_the_program(f):
    """CVE-2025-47291: a program that runs before it is in its control group has no limits: also with all that it starts at once."""
    with f.running(["sh", "-c", "sleep 1000 & sleep 1001 & wait"], host={"Memory": 64 << 20, "PidsLimit": 50}) as box:
        box.begin(["sh", "-c", "sleep 1002 & sleep 1003"])
        pids = eventually("all of them run", lambda: (lambda p: p if len(p) >= 5 else None)([box.pid, *inside(box.pid)]))
        for pid in pids:
            with open(f"/proc/{pid}/cgroup", encoding="ascii") as groups:
                text = groups.read()
            broken(not all(box.id in line for line in text.splitlines() if re.search(":(memory|pids):|^0::", line)), f"process {pid}: {text}")


# What the root of a user namespace may try with CAP_SYS_ADMIN in it; the last lines tell what has become of it.
LIFT = r"""
mkdir -p /tmp/p /tmp/b /tmp/r
for flag in rw dev suid exec; do mount -o remount,bind,$flag /m; done; umount /m; umount -l /m
unshare -m sh -c 'umount /proc/interrupts; mount -o remount,bind,rw /m; echo nested >/m/new; cat /proc/interrupts'
for each in /proc/interrupts /proc/sys /proc /sys/firmware; do umount $each; umount -l $each; done
mount -t proc proc /tmp/p; mount --bind /proc /tmp/b; mount --rbind / /tmp/r; umount -l /tmp/r/proc/interrupts; umount -l /tmp/r/proc
cat /proc/interrupts /tmp/p/interrupts /tmp/b/interrupts /tmp/r/proc/interrupts
echo owned >/m/new
mount -t tmpfs x /opt && echo mounted; id -u; grep -c ' /m ro,nosuid,nodev,noexec' /proc/self/mountinfo
"""


@attack("USERS_LOCKED", fronts="bundle")
def test_flags_of_a_bind_in_a_user_namespace(f):
    """Root of a user namespace makes a bind of the host writable that was given to it read-only, and looks behind what is masked: with CAP_SYS_ADMIN there, and as the same number outside."""
    ids = [{"containerID": 0, "hostID": 0, "size": 65536}]
    kinds = ("pid", "mount", "ipc", "uts", "network", "cgroup", "user")
    options = {"mounts": [("/m", "bind", f.marker, ["bind", "ro", "nosuid", "nodev", "noexec"]), ("/opt", "tmpfs", "tmpfs", [])],
               "more": {"namespaces": [{"type": t} for t in kinds], "uidMappings": ids, "gidMappings": ids}}

    def check(out, err, mounted):
        broken(os.path.exists(f.marker + "/new"), "its bind was made writable")
        if ["mounted"] * mounted + ["0", "1"] != out.splitlines():
            broken("0" in out.splitlines() or ":" in out, f"a flag was lifted, or a mask: {out!r}")
            raise Failed(out, err)
    for caps in ([], ["SYS_ADMIN"]):
        run = f.run(["sh", "-c", LIFT], caps=caps, **options)
        check(run.out, run.err + run.refused, bool(caps))
    with f.running(["sleep", "1000"], **options) as box:
        p = f.command("exec", "--cap", "CAP_SYS_ADMIN", box.id, "sh", "-c", LIFT)
        check(p.stdout, p.stderr, True)


@attack("CALLERS_GROUP", fronts="bundle")
def test_groups_of_a_caller_without_root(f):
    """In a container of an ordinary user, made without a control group, root makes groups below that of its caller, which the user may (CVE-2023-25809)."""
    user = 4321
    shown = "/sys/fs/cgroup" + ("" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "/pids")
    group = f"{shown}/{os.path.basename(f.dir)}"
    kinds = ("pid", "mount", "ipc", "uts", "network", "user")
    ids = [{"containerID": 0, "hostID": user, "size": 1}]
    path, cid = f.bundle(["sh", "-c", f"id -u; mkdir {shown}/below"], without=("/sys/fs/cgroup", "/dev/pts"), mounts=[("/sys/fs/cgroup/", "cgroup", "cgroup", ["nosuid"])],
                         more={"namespaces": [{"type": t} for t in kinds], "uidMappings": ids, "gidMappings": ids, "cgroupsPath": "/elsewhere"})
    for at, _, _ in os.walk(f.image()):
        os.chown(at, user, user)
    program = shutil.copy(f.runtime, f.dir)
    os.mkdir(f.dir + "/users", 0o700)
    for place, mode in ((f.dir, 0o711), (path, 0o755), *([(os.path.dirname(f.switches.path), 0o711)] if f.switches else [])):
        os.chmod(place, mode)
    os.mkdir(group)
    try:
        for place in (f.dir + "/users", group, group + "/cgroup.procs"):
            os.chown(place, user, user)
        line = f"echo 0 > {group}/cgroup.procs; exec setpriv --reuid {user} --regid {user} --clear-groups {program} --root {f.dir}/users/root run --bundle {path} {cid}"
        p = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30, check=False, env=f.env, stdin=subprocess.DEVNULL)
        broken(os.path.exists(group + "/below"), "a group was made below that of the caller")
        if p.stdout != "0\n" or "Read-only" not in p.stderr:
            raise Failed(p.stdout, p.stderr)
    finally:
        for place in (group + "/below", group):
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(place)
