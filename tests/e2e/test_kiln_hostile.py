# SPDX-License-Identifier: Apache-2.0
"""A daemon that is newer, broken or hostile: whatever it answers, kiln ends by itself and says so."""
import contextlib
import json
import os
import socket
import struct
import subprocess
import tarfile
import tempfile
import threading

import harness
from harness import Failed, eq, eventually, has

KILN = harness.BUILD + "/kiln"


class FakeDaemon:
    """Answers every request on a unix socket with what answer(method, path) returns, whole or in pieces, and hangs up."""

    def __init__(self, answer):
        self.dir = tempfile.mkdtemp(prefix="kf-")
        self.path, self.answer = self.dir + "/k.sock", answer
        self.s = socket.socket(socket.AF_UNIX)
        self.s.bind(self.path)
        self.s.listen(64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.s.accept()
                threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        with contextlib.suppress(OSError):
            c.settimeout(10)
            got = b""
            while b"\r\n\r\n" not in got:
                more = c.recv(65536)
                if not more:
                    return
                got += more
            method, path = got.split(b" ")[:2]
            out = self.answer(method.decode(), path.decode())
            for piece in [out] if isinstance(out, bytes) else out:
                c.sendall(piece)
            c.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                while c.recv(65536):
                    pass
        c.close()

    def kiln(self, *args, input=None):
        """Runs kiln; it must end, not by a signal, and no sanitizer must have found anything."""
        try:
            p = subprocess.run([KILN, "-H", "unix://" + self.path, *args], capture_output=True, timeout=30, input=input,
                               stdin=subprocess.DEVNULL if input is None else None, env={"PATH": os.environ["PATH"], "TZ": "UTC", "ASAN_OPTIONS": "detect_leaks=0"})
        except subprocess.TimeoutExpired:
            raise Failed(f"kiln {' '.join(args)}: does not end") from None
        out, err = p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")
        if p.returncode < 0 or "Sanitizer" in err or "runtime error" in err:
            raise Failed(f"kiln {' '.join(args)}: {p.returncode}\n{err[:2000]}")
        return p.returncode, out, err

    def close(self):
        self.s.close()
        os.unlink(self.path)
        os.rmdir(self.dir)


def http(body, status="200 OK", head=b""):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s" % (status.encode(), head, len(body), body)


COMMANDS = [["ps", "-a"], ["ps", "--format", "json"], ["images", "--digests"], ["history", "x"], ["inspect", "x"], ["inspect", "-f", "{{.State.Pid}}", "x"],
            ["info"], ["version"], ["health"], ["system", "check"], ["system", "df"], ["stats", "--no-stream", "x"], ["top", "x"], ["port", "x"], ["logs", "x"],
            ["events", "--until", "0s"], ["wait", "x"], ["rm", "x", "y"], ["rmi", "x"], ["update", "-m", "64m", "x"], ["container", "prune", "-f"],
            ["create", "x"], ["run", "x"], ["exec", "x", "true"], ["attach", "x"], ["start", "-a", "x"], ["load"], ["save", "x"], ["__complete", "rm", ""]]

# One for each way in which the client reads an answer.
WAYS = [["ps"], ["logs", "x"], ["load"], ["save", "x"], ["wait", "x"], ["run", "x"], ["attach", "x"], ["exec", "x", "true"], ["version"]]

BROKEN = {
    "nothing": b"",
    "no HTTP": b"\x00\xff\x16\x03\x01 what\r\n\r\n",
    "another protocol": b"SSH-2.0-x\r\n",
    "a head without an end": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20000,
    "a long field": b"HTTP/1.1 200 OK\r\nA: " + b"x" * (1 << 20),
    "a body that is cut off": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[{\"Id\"",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
    "a huge length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
    "a chunk that is cut off": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n[]",
    "a chunk of a huge size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n[]",
    "a switch of protocols": b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "an error without a message": http(b"<html>", "500 Internal Server Error"),
    "an error whose message is an object": http({"message": {"a": 1}}, "404 Not Found"),
}
WRONG = {
    "no JSON": http(b"{]"), "null": http(b"null"), "a number": http(b"1e999"), "a text": http(b'"x"'), "an empty object": http({}), "an empty list": http([]),
    "a deep list": http(b"[" * 100000), "a NUL in a text": http(b'[{"Id":"a\\u0000b"}]'), "no UTF-8": http(b'[{"Id":"\xff\xfe"}]'),
    "a list of lists": http([[[]]]), "a list of numbers": http([1, 2, 3]), "a list of nulls": http([None]),
}


def test_kiln_survives_what_is_no_answer():
    for what, out in BROKEN.items():
        d = FakeDaemon(lambda method, path, out=out: out)
        try:
            for command in WAYS:
                status, _, err = d.kiln(*command, input=b"x" if command == ["load"] else None)
                if what not in ("a switch of protocols", "no content"):
                    eq(status != 0 and err != "", True, f"{command}: {what} is told: {status}, {err}")
        finally:
            d.close()


def test_kiln_survives_an_answer_of_another_shape():
    for what, out in WRONG.items():
        d = FakeDaemon(lambda method, path, out=out: out)
        try:
            for command in COMMANDS:
                status, _, err = d.kiln(*command, input=b"x" if command == ["load"] else None)
                if what in ("no JSON", "a deep list") and command[0] in ("ps", "images", "history", "inspect", "info", "version", "health", "events", "wait", "create", "top"):
                    eq(status != 0 and "the daemon's answer" in err, True, f"{command}: {what} is told: {status}, {err}")
        finally:
            d.close()


BIG = (1 << 63) - 1
EXTREME = {
    "/containers/json": [{"Id": "", "Image": "", "Command": "\x1b[31m\n\t\"", "Status": "", "State": "", "Names": [], "Created": n, "SizeRw": n, "SizeRootFs": n,
                          "Labels": {"": "", "a" * 10000: "\u2028"}, "Mounts": [{"Name": None}, {}], "Ports": [{"PrivatePort": n, "PublicPort": n}],
                          "NetworkSettings": {"Networks": {"x": None, "y": {}}}, "New": {"from": "the future"}} for n in (BIG, -BIG - 1, 0)],
    "/images/json": [{"Id": "sha256:", "RepoTags": tags, "RepoDigests": digests, "Created": n, "Size": n} for n in (BIG, -BIG - 1)
                     for tags, digests in (([], []), (["x"], ["x"]), (None, None), ([""], [""]), (["a:b"], ["a", "a@", "@"]), ([], ["none"]))],
    "/history": [{"Id": "", "Created": n, "Size": n, "CreatedBy": "\t\n\u00fc" * 100, "Comment": None} for n in (BIG, -BIG - 1, -1)],
    "/system/df": {"LayersSize": -BIG, "Images": [{"Containers": BIG, "Size": BIG, "SharedSize": -BIG}], "Containers": [{"State": "x", "SizeRw": BIG}] * 3},
    "/stats": {"name": "", "id": "x" * 1000, "cpu_stats": {"cpu_usage": {"total_usage": 2 ** 64 - 1}, "system_cpu_usage": 0, "online_cpus": 2 ** 64 - 1},
               "precpu_stats": {"cpu_usage": {"total_usage": 1}, "system_cpu_usage": 2 ** 64 - 1}, "memory_stats": {"usage": 0, "limit": 0, "stats": {}},
               "networks": {"a": {"rx_bytes": 2 ** 64 - 1}}, "blkio_stats": {"io_service_bytes_recursive": [{"op": "", "value": 1}]}, "pids_stats": {}},
    "/top": {"Titles": ["x"] * 1000, "Processes": [["y"] * 1000, [], [1, None]]},
    "/events": {"Type": "", "Action": "", "Actor": {"ID": "", "Attributes": {}}, "timeNano": -BIG},
    "/wait": {"StatusCode": BIG, "Error": {"Message": ""}},
    "/prune": {"ContainersDeleted": ["x"], "ImagesDeleted": [{}], "SpaceReclaimed": -BIG},
    "/info": {"MemTotal": "many", "SecurityOptions": ["", "name", "name=", "=x", ",,"], "DriverStatus": [[], ["a"], [1, 2], "x"], "Warnings": [1, "w"], "Runtimes": 5},
    "/version": {"Version": "", "ApiVersion": "", "MinAPIVersion": "", "Os": "", "Arch": "", "KernelVersion": ""},
    "/kiln/v1/health": {"daemon": {"ok": True}, "launcher": {"ok": False, "reason": "x" * 10000}, "storage": {"ok": True}, "warm": False, "reasons": [1], "containers": [
        {"id": "", "name": "n" * 1000, "state": "", "health": "", "should_be_warm": True, "warm": False, "restart_count": -BIG}]},
    "/json": {"Id": "x", "State": {"Running": True}, "Config": {"Tty": False, "OpenStdin": True}, "HostConfig": {"AutoRemove": False},
              "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": None, "HostPort": 5}, {}, []], "x": None}}},
}


