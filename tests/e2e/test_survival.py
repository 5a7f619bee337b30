# SPDX-License-Identifier: Apache-2.0
"""kill -9 of everything: kilnd, monitors, the launcher; a reboot; operations cut off anywhere."""
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import harness
from harness import Failed, eq, eventually, frames, has


def monitor_of(k, name):
    pid = k.state(name)["Pid"]
    for m in harness.children_of(k.launcher_pid()):
        if pid in harness.children_of(m):
            return m
    raise Failed(f"no monitor of {name}")


def test_kill_kilnd_containers_go_on(own):
    k = own.start()
    k.run("-d", "--name", "on", "--", "sh", "-c", "while :; do cut -d' ' -f1 /proc/uptime >>/t; sleep 0.05; done")
    pid = k.state("on")["Pid"]
    k.kill9()
    time.sleep(1)
    eq(harness.is_alive(pid), True)
    k.start()
    eq(k.state("on")["Pid"], pid)
    times = [float(t) for t in k.docker("exec", "on", "cat", "/t").stdout.split()]
    gap = max(b - a for a, b in zip(times, times[1:]))
    if gap > 0.8:
        raise Failed(f"the container stood still for {gap} s")


def test_kill_kilnd_no_output_is_lost(own):
    k = own.start()
    k.run("-d", "--name", "out", "--", "sh", "-c", "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); [ $((i % 100)) = 0 ] && sleep 0.1; done; sleep 1000")
    for _ in range(3):
        time.sleep(0.7)
        k.kill9()
        time.sleep(0.2)
        k.start()
    eventually("all lines", lambda: k.docker("logs", "--tail", "1", "out").stdout == "line 2999\n")
    eq(k.docker("logs", "out").stdout, "".join(f"line {i}\n" for i in range(3000)))


def test_next_kilnd_adopts(own):
    k = own.start()
    k.run("-d", "--name", "a1", "-i", "--restart", "always", "--health-cmd", "true", "--health-interval", "200ms", "--", "cat")
    pid = k.state("a1")["Pid"]
    started = k.state("a1")["StartedAt"]
    k.kill9()
    k.start()
    state = k.state("a1")
    eq((state["Running"], state["Pid"], state["StartedAt"]), (True, pid, started))
    eventually("healthy again", lambda: k.state("a1")["Health"]["Status"] == "healthy")
    eq(k.docker("exec", "a1", "echo", "hi").stdout, "hi\n")
    k.docker("kill", "a1")
    eventually("ended", lambda: k.state("a1")["Pid"] != pid)


def test_next_kilnd_goes_on_with_a_stop(own):
    """Also with the first half of a restart. A signal that the program does not mind is no stop."""
    k = own.start()
    for name in ("st", "rs", "sig"):
        k.run("-d", "--name", name, "--stop-timeout", "1", "--restart", "always", "--", "sh", "-c",
              "trap '' TERM; echo up; while :; do sleep 0.1; done")
        eventually("it minds no TERM", lambda: k.docker("logs", name).stdout == "up\n")
    first = k.state("rs")["StartedAt"]
    k.docker("kill", "-s", "TERM", "sig")
    gone = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    clients = [k.popen("stop", "-t", "600", "st", **gone), k.popen("restart", "-t", "600", "rs", **gone)]
    time.sleep(0.5)
    k.kill9()
    for client in clients:
        client.wait()
    k.start()
    eventually("stopped", lambda: k.state("st")["Status"] == "exited")
    eventually("started again", lambda: k.state("rs")["StartedAt"] != first and k.state("rs")["Running"])
    eq(k.state("st")["ExitCode"], 137)
    eq(k.state("sig")["Running"], True)


