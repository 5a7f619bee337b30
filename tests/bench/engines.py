# SPDX-License-Identifier: Apache-2.0
"""Engines with Docker's API: Kiln, and dockerd in namespaces of its own."""
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import harness
from common import CLIENT, FLOOR, ROOT, SLEEP, TRUE, first_line, which
from loadrun import new_ext4, new_tmpfs

FLOOR_EXEC, FLOOR_EXEC_CONFINED = "floor: setns + fork + exec + wait", "floor, with groups and filter"


class Http:
    """Keep-alive over a unix socket, as little client as Python has."""
    def __init__(self, path):
        self.conn = http.client.HTTPConnection("bench", timeout=60)
        self.conn.sock = socket.socket(socket.AF_UNIX)
        self.conn.sock.connect(path)

    def __call__(self, method, path, body=None, want=(200, 201, 204)):
        data = json.dumps(body).encode() if body is not None else None
        self.conn.request(method, path, data, {"Content-Type": "application/json"} if body is not None else {})
        r = self.conn.getresponse()
        data = r.read()
        if r.status not in want:
            raise SystemExit(f"{method} {path}: {r.status} {data[:300]!r}")
        return json.loads(data) if data[:1] in (b"{", b"[") else data

    def raw(self, text):
        """One request, one answer that comes in one piece: for what is too quick for http.client."""
        self.conn.sock.sendall(text)
        return self.conn.sock.recv(65536)


class Engine:
    """What the measures need of an engine with Docker's API."""
    def __init__(self, name, path, stack):
        self.name, self.socket, self.api, self.stack, self.starter = name, path, Http(path), stack, None

    def create(self, cmd=SLEEP, more=None, **host):
        return self.api("POST", "/containers/create", {
            "Image": "busybox", "Cmd": cmd, "HostConfig": {"NetworkMode": "none", **host}, **(more or {})})["Id"]

    def start(self, cid):
        self.api("POST", f"/containers/{cid}/start")

    def remove(self, cid):
        self.api("DELETE", f"/containers/{cid}?force=1")

    def new(self):
        """create and start by a client that costs next to nothing. Return: the ms of both, and the ID"""
        if self.starter is None:
            self.starter = self.lines("start", "busybox", *SLEEP)
        create_ns, start_ns, cid = self.starter.answers("1", 3)
        return int(create_ns) / 1e6, int(start_ns) / 1e6, cid

    def start_once(self):
        create, start, cid = self.new()
        self.remove(cid)
        return {f"{self.name}: create": create, f"{self.name}: start": start, f"{self.name}: create + start": create + start}

    def lines(self, *job):
        """A client in C with a connection of its own: see client.c."""
        lines = Lines([CLIENT, self.socket, *job])
        self.stack.callback(lines.close)
        return lines


class Lines:
    """A process that answers a line for a line."""
    def __init__(self, argv, **more):
        self.proc = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)

    def __call__(self, line="go"):
        return self.many(line, 1)[0]

    def many(self, line, n):
        """The @n answers to one line, in ms."""
        return [int(answer) / 1e6 for answer in self.answers(line, n)]

    def answers(self, line, n):
        self.proc.stdin.write(f"{line}\n")
        self.proc.stdin.flush()
        lines = [self.proc.stdout.readline() for _ in range(n)]
        if "" in lines:
            raise SystemExit(f"bench: {' '.join(self.proc.args)[:300]} has ended")
        return [line.rstrip("\n") for line in lines]

    def close(self):
        self.proc.stdin.close()
        try:
            self.proc.wait(20)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()


