# SPDX-License-Identifier: Apache-2.0
"""exec, by runc's command line."""
import contextlib
import json
import os
import subprocess

from contract import each
from harness import Failed, eq, eventually, has, is_alive
from ociruntime import exit_code


@contextlib.contextmanager
def running(rt, *args, start=True):
    b = rt.bundle(*(args or ("sleep", "1000")))
    b.pid = rt.create(b)
    if start:
        rt.call("start", b.id)
        eventually("it runs", lambda: rt.status(b.id) == "running")
    yield b
    rt.call("delete", "--force", b.id)


def out_of(rt, b, *args, code=0, before=(), **kw):
    return rt.call("exec", *before, b.id, *args, code=code, **kw).out


@each
def test_exec_runs_in_the_container(rt):
    with running(rt) as b:
        eq(out_of(rt, b, "sh", "-c", "echo $PATH; cat /proc/sys/kernel/hostname; pwd; cat /proc/1/comm"), "/bin\nbundle\n/\nsleep\n")
        eq(out_of(rt, b, "sh", "-c", "exit 9", code=9), "")
        for ns in ("pid", "net", "ipc", "uts", "mnt", "cgroup"):
            eq(out_of(rt, b, "readlink", f"/proc/self/ns/{ns}").strip(), os.readlink(f"/proc/{b.pid}/ns/{ns}"), ns)
        p = rt.popen("exec", b.id, "cat", stdin=subprocess.PIPE)
        eq(p.communicate("through\n", timeout=60)[0], "through\n")


@each
def test_exec_options(rt):
    with running(rt) as b:
        path = ["--env", "PATH=/bin"] if rt.name == "crun" else []      # the container's is gone when there is any
        eq(out_of(rt, b, "sh", "-c", "echo $A-$B; pwd", before=[*path, "--env", "A=1", "--env", "B=x y", "--cwd", "/etc"]), "1-x y\n/etc\n")
        eq(out_of(rt, b, "id", "-u", before=["--user", "5"]), "5\n")
        eq(out_of(rt, b, "sh", "-c", "id -u; id -g", before=["-u", "5:6"]), "5\n6\n")
        for bad in ("x", "1:x") + (("", "-1", "1:", ":1", "4294967295", "4294967296", "1 2", "root", "+1") if rt.is_kiln else ()):
            rt.fails("exec", "--user", bad, b.id, "true")
        status = out_of(rt, b, "grep", "-E", "^(NoNewPrivs|CapEff|CapInh|CapAmb):", "/proc/self/status", before=["--no-new-privs", "--cap", "CAP_SYS_PTRACE"])
        fields = dict(line.split(":\t") for line in status.splitlines())
        eq((fields["NoNewPrivs"], int(fields["CapEff"], 16) & 1 << 19, fields["CapInh"], fields["CapAmb"]), ("1", 1 << 19, "0" * 16, "0" * 16))
        status = out_of(rt, b, "grep", "-E", "^(NoNewPrivs|CapEff):", "/proc/self/status")
        fields = dict(line.split(":\t") for line in status.splitlines())
        eq((fields["NoNewPrivs"], int(fields["CapEff"], 16) & 1 << 19), ("0", 0))


@each
def test_exec_of_a_process_document(rt):
    with running(rt) as b:
        file = b.dir + "/process.json"
        with open(file, "w") as f:
            json.dump({"args": ["sh", "-c", "echo $X; pwd; id -u; id -G; exit 3"], "cwd": "/bin", "env": ["PATH=/bin", "X=of the document"],
                       "user": {"uid": 7, "gid": 8, "additionalGids": [9]}, "capabilities": {}}, f)
        p = rt.call("exec", "--process", file, b.id, code=3)
        eq(p.out, "of the document\n/bin\n7\n8 9\n")


@each
def test_exec_detached(rt):
    with running(rt) as b:
        pid_file = b.dir + "/exec-pid"
        rt.call("exec", "--detach", "--pid-file", pid_file, b.id, "sh", "-c", "touch /tmp/up; sleep 1000")
        with open(pid_file) as f:
            pid = int(f.read())
        eventually("it runs", lambda: os.path.exists(b.rootfs + "/tmp/up"))
        eq((is_alive(pid), os.readlink(f"/proc/{pid}/ns/pid")), (True, os.readlink(f"/proc/{b.pid}/ns/pid")))
        with open(f"/proc/{pid}/cgroup") as f, open(f"/proc/{b.pid}/cgroup") as g:
            mine, its = f.read(), g.read()
        if rt.name != "crun":     # what is hidden from it, it does not join
            eq(mine, its)
        os.kill(pid, 9)
        eq(exit_code(pid), -9)


@each
def test_exec_that_fails(rt):
    with running(rt) as b:
        p = rt.call("exec", b.id, "nosuch", code=None)
        eq(p.returncode, 255)
        has(p.out + p.err, "executable file")
        if rt.name != "crun":      # leaves a process behind
            rt.fails("exec", "--cwd", "/nosuch", b.id, "true")
            rt.fails("exec", "--cwd", "relative", b.id, "true")
        rt.fails("exec", b.id)
        rt.fails("exec", "nosuch", "true")
        if rt.name == "crun":
            return      # its pid namespace does not end: it waits for what a failed exec has left
        rt.call("kill", b.id, "KILL")
        exit_code(b.pid)
        has(rt.fails("exec", b.id, "true"), "stopped")


@each
def test_exec_in_a_created_container(rt):
    with running(rt, "sleep", "1000", start=False) as b:
        eq(out_of(rt, b, "sh", "-c", "echo here; readlink /proc/1/exe || echo hidden").splitlines()[0], "here")
        eq(rt.status(b.id), "created")
        rt.call("start", b.id)
        eventually("it runs", lambda: rt.status(b.id) == "running")


@each
def test_exec_has_the_filter_of_the_container(rt):
    b = rt.bundle()
    b.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                                    "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}
    b.write("sleep", "1000")
    rt.create(b)
    rt.call("start", b.id)
    p = rt.call("exec", b.id, "mkdir", "/tmp/x", code=1)
    has(p.out + p.err, "No space left")
    rt.call("delete", "--force", b.id)


@each
def test_exec_of_many_at_once(rt):
    with running(rt) as b:
        procs = [rt.popen("exec", b.id, "sh", "-c", f"echo {k}; exit {k}") for k in range(8)]
        for k, p in enumerate(procs):
            eq((p.communicate(timeout=60)[0], p.returncode), (f"{k}\n", k))
        if not is_alive(b.pid):
            raise Failed("the container is gone")
