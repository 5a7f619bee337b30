# SPDX-License-Identifier: Apache-2.0
"""docker run and its neighbours: exit codes, stdio, terminals, wait, attach, exec."""
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time

import harness
from harness import Failed, Skip, eq, eventually, frames, has, read_all


def test_run_foreground(k):
    p = k.run("--", "sh", "-c", "echo out; echo err >&2")
    eq(p.stdout, "out\n")
    eq(p.stderr, "err\n")


def test_run_detached(k):
    cid = k.run("-d", "--name", "d1", "--", "sleep", "1000").stdout.strip()
    eq(len(cid), 64)
    eq(k.state("d1")["Running"], True)


def test_run_interactive(k):
    p = k.run("-i", "--", "cat", input=b"one\ntwo\n")
    eq(p.stdout, "one\ntwo\n")


def test_run_interactive_large_input_comes_back_whole(k):
    data = os.urandom(3_000_000)
    p = k.run("-i", "--", "cat", input=data, check=False)
    eq(p.returncode, 0)
    eq(p.stdout == data, True, "3 MB through cat")


def test_run_rm(k):
    k.run("--rm", "--name", "gone", "--", "true")
    eventually("removed", lambda: k.api("GET", "/containers/gone/json")[0] == 404)


def test_run_large_output_is_whole(k):
    p = k.run("--rm", "--", "sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done")
    lines = p.stdout.splitlines()
    eq(len(lines), 20000)
    eq(lines[-1], "line 19999")


def test_exit_codes_are_exact(k):
    for code in (0, 1, 42, 125, 126, 127, 255):
        p = k.run("--rm", "--", "sh", "-c", f"exit {code}", check=False)
        eq(p.returncode, code, f"exit {code}")
    p = k.run("--rm", "--", "sh", "-c", "kill -9 $$; sleep 1", check=False)
    # init is not killed by its own signals: the shell as PID 1 ignores them, as under docker
    eq(p.returncode, 0)
    k.run("-d", "--name", "killed", "--", "sleep", "1000")
    k.docker("kill", "killed")
    eventually("ended", lambda: not k.state("killed")["Running"])
    eq(k.state("killed")["ExitCode"], 137)


def test_exit_125_126_127(k):
    p = k.run("--rm", "--", "nosuchprogram", check=False)
    eq(p.returncode, 127, p.stderr)
    has(p.stderr, "executable file not found in $PATH")
    p = k.run("--rm", "--", "/nosuch", check=False)
    eq(p.returncode, 127, p.stderr)
    has(p.stderr, "no such file or directory")
    p = k.run("--rm", "--", "/etc/passwd", check=False)
    eq(p.returncode, 126, p.stderr)
    has(p.stderr, "permission denied")
    p = k.run("--rm", "--", "/etc", check=False)
    eq(p.returncode, 126, p.stderr)
    p = k.run("--rm", "--restart", "nonsense", "--", "true", check=False)
    eq(p.returncode, 125, p.stderr)
    k.run("--name", "n127", "--", "nosuchprogram", check=False)
    eq(k.state("n127")["ExitCode"], 127)
    eq(k.state("n127")["Status"], "created")
    has(k.state("n127")["Error"], "executable file not found")


def test_create_start_stop_rm(k):
    k.busybox()
    k.docker("create", "--name", "c1", "--network", "none", "--stop-timeout", "1", "busybox", "sleep", "1000")
    eq(k.state("c1")["Status"], "created")
    k.docker("start", "c1")
    eq(k.state("c1")["Status"], "running")
    eq(k.api("POST", "/containers/c1/start")[0], 304, "start of a running container")
    p = k.docker("rm", "c1", check=False)
    eq(p.returncode, 1)
    has(p.stderr, "is running")
    k.docker("stop", "c1")
    eq(k.state("c1")["Status"], "exited")
    eq(k.state("c1")["ExitCode"], 137)
    eq(k.api("POST", "/containers/c1/stop")[0], 304, "stop of a stopped container")
    k.docker("start", "c1")
    eq(k.state("c1")["Status"], "running")
    k.docker("rm", "-f", "c1")
    eq(k.api("GET", "/containers/c1/json")[0], 404)


