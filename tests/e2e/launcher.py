# SPDX-License-Identifier: Apache-2.0
"""A kilnd of a hundred lines: speaks runtime/proto.h to a real launcher, for the tests of launcher and monitor."""
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

import harness

(HELLO, LAUNCH, EXEC, CLEAN, CLEANED, SHUTDOWN, ORPHAN, ORPHAN_EXITED, STATUS, STARTED, FAILED, EXITED, ATTACH,
 RESIZE, DETACHED, RELEASE, LOG) = range(1, 18)
STDIN, STDOUT, STDERR, MUX = 1, 2, 4, 8
OUT = STDOUT | STDERR
RECORD = struct.Struct("=IHHiiQqqBB2sI40s")
RUNNING, DONE = 1, 2
WAIT_S = 10 * (3 if harness.IS_SANITIZED else 1)
CAPS = ["CAP_" + c for c in ("CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP "
                             "NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE").split()]


class Record:
    def __init__(self, data):
        (_magic, _version, self.phase, self.pid, self.code, _ticks, self.started, self.finished, self.oom,
         self.signalled, _pad, _crc, _boot) = RECORD.unpack(data[:RECORD.size])


def head(kind, body, version=1):
    return struct.pack("=HHI", version, kind, 8 + len(body)) + body


class Channel:
    """One SEQPACKET connection."""

    def __init__(self, sock):
        self.sock = sock

    def send(self, kind, body=b"", fds=(), version=1):
        socket.send_fds(self.sock, [head(kind, body, version)], list(fds))

    def recv(self, timeout=WAIT_S):
        """(type, body, fds); type 0 at the end of the stream."""
        if not select.select([self.sock], [], [], timeout)[0]:
            raise harness.Failed("no message came")
        try:
            data, fds, _flags, _addr = socket.recv_fds(self.sock, 16384, 8)
        except ConnectionResetError:
            return 0, b"", []
        return (struct.unpack("=HHI", data[:8])[1], data[8:], fds) if data else (0, b"", [])

    def expect(self, kind, timeout=WAIT_S):
        got, body, fds = self.recv(timeout)
        if got == FAILED and kind != FAILED:
            raise harness.Failed("launch failed: " + failure(body)[1])
        harness.eq(got, kind, "message type")
        return body, fds

    def is_silent(self, seconds=0.3):
        return not select.select([self.sock], [], [], seconds)[0]

    def close(self):
        self.sock.close()


def failure(body):
    """(exit code, message) of MSG_FAILED."""
    code = struct.unpack_from("=Ii", body)[1]
    return code, body[16:].split(b"\0")[0].decode()


