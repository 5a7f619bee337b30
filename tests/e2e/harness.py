# SPDX-License-Identifier: Apache-2.0
"""What every end-to-end test stands on: a daemon of its own, the docker CLI, raw HTTP, images, and the leak check.

A test is a function test_*(k) in tests/e2e/test_*.py; k is a Kiln with its own data root, exec root, socket and cgroup
parent, shared by the tests of one worker and empty when a test begins. A test that kills or restarts the daemon takes
`own` instead and gets one for itself. Tests may run beside each other: they touch nothing outside their Kiln.
"""
import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import tarfile
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("KILN_BUILD", os.path.join(ROOT, "build"))
RUNTIME = os.environ.get("KILN_RUNTIME", BUILD + "/kiln-runtime")
IS_SANITIZED = "san" in os.path.basename(BUILD)
SANITIZERS_SAY = ("ERROR: AddressSanitizer", "WARNING: ThreadSanitizer", ": runtime error: ")
BUSYBOX = "/bin/busybox"
# contrib/check.sh puts the distribution's client into build/tools/ where none is installed.
CLIS = [p for p in ("/usr/bin/docker", "/usr/local/bin/docker", os.path.join(ROOT, "build/tools/docker"))
        if os.access(p, os.X_OK)]


class Skip(Exception):
    """Raise it with a reason; a skipped test is shown."""


class Failed(AssertionError):
    pass


def eventually(what, fn, timeout=15.0, every=0.05):
    """Waits until fn() is true and returns its value; the test fails with `what` else."""
    deadline = time.monotonic() + timeout * (3 if IS_SANITIZED else 1)
    while True:
        value = fn()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"timed out: {what}; last: {value!r}")
        time.sleep(every)


def eq(got, want, what=""):
    if got != want:
        raise Failed(f"{what + ': ' if what else ''}got {got!r}, want {want!r}")


def has(text, part, what=""):
    if part not in text:
        raise Failed(f"{what + ': ' if what else ''}{part!r} is not in {text!r}")


# ---- images -------------------------------------------------------------------------------------

