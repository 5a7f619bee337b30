# SPDX-License-Identifier: Apache-2.0
"""containerd, dockerd and podman with kiln-runtime as their runtime, as contrib/engines/ configures it. Each has its own folders and
its own daemon; nothing is changed on the host's network.
"""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile

import harness
import test_rootless as rootless
from harness import Failed, Skip, cgroup_dirs, eq, eventually, has, mounts

# Where contrib/check.sh puts what is taken out of the distribution's packages.
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin:{harness.ROOT}/build/tools/engines"
INSTALLED = "/usr/local/bin/kiln-runtime"


def need(*programs):
    missing = [p for p in programs if not shutil.which(p, path=PATH)]
    if missing:
        raise Skip(f"not installed: {' '.join(missing)}")


class Place:
    """A folder with a root of busybox, a group below /kiln, and the daemons that work there."""

    def __init__(self, name):
        self.dir = tempfile.mkdtemp(prefix=f"engine-{name}-")
        self.group = f"/kiln/{os.path.basename(self.dir)}"
        self.env = {**os.environ, "PATH": PATH, "HOME": self.dir, "XDG_RUNTIME_DIR": self.dir, "CONTAINERS_CONF": self.dir + "/podman.conf"}
        self.daemons = []
        self.before = mounts()
        self.rootfs = root = self.dir + "/rootfs"
        os.makedirs(root + "/bin")
        shutil.copy(harness.BUSYBOX, root + "/bin/busybox")
        for applet in ("sh", "sleep", "id", "cat", "tty", "true"):
            os.symlink("busybox", f"{root}/bin/{applet}")
        for name in ("containerd.toml", "docker.json", "podman.conf"):
            with open(f"{harness.ROOT}/contrib/engines/{name}") as f:
                text = f.read()
            has(text, INSTALLED)
            with open(f"{self.dir}/{name}", "w") as f:
                f.write(text.replace(INSTALLED, harness.RUNTIME))

    def daemon(self, *args):
        with open(f"{self.dir}/{args[0]}.log", "w") as log:
            self.daemons.append(subprocess.Popen(args, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir))

    def call(self, *args, code=0, **kw):
        p = subprocess.run(args, env=self.env, stdin=kw.pop("stdin", subprocess.DEVNULL), capture_output=True, text=True, timeout=60, check=False, **kw)
        if code is not None and p.returncode != code:
            raise Failed(f"{' '.join(args)}: ended with {p.returncode}, want {code}: {p.stdout}{p.stderr}")
        return p.stdout + p.stderr

    def control(self, controller, name):
        """The one value of a file in the groups of our containers."""
        found = []
        for top in {d for d in cgroup_dirs(self.group) if controller in d or os.path.exists("/sys/fs/cgroup/cgroup.controllers")}:
            for d, _, files in os.walk(top):
                if d != top and name in files:
                    with open(f"{d}/{name}") as f:
                        found.append(f.read().strip())
        eq(len(found), 1, f"groups with {name} below {self.group}")
        return found[0]

    def close(self):
        for p in reversed(self.daemons):
            p.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.wait(20)
            p.kill()
            p.wait()
        for m in sorted((m for m in mounts() if m.startswith(self.dir)), reverse=True):
            subprocess.run(["umount", "-l", m], check=False)
        for top in cgroup_dirs(self.group):
            for d, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(d)
        shutil.rmtree(self.dir, ignore_errors=True)


@contextlib.contextmanager
def place(name):
    p = Place(name)
    try:
        yield p
    finally:
        p.close()


