# SPDX-License-Identifier: Apache-2.0
"""Hooks: six kinds, in the specified order and namespaces, with the container's state; what fails, and what comes too late."""
import json
import os
import time

from contract import each
from harness import Failed, eq, eventually, has, is_alive
from ociruntime import exit_code

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
UNTIL_TERM = "trap 'exit 7' TERM; echo up > /tmp/up; while :; do sleep 0.05; done"


def hook(b, kind, do="", **more):
    """A hook that writes a line: its kind, the namespaces it is in, its state. Of startContainer, /tmp is the container's."""
    log = "/tmp/log" if kind == "startContainer" else b.rootfs + "/tmp/log"
    text = f"s=$(tr -d '\\n'); echo {kind} $(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/pid) \"$s\" >> {log}; {do}"
    return {"path": "/bin/sh", "args": ["sh", "-c", text], "env": ["PATH=/usr/bin:/bin"], **more}


def lines(b):
    with open(b.rootfs + "/tmp/log") as f:
        return [line.split(None, 3) for line in f.read().splitlines()]


def with_hooks(rt, kinds=KINDS, program=("sh", "-c", UNTIL_TERM), **do):
    b = rt.bundle()
    os.symlink("busybox", b.rootfs + "/bin/tr")
    b.config["hooks"] = {kind: [hook(b, kind, do.get(kind, ""))] for kind in kinds}
    b.config["annotations"] = {"org.example.key": "value"}
    return b.write(*program)


def check_order(rt, got, want):
    """The others do not wait for the program with the hooks that come when it has started."""
    eq(got if rt.is_kiln else sorted(got), list(want) if rt.is_kiln else sorted(want))


@each
def test_hooks_in_order_and_in_their_namespaces(rt):
    b = with_hooks(rt)
    pid = rt.create(b)
    if rt.name != "runc":       # 1.1 runs poststart hooks here already
        eq([x[0] for x in lines(b)], list(KINDS[:3]))
    rt.call("start", b.id)
    eventually("poststart has run", lambda: len(lines(b)) == 5)
    eventually("its program runs", lambda: os.path.exists(b.rootfs + "/tmp/up"))
    rt.call("kill", b.id, "TERM")
    eq(exit_code(pid), 7)
    check_order(rt, [x[0] for x in lines(b)], KINDS[:5])
    rt.call("delete", b.id)
    seen = {x[0]: x[1:] for x in lines(b)}
    check_order(rt, list(seen), KINDS)
    mine = [os.readlink("/proc/self/ns/" + ns) for ns in ("mnt", "pid")]
    for kind, (mnt, pids, text) in seen.items():
        state = json.loads(text)
        inside = kind in ("createContainer", "startContainer")
        # crun is called in a mount namespace that hides something from it
        eq((kind, rt.name != "crun" and mnt == mine[0], pids == mine[1]), (kind, rt.name != "crun" and not inside, not inside))
        # crun's is the directory it is in
        eq((kind, state["id"], state["bundle"] if rt.name != "crun" else b.dir), (kind, b.id, b.dir))
        if rt.name != "crun" or kind != "poststop":
            eq((kind, state["annotations"]), (kind, {"org.example.key": "value"}))
        status = {"startContainer": "created", "poststart": "running", "poststop": "stopped"}.get(kind, "creating")
        if rt.is_kiln or (rt.name == "runc" and kind != "poststart"):
            eq((kind, state["status"]), (kind, status))
        if kind in ("prestart", "createRuntime", "poststart"):
            eq((kind, state["pid"]), (kind, pid))
    if rt.name != "crun":
        eq(seen["createContainer"][0], seen["startContainer"][0])
    if rt.is_kiln:
        eq((json.loads(seen["createContainer"][2])["pid"], json.loads(seen["startContainer"][2])["pid"]), (1, 1))


@each
def test_hooks_of_run(rt):
    b = with_hooks(rt, program=("sh", "-c", "sleep 0.3; exit 5"))
    rt.call("run", "--bundle", b.dir, b.id, code=5)
    check_order(rt, [x[0] for x in lines(b)], KINDS)
    eq(rt.ids(), [])


@each
def test_a_hook_that_fails_ends_the_container(rt):
    """What comes before the program keeps it from running, and poststop hooks follow."""
    for kind in ("prestart", "createRuntime", "createContainer"):
        b = with_hooks(rt, (kind, "poststop"), ("touch", "/tmp/ran"), **{kind: "echo because; exit 3"})
        message = rt.fails("create", "--bundle", b.dir, b.id)
        if rt.is_kiln:
            has(message, f"{kind} hook '/bin/sh': exit status 3: because")
        if rt.name != "crun":
            eq([x[0] for x in lines(b)], [kind, "poststop"])
        eq((rt.ids(), os.path.exists(b.rootfs + "/tmp/ran")), ([], False))
    b = with_hooks(rt, ("startContainer", "poststop"), ("touch", "/tmp/ran"), startContainer="exit 3")
    pid = rt.create(b)
    if rt.is_kiln:      # the others do not wait for it
        has(rt.fails("start", b.id), "startContainer hook '/bin/sh': exit status 3")
    else:
        rt.call("start", b.id, code=None)
    exit_code(pid)
    eq(os.path.exists(b.rootfs + "/tmp/ran"), False)
    rt.call("delete", b.id)
    eq([x[0] for x in lines(b)], ["startContainer", "poststop"])


