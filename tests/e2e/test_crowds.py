# SPDX-License-Identifier: Apache-2.0
"""Crowds of clients that are slow, silent, or ask for more than there are descriptors: others are served meanwhile, and nothing stays.

The crowd is this process; whoever is to be served is another one (docker's client), as kilnd tells them apart.
"""
import json
import os
import socket
import time

import harness
from harness import Failed, eq, eventually, has
from test_break import create, n_fds, start

FILES = 256      # of which half may be connections, and an eighth of those are not for processes that have many


def crowded(own, files=FILES):
    own.wrapper = ["prlimit", f"--nofile={files}:{files}"]
    k = own.start()
    k.busybox()
    return k


def crowd(k, n, text=b""):
    """Connections that say that much; those that are turned away are counted."""
    socks = []
    for _ in range(n):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(0.5)
        try:
            s.connect(k.socket)
            if text:
                s.sendall(text)
            socks.append(s)
        except OSError:
            s.close()
            break
    return socks


def refused(socks):
    n = 0
    for s in socks:
        s.setblocking(False)
        try:
            answer = s.recv(65536)      # nothing: it made room, on a slow machine
            n += not answer or answer.startswith((b"HTTP/1.1 503 ", b"HTTP/1.1 408 "))
        except ConnectionError:
            n += 1      # its answer was lost with it
        except BlockingIOError:
            pass
    return n


def others_are_served(k):
    begin = time.monotonic()
    eq(k.docker("ps", "-q", timeout=20).returncode, 0)
    eq(k.run("--rm", "--", "echo", "served", timeout=30).stdout, "served\n")
    took = time.monotonic() - begin
    if took > 15 and not harness.IS_SANITIZED:
        raise Failed(f"others waited {took:.1f} s")


def all_is_over(k, socks, before):
    for s in socks:
        s.close()
    eventually("its descriptors are free again", lambda: n_fds(k.proc.pid) <= before + 2)
    eq(k.api("GET", "/_ping")[0], 200)


def test_crowd_of_idle_connections(own):
    k = crowded(own)
    before = n_fds(k.proc.pid)
    socks = crowd(k, 300)
    others_are_served(k)
    if not refused(socks):
        raise Failed("nobody was turned away")
    all_is_over(k, socks, before)