def containerd(p):
    with open(p.dir + "/config.toml", "w") as f:
        f.write(f'version = 2\nroot = "{p.dir}/cd-root"\nstate = "{p.dir}/cd-state"\nimports = ["{p.dir}/containerd.toml"]\n'
                'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                f'[grpc]\n  address = "{p.dir}/containerd.sock"\n')
    p.daemon("containerd", "--config", p.dir + "/config.toml")
    eventually("containerd answers", lambda: "Server" in p.call("ctr", "--address", p.dir + "/containerd.sock", "version", code=None))


def test_containerd():
    need("containerd", "ctr", "containerd-shim-runc-v2")
    with place("containerd") as p:
        containerd(p)
        has(p.call("containerd", "--config", p.dir + "/containerd.toml", "config", "dump"), f'BinaryName = "{harness.RUNTIME}"')

        def ctr(*args, **kw):
            return p.call("ctr", "--address", p.dir + "/containerd.sock", *args, **kw)

        def run(*args, **kw):
            return ctr("run", "--runc-binary", harness.RUNTIME, "--runc-root", p.dir + "/state", "--env", "PATH=/bin", *args, **kw)
        base = ("--rootfs", p.rootfs)
        eq(run("--rm", "--cgroup", p.group + "/a", *base, "a", "sh", "-c", "echo hello; exit 3", code=3), "hello\n")
        has(run("--rm", "--cgroup", p.group + "/a", *base, "a", "nosuch", code=1), "executable file not found")
        events = p.dir + "/events"
        with open(events, "w") as f:
            watcher = subprocess.Popen(["ctr", "--address", p.dir + "/containerd.sock", "events"], env=p.env, stdout=f, stderr=f)
        try:
            run("--detach", "--cgroup", p.group + "/b", "--memory-limit", str(32 << 20), *base, "b", "sleep", "1000")
            eq(p.control("memory", "memory.max" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "memory.limit_in_bytes"), str(32 << 20))
            ctr("task", "exec", "--exec-id", "e", "b", "sh", "-c", "exit 4", code=4)
            ctr("task", "exec", "--detach", "--exec-id", "f", "b", "sleep", "1000")
            eq(len(ctr("task", "ps", "b").splitlines()), 3)
            ctr("task", "pause", "b")
            has(ctr("task", "ls"), "PAUSED")
            ctr("task", "resume", "b")
            has(ctr("task", "ls"), "RUNNING")
            has(ctr("task", "metrics", "b"), "memory")
            ctr("task", "kill", "--signal", "KILL", "b")
            eventually("it has stopped", lambda: "STOPPED" in ctr("task", "ls"))
            ctr("task", "rm", "b", code=None)

            def topics():
                with open(events) as f:
                    return f.read()
            for topic in ("/tasks/create", "/tasks/start", "/tasks/exec-started", "/tasks/paused", "/tasks/resumed", "/tasks/exit", "/tasks/delete"):
                eventually(f"{topic} was told", lambda t=topic: t in topics())
        finally:
            watcher.kill()
            watcher.wait()
        ctr("container", "rm", "b")


def test_dockerd():
    need("dockerd", "containerd", "containerd-shim-runc-v2")
    if not harness.CLIS:
        raise Skip("no docker client")
    with place("docker") as p:
        containerd(p)
        p.daemon("dockerd", "--config-file", p.dir + "/docker.json", "--data-root", p.dir + "/data", "--exec-root", p.dir + "/exec", "--pidfile", p.dir + "/pid",
                 "--host", f"unix://{p.dir}/docker.sock", "--containerd", p.dir + "/containerd.sock", "--bridge", "none", "--iptables=false",
                 "--ip-forward=false", "--ip-masq=false", "--storage-driver", "vfs", "--cgroup-parent", p.group)

        def docker(*args, **kw):
            return p.call(harness.CLIS[0], "--host", f"unix://{p.dir}/docker.sock", *args, **kw)
        eventually("dockerd answers", lambda: "Server Version" in docker("info", code=None), 30)
        with subprocess.Popen(["tar", "-C", p.rootfs, "-c", "."], stdout=subprocess.PIPE) as tar:
            docker("import", "--change", "ENV PATH=/bin", "-", "bb", stdin=tar.stdout)
        with_kiln = ("--runtime", "kiln", "--network", "none")
        is_v2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
        memory = ("memory", "memory.max" if is_v2 else "memory.limit_in_bytes")
        # its own network is made by a prestart hook of dockerd
        eq(docker("run", "--rm", *with_kiln, "bb", "sh", "-c", "echo hello; exit 3", code=3), "hello\n")
        has(docker("run", "--rm", *with_kiln, "bb", "nosuch", code=127), "executable file not found")
        docker("run", "--detach", "--name", "web", *with_kiln, "--memory", "64m", "--memory-swap", "64m", "--cpus", "0.5", "--pids-limit", "50", "bb", "sleep", "1000")
        eq(p.control(*memory), str(64 << 20))
        eq(docker("exec", "--user", "7", "web", "sh", "-c", "id -u; exit 5", code=5), "7\n")
        stats = json.loads(docker("stats", "--no-stream", "--format", "{{json .}}", "web"))
        eq((stats["PIDs"], stats["MemUsage"].split(" / ")[1]), ("1", "64MiB"))
        docker("update", "--memory", "32m", "--memory-swap", "32m", "--cpus", "0.25", "web")
        eq((p.control(*memory), p.control("cpu", "cpu.max" if is_v2 else "cpu.cfs_quota_us").split()[0]), (str(32 << 20), "25000"))
        eq(p.control("pids", "pids.max"), "50")
        has(docker("top", "web"), "sleep 1000")
        docker("pause", "web")
        eq(docker("inspect", "--format", "{{.State.Status}}", "web"), "paused\n")
        docker("unpause", "web")
        docker("restart", "--time", "0", "web")
        eq(docker("inspect", "--format", "{{.State.Status}} {{.HostConfig.Runtime}}", "web"), "running kiln\n")
        docker("rm", "--force", "web")
        for more in (("--read-only", "--tmpfs", "/x", "--cap-drop", "ALL", "--user", "5:6", "--security-opt", "no-new-privileges", "--ulimit", "nofile=10:20",
                      "--volume", f"{p.rootfs}:/m:ro", "--oom-score-adj", "100"), ("--pid", "host", "--ipc", "host")):
            eq(docker("run", "--rm", *with_kiln, *more, "bb", "true"), "", " ".join(more))


def test_podman():
    need("podman", "conmon")
    with place("podman") as p:
        def podman(*args, **kw):
            return p.call("podman", "--root", p.dir + "/root", "--runroot", p.dir + "/run", "--tmpdir", p.dir + "/tmp", "--storage-driver", "vfs",
                          "--events-backend", "file", "--runtime", "kiln", *args, **kw)
        with subprocess.Popen(["tar", "-C", p.rootfs, "-c", "."], stdout=subprocess.PIPE) as tar:
            podman("import", "--change", "ENV PATH=/bin", "-", "bb", stdin=tar.stdout)
        own = ("--network", "none", "--cgroup-parent", p.group)
        eq(podman("run", "--rm", *own, "bb", "sh", "-c", "echo hello; exit 3", code=3), "hello\n")
        has(podman("run", "--rm", *own, "bb", "nosuch", code=127), "not found")
        podman("run", "--detach", "--name", "web", *own, "--memory", "64m", "bb", "sleep", "1000")
        eq(podman("exec", "web", "sh", "-c", "echo inside; exit 5", code=5), "inside\n")
        eq(podman("inspect", "--format", "{{.OCIRuntime}} {{.State.Status}}", "web"), "kiln running\n")
        podman("pause", "web")
        podman("unpause", "web")
        podman("rm", "--force", "--time", "0", "web")
        podman("pod", "create", "--name", "pod", *own, "--infra-image", "bb", "--infra-command", "sleep 1000")
        podman("run", "--detach", "--pod", "pod", "--name", "one", "bb", "sleep", "1000")
        podman("run", "--detach", "--pod", "pod", "--name", "two", "bb", "sleep", "1000")
        links = [podman("exec", name, "busybox", "readlink", "/proc/self/ns/net") for name in ("one", "two")]
        eq((links[0], links[0].startswith("net:[")), (links[1], True))
        podman("pod", "rm", "--force", "--time", "0", "pod")


def test_podman_without_root():
    need("podman", "conmon", "newuidmap", "setpriv")
    rt = rootless.User(has_name=True)
    with place("podman-user") as p:
        home = rt.dir
        for name in ("rootfs", "podman.conf"):
            shutil.move(f"{p.dir}/{name}", f"{home}/{name}")
        with open(home + "/podman.conf") as f:
            text = f.read()
        with open(home + "/podman.conf", "w") as f:
            f.write(text.replace(harness.RUNTIME, home + "/kiln-runtime"))
        rt.give(home)
        as_user = [*rt.program[:-1], "env", f"CONTAINERS_CONF={home}/podman.conf"]

        def podman(*args, **kw):
            return p.call(*as_user, "podman", "--storage-driver", "vfs", "--events-backend", "file", "--log-level", "error", "--runtime", "kiln", *args, cwd=home, **kw)
        try:
            subprocess.run(["tar", "-C", home + "/rootfs", "-cf", home + "/bb.tar", "."], check=True)
            podman("import", "--change", "ENV PATH=/bin", home + "/bb.tar", "bb")
            own = ("--network", "none")
            eq(podman("run", "--rm", *own, "bb", "sh", "-c", "id -u; cat /proc/self/uid_map; exit 3", code=3).split(),
               ["0", "0", str(rootless.UID), "1", "1", str(rootless.SUB), "65536"])
            podman("run", "--detach", "--name", "web", *own, "--user", "7", "--cap-add", "sys_admin", "bb", "sleep", "1000")
            eq(podman("exec", "web", "sh", "-c", "id -u; exit 5", code=5), "7\n")
            eq(podman("inspect", "--format", "{{.OCIRuntime}} {{.State.Status}}", "web"), "kiln running\n")
            podman("rm", "--force", "--time", "0", "web")
            # a user namespace in podman's, with all of its file systems
            eq(podman("run", "--rm", *own, "--userns", "keep-id", "bb", "id", "-u"), f"{rootless.UID}\n")
            eq(podman("run", "--rm", "--network", "host", "bb", "cat", "/proc/self/gid_map").split()[:3], ["0", str(rootless.UID), "1"])
        finally:
            # what keeps podman's user namespace
            for d in (home + "/xdg/libpod/tmp", home + "/xdg/libpod"):
                with contextlib.suppress(OSError, ValueError), open(d + "/pause.pid") as f:
                    os.kill(int(f.read()), signal.SIGKILL)
    rt.close()