def test_files_survive_stop_and_start(k):
    k.run("--name", "keep", "--", "sh", "-c", "echo x >>/root/file; wc -l </root/file")
    p = k.docker("start", "-a", "keep")
    eq(p.stdout.strip(), "2")


def test_restart_command(k):
    k.run("-d", "--name", "r1", "--stop-timeout", "1", "--", "sleep", "1000")
    pid = k.state("r1")["Pid"]
    k.docker("restart", "-t", "0", "r1")
    now = k.state("r1")
    eq(now["Running"], True)
    if now["Pid"] == pid:
        raise Failed("the same process runs")


def test_kill_signal(k):
    k.run("-d", "--name", "k1", "--", "sh", "-c", "trap 'echo usr1' USR1; trap 'exit 7' TERM; while :; do sleep 0.1; done")
    time.sleep(0.5)
    k.docker("kill", "-s", "USR1", "k1")
    eventually("trapped", lambda: "usr1" in k.docker("logs", "k1").stdout)
    k.docker("kill", "-s", "TERM", "k1")
    eventually("ended", lambda: not k.state("k1")["Running"])
    eq(k.state("k1")["ExitCode"], 7)
    p = k.docker("kill", "k1", check=False)
    eq(p.returncode, 1)
    has(p.stderr, "is not running")
    eq(k.api("POST", "/containers/k1/kill?signal=NOSUCH")[0], 400)


def test_wait_returns_the_exit_code(k):
    k.run("-d", "--name", "w1", "--", "sh", "-c", "sleep 0.5; exit 9")
    eq(k.docker("wait", "w1").stdout.strip(), "9")
    eq(k.docker("wait", "w1").stdout.strip(), "9", "wait for a stopped container")


