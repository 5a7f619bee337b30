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
    k.extra_args[-1] = "3"
    k.restart()
    eventually("there are some again", lambda: any(map(harness.stems_of, k.launcher_pids())))
    eq(k.state(cid)["Pid"], pid)


def mounts_of(k, **host):
    """What a container has mounted: where, options, type, source and the file system's options. And the device of each."""
    cid = create(k, ["sleep", "1000"], host=host)
    start(k, cid)
    with open(f"/proc/{k.state(cid)['Pid']}/mountinfo") as f:
        rows = [line.replace(cid, "ID").split() for line in f]
    k.docker("rm", "-f", cid)
    return sorted([row[4:] for row in rows if row[4] != "/" and "/etc/" not in row[4]]), {row[4]: row[2] for row in rows}


def device_of(path):
    dev = os.stat(path).st_dev
    return f"{os.major(dev)}:{os.minor(dev)}"


def test_mounts_are_the_same_with_a_stem_and_without(own):
    """A stem has sysfs and mqueue ready: with the options that this container is to have, and of its own namespaces."""
    hosts = {}, {"Privileged": True}, {"ReadonlyRootfs": True}, {"IpcMode": "host"}, {"NetworkMode": "host"}
    k = own.start()
    with_stems = []
    for h in hosts:
        stems(k)
        with_stems.append(mounts_of(k, **h))
    end_stems(k)
    for h, (mounts, devices) in zip(hosts, with_stems):
        eq(mounts, mounts_of(k, **h)[0], h)
        eq(devices["/sys"] == device_of("/sys"), "NetworkMode" in h, f"{h}: sysfs is the host's")


def test_a_container_mounts_none_of_what_its_stem_has_ready(own):
    if not shutil.which("strace"):
        raise harness.Skip("strace is not installed")
    k = own.start()
    trace = k.dir + "/trace"
    with traced_children(stems(k), ["-o", trace, "-e", "trace=fsopen"]):
        start(k, create(k, ["sleep", "1000"]))
    with open(trace) as f:
        made = f.read()
    eq([fs for fs in ("proc", "devpts", "sysfs", "mqueue") if f'fsopen("{fs}"' in made], ["proc", "devpts"])


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


def status_of(pid, key):
    with open(f"/proc/{pid}/status") as f:
        return int(next(line.split()[1] for line in f if line.startswith(key + ":")))


def test_a_stem_has_no_room_for_the_launcher_s_descriptors(own):
    """The launcher holds some of each container: they are not copied, and closed again, with each stem."""
    k = own.start()
    for _ in range(30):
        k.run("-d", "--", "sleep", "1000")
    held = len(os.listdir(f"/proc/{k.launcher_pid()}/fd"))
    if held <= 64:
        raise Failed(f"the launcher holds {held} descriptors, less than this test believes")
    eq({status_of(p, "FDSize") for p in stems(k)}, {64})


@contextlib.contextmanager
def traced_children(pids, options):
    """strace of these processes and of all that they fork, from when it has them all."""
    pids = list(pids)
    tracer = subprocess.Popen(["strace", "-f", "-qq", *options, *[a for p in pids for a in ("-p", str(p))]], stderr=subprocess.DEVNULL)
    try:
        eventually("strace has them", lambda: all(status_of(p, "TracerPid") for p in pids))
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()


@contextlib.contextmanager
def meddling(k, what):
    """With the first close_range of all stems that the launcher makes: before it they share the launcher's descriptors."""
    if not shutil.which("strace"):
        raise harness.Skip("strace is not installed")
    ready = stems(k)
    with traced_children([k.launcher_pid()], ["-o", "/dev/null", "-e", "trace=close_range", "-e", f"inject=close_range:{what}:when=1"]):
        for p in ready:
            os.kill(p, signal.SIGKILL)
        yield


def is_given_up(k):
    return "a stem could not have descriptors of its own" in k.log_tail()


def test_a_stem_that_cannot_have_descriptors_of_its_own_is_none(own):
    k = own.start()
    with meddling(k, "error=ENOMEM"):
        eventually("it is given up", lambda: is_given_up(k))
        eventually("there is none", lambda: not harness.stems_of(k.launcher_pid()))
    stems(k)
    eq(k.run("--rm", "--", "echo", "hello").stdout, "hello\n")


def unborn(k):
    """The newest is held before its close_range: the others were killed."""
    return eventually("one is held", lambda: [p for p in harness.stems_of(k.launcher_pid()) if is_held(p)], every=0.01)[0]


def is_held(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0] == "t"
    return False


def test_a_stem_that_stands_still_is_killed_before_the_launcher_goes_on(own):
    """Its descriptors are the launcher's until it has said that it has its own."""
    k = own.start()
    with meddling(k, "delay_enter=3000000"):
        stuck = unborn(k)
        eventually("it is gone", lambda: not harness.is_alive(stuck))
        eventually("it is given up", lambda: is_given_up(k))
    stems(k)
    eq(k.run("--rm", "--", "echo", "hello").stdout, "hello\n")


def test_a_stem_may_be_killed_while_it_shares_descriptors(own):
    k = own.start()
    with meddling(k, "delay_enter=3000000"):
        os.kill(unborn(k), signal.SIGKILL)
        eventually("it is given up", lambda: is_given_up(k))
    stems(k)
    eq(k.run("--rm", "--", "echo", "hello").stdout, "hello\n")
