# SPDX-License-Identifier: Apache-2.0
"""kiln-runtime checkpoint and restore, through CRIU: it works in tests/vm, and says why where it does not."""
import os
import shutil
import subprocess
import time

from harness import Skip, eq, eventually, has
from test_front import kiln

COUNT = "echo once >> /data/begun; i=0; while :; do i=$((i+1)); echo $i; echo $i > /data/count; sleep 0.05; done"


def need_criu():
    if shutil.which("criu") is None:
        raise Skip("criu is not installed; it is in tests/vm")
    if not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        raise Skip("checkpoints need cgroup v2 alone; tests/vm has it")
    p = subprocess.run(["criu", "check"], capture_output=True, text=True)
    if p.returncode != 0:
        raise Skip(f"criu check: {p.stderr.splitlines()[0]}")


def counter(rt):
    """A container that counts in a file of the host, with a bind and masked paths."""
    b = rt.bundle()
    b.data = b.dir + "/data"
    os.makedirs(b.data)
    b.config["mounts"].append({"destination": "/data", "type": "bind", "source": "data", "options": ["rbind", "rw"]})
    b.config["linux"]["resources"]["memory"] = {"limit": 64 << 20}
    b.write("sh", "-c", COUNT)
    return b


def count(b):
    with open(b.data + "/count") as f:
        return int(f.read() or 0)


def goes_on(b, since):
    eventually("it counts", lambda: os.path.exists(b.data + "/count") and count(b) > since)


def test_checkpoint_and_restore():
    """What is in memory goes on where it was: with --leave-running in both, else only after the restore, and with another ID; in the group,
    namespaces and limits of the bundle, with the caller's descriptors; poststart and poststop hooks are run."""
    need_criu()
    with kiln() as rt:
        b = counter(rt)
        log = b.dir + "/hooks"
        hook = {"path": "/bin/sh", "args": ["sh", "-c", f"echo $0 >> {log}", "hook"]}
        b.config["hooks"] = {"poststart": [hook], "poststop": [hook]}
        b.write()
        reader, writer = os.pipe()
        rt.call("run", "--detach", "--bundle", b.dir, b.id, stdout=writer, stderr=subprocess.DEVNULL)
        goes_on(b, 0)
        image = b.dir + "/image"
        rt.call("checkpoint", "--image-path", image, "--leave-running", b.id)
        eq(rt.status(b.id), "running")
        goes_on(b, count(b))
        os.chmod(image, 0o777)
        has(rt.fails("checkpoint", "--image-path", image, b.id), "not a directory of root's alone")
        os.chmod(image, 0o700)
        shutil.rmtree(image)
        rt.call("checkpoint", "--image-path", image, "--work-path", b.dir + "/work", b.id)
        last = count(b)
        has(rt.fails("state", b.id), "does not exist")
        eq(rt.ids(), [])
        pid_file = b.dir + "/pid2"
        reader2, writer2 = os.pipe()
        rt.call("restore", "--image-path", image, "--work-path", b.dir + "/work", "--bundle", b.dir, "--detach", "--pid-file", pid_file, b.id + "-2",
                stdout=writer2, stderr=subprocess.DEVNULL)
        state = rt.state(b.id + "-2")
        with open(pid_file) as f:
            pid = int(f.read())
        eq((state["status"], state["pid"]), ("running", pid))
        goes_on(b, last)
        os.close(writer2)
        os.close(reader)
        os.close(writer)
        eq(int(os.read(reader2, 100).split()[-1]) > last, True)
        with open(b.data + "/begun") as f:
            eq(f.read(), "once\n")
        with open(f"/proc/{pid}/cgroup") as f:
            eq(f.read().strip().split("::")[1], b.cgroup)
        with open(f"/sys/fs/cgroup{b.cgroup}/memory.max") as f:
            eq(f.read().strip(), str(64 << 20))
        eq(rt.call("exec", b.id + "-2", "cat", "/proc/self/cgroup").out, "0::/\n")
        eq(rt.call("exec", b.id + "-2", "cat", "/proc/kcore").out, "")
        rt.call("delete", "--force", b.id + "-2")
        os.close(reader2)
        with open(log) as f:
            eq(f.read().split(), ["hook"] * 4)
        # in the foreground: it ends as its program does, and is deleted
        p = rt.popen("restore", "--image-path", image, "--bundle", b.dir, b.id, stderr=subprocess.DEVNULL)
        goes_on(b, last)
        eventually("it runs", lambda: rt.ids() == [b.id] and rt.status(b.id) == "running")
        rt.call("kill", b.id, "KILL")
        p.stdout.read()
        p.wait(timeout=60)
        eq((p.returncode, rt.ids()), (137, []))