def extreme(method, path):
    for end, value in EXTREME.items():
        if path.split("?")[0].endswith(end):
            return http(value)
    return http({"Id": "x", "Warnings": ["w\x1b"], "ID": "x"}, "201 Created")


def test_kiln_survives_extreme_values():
    d = FakeDaemon(extreme)
    try:
        for command in COMMANDS:
            d.kiln(*command, input=b"x" if command == ["load"] else None)
        _, out, _ = d.kiln("ps", "-a", "--no-trunc")
        eq("\x1b" in out, False, "a command cannot colour the list")
        has(d.kiln("images")[1], "<none>")
        has(d.kiln("system", "df")[1], "Containers")
        has(d.kiln("stats", "--no-stream", "x")[1], "0.00%")
    finally:
        d.close()


def frame(stream, data, n=None):
    return struct.pack(">BxxxL", stream, len(data) if n is None else n) + data


STREAMS = {
    "a stream of another kind": frame(9, b"x"), "a header that is cut off": b"\x01\x00\x00", "a frame that is cut off": frame(1, b"abc", 1000),
    "empty frames": frame(1, b"") * 1000, "a frame of four gigabytes": frame(2, b"x" * 70000, 0xffffffff), "no frames": b"GET / HTTP/1.1\r\n\r\n",
    "padding that is not zero": b"\x01\x01\x00\x00\x00\x00\x00\x01x",
}


