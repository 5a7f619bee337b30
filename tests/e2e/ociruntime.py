# SPDX-License-Identifier: Apache-2.0
"""OCI runtimes by their command line: kiln-runtime, and beside it crun and runc where they are installed."""
import contextlib
import ctypes
import json
import os
import shutil
import subprocess
import tempfile
import time

import bundles
import harness
from harness import Failed, cgroup_dirs, eq, eventually, mounts

PR_SET_CHILD_SUBREAPER = 36
PATHS = {"kiln": os.path.join(harness.BUILD, "kiln-runtime"), "crun": shutil.which("crun"), "runc": shutil.which("runc")}
# crun refuses a hybrid layout unless the cgroup2 mount is hidden from it.
HIDE = ["unshare", "-m", "--propagation", "private", "sh", "-c", 'mount -t tmpfs none /sys/fs/cgroup/unified && exec "$@"', "sh"]


class Runtime:
    """One runtime with a root, a control group and a directory of its own."""

    def __init__(self, name):
        self.name = name
        self.dir = tempfile.mkdtemp(prefix=f"contract-{name}-")
        self.root = os.path.join(self.dir, "root")
        self.parent = f"/kiln-contract-{name}-{os.getpid()}"
        hidden = name == "crun" and os.path.isdir("/sys/fs/cgroup/unified")
        self.program = (HIDE if hidden else []) + [PATHS[name]]
        self.mounts = mounts()
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)

    @property
    def is_kiln(self):
        return self.name == "kiln"

    def bundle(self, *args):
        b = bundles.Bundle(self.dir, self.parent)
        return b.write(*args) if args else b

    def popen(self, *args, globals=(), **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.PIPE)
        kw.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(self.program + ["--root", self.root, *globals, *args], text=True, **kw)

    def call(self, *args, code=0, **kw):
        """Runs a command; code None: whatever it is. Its streams are files, which containers may go on to hold."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            kw.setdefault("stdout", out)
            kw.setdefault("stderr", err)
            p = self.popen(*args, **kw)
            p.wait(timeout=60)
            out.seek(0)
            err.seek(0)
            p.out, p.err = out.read(), err.read()
        if code is not None and p.returncode != code:
            raise Failed(f"{self.name} {' '.join(args)}: ended with {p.returncode}, want {code}: {p.out}{p.err}")
        return p

    def fails(self, *args, **kw):
        p = self.call(*args, code=None, **kw)
        if p.returncode == 0:
            raise Failed(f"{self.name} {' '.join(args)}: should fail, and said {p.out}{p.err}")
        return p.out + p.err

    def state(self, name):
        return json.loads(self.call("state", name).out)

    def status(self, name):
        return self.state(name)["status"]

    def create(self, b, *args, **kw):
        """Returns the pid."""
        pid_file = os.path.join(b.dir, "pid")
        self.call("create", "--bundle", b.dir, "--pid-file", pid_file, *args, b.id, **kw)
        with open(pid_file) as f:
            return int(f.read())

    def wait_stopped(self, b):
        def stopped():
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            return self.status(b.id) == "stopped"
        eventually("it has stopped", stopped)

    def ids(self):
        """Of the containers; what begins with a dot is beside them."""
        return sorted(name for name in os.listdir(self.root) if not name.startswith(".")) if os.path.isdir(self.root) else []

    def close(self):
        """Deletes what is left over, and complains about what then is still there."""
        for name in self.ids():
            p = self.popen("delete", "--force", name)
            while p.poll() is None:
                reap_strays(p.pid)
                time.sleep(0.002)
        left = self.ids()
        groups = [os.path.join(d, g) for d in cgroup_dirs(self.parent) for g in os.listdir(d) if os.path.isdir(os.path.join(d, g))]
        for d in groups + cgroup_dirs(self.parent):     # the next one of that name is not to find them
            with contextlib.suppress(OSError):
                os.rmdir(d)
        more = [m for m in mounts() if m not in self.mounts and m.startswith(self.dir)]
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        shutil.rmtree(self.dir, ignore_errors=True)
        eq((left, groups, more), ([], [], []), f"{self.name}: left behind")


def reap_strays(but):
    """What runtimes leave to us besides the container's process: its pid namespace does not end before they are reaped."""
    for pid in harness.children_of(os.getpid()):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cgroup") as f:
            if pid != but and "/kiln-contract-" in f.read():
                os.waitpid(pid, os.WNOHANG)


def exit_code(pid):
    """Of a process that is our child, since we adopt what the runtimes leave."""
    def ended():
        reap_strays(pid)
        return os.waitpid(pid, os.WNOHANG)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        got, status = ended()
        if got == pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    raise Failed(f"process {pid} does not end")
