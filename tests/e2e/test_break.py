# SPDX-License-Identifier: Apache-2.0
"""Hostile and unlucky clients, programs, images and machines: what broke once, and what must never."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.parse

import harness
from harness import Failed, eq, eventually, has


def create(k, cmd, host=None, **more):
    k.busybox()
    body = {"Image": "busybox", "Cmd": cmd, "HostConfig": {"NetworkMode": "none", **(host or {})}, **more}
    return k.api_json("POST", "/containers/create", body, want=201)["Id"]


def start(k, cid):
    status, _, body = k.api("POST", f"/containers/{cid}/start")
    eq(status, 204, body)


def n_fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


@contextlib.contextmanager
def stopped(pid):
    """The process stands still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_clients_that_attach_and_vanish_before_the_start(k):
    cid = create(k, ["cat"], OpenStdin=True)
    before = n_fds(k.proc.pid)
    for _ in range(300):
        s, head, _ = k.hijack(f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
        has(head, "101 ")
        s.close()
    if n_fds(k.proc.pid) > before + 5:
        raise Failed(f"{n_fds(k.proc.pid) - before} descriptors are kept for clients that are gone")
    s, head, rest = k.hijack(f"/containers/{cid}/attach?stream=1&stdin=1&stdout=1")
    start(k, cid)
    s.sendall(b"still here\n")
    eq(s.recv(100), b"\1\0\0\0\0\0\0\x0bstill here\n")
    s.close()


def test_log_is_whole_with_a_client_that_does_not_read(k):
    """What the program has written is in the log, also when a client held it up and it is killed then."""
    cid = create(k, ["sh", "-c", "i=0; while :; do echo line $i; i=$((i+1)); echo $i >>/n; done"])
    s, _, _ = k.hijack(f"/containers/{cid}/attach?stream=1&stdout=1")
    start(k, cid)
    path = f"{k.data_root}/containers/{cid}/upper/n"
    size = -1
    while not os.path.exists(path) or size != os.path.getsize(path):   # until it stands still
        size = os.path.getsize(path) if os.path.exists(path) else -1
        time.sleep(0.5)
    k.docker("kill", cid)
    eventually("ended", lambda: not k.state(cid)["Running"])
    with open(path) as f:
        n = int(f.read().split()[-1])
    last = int(k.docker("logs", "--tail", "1", cid).stdout.split()[1])
    s.close()
    if last < n - 1:
        raise Failed(f"lines 0 to {n - 1} were written, the log ends with {last}")


def test_client_that_stands_still_is_dropped(k):
    """Its time is up also when nothing else happens: the program, which waits for it, goes on then."""
    cid = create(k, ["seq", "1", "1000000"])
    s, _, _ = k.hijack(f"/containers/{cid}/attach?stream=1&stdout=1")
    start(k, cid)
    eventually("the program went on without its client", lambda: not k.state(cid)["Running"], timeout=90)
    eq(k.docker("logs", "--tail", "1", cid).stdout, "1000000\n")
    s.close()


def test_a_monitor_keeps_nothing_of_a_container_that_is_shared(k):
    """The first process fetches /dev/shm of the other one: what it opens and closes for that is no business of its monitor's descriptors."""
    cid = create(k, ["sleep", "1000"], {"IpcMode": "shareable"})
    start(k, cid)
    other = create(k, ["sleep", "1000"], {"IpcMode": f"container:{cid}"})
    start(k, other)
    plain, shared = monitor_of(k, cid), monitor_of(k, other)
    eventually("they have settled, and have as many", lambda: n_fds(plain) == n_fds(shared))


def test_exec_start_is_answered_when_its_container_goes(own):
    k = own.start()
    cid = create(k, ["sleep", "1000"])
    start(k, cid)
    xid = k.api_json("POST", f"/containers/{cid}/exec", {"Cmd": ["true"]}, want=201)["Id"]
    time.sleep(0.5)   # until the launcher has closed its copies of the monitor's descriptors
    answers = []
    with stopped(k.launcher_pid()):
        t = threading.Thread(target=lambda: answers.append(k.api("POST", f"/exec/{xid}/start", {"Detach": True}, timeout=10)))
        t.start()
        time.sleep(0.3)
        eq(k.api("DELETE", f"/containers/{cid}?force=1")[0], 204)
        t.join()
    eq([a[0] for a in answers], [409])


def monitor_of(k, cid):
    pid = k.state(cid)["Pid"]
    for m in harness.children_of(k.launcher_pid()):
        if pid in harness.children_of(m):
            return m
    raise Failed(f"no monitor of {cid}")


def of_container(cid):
    """Processes in the container's control groups."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cgroup") as f:
                if cid in f.read():
                    found.append(int(pid))
    return found


def test_start_whose_kilnd_died_is_somebodys(own):
    """The launch is on its way when kilnd dies: the next one finds it, however late, or nothing is started."""
    k = own.start()
    cid = create(k, ["sleep", "1000"])
    launcher = k.launcher_pid()
    with stopped(launcher):
        s = k.raw(b"POST /containers/%s/start HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n" % cid.encode())
        time.sleep(0.3)
        k.kill9()
        s.close()
        k.start()
        time.sleep(3)
    eventually("known how it went", lambda: k.inspect(cid)["State"]["Status"] in ("running", "created"))
    time.sleep(1)
    eq(len(of_container(cid)), 1 if k.state(cid)["Running"] else 0)
    k.api("DELETE", f"/containers/{cid}?force=1")
    eventually("nothing is left", lambda: not harness.descendants_of(launcher))


def test_exec_whose_kilnd_died_starts_nothing_later(own):
    k = own.start()
    cid = create(k, ["sleep", "1000"])
    start(k, cid)
    xid = k.api_json("POST", f"/containers/{cid}/exec", {"Cmd": ["sleep", "999"]}, want=201)["Id"]
    launcher = k.launcher_pid()
    before = len(harness.descendants_of(launcher))
    with stopped(launcher):
        s = k.raw(b'POST /exec/%s/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"Detach":true}' % xid.encode())
        time.sleep(0.3)
        k.kill9()
        s.close()
        k.start()
    time.sleep(1)
    eq(len(harness.descendants_of(launcher)), before, "processes of the launcher")
    eq(os.listdir(k.exec_root + "/x"), [])


def test_monitor_that_stands_still_is_released_later(own):
    k = own.start()
    cid = create(k, ["sleep", "1000"])
    start(k, cid)
    monitor = monitor_of(k, cid)
    with stopped(monitor):
        k.kill9()
        k.start()
        eq(k.state(cid)["Running"], True)
        eq(k.api("DELETE", f"/containers/{cid}?force=1")[0], 204)
    eventually("the monitor has gone", lambda: not harness.is_alive(monitor))


def test_monitor_that_stands_still_at_an_end_is_not_waited_for(own):
    k = own.start()
    cid = create(k, ["sleep", "1000"])
    s, _, _ = k.hijack(f"/containers/{cid}/attach?stream=1&stdout=1")
    start(k, cid)
    monitor = monitor_of(k, cid)
    os.kill(k.state(cid)["Pid"], signal.SIGKILL)
    eventually("its end is known", lambda: k.state(cid)["Status"] == "exited")
    k.kill9()
    with stopped(monitor) if harness.is_alive(monitor) else contextlib.nullcontext():
        k.start()
        eq(k.api("DELETE", f"/containers/{cid}")[0], 204)
    s.close()


def test_a_mount_that_does_not_fit_is_told_as_that(k):
    """Not as a program that is not found, and without the names that we have for things."""
    for target in ("/etc/passwd", "/dev/null"):
        p = k.run("--rm", "-v", f"{k.dir}:{target}", "--", "true", check=False)
        has(p.stderr, f"on '{target}': not a directory: Are you trying to mount a directory onto a file")
        if "executable" in p.stderr or "fd:" in p.stderr:
            raise Failed(p.stderr)
    p = k.run("--rm", "-w", "/etc/passwd", "--", "true", check=False)
    has(p.stderr, "not a directory")
    if "executable" in p.stderr:
        raise Failed(p.stderr)


def test_restart_is_answered_when_a_stop_ends_it(k):
    """Of a container that is removed at its end, too."""
    for host in ({}, {"AutoRemove": True}):
        cid = create(k, ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], host)
        start(k, cid)
        answers = []
        t = threading.Thread(target=lambda c=cid: answers.append(k.api("POST", f"/containers/{c}/restart?t=20", timeout=10)))
        t.start()
        time.sleep(0.3)
        eq(k.api("POST", f"/containers/{cid}/stop?t=0")[0], 204)
        t.join()
        eq([a[0] for a in answers], [409])


def test_exec_into_a_container_that_ends_says_so(k):
    """Whatever is no longer there first: processes, control groups, the namespace's PID 1."""
    answers = set()

    def exec_start(xid):
        status, _, body = k.api("POST", f"/exec/{xid}/start", {"Detach": True})
        answers.add((status, "" if status == 200 else "is not running" if b"is not running" in body else body))

    for i in range(40):
        cid = create(k, ["sleep", "1000"])
        start(k, cid)
        ids = [k.api_json("POST", f"/containers/{cid}/exec", {"Cmd": ["true"]}, want=201)["Id"] for _ in range(3)]
        threads = [threading.Thread(target=exec_start, args=(x,)) for x in ids]
        for t in threads:
            t.start()
        time.sleep(i % 13 / 1000)
        k.api("DELETE", f"/containers/{cid}?force=1")
        for t in threads:
            t.join()
    for status, text in answers:
        # 404: the container with its execs had gone before the request came
        if (status, text) not in ((200, ""), (409, "is not running")) and status != 404:
            raise Failed(f"{status} {text!r}")


def test_kilnd_that_cannot_listen_begins_nothing(own):
    k = own.start()
    args = ["--data-root", k.dir + "/d2", "--exec-root", k.dir + "/r2", "-H", "unix://" + k.socket]
    p = subprocess.run([harness.BUILD + "/kilnd", *args, "--runtime", harness.BUILD + "/kiln-runtime"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=10)
    eq(p.returncode, 1)
    has(p.stderr, "is in use")
    eq(os.listdir(k.dir + "/r2/l"), [], "the launcher's directory")
    eq(k.api("GET", "/_ping")[0], 200)


def test_signals_that_mean_something_to_dockerd_do_not_end_kilnd(own):
    k = own.start()
    for sig in (signal.SIGHUP, signal.SIGUSR1, signal.SIGPIPE, signal.SIGCHLD, signal.SIGWINCH):
        os.kill(k.proc.pid, sig)
    time.sleep(0.3)
    eq(k.proc.poll(), None)
    eq(k.api("GET", "/_ping")[0], 200)
    ignored = k.run("--rm", "--", "grep", "SigIgn", "/proc/self/status").stdout.split()[1]
    eq(int(ignored, 16), 0, "signals that a container ignores")


def test_a_lost_store_costs_no_container(own):
    """kiln.db is lost (a restored backup, a damaged file system): kilnd sweeps nothing, and says what to do."""
    k = own.start()
    cid = create(k, ["sleep", "1000"])
    start(k, cid)
    pid = k.state(cid)["Pid"]
    k.docker("exec", cid, "touch", "/kept")
    k.terminate()
    shutil.copytree(k.data_root, k.dir + "/saved", ignore=lambda d, names: [n for n in names if not n.startswith("kiln.db")])
    for name in os.listdir(k.data_root):
        if name.startswith("kiln.db"):
            os.unlink(f"{k.data_root}/{name}")
    for _ in range(2):
        k.start(wait=False)
        eq(k.proc.wait(10), 1)
        has(k.log_tail(), "put the lost store back")
    eq((harness.is_alive(pid), os.path.exists(f"{k.data_root}/containers/{cid}/upper/kept")), (True, True))
    for name in os.listdir(k.dir + "/saved"):
        shutil.copy(f"{k.dir}/saved/{name}", k.data_root)
    k.start()
    eq(k.state(cid)["Pid"], pid)


def test_loading_again_brings_back_a_lost_layer(k):
    cid = create(k, ["true"])
    layers = k.data_root + "/layers"
    name = k.stored("layers")[0]
    os.rename(f"{layers}/{name}", f"{k.dir}/lost")
    eq(k.api("POST", f"/containers/{cid}/start")[0], 500)
    k.load(harness.busybox_archive())
    eq(k.stored("layers"), [name])
    start(k, cid)


def test_a_monitor_killed_at_once_does_not_hold_up_the_launcher(k):
    """Killed before it has set up the pipes that the launcher inherits."""
    for _ in range(40):
        cid = create(k, ["sleep", "1000"])
        start(k, cid)
        os.kill(monitor_of(k, cid), signal.SIGKILL)
        eventually("it is seen", lambda: b'"degraded":true' in k.api("GET", "/kiln/v1/health")[2], every=0.002)
        xid = k.api_json("POST", f"/containers/{cid}/exec", {"Cmd": ["true"]}, want=201)["Id"]
        eq(k.api("POST", f"/exec/{xid}/start", {"Detach": True}, timeout=10)[0], 200)
        eq(k.api("DELETE", f"/containers/{cid}?force=1")[0], 204)


def is_stopped_inside(pid):
    """Stopped or traced, and in a pid namespace below ours."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as f:
        fields = dict(line.split(":", 1) for line in f.read().splitlines())
        return fields["State"].split()[0] in "tT" and len(fields["NSpid"].split()) > 1
    return False


def test_exec_shows_the_container_nothing_of_the_host(k):
    """A process that may trace sees an exec before its program runs: nothing of the host is open in it by then."""
    if not shutil.which("strace"):
        raise harness.Skip("strace is not installed")
    cid = create(k, ["sleep", "1000"], {"CapAdd": ["SYS_PTRACE"]})
    start(k, cid)
    known = {k.state(cid)["Pid"]}
    # it stands still at its first step inside
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=setsid", "-e",
                               "inject=setsid:signal=SIGSTOP:when=1",
                               *[a for p in harness.starters_of(k.launcher_pid()) for a in ("-p", str(p))]], stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        for tty in (False, True):
            xid = k.api_json("POST", f"/containers/{cid}/exec", {"Cmd": ["true"], "Tty": tty}, want=201)["Id"]
            answer = threading.Thread(target=k.api, args=("POST", f"/exec/{xid}/start", {"Detach": True}))
            answer.start()
            pid = eventually("it stands still inside", lambda: [p for p in of_container(cid) if p not in known and is_stopped_inside(p)])[0]
            known.add(pid)
            links = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
            bad = [link for link in links if k.dir in link or "cgroup" in link]
            eq(bad, [], f"open in an exec, tty {tty}")
            while answer.is_alive():   # one that comes before the stop is lost
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
                answer.join(0.1)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()


def test_hostile_expression(k):
    """A name's expression may cost neither time nor memory: nested repetitions multiply."""
    k.run("-d", "--name", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "--", "sleep", "1000")
    for hostile in ("((((a{1,255}){1,255}){1,255}){1,255}){1,255}", "b" + "+" * 200, "(((((((a+)+)+)+)+)+)+)+b", r"(a*)*\1\1\1b"):
        query = urllib.parse.quote(json.dumps({"name": [hostile]}))
        eq(k.api("GET", f"/containers/json?filters={query}", timeout=10)[0], 200, hostile)
    with open(f"/proc/{k.proc.pid}/status") as f:
        peak = int(re.search(r"VmHWM:\s+(\d+)", f.read())[1])
    if peak > 100_000 * (10 if harness.IS_SANITIZED else 1):
        raise Failed(f"kilnd needed {peak} kB")
