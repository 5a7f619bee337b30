# SPDX-License-Identifier: Apache-2.0
"""The daemon under test, those who kill its processes, and what clients need to judge an answer: who was killed when.

A request ends in an answer, or is Lost: the connection broke although it had been sent, which only a dead kilnd may do. Then
the operation may have happened or not, and nothing else.
"""
import contextlib
import http.client
import json
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import harness  # noqa: E402
from harness import Failed  # noqa: E402

ANSWER_WITHIN_S = 60 * (3 if harness.IS_SANITIZED else 1)
SLACK_S = 1.5          # how long after a kill its consequences may reach an answer
UNKNOWN = "?"


class Lost(Exception):
    """Sent, and never answered: kilnd was killed."""


class Stopped(Exception):
    """Another client has found a fault, or time is over."""


class Answer:
    def __init__(self, status, body, begun):
        self.status, self.body, self.begun, self.ended = status, body, begun, time.monotonic()

    def json(self):
        return json.loads(self.body)

    def message(self):
        try:
            return json.loads(self.body).get("message", "")
        except (ValueError, AttributeError):
            return self.body.decode(errors="replace")

    def __str__(self):
        return f"{self.status} {self.message() if self.status >= 400 else ''}"


class Kill:
    """One process that was killed: kilnd, launcher, monitor or unpack. ids: whose it was, as far as could be told."""

    def __init__(self, what, pid, ids, when):
        self.what, self.pid, self.ids, self.when = what, pid, ids, when