def test_crowd_of_idle_connections_makes_room(own):
    """Who has not asked for anything for a while loses its connection before anybody is turned away."""
    k = crowded(own)
    before = n_fds(k.proc.pid)
    socks = crowd(k, 100)
    time.sleep(1.2)
    more = crowd(k, 50, b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
    for s in more:
        s.settimeout(10)
        has(s.recv(4096).decode(), "200 OK")
    eq(refused(more), 0)
    all_is_over(k, socks + more, before)


def test_crowd_of_half_requests(own):
    """Heads and bodies that never come to their end."""
    k = crowded(own)
    before = n_fds(k.proc.pid)
    socks = crowd(k, 150, b"GET /_ping HTT") + crowd(k, 150, b"POST /containers/create HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{")
    others_are_served(k)
    if not refused(socks):
        raise Failed("nobody was turned away")
    all_is_over(k, socks, before)


def test_crowd_that_does_not_read(own):
    """Streams and large answers: kilnd keeps little of them."""
    k = crowded(own)
    cid = create(k, ["sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"])
    start(k, cid)
    eventually("it has ended", lambda: k.state(cid)["Status"] == "exited", timeout=30)
    before = n_fds(k.proc.pid)
    socks = crowd(k, 60, b"GET /containers/%s/logs?stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n" % cid.encode())
    socks += crowd(k, 60, b"GET /events HTTP/1.1\r\nHost: d\r\n\r\n")
    others_are_served(k)
    with open(f"/proc/{k.proc.pid}/status") as f:
        rss = int(next(line for line in f if line.startswith("VmRSS")).split()[1])
    if rss > 120_000 and not harness.IS_SANITIZED:
        raise Failed(f"kilnd has {rss} kB")
    all_is_over(k, socks, before)


def test_crowd_of_followers(own):
    """More than a user may have inotify instances: each gets each line."""
    k = own.start()
    cid = create(k, ["sh", "-c", "echo first; read x; echo second; sleep 1000"], OpenStdin=True)
    start(k, cid)
    before = n_fds(k.proc.pid)
    socks = crowd(k, 200, b"GET /containers/%s/logs?stdout=1&follow=1 HTTP/1.0\r\nHost: d\r\n\r\n" % cid.encode())
    eq(len(socks), 200)
    s, _, _ = k.hijack(f"/containers/{cid}/attach?stream=1&stdin=1")
    s.sendall(b"\n")
    for f in socks:
        f.settimeout(20)
        data = b""
        while b"second\n" not in data:
            got = f.recv(65536)
            if not got:
                raise Failed(f"a follower got {data!r}")
            data += got
    s.close()
    all_is_over(k, socks, before)


def test_execs_until_descriptors_run_out(own):
    """The last of them are for ending things: an exec is refused with what to do, and root can stop and remove."""
    k = crowded(own, 160)
    cid = create(k, ["sleep", "1000"])
    start(k, cid)
    before, answer = n_fds(k.proc.pid), (200, {}, b"")
    for _ in range(200):
        xid = k.api_json("POST", f"/containers/{cid}/exec", {"Cmd": ["sleep", "1000"]}, want=201)["Id"]
        answer = k.api("POST", f"/exec/{xid}/start", {"Detach": True})
        if answer[0] != 200:
            break
    eq(answer[0], 500)
    has(json.loads(answer[2])["message"], "too many open files")
    has(json.loads(answer[2])["message"], "LimitNOFILE")
    eq(k.docker("ps", "-q").stdout.strip(), cid[:12])
    eq(k.docker("logs", cid).returncode, 0)
    k.docker("kill", cid)
    k.docker("rm", cid)
    eventually("its descriptors are free again", lambda: n_fds(k.proc.pid) <= before)
    eq(k.run("--rm", "--", "echo", "again").stdout, "again\n")


def test_clients_that_wait_for_starts_until_descriptors_run_out(own):
    k = crowded(own, 160)
    before, socks, head = n_fds(k.proc.pid), [], ""
    cids = [create(k, ["cat"], OpenStdin=True) for _ in range(2)]
    for i in range(200):
        s, head, rest = k.hijack(f"/containers/{cids[i % 2]}/attach?stream=1&stdin=1&stdout=1")
        socks.append(s)
        if " 101 " not in head:
            break
    has(head, "HTTP/1.1 500 ")
    has(rest.decode(), "too many open files")
    others = k.docker("ps", "-aq", "--no-trunc").stdout.split()
    eq(sorted(others), sorted(cids))
    for cid in cids:
        k.docker("rm", cid)
    all_is_over(k, socks, before)


def test_crowd_of_attached_clients(own):
    """A monitor has room for so many; the program runs on, and the others are served."""
    k = own.start()
    cid = create(k, ["sh", "-c", "while :; do echo tick; sleep 0.05; done"])
    start(k, cid)
    socks = [k.hijack(f"/containers/{cid}/attach?stream=1&stdout=1")[0] for _ in range(150)]
    n_closed = 0
    for s in socks:
        s.settimeout(10)
        try:
            n_closed += not s.recv(100)
        except ConnectionResetError:
            n_closed += 1
    if not 0 < n_closed < 150:
        raise Failed(f"{n_closed} of 150 were turned away")
    eq(k.docker("exec", cid, "echo", "in").stdout, "in\n")
    n = len(k.docker("logs", cid).stdout)
    eventually("it goes on", lambda: len(k.docker("logs", cid).stdout) > n)
    for s in socks:
        s.close()
