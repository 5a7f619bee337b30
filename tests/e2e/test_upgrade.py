# SPDX-License-Identifier: Apache-2.0
"""From the release before this one to this one, with running containers: kilnd and kiln-runtime of a kept older source
(tests/upgrade/) start them, this kilnd takes them over on the same roots."""
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time

import harness
from harness import Failed, Kiln, eq, eventually, has
from test_survival import monitor_of

COUNT = "i=0; while :; do echo line $i; i=$((i+1)); sleep 0.05; done"


def old_build():
    p = subprocess.run(["sh", os.path.join(harness.ROOT, "tests/upgrade/build.sh")], capture_output=True, text=True, check=False)
    if p.returncode:
        raise Failed(f"the older release does not build:\n{p.stderr}")
    return p.stdout.strip()


def version_of(k):
    return k.api_json("GET", "/version", want=200)["Version"]


def hijack_echo(s, text):
    """What a container with `cat` or a terminal says to it; the stream's frames are not looked at."""
    s.settimeout(20)
    s.sendall(text)
    got = b""
    while text.strip() not in got:
        more = s.recv(4096)
        if not more:
            raise Failed(f"the stream ended after {got!r}")
        got += more


def start_all(k):
    k.run("-dit", "--name", "term", "--", "sh")
    k.run("-di", "--name", "cat", "--", "cat")
    k.run("-d", "--name", "lines", "--memory", "64m", "--", "sh", "-c", COUNT)
    k.run("-d", "--name", "well", "--restart", "always", "--health-cmd", "test -e /well", "--health-interval", "200ms",
          "--", "sh", "-c", "touch /well; sleep 1000")
    k.run("-d", "--name", "polite", "--stop-timeout", "20", "--", "sh", "-c",
          "trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.1; done")
    k.run("-d", "--name", "short", "--", "sh", "-c", "while [ ! -e /end ]; do sleep 0.1; done; echo over; exit 5")
    k.run("-d", "--name", "flaky", "--restart", "on-failure:3", "--", "sh", "-c", "sleep 1000; exit 1")
    k.run("-d", "--name", "orphan", "--", "sh", "-c", "trap 'exit 11' TERM; while :; do sleep 0.1; done")
    k.docker("create", "--name", "made", "--network", "none", k.busybox(), "echo", "made")
    eventually("healthy", lambda: k.state("well")["Health"]["Status"] == "healthy")
    eventually("its trap is set", lambda: k.docker("logs", "polite").stdout == "up\n")
    os.kill(monitor_of(k, "orphan"), signal.SIGKILL)


RUNNING = ("term", "cat", "lines", "well", "polite", "flaky", "orphan")


def check_streams(k, client, session):
    """A client that was attached before, an exec that ran before, and new ones of both."""
    hijack_echo(client, b"still here\n")
    hijack_echo(session, b"session too\n")
    session.close()
    late, _, _ = k.hijack("/v1.41/containers/term/attach?stream=1&stdin=1&stdout=1")
    eq(k.api("POST", "/containers/term/resize?h=40&w=100")[0], 200)
    hijack_echo(late, b"stty size | sed s/^/size-/\n")
    eventually("the terminal's size", lambda: "size-40 100" in k.docker("logs", "term").stdout)
    late.close()
    client.close()
    eq(k.docker("exec", "lines", "sh", "-c", "echo in; exit 3", check=False).returncode, 3)


def check_ends(k):
    eq(k.docker("logs", "short").stdout, "over\n")
    eq((k.state("short")["Status"], k.state("short")["ExitCode"]), ("exited", 5))
    k.docker("stop", "polite")
    eq((k.state("polite")["ExitCode"], k.docker("logs", "polite").stdout), (9, "up\nbye\n"))
    k.docker("stop", "orphan")
    eq(k.state("orphan")["ExitCode"], 11)
    eventually("healthy", lambda: k.state("well")["Health"]["Status"] == "healthy")
    first = k.state("well")["Pid"]
    os.kill(first, signal.SIGKILL)
    os.kill(k.state("flaky")["Pid"], signal.SIGKILL)
    eventually("started again", lambda: k.state("well")["Running"] and k.state("well")["Pid"] not in (0, first))
    eventually("started again", lambda: k.state("flaky")["Running"] and k.inspect("flaky")["RestartCount"] == 1)
    eq(k.docker("start", "-a", "made").stdout, "made\n")


def check_lines(k):
    got = k.docker("logs", "lines").stdout.splitlines()
    eq(got, [f"line {i}" for i in range(len(got))])
    return len(got)


