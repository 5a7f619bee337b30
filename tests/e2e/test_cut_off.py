# SPDX-License-Identifier: Apache-2.0
"""Launchers and monitors that are killed at a certain instant of a start, a restart or an end: what tests/chaos has found."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time

import harness
from harness import Failed, eq, eventually, has
from test_break import create, monitor_of, start, stopped


class Asked:
    """A request that is under way."""

    def __init__(self, k, path):
        self.answer = None
        self.thread = threading.Thread(target=self.ask, args=(k, path), daemon=True)
        self.thread.start()

    def ask(self, k, path):
        self.answer = k.api("POST", path, timeout=20)

    def status(self):
        self.thread.join(20)
        if self.answer is None:
            raise Failed("it is not answered")
        return self.answer[0], self.answer[2].decode()


def health(k):
    return json.loads(k.api("GET", "/kiln/v1/health")[2])


def is_degraded(k, cid):
    return [c["degraded"] for c in health(k)["containers"] if c["id"] == cid] == [True]


def started(own):
    """With a launcher that takes requests: it is that one that something happens to, on its way or after it."""
    own.start()
    eventually("the launcher serves", lambda: health(own)["launcher"]["ok"])
    return own


def test_a_start_survives_its_launcher(own):
    """Nothing had come of the launch: the next launcher gets it, and the client never hears of that."""
    k = started(own)
    cid = create(k, ["sleep", "1000"])
    launcher = k.launcher_pid()
    with contextlib.suppress(ProcessLookupError), stopped(launcher):
        asked = Asked(k, f"/containers/{cid}/start")
        eventually("it is starting", lambda: f"-> starting" in k.log_tail(4000))
        time.sleep(0.2)
        os.kill(launcher, signal.SIGKILL)
    eq(asked.status(), (204, ""))
    eq(k.state(cid)["Running"], True)
    has(k.log_tail(4000), "launching it again")


def test_a_start_with_clients_fails_with_its_launcher(own):
    """What is attached has gone with the launch: who waits for output is told that there will be none."""
    k = started(own)
    cid = create(k, ["echo", "hi"])
    launcher = k.launcher_pid()
    s, _, _ = k.hijack(f"/containers/{cid}/attach?stream=1&stdout=1")
    with contextlib.suppress(ProcessLookupError), stopped(launcher):
        asked = Asked(k, f"/containers/{cid}/start")
        eventually("it is starting", lambda: "-> starting" in k.log_tail(4000))
        time.sleep(0.2)
        os.kill(launcher, signal.SIGKILL)
    status, text = asked.status()
    eq(status, 500, text)
    has(text, "its monitor was not made")
    eq(harness.read_all(s), b"")
    start(k, cid)


def test_a_restart_during_a_start_is_answered_by_its_own_start(own):
    k = started(own)
    cid = create(k, ["sleep", "1000"])
    with stopped(k.launcher_pid()):
        first = Asked(k, f"/containers/{cid}/start")
        eventually("it is starting", lambda: "-> starting" in k.log_tail(4000))
        second = Asked(k, f"/containers/{cid}/restart?t=0")
        time.sleep(0.3)
    eq(second.status(), (204, ""))
    state = k.state(cid)
    eq((state["Running"], harness.is_alive(state["Pid"])), (True, True), "when the restart is answered")
    eq(first.status(), (204, ""))
    time.sleep(0.3)
    eq(k.state(cid)["Pid"], state["Pid"], "afterwards")


def reap(pid):
    """Other tests make this process inherit orphans; the kernel tells an exit code only when somebody has reaped."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def test_exit_code_without_monitor_and_launcher(own):
    """Linux 6.15 still knows it; an older one does not, and it is 255."""
    k = started(own)
    cid = create(k, ["sh", "-c", "trap 'exit 21' TERM; while :; do sleep 0.1; done"])
    start(k, cid)
    time.sleep(0.3)
    monitor, pid = monitor_of(k, cid), k.state(cid)["Pid"]
    os.kill(k.launcher_pid(), signal.SIGKILL)
    os.kill(monitor, signal.SIGKILL)
    eventually("it is seen", lambda: is_degraded(k, cid))
    eq(os.path.exists(f"{k.exec_root}/c/{cid}.sock"), False, "the socket of the dead monitor")
    os.kill(pid, signal.SIGTERM)
    reap(pid)
    eventually("its end is known", lambda: k.state(cid)["Status"] == "exited", timeout=40)
    release = tuple(int(n) for n in os.uname().release.split("-")[0].split(".")[:2])
    eq(k.state(cid)["ExitCode"], 21 if release >= (6, 15) else 255)