def tar_bytes(entries):
    """A tar from (TarInfo or name, data) pairs; a bare name with data is a 0644 file, with None a 0755 directory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for info, data in entries:
            if isinstance(info, str):
                name, info = info, tarfile.TarInfo(info)
                info.mode = 0o755 if data is None else 0o644
                if data is None:
                    info.type = tarfile.DIRTYPE
                info.name = name
            if data is not None:
                info.size = len(data)
            t.addfile(info, io.BytesIO(data) if data is not None else None)
    return out.getvalue()


def busybox_layer():
    """A root file system of Debian's static busybox, with passwd, group and the usual directories."""
    with open(BUSYBOX, "rb") as f:
        binary = f.read()
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    entries = [(d, None) for d in ("bin", "etc", "tmp", "root", "home", "home/user", "var", "usr", "usr/bin", "www")]
    info = tarfile.TarInfo("bin/busybox")
    info.mode = 0o755
    entries.append((info, binary))
    for applet in applets:
        if applet == "busybox":
            continue
        link = tarfile.TarInfo(f"bin/{applet}")
        link.type, link.linkname, link.mode = tarfile.SYMTYPE, "/bin/busybox", 0o777
        entries.append((link, None))
    entries += [
        ("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n"
                       b"nobody:x:65534:65534:nobody:/:/bin/false\n"),
        ("etc/group", b"root:x:0:\nuser:x:1000:\nstaff:x:50:user\nnogroup:x:65534:\n"),
        ("www/index.html", b"hello from kiln\n"),
    ]
    return tar_bytes(entries)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def image_config(layers, config=None, **more):
    body = {
        "architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z",
        "config": config or {"Cmd": ["sh"], "Env": ["PATH=/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha256(l) for l in layers]},
        "history": [{"created": "2026-01-02T03:04:05Z", "created_by": f"layer {i}"} for i in range(len(layers))],
    }
    body.update(more)
    return json.dumps(body).encode()


def docker_archive(images):
    """images: list of (tags, config bytes, layers); layers are tar bytes."""
    entries, manifest, seen = [], [], set()
    for tags, config, layers in images:
        names = []
        for layer in layers:
            name = sha256(layer) + "/layer.tar"
            names.append(name)
            if name not in seen:
                entries.append((name, layer))
                seen.add(name)
        config_name = sha256(config) + ".json"
        if config_name not in seen:
            entries.append((config_name, config))
            seen.add(config_name)
        manifest.append({"Config": config_name, "RepoTags": tags, "Layers": names})
    entries.append(("manifest.json", json.dumps(manifest).encode()))
    return tar_bytes(entries)


_busybox = None


def busybox_archive(tag="busybox:latest", config=None, extra_layers=()):
    global _busybox
    if _busybox is None:
        _busybox = busybox_layer()
    layers = [_busybox, *extra_layers]
    return docker_archive([([tag], image_config(layers, config), layers)])


# ---- processes ----------------------------------------------------------------------------------

def comm_of(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as f:
        return f.read().strip()
    return ""


def children_of(pid):
    """Of every thread: a worker of kilnd starts processes, too. The launcher's stems, which are nobody's yet, do not count."""
    return [p for p in all_children_of(pid) if comm_of(p) != "kiln-stem"]


def stems_of(launcher):
    return [p for p in all_children_of(launcher) if comm_of(p) == "kiln-stem"]


def starters_of(launcher):
    """Whoever may make the next container or exec: for strace -f."""
    return [launcher, *stems_of(launcher)]


def all_children_of(pid):
    found = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as f:
                found += [int(p) for p in f.read().split()]
    return found


def descendants_of(pid):
    found, todo = [], [pid]
    while todo:
        kids = children_of(todo.pop())
        found += kids
        todo += kids
    return found


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def mounts(pid="self"):
    with open(f"/proc/{pid}/mountinfo") as f:
        return sorted(line.split(" ", 5)[4] for line in f)


def cgroup_dirs(parent):
    """Directories of our parent in every hierarchy."""
    base = "/sys/fs/cgroup"
    roots = [base] if os.path.exists(base + "/cgroup.controllers") else \
        [os.path.join(base, d) for d in os.listdir(base) if os.path.isdir(os.path.join(base, d))]
    return [os.path.join(r, parent.lstrip("/")) for r in roots if os.path.isdir(os.path.join(r, parent.lstrip("/")))]


# ---- the daemon ---------------------------------------------------------------------------------

def block_device():
    for name in sorted(os.listdir("/sys/block")):
        if os.path.exists("/dev/" + name) and not name.startswith(("loop", "ram")):
            with open(f"/sys/block/{name}/dev") as f:
                return "/dev/" + name, f.read().strip()
    raise Skip("this machine has no block device")


class Kiln:
    _count = 0

    def __init__(self, extra_args=(), env=None):
        Kiln._count += 1
        self.dir = tempfile.mkdtemp(prefix="kt-")
        self.data_root = self.dir + "/data"
        self.exec_root = self.dir + "/run"
        self.socket = self.dir + "/k.sock"
        self.cgroup_parent = f"/kiln/test-{os.getpid()}-{Kiln._count}"
        self.log_path = self.dir + "/kilnd.log"
        self.build = BUILD               # whose kilnd is started
        self.wrapper = []                # a command that runs kilnd: strace, say
        self.extra_args = list(extra_args)
        self.env = env
        self.proc = None
        self.loaded = set()
        self.baseline = None

    # -- life
    def start(self, wait=True):
        log = open(self.log_path, "ab")
        env = dict(os.environ, **(self.env or {}))
        env.setdefault("ASAN_OPTIONS", "detect_leaks=0:abort_on_error=1")
        self.proc = subprocess.Popen(
            [*self.wrapper, self.build + "/kilnd", "--data-root", self.data_root, "--exec-root", self.exec_root, "-H", "unix://" + self.socket,
             "--cgroup-parent", self.cgroup_parent, "--runtime", RUNTIME if self.build == BUILD else self.build + "/kiln-runtime",
             "--log-level", "debug", *self.extra_args],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True)
        log.close()
        if wait:
            self.wait_up()
        return self

    def wait_up(self):
        def up():
            if self.proc.poll() is not None:
                raise Failed(f"kilnd ended with {self.proc.returncode}: {self.log_tail()}")
            try:
                return self.api("GET", "/_ping")[0] == 200
            except OSError:
                return False
        eventually("kilnd answers", up, timeout=30)

    def log_tail(self, n=2000):
        try:
            with open(self.log_path, errors="replace") as f:
                return f.read()[-n:]
        except OSError:
            return ""

    def check_log(self):
        """What a sanitizer has found in kilnd, or in what it started, is a failure of whatever test."""
        if not IS_SANITIZED or not os.path.exists(self.log_path):
            return
        with open(self.log_path, errors="replace") as f:
            text = f.read()
        for said in SANITIZERS_SAY:
            if said in text:
                at = text.index(said)
                raise Failed(text[max(0, at - 200):at + 4000])

    def kill9(self):
        self.proc.kill()
        self.proc.wait()

    def terminate(self):
        if self.proc and self.proc.poll() is None:
            self.proc.terminate()
            try:
                self.proc.wait(20)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
                raise Failed("kilnd did not end within 20 s of SIGTERM")

    def restart(self):
        self.terminate()
        self.start()

    def launcher_pid(self):
        return next(iter(self.launcher_pids()), None)

    def launcher_pids(self):
        """Launchers whose exec root is ours: one, and after an upgrade the older one until its last monitor has ended. They
        outlive kilnd, so they are found by their arguments."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    args = f.read().split(b"\0")
                with open(f"/proc/{pid}/stat") as f:
                    ppid = int(f.read().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            if b"launcher" in args[:3] and self.exec_root.encode() in args:
                # monitors are forked from it and share its arguments: it is the one whose parent does not
                try:
                    with open(f"/proc/{ppid}/cmdline", "rb") as f:
                        if self.exec_root.encode() in f.read().split(b"\0") and b"launcher" in open(f"/proc/{ppid}/cmdline", "rb").read():
                            continue
                except OSError:
                    pass
                found.append(int(pid))
        return found

    def close(self):
        """Ends everything of ours and removes the files."""
        with contextlib.suppress(Exception):
            self.clean()
        with contextlib.suppress(Exception):
            self.terminate()
        for pid in self.launcher_pids():
            for p in [*descendants_of(pid), pid]:
                with contextlib.suppress(OSError):
                    os.kill(p, signal.SIGKILL)
        for _ in range(50):
            for d in cgroup_dirs(self.cgroup_parent):
                for sub, _dirs, _files in os.walk(d, topdown=False):
                    with contextlib.suppress(OSError):
                        os.rmdir(sub)
            if not cgroup_dirs(self.cgroup_parent):
                break
            time.sleep(0.05)
        shutil.rmtree(self.dir, ignore_errors=True)

    # -- talking
    def docker(self, *args, input=None, timeout=60, check=True, cli=None, env=None):
        """Runs the docker CLI; returns the CompletedProcess with text output."""
        e = dict(os.environ, DOCKER_HOST="unix://" + self.socket, HOME=self.dir, **(env or {}))
        e.pop("DOCKER_CONTEXT", None)
        if not CLIS:
            raise Failed("no docker CLI found")
        is_bytes = isinstance(input, bytes)
        input = input.encode() if isinstance(input, str) else input
        p = subprocess.run([cli or CLIS[0], *args], input=input, capture_output=True, timeout=timeout, env=e,
                           stdin=subprocess.DEVNULL if input is None else None)
        if not is_bytes or check:
            p.stdout_bytes, p.stderr_bytes = p.stdout, p.stderr
            p.stdout, p.stderr = p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")
        if check and p.returncode != 0:
            raise Failed(f"docker {' '.join(args)}: exit {p.returncode}\n{p.stdout}{p.stderr}")
        return p

    def popen(self, *args, cli=None, **kw):
        e = dict(os.environ, DOCKER_HOST="unix://" + self.socket, HOME=self.dir)
        return subprocess.Popen([cli or CLIS[0], *args], env=e, **kw)

    def kiln(self, *args, input=None, timeout=60, check=True):
        p = subprocess.run([BUILD + "/kiln", *args], input=input, capture_output=True, text=True, timeout=timeout,
                           env=dict(os.environ, KILN_HOST="unix://" + self.socket), stdin=subprocess.DEVNULL if input is None else None)
        if check and p.returncode != 0:
            raise Failed(f"kiln {' '.join(args)}: exit {p.returncode}\n{p.stdout}{p.stderr}")
        return p

    def connect(self, timeout=30):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        s.connect(self.socket)
        return s

    def api(self, method, path, body=None, headers=None, timeout=30):
        """One request on a fresh connection: (status, headers dict lower-case, body bytes)."""
        import http.client
        conn = http.client.HTTPConnection("docker", timeout=timeout)
        conn.sock = self.connect(timeout)
        h = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, bytearray)):
            body = json.dumps(body).encode()
            h.setdefault("Content-Type", "application/json")
        conn.request(method, path, body=body, headers=h)
        r = conn.getresponse()
        data = r.read()
        conn.close()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, data

    def api_json(self, method, path, body=None, want=None):
        status, _, data = self.api(method, path, body)
        if want is not None and status != want:
            raise Failed(f"{method} {path}: {status} {data!r}, want {want}")
        return json.loads(data) if data.strip() else None

    def raw(self, text, timeout=30):
        """Sends bytes, returns the open socket."""
        s = self.connect(timeout)
        s.sendall(text)
        return s

    def hijack(self, path, body=b"", upgrade=True):
        """POST with an upgrade; returns (socket, header text, first bytes behind it)."""
        up = b"Connection: Upgrade\r\nUpgrade: tcp\r\n" if upgrade else b""
        s = self.raw(b"POST %s HTTP/1.1\r\nHost: docker\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                     % (path.encode(), up, len(body), body))
        head = b""
        while b"\r\n\r\n" not in head:
            got = s.recv(4096)
            if not got:
                break
            head += got
        head, _, rest = head.partition(b"\r\n\r\n")
        return s, head.decode(), rest

    # -- images and containers
    def load(self, archive):
        with tempfile.NamedTemporaryFile(dir=self.dir, suffix=".tar") as f:
            f.write(archive)
            f.flush()
            return self.docker("load", "-i", f.name).stdout

    def busybox(self):
        """Makes sure that busybox:latest is there; it stays between tests."""
        if "busybox:latest" not in self.loaded:
            self.load(busybox_archive())
            self.loaded.add("busybox:latest")
        return "busybox"

    def run(self, *args, **kw):
        """docker run busybox …; options before, the command after a "--" that is taken out."""
        args = list(args)
        split = args.index("--") if "--" in args else 0
        options, command = args[:split], args[split + 1:] if "--" in args else args
        if "--network" not in options:
            options += ["--network", "none"]
        return self.docker("run", *options, self.busybox(), *command, **kw)

    def inspect(self, name):
        return self.api_json("GET", f"/containers/{name}/json", want=200)

    def layer_dirs(self, image):
        """Where the layers of an image lie, the lowest first: its record tells, as it tells kilnd."""
        db = sqlite3.connect(f"file:{self.data_root}/kiln.db?mode=ro", uri=True)
        with contextlib.closing(db):
            (record,) = db.execute("SELECT record FROM images WHERE id = ?", (self.api_json("GET", f"/images/{image}/json", want=200)["Id"],)).fetchone()
        return [f"{self.data_root}/layers/{y['dir']}" for y in json.loads(record)["layers"]]

    def state(self, name):
        return self.inspect(name)["State"]

    def containers(self):
        return self.api_json("GET", "/containers/json?all=1", want=200)

    def clean(self):
        """Removes containers, and images that are not kept."""
        for c in self.containers():
            self.api("DELETE", f"/containers/{c['Id']}?force=1&v=1")
        eventually("containers are gone", lambda: not self.containers())
        for i in self.api_json("GET", "/images/json?all=1", want=200):
            tags = i.get("RepoTags") or []
            if not any(t in self.loaded for t in tags):
                self.api("DELETE", f"/images/{i['Id']}?force=1")

    # -- the leak check
    def stored(self, folder):
        """What is in layers, blobs/sha256 or tmp, but for the layer of mount points, which is always there."""
        return sorted(n for n in os.listdir(f"{self.data_root}/{folder}") if n != "mount-points")

    def snapshot(self):
        launcher = self.launcher_pid()
        return {
            "mounts": [m for m in mounts() if m.startswith(self.dir)],   # others' come and go beside us
            "kilnd fds": len(os.listdir(f"/proc/{self.proc.pid}/fd")),
            "kilnd threads": len(os.listdir(f"/proc/{self.proc.pid}/task")),
            "launcher fds": len(os.listdir(f"/proc/{launcher}/fd")) - len(stems_of(launcher)) if launcher else 0,
            "processes": sorted(p for p in descendants_of(launcher) if is_alive(p)) if launcher else [],
            "kilnd children": sorted(p for p in children_of(self.proc.pid) if p != launcher),
            "containers": sorted(os.listdir(self.data_root + "/containers")),
            "tmp": sorted(os.listdir(self.data_root + "/tmp")),
            "sockets": sorted(os.listdir(self.exec_root + "/c") + os.listdir(self.exec_root + "/x")),
            "cgroups": sorted(os.path.join(d, sub) for d in cgroup_dirs(self.cgroup_parent) for sub in os.listdir(d)
                              if os.path.isdir(os.path.join(d, sub))),
        }

    def leaks(self):
        """What there is more of than at the baseline; {} when clean. Waits a little for what is on its way out."""
        if self.proc is None or self.proc.poll() is not None:
            return {}
        found = {}

        def clean():
            nonlocal found
            now, found = self.snapshot(), {}
            for key, was in (self.baseline or {}).items():
                more = now[key] - was if isinstance(was, int) else [x for x in now[key] if x not in was]
                if key in ("kilnd threads",):
                    continue
                if isinstance(was, int) and more > 2 or not isinstance(was, int) and more:
                    found[key] = more
            return not found

        with contextlib.suppress(Failed):
            eventually("nothing leaked", clean, timeout=5)
        return found


def frames(data):
    """Docker's multiplexed stream as [(stream, bytes)], neighbours of one stream joined."""
    out, i = [], 0
    while i + 8 <= len(data):
        stream, n = data[i], struct.unpack(">I", data[i + 4:i + 8])[0]
        chunk = data[i + 8:i + 8 + n]
        if len(chunk) != n:
            raise Failed(f"a frame of {n} bytes ends after {len(chunk)}")
        if out and out[-1][0] == stream:
            out[-1] = (stream, out[-1][1] + chunk)
        else:
            out.append((stream, chunk))
        i += 8 + n
    if i != len(data):
        raise Failed(f"{len(data) - i} stray bytes behind the frames")
    return out


def read_all(sock, first=b"", timeout=30):
    sock.settimeout(timeout)
    data = first
    while True:
        got = sock.recv(65536)
        if not got:
            return data
        data += got