class Monitor(Channel):
    """kilnd's side of one container or exec."""

    def __init__(self, sock, launcher, ident, path, record, socket_path):
        super().__init__(sock)
        self.launcher, self.id, self.dir, self.record_path, self.socket_path = launcher, ident, path, record, socket_path
        self.pid = self.pidfd = None

    def started(self, timeout=WAIT_S):
        body, fds = self.expect(STARTED, timeout)
        self.pidfd = fds[0] if fds else None
        self.pid = Record(body).pid
        return self

    def exited(self, timeout=WAIT_S):
        body, _fds = self.expect(EXITED, timeout)
        r = Record(body)
        n, r.timed_out = struct.unpack_from("=IB", body, RECORD.size)
        r.captured = body[RECORD.size + 8:]
        harness.eq(len(r.captured), n, "captured")
        return r

    def release(self):
        self.send(RELEASE)

    def finish(self):
        """Exit code, after which monitor, group and socket are gone."""
        code = self.exited().code
        self.release()
        harness.eq(self.recv()[0], 0, "the monitor's last word")
        self.close()
        return code

    def attach(self, flags=OUT, prefix=b"", keys=b""):
        ours, theirs = socket.socketpair()
        self.send(ATTACH, struct.pack("=II16s", flags, len(prefix), keys) + prefix, [theirs.fileno()])
        theirs.close()
        ours.settimeout(WAIT_S)
        return ours

    def status(self):
        self.send(STATUS)
        body, fds = self.expect(STATUS)
        for fd in fds:
            os.close(fd)
        return Record(body), len(fds)

    def resize(self, height, width):
        self.send(RESIZE, struct.pack("=HHI", height, width, 0))

    def record(self):
        with open(self.record_path, "rb") as f:
            return Record(f.read())

    def log(self):
        with open(os.path.join(self.dir, "log.json")) as f:
            return [json.loads(line) for line in f]

    def reconnect(self):
        """As the next kilnd does: by the socket's file."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(self.socket_path)
        m = Monitor(sock, self.launcher, self.id, self.dir, self.record_path, self.socket_path)
        m.pid = self.pid
        return m

    def monitor_pid(self):
        for pid in harness.children_of(self.launcher.pid):
            if self.pid in harness.children_of(pid):
                return pid
        raise harness.Failed(f"nobody is the parent of {self.pid}")


class Launcher:
    """A launcher of its own, with a data root, an exec root and a layer with busybox."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="kl.", dir="/tmp")
        self.data, self.run = os.path.join(self.dir, "data"), os.path.join(self.dir, "run")
        self.group = "/kiln/" + os.path.basename(self.dir)
        self.n = 0
        for d in (self.data + "/layers/busybox/bin", self.data + "/containers", self.run):
            os.makedirs(d)
        layer = self.data + "/layers/busybox"
        shutil.copy(harness.BUSYBOX, layer + "/bin/busybox")
        for name in subprocess.run([harness.BUSYBOX, "--list"], capture_output=True, text=True).stdout.split():
            if name != "busybox":
                os.symlink("busybox", f"{layer}/bin/{name}")
        for d in ("tmp", "etc", "proc", "dev", "sys", "root"):
            os.makedirs(f"{layer}/{d}")
        with open(layer + "/etc/passwd", "w") as f:
            f.write("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n")
        self.proc = None
        self.start()

    def start(self):
        self.log_path = os.path.join(self.dir, "launcher.log")
        with open(self.log_path, "ab") as log:
            self.proc = subprocess.Popen(
                [os.path.join(harness.BUILD, "kiln-runtime"), "launcher", "--data-root", self.data,
                 "--exec-root", self.run, "--log-level", "debug"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = self.proc.pid
        self.kilnd = self.connect()
        return self

    def connect(self):
        def attempt():
            if self.proc.poll() is not None:
                raise harness.Failed("the launcher ended: " + open(self.log_path).read())
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                sock.connect(self.run + "/l/launcher.sock")
                return sock
            except OSError:
                sock.close()
                return None
        c = Channel(harness.eventually("the launcher listens", attempt, every=0.01))
        c.send(HELLO, struct.pack("=64s", b"test"))
        c.expect(HELLO)
        return c

    def spec(self, args, tty=False, stdin=False, once=False, more=None, process=None, resources=None, **over):
        self.n += 1
        ident = f"{self.n:x}".rjust(4, "0") + os.urandom(30).hex()
        cdir = f"{self.data}/containers/{ident}"
        for d in ("upper", "work", "rootfs"):
            os.makedirs(f"{cdir}/{d}")
        mounts = [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=64m"]},
        ]
        config = {
            "ociVersion": "1.2.0", "hostname": "test", "root": {"path": "rootfs"}, "mounts": mounts,
            "process": {"terminal": tty, "cwd": "/", "args": args, "env": ["PATH=/bin", "TERM=xterm"],
                        "user": {"uid": 0, "gid": 0}, "noNewPrivileges": False,
                        "capabilities": {"bounding": CAPS, "effective": CAPS, "permitted": CAPS}},
            "linux": {"namespaces": [{"type": t} for t in ("pid", "network", "mount", "ipc", "uts", "cgroup")],
                      "resources": resources or {}},
        }
        config["process"].update(process or {})
        spec = {"version": 1, "id": ident, "config": config, "user": "", "dataRoot": self.data,
                "layersDir": self.data + "/layers", "lowers": ["busybox"], "containerDir": cdir,
                "cgroupPath": f"{self.group}/{ident}", "seccompProfile": "default",
                "stdio": {"tty": tty, "openStdin": stdin, "stdinOnce": once, "logPath": cdir + "/log.json", **(more or {})},
                "socketPath": f"{self.run}/c/{ident}.sock"}
        spec.update(over)
        return spec

    def exec_spec(self, target, args, tty=False, stdin=False, more=None, **over):
        ident = os.urandom(32).hex()
        return {"version": 1, "id": ident, "containerId": target.id, "user": "", "cgroupPath": f"{self.group}/{target.id}",
                "process": {"terminal": tty, "cwd": "/", "args": args, "env": ["PATH=/bin", "TERM=xterm"],
                            "user": {"uid": 0, "gid": 0},
                            "capabilities": {"bounding": CAPS, "effective": CAPS, "permitted": CAPS}},
                "seccompProfile": "default", "stdio": {"tty": tty, "openStdin": stdin, **(more or {})},
                "dataRoot": self.data, "socketPath": f"{self.run}/x/{ident}.sock", **over}

    def prepare(self, spec, kind, record_dir):
        """The monitor's socket, its descriptors and its record, before anything is sent."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = os.path.join(record_dir, "exit-" + spec["id"][:12])
        record = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(record, 512)
        memfd = os.memfd_create("spec")
        os.write(memfd, spec if isinstance(spec, bytes) else json.dumps(spec).encode())
        m = Monitor(ours, self, spec["id"], record_dir, path, spec["socketPath"])
        m.kind, m.fds, m.theirs = kind, [memfd, record, theirs.fileno()], theirs
        return m

    def go(self, m, pidfd=None, fds=()):
        extra = [pidfd] if pidfd is not None else list(fds)
        self.kilnd.send(m.kind, struct.pack("=65s3x", m.id.encode()), m.fds + extra)
        for fd in m.fds[:2]:
            os.close(fd)
        m.theirs.close()
        return m

    def launch(self, *args, attach=None, start=True, **kw):
        spec = self.spec(list(args), **kw)
        m = self.prepare(spec, LAUNCH, spec["containerDir"])
        if attach is not None:
            m.client = m.attach(attach)
        self.go(m)
        return m.started() if start else m

    def exec(self, target, *args, attach=None, start=True, prefix=b"", **kw):
        spec = self.exec_spec(target, list(args), **kw)
        m = self.prepare(spec, EXEC, self.data + "/containers")
        if attach is not None:
            m.client = m.attach(attach, prefix)
        self.go(m, pidfd=target.pidfd)
        return m.started() if start else m

    def groups(self):
        """The containers' control groups that exist, in all hierarchies."""
        return [os.path.join(d, g) for d in harness.cgroup_dirs(self.group) for g in os.listdir(d)
                if os.path.isdir(os.path.join(d, g))]

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def close(self, keep=False):
        """Kills what is left. Returns what a finished run should not have left behind."""
        left = []
        for pid in harness.descendants_of(self.pid):
            left.append(f"process {pid}")
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for sub in ("c", "x"):
            d = os.path.join(self.run, sub)
            left += os.listdir(d) if os.path.isdir(d) else []
        left += self.groups()
        if self.proc.poll() is None:
            self.kilnd.send(SHUTDOWN)
            try:
                self.proc.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                left.append("launcher")
                self.proc.kill()
                self.proc.wait()
        for d in sorted(self.groups(), reverse=True):
            try:
                os.rmdir(d)
            except OSError:
                pass
        for root in harness.cgroup_dirs(self.group):
            os.rmdir(root)
        if not keep:
            self.remove()
        return left


def read_all(sock):
    data = b""
    while True:
        part = sock.recv(65536)
        if not part:
            return data
        data += part


def read_until(sock, want):
    data = b""
    while want not in data:
        part = sock.recv(65536)
        if not part:
            raise harness.Failed(f"the stream ended after {data!r}, want {want!r}")
        data += part
    return data


def demux(data):
    """{1: stdout, 2: stderr} of docker's multiplexed stream."""
    out = {1: b"", 2: b""}
    while data:
        kind, n = struct.unpack(">B3xI", data[:8])
        out[kind] += data[8:8 + n]
        harness.eq(len(data) >= 8 + n, True, "whole frames")
        data = data[8 + n:]
    return out