def namespace(pid):
    """Of process IDs; None when the process is gone."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/pid")


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


def unix_paths():
    """inode -> path of the listening Unix sockets."""
    found = {}
    for line in read("/proc/net/unix").decode(errors="replace").splitlines()[1:]:
        fields = line.split(None, 7)
        if len(fields) == 8:
            found[fields[6]] = fields[7]
    return found


class World:
    def __init__(self, k, seed):
        self.k, self.seed = k, seed
        self.kills = []
        self.lock = threading.Lock()
        self.is_over = threading.Event()
        self.problems = []
        self.n_calls = self.n_lost = self.n_answers = 0
        self.gate = threading.Event()      # set: clients work
        self.n_paused = 0
        self.paused = threading.Condition()

    # ---- faults that were found
    def problem(self, text):
        with self.lock:
            self.problems.append(f"{time.monotonic():.3f} {text}")
        self.is_over.set()

    def check(self, is_true, text):
        if not is_true:
            raise Failed(text)

    # ---- clients' turn
    def step(self):
        """Called by each client between two operations."""
        if self.is_over.is_set():
            raise Stopped()
        if self.gate.is_set():
            return
        with self.paused:
            self.n_paused += 1
            self.paused.notify_all()
        while not self.gate.wait(0.2):
            if self.is_over.is_set():
                raise Stopped()
        with self.paused:
            self.n_paused -= 1
        self.step()

    def pause(self, n_clients):
        """Returns when all stand still, or one has failed."""
        self.gate.clear()
        deadline = time.monotonic() + 2 * ANSWER_WITHIN_S
        with self.paused:
            while self.n_paused < n_clients and not self.is_over.is_set():
                self.paused.wait(0.2)
                if time.monotonic() > deadline:
                    raise Failed("the clients do not come to rest: one waits for an answer")

    # ---- requests
    def connect(self, timeout=ANSWER_WITHIN_S):
        """kilnd may be dead: it is started again soon."""
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while True:
            try:
                return self.k.connect(timeout)
            except OSError as e:
                if time.monotonic() > deadline:
                    raise Failed(f"nobody listens: {e}") from e
                if self.is_over.is_set():
                    raise Stopped() from None
                time.sleep(0.005)

    def lost(self, begun, why):
        """An answer that did not come. Only a kilnd that was killed explains it."""
        with self.lock:
            self.n_lost += 1
        deadline = time.monotonic() + 2
        while not self.was_hit("kilnd", since=begun - SLACK_S):
            if time.monotonic() > deadline:
                raise Failed(f"the connection ended ({why!r}), and nobody has killed kilnd")
            time.sleep(0.01)
        return Lost(repr(why))

    def call(self, method, path, body=None, headers=None):
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {len(data or b'')}\r\n"
        head += "".join(f"{k}: {v}\r\n" for k, v in (headers or {}).items()) + "Connection: close\r\n\r\n"
        sock = self.connect()
        begun = time.monotonic()
        with self.lock:
            self.n_calls += 1
        try:
            with contextlib.suppress(BrokenPipeError):   # an early answer: it is there to be read
                sock.sendall(head.encode() + (data or b""))
            r = http.client.HTTPResponse(sock, method=method)
            r.begin()
            answer = Answer(r.status, r.read(), begun)
            with self.lock:
                self.n_answers += method != "GET"
            return answer
        except TimeoutError as e:
            raise Failed(f"{method} {path}: no answer within {ANSWER_WITHIN_S} s") from e
        except (OSError, http.client.HTTPException) as e:
            raise self.lost(begun, e) from e
        finally:
            sock.close()

    def query(self, path):
        """A GET is repeated until it is answered."""
        while True:
            try:
                return self.call("GET", path)
            except Lost:
                self.step_over()

    def step_over(self):
        if self.is_over.is_set():
            raise Stopped()
        time.sleep(0.005)

    # ---- who was killed
    def was_hit(self, what, since, ident=None, until=None):
        """Was such a process killed since then? Of a certain container or exec, when one is named."""
        with self.lock:
            return any(k.what == what and k.when >= since and (until is None or k.when <= until)
                       and (ident is None or ident in k.ids or UNKNOWN in k.ids) for k in self.kills)

    def kills_of(self, ident, since):
        """For people."""
        with self.lock:
            return ", ".join(f"{k.what} {k.when:.3f}" for k in self.kills if k.when >= since
                             and (k.what != "monitor" or ident in k.ids or UNKNOWN in k.ids))

    def kill_pid(self, what, pid, ids):
        with self.lock:
            # First noted, then done: whoever sees its consequences finds it here.
            self.kills.append(Kill(what, pid, ids, time.monotonic()))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def processes(self):
        """(pid, kind) of what belongs to this daemon beside kilnd itself."""
        found = []
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            args = read(f"/proc/{pid}/cmdline").split(b"\0")
            if b"launcher" in args[1:3] and self.k.exec_root.encode() in args:
                comm, above = read(f"/proc/{pid}/comm"), read(f"/proc/{self.parent_of(pid)}/comm")
                # What a stem is it becomes; its own child makes namespaces
                if b"kiln-stem\n" in (comm, above):
                    found += [(pid, "stem")] if above == b"kiln-launcher\n" else []
                    continue
                # Whose monitor has just died, on the way to its program: that is the container's
                if above == b"kiln-launcher\n" and comm == b"kiln-monitor\n" and namespace(pid) != namespace(self.parent_of(pid)):
                    continue
                # A child of the launcher has its name for a moment; a monitor's, on the way to a program, has the monitor's
                if above != b"kiln-monitor\n":
                    found.append((pid, "monitor" if above == b"kiln-launcher\n" or comm == b"kiln-monitor\n" else "launcher"))
            elif args[1:2] == [b"unpack"] and self.k.proc.pid == self.parent_of(pid):
                found.append((pid, "unpack"))
        return found

    @staticmethod
    def parent_of(pid):
        stat = read(f"/proc/{pid}/stat").decode(errors="replace").rsplit(")", 1)
        return int(stat[1].split()[1]) if len(stat) == 2 else 0

    def owner_of(self, monitor):
        """The container's or exec's ID, by the socket on which its monitor listens."""
        paths = unix_paths()
        with contextlib.suppress(OSError):
            for fd in os.listdir(f"/proc/{monitor}/fd"):
                link = os.readlink(f"/proc/{monitor}/fd/{fd}")
                path = paths.get(link[8:-1], "") if link.startswith("socket:[") else ""
                name = os.path.basename(path)
                if name.endswith(".sock") and len(name) == 69:
                    return {name[:64]}
        return {UNKNOWN}

    # ---- waiting for files of containers
    def upper(self, cid, name):
        return read(f"{self.k.data_root}/containers/{cid}/upper/{name}").decode(errors="replace")