def test_exec_code_without_monitor_and_launcher(own):
    k = started(own)
    cid = create(k, ["sleep", "1000"])
    start(k, cid)
    xid = k.api_json("POST", f"/containers/{cid}/exec", {"Cmd": ["sh", "-c", "trap 'exit 22' TERM; while :; do sleep 0.1; done"]}, want=201)["Id"]
    eq(k.api("POST", f"/exec/{xid}/start", {"Detach": True})[0], 200)
    time.sleep(0.3)
    pid = k.api_json("GET", f"/exec/{xid}/json", want=200)["Pid"]
    with open(f"/proc/{pid}/stat") as f:
        monitor = int(f.read().rsplit(")", 1)[1].split()[1])
    os.kill(k.launcher_pid(), signal.SIGKILL)
    os.kill(monitor, signal.SIGKILL)
    time.sleep(0.3)
    os.kill(pid, signal.SIGTERM)
    reap(pid)
    seen = eventually("its end is known", lambda: [x for x in [k.api_json("GET", f"/exec/{xid}/json", want=200)] if not x["Running"]])
    release = tuple(int(n) for n in os.uname().release.split("-")[0].split(".")[:2])
    eq(seen[0]["ExitCode"], 22 if release >= (6, 15) else 255)


def test_a_program_whose_monitor_wrote_no_record_is_found(own):
    """The monitor is killed between the program's first instruction and the exit record: it runs on, may write, and is known."""
    if not shutil.which("strace"):
        raise harness.Skip("strace is not installed")
    k = started(own)
    cid = create(k, ["sh", "-c", "while echo on; do sleep 0.05; done; sleep 1000"])
    launcher = k.launcher_pid()
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", k.dir + "/trace", "-e", "trace=pwrite64", "-e",
                               "inject=pwrite64:delay_enter=2000000:when=1",
                               *[a for p in harness.starters_of(launcher) for a in ("-p", str(p))]], stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        asked = Asked(k, f"/containers/{cid}/start")
        program = eventually("the program runs", lambda: [p for p in harness.descendants_of(launcher) if is_shell(p)], every=0.01)[0]
        with open(f"/proc/{program}/stat") as f:
            os.kill(int(f.read().rsplit(")", 1)[1].split()[1]), signal.SIGKILL)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
    eq(asked.status(), (204, ""))
    eq((k.state(cid)["Running"], k.state(cid)["Pid"], is_degraded(k, cid)), (True, program, True))
    time.sleep(0.3)
    eventually("it writes on, and nobody reads", lambda: "sleep\x000.05\x00" in commands_below(program), every=0.01)
    eq(k.api("DELETE", f"/containers/{cid}?force=1")[0], 204)


def commands_below(pid):
    found = []
    for child in harness.children_of(pid):
        with contextlib.suppress(OSError), open(f"/proc/{child}/cmdline") as f:
            found.append(f.read())
    return found


def is_shell(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as f:
        return f.read() == "sh\n"
    return False


def test_what_a_cut_off_write_left_is_swept(own):
    k = started(own)
    for path in (k.exec_root + "/x/", k.data_root + "/seccomp/"):
        os.makedirs(path, exist_ok=True)
        with open(path + "a" * 64 + ".json.1-0.tmp", "w") as f:
            f.write("half")
    k.restart()
    for path in (k.exec_root + "/x/", k.data_root + "/seccomp/"):
        eq([n for n in os.listdir(path) if n.endswith(".tmp")], [], path)
