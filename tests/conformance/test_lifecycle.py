# SPDX-License-Identifier: Apache-2.0
"""create, start, state, kill, delete, list: the lifecycle of the specification, by runc's command line."""
import json
import os
import subprocess
import tempfile

from contract import each
from harness import Failed, eq, eventually, has, is_alive
from ociruntime import exit_code

UNTIL_TERM = "trap 'exit 7' TERM; echo up > /tmp/up; while :; do sleep 0.05; done"


def wait_up(b):
    eventually("its program runs", lambda: os.path.exists(b.rootfs + "/tmp/up"))


@each
def test_lifecycle(rt):
    b = rt.bundle("sh", "-c", UNTIL_TERM)
    pid = rt.create(b)
    state = rt.state(b.id)
    eq({k: state[k] for k in ("id", "status", "pid", "bundle")}, {"id": b.id, "status": "created", "pid": pid, "bundle": b.dir})
    eq(state["rootfs"], b.rootfs if rt.name != "crun" else "rootfs")
    eq((is_alive(pid), os.path.exists(b.rootfs + "/tmp/up")), (True, False))
    rt.call("start", b.id)
    wait_up(b)
    eq((rt.status(b.id), rt.state(b.id)["pid"]), ("running", pid))
    rt.fails("start", b.id)
    has(rt.fails("delete", b.id), "stopped")
    rt.call("kill", b.id, "TERM")
    eq(exit_code(pid), 7)
    eq((rt.status(b.id), rt.state(b.id)["pid"]), ("stopped", 0))
    rt.fails("start", b.id)
    has(rt.fails("kill", b.id, "TERM"), "not running" if rt.name != "crun" else "No such process")
    rt.call("delete", b.id)
    for command in ("state", "start", "delete"):
        has(rt.fails(command, b.id), "does not exist" if rt.name != "crun" else "No such file")
    rt.fails("kill", b.id, "TERM")
    rt.call("delete", "--force", b.id)
    eq(rt.ids(), [])


@each
def test_ids(rt):
    b = rt.bundle("true")
    for bad in (".", "..", "a/b", "../x") + (("a b", "\u00e4", "a\n") if rt.name != "crun" else ()):
        rt.fails("create", "--bundle", b.dir, bad)
    rt.fails("create", "--bundle", b.dir, "")
    good = "A_b+c.d-9"
    rt.call("create", "--bundle", b.dir, good)
    eq((rt.status(good), rt.ids()), ("created", [good]))
    rt.call("delete", "--force", good)


