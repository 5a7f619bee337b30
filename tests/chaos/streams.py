# SPDX-License-Identifier: Apache-2.0
"""Execs, attached clients, followers of logs and waits: what goes over connections that may outlive kilnd."""
import json
import socket
import threading
import time

import harness
from world import ANSWER_WITHIN_S, SLACK_S, Failed, Lost


def hijack(w, path, body=b""):
    """(socket, status, first bytes). Lost when there was no answer."""
    sock = w.connect()
    begun = time.monotonic()
    head = b""
    try:
        sock.sendall(b"POST %s HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body))
        while b"\r\n\r\n" not in head:
            got = sock.recv(4096)
            if not got:
                raise ConnectionResetError("no answer")
            head += got
    except OSError as e:
        sock.close()
        raise w.lost(begun, e) from e
    head, _, rest = head.partition(b"\r\n\r\n")
    return sock, int(head.split()[1]), rest


def read_to_end(sock, first=b""):
    data = first
    try:
        while got := sock.recv(65536):
            data += got
    except ConnectionResetError:
        pass
    except TimeoutError as e:
        raise Failed(f"the stream did not end within {ANSWER_WITHIN_S} s, after {data[-200:]!r}") from e
    finally:
        sock.close()
    return data


def split(data):
    """stdout, stderr and what is no whole frame."""
    out, i = {1: b"", 2: b""}, 0
    while i + 8 <= len(data) and data[i] in (1, 2) and data[i + 1:i + 4] == b"\0\0\0":
        n = int.from_bytes(data[i + 4:i + 8], "big")
        if i + 8 + n > len(data):
            break
        out[data[i]] += data[i + 8:i + 8 + n]
        i += 8 + n
    return out[1], out[2], data[i:]


def exec_create(box, ident, code):
    a = box.ask("POST", f"/containers/{box.id}/exec",
                   {"Cmd": ["/payload", "exec", ident, str(code)], "AttachStdout": True, "AttachStderr": True})
    if a.status == 409 and box.is_doubtful():
        return None
    if a.status != 201:
        box.fail(f"exec: {a}")
    return a.json()["Id"]


def run_exec(box, ident, is_detached):
    """An exec with a name of its own, which the program's ledger will have once, or not at all when nobody has said that it ran."""
    w, code, since = box.w, box.rng.randrange(0, 120), time.monotonic()
    box.execs[ident] = 0
    try:
        x = exec_create(box, ident, code)
        if x is None:
            return
        if is_detached:
            detached(box, x, ident)
            return
        sock, status, rest = hijack(w, f"/exec/{x}/start", b"{}")
    except Lost:
        return
    data = read_to_end(sock, rest)
    if status == 404 and box.kilnd_died(since):
        return      # it was only in the memory of the one that was killed
    if status == 409 and box.is_doubtful():
        return
    if status not in (101, 200):
        box.fail(f"exec start: {status} {data!r}")
    out, err, stray = split(data)
    check_exec(box, x, ident, code, since, out, err, stray)


def detached(box, x, ident):
    a = box.ask("POST", f"/exec/{x}/start", {"Detach": True})
    if a.status == 200:
        box.execs[ident] = 1
        if not box.is_doubtful():
            box.until(f"exec {ident} ran", lambda: box.ledger().execs.get(ident) or box.was_disturbed(a.begun))
        if box.was_disturbed(a.begun) and not box.ledger().execs.get(ident):
            box.execs[ident] = 0    # started, and killed with its container
    elif a.status == 404 and box.kilnd_died(a.begun - ANSWER_WITHIN_S):
        return
    elif a.status == 409 and box.is_doubtful():
        return
    elif not (a.status >= 500 and box.was_disturbed(a.begun)):
        box.fail(f"exec start: {a}")


def check_exec(box, x, ident, code, since, out, err, stray):
    whole = b"".join(b"out %s %d\n" % (ident.encode(), i) for i in range(5))
    is_hit = box.w.was_hit("monitor", since - SLACK_S, x)
    is_cut = is_hit or box.kilnd_died(since) or box.was_disturbed(since)   # on its way through kilnd and launcher
    has_failed = b"OCI runtime exec failed" in out or b"went away" in out
    if out == whole and err == b"err %s\n" % ident.encode() and not stray:
        box.execs[ident] = 1
    elif not is_cut and not box.is_doubtful():
        box.fail(f"exec {ident} has said {out!r} {err!r} {stray!r}")
    elif out and not has_failed and not (is_hit and whole.startswith(out)):
        box.fail(f"exec {ident} has said {out!r} {err!r} {stray!r}")
    check_code(box, x, ident, code, since, is_hit)


def check_code(box, x, ident, code, since, is_hit):
    def ended():
        a = box.w.query(f"/exec/{x}/json")
        return a if a.status == 404 or not a.json()["Running"] else None
    a = box.until(f"exec {ident} is over", ended)
    if a.status == 404:
        if not box.kilnd_died(since) and not box.is_doubtful():
            box.fail(f"exec {ident} is not known, and kilnd was not killed")
        return
    got = a.json()["ExitCode"]
    if box.execs[ident] == 0 and (got in (126, 255) or got is None):
        return      # it did not start, as far as is known
    lost = is_hit and box.w.was_hit("launcher", since - SLACK_S)
    if got != code and not (lost and got == 255):
        box.fail(f"exec {ident} ended with {got}, want {code}")


def talk(box, ident):
    """Over an attached connection, through kills of kilnd: each line comes back once."""
    since = time.monotonic()
    try:
        sock, status, rest = hijack(box.w, f"/containers/{box.id}/attach?stream=1&stdin=1&stdout=1")
    except Lost:
        return
    if status == 409 and box.lost_monitor():
        sock.close()
        return
    if status not in (101, 200):
        box.fail(f"attach: {status} {rest!r}")
    sock.settimeout(SETTLE_TALK_S)
    data, n = rest, box.rng.randrange(1, 4)
    try:
        for i in range(n):
            word = f"{ident}-{i}"
            sock.sendall(word.encode() + b"\n")
            while f" in {word}\n".encode() not in split(data)[0]:
                got = sock.recv(65536)
                if not got:
                    raise ConnectionResetError("the end of the stream")
                data += got
            time.sleep(box.rng.uniform(0, 0.05))
        words = [line.split(b" in ")[1] for line in split(data)[0].splitlines() if b" in " in line]
        want = [f"{ident}-{i}".encode() for i in range(n)]
        if words != want:
            box.fail(f"attached: sent {want}, came back {words}")
    except (OSError, TimeoutError) as e:
        # A connection that kilnd had not yet handed over goes with it
        if not box.lost_monitor() and not box.kilnd_died(since):
            box.fail(f"attached: {e!r} after {split(data)[0][-300:]!r}")
    finally:
        sock.close()


SETTLE_TALK_S = 20 * (3 if harness.IS_SANITIZED else 1)


def follow(box):
    """logs -f for a moment: what comes is in order, without gaps."""
    data, sock = b"", box.w.connect()
    try:
        sock.sendall(f"GET /containers/{box.id}/logs?stdout=1&follow=1 HTTP/1.0\r\nHost: d\r\n\r\n".encode())
        sock.settimeout(0.3)
        until = time.monotonic() + 0.3
        while time.monotonic() < until and (got := sock.recv(65536)):
            data += got
    except (TimeoutError, OSError):
        pass
    finally:
        sock.close()
    text, previous = split(data.partition(b"\r\n\r\n")[2])[0], {}
    for line in text.decode(errors="replace").splitlines():
        fields = line.split(" ", 2)
        run, number = int(fields[0][1:]), int(fields[1])
        if number != previous.get(run, -1) + 1 and not (box.kind == "rotated" and not previous):
            box.fail(f"followed: line {number} of run {run} after {previous.get(run)}")
        previous[run] = number


class Waiter:
    """POST wait in a thread of its own: the code, or None when the connection ended with kilnd."""

    def __init__(self, box, condition):
        self.box, self.code, self.error = box, None, None
        self.path = f"/containers/{box.id}/wait?condition={condition}"
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            a = self.box.w.call("POST", self.path)
            self.code = json.loads(a.body)["StatusCode"] if a.status == 200 else None
        except Exception as e:   # told by result()
            self.error = e

    def result(self):
        self.thread.join(ANSWER_WITHIN_S)
        if self.thread.is_alive():
            self.box.fail("wait was not answered")
        if self.error and not isinstance(self.error, Lost):
            raise self.error
        return self.code