def test_checkpoints_in_steps_and_restores_that_are_killed():
    """Memory beforehand and the rest after it; a network namespace that was joined by path is joined again; whoever kills a restore has left
    what delete takes away; and it comes back in a scope of systemd's."""
    need_criu()
    with kiln() as rt:
        b = counter(rt)
        subprocess.run(["ip", "netns", "add", b.id], check=True)
        try:
            next(n for n in b.config["linux"]["namespaces"] if n["type"] == "network")["path"] = f"/run/netns/{b.id}"
            b.write()
            silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            rt.call("run", "--detach", "--bundle", b.dir, b.id, **silent)
            goes_on(b, 0)
            rt.call("checkpoint", "--pre-dump", "--image-path", b.dir + "/image/pre", b.id)
            eq(rt.status(b.id), "running")
            rt.call("checkpoint", "--parent-path", "../pre", "--image-path", b.dir + "/image/last", b.id)
            last = count(b)
            restore = ("restore", "--detach", "--bundle", b.dir, "--image-path", b.dir + "/image/last", b.id)
            p = rt.popen(*restore, **silent)
            time.sleep(0.5)
            p.kill()
            p.wait()
            rt.call("delete", "--force", b.id)
            eq((rt.ids(), os.path.exists("/sys/fs/cgroup" + b.cgroup)), ([], False))
            rt.call(*restore, **silent)
            goes_on(b, last)
            eq(os.stat(f"/proc/{rt.state(b.id)['pid']}/ns/net").st_ino, os.stat(f"/run/netns/{b.id}").st_ino)
            rt.call("delete", "--force", b.id)
            if os.path.isdir("/run/systemd/system"):
                b.config["linux"]["cgroupsPath"] = f"kiln-test.slice:kc:{b.id}"
                b.write()
                rt.call(*restore, globals=("--systemd-cgroup",), **silent)
                goes_on(b, last)
                with open(f"/proc/{rt.state(b.id)['pid']}/cgroup") as f:
                    eq(f.read(), f"0::/kiln.slice/kiln-test.slice/kc-{b.id}.scope\n")
                rt.call("delete", "--force", b.id)
        finally:
            subprocess.run(["ip", "netns", "delete", b.id], check=True)


def test_checkpoints_that_are_refused():
    """By the path to what keeps it from being written, before anything is done; and where there is no CRIU, or no kernel for it, with that."""
    with kiln() as rt:
        b = rt.bundle("sleep", "1000")
        has(rt.fails("checkpoint", "nosuch"), "does not exist")
        has(rt.fails("checkpoint", "--page-server", "x", "nosuch"), "page-server")
        has(rt.fails("restore", "--lazy-pages", "nosuch"), "lazy-pages")
        has(rt.fails("restore", "--bundle", b.dir, "--image-path", b.dir + "/none", b.id), "no such file")
        rt.call("create", "--bundle", b.dir, b.id, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        has(rt.fails("checkpoint", b.id), "container not running: it is created")
        rt.call("start", b.id)
        image = ("--image-path", b.dir + "/image")
        if not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
            has(rt.fails("checkpoint", *image, b.id), "checkpoints need cgroup v2")
            return
        has(rt.fails("checkpoint", *image, b.id, env={"PATH": "/nosuch"}), "criu is not installed: it is in the package 'criu'")
        # nor one of the working directory, or based on an image of somebody else's
        with open(b.dir + "/criu", "w") as f:
            f.write("#!/bin/sh\ntouch began\n")
        os.chmod(b.dir + "/criu", 0o755)
        has(rt.fails("checkpoint", *image, b.id, cwd=b.dir, env={"PATH": ".::nosuch"}), "criu is not installed")
        eq(os.path.exists(b.dir + "/began"), False)
        os.mkdir(b.dir + "/pre")
        os.chown(b.dir + "/pre", 1000, 1000)
        has(rt.fails("checkpoint", "--parent-path", "../pre", *image, b.id), "--parent-path: ", "not a directory of root's alone")
        os.symlink("../pre", b.dir + "/image/parent")
        has(rt.fails("restore", "--bundle", b.dir, *image, b.id + "-2"), "--image-path: ", "not a directory of root's alone")
        os.unlink(b.dir + "/image/parent")
        with open(b.dir + "/criu", "w") as f:
            f.write('#!/bin/sh\n[ "$1" = check ] && for a; do case $a in --work-dir=*) '
                    'echo "(00.1) Error (criu/vdso.c:381): vdso: not here" > "${a#*=}/check.log";; esac; done\nexit 1\n')
        os.chmod(b.dir + "/criu", 0o755)
        has(rt.fails("checkpoint", *image, b.id, env={"PATH": b.dir + ":/bin:/usr/bin"}),
            "'criu check' says that it cannot work with this kernel: vdso: not here")
        eq(rt.status(b.id), "running")
        b.config["process"]["noNewPrivileges"] = True
        b.write()
        has(rt.fails("restore", "--bundle", b.dir, *image, b.id + "-2"), "process.noNewPrivileges")
        del b.config["process"]["noNewPrivileges"]
        b.config["hooks"] = {"createRuntime": [{"path": "/bin/true"}]}
        b.write()
        has(rt.fails("restore", "--bundle", b.dir, *image, b.id + "-2"), "hooks.createRuntime")
        b.config["linux"]["namespaces"] = [n for n in b.config["linux"]["namespaces"] if n["type"] != "pid"]
        b.write()
        has(rt.fails("restore", "--bundle", b.dir, *image, b.id + "-2"), "linux.namespaces")