def test_wait_three_conditions(k):
    k.busybox()
    k.docker("create", "--name", "w3", "--network", "none", "busybox", "sh", "-c", "exit 3")
    socks = {}
    for cond in ("next-exit", "removed"):
        s = k.raw(f"POST /v1.41/containers/w3/wait?condition={cond} HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:   # headers are flushed at once
            head += s.recv(1)
        has(head.decode(), "200 OK")
        socks[cond] = s
    eq(k.api_json("POST", "/containers/w3/wait?condition=not-running", want=200)["StatusCode"], 0, "created is not running")
    k.docker("start", "w3")
    has(read_until(socks["next-exit"], b"}"), b'"StatusCode":3')
    eq(select.select([socks["removed"]], [], [], 0.3)[0], [], "removed answers after removal only")
    k.docker("rm", "w3")
    has(read_until(socks["removed"], b"}"), b'"StatusCode":3')
    eq(k.api("POST", "/containers/w3/wait")[0], 404)
    for s in socks.values():
        s.close()


def read_until(sock, mark, timeout=20):
    sock.settimeout(timeout)
    data = b""
    while mark not in data:
        got = sock.recv(4096)
        if not got:
            break
        data += got
    return data


def test_wait_invalid_condition(k):
    k.run("--name", "wi", "--", "true")
    status, _, body = k.api("POST", "/containers/wi/wait?condition=x")
    eq(status, 400)
    has(body.decode(), 'invalid condition')


def test_attach_before_start_loses_nothing(k):
    k.busybox()
    for i in range(5):
        cid = k.api_json("POST", "/containers/create", {
            "Image": "busybox", "Cmd": ["sh", "-c", "echo first; echo second >&2; echo third"],
            "HostConfig": {"NetworkMode": "none"}}, want=201)["Id"]
        s, head, rest = k.hijack(f"/v1.41/containers/{cid}/attach?stream=1&stdout=1&stderr=1")
        has(head, "101")
        eq(k.api("POST", f"/containers/{cid}/start")[0], 204)
        got = frames(read_all(s, rest))
        eq(b"".join(d for st, d in got if st == 1), b"first\nthird\n")
        eq(b"".join(d for st, d in got if st == 2), b"second\n")
        s.close()


def test_stream_framing(k):
    cid = k.api_json("POST", "/containers/create", {"Image": k.busybox(), "Cmd": ["echo", "hi"],
                                                    "HostConfig": {"NetworkMode": "none"}}, want=201)["Id"]
    s, _, rest = k.hijack(f"/v1.41/containers/{cid}/attach?stream=1&stdout=1&stderr=1")
    k.api("POST", f"/containers/{cid}/start")
    eq(read_all(s, rest), b"\x01\0\0\0\0\0\0\x03hi\n")
    status, headers, body = k.api("GET", f"/v1.41/containers/{cid}/logs?stdout=1&stderr=1")
    eq(status, 200)
    eq(body, b"\x01\0\0\0\0\0\0\x03hi\n")
    eq(headers["content-type"], "application/vnd.docker.raw-stream")
    eq(k.api("GET", f"/v1.44/containers/{cid}/logs?stdout=1")[1]["content-type"], "application/vnd.docker.multiplexed-stream")
    eq(headers.get("transfer-encoding"), "chunked")


def test_hijack_headers(k):
    cid = k.run("-d", "-i", "--name", "hj", "--", "cat").stdout.strip()
    s, head, rest = k.hijack(f"/v1.41/containers/{cid}/attach?stream=1&stdout=1&stdin=1")
    eq(head.split("\r\n")[0], "HTTP/1.1 101 UPGRADED")
    eq(sorted(l.split(":")[0] for l in head.split("\r\n")[1:]), ["Connection", "Content-Type", "Upgrade"])
    has(head, "application/vnd.docker.raw-stream")
    s.close()
    s, head, rest = k.hijack(f"/v1.44/containers/{cid}/attach?stream=1&stdout=1&stdin=1")
    has(head, "application/vnd.docker.multiplexed-stream")
    s.close()
    s, head, rest = k.hijack(f"/v1.41/containers/{cid}/attach?stream=1&stdout=1", upgrade=False)
    eq(head.split("\r\n")[0], "HTTP/1.1 200 OK")
    eq(rest, b"")
    s.close()
    status, _, body = k.api("POST", f"/containers/{cid}/attach?stream=1")
    eq(status, 400)
    has(body.decode(), "you must choose at least one stream")


def test_half_close(k):
    cid = k.api_json("POST", "/containers/create", {
        "Image": k.busybox(), "Cmd": ["sh", "-c", "cat; echo done"], "OpenStdin": True, "StdinOnce": True, "AttachStdin": True,
        "HostConfig": {"NetworkMode": "none"}}, want=201)["Id"]
    s, _, rest = k.hijack(f"/v1.41/containers/{cid}/attach?stream=1&stdin=1&stdout=1&stderr=1")
    k.api("POST", f"/containers/{cid}/start")
    s.sendall(b"hello\n")
    s.shutdown(socket.SHUT_WR)
    eq(frames(read_all(s, rest)), [(1, b"hello\ndone\n")])


def test_attach(k):
    k.run("-d", "-i", "--name", "at", "--", "sh", "-c", "while read l; do echo got $l; [ $l = end ] && exit 5; done")
    p = k.docker("attach", "at", input="a\nend\n", check=False)
    eq(p.stdout, "got a\ngot end\n")
    eq(p.returncode, 5)
    p = k.docker("attach", "at", check=False)
    eq(p.returncode, 1)
    has(p.stderr, "cannot attach to a stopped container")


class Terminal:
    """A docker command on a terminal of its own."""

    def __init__(self, k, *args, cli=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(DOCKER_HOST="unix://" + k.socket, HOME=k.dir)
            cli = cli or harness.CLIS[0]
            os.execv(cli, [cli, *args])
        self.seen = b""

    def send(self, data):
        os.write(self.fd, data)

    def expect(self, what, timeout=20):
        deadline = time.monotonic() + timeout
        while what not in self.seen:
            if time.monotonic() > deadline:
                raise Failed(f"{what!r} did not come; came {self.seen!r}")
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    got = os.read(self.fd, 4096)
                except OSError:
                    break
                if not got:
                    break
                self.seen += got
        if what not in self.seen:
            raise Failed(f"{what!r} did not come; came {self.seen!r}")

    def wait(self, timeout=20):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self.fd, 4096)
                except OSError:
                    time.sleep(0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)
        raise Failed(f"docker did not end; came {self.seen!r}")


def test_run_tty(k):
    t = Terminal(k, "run", "--rm", "-it", "--network", "none", k.busybox(), "sh")
    t.expect(b"# ")
    t.send(b"tty; test -t 0 && echo is-tty\n")
    t.expect(b"/dev/pts/0")
    t.expect(b"is-tty\r\n")
    t.send(b"exit 4\n")
    eq(t.wait(), 4)


def test_detach(k):
    k.busybox()
    t = Terminal(k, "run", "-it", "--name", "det", "--network", "none", "busybox", "sh")
    t.expect(b"# ")
    t.send(b"\x10\x11")
    eq(t.wait(), 0)
    eq(k.state("det")["Running"], True)
    # the daemon filters the keys, too, for clients that do not
    s, _, rest = k.hijack("/v1.41/containers/det/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,x")
    s.sendall(b"\x01x")
    read_all(s, rest)
    eq(k.state("det")["Running"], True)
    status, _, body = k.api("POST", "/containers/det/attach?stream=1&stdin=1&detachKeys=ctrl-")
    eq(status, 400)


def test_resize(k):
    k.run("-d", "-t", "-i", "--name", "rs", "--", "sh")
    eq(k.api("POST", "/containers/rs/resize?h=33&w=101")[0], 200)
    p = k.docker("exec", "rs", "sh", "-c", "stty size </dev/pts/0")
    eq(p.stdout.strip(), "33 101")
    k.docker("stop", "-t", "0", "rs")
    eq(k.api("POST", "/containers/rs/resize?h=33&w=101")[0], 409)


def test_exec(k):
    k.run("-d", "--name", "e1", "-e", "A=1", "-w", "/tmp", "--", "sleep", "1000")
    eq(k.docker("exec", "e1", "sh", "-c", "echo out; echo err >&2; pwd; echo $A").stdout, "out\n/tmp\n1\n")
    eq(k.docker("exec", "e1", "sh", "-c", "exit 17", check=False).returncode, 17)
    eq(k.docker("exec", "-i", "e1", "cat", input="through\n").stdout, "through\n")
    eq(k.docker("exec", "-e", "B=2", "-w", "/root", "-u", "user", "e1", "sh", "-c", "echo $B; pwd; id -u; id -g").stdout,
       "2\n/root\n1000\n1000\n")
    p = k.docker("exec", "e1", "nosuch", check=False)
    eq(p.returncode, 127)
    has(p.stdout + p.stderr, "executable file not found in $PATH")
    p = k.docker("exec", "e1", "/etc/passwd", check=False)
    eq(p.returncode, 126)
    k.docker("exec", "-d", "e1", "sh", "-c", "echo x >/tmp/detached")
    eventually("detached exec ran", lambda: k.docker("exec", "e1", "cat", "/tmp/detached", check=False).stdout == "x\n")
    k.docker("stop", "-t", "0", "e1")
    p = k.docker("exec", "e1", "true", check=False)
    has(p.stderr, "is not running")
    eq(p.returncode, 1)


def test_exec_tty(k):
    k.run("-d", "--name", "et", "--", "sleep", "1000")
    t = Terminal(k, "exec", "-it", "et", "sh")
    t.expect(b"# ")
    t.send(b"test -t 1 && echo is-tty; exit 6\n")
    t.expect(b"is-tty\r\n")
    eq(t.wait(), 6)


def test_exec_inspect(k):
    k.run("-d", "--name", "ei", "--", "sleep", "1000")
    xid = k.api_json("POST", "/containers/ei/exec", {"Cmd": ["sh", "-c", "echo hi; exit 3"], "AttachStdout": True}, want=201)["Id"]
    before = k.api_json("GET", f"/exec/{xid}/json", want=200)
    eq((before["Running"], before["ExitCode"]), (False, None))
    s, head, rest = k.hijack(f"/v1.41/exec/{xid}/start", b'{"Detach":false,"Tty":false}')
    has(head, "101 UPGRADED")
    has(head, "Api-Version")
    eq(frames(read_all(s, rest)), [(1, b"hi\n")])
    after = k.api_json("GET", f"/exec/{xid}/json", want=200)   # known before the stream ends
    eq((after["Running"], after["ExitCode"]), (False, 3))
    eq(after["ProcessConfig"]["entrypoint"], "sh")
    status, _, body = k.api("POST", f"/exec/{xid}/start", {"Detach": False})
    eq(status, 409)
    eq(k.api("GET", "/exec/zz/json")[0], 404)


def test_exec_has_the_containers_isolation(k):
    k.run("-d", "--name", "iso", "--memory", "64m", "--cap-drop", "ALL", "--", "sleep", "1000")
    inner = k.docker("exec", "iso", "cat", "/proc/self/status").stdout
    outer = k.docker("exec", "iso", "cat", "/proc/1/status").stdout
    for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Seccomp"):
        line = [l for l in inner.splitlines() if l.startswith(field + ":")]
        eq(line, [l for l in outer.splitlines() if l.startswith(field + ":")], field)
    for ns in ("pid", "mnt", "net", "ipc", "uts", "cgroup"):
        eq(k.docker("exec", "iso", "readlink", f"/proc/self/ns/{ns}").stdout, k.docker("exec", "iso", "readlink", f"/proc/1/ns/{ns}").stdout, ns)
    eq(k.docker("exec", "iso", "cat", "/proc/self/cgroup").stdout, k.docker("exec", "iso", "cat", "/proc/1/cgroup").stdout)


def test_logs(k):
    k.run("--name", "l1", "--", "sh", "-c", "echo one; sleep 0.2; echo two >&2; sleep 0.2; printf three")
    p = k.docker("logs", "l1")
    eq(p.stdout, "one\nthree")
    eq(p.stderr, "two\n")
    eq(k.docker("logs", "--tail", "1", "l1").stdout, "three")
    line = k.docker("logs", "-t", "--tail", "1", "l1").stdout
    if not re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z three$", line):
        raise Failed(f"timestamps: {line!r}")
    p = k.popen("logs", "-f", k.run("-d", "--name", "l2", "--", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.3; done").stdout.strip(),
                stdout=subprocess.PIPE, text=True)
    out, _ = p.communicate(timeout=30)
    eq(out, "1\n2\n3\n")


def test_logs_follow_ends_with_the_container_and_loses_nothing(k):
    k.run("-d", "--name", "lf", "--", "sh", "-c", "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done")
    p = k.popen("logs", "-f", "lf", stdout=subprocess.PIPE, text=True)
    out, _ = p.communicate(timeout=60)
    eq(len(out.splitlines()), 5000)


def test_logs_binary_output(k):
    k.run("--name", "lb", "--", "printf", "a\\0b\\377c\\n")
    _, _, body = k.api("GET", "/containers/lb/logs?stdout=1")
    eq(frames(body), [(1, b"a\0b\xef\xbf\xbdc\n")])


def test_long_line_is_split_at_16k(k):
    k.run("--name", "ll", "--", "sh", "-c", "head -c 40000 /dev/zero | tr '\\0' x; echo")
    _, _, body = k.api("GET", "/containers/ll/logs?stdout=1")
    eq(b"".join(d for _, d in frames(body)), b"x" * 40000 + b"\n")
    with open(k.inspect("ll")["LogPath"]) as f:
        eq([len(json.loads(l)["log"]) for l in f], [16384, 16384, 7233])