class Bench:
    """What suites have in common: engines that are started when first asked for, and gone at the end."""
    def __init__(self, stack):
        self.stack = stack
        fresh_disk(stack)
        self.dir = self.new_dir()
        self.run = tempfile.mkdtemp(prefix="kiln-bench-", dir=run_base())
        stack.callback(shutil.rmtree, self.run, ignore_errors=True)
        self.parent = f"/kiln/bench-{os.getpid()}"
        stack.callback(self.remove_groups)
        self.archive = harness.busybox_archive()
        self._kiln = self._docker = self.kilnd = None

    def new_dir(self):
        path = tempfile.mkdtemp(prefix="kiln-bench-")
        self.stack.callback(shutil.rmtree, path, ignore_errors=True)
        return path

    @contextlib.contextmanager
    def on_disk(self):
        """Another Kiln, and floors, whose data is on the machine's disk: what is on tmpfs is memory itself."""
        kept = self.dir, self._kiln, self.kilnd, self.stack, tempfile.tempdir
        tempfile.tempdir = None
        if file_system(tempfile.gettempdir()) == "tmpfs":
            tempfile.tempdir = ROOT + "/build/bench"
        try:
            with contextlib.ExitStack() as self.stack:
                self.dir, self._kiln = self.new_dir(), None
                yield
        finally:
            self.dir, self._kiln, self.kilnd, self.stack, tempfile.tempdir = kept

    @property
    def kiln(self):
        if self._kiln is None:
            self._kiln = self.start_kiln("kiln")
            self.kilnd = self._kiln.daemon
        return self._kiln

    def start_kiln(self, name, *args, before=""):
        """One more, with the image; @before: shell commands for a mount namespace that it has for itself then"""
        k = harness.Kiln(extra_args=["--log-level", "warn", *args])
        k.exec_root = tempfile.mkdtemp(dir=self.run)
        k.wrapper = ["unshare", "--mount", "--propagation", "private", *after(before)] if before else []
        self.stack.callback(k.close)
        k.start()
        e = self.engine(name, k.socket)
        e.daemon = k
        e.start_once()                   # the filter is in the cache from here on
        return e

    def engine(self, name, path):
        conn = http.client.HTTPConnection("bench", timeout=60)
        conn.sock = socket.socket(socket.AF_UNIX)
        conn.sock.connect(path)
        conn.request("POST", "/images/load", self.archive, {"Content-Type": "application/x-tar"})
        r = conn.getresponse()
        text = r.read()
        if r.status != 200 or b"errorDetail" in text:
            raise SystemExit(f"{name}: load: {r.status} {text!r}")
        conn.close()
        return Engine(name, path, self.stack)

    def docker(self):
        if self._docker is None:
            self._docker = self.start_docker()
        return self._docker

    def start_docker(self, name="docker", before=""):
        """dockerd in namespaces of its own, with roots of its own; None when it is not installed or does not start.
        @before: shell commands for these namespaces"""
        if not which("dockerd") or os.environ.get("PEERS") == "none":
            return None
        root = f"{self.dir}/{name}"
        os.makedirs(root, exist_ok=True)
        sock, exec_root = root + "/d.sock", tempfile.mkdtemp(dir=self.run)
        log = open(root + "/log", "wb")
        proc = subprocess.Popen(
            ["unshare", "--mount", "--net", "--propagation", "private", *after(before), which("dockerd"), "-H", "unix://" + sock,
             "--data-root", root + "/data", "--exec-root", exec_root, "--pidfile", root + "/pid", "--bridge", "none",
             "--iptables=false", "--ip6tables=false", "--cgroup-parent", f"{self.parent}/{name}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.stack.callback(end, proc)
        for _ in range(300):
            with contextlib.suppress(OSError, SystemExit):
                e = self.engine("dockerd", sock)
                e.containerd = exec_root + "/containerd/containerd.sock"
                return e
            if proc.poll() is not None:
                break
            time.sleep(0.1)
        with open(root + "/log", errors="replace") as f:
            print("dockerd did not start: " + f.read()[-400:], file=sys.stderr)
        return None

    def remove_groups(self):
        for d in harness.cgroup_dirs(self.parent):
            for sub, _dirs, _files in os.walk(d, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(sub)

    def lines(self, argv, **more):
        lines = Lines(argv, **more)
        self.stack.callback(lines.close)
        return lines

    def floor(self, *options, program=SLEEP, mode="start"):
        if not harness.cgroup_dirs(self.parent):
            self.make_groups()
        daemon = self.kiln.daemon
        # as a container of Kiln has them, the topmost first; the lowest one has the mount points
        lower = ":".join([*map(os.path.basename, reversed(daemon.layer_dirs("busybox"))), "mount-points"])
        return self.lines([FLOOR, mode, *options, daemon.data_root + "/layers", lower,
                           f"{self.dir}/{mode}{len(options)}", f"{self.parent}/{mode}", cached_filter(daemon), *program])

    def floor_exec(self, e, pid, wrapper=()):
        """{name: one exec by the kernel alone}: bare, and confined as an exec of the engine @e is"""
        options = {FLOOR_EXEC: [], FLOOR_EXEC_CONFINED: ["-c", cached_filter(e.daemon)]}
        return {name: self.lines([*wrapper, FLOOR, "exec", *o, str(pid), *TRUE]) for name, o in options.items()}

    def make_groups(self):
        """The floor's group has one above it, with its cpuset filled, as every engine has."""
        base = "/sys/fs/cgroup"
        for name in os.listdir(base):
            top = os.path.join(base, name)
            if not os.path.isdir(top) or os.path.islink(top) or name == "systemd":
                continue
            path = top + self.parent
            os.makedirs(path, exist_ok=True)
            if name == "cpuset":
                for part in (top + "/kiln", path):
                    for f in ("cpuset.mems", "cpuset.cpus"):
                        with open(os.path.join(os.path.dirname(part), f)) as above, open(os.path.join(part, f), "r+") as here:
                            if not here.read().strip():
                                here.write(above.read())

    def bundle(self, name="bundle", args=TRUE, is_filtered=True):
        """Limits on the image's files, and Docker's seccomp profile if that is wanted, for the OCI runtimes."""
        path = f"{self.dir}/{name}"
        os.makedirs(path + "/rootfs")
        subprocess.run(["tar", "-x", "-C", path + "/rootfs"], input=harness.busybox_layer(), check=True)
        tool = which("crun") or which("runc")
        subprocess.run([tool, "spec"], cwd=path, check=True)
        with open(path + "/config.json") as f:
            config = json.load(f)
        config["process"].update(terminal=False, args=args)
        config["linux"]["cgroupsPath"] = self.parent + "/oci"
        config["linux"]["resources"].update(
            memory={"limit": 256 << 20}, cpu={"quota": 100000, "period": 100000, "shares": 512}, pids={"limit": 100})
        if is_filtered:
            config["linux"]["seccomp"] = oci_seccomp(set(config["process"]["capabilities"]["bounding"]))
        with open(path + "/config.json", "w") as f:
            json.dump(config, f)
        return path


def fresh_disk(stack):
    """A new ext4 in a file on tmpfs, where all data roots are from here on. Elsewhere a new inode takes the longer, the more has been
    deleted there in the last five minutes. Where it cannot be mounted, the disk is used as it is: the section's head has the file system."""
    with contextlib.ExitStack() as made:
        here = tempfile.mkdtemp(prefix="kiln-bench-")
        made.callback(shutil.rmtree, here, ignore_errors=True)
        made.callback(unmount, here)
        try:
            new_tmpfs(here)
            made.callback(unmount, here + "/fs")
            new = new_ext4(here)
        except (OSError, subprocess.CalledProcessError) as e:
            print(f"bench: no new ext4 ({e}): the disk is used as it is", file=sys.stderr)
            return
        made.callback(setattr, tempfile, "tempdir", tempfile.tempdir)
        tempfile.tempdir = new
        stack.push(made.pop_all())


def unmount(path):
    """What still ends keeps it for a moment."""
    for _ in range(50):
        if not os.path.ismount(path) or subprocess.run(["umount", path], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return
        time.sleep(0.1)
    print(f"bench: {path} is busy: it goes when whoever uses it has ended", file=sys.stderr)
    subprocess.run(["umount", "-l", path], check=False)


def file_system(path):
    return first_line("stat", "-f", "-c", "%T", path)


def run_base():
    """Where run-time state is put: on tmpfs, as /run is where the engines have it by default."""
    for d in ("/run", "/dev/shm"):
        if file_system(d) == "tmpfs":
            return d
    raise SystemExit("bench: neither /run nor /dev/shm is a tmpfs")


def cached_filter(daemon):
    """Docker's profile, compiled, in Kiln's cache."""
    found = daemon.data_root + "/seccomp"
    return max((os.path.join(found, n) for n in os.listdir(found)), key=os.path.getsize)


def after(commands):
    """What runs the program behind it after shell commands."""
    return ["sh", "-ec", commands + '\nexec "$@"', "sh"]


def oci_seccomp(caps):
    """Docker's profile, its conditions resolved, as the runtime specification has it."""
    with open(os.path.join(ROOT, "contrib/seccomp/default.json")) as f:
        p = json.load(f)

    def holds(rule):
        i, x = rule.get("includes") or {}, rule.get("excludes") or {}
        return (set(i.get("caps") or []) <= caps and "amd64" in (i.get("arches") or ["amd64"]) and
                not set(x.get("caps") or []) & caps and "amd64" not in (x.get("arches") or []))

    def plain(rule):
        out = {k: rule[k] for k in ("names", "action", "errnoRet") if rule.get(k) is not None}
        args = [{k: v for k, v in a.items() if v is not None} for a in rule.get("args") or []]
        return {**out, **({"args": args} if args else {})}

    arches = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    return {"defaultAction": p["defaultAction"], "architectures": arches,
            **({"defaultErrnoRet": p["defaultErrnoRet"]} if p.get("defaultErrnoRet") is not None else {}),
            "syscalls": [plain(r) for r in p["syscalls"] if holds(r)]}


def end(proc):
    with contextlib.suppress(OSError):
        proc.send_signal(signal.SIGTERM)
    try:
        proc.wait(30)
    except subprocess.TimeoutExpired:
        for pid in [*harness.descendants_of(proc.pid), proc.pid]:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        proc.wait()
