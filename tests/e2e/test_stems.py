# SPDX-License-Identifier: Apache-2.0
"""Stems: monitors that the launcher has ready, with fresh namespaces, before anybody asks."""
import contextlib
import os
import shutil
import signal
import subprocess
import time

import harness
from harness import Failed, eq, eventually
from test_break import create, monitor_of, start

RECVMSG = {"x86_64": "47", "aarch64": "212"}[os.uname().machine]
NAMESPACES = ("net", "ipc", "uts", "pid", "mnt", "cgroup")


def namespaces_of(pid):
    return {n: os.readlink(f"/proc/{pid}/ns/{n}") for n in NAMESPACES}


def stems(k):
    """Those that wait for an order: they sleep in the read of their socket."""
    def ready():
        found = harness.stems_of(k.launcher_pid())
        return found if len(found) >= 2 and all(is_waiting(p) for p in found) else None
    return set(eventually("stems are ready", ready))


def is_waiting(pid):
    with open(f"/proc/{pid}/syscall") as f:
        return f.read().split()[0] == RECVMSG


def holders_of(namespace):
    """Processes that are in it, or have it open."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            links = [f"/proc/{pid}/ns/{n}" for n in ("net", "ipc", "uts")] + [f"/proc/{pid}/fd/{f}" for f in os.listdir(f"/proc/{pid}/fd")]
            found |= {pid for link in links if os.readlink(link) == namespace}
        except OSError:
            continue
    return found


def test_a_start_takes_a_stem(own):
    k = own.start()
    seen, ids = [], []
    for _ in range(3):
        ready = stems(k)
        cid = create(k, ["sh", "-c", "hostname; cat /sys/class/net/lo/flags; sleep 1000"], Hostname=f"host{len(seen)}")
        start(k, cid)
        if monitor_of(k, cid) not in ready:
            raise Failed("the monitor is none of the stems")
        eventually("its output", lambda cid=cid: k.docker("logs", cid).stdout.splitlines() == [f"host{len(seen)}", "0x9"])
        seen.append(namespaces_of(k.state(cid)["Pid"]))
        ids.append(cid)
    for n in NAMESPACES:
        eq(len({ns[n] for ns in seen} | {os.readlink(f"/proc/self/ns/{n}")}), 4, f"{n} namespaces")
    # it has them from its monitor, who keeps none; the next stem knows nothing of them
    stems(k)
    for cid, ns in zip(ids, seen):
        for n in ("net", "ipc", "uts"):
            eq(holders_of(ns[n]), {str(k.state(cid)["Pid"])}, f"holders of its {n} namespace")
        k.docker("rm", "-f", cid)


def test_an_exec_takes_a_stem(own):
    k = own.start()
    cid = create(k, ["sleep", "1000"])
    start(k, cid)
    ready = stems(k)
    eq(k.docker("exec", cid, "echo", "hello").stdout, "hello\n")
    eventually("one was taken", lambda: len(ready & set(harness.stems_of(k.launcher_pid()))) < len(ready))


def test_what_shares_the_hosts_namespaces_shares_them(own):
    k = own.start()
    stems(k)
    cid = create(k, ["sleep", "1000"], host={"NetworkMode": "host", "IpcMode": "host", "UTSMode": "host"})
    start(k, cid)
    ns = namespaces_of(k.state(cid)["Pid"])
    for n in ("net", "ipc", "uts"):
        eq(ns[n], os.readlink(f"/proc/self/ns/{n}"))


def test_the_rehearsed_filter_is_that_of_a_container(own):
    """Compiling it is a start's largest part: the launcher has it before the first one asks."""
    k = own.start()
    stems(k)
    kept = os.listdir(k.data_root + "/seccomp")
    k.run("--rm", "--", "true")
    eq((len(kept), os.listdir(k.data_root + "/seccomp")), (1, kept))


def end_stems(k):
    k.extra_args = [*k.extra_args, "--stems", "0"]
    k.restart()
    eventually("no stems", lambda: not any(map(harness.stems_of, k.launcher_pids())))


def test_how_many_there_may_be_is_changed_by_a_restart(own):
    """The launcher, which lives on, would know of nothing: another takes its place, and the containers run on."""
    k = own.start()
    cid = k.run("-d", "--", "sleep", "1000").stdout.strip()
    pid = k.state(cid)["Pid"]
    stems(k)
    end_stems(k)
    eq(k.state(cid)["Pid"], pid)
    eq(k.docker("exec", cid, "echo", "hello").stdout, "hello\n")
    eq(k.run("--rm", "--", "echo", "hello").stdout, "hello\n")
    eq([p for launcher in k.launcher_pids() for p in harness.stems_of(launcher)], [])


def mounts_of(k, **host):
    """What a container has mounted: where, options, type, source and the file system's options. And whether a stem was there for it."""
    cid = create(k, ["sleep", "1000"], host=host)
    ready = harness.stems_of(k.launcher_pid()) and stems(k)
    start(k, cid)
    with open(f"/proc/{k.state(cid)['Pid']}/mountinfo") as f:
        rows = [line.replace(cid, "ID").split() for line in f]
    took = monitor_of(k, cid) in ready
    k.docker("rm", "-f", cid)
    return sorted([row[4:] for row in rows if row[4] != "/" and "/etc/" not in row[4]]), took