def test_kiln_survives_broken_streams():
    upgraded = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    for what, data in STREAMS.items():
        def answer(_method, path, data=data):
            if "attach" in path or ("exec" in path and "start" in path):
                return [upgraded, *(data[i:i + 5000] for i in range(0, len(data), 5000))]
            if "logs" in path:
                return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)
            return extreme(_method, path)
        d = FakeDaemon(answer)
        try:
            for command in (["logs", "x"], ["attach", "--no-stdin", "x"], ["run", "x"], ["exec", "x", "true"], ["start", "-a", "x"]):
                status, _, err = d.kiln(*command)
                if what != "empty frames":
                    eq(status, 1, f"{command}: {what}")
                    has(err, "cut off" if "cut off" in what or "gigabytes" in what else "the daemon's stream is broken")
        finally:
            d.close()


def test_kiln_survives_messages_of_a_load():
    cases = {b"{": 1, b"{}\n": 0, b"\n\n\n": 0, b'{"error":"no"}\n': 1, b'{"stream":5}\n': 1, b"x" * (2 << 20): 1, b'{"stream":"ok\\n"}': 0, b'{"error":"no"}': 1,
             b'{"status":"a","progressDetail":{"current":18446744073709551615,"total":1}}\n' * 3: 0,
             b'{"status":null,"progressDetail":null}\n{"stream":"done\\n"}\n': 0, b"[" * 1000 + b"\n": 1}
    for body, want in cases.items():
        d = FakeDaemon(lambda method, path, body=body: http(body))
        try:
            status, _, err = d.kiln("load", input=b"x" * 100000)
            eq(status, want, repr(body[:60]) + err)
        finally:
            d.close()


def test_kiln_takes_what_a_newer_daemon_says():
    """Members that it does not know are passed over."""
    d = FakeDaemon(lambda method, path: http([{"Id": "0123456789abcdef", "Image": "i", "Command": "c", "Status": "s", "State": "running", "Names": ["/n"], "Created": 1,
                                               "Newer": [{"a": {"b": None}}], "Health": {"Status": "healthy"}}]))
    try:
        status, out, err = d.kiln("ps", "--format", "{{.ID}} {{.Names}}")
        eq((status, out, err), (0, "0123456789ab n\n", ""))
    finally:
        d.close()


def n_sockets(pid):
    n = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            n += os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")
    return n


def test_kiln_says_that_kilnd_went_away(own):
    """In the middle of an answer, or of what is sent: stopped or killed. Not that HTTP was malformed."""
    env = dict(os.environ, KILN_HOST="unix://" + own.socket)
    begun = tarfile.TarInfo("f")
    begun.size = 1 << 20
    begun = begun.tobuf()
    own.start()
    cid = own.run("-d", "--", "sh", "-c", "echo begun; sleep 1000").stdout.strip()
    idle = 3   # the socket that it listens on, the launcher's, a monitor's
    for end in (own.terminate, own.kill9):
        eventually("who asked before is gone", lambda: n_sockets(own.proc.pid) == idle)
        waiting = [subprocess.Popen([KILN, *args], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                   for args in (["logs", "-f", cid], ["wait", cid], ["events"], ["import", "-"], ["load"])]
        for p in waiting[3:]:
            p.stdin.write(begun.decode() + "x" * 65536)
            p.stdin.flush()
        eq(waiting[0].stdout.readline(), "begun\n")
        eventually("all have asked", lambda n=len(waiting): n_sockets(own.proc.pid) == idle + n)
        end()
        for p in waiting:
            err = p.communicate(timeout=30)[1]
            eq(p.returncode != 0, True, p.args)
            has(err, "kilnd closed the connection before its answer was complete: it was stopped, or restarts; containers run on", p.args)
            has(err, "kiln system check", p.args)
        own.start()