@each
def test_an_id_is_taken_once(rt):
    b = rt.bundle("sh", "-c", UNTIL_TERM)
    pid = rt.create(b)
    other = rt.bundle("true")
    has(rt.fails("create", "--bundle", other.dir, b.id), "exist")
    eq((rt.status(b.id), rt.state(b.id)["pid"], is_alive(pid)), ("created", pid, True))
    if not rt.is_kiln:          # of the others several may get it, and the first one's groups are never removed then
        return
    # of many at once one gets it
    many = [rt.bundle("true") for _ in range(6)]
    procs = [rt.popen("create", "--bundle", m.dir, "one", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for m in many]
    codes = sorted(p.wait(60) != 0 for p in procs)
    eq(codes, [False] + 5 * [True])
    eq(rt.status("one"), "created")


@each
def test_a_program_that_is_not_there_fails_at_create(rt):
    """containerd and docker make 126 and 127 of these words."""
    b = rt.bundle()
    for args, words in ((["nosuch"], "executable file"), (["/nosuch"], "no such file or directory"), (["/etc/passwd"], "permission denied")):
        b.write(*args)
        has(rt.fails("create", "--bundle", b.dir, b.id).lower(), words)
        eq(rt.ids(), [])


@each
def test_many_starts_are_one(rt):
    if not rt.is_kiln:      # some of runc's wait for ever, and crun's all say that they have started it
        return
    for _ in range(10):
        b = rt.bundle("sh", "-c", "echo ran >> /tmp/ran; sleep 1000")
        rt.create(b)
        procs = [rt.popen("start", b.id, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(8)]
        eq(sorted(p.wait(20) != 0 for p in procs), [False] + 7 * [True])
        eventually("it runs", lambda b=b: os.path.exists(b.rootfs + "/tmp/ran"))
        with open(b.rootfs + "/tmp/ran") as f:
            eq(f.read(), "ran\n")
        eq(rt.status(b.id), "running")
        rt.call("delete", "--force", b.id)


@each
def test_the_configuration_is_that_of_create(rt):
    b = rt.bundle("sh", "-c", "echo old > /tmp/which")
    pid = rt.create(b)
    b.write("sh", "-c", "echo new > /tmp/which")
    rt.call("start", b.id)
    eq(exit_code(pid), 0)
    with open(b.rootfs + "/tmp/which") as f:
        eq(f.read(), "old\n")


@each
def test_streams_and_exit_codes_are_the_callers(rt):
    b = rt.bundle("sh", "-c", "read line; echo out:$line; echo err >&2; exit 3")
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        r, w = os.pipe()
        pid = rt.create(b, stdin=r, stdout=out, stderr=err)
        os.close(r)
        rt.call("start", b.id)
        os.write(w, b"through\n")
        os.close(w)
        eq(exit_code(pid), 3)
        out.seek(0)
        err.seek(0)
        eq((out.read(), err.read()), ("out:through\n", "err\n"))


@each
def test_signals(rt):
    b = rt.bundle("sh", "-c", "for s in HUP USR1 USR2 WINCH; do trap \"echo $s >> /tmp/got\" $s; done; touch /tmp/up; while :; do sleep 0.05; done")
    pid = rt.create(b)
    rt.call("start", b.id)
    wait_up(b)
    for k, signal in enumerate(("HUP", "SIGUSR1", "12", "28")):
        rt.call("kill", b.id, signal)
        eventually("it came", lambda n=k: os.path.exists(b.rootfs + "/tmp/got") and len(open(b.rootfs + "/tmp/got").readlines()) == n + 1)
    with open(b.rootfs + "/tmp/got") as f:
        eq(f.read().split(), ["HUP", "USR1", "USR2", "WINCH"])
    for bad in ("NOSUCH", "65536", "0x9") if rt.name != "crun" else ():      # crun sends none, and says nothing
        rt.fails("kill", b.id, bad)
    rt.call("kill", b.id, "KILL")
    eq(exit_code(pid), -9)
    rt.call("delete", b.id)


@each
def test_a_created_container_can_be_killed_and_deleted(rt):
    b = rt.bundle("true")
    pid = rt.create(b)
    rt.call("kill", b.id, "KILL")
    eq(exit_code(pid), -9)
    eq(rt.status(b.id), "stopped")
    has(rt.fails("start", b.id), "stopped" if not rt.name == "crun" else "")
    rt.call("delete", b.id)
    pid = rt.create(b)
    rt.call("delete", *(["--force"] if rt.name == "crun" else []), b.id)
    eventually("its process is gone", lambda: not is_alive(pid))


@each
def test_delete_force_ends_what_runs(rt):
    b = rt.bundle("sh", "-c", UNTIL_TERM)
    pid = rt.create(b)
    rt.call("start", b.id)
    wait_up(b)
    rt.call("delete", "--force", b.id)
    eventually("its process is gone", lambda: not is_alive(pid))
    eq(rt.ids(), [])


@each
def test_list(rt):
    eq(rt.call("list", "--quiet").out, "")
    a, b = rt.bundle("sh", "-c", UNTIL_TERM), rt.bundle("true")
    pid = rt.create(a)
    rt.call("start", a.id)
    rt.create(b)
    eq(sorted(rt.call("list", "-q").out.split()), sorted([a.id, b.id]))
    rows = {row["id"]: row for row in json.loads(rt.call("list", "--format", "json").out)}
    eq({k: (row["status"], row["bundle"]) for k, row in rows.items()}, {a.id: ("running", a.dir), b.id: ("created", b.dir)})
    eq((rows[a.id]["pid"], rows[a.id]["owner"]), (pid, "root"))
    lines = rt.call("list").out.splitlines()
    eq((lines[0].split()[:4], len(lines)), (["ID", "PID", "STATUS", "BUNDLE"] if rt.name == "runc" or rt.is_kiln else ["NAME", "PID", "STATUS", "BUNDLE"], 3))
    (line,) = [x for x in lines if x.startswith(a.id)]
    eq(line.split()[1:4], [str(pid), "running", a.dir])


@each
def test_run(rt):
    b = rt.bundle("sh", "-c", "cat; exit 5")
    p = rt.popen("run", "--bundle", b.dir, b.id, stdin=subprocess.PIPE)
    eq((*p.communicate("through\n", timeout=60), p.returncode), ("through\n", "", 5))
    eq(rt.ids(), [])
    b.write("sh", "-c", UNTIL_TERM)
    pid_file = b.dir + "/pid"
    rt.call("run", "--detach", "--bundle", b.dir, "--pid-file", pid_file, b.id)
    wait_up(b)
    eq(rt.status(b.id), "running")
    rt.call("kill", b.id)
    with open(pid_file) as f:
        eq(exit_code(int(f.read())), 7)
    rt.call("delete", b.id)
    if rt.name != "crun" and not (rt.name == "runc" and "--keep" not in rt.call("run", "--help").out):
        b.write("sh", "-c", "exit 4")
        rt.call("run", "--keep", "--bundle", b.dir, b.id, code=4)
        eq(rt.status(b.id), "stopped")


@each
def test_run_tells_what_fails(rt):
    b = rt.bundle("nosuch")
    has(rt.fails("run", "--bundle", b.dir, b.id), "executable file")
    eq(rt.ids(), [])
    rt.fails("run", "--bundle", b.dir + "/nosuch", b.id)
    with open(b.dir + "/config.json", "w") as f:
        f.write("{")
    rt.fails("run", "--bundle", b.dir, b.id)
    eq(rt.ids(), [])


@each
def test_the_log_has_what_failed(rt):
    """containerd and Docker read the last line of it."""
    b = rt.bundle("nosuch")
    log = b.dir + "/log.json"
    err = rt.fails("create", "--bundle", b.dir, b.id, globals=["--log", log, "--log-format", "json"])
    has(err, "nosuch")
    with open(log) as f:
        last = json.loads(f.readlines()[-1])
    eq(last["level"], "error")
    has(last["msg"], "executable file")
    if "time" not in last:
        raise Failed(f"no time in {last}")


@each
def test_run_passes_signals_on(rt):
    b = rt.bundle("sh", "-c", UNTIL_TERM)
    p = rt.popen("run", "--bundle", b.dir, b.id)
    wait_up(b)
    # not to the shell that hides a mount from crun
    p.send_signal(15)
    p.communicate(timeout=60)
    eq(p.returncode, 7)