def test_mounts_are_the_same_with_a_stem_and_without(own):
    """A stem has sysfs and mqueue ready: with the options that this container is to have."""
    hosts = {}, {"Privileged": True}, {"ReadonlyRootfs": True}, {"IpcMode": "host"}, {"NetworkMode": "host"}
    k = own.start()
    stems(k)
    had = [mounts_of(k, **h) for h in hosts]
    eq([taken for _, taken in had], [True] * len(hosts))
    end_stems(k)
    for h, (mounts, _) in zip(hosts, had):
        eq(mounts, mounts_of(k, **h)[0], h)
        if not any("sysfs" in m for m in mounts) or not any("mqueue" in m for m in mounts):
            raise Failed(f"{h}: no sysfs or no mqueue: {mounts}")


def check_policies(own, want, *wrapper):
    own.wrapper = list(wrapper)
    k = own.start()
    stems(k)
    cid = k.run("-d", "--", "sleep", "1000").stdout.strip()
    stems(k)
    k.docker("exec", "-d", cid, "sleep", "1001")
    stems(k)
    programs = [p for monitor in harness.children_of(k.launcher_pid()) for p in harness.all_children_of(monitor)]
    eq(len(programs), 2)
    eq({os.sched_getscheduler(p) for p in programs}, {want})


def test_nobody_stays_idle(own):
    """A stem rehearses as SCHED_IDLE, and comes back from it before it gets an order."""
    check_policies(own, os.SCHED_OTHER)


def test_nobody_stays_idle_without_the_power_to_come_back(own):
    check_policies(own, os.SCHED_OTHER, "setpriv", "--bounding-set", "-sys_nice", "--inh-caps", "-sys_nice")


def test_a_policy_of_kilnd_s_own_is_kept(own):
    check_policies(own, os.SCHED_BATCH, "chrt", "-b", "0")


def test_stems_may_be_killed(own):
    k = own.start()
    for p in stems(k):
        os.kill(p, signal.SIGKILL)
    cid = create(k, ["sleep", "1000"])
    start(k, cid)
    eq(k.state(cid)["Running"], True)
    stems(k)


def test_stems_are_bounded_and_end_with_their_launcher(own):
    own.extra_args = ["--stems", "2"]
    k = own.start()
    stems(k)
    for _ in range(10):
        cids = [create(k, ["sleep", "1000"]) for _ in range(3)]
        for cid in cids:
            start(k, cid)
        for cid in cids:
            eq(k.api("DELETE", f"/containers/{cid}?force=1")[0], 204)
        if len(harness.stems_of(k.launcher_pid())) > 4:
            raise Failed("more than two of a kind")
    old = stems(k)
    os.kill(k.launcher_pid(), signal.SIGKILL)
    eventually("they end with their launcher", lambda: not any(harness.is_alive(p) for p in old))


def test_there_may_be_no_stems(own):
    own.extra_args = ["--stems", "0"]
    k = own.start()
    cid = create(k, ["sleep", "1000"])
    start(k, cid)
    eq(k.docker("exec", cid, "echo", "hello").stdout, "hello\n")
    eq(harness.stems_of(k.launcher_pid()), [])


def room_for_descriptors(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("FDSize:"))


def test_a_stem_has_no_room_for_the_launcher_s_descriptors(own):
    """The launcher holds some of each container: they are not copied, and closed again, with each stem."""
    k = own.start()
    for _ in range(30):
        k.run("-d", "--", "sleep", "1000")
    if room_for_descriptors(k.launcher_pid()) <= 64:
        raise Failed("the launcher holds less than this test believes")
    eq({room_for_descriptors(p) for p in stems(k)}, {64})


@contextlib.contextmanager
def meddling(k, what):
    """With the first close_range of the launcher's children: a stem has no descriptors of its own before it."""
    if not shutil.which("strace"):
        raise harness.Skip("strace is not installed")
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=close_range", "-e",
                               f"inject=close_range:{what}:when=1", "-p", str(k.launcher_pid())], stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        for p in harness.stems_of(k.launcher_pid()):
            os.kill(p, signal.SIGKILL)
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()


def test_a_stem_that_shares_descriptors_is_none(own):
    k = own.start()
    stems(k)
    with meddling(k, "error=ENOMEM"):
        time.sleep(2.5)
        eventually("there is none", lambda: not harness.stems_of(k.launcher_pid()))
    stems(k)
    eq(k.run("--rm", "--", "echo", "hello").stdout, "hello\n")


def test_a_stem_that_stands_still_is_killed_before_the_launcher_goes_on(own):
    """Its descriptors are the launcher's until it has said that it has its own."""
    k = own.start()
    stems(k)
    with meddling(k, "signal=SIGSTOP"):
        stuck = eventually("one stands still", lambda: [p for p in harness.children_of(k.launcher_pid()) if is_stopped(p)])
        eventually("it is gone", lambda: not harness.is_alive(stuck[0]))
    stems(k)
    eq(k.run("--rm", "--", "echo", "hello").stdout, "hello\n")


def is_stopped(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0] in "tT"
    return False