def test_next_kilnd_adopts_ended_with_code(own):
    k = own.start()
    for code in (0, 7, 255):
        k.run("-d", "--name", f"c{code}", "--", "sh", "-c", f"sleep 0.7; echo bye; exit {code}")
    k.run("-d", "--name", "sig", "--", "sleep", "1000")
    pid = k.state("sig")["Pid"]
    k.kill9()
    os.kill(pid, signal.SIGKILL)
    time.sleep(1.5)
    k.start()
    for code in (0, 7, 255):
        eventually("ended", lambda: k.state(f"c{code}")["Status"] == "exited")
        eq(k.state(f"c{code}")["ExitCode"], code)
        eq(k.docker("logs", f"c{code}").stdout, "bye\n")
    eq(k.state("sig")["ExitCode"], 137)


def test_attach_survives_kilnd_kill(own):
    k = own.start()
    cid = k.api_json("POST", "/containers/create", {"Image": k.busybox(), "Cmd": ["cat"], "OpenStdin": True,
                                                    "HostConfig": {"NetworkMode": "none"}}, want=201)["Id"]
    s, _, rest = k.hijack(f"/v1.41/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
    eq(k.api("POST", f"/containers/{cid}/start")[0], 204)
    s.sendall(b"before\n")
    eq(s.recv(100), b"\x01\0\0\0\0\0\0\x07before\n")
    k.kill9()
    s.sendall(b"while away\n")
    eq(s.recv(100), b"\x01\0\0\0\0\0\0\x0bwhile away\n")
    k.start()
    s.sendall(b"after\n")
    eq(s.recv(100), b"\x01\0\0\0\0\0\0\x06after\n")
    s.close()


def test_kill_monitor(own):
    k = own.start()
    k.run("-d", "--name", "m1", "--", "sh", "-c", "trap 'exit 13' TERM; while :; do sleep 0.1; done")
    time.sleep(0.5)
    pid = k.state("m1")["Pid"]
    os.kill(monitor_of(k, "m1"), signal.SIGKILL)
    time.sleep(0.5)
    eq(harness.is_alive(pid), True)
    eq(k.state("m1")["Running"], True)
    status, _, body = k.api("GET", "/kiln/v1/health")
    has(body.decode(), '"degraded":true')
    os.kill(pid, signal.SIGTERM)
    eventually("ended", lambda: not k.state("m1")["Running"])
    eq(k.state("m1")["ExitCode"], 13)


def test_kill_monitor_and_kilnd(own):
    k = own.start()
    k.run("-d", "--name", "mk", "--", "sh", "-c", "trap 'exit 14' TERM; while :; do sleep 0.1; done")
    time.sleep(0.5)
    pid = k.state("mk")["Pid"]
    mon = monitor_of(k, "mk")
    k.kill9()
    os.kill(mon, signal.SIGKILL)
    time.sleep(0.3)
    k.start()
    eq(k.state("mk")["Pid"], pid)
    os.kill(pid, signal.SIGTERM)
    eventually("ended", lambda: not k.state("mk")["Running"])
    eq(k.state("mk")["ExitCode"], 14)


def test_kill_launcher(own):
    k = own.start()
    k.run("-d", "--name", "kl", "--", "sh", "-c", "trap 'exit 15' TERM; while :; do sleep 0.1; done")
    time.sleep(0.5)
    pid = k.state("kl")["Pid"]
    os.kill(k.launcher_pid(), signal.SIGKILL)
    time.sleep(0.5)
    eq(harness.is_alive(pid), True)
    eventually("a new launcher starts containers", lambda: k.run("--rm", "--", "true", check=False).returncode == 0)
    k.docker("kill", "-s", "TERM", "kl")
    eventually("ended", lambda: not k.state("kl")["Running"])
    eq(k.state("kl")["ExitCode"], 15)


def test_launcher_outlives_kilnd(own):
    k = own.start()
    k.run("--rm", "--", "true")
    pid = k.launcher_pid()
    k.kill9()
    eq(harness.is_alive(pid), True)
    k.start()
    k.run("--rm", "--", "true")
    eq(k.launcher_pid(), pid)
    k.terminate()
    eq(harness.is_alive(pid), True)
    k.start()


def test_reboot(own):
    """What a reboot leaves: the data root, and nothing else."""
    k = own.start()
    k.run("-d", "--name", "always", "--restart", "always", "--", "sleep", "1000")
    k.run("-d", "--name", "unless", "--restart", "unless-stopped", "--", "sleep", "1000")
    k.run("-d", "--name", "stopped", "--restart", "unless-stopped", "--stop-timeout", "0", "--", "sleep", "1000")
    k.run("-d", "--name", "no", "--", "sleep", "1000")
    k.docker("stop", "stopped")
    was = {n: k.state(n)["Pid"] for n in ("always", "unless", "no")}
    k.kill9()
    launcher = k.launcher_pid()
    for p in [*harness.descendants_of(launcher), launcher]:
        try:
            os.kill(p, signal.SIGKILL)
        except OSError:
            pass
    eventually("all ended", lambda: not any(harness.is_alive(p) for p in was.values()))
    shutil.rmtree(k.exec_root)
    for d in harness.cgroup_dirs(k.cgroup_parent):
        for sub, _, _ in os.walk(d, topdown=False):
            eventually("cgroup empty", lambda: not os.path.exists(sub) or not os.rmdir(sub))
    # another boot: the exit records carry the boot's id
    for cid in os.listdir(k.data_root + "/containers"):
        path = f"{k.data_root}/containers/{cid}/exit"
        with open(path, "r+b") as f:
            record = f.read()
            boot = open("/proc/sys/kernel/random/boot_id").read().strip().encode()
            f.seek(0)
            f.write(record.replace(boot, b"00000000-0000-0000-0000-000000000000"))
    k.start()
    for name in ("always", "unless"):
        eventually(f"{name} is back", lambda: k.state(name)["Running"] and k.state(name)["Pid"] != was[name])
    eq(k.state("stopped")["Running"], False)
    eq(k.state("no")["Running"], False)


def test_kill_kilnd_at_random(own):
    """kill -9 at random instants under load: what was acknowledged is there afterwards, nothing is half done."""
    k = own.start()
    k.busybox()
    rng = random.Random(7)
    known = {}
    for _round in range(8 if not os.environ.get("KILN_LONG") else 40):
        deadline = time.monotonic() + rng.uniform(0.05, 0.8)
        killer = subprocess.Popen(["sh", "-c", f"sleep {max(0.01, deadline - time.monotonic())}; kill -9 {k.proc.pid}"])
        while time.monotonic() < deadline + 1:
            try:
                status, _, body = k.api("POST", "/containers/create", {"Image": "busybox", "Cmd": ["sleep", "1000"],
                                                                        "HostConfig": {"NetworkMode": "none"}}, timeout=10)
                if status == 201:
                    import json
                    cid = json.loads(body)["Id"]
                    known[cid] = "created"
                    if k.api("POST", f"/containers/{cid}/start", timeout=10)[0] == 204:
                        known[cid] = "running"
                    if rng.random() < 0.4:
                        known[cid] = "maybe removed"
                        if k.api("DELETE", f"/containers/{cid}?force=1", timeout=10)[0] == 204:
                            known[cid] = "removed"
            except (OSError, ValueError):
                break
        killer.wait()
        k.proc.wait()
        k.start()
        states = {c["Id"]: c["State"] for c in k.containers()}
        for cid, want in known.items():
            got = states.get(cid)
            if want == "running" and got != "running" or want == "created" and got is None or want == "removed" and got is not None:
                raise Failed(f"{cid[:12]} was acknowledged as {want}, is {got}")
    k.clean()
    eventually("nothing is left", lambda: not os.listdir(k.data_root + "/containers") and not os.listdir(k.data_root + "/tmp")
               and not os.listdir(k.exec_root + "/c"))
    eventually("no cgroup is left", lambda: not [s for d in harness.cgroup_dirs(k.cgroup_parent) for s in os.listdir(d) if os.path.isdir(d + "/" + s)])


def test_load_cut_off(own):
    k = own.start()
    big = os.urandom(4 << 20)
    archive = harness.busybox_archive("cut:1", extra_layers=[harness.tar_bytes([(f"f{i}", big) for i in range(8)])])
    with tempfile.NamedTemporaryFile(dir=k.dir) as f:
        f.write(archive)
        f.flush()
        for delay in (0.02, 0.1, 0.2, 0.4, 0.8):
            p = k.popen("load", "-i", f.name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            k.kill9()
            p.wait(30)
            k.start()
            images = k.api_json("GET", "/images/json", want=200)
            eq(os.listdir(k.data_root + "/tmp"), [])
            if not images:
                eq((k.stored("layers"), k.stored("blobs/sha256")), ([], []))
        k.docker("load", "-i", f.name)
    k.docker("run", "--rm", "--network", "none", "cut:1", "true")


def test_create_cut_off(own):
    k = own.start()
    k.busybox()
    for delay in (0.0, 0.002, 0.005, 0.01, 0.02):
        s = k.raw(b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n"
                  + b'{"Image":"busybox","Cmd":["true"]}'.ljust(50))
        time.sleep(delay)
        k.kill9()
        s.close()
        k.start()
        ids = {c["Id"] for c in k.containers()}
        eq(set(os.listdir(k.data_root + "/containers")), ids)
        eq(os.listdir(k.data_root + "/tmp"), [])


def test_kill_kilnd_during_exec(own):
    k = own.start()
    k.run("-d", "--name", "ex", "--", "sleep", "1000")
    xid = k.api_json("POST", "/containers/ex/exec", {"Cmd": ["sh", "-c", "echo a; sleep 1; echo b; exit 3"], "AttachStdout": True}, want=201)["Id"]
    s, _, rest = k.hijack(f"/v1.41/exec/{xid}/start", b'{}')
    time.sleep(0.4)
    k.kill9()
    k.start()
    eq(b"".join(d for _, d in frames(harness.read_all(s, rest, 30))), b"a\nb\n")
    eventually("nothing left of the exec", lambda: not os.listdir(k.exec_root + "/x"))


def test_kilnd_serves_while_a_monitor_stands_still(own):
    """It is asked for its status, but not waited for; what it tells later counts."""
    k = own.start()
    k.run("-d", "--name", "s1", "--", "sh", "-c", "trap 'exit 6' TERM; while :; do sleep 0.1; done")
    k.run("-d", "--name", "s2", "--", "sleep", "1000")
    pids = [k.state(name)["Pid"] for name in ("s1", "s2")]
    mon = monitor_of(k, "s1")
    k.kill9()
    os.kill(mon, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        k.start()
        eq([k.state(name)["Pid"] for name in ("s1", "s2")], pids)
        took = time.monotonic() - begin
        if took > 1.5:
            raise Failed(f"served after {took:.1f} s")
    finally:
        os.kill(mon, signal.SIGCONT)
    eventually("nobody is degraded", lambda: '"degraded":true' not in k.api("GET", "/kiln/v1/health")[2].decode())
    k.docker("stop", "s1")
    eq(k.state("s1")["ExitCode"], 6)


def test_hung_launcher_is_replaced(own):
    """It holds its socket and answers nothing: the next kilnd kills it after a while; containers run on."""
    k = own.start()
    k.run("-d", "--name", "on", "--", "sh", "-c", "trap 'exit 8' TERM; while :; do sleep 0.1; done")
    pid, old = k.state("on")["Pid"], k.launcher_pid()
    k.terminate()
    os.kill(old, signal.SIGSTOP)
    k.start()
    eq(k.state("on")["Pid"], pid)
    eq(k.run("--rm", "--", "echo", "new").stdout, "new\n")   # parked until there is another launcher
    eq(harness.is_alive(old), False)
    has(k.log_tail(100000), f"launcher {old} does not answer; killing it")
    k.docker("stop", "on")
    eq(k.state("on")["ExitCode"], 8)


def test_removal_does_not_wait_for_a_launcher_for_ever(own):
    """No launcher can be had any more: what is removed is gone all the same, and its group is left to a later one."""
    runtime = own.dir + "/kiln-runtime"
    shutil.copy(harness.BUILD + "/kiln-runtime", runtime)
    own.extra_args = ["--runtime", runtime]
    k = own.start()
    k.run("-d", "--name", "r1", "--", "sleep", "1000")
    os.rename(runtime, runtime + ".away")
    os.kill(k.launcher_pid(), signal.SIGKILL)
    eventually("it is noticed", lambda: '"launcher":false' in k.api("GET", "/kiln/v1/health")[2].decode().replace(" ", "")
               or "the launcher is gone" in k.log_tail(100000))
    begin = time.monotonic()
    k.docker("rm", "-f", "r1")
    took = time.monotonic() - begin
    if took > 12:
        raise Failed(f"the removal took {took:.1f} s")
    eq(k.containers(), [])
    os.rename(runtime + ".away", runtime)
    eventually("its group is swept", lambda: not any(len(name) == 64 for d in harness.cgroup_dirs(k.cgroup_parent)
                                                     for name in os.listdir(d)))
    eq(k.run("--rm", "--", "echo", "again").stdout, "again\n")


@contextlib.contextmanager
def process_that_stays(k, cid):
    """A process of nobody's in the container's memory group, which a frozen group elsewhere keeps from dying."""
    freezer = "/sys/fs/cgroup/freezer" + k.cgroup_parent + "-hold"
    group = "/sys/fs/cgroup/memory" + k.cgroup_parent + "/" + cid
    if not os.path.isdir(os.path.dirname(os.path.dirname(freezer))) or not os.path.isdir(group):
        raise harness.Skip("needs the freezer and memory hierarchies of cgroup v1")
    os.mkdir(freezer)
    p = subprocess.Popen(["sleep", "1000"])
    try:
        for path, text in ((freezer + "/tasks", str(p.pid)), (group + "/tasks", str(p.pid)), (freezer + "/freezer.state", "FROZEN")):
            with open(path, "w") as f:
                f.write(text)
        yield p, lambda: thaw(freezer), group
    finally:
        thaw(freezer)
        p.kill()
        p.wait()
        eventually("the freezer is empty", lambda: not open(freezer + "/tasks").read())
        os.rmdir(freezer)


def thaw(freezer):
    with open(freezer + "/freezer.state", "w") as f:
        f.write("THAWED")


def test_launcher_waits_for_no_group(own):
    """A process of a container's group does not end: the launcher serves others meanwhile, and comes back to it."""
    k = own.start()
    for name in ("g1", "g2", "g3"):
        k.run("-d", "--name", name, "--", "sleep", "1000")
    with process_that_stays(k, k.inspect("g1")["Id"]) as (p, let_go, group):
        k.docker("kill", "g1")
        begin = time.monotonic()
        eq(k.run("--rm", "--", "echo", "served").stdout, "served\n")
        eq(k.docker("exec", "g2", "echo", "too").stdout, "too\n")
        k.docker("rm", "-f", "g3")
        took = time.monotonic() - begin
        if took > 2.5:
            raise Failed(f"others waited {took:.1f} s")
        eq(os.path.isdir(group), True, "the group is still there")
        # It is started again: that run waits for the last one's group, and nobody else does.
        client = k.popen("start", "g1", stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        eq(k.run("--rm", "--", "echo", "served").stdout, "served\n")
        let_go()
        eq(client.wait(10), 0)
        eq(p.wait(5), -signal.SIGKILL)
        eq(k.state("g1")["Running"], True)
        eq(os.path.isdir(group), True, "the new run's group")
    k.docker("rm", "-f", "g1")
    eventually("the group is gone", lambda: not os.path.isdir(group))


def test_removal_behind_a_group_that_stays(own):
    """The removal is answered, with a warning, and the group goes when its process does."""
    k = own.start()
    k.run("-d", "--name", "g1", "--", "sleep", "1000")
    with process_that_stays(k, k.inspect("g1")["Id"]) as (_p, let_go, group):
        os.kill(monitor_of(k, "g1"), signal.SIGKILL)
        k.docker("rm", "-f", "g1", timeout=15)
        eq(k.containers(), [])
        eq(os.path.isdir(group), True, "the group is still there")
        let_go()
        eventually("the group is gone", lambda: not os.path.isdir(group))