@each
def test_a_poststart_hook_that_fails_ends_the_program(rt):
    """runtime-spec 1.3; crun and older ones only complain."""
    if not rt.is_kiln:
        return
    b = with_hooks(rt, ("poststart", "poststop"), poststart="exit 3")
    pid = rt.create(b)
    has(rt.fails("start", b.id), "poststart hook '/bin/sh': exit status 3")
    eq(exit_code(pid), -9)
    eq(rt.status(b.id), "stopped")
    rt.call("delete", b.id)
    has(rt.fails("run", "--bundle", b.dir, b.id), "poststart")
    eq((rt.ids(), [x[0] for x in lines(b)]), ([], 2 * ["poststart", "poststop"]))


@each
def test_a_poststop_hook_that_fails_is_only_a_warning(rt):
    b = with_hooks(rt, (), ("true",))
    b.config["hooks"] = {"poststop": [hook(b, "poststop", "exit 3"), hook(b, "second")]}
    b.write()
    pid = rt.create(b)
    rt.call("start", b.id)
    exit_code(pid)
    p = rt.call("delete", b.id, code=0 if rt.is_kiln else None)
    if rt.is_kiln:      # the others stop at the first
        has(p.err, "exit status 3")
        eq([x[0] for x in lines(b)], ["poststop", "second"])
    eq(rt.ids(), [])


@each
def test_hooks_end_within_their_timeout(rt):
    for kind in ("createRuntime", "createContainer") if rt.is_kiln else ("createRuntime",):
        b = rt.bundle("true")
        pid_file = b.dir + "/hook.pid"
        b.config["hooks"] = {kind: [hook(b, kind, f"echo $$ > {pid_file}; exec sleep 1000", timeout=1)]}
        b.write()
        begin = time.monotonic()
        message = rt.fails("create", "--bundle", b.dir, b.id)
        if time.monotonic() - begin > 5:
            raise Failed(f"it took {time.monotonic() - begin} s")
        if rt.is_kiln:
            has(message, "it did not end within its timeout")
        with open(pid_file) as f:
            pid = int(f.read())
        if kind == "createRuntime":     # of the other it is the container's number
            eventually("it is gone", lambda p=pid: not is_alive(p))
        eq(rt.ids(), [])


@each
def test_hooks_that_mean_nothing_are_refused_before_anything_is_made(rt):
    if not rt.is_kiln:
        return
    b = rt.bundle("true")
    for text, words in (({"path": "bin/sh"}, "hooks.poststop[0]: path: 'bin/sh' is not absolute"), ({"path": "/x", "timeout": 0}, "hooks.poststop[0]: timeout"),
                        ({"args": []}, "hooks.poststop[0].path"), ({"path": "/x", "env": [1]}, "hooks.poststop[0].env[0]")):
        b.config["hooks"] = {"poststop": [text]}
        b.write()
        has(rt.fails("create", "--bundle", b.dir, b.id), words)
        eq(rt.ids(), [])
    b.config["hooks"] = {"createRuntime": [{"path": "/nosuch"}]}
    b.write()
    has(rt.fails("create", "--bundle", b.dir, b.id), "createRuntime hook '/nosuch': no such file or directory")
    eq(rt.ids(), [])


@each
def test_a_hook_gets_nothing_but_what_is_its_own(rt):
    """No descriptor of the runtime, no variable of its environment, no signal blocked; its directory is the bundle."""
    if not rt.is_kiln:
        return
    b = rt.bundle("true")
    out = b.dir + "/out"
    text = "pwd; ls /proc/$$/fd; grep SigBlk /proc/$$/status; exec env"
    sh = {"path": "/bin/sh", "args": ["sh", "-c", f"({text}) > {out}.$0 2>&1", ""], "env": ["PATH=/usr/bin:/bin", "A=b"]}
    kinds = ("createRuntime", "createContainer", "poststart", "poststop")
    b.config["hooks"] = {kind: [{**sh, "args": sh["args"][:3] + [kind]}] for kind in kinds}
    b.write()
    rt.call("run", "--preserve-fds", "1", "--bundle", b.dir, b.id, pass_fds=(3,) if os.path.exists("/proc/self/fd/3") else ())
    for kind in kinds:
        with open(f"{out}.{kind}") as f:
            got = f.read().split("\n")
        eq((kind, got[0], [x for x in got if x.startswith("SigBlk")]), (kind, b.dir, ["SigBlk:\t" + 16 * "0"]))
        eq((kind, sorted(x for x in got if x.isdigit() and int(x) > 2 and int(x) < 10)), (kind, []))
        eq((kind, "A=b" in got, any(x.startswith("HOME=") for x in got)), (kind, True, False))
