# SPDX-License-Identifier: Apache-2.0
"""Calls that a seccomp filter leaves to an agent: linux.seccomp.listenerPath and SCMP_ACT_NOTIFY."""
import contextlib
import fcntl
import json
import os
import socket
import struct
import threading

from contract import each
from harness import cgroup_dirs, eq, eventually, has
from test_config import only_kiln

RECV, SEND = 0xC0502100, 0xC0182101     # SECCOMP_IOCTL_NOTIF_RECV and _SEND
GO_ON = 1                               # SECCOMP_USER_NOTIF_FLAG_CONTINUE
CALLS = {"x86_64": {"mkdir": 83, "mkdirat": 258, "umask": 95, "sendmsg": 46, "read": 0, "capset": 126},
         "aarch64": {"mkdirat": 34, "umask": 166, "sendmsg": 211, "read": 63, "capset": 91}}.get(os.uname().machine, {})
UMASK = "0123\n"


def is_whole(data):
    """crun keeps the connection open."""
    with contextlib.suppress(ValueError):
        return bool(json.loads(data))
    return False


class Agent:
    """Says errno 123 to mkdir, 0123 to umask, and lets all else go on; what it was told is in messages."""

    def __init__(self, where, deaf=False):
        self.path = os.path.join(where, "agent.sock")
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(4)
        self.messages, self.asked, self.fds = [], [], []
        if not deaf:
            threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                c = self.socket.accept()[0]
                data, fds, _, _ = socket.recv_fds(c, 1 << 20, 4)
                if not data:
                    continue        # who connects and then fails
                while not is_whole(data):
                    data += c.recv(1 << 20)
                self.messages.append(json.loads(data))
                self.fds += fds
                threading.Thread(target=self.answer, args=fds, daemon=True).start()

    def answer(self, fd):
        with contextlib.suppress(OSError):
            while True:
                ask = fcntl.ioctl(fd, RECV, bytes(80))
                ident, _, _, number = struct.unpack_from("QIIi", ask)
                name = {n: name for name, n in CALLS.items()}.get(number)
                self.asked.append(name)
                answers = {"mkdir": (0, -123, 0), "mkdirat": (0, -123, 0), "umask": (0o123, 0, 0)}
                with contextlib.suppress(FileNotFoundError):
                    fcntl.ioctl(fd, SEND, struct.pack("Qqii", ident, *answers.get(name, (0, 0, GO_ON))))

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for fd in self.fds:
            os.close(fd)


@contextlib.contextmanager
def agent(rt, **kw):
    a = Agent(rt.dir, **kw)
    try:
        yield a
    finally:
        a.close()


def left_to(a, b, names=("mkdir", "mkdirat", "umask"), **more):
    b.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": a.path,
                                    "syscalls": [{"names": list(names), "action": "SCMP_ACT_NOTIFY"}], **more}
    return b


def inside(b, pid):
    """Those of the container's group that are in its pid namespace, too."""
    found = []
    with open(os.path.join(cgroup_dirs(b.cgroup)[0], "cgroup.procs")) as f:
        for other in map(int, f.read().split()):
            with contextlib.suppress(FileNotFoundError):
                if other != pid and os.readlink(f"/proc/{other}/ns/pid") == os.readlink(f"/proc/{pid}/ns/pid"):
                    found.append(other)
    return found


@each
def test_an_agent_answers_for_the_kernel(rt):
    """Of create, of run and of exec, with and without no_new_privs; each process is told of once, by its own connection."""
    with agent(rt) as a:
        b = left_to(a, rt.bundle(), listenerMetadata="of the test")
        b.config["annotations"] = {"org.example": "x"}
        out = rt.call("run", "--bundle", b.write("sh", "-c", "mkdir /tmp/x; umask").dir, b.id)
        eq(out.out, UMASK)
        has(out.err, "No medium found")
        m = a.messages[0]
        eq((m["fds"], m["metadata"], m["state"]["id"], m["state"]["status"]), (["seccompFd"], "of the test", b.id, "creating" if rt.name != "crun" else m["state"]["status"]))
        eq((m["state"]["bundle"], m["state"]["annotations"]), (b.dir, {"org.example": "x"}) if rt.name != "crun" else (m["state"]["bundle"], m["state"]["annotations"]))
        for nnp, told in ((False, 1), (True, 3)):
            b.config["process"]["noNewPrivileges"] = nnp
            pid = rt.create(b.write("sleep", "1000"))
            if rt.name != "crun":       # 1.8 says 0, and of some at start only
                eventually("the agent has read of the create", lambda told=told: len(a.messages) == told + 1)
                eq((a.messages[-1]["pid"], a.messages[-1]["state"]["pid"]), (pid, pid))
            rt.call("start", b.id)
            eq(rt.call("exec", b.id, "sh", "-c", "umask").out, UMASK)
            eventually("the agent has read of the exec", lambda told=told: len(a.messages) == told + 2)
            m = a.messages[-1]
            eq(m["state"]["status"] if rt.name != "crun" else "running", "running")
            if rt.is_kiln:
                eq((m["state"]["pid"], m["pid"] != pid), (pid, True))
            rt.call("delete", "--force", b.id)
        eq(len(a.messages), 5)