def upgrade(k, end):
    k.build = old_build()
    k.start()
    was = version_of(k)
    start_all(k)
    pids = {name: k.state(name)["Pid"] for name in RUNNING}
    started = {name: k.state(name)["StartedAt"] for name in RUNNING}
    monitors = {name: monitor_of(k, name) for name in RUNNING if name != "orphan"}
    old_launcher = k.launcher_pid()
    log = k.inspect("lines")["LogPath"]
    client, _, _ = k.hijack("/v1.41/containers/cat/attach?stream=1&stdin=1&stdout=1")
    exec_id = k.api_json("POST", "/containers/term/exec", {"Cmd": ["cat"], "AttachStdin": True, "AttachStdout": True}, want=201)["Id"]
    session, _, _ = k.hijack(f"/exec/{exec_id}/start", json.dumps({"Detach": False, "Tty": False}).encode())
    hijack_echo(client, b"before\n")
    hijack_echo(session, b"before\n")
    k.docker("exec", "short", "touch", "/end")   # it ends about when kilnd does
    end(k)
    with open(log, encoding="utf-8") as f:
        n_lines = len(f.readlines())
    k.build = harness.BUILD
    k.start()
    eq(version_of(k) == was, False, "another version")
    eq({name: k.state(name)["Pid"] for name in RUNNING}, pids)
    eq({name: k.state(name)["StartedAt"] for name in RUNNING}, started)
    eventually("another launcher", lambda: len(k.launcher_pids()) == 2)
    eq({name: m for name, m in monitors.items() if not harness.is_alive(m)}, {}, "monitors that are gone")
    check_streams(k, client, session)
    check_ends(k)
    if check_lines(k) <= n_lines:
        raise Failed("no line since the upgrade")
    eq(k.run("--rm", "--", "echo", "new").stdout, "new\n")
    k.docker("rm", "-f", *RUNNING, "short", "made")
    eventually("the old launcher ends after its last monitor", lambda: not harness.is_alive(old_launcher))
    eventually("no group is left", lambda: not any(len(name) == 64 for d in harness.cgroup_dirs(k.cgroup_parent)
                                                   for name in os.listdir(d)))
    eq(os.listdir(k.data_root + "/containers"), [])
    eq(os.listdir(k.exec_root + "/c"), [])


def test_upgrade_with_running_containers(own):
    upgrade(own, Kiln.terminate)


def test_upgrade_after_kill(own):
    upgrade(own, Kiln.kill9)


def test_upgrade_stop_under_way(own):
    """A stop that the older kilnd has in hand is this one's."""
    k = own
    k.build = old_build()
    k.start()
    k.run("-d", "--name", "st", "--stop-timeout", "2", "--", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
    eventually("it minds no TERM", lambda: k.docker("logs", "st").stdout == "up\n")
    client = k.popen("stop", "-t", "600", "st", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    k.kill9()
    client.wait()
    k.build = harness.BUILD
    k.start()
    eventually("stopped", lambda: k.state("st")["Status"] == "exited")
    eq(k.state("st")["ExitCode"], 137)


def test_downgrade_is_refused(own):
    k = own.start()
    k.terminate()
    with sqlite3.connect(k.data_root + "/kiln.db") as db:
        known = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute("PRAGMA user_version = 4711")
    db.close()
    k.start(wait=False)
    eq(k.proc.wait(20), 1)
    has(k.log_tail(), f"the database is of a newer Kiln (schema 4711, this one knows {known})")
    with sqlite3.connect(k.data_root + "/kiln.db") as db:
        db.execute(f"PRAGMA user_version = {known}")
    db.close()
    k.start()


def test_schema_upgrade_may_be_cut_off(own):
    """kill -9 at writes while the schema is made: it is whole or not there, and the next kilnd makes it."""
    if not shutil.which("strace"):
        raise harness.Skip("strace is not installed")
    k, n_cut = own, 0
    for n in range(3, 20, 2):
        shutil.rmtree(k.data_root, ignore_errors=True)
        k.wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e",
                     f"inject=pwrite64:signal=SIGKILL:when={n}"]
        k.start(wait=False)
        try:
            k.proc.wait(3)
        except subprocess.TimeoutExpired:
            k.terminate()   # so many writes it has not: it serves
            break
        n_cut += 1
        if not os.path.exists(k.data_root + "/kiln.db"):
            continue
        with contextlib.closing(sqlite3.connect(k.data_root + "/kiln.db")) as db:
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            version = db.execute("PRAGMA user_version").fetchone()[0]
        eq(bool(tables), version > 0, f"{tables} in version {version}, cut off at write {n}")
    k.wrapper = []
    if n_cut < 3:
        raise Failed(f"cut off only {n_cut} times")
    k.start()
    eq(k.run("--rm", "--", "echo", "works").stdout, "works\n")