@only_kiln
def test_an_agent_is_asked_by_the_runtimes_own_calls(rt):
    """Those after the filter is loaded: the descriptor is on its way by then. And where it cannot be sent, it is fetched."""
    with agent(rt) as a:
        b = left_to(a, rt.bundle(), ("capset", "read", "sendmsg", "umask"), flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"])
        eq(rt.call("run", "--bundle", b.write("sh", "-c", "umask").dir, b.id).out, UMASK)
        eq(("capset" in a.asked, "read" in a.asked, "sendmsg" in a.asked), (True, True, False))
        rt.create(b.write("sleep", "1000"))
        rt.call("start", b.id)
        for _ in range(2):
            eq(rt.call("exec", b.id, "sh", "-c", "umask").out, UMASK)
        # who joins by the other order of stages: its filter leaves execve to the agent
        left_to(a, b, ("execve", "umask"))
        rt.call("delete", "--force", b.id)
        rt.create(b.write("sleep", "1000"))
        rt.call("start", b.id)
        eq(rt.call("exec", b.id, "sh", "-c", "umask").out, UMASK)


@only_kiln
def test_nobody_but_the_agent_has_its_descriptor(rt):
    """An exec that waits for its agent, which does not read yet, can be seen in the container: it has no listener that could be taken from it."""
    with agent(rt) as a, socket.socket(socket.AF_UNIX) as slow:
        b = left_to(a, rt.bundle())
        b.config["annotations"] = {"large": "x" * (1 << 20)}
        pid = rt.create(b.write("sleep", "1000"))
        rt.call("start", b.id)
        os.unlink(a.path)
        slow.bind(a.path)
        slow.listen()
        p = rt.popen("exec", b.id, "umask")
        conn = slow.accept()[0]
        child = eventually("it waits", lambda: inside(b, pid))[0]
        links = [os.readlink(f"/proc/{child}/fd/{n}") for n in os.listdir(f"/proc/{child}/fd")]
        eq(([x for x in links if "seccomp" in x], any("socket" in x for x in links)), ([], True))
        data, fds, _, _ = socket.recv_fds(conn, 4 << 20, 1)
        while more := conn.recv(1 << 20):
            data += more
        eq(json.loads(data)["pid"], child)
        has(os.readlink(f"/proc/self/fd/{fds[0]}"), "seccomp")
        os.close(fds[0])
        p.kill()
        p.communicate()


@only_kiln
def test_an_agent_that_cannot_work_is_refused(rt):
    """Nobody there, no socket, too long a path, calls that would wait for ever: each by its path, and nothing is left."""
    def refused(want, **seccomp):
        b.config["linux"]["seccomp"] = {**plain, **seccomp}
        has(rt.fails("create", "--bundle", b.write("true").dir, b.id), want)
        eq(rt.ids(), [])

    with agent(rt) as a:
        b = left_to(a, rt.bundle())
        plain = b.config["linux"]["seccomp"]
        path = "linux.seccomp.listenerPath: "
        refused(path + "it is missing, and syscalls[0] has SCMP_ACT_NOTIFY", listenerPath="")
        refused(path + "connect to '/nosuch'", listenerPath="/nosuch")
        refused(path + "connect to '/etc/passwd'", listenerPath="/etc/passwd")
        refused(path, listenerPath="/" + "a/" * 4096)
        refused("linux.seccomp.defaultAction", defaultAction="SCMP_ACT_NOTIFY")
        refused("sendmsg or write", syscalls=[{"names": ["sendmsg", "write"], "action": "SCMP_ACT_NOTIFY"}])
        refused("linux.seccomp.flags", flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], syscalls=[])
        a.close()
        refused(path + f"connect to '{a.path}'")
        # without such a call the path means nothing
        b.config["linux"]["seccomp"] = {**plain, "syscalls": []}
        rt.call("run", "--bundle", b.write("true").dir, b.id)
        a.fds = []
